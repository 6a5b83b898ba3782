"""Sends: claims what is due, writes the intent, calls the driver, reports the outcome; in that order, never another.

A claim (LEASED) and an intent (SENDING, with an attempt row) both look at `warning_state`; the provider is called
within half a second of the committed intent or not at all. So a cancel stops sends within a second, and a crash
leaves UNKNOWN only what was under way or about to be. Red has lanes of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

import sqlalchemy as sa
import structlog

from services.channels.messages.prepare import Preparer
from services.channels.model.driver import Outcome, Result
from services.channels.model.final_check import Overtaken, checking
from services.channels.model.outbound import Outbound
from services.channels.model.outcome import LATE
from services.channels.outcomes.opted_out import leave_out
from services.channels.outcomes.recorder import OutcomeRecorder
from services.channels.outcomes.transition import told
from services.channels.providers.acceptance import Acceptance
from services.channels.providers.call_window import CallWindow
from services.channels.providers.rate_limit import Pace
from services.channels.providers.weights import ProviderWeights, Queue, held_back, queues
from services.channels.sending.claims import claim, due, intend, release, tried_by
from services.channels.sending.leases import Leases
from services.shared import telemetry
from services.shared.bus.outbox import new_id, publish
from services.shared.clock import Clock, wall
from services.shared.database.engine import Database
from services.shared.errors import Fault
from services.shared.fault_points import fault_at
from services.shared.ledger.deliveries import DOOR_DRIVER, Delivery
from services.shared.ledger.kinds import SAYS_NO_WARNING
from services.shared.ledger.ledger import IS_DUE, ON_A_LIST, SendState, attempt, delivery, may_be_sent, move
from services.shared.messages import EvidenceRecorded

log = structlog.get_logger("sender")
CALL_LIMIT_S = 10.0
MAX_ATTEMPTS = 6
STALE_INTENT_S = 0.5
LOOK_S = 1.0  # a database that hangs must not be taken for a provider that does
S = SendState


class Sender:
    """All call windows of one channels process."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        recorder: OutcomeRecorder,
        preparer: Preparer,
        windows: Sequence[CallWindow],
        provider_weights: ProviderWeights,
        plane: str,
    ) -> None:
        self._database = database
        self._clock = clock
        self._recorder = recorder
        self._preparer = preparer
        self._plane = plane
        self.leases = Leases(database, clock, plane)
        self.windows = windows
        self.breakers = {window.driver.name: window.breaker for window in windows}
        self.queues = queues(windows)
        self.provider_weights = provider_weights
        drivers = {window.driver.name: window.driver for window in windows}
        self.acceptance = Acceptance(database, list(drivers), provider_weights.groups)
        self._pace = {name: Pace(database, name, getattr(d, "per_second", 0.0)) for name, d in drivers.items()}

    @property
    def busy(self) -> bool:
        return any(window.in_flight for window in self.windows)

    async def drain(self) -> None:
        """Waits for every call under way and its record."""
        while tasks := [t for window in self.windows for t in window.in_flight]:
            await asyncio.wait(tasks)

    async def due_queues(self, red: bool | None = None) -> list[Queue]:
        """The queues with something to claim and room for it (red's, the others', or all): one look for all of them."""
        roomy = [queue for queue in self.queues if red in (None, queue.red) and queue.roomy()]
        async with self._database.read() as db:
            found = await due(db, tuple(queue.name for queue in roomy), self._clock.now())
        return [roomy[n] for n in sorted(found)]

    async def turn(self, queue: Queue) -> int:
        """Claims as much as the queue's call windows have room for and starts it; returns how much was claimed."""
        windows = {window.driver.name: window for window in queue.roomy()}
        if len(queue.windows) > 1:
            await self.provider_weights.read()
            for name in windows:
                self.breakers[name].told(self.provider_weights.open_until.get(name, 0.0))
            windows = {name: window for name, window in windows.items() if window.roomy()}
        rooms = await self._rooms(queue, windows)
        if not sum(rooms.values()):
            return 0
        try:
            claimed = await self._claim(queue, sum(rooms.values()))
        except BaseException:
            await self._unused(windows, rooms)
            raise
        if claimed:
            fault_at("after_claim")
        waiting = {row.delivery_id: row.token for row in claimed}
        try:
            wanted = await leave_out(self._database, claimed, self._clock.now(), self._plane)
            dealt, over = queue.deal(wanted, rooms, self.provider_weights.weights, await self._tried(queue, wanted))
            if over:
                async with self._database.write() as tx:
                    await release(tx, over, self._clock.now())
            await self._unused(windows, {name: rooms[name] - len(rows) for name, rows in dealt.items()})
            for name, rows in dealt.items():
                if rows:
                    await self._start(windows[name], rows)
                    for row in rows:
                        waiting.pop(row.delivery_id, None)
        except BaseException:
            self.leases.not_called(waiting)
            raise
        return len(claimed) - len(over)

    async def _rooms(self, queue: Queue, windows: Mapping[str, CallWindow]) -> dict[str, int]:
        """How many each call window may begin now: what it has room for, its share where that was lowered, and what its
        provider's rate lets leave."""
        rooms = {}
        wanted = {name: window.free() for name, window in windows.items()}
        if len(queue.windows) > 1:
            alive = {window.driver.name for window in queue.windows if not window.breaker.is_open(wall())}
            wanted = held_back(wanted, alive, self.provider_weights.weights, self.provider_weights.resting)
        for name, window in windows.items():
            grant = await self._pace[name].grant(wanted[name], window.red)
            rooms[name] = grant.count
            if grant.wait:
                window.paced_until = wall() + grant.wait
                if window.on_room is not None:
                    asyncio.get_running_loop().call_later(grant.wait, window.on_room)
        return rooms

    async def _unused(self, windows: Mapping[str, CallWindow], counts: Mapping[str, int]) -> None:
        for name, count in counts.items():
            await self._pace[name].give_back(count, windows[name].red)

    async def _tried(self, queue: Queue, rows: Sequence[Delivery]) -> dict[str, str]:
        """Who had those that were tried before; asked only where another may have them now."""
        if len(queue.windows) < 2 or not any(row.attempts for row in rows):
            return {}
        async with self._database.read() as db:
            return await tried_by(db, rows)

    async def _start(self, window: CallWindow, claimed: Sequence[Delivery]) -> None:
        """Prepares what was claimed, writes the intents down and begins the calls."""
        ready: list[tuple[Delivery, Outbound]] = []
        for row in claimed:
            try:
                ready.append((row, await self._preparer.prepare(row, window.driver.name)))
            except Fault as problem:
                await self._unsendable(row, problem)
        tokens = {row.delivery_id: row.token for row, _ in ready}
        intended = await self._intend(window, tokens, {row.warning_id for row, _ in ready if row.warning_id})
        started = wall()
        fault_at("after_intent")
        for row, message in ready:
            if row.delivery_id in intended:
                window.begun += 1
                task = asyncio.create_task(self._send(window, row, message, started))
                window.in_flight.add(task)
                task.add_done_callback(partial(self._ended, window))

    @staticmethod
    def _ended(window: CallWindow, task: asyncio.Task[None]) -> None:
        """A send whose outcome could not be written stays SENDING until its lease is over, then it is UNKNOWN."""
        window.in_flight.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            log.error("outcome_not_written", driver=window.driver.name, reason=repr(problem))

    async def _claim(self, queue: Queue, room: int) -> list[Delivery]:
        async with self._database.write() as tx:
            return await claim(tx, queue.name, room, self._clock.now(), self.leases.worker)

    async def _intend(self, window: CallWindow, tokens: dict[str, int], warnings: set[str]) -> set[str]:
        if not tokens:
            return set()
        async with self._database.write() as tx:
            return await intend(tx, tokens, warnings, window.driver.name, self._clock.now())

    async def _send(self, window: CallWindow, row: Delivery, message: Outbound, intended: float) -> None:
        async with window.places:
            begun = wall()
            window.begins(begun - intended)
            try:
                result = await self._call(window, row, message, intended)
            finally:
                window.answered(wall() - begun)
        if result.outcome is Outcome.ACCEPTED:
            fault_at("after_provider_accept")
        telemetry.sent(window.driver.name, result.outcome.value)
        pause = self._note(window, result)
        self.acceptance.note(window.driver.name, result, begun)
        exhausted = await self._exhausted(row, result)
        await self._recorder.report(told(row, result, window.driver.name, self._clock.now(), exhausted=exhausted))
        await self._heed(window, result, pause)

    async def _call(self, window: CallWindow, row: Delivery, message: Outbound, intended: float) -> Result:
        if wall() - intended > STALE_INTENT_S:
            return Result(Outcome.NOT_SENT, code=LATE)
        try:
            with telemetry.span("send", delivery_id=row.delivery_id, driver=window.driver.name, tier=row.tier):
                async with asyncio.timeout(CALL_LIMIT_S + 2):
                    with checking(partial(self._still_wanted, row, intended)):
                        return await window.driver.send(message)
        except Overtaken:
            return Result(Outcome.NOT_SENT, code=LATE)
        except TimeoutError:
            return Result(Outcome.AMBIGUOUS, code="no_answer")

    async def _still_wanted(self, row: Delivery, intended: float) -> None:
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

    async def _exhausted(self, row: Delivery, result: Result) -> bool:
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

    def _note(self, window: CallWindow, result: Result) -> float:
        """What an answer says of the provider, in this process: the seconds it is left alone from now on, or 0."""
        pause = window.breaker.record(result.outcome, result.code, wall())
        if pause:
            window.breaker.open_until = wall() + self._clock.wall_seconds(pause)
            log.error("channel_paused", driver=window.driver.name, code=result.code, seconds=pause)
        return pause

    async def _heed(self, window: CallWindow, result: Result, pause: float) -> None:
        """The same for the other processes; where the database is away they find out by themselves."""
        name = window.driver.name
        try:
            if pause and name in self.provider_weights.scored:
                await self.provider_weights.opened(name, window.breaker.open_until)
            if result.too_fast:
                await self._pace[name].too_fast()
        except (sa.exc.SQLAlchemyError, OSError, TimeoutError) as problem:
            log.warning("provider_not_noted", driver=name, reason=type(problem).__name__)

    async def _unsendable(self, row: Delivery, problem: Fault) -> None:
        """One message that cannot be opened or rendered fails alone, with its reason, and stops nobody else."""
        log.error("unsendable", delivery_id=row.delivery_id, reason=str(problem))
        now = self._clock.now()
        async with self._database.write() as tx:
            await move(
                tx, [row.delivery_id], S.FAILED, at=now, only=(S.LEASED,), state_reason=f"unsendable: {problem}"[:80]
            )
            if row.kind not in SAYS_NO_WARNING:
                await publish(
                    tx,
                    [EvidenceRecorded(msg_id=new_id(), plane=self._plane, warning_id=row.warning_id, tier=row.tier,
                                      ids=(row.delivery_id,))],
                )  # fmt: skip

    async def next_at(self) -> float | None:
        """Warning time at which the next message falls due."""
        doors = sa.or_(delivery.c.driver != DOOR_DRIVER, ON_A_LIST)
        async with self._database.read() as db:
            found: float | None = await db.scalar(
                sa.select(sa.func.min(delivery.c.due_at)).where(IS_DUE, doors, may_be_sent(self._clock.now()))
            )
        return found
