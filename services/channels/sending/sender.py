"""Claims what is due, writes down the intent, hands it over, reports the outcome: in that order, never another.

A claim (LEASED) and an intent (SENDING, with an attempt row) both look at `warning_state`; the provider is called
within half a second of the committed intent or not at all. So a cancel stops sends within a second, and a crash
leaves UNKNOWN only what was under way or about to be. Red has lanes of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa
import structlog

from services.channels.messages.prepare import Preparer
from services.channels.model.driver import Driver, Outcome, Result
from services.channels.model.final_check import Overtaken, looking
from services.channels.model.outbound import Outbound
from services.channels.model.outcome import LATE
from services.channels.outcomes.opted_out import leave_out
from services.channels.outcomes.recorder import Desk
from services.channels.outcomes.transition import told
from services.channels.providers.acceptance import Takings
from services.channels.providers.breaker import Breaker
from services.channels.providers.country_limits import Limits
from services.channels.providers.rate_limit import Pace
from services.channels.providers.send_queue import AHEAD, Lane
from services.channels.providers.weights import Queue, Shares, held_back, queues
from services.channels.sending.claims import claim, due, intend, release, tried_by
from services.channels.sending.leases import Leases
from services.shared import telemetry
from services.shared.bus.outbox import new_id, say
from services.shared.clock import Clock, wall
from services.shared.database.engine import Database
from services.shared.errors import Fault
from services.shared.fault_points import fault_at
from services.shared.ledger.ledger import IS_DUE, SendState, attempt, delivery, may_be_sent, move
from services.shared.messages import EvidenceRecorded

log = structlog.get_logger("sender")
CALL_LIMIT_S = 10.0
MAX_ATTEMPTS = 6
STALE_INTENT_S = 0.5
LOOK_S = 1.0  # a database that hangs must not be taken for a provider that does
S = SendState


class Sender:
    """All lanes of one channels process."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        desk: Desk,
        preparer: Preparer,
        drivers: Sequence[Driver],
        plane: str,
        limits: Limits | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._desk = desk
        self._preparer = preparer
        self._plane = plane
        self.leases = Leases(database, clock, plane)
        # one process for everything: what is begun ahead of ordinary messages stands in red's way
        most_ahead = 0 if database.is_sqlite else AHEAD
        self.breakers = {d.name: Breaker() for d in drivers}
        self.lanes = [
            Lane(d, red, most_ahead, limits.roads(d) if limits else d.roads, self.breakers[d.name])
            for d in drivers
            for red in (True, False)
        ]
        self.queues = queues(self.lanes)
        self.shares = Shares(database, clock, self.lanes)
        self.takings = Takings(database, [d.name for d in drivers], self.shares.groups)
        self._pace = {d.name: Pace(database, d.name, getattr(d, "per_second", 0.0)) for d in drivers}

    @property
    def busy(self) -> bool:
        return any(lane.in_flight for lane in self.lanes)

    async def drain(self) -> None:
        """Waits for every call under way and its record."""
        while tasks := [t for lane in self.lanes for t in lane.in_flight]:
            await asyncio.wait(tasks)

    async def due_queues(self, red: bool | None = None) -> list[Queue]:
        """The queues with something to claim and room for it (red's, the others', or all): one look for all of them."""
        roomy = [queue for queue in self.queues if red in (None, queue.red) and queue.roomy()]
        async with self._database.read() as db:
            found = await due(db, tuple(queue.name for queue in roomy), self._clock.now())
        return [roomy[n] for n in sorted(found)]

    async def turn(self, queue: Queue) -> int:
        """Claims as much as the queue's lanes have room for and starts it; returns how much was claimed."""
        lanes = {lane.driver.name: lane for lane in queue.roomy()}
        if len(queue.lanes) > 1:
            await self.shares.read()
            for name in lanes:
                self.breakers[name].told(self.shares.open_until.get(name, 0.0))
            lanes = {name: lane for name, lane in lanes.items() if lane.roomy()}
        rooms = await self._rooms(queue, lanes)
        if not sum(rooms.values()):
            return 0
        try:
            claimed = await self._claim(queue, sum(rooms.values()))
        except BaseException:
            await self._unused(lanes, rooms)
            raise
        if claimed:
            fault_at("after_claim")
        waiting = {row.delivery_id: row.token for row in claimed}
        try:
            wanted = await leave_out(self._database, claimed, self._clock.now(), self._plane)
            dealt, over = queue.deal(wanted, rooms, self.shares.weights, await self._tried(queue, wanted))
            if over:
                async with self._database.write() as tx:
                    await release(tx, over, self._clock.now())
            await self._unused(lanes, {name: rooms[name] - len(rows) for name, rows in dealt.items()})
            for name, rows in dealt.items():
                if rows:
                    await self._start(lanes[name], rows)
                    for row in rows:
                        waiting.pop(row.delivery_id, None)
        except BaseException:
            self.leases.not_called(waiting)
            raise
        return len(claimed) - len(over)

    async def _rooms(self, queue: Queue, lanes: Mapping[str, Lane]) -> dict[str, int]:
        """How many each lane may begin now: what it has room for, its share where that was lowered, and what its
        provider's rate lets leave."""
        rooms = {}
        wanted = {name: lane.free() for name, lane in lanes.items()}
        if len(queue.lanes) > 1:
            alive = {lane.driver.name for lane in queue.lanes if not lane.breaker.is_open(wall())}
            wanted = held_back(wanted, alive, self.shares.weights, self.shares.resting)
        for name, lane in lanes.items():
            grant = await self._pace[name].take(wanted[name], lane.red)
            rooms[name] = grant.count
            if grant.wait:
                lane.paced_until = wall() + grant.wait
                if lane.on_room is not None:
                    asyncio.get_running_loop().call_later(grant.wait, lane.on_room)
        return rooms

    async def _unused(self, lanes: Mapping[str, Lane], counts: Mapping[str, int]) -> None:
        for name, count in counts.items():
            await self._pace[name].give_back(count, lanes[name].red)

    async def _tried(self, queue: Queue, rows: Sequence[Any]) -> dict[str, str]:
        """Who had those that were tried before; asked only where another may have them now."""
        if len(queue.lanes) < 2 or not any(row.attempts for row in rows):
            return {}
        async with self._database.read() as db:
            return await tried_by(db, rows)

    async def _start(self, lane: Lane, claimed: Sequence[Any]) -> None:
        """Prepares what was claimed, writes the intents down and begins the calls."""
        ready: list[tuple[Any, Outbound]] = []
        for row in claimed:
            try:
                ready.append((row, await self._preparer.prepare(row, lane.driver.name)))
            except Fault as problem:
                await self._unsendable(row, problem)
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

    async def _claim(self, queue: Queue, room: int) -> Sequence[Any]:
        async with self._database.write() as tx:
            return await claim(tx, queue.name, room, self._clock.now(), self.leases.worker)

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
                result = await self._call(lane, row, message, intended)
            finally:
                lane.answered(wall() - begun)
        if result.outcome is Outcome.ACCEPTED:
            fault_at("after_provider_accept")
        telemetry.sent(lane.driver.name, result.outcome.value)
        pause = self._note(lane, result)
        self.takings.note(lane.driver.name, result, begun)
        exhausted = await self._exhausted(row, result)
        await self._desk.report(told(row, result, lane.driver.name, self._clock.now(), exhausted=exhausted))
        await self._heed(lane, result, pause)

    async def _call(self, lane: Lane, row: Any, message: Outbound, intended: float) -> Result:
        if wall() - intended > STALE_INTENT_S:
            return Result(Outcome.NOT_SENT, code=LATE)
        try:
            with telemetry.span("send", delivery_id=row.delivery_id, driver=lane.driver.name, tier=row.tier):
                async with asyncio.timeout(CALL_LIMIT_S + 2):
                    with looking(partial(self._still_wanted, row, intended)):
                        return await lane.driver.send(message)
        except Overtaken:
            return Result(Outcome.NOT_SENT, code=LATE)
        except TimeoutError:
            return Result(Outcome.AMBIGUOUS, code="no_answer")

    async def _still_wanted(self, row: Any, intended: float) -> None:
        """Connecting took its time: Overtaken where the warning was cancelled meanwhile, or nobody can say."""
        if wall() - intended <= STALE_INTENT_S:
            return
        mine = sa.select(delivery.c.delivery_id).where(
            delivery.c.delivery_id == row.delivery_id, may_be_sent(self._clock.now())
        )
        try:
            async with asyncio.timeout(LOOK_S), self._database.read() as db:
                wanted = await db.scalar(mine)
        except (sa.exc.SQLAlchemyError, OSError, TimeoutError) as problem:
            raise Overtaken from problem
        if wanted is None:
            raise Overtaken

    async def _exhausted(self, row: Any, result: Result) -> bool:
        """Whether the provider has turned this very message away often enough; our own faults do not count."""
        if result.outcome is not Outcome.NOT_SENT or result.code == LATE or row.attempts + 1 < MAX_ATTEMPTS:
            return False
        mine = (attempt.c.delivery_id == row.delivery_id, attempt.c.outcome == Outcome.NOT_SENT.value)
        counted = sa.select(sa.func.count()).where(*mine, attempt.c.code != LATE)
        try:
            async with self._database.read() as db:
                return int(await db.scalar(counted) or 0) + 1 >= MAX_ATTEMPTS
        except (sa.exc.SQLAlchemyError, OSError, TimeoutError):  # counted at its next try
            return False

    def _note(self, lane: Lane, result: Result) -> float:
        """What an answer says of the provider, in this process: the seconds it is left alone from now on, or 0."""
        pause = lane.breaker.record(result.outcome, result.code, wall())
        if pause:
            lane.breaker.open_until = wall() + self._clock.wall_seconds(pause)
            log.error("road_paused", driver=lane.driver.name, code=result.code, seconds=pause)
        return pause

    async def _heed(self, lane: Lane, result: Result, pause: float) -> None:
        """The same for the other processes; where the database is away they find out by themselves."""
        name = lane.driver.name
        try:
            if pause and name in self.shares.scored:
                await self.shares.opened(name, lane.breaker.open_until)
            if result.too_fast:
                await self._pace[name].too_fast()
        except (sa.exc.SQLAlchemyError, OSError, TimeoutError) as problem:
            log.warning("provider_not_noted", driver=name, reason=type(problem).__name__)

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
