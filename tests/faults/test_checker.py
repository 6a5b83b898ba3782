"""The judge must be able to condemn: each defect planted into a sound ledger is found, by name."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from services.demo import run_demo
from services.node import Node
from services.shared.ledger.states import SendState
from tests.faults.checker import NEVER_SENT, Case, judge
from tests.faults.ground import SqliteGround
from tests.faults.harness import ALERT

Plant = Callable[[sqlite3.Connection], object]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The ledger a small demo leaves behind, with what the provider accepted as its attempts say."""
    file = tmp_path_factory.mktemp("sound") / "tocsin.db"
    warnings: list[str] = []

    async def keep(embedded: Node, warning_id: str) -> None:
        warnings.append(warning_id)
        source = embedded.platform.settings.data_dir / "tocsin.db"
        with contextlib.closing(sqlite3.connect(source)) as db, contextlib.closing(sqlite3.connect(file)) as copy:
            db.backup(copy)

    asyncio.run(run_demo(ALERT, people=25, seed=5, inspect=keep))
    SqliteGround(file).judge()
    with contextlib.closing(sqlite3.connect(file)) as db:
        accepts = Counter(
            r[0]
            for r in db.execute(
                "SELECT delivery_id FROM attempt WHERE outcome = 'accepted'"
                " AND provider IN ('sms_twilio', 'voice_twilio', 'email')"
            )
        )
        people = {r[0] for r in db.execute("SELECT person_id FROM router_path")}
    return Case(SqliteGround(file), accepts, {warnings[0]: people}, warnings, frozenset())


def run(statement: str, *values: object) -> Plant:
    return lambda db: db.execute(statement, values)


def one(change: str, where: str) -> Plant:
    """Changes the first delivery that is so."""
    first = f"(SELECT min(delivery_id) FROM delivery WHERE {where})"  # noqa: S608
    return run(f"UPDATE delivery SET {change} WHERE delivery_id = {first}")  # noqa: S608


def _left_in_the_air(db: sqlite3.Connection) -> None:
    """A flight that never landed, and what it holds."""
    db.execute("UPDATE delivery SET send_state = 'pending' WHERE batch_id <> '' AND attempts > 0")
    db.execute(
        "INSERT INTO flight (flight_id, batch_id, warning_id, tier, driver, worker, ids, begun_at, started_at, lease_until)"
        " SELECT 'f', batch_id, warning_id, tier, driver, 'w', ',' || delivery_id || ',', 0, 0, 0 FROM delivery"
        " WHERE batch_id <> '' AND attempts > 0 LIMIT 1"
    )


ONE_PERSON = "person_id = (SELECT min(person_id) FROM router_path)"
NO_DOOR = "person_id NOT IN (SELECT person_id FROM delivery WHERE driver = 'door')"
STUCK = "state = 'open', ending = '', next_at = NULL, react_at = NULL"
RETRIED = """INSERT INTO judge_move (delivery_id, before, after)
             VALUES ('a', 'pending', 'sending'), ('a', 'sending', 'pending')"""
TWICE = """INSERT INTO judge_move (delivery_id, before, after)
           VALUES ('a', 'pending', 'sending'), ('a', 'sending', 'sending')"""
PUT_ASIDE = "INSERT INTO dead_letter VALUES ('m', 'router', 'AudienceFound', 4, 'why', '', x'00', 0)"
LEDGER_DEFECTS: Sequence[tuple[str, Plant, str]] = (
    ("a lost person", run(f"DELETE FROM router_path WHERE {ONE_PERSON}"), "have no path"),  # noqa: S608
    ("one it does not concern", run(f"UPDATE router_path SET person_id = 'x' WHERE {ONE_PERSON}"), "does not concern"),  # noqa: S608
    ("an unexplained path", run(f"UPDATE router_path SET {STUCK} WHERE {NO_DOOR}"), "unexplained"),  # noqa: S608
    ("an ending without a reason", run("UPDATE router_path SET end_reason = ''"), "without saying how"),
    ("a page that was not counted", run("UPDATE router_warning SET complete = 0"), "not complete"),
    (
        "a figure that is off",
        run("UPDATE tally SET n = n + 1 WHERE milestone = 'targeted'"),
        "counted as targeted",
    ),
    ("a state that cannot be", one("send_state = 'accepted', attempts = 0", "channel = 'door'"), "illegal state"),
    (
        "a move off the table",
        one("send_state = 'pending'", "send_state = 'delivered'"),
        "illegal move delivered > pending",
    ),
    ("a lease over in SENDING and retried", run(RETRIED), "illegal move sending > pending"),
    ("two who send the same", run(TWICE), "in two flights at once"),
    ("something left in the air", _left_in_the_air, "though everything is quiet"),
    ("ambiguous without cause", one("ambiguous = 1", "attempts > 0"), "never in hand"),
    ("an attempt not written down", run("DELETE FROM attempt WHERE n = 1"), "attempts written down"),
    ("an altered audit entry", run("UPDATE audit_log SET reason = 'never' WHERE n = 2"), "audit log does not follow"),
    ("an audit entry taken out", run("DELETE FROM audit_log WHERE n = 2"), "audit log does not follow"),
    ("a promise not kept", run("DELETE FROM gateway_message"), "not on disk"),
    ("a message put aside", run(PUT_ASIDE), "put aside"),
    ("an open number", run("UPDATE delivery SET reason = 'call +99912345678'"), "stands open"),
)


async def test_a_sound_ledger_is_found_sound(sound: Case) -> None:
    """No findings, and the figures are those of the ledger."""
    verdict = await judge(sound)
    assert [] == verdict.findings
    assert verdict.deliveries > 50
    assert (0, 0, 0) == (verdict.lost, verdict.doubled, verdict.ambiguous)


@pytest.mark.parametrize(("plant", "words"), [pytest.param(p, w, id=name) for name, p, w in LEDGER_DEFECTS])
async def test_a_planted_defect_is_found(sound: Case, tmp_path: Path, plant: Plant, words: str) -> None:
    """The finding names the defect."""
    file = tmp_path / "tocsin.db"
    assert isinstance(sound.ground, SqliteGround)
    shutil.copy(sound.ground.file, file)
    with contextlib.closing(sqlite3.connect(file)) as db:
        plant(db)
        db.commit()
    verdict = await judge(replace(sound, ground=SqliteGround(file), secrets=["99912345678"]))
    assert any(words in f for f in verdict.findings), verdict.findings


async def test_a_doubled_accept_is_found(sound: Case) -> None:
    """Two accepts and no ambiguous attempt is a double of ours."""
    first = min(sound.accepts)
    verdict = await judge(replace(sound, accepts=sound.accepts + Counter([first])))
    assert 1 == verdict.doubled
    assert [f"delivery {first[:8]}"] == [f[:17] for f in verdict.findings]


async def test_a_delivery_the_provider_never_had_is_found(sound: Case) -> None:
    """Delivered is the provider's word, not ours."""
    verdict = await judge(replace(sound, accepts=Counter()))
    assert any("the provider never had it" in f for f in verdict.findings)


async def test_a_number_in_the_log_is_found(sound: Case) -> None:
    verdict = await judge(replace(sound, secrets=["99912345678"], logs=b"calling +99912345678"))
    assert ["the number 9991...78 stands open in logs"] == verdict.findings


def test_what_was_never_sent_cannot_be_accepted() -> None:
    """The states the table allows without a send: none that says or wonders whether a provider had it."""
    S = SendState
    assert {S.PENDING, S.FAILED, S.EXPIRED, S.CANCELLED, S.SUPERSEDED, S.SUPPRESSED} == NEVER_SENT
