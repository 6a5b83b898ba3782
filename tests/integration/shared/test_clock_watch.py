"""The machine's clock is set, forward and back, while a process runs and between two: nothing ends or stands still by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from services import migrations
from services.shared import alarms
from services.shared.audit.trail import audit_log
from services.shared.database.engine import Database
from services.shared.ledger.warnings import warning_state
from services.shared.operations.clock_watch import ClockWatch, accept, clock_beat
from services.shared.steady_clock import SLEW, STEP_S, Steady
from tools.servers.postgres import Postgres

T0 = 1_800_000_000.0


class Machine:
    """One machine: a clock that may be set, and the seconds since it started."""

    def __init__(self, boot: str = "b" * 32, at: float = T0, passed: float = 100.0) -> None:
        self.boot, self.clock, self.passed = boot, at, passed

    def goes_on(self, seconds: float) -> None:
        self.clock += seconds
        self.passed += seconds

    def process(self, database: Database) -> tuple[Steady, ClockWatch]:
        steady = Steady(lambda: self.clock, lambda: self.passed)
        return steady, ClockWatch(database, steady, boot=self.boot)


@pytest.fixture
async def on_postgres(postgres: Postgres) -> AsyncIterator[Database]:
    url = postgres.database()
    await asyncio.to_thread(migrations.upgrade, url)
    made = Database(url, synchronous="OFF")
    yield made
    await made.close()


async def in_force(database: Database, expires: float) -> None:
    async with database.write() as tx:
        await tx.execute(
            sa.insert(warning_state).values(
                warning_id="1" * 32, chain_id="1" * 32, tier=4, state="active", kind="alert", purpose="warning", sent=T0,
                expires_at=expires, authority="A", number="4721", doors="allowed", released_at=T0,
            )
        )  # fmt: skip


async def told(database: Database) -> list[str]:
    async with database.read() as db:
        return [row.said for row in await alarms.standing(db, "clock")]


@given(st.lists(st.tuples(st.floats(0.001, 50), st.floats(-20, 20)), max_size=40))
def test_time_never_runs_back_nor_faster_than_a_little(moves: list[tuple[float, float]]) -> None:
    """Whatever the machine's clock is set to, seconds are as long as they are, give or take the slew."""
    machine = Machine()
    steady = Steady(lambda: machine.clock, lambda: machine.passed)
    for seconds, set_by in moves:
        before = steady.now()
        machine.goes_on(seconds)
        machine.clock += set_by
        off = steady.follow(machine.clock)
        gone = steady.now() - before
        assert seconds * (1 - SLEW) - 1e-6 <= gone <= seconds * (1 + SLEW) + 1e-6
        if abs(off) > STEP_S:
            assert gone == pytest.approx(seconds, abs=1e-5)


async def test_a_small_difference_is_taken_over(database: Database) -> None:
    """What NTP corrects is followed, slowly, and is no alarm."""
    machine = Machine()
    steady, watch = machine.process(database)
    await watch.begin()
    machine.clock += 2.0
    for _ in range(300):
        machine.goes_on(1.0)
        await watch.turn()
    assert steady.off == pytest.approx(0.0, abs=0.01)
    assert [] == await told(database)


@pytest.mark.parametrize("hours", [-2, 2, 6])
async def test_a_step_beside_a_warning_is_an_alarm_and_moves_nothing(database: Database, hours: float) -> None:
    """Until a person says that it is right; put back, the alarm is over."""
    machine = Machine()
    steady, watch = machine.process(database)
    await watch.begin()
    await in_force(database, T0 + 3600)
    machine.goes_on(10.0)
    machine.clock += hours * 3600
    for _ in range(200):
        await watch.turn()
        machine.goes_on(1.0)
    assert steady.now() == pytest.approx(T0 + 210.0)
    (said,) = await told(database)
    assert f"{abs(hours):.1f} hours {'ahead' if hours > 0 else 'back'}" in said
    assert "tocsin clock accept" in said
    machine.clock -= hours * 3600
    await watch.turn()
    assert [] == await told(database)
    machine.clock += hours * 3600
    await watch.turn()
    await accept(database, "the duty officer", "the machine was wrong before")
    await watch.turn()
    assert steady.now() == pytest.approx(machine.clock)
    assert [] == await told(database)
    async with database.read() as db:
        acts = (await db.scalars(sa.select(audit_log.c.act).order_by(audit_log.c.n))).all()
    assert ["clock_accepted", "clock_followed"] == list(acts)


async def test_without_a_warning_the_clock_is_followed_after_a_minute(database: Database) -> None:
    """Nothing can be ended by it; a machine that starts without a battery must not go wrong for ever."""
    machine = Machine()
    steady, watch = machine.process(database)
    await watch.begin()
    await in_force(database, T0 + 5)  # its time is over when the clock is set
    machine.goes_on(10.0)
    machine.clock += 7200
    await watch.turn()
    assert 1 == len(await told(database))
    machine.goes_on(59.0)
    await watch.turn()
    assert steady.now() == pytest.approx(T0 + 69.0)
    machine.goes_on(2.0)
    await watch.turn()
    assert steady.now() == pytest.approx(T0 + 7271.0)
    assert [] == await told(database)


async def test_a_restart_on_the_same_machine_knows_what_has_passed(database: Database) -> None:
    """The clock was set while nobody ran: the seconds since the start of the machine tell the time."""
    machine = Machine()
    _, watch = machine.process(database)
    await watch.begin()
    await in_force(database, T0 + 3600)
    machine.goes_on(300.0)
    machine.clock -= 7200
    steady, again = machine.process(database)
    await again.begin()
    assert steady.now() == pytest.approx(T0 + 300.0)
    assert 1 == len(await told(database))


async def test_time_is_never_before_what_was_reached(database: Database) -> None:
    """Another machine, or a start of it, whose clock stands before the last that was seen."""
    machine = Machine()
    _, watch = machine.process(database)
    await watch.begin()
    other = Machine(boot="c" * 32, at=T0 - 86400, passed=5.0)
    steady, theirs = other.process(database)
    await theirs.begin()
    assert steady.now() == pytest.approx(T0)
    assert 1 == len(await told(database))
    later = Machine(boot="d" * 32, at=T0 + 86400, passed=5.0)
    steady, theirs = later.process(database)
    await theirs.begin()
    assert steady.now() == pytest.approx(T0 + 86400)  # a machine may have been off for a day


async def test_on_postgresql_the_databases_clock_is_shared(on_postgres: Database) -> None:
    """A machine that stands two hours ahead goes by the database's time, and says so."""
    async with on_postgres.read() as db:
        now = float(await db.scalar(sa.text("SELECT extract(epoch FROM clock_timestamp())")) or 0)
    ahead = Machine(at=now + 7200)
    steady, watch = ahead.process(on_postgres)
    await watch.begin()
    assert steady.now() == pytest.approx(now, abs=2.0)
    (said,) = await told(on_postgres)
    assert "2.0 hours ahead" in said
    async with on_postgres.read() as db:
        assert ["b" * 32] == list((await db.scalars(sa.select(clock_beat.c.boot))).all())
