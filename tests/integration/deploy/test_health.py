"""/livez, /readyz, /metrics: each fault is named, a database that hangs answers nothing but is asked once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import sqlalchemy as sa
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from services.router.store.cases import case
from services.router.store.tables import warning
from services.shared import alarms, telemetry
from services.shared.bus.outbox import dead_letter, outbox
from services.shared.clock import wall
from services.shared.database.instance import instance
from services.shared.ledger.channels import channel
from services.shared.ledger.tables import delivery
from services.shared.ledger.tally import tally
from services.shared.ledger.warnings import warning_state
from services.shared.operations.health import Once, Pulses, ask
from tests.kit.deployed import NOW, Station, over
from tests.kit.flights import waiting
from tools.servers.ports import free_port
from tools.servers.postgres import Postgres


@pytest.fixture
async def station(tmp_path: Path) -> AsyncIterator[Station]:
    async with over(f"sqlite+aiosqlite:///{tmp_path / 'tocsin.db'}") as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
async def either(request: pytest.FixtureRequest, tmp_path: Path, postgres: Postgres) -> AsyncIterator[Station]:
    url = postgres.database() if request.param == "postgresql" else f"sqlite+aiosqlite:///{tmp_path / 'tocsin.db'}"
    async with over(url) as made:
        yield made


@pytest.fixture
async def on_postgres(postgres: Postgres) -> AsyncIterator[Station]:
    async with over(postgres.database()) as made:
        yield made


async def test_ready_names_each_check(station: Station) -> None:
    """200 with every check 'ok', ours of the database and the process's own."""
    expected = dict.fromkeys(("database", "schema", "plane", "bus", "loops", "draining"), "ok")
    assert (200, expected) == await station.ready()


async def set_revision(station: Station, to: str) -> None:
    async with station.database.write() as tx:
        await tx.execute(sa.text("UPDATE alembic_version SET version_num = :to"), {"to": to})


async def test_what_is_wrong_is_named_and_the_rest_is_right(station: Station) -> None:
    """503 with one sentence; a process that drains is not ready."""
    station.wrong["draining"] = "asked to stop"
    status, checks = await station.ready()
    assert (503, ["draining"]) == (status, [n for n, said in checks.items() if said != "ok"])
    assert "asked to stop" == checks["draining"]
    station.wrong["draining"] = None
    station.plane = "drill"
    status, checks = await station.ready()
    assert (503, "the database is for live, this process for drill") == (status, checks["plane"])


async def test_an_older_schema_is_not_ready_and_a_newer_one_is(station: Station) -> None:
    """While a release is rolled out the old program meets the new schema and goes on; the reverse waits."""
    await set_revision(station, "of the next release")
    assert 200 == (await station.ready())[0]
    await set_revision(station, "older")
    status, checks = await station.ready()
    assert (503, True) == (status, "run tocsin migrate" in checks["schema"])


async def test_a_database_that_takes_no_write_is_not_ready_and_the_process_is_alive(station: Station) -> None:
    """/readyz says so, /livez and /metrics answer."""
    async with station.database.write() as tx:
        await tx.execute(sa.text("DROP TABLE instance"))
    status, checks = await station.ready()
    assert (503, "takes no write: OperationalError") == (status, checks["database"])
    async with TestClient(TestServer(station.application())) as client, client.get("/livez") as response:
        assert (200, "alive\n") == (response.status, await response.text())
    found = await station.figures()
    assert 0.0 == found["tocsin_check", frozenset({("check", "database")})]


async def test_a_look_that_hangs_is_asked_once_and_given_up_for_another() -> None:
    """Ten callers wait for one look; after half a minute it is dropped, and the next look is a new one."""
    looks, told = 0, asyncio.Event()
    at = 0.0

    async def look() -> str:
        nonlocal looks
        looks += 1
        await told.wait()
        return "seen"

    once = Once(look, 1.0, lambda: at)
    assert [None] * 10 == await asyncio.gather(*(once.get(0.01) for _ in range(10)))
    assert 1 == looks
    at = 31.0
    told.set()
    assert "seen" == await once.get(1.0)
    assert 2 == looks
    assert ("seen", 2) == (await once.get(1.0), looks)
    at = 33.0
    assert ("seen", 3) == (await once.get(1.0), looks)


async def test_the_figures_tell_what_the_tables_hold(either: Station) -> None:
    """By tier and channel, zero where there is nothing; what cannot go yet is not due."""
    station = either
    async with station.database.write() as tx:
        await tx.execute(
            sa.insert(channel), [channel_row("sms", working=True), channel_row("officer", "door", working=False)]
        )
        await waiting(
            tx,
            [
                delivery_row("a", 4, "pending"), delivery_row("b", 4, "retry"), delivery_row("c", 1, "pending"),
                delivery_row("d", 4, "pending", due_at=NOW + 60), delivery_row("e", 4, "accepted"),
                delivery_row("f", 3, "unknown"), delivery_row("g", 4, "pending", driver="door"),
            ],
        )  # fmt: skip
        said = {"topic": "DeliveryDue", "body": b"", "created_at": wall() - 90}
        await tx.execute(sa.insert(outbox), [{"msg_id": "m1", "tier": 4, **said}, {"msg_id": "m2", "tier": 4, **said}])
        aside = {"consumer": "router", "topic": "t", "reason": "r", "sha256": "s", "body": b"", "at": 0.0}
        await tx.execute(sa.insert(dead_letter), [{"msg_id": "m3", "tier": 2, **aside}])
        await tx.execute(sa.insert(warning_state), [warning_row("w1", 4, "active"), warning_row("w2", 4, "cancelled")])
        for name in ("w1", "w2"):
            await tx.execute(sa.insert(warning).values(warning_id=name, issued=b"", policy="p", total=12, area_left_out={},
                                                       unresolved=[]))  # fmt: skip
            counted = (("targeted", 10), ("ended:closed", 3), ("ended:refused", 1), ("reached", 5))
            rows = [
                {"warning_id": name, "profile_key": "p", "channel": "", "milestone": r, "slot": "", "n": n}
                for r, n in counted
            ]
            await tx.execute(sa.insert(tally), rows)
        await tx.execute(
            sa.insert(case).values(case_id="c1", warning_id="w1", person_id="a", kind="help", opened_at=NOW)
        )
    telemetry.sent("sms_twilio", "accepted")
    found = await station.figures()

    def one(sample: str, /, **labels: str) -> float:
        return found[sample, frozenset(labels.items())]

    assert (2, 0, 0, 1) == tuple(one("tocsin_due", tier=t) for t in ("red", "orange", "yellow", "blue"))
    assert (0, 1) == tuple(one("tocsin_unknown", tier=t) for t in ("red", "orange"))
    assert 90 <= one("tocsin_oldest_outbox_seconds", tier="red") < 120
    assert (0, 1) == (one("tocsin_dead_letters", tier="red"), one("tocsin_dead_letters", tier="yellow"))
    assert (1, 0) == (one("tocsin_channel_working", channel="sms"), one("tocsin_channel_working", channel="officer"))
    assert (6, 2) == (one("tocsin_open_paths", tier="red"), one("tocsin_no_path", tier="red"))
    assert (1, 0) == (one("tocsin_help_open", owned="no"), one("tocsin_help_open", owned="yes"))
    assert (1, 1.5) == (one("tocsin_bus", fact="connected"), one("tocsin_bus", fact="confirm_age"))
    assert ("tocsin_bus", frozenset({("fact", "who")})) not in found
    assert 1 <= one("tocsin_sends_total", driver="sms_twilio", outcome="accepted")
    assert 1 == one("tocsin_check", check="database")
    assert 0 < one("process_resident_memory_bytes")


def channel_row(name: str, driver: str = "log", *, working: bool) -> dict[str, object]:
    return {"channel": name, "driver": driver, "contact_kinds": [], "two_way": False, "links": False, "voice": False,
            "repeats_per_day": 0, "templates_only": False, "working": working}  # fmt: skip


def warning_row(warning_id: str, tier: int, state: str) -> dict[str, object]:
    return {"warning_id": warning_id, "chain_id": warning_id, "tier": tier, "state": state, "kind": "alert",
            "purpose": "live", "sent": NOW, "expires_at": NOW + 3600, "authority": "a", "number": "1",
            "doors": "allowed"}  # fmt: skip


def delivery_row(
    name: str, tier: int, state: str, *, driver: str = "log", due_at: float = NOW - 1
) -> dict[str, object]:
    row: dict[str, object] = {
        "delivery_id": name, "warning_id": "w1", "kind": "warning", "tier": tier, "person_id": name,
        "addressee_id": name, "addressee_kind": "person", "step": "s", "channel": "r", "driver": driver, "form": "f",
        "language": "en", "contact_id": name, "address_key": name, "params": None, "reason": "", "send_state": state,
        "due_at": due_at, "expires_at": NOW + 3600, "state_at": NOW, "ambiguous": int(state == "unknown"),
    }  # fmt: skip
    return {key: value for key, value in row.items() if key in delivery.c}


def test_a_loop_that_hangs_is_named() -> None:
    """Each loop beats as often as it promised, or is said to be silent."""
    at = 0.0
    pulses = Pulses(lambda: at)
    pulses.expect("bus", within=60)
    pulses.expect("router", within=60)
    at = 50.0
    pulses.beat("bus")
    assert None is pulses.wrong()
    at = 65.0
    assert "nothing from the loop router for 65 s" == pulses.wrong()


async def test_asking_from_outside_says_what_is_wrong(station: Station) -> None:
    """Nothing where it is ready; else the sentences; else that nobody answers, or somebody else."""
    async with TestServer(station.application()) as server:
        assert [] == await ask(str(server.make_url("/")))
        station.wrong["bus"] = "stuck for 90 s"
        assert ["bus: stuck for 90 s"] == await ask(str(server.make_url("/")))
        station.wrong["bus"] = None
        async with aiohttp.ClientSession() as session, session.get(server.make_url("/readyz")) as response:
            assert 200 == response.status
    async with TestServer(web.Application()) as stranger:
        assert ["no process answers"] == [s[:18] for s in await ask(str(stranger.make_url("/")))]
    assert ["no process answers"] == [s[:18] for s in await ask(f"http://127.0.0.1:{free_port()}")]


async def test_the_probe_leaves_one_row(station: Station) -> None:
    """However often it is asked."""
    for _ in range(3):
        await station.ready()
    async with station.database.read() as db:
        names = (await db.scalars(sa.select(instance.c.name).order_by(instance.c.name))).all()
    assert ["plane", "probe"] == list(names)


async def test_on_postgresql_the_probe_writes_and_leaves_nothing(on_postgres: Station) -> None:
    """Ready; no row that another process could hold; a database made read-only is not ready."""
    assert 200 == (await on_postgres.ready())[0]
    async with on_postgres.database.read() as db:
        assert ["plane"] == list((await db.scalars(sa.select(instance.c.name))).all())
    async with on_postgres.database.write() as tx:
        await tx.execute(sa.text("ALTER TABLE instance RENAME TO elsewhere"))
    status, checks = await on_postgres.ready()
    assert (503, True) == (status, checks["database"].startswith("takes no write: "))


async def test_an_alarm_is_named_and_takes_nobody_out_of_the_proxy(either: Station) -> None:
    """A step of a clock would take every process out at once, and nobody could act any more."""
    async with either.database.write() as tx:
        await alarms.sound(tx, "clock:one", "the clock of one was set 2.0 hours back")
        await alarms.sound(tx, "provider:sms", "sms takes nothing")
    status, body = await either.readyz()
    assert (200, True) == (status, body["ready"])
    assert {"clock:one": "the clock of one was set 2.0 hours back", "provider:sms": "sms takes nothing"} == body[
        "alarms"
    ]
