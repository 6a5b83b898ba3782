"""Claims what is due, writes down the intent, hands it over, reports the outcome: in that order, never another.

A claim (LEASED) and an intent (SENDING, with an attempt row) both look at `warning_state`; the provider is called
within half a second of the committed intent or not at all. So a cancel stops sends within a second, and a crash
leaves UNKNOWN only what was under way or about to be. Red has lanes of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa
import structlog

from services.channels.claims import claim, due, intend
from services.channels.desk import Desk, Report
from services.channels.driver import Driver, Outcome, Result
from services.channels.lane import AHEAD, Lane
from services.channels.leases import Leases
from services.channels.opening import Preparer
from services.channels.outbound import Outbound
from services.channels.pace import Pace, backoff
from services.channels.part_store import Sent
from services.channels.stopped import leave_out
from services.shared import telemetry
from services.shared.clock import Clock, wall
from services.shared.db import Database
from services.shared.errors import Fault
from services.shared.faults import fault_at
from services.shared.ledger import IS_DUE, Evidence, SendState, attempt, delivery, may_be_sent, move
from services.shared.messages import EvidenceRecorded
from services.shared.outbox import new_id, say
from services.shared.tier import Tier

log = structlog.get_logger("sender")
CALL_LIMIT_S = 10.0
MAX_ATTEMPTS = 6
STALE_INTENT_S = 0.5
S = SendState


class Sender:
    """All lanes of one channels process."""

    def __init__(
        self, database: Database, clock: Clock, desk: Desk, preparer: Preparer, drivers: Sequence[Driver], plane: str
    ) -> None:
        self._database = database
        self._clock = clock
        self._desk = desk
        self._preparer = preparer
        self._plane = plane
        self.leases = Leases(database, clock, plane)
        # one process for everything: what is begun ahead of ordinary messages stands in red's way
        most_ahead = 0 if database.is_sqlite else AHEAD
        self.lanes = [Lane(d, red, most_ahead) for d in drivers for red in (True, False)]
        self._pace = {d.name: Pace(getattr(d, "per_second", 0.0)) for d in drivers}

    @property
    def busy(self) -> bool:
        return any(lane.in_flight for lane in self.lanes)

    async def drain(self) -> None:
        """Waits for every call under way and its record."""
        while tasks := [t for lane in self.lanes for t in lane.in_flight]:
            await asyncio.wait(tasks)

    async def due_lanes(self, red: bool | None = None) -> list[Lane]:
        """The lanes with something to claim and room for it (red's, the others', or all): one look for all of them."""
        lanes = [lane for lane in self.lanes if lane.roomy() and red in (None, lane.red)]
        async with self._database.read() as db:
            found = await due(db, tuple(lane.name for lane in lanes), self._clock.now())
        return [lanes[n] for n in sorted(found)]

    async def turn(self, lane: Lane) -> int:
        """Claims as much as the lane has room for and starts it; returns how much was claimed."""
        room = lane.free()
        if room <= 0 or wall() < lane.paused_until:
            return 0
        claimed = await self._claim(lane, room)
        if not claimed:
            return 0
        fault_at("after_claim")
        try:
            await self._start(lane, await leave_out(self._database, claimed, self._clock.now(), self._plane))
        except BaseException:
            self.leases.not_called({row.delivery_id: row.token for row in claimed})
            raise
        return len(claimed)

    async def _start(self, lane: Lane, claimed: Sequence[Any]) -> None:
        """Prepares what was claimed, writes the intents down and begins the calls."""
        ready: list[tuple[Any, Outbound]] = []
        for row in claimed:
            try:
                ready.append((row, await self._preparer.prepare(row)))
            except Fault as problem:
                await self._unsendable(row, problem)
        await self._pace[lane.driver.name].take(len(ready), lane.red)
        tokens = {row.delivery_id: row.token for row, _ in ready}
        intended = await self._intend(lane, tokens, {row.warning_id for row, _ in ready if row.warning_id})
        started = wall()
        fault_at("after_intent")
        for row, message in ready:
            if row.delivery_id in intended:
                lane.begun += 1
                task = asyncio.create_task(self._send(lane, row, message, started))
                lane.in_flight.add(task)
                task.add_done_callback(partial(self._ended, lane))

    @staticmethod
    def _ended(lane: Lane, task: asyncio.Task[None]) -> None:
        """A send whose outcome could not be written stays SENDING until its lease is over, then it is UNKNOWN."""
        lane.in_flight.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            log.error("outcome_not_written", driver=lane.driver.name, reason=repr(problem))

    async def _claim(self, lane: Lane, room: int) -> Sequence[Any]:
        async with self._database.write() as tx:
            return await claim(tx, lane.name, room, self._clock.now(), self.leases.worker)

    async def _intend(self, lane: Lane, tokens: dict[str, int], warnings: set[str]) -> set[str]:
        if not tokens:
            return set()
        async with self._database.write() as tx:
            return await intend(tx, tokens, warnings, lane.driver.name, self._clock.now())

    async def _send(self, lane: Lane, row: Any, message: Outbound, intended: float) -> None:
        async with lane.places:
            begun = wall()
            lane.begins(begun - intended)
            try:
                result = await self._call(lane, row, message, late=begun - intended > STALE_INTENT_S)
            finally:
                lane.answered(wall() - begun)
        if result.outcome is Outcome.ACCEPTED:
            fault_at("after_provider_accept")
        telemetry.sent(lane.driver.name, result.outcome.value)
        self._breaker(lane, result)
        await self._desk.report(self._report(row, result, exhausted=await self._exhausted(row, result)))

    async def _call(self, lane: Lane, row: Any, message: Outbound, *, late: bool) -> Result:
        if late:
            return Result(Outcome.NOT_SENT, code="late_start")
        try:
            with telemetry.span("send", delivery_id=row.delivery_id, driver=lane.driver.name, tier=row.tier):
                async with asyncio.timeout(CALL_LIMIT_S + 2):
                    return await lane.driver.send(message)
        except TimeoutError:
            return Result(Outcome.AMBIGUOUS, code="no_answer")

    async def _exhausted(self, row: Any, result: Result) -> bool:
        """Whether the provider has turned this very message away often enough; our own faults do not count."""
        if result.outcome is not Outcome.NOT_SENT or result.code == "late_start" or row.attempts + 1 < MAX_ATTEMPTS:
            return False
        mine = (attempt.c.delivery_id == row.delivery_id, attempt.c.outcome == Outcome.NOT_SENT.value)
        counted = sa.select(sa.func.count()).where(*mine, attempt.c.code != "late_start")
        async with self._database.read() as db:
            return int(await db.scalar(counted) or 0) + 1 >= MAX_ATTEMPTS

    def _report(self, row: Any, result: Result, *, exhausted: bool) -> Report:
        now, n = self._clock.now(), row.attempts + 1
        report = {
            "delivery_id": row.delivery_id, "event_key": f"{row.delivery_id}:{n}:outcome", "source": "outcome",
            "attempt": n, "code": result.code, "reason": result.outcome.value, "ref": result.ref,
        }  # fmt: skip
        match result.outcome:
            case Outcome.ACCEPTED:
                sent = Sent(row.channel, row.delivery_id, result.parts) if result.parts else None
                return Report(**report, state=S.ACCEPTED, evidence=Evidence.ACCEPTED, sent=sent)
            case Outcome.PERMANENT:
                return Report(**report, state=S.FAILED)
            case Outcome.AMBIGUOUS:
                return Report(**report, state=S.UNKNOWN)
            case _ if exhausted:
                return Report(**report, state=S.FAILED)
            case _ if result.code == "late_start":  # not the provider's fault: again at once
                return Report(**report, state=S.RETRY, again_at=now)
            case _:
                wait = max(backoff(Tier(row.tier), n, row.delivery_id), result.retry_after or 0.0)
                return Report(**report, state=S.RETRY, again_at=now + wait)

    def _breaker(self, lane: Lane, result: Result) -> None:
        """Our key refused, or the provider not there five times running: pause the lane, ten seconds doubling to sixty."""
        if result.outcome in (Outcome.PROVIDER_FAULT, Outcome.NOT_SENT) and result.code != "late_start":
            lane.faults += 1
            if lane.faults >= 5 and wall() >= lane.paused_until:
                pause = min(60.0, 10.0 * 2 ** min(lane.faults // 5 - 1, 3))
                lane.paused_until = wall() + self._clock.wall_seconds(pause)
                log.error("road_paused", driver=lane.driver.name, code=result.code, seconds=pause)
        elif result.outcome is Outcome.ACCEPTED:
            lane.faults = 0

    async def _unsendable(self, row: Any, problem: Fault) -> None:
        """One message that cannot be opened or rendered fails alone, with its reason, and stops nobody else."""
        log.error("unsendable", delivery_id=row.delivery_id, reason=str(problem))
        now = self._clock.now()
        async with self._database.write() as tx:
            await move(
                tx, [row.delivery_id], S.FAILED, at=now, only=(S.LEASED,), state_reason=f"unsendable: {problem}"[:80]
            )
            if row.purpose != "notice":
                await say(
                    tx,
                    [EvidenceRecorded(msg_id=new_id(), plane=self._plane, warning_id=row.warning_id, tier=row.tier,
                                      ids=(row.delivery_id,))],
                )  # fmt: skip

    async def next_at(self) -> float | None:
        """Warning time at which the next message falls due."""
        doors = sa.or_(delivery.c.channel != "door", delivery.c.slot != "")
        async with self._database.read() as db:
            found: float | None = await db.scalar(
                sa.select(sa.func.min(delivery.c.due_at)).where(IS_DUE, doors, may_be_sent(self._clock.now()))
            )
        return found
