"""A cancel or an update in the middle of sending: nothing stale goes out, and exactly those who may have got it hear."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import shapely

from services.shared.clock import wall
from services.shared.ledger.kinds import WARNS
from tests.faults.checker import Case, judge
from tests.faults.ground import PostgresGround
from tests.faults.harness import ALERT, Prepared, Rehearsal, rehearsal

SLOW_CLOCK = 60.0  # the first step takes two seconds at the stand-in's pace: two minutes of warning time
MAY_HAVE_GOT_IT = ("sending", "unknown", "accepted", "delivered", "unconfirmed")


async def until_sending(run: Rehearsal, requests: int) -> None:
    """Until the provider has had so many requests."""
    await run.until(lambda: len(run.arrivals) >= requests)


def ledger(run: Rehearsal, warning_id: str) -> list[Any]:
    return run.rows("SELECT * FROM delivery WHERE warning_id = ? AND addressee_kind <> 'area'", warning_id)


def may_have_got(rows: Sequence[Any]) -> set[str]:
    """By the ledger as it stands: handed over or perhaps handed over, or met at the door."""
    return {r["delivery_id"] for r in rows if r["kind"] in WARNS and got_it(r, r["send_state"])}


def got_it(row: Any, state: str) -> bool:
    if row["driver"] == "door":
        return bool(row["evidence"] == 7)
    return state in MAY_HAVE_GOT_IT or bool(row["ambiguous"])


def late(run: Rehearsal, warning_id: str, after: float) -> list[str]:
    """Channels of this warning's messages whose request reached the provider after a wall time."""
    channels = {r["delivery_id"]: r["channel"] for r in ledger(run, warning_id)}
    return [
        f"{channels[a.delivery]} {a.at_wall - after:.2f} s"
        for a in run.arrivals
        if a.delivery in channels and a.at_wall > after
    ]


def exactly_those_are_told(run: Rehearsal, warning_id: str, ending_id: str, outside: set[str] | None = None) -> None:
    """Once each: whoever may have got it when told, and at the end nobody who may have got it is left untold.

    Nobody is told while anything to the same receiver is still being sent. `outside` limits it to some people.
    """
    old = {r["delivery_id"]: r for r in ledger(run, warning_id)}
    old = {i: r for i, r in old.items() if outside is None or r["person_id"] in outside}
    state: dict[str, str] = {}
    been: dict[str, set[str]] = defaultdict(set)
    # on PostgreSQL a receipt may come in while the ending is being written: then what stood before it counts as well
    several = isinstance(run.ground, PostgresGround)
    told: Counter[str] = Counter()
    wrong: list[str] = []
    endings = {r["delivery_id"]: r["about_id"] for r in ledger(run, ending_id) if r["kind"] == "ending"}
    for move in run.rows("SELECT * FROM judge_move ORDER BY n"):
        one = move["delivery_id"]
        if one in old:
            state[one] = move["after"]
            been[one].add(move["after"])
        elif one in endings and move["before"] == "":
            about = old.get(endings[one])
            told[endings[one]] += 1
            states = been[endings[one]] if several else {state[endings[one]]}
            if about is None or not any(got_it(about, s) for s in states):
                wrong.append(f"{endings[one][:8]} was told and cannot have got it")
                continue
            busy = [
                i for i, r in old.items() if r["addressee_id"] == about["addressee_id"] and state.get(i) == "sending"
            ]
            wrong += [f"{endings[one][:8]} was told while {i[:8]} was being sent" for i in busy]
    assert [] == wrong
    assert may_have_got(list(old.values())) - set(told) == set()
    assert {1} == set(told.values())


async def sound(run: Rehearsal, town: Prepared, warning_id: str, promised: Sequence[str]) -> None:
    verdict = await judge(
        Case(
            run.ground, run.world.sandbox.accepts_per_delivery(), {warning_id: town.everybody}, promised,
            frozenset().union(*(d.sending for d in run.deaths)), town.numbers, run.log().encode(),
        )
    )  # fmt: skip
    assert [] == verdict.findings, run.in_words()


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 3))])
async def test_a_cancel_while_sending_stops_within_a_second_and_tells_exactly_those_reached(
    town: Prepared, tmp_path: Path, seed: int
) -> None:
    """At a seeded instant: no request starts a second after the 2xx; endings fit the ledger; all paths end."""
    async with rehearsal(town, tmp_path, rate=SLOW_CLOCK) as run:
        warning_id = await run.warn()
        await until_sending(run, random.Random(seed).randrange(1, 90))
        ending_id = await run.cancel(warning_id)
        answered = wall()
        await asyncio.sleep(1.2)
        await run.settled()
        assert [] == late(run, warning_id, answered + 1.0)
        exactly_those_are_told(run, warning_id, ending_id)
        await run.stop()
    await sound(run, town, warning_id, run.promised)


async def test_a_cancel_is_never_refused_because_the_senders_clock_is_fast(town: Prepared, tmp_path: Path) -> None:
    """The alert says it was sent a while from now; ending it works at once all the same."""
    async with rehearsal(town, tmp_path, rate=1.0, before_sent=True) as run:
        warning_id = await run.warn()
        await run.cancel(warning_id)
        assert "cancelled" == (await run.coverage(warning_id))["state"]


@pytest.mark.long
async def test_a_cancel_holds_where_the_server_dies_right_after_its_commit(town: Prepared, tmp_path: Path) -> None:
    """The caller asks again and hears the same ending; the restarted server sends nothing of the old warning."""
    async with rehearsal(town, tmp_path, rate=SLOW_CLOCK, fault="after_cancel_commit:1") as run:
        warning_id = await run.warn()
        await until_sending(run, 40)
        ending_id = await run.cancel(warning_id)
        died = run.deaths[0].at
        await asyncio.sleep(1.2)
        await run.settled()
        assert [-9] == [d.code for d in run.deaths]
        assert [] == late(run, warning_id, died + 1.0)
        exactly_those_are_told(run, warning_id, ending_id)
        await run.stop()
    await sound(run, town, warning_id, run.promised)


@pytest.mark.long
async def test_checking_tells_and_stops_nothing(town: Prepared, tmp_path: Path) -> None:
    """'We are checking' leaves the warning running: its later steps are walked and its paths stay open."""
    async with rehearsal(town, tmp_path, rate=SLOW_CLOCK) as run:
        warning_id = await run.warn()
        await until_sending(run, 40)
        await run.cancel(warning_id, "checking")
        await run.until(
            lambda: bool(run.rows(
                "SELECT 1 FROM delivery d JOIN warning_state w USING (warning_id) WHERE d.warning_id = ?"
                " AND d.try_no = 1 AND d.due_at > w.released_at + 240 LIMIT 1", warning_id,
            ))
        )  # fmt: skip
        found = await run.coverage(warning_id)
        rows, why = ledger(run, warning_id), "moved up: asked for help"
        standing = {r["person_id"] for r in rows if r["kind"] == "visit" and r["state_reason"] != why}
        assert {r["person_id"] for r in rows if r["state_reason"] == why} <= standing, "another visit took its place"
        stopped = {r["state_reason"] for r in rows if r["send_state"] in ("cancelled", "superseded")} - {why}
        assert "active" == found["state"]
        assert found["open"] > 0
        assert stopped <= {"path closed"}  # a visit that their answer made needless


def updated(alert: bytes, identifier: str, polygon: str) -> bytes:
    """The example as an Update of itself with another area."""
    text = alert.decode()
    reference = "alerts@qingshui.example,QINGSHUI-2026-0610-0210,2026-06-10T09:10:00+08:00"
    text = text.replace("QINGSHUI-2026-0610-0210", identifier, 1).replace("<msgType>Alert", "<msgType>Update")
    text = text.replace("</note>", f"</note><references>{reference}</references>")
    text = text.replace("09:10:00+08:00</sent>", "09:11:00+08:00</sent>")
    old = text.partition("<polygon>")[2].partition("</polygon>")[0]
    return text.replace(old, polygon).encode()


@pytest.mark.long
async def test_an_update_supersedes_what_is_unsent_and_tells_those_outside_once(town: Prepared, tmp_path: Path) -> None:
    """The western half stays: who lives east of it and may have got the old warning hears 'no longer for you' once."""
    middle = round(sorted(p.lon for p in town.community.people)[len(town.community.people) // 2], 4) + 0.00005
    west = f"30.00,102.96 30.06,102.96 30.06,{middle} 30.00,{middle} 30.00,102.96"
    inside = shapely.box(102.96, 30.00, middle, 30.06)
    here = {p.person_id for p in town.community.people if inside.covers(shapely.Point(p.lon, p.lat))}
    here |= {f.facility_id for f in town.community.facilities if inside.covers(shapely.Point(f.lon, f.lat))}
    assert here
    assert here < town.everybody
    async with rehearsal(town, tmp_path, rate=SLOW_CLOCK) as run:
        old_id = await run.warn()
        await until_sending(run, 60)
        new_id = await run.warn(updated(ALERT, "QINGSHUI-2026-0610-0211", west))
        answered = wall()
        await asyncio.sleep(1.5)
        await run.settled()
        assert [] == late(run, old_id, answered + 1.0)
        old = ledger(run, old_id)
        assert "superseded" in {r["send_state"] for r in old}
        assert set() == {r["send_state"] for r in old} & {"pending", "retry", "unknown"}
        exactly_those_are_told(run, old_id, new_id, town.everybody - here)
        steps = [r for r in ledger(run, new_id) if r["kind"] in WARNS and r["step"].startswith("red.")]
        warned = {
            r["person_id"] for r in steps if r["person_id"]
        }  # who was told and asks for help has their door: no step
        assert warned <= here
        await run.stop()
    verdict = await judge(
        Case(run.ground, run.world.sandbox.accepts_per_delivery(),
             {old_id: town.everybody, new_id: here}, run.promised, frozenset(), town.numbers, run.log().encode())
    )  # fmt: skip
    assert [] == verdict.findings
