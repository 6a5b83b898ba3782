"""Watches the machine's clock: no step of it ends, expires, stops or hurries anything by itself.

A process's time of day goes on from what the database knows (`steady`): after a restart on a machine that kept running
by the seconds that have passed, elsewhere from the database's clock (SQLite: the machine's own), and never from before a
time that was already reached. Where the machine's clock then stands more than five seconds off, that is an alarm. While
no warning is in force nothing can be ended by it, and after a minute the clock is followed; while one is, a person
says that the clock is right: `tocsin clock accept`.
"""

from __future__ import annotations

import secrets
import socket

import sqlalchemy as sa
import structlog

from services.shared import alarms
from services.shared.audit import trail
from services.shared.database.batches import upsert
from services.shared.database.engine import Connection, Database, metadata
from services.shared.database.instance import instance
from services.shared.ledger.warnings import warning_state
from services.shared.steady_clock import PROCESS, STEP_S, Steady, boot_id

log = structlog.get_logger("clock")
BEAT_S, IDLE_S = 10.0, 60.0
ACCEPTED = "clock_accepted"  # in `instance`: the last time a person said that the machine's clock is right

clock_beat = sa.Table(
    "clock_beat",
    metadata,
    sa.Column("boot", sa.String(32), primary_key=True, comment="one start of one machine"),
    sa.Column("passed", sa.Float, nullable=False, comment="seconds since it started"),
    sa.Column("at", sa.Float, nullable=False, comment="wall, then"),
)


class ClockWatch:
    """One process's."""

    def __init__(self, database: Database, steady: Steady = PROCESS, *, boot: str | None = None) -> None:
        self._database = database
        self._steady = steady
        self._boot = boot_id() if boot is None else boot
        self._name = f"clock:{socket.gethostname()}"
        self._accepted = ""
        self._beaten: float | None = None
        self._stepped_at: float | None = None

    async def begin(self) -> None:
        """Sets this process's time by what the database knows; before anything asks what time it is."""
        async with self._database.write() as tx:
            beats = {row.boot: row for row in await tx.execute(sa.select(clock_beat))}
            mine = beats.get(self._boot) if self._boot else None
            if mine is not None and self._steady.passed >= mine.passed:
                self._steady.set_to(mine.at + self._steady.passed - mine.passed)
            else:
                latest = max((row.at for row in beats.values()), default=0.0)
                now = await self._told(tx)
                # a clock that stands before what was reached already is wrong; how far, nobody can say
                self._steady.set_to(now if now >= latest - STEP_S else latest)
            self._accepted = str(await tx.scalar(_accepted) or "")
        await self.turn()

    async def turn(self) -> bool:
        """Once a second: follows what a well-kept clock is corrected by, tells of a step; never has more to do."""
        async with self._database.read() as db:
            told = await self._told(db)
            accepted = str(await db.scalar(_accepted) or "")
            idle = not await db.scalar(_in_force(self._steady.now()))
        off, here = self._steady.follow(told), self._steady.off
        agreed, self._accepted = accepted != self._accepted, accepted
        if abs(off) > STEP_S and agreed:
            await self._take("accepted by a person")
        elif abs(off) > STEP_S and idle and self._stepped_for() >= IDLE_S:
            await self._take("no warning was in force")
        elif max(abs(off), abs(here)) > STEP_S:
            await self._alarm(off, here)
        elif self._stepped_at is not None or self._beaten is None:
            self._stepped_at = None
            async with self._database.write() as tx:
                await alarms.over(tx, self._name)
        if self._beaten is None or self._steady.passed - self._beaten >= BEAT_S:
            await self._beat()
        return False

    def _stepped_for(self) -> float:
        return 0.0 if self._stepped_at is None else self._steady.passed - self._stepped_at

    async def _alarm(self, off: float, here: float) -> None:
        """Once a step: `off` is how far the shared clock is from our time, `here` how far this machine's is."""
        if self._stepped_at is not None:
            return
        self._stepped_at = self._steady.passed
        shared = not self._database.is_sqlite and abs(off) > STEP_S
        whose, size = ("the database's machine", off) if shared else (socket.gethostname(), here)
        said = (
            f"the clock of {whose} was set {_in_words(size)}: deadlines go on by the time that has passed, nothing was "
            "ended by it. Put the clock right (NTP); if it is right now, say: tocsin clock accept"
        )
        async with self._database.write() as tx:
            await alarms.sound(tx, self._name, said)

    async def _take(self, why: str) -> None:
        """From now on it is what the shared clock says."""
        async with self._database.write() as tx:
            now = await self._told(tx)
            size = _in_words(now - self._steady.now())
            self._steady.set_to(now)
            self._stepped_at = None
            await tx.execute(sa.delete(clock_beat).where(clock_beat.c.at > now))
            await trail.record(tx, "clock", "clock_followed", self._name, f"{size}: {why}")
            await alarms.over(tx, self._name)
        await self._beat()
        log.warning("clock_followed", size=size, why=why)

    async def _beat(self) -> None:
        self._beaten = self._steady.passed
        if not self._boot:
            return
        row = {"boot": self._boot, "passed": self._steady.passed, "at": self._steady.now()}
        async with self._database.write() as tx:
            await upsert(tx, clock_beat, [row], ["boot"], replace=["passed", "at"])

    async def _told(self, tx: Connection) -> float:
        """The clock all processes share: the database's; on SQLite this machine's."""
        if self._database.is_sqlite:
            return self._steady.now() + self._steady.off
        return float(await tx.scalar(sa.text("SELECT extract(epoch FROM clock_timestamp())")) or 0.0)


async def accept(database: Database, actor: str, reason: str) -> None:
    """A person says that the machines' clocks are right: every process goes by them from its next second on."""
    async with database.write() as tx:
        row = {"name": ACCEPTED, "value": secrets.token_hex(16)}
        await upsert(tx, instance, [row], ["name"], replace=["value"])
        await trail.record(tx, actor, "clock_accepted", "", reason)


def _in_words(off: float) -> str:
    """How far and which way."""
    size = abs(off)
    amount = (
        f"{size / 3600:.1f} hours" if size >= 3600 else f"{size / 60:.1f} minutes" if size >= 60 else f"{size:.0f} s"
    )
    return f"{amount} {'ahead' if off > 0 else 'back'}"


def _in_force(now: float) -> sa.Select[tuple[str]]:
    state = warning_state.c
    return sa.select(state.warning_id).where(state.state == "active", state.expires_at > now).limit(1)


_accepted = sa.select(instance.c.value).where(instance.c.name == ACCEPTED)
