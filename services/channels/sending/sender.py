"""Sends: claims batches that are due, opens a flight, calls the driver, reports the outcomes; in that order, never another.

A claim and a flight both look at `warning_state`; the provider is called within half a second of the committed flight
or not at all. So a cancel stops sends within a second, and a crash leaves UNKNOWN only what was under way or about to be.
What is claimed beyond the room of the call windows is kept in hand. Red has call windows of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import sqlalchemy as sa
import structlog

from services.channels.messages.prepare import Preparer
from services.channels.model.driver import Outcome, QueueName, Result
from services.channels.model.flight import Flight
from services.channels.model.outbound import Outbound
from services.channels.model.outcome import LATE
from services.channels.outcomes.recorder import OutcomeRecorder
from services.channels.outcomes.transition import told
from services.channels.providers.acceptance import Acceptance
from services.channels.providers.call_window import CallWindow
from services.channels.providers.rate_limit import Pace
from services.channels.providers.weights import ProviderWeights, Queue, held_back, queues
from services.channels.sending.claims import Intents, claim, due, intend, tried_by
from services.channels.sending.driver_call import STALE_INTENT_S, DriverCall
from services.channels.sending.in_hand import InHand
from services.channels.sending.leases import Leases
from services.shared import telemetry
from services.shared.bus.outbox import new_id, publish
from services.shared.clock import Clock, wall
from services.shared.database.engine import Database
from services.shared.errors import Fault
from services.shared.fault_points import fault_at
from services.shared.ledger.flights import WAITS, batch
from services.shared.ledger.kinds import SAYS_NO_WARNING
from services.shared.ledger.moves import UNSENT, may_be_sent, move
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import Delivery, attempt
from services.shared.messages import EvidenceRecorded
from services.shared.service import TICK_S

log = structlog.get_logger("sender")
MAX_ATTEMPTS = 6
BEYOND = 2  # so many times what is begun now is claimed for later
S = SendState
_FIRST_DUE = sa.select(sa.func.min(batch.c.due_at)).where(
    WAITS, may_be_sent(sa.bindparam("now", type_=sa.Float), batch)
)


class DueQueue(NamedTuple):
    """A send queue with something to send, and the tiers of what waits to be claimed, most urgent first."""

    queue: Queue
    tiers: Sequence[int]


class Prepared(NamedTuple):
    """A claimed delivery, and the message a driver sends for it."""

    row: Delivery
    message: Outbound


@dataclass(slots=True)
class FlightCall:
    """A message that is to be handed over now, and the flight it is part of."""

    flight: Flight
    row: Delivery
    message: Outbound
    began_at: float = 0.0  # wall; when its first byte left


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
        self.in_hand = InHand()
        self._written = asyncio.Event()
        self.leases = Leases(database, clock, plane, self.in_hand)
        self.windows = windows
        self._due: dict[QueueName, Sequence[int]] = {}  # tiers of what waited at the last look
        self._looked_at = 0.0  # wall
        self._looks = 0  # so many have ended
        self._looking = asyncio.Lock()
        self.breakers = {window.driver.name: window.breaker for window in windows}
        self.queues = queues(windows)
        self.provider_weights = provider_weights
        drivers = {window.driver.name: window.driver for window in windows}
        self.acceptance = Acceptance(database, list(drivers), provider_weights.groups)
        self._pace = {name: Pace(database, name, getattr(d, "per_second", 0.0)) for name, d in drivers.items()}

    @property
    def busy(self) -> bool:
        return any(window.busy for window in self.windows)

    async def drain(self) -> None:
        """Waits for every call under way and its record."""
        while self.busy:
            self._written.clear()
            tasks = [t for window in self.windows for t in window.in_flight]
            await (asyncio.wait(tasks) if tasks else self._written.wait())

    async def due_queues(self, red: bool | None = None, *, news: bool = True) -> list[DueQueue]:
        """The queues with something to send and room for it (red's, the others', or all): one look for all of them.

        Without `news` what was found a moment ago is as good: a call that ends makes nothing due.
        """
        roomy = [queue for queue in self.queues if red in (None, queue.red) and queue.roomy()]
        if news:
            self._looked_at = 0.0
        async with self._looking:  # red's loop and the others' are woken together: the second finds what the first saw
            if roomy and wall() >= self._looked_at + TICK_S:
                await self._look()
        waiting = [DueQueue(queue, self._due.get(queue.name, ())) for queue in roomy]
        return [one for one in waiting if one.tiers or self.in_hand.count(one.queue.name)]

    async def _look(self) -> None:
        """Which tiers wait to be claimed, by queue."""
        self._looked_at = wall()  # before the look: what becomes due meanwhile is news again
        try:
            async with self._database.read() as db:
                found = await due(db, tuple(queue.name for queue in self.queues), self._clock.now())
        except BaseException:
            self._looked_at = 0.0
            raise
        self._due = {queue.name: found.get(n, ()) for n, queue in enumerate(self.queues)}
        self._looks += 1

    async def turn(self, one: DueQueue) -> int:
        """Starts as much of a queue as its call windows have room for; returns how many calls that are."""
        queue = one.queue
        windows = await self._roomy(queue)
        rooms = await self._rooms(queue, windows)
        room = sum(rooms.values())
        if not room:
            return 0
        unused = dict(rooms)
        with self.in_hand.working(queue.name):
            try:
                await self.take_in_hand(one, room)
                dealt = await self._deal(queue, rooms)
                prepared = {name: await self._prepare(windows[name], rows) for name, rows in dealt.items()}
                intents = await self._intend(dealt, prepared)
                unused = self._begin(windows, rooms, prepared, intents)
            finally:
                await self._unused(windows, unused)
        return room - sum(unused.values())

    async def _roomy(self, queue: Queue) -> dict[str, CallWindow]:
        """The queue's call windows with room, by driver; those beside others heed what other processes learnt."""
        windows = {window.driver.name: window for window in queue.roomy()}
        if len(queue.windows) < 2:
            return windows
        await self.provider_weights.read()
        for name in windows:
            self.breakers[name].told(self.provider_weights.open_until.get(name, 0.0))
        return {name: window for name, window in windows.items() if window.roomy()}

    async def _rooms(self, queue: Queue, windows: Mapping[str, CallWindow]) -> dict[str, int]:
        """How many each call window may begin now: what it has room for, its weight where that was lowered, and what
        its provider's rate lets leave. A window whose rate is used up rests until it is not."""
        rooms = {}
        wanted = {name: window.free() for name, window in windows.items()}
        if len(queue.windows) > 1:
            alive = {window.driver.name for window in queue.windows if not window.breaker.is_open(wall())}
            wanted = held_back(wanted, alive, self.provider_weights.weights, self.provider_weights.resting)
        for name, window in windows.items():
            grant = await self._pace[name].grant(wanted[name], window.red)
            rooms[name] = grant.count
            window.rest(grant.wait)
        return rooms

    async def take_in_hand(self, one: DueQueue, room: int) -> None:
        """Takes batches in hand where what is there is too little for the room, or waits behind something more urgent."""
        missing, tiers = self.in_hand.missing(one.queue.name, room, one.tiers)
        if not tiers:
            return
        looks = self._looks
        async with self._database.write() as tx:
            # more than is begun now, for the next turns: a claim is a transaction whatever it takes
            wanted = missing + BEYOND * room
            claimed = await claim(tx, one.queue.driver, tiers, wanted, self._clock.now(), self.leases.worker)
        self.in_hand.add(one.queue.name, claimed)
        if sum(len(found.rows) for found in claimed) < wanted and looks == self._looks:
            self._due[
                one.queue.name
            ] = ()  # that was all, unless a look ended meanwhile: it may have seen what the claim did not
        if claimed:
            fault_at("after_batch_claim")

    async def _deal(self, queue: Queue, rooms: Mapping[str, int]) -> Mapping[str, Sequence[Delivery]]:
        """What is begun now, by provider; what no call window has room for stays in hand."""
        taken = self.in_hand.draw(queue.name, sum(rooms.values()))
        tried = await self._tried(queue, taken)
        dealt, over = queue.deal(taken, rooms, self.provider_weights.weights, tried)
        self.in_hand.put_back(queue.name, over)
        return dealt

    async def _unused(self, windows: Mapping[str, CallWindow], counts: Mapping[str, int]) -> None:
        """The rates get back what was granted and is not called for."""
        for name, count in counts.items():
            await self._pace[name].give_back(count, windows[name].red)

    async def _tried(self, queue: Queue, rows: Sequence[Delivery]) -> dict[str, str]:
        """Who had those that were tried before; asked only where another may have them now."""
        if len(queue.windows) < 2 or not any(row.attempts for row in rows):
            return {}
        async with self._database.read() as db:
            return await tried_by(db, rows)

    async def _prepare(self, window: CallWindow, claimed: Sequence[Delivery]) -> list[Prepared]:
        """The messages that can be opened and rendered; each of the others fails alone, with its reason."""
        prepared = []
        for row in claimed:
            try:
                prepared.append(Prepared(row, await self._preparer.prepare(row, window.driver.name)))
            except Fault as problem:
                await self._unsendable(row, problem)
        return prepared

    async def _intend(
        self, dealt: Mapping[str, Sequence[Delivery]], prepared: Mapping[str, Sequence[Prepared]]
    ) -> Intents:
        """Opens the flights of what was prepared; batches of which nothing is left in hand are done."""
        batches = {row.batch_id for rows in dealt.values() for row in rows}
        if not batches:
            return Intents([], set())
        wanted = {name: [one.row for one in some] for name, some in prepared.items() if some}
        done = self.in_hand.emptied(batches)
        async with self._database.write() as tx:
            intents = await intend(tx, wanted, done, self.leases.worker, self._clock.now(), self._plane)
        self.in_hand.drop(intents.given_back)
        committed_at = wall()  # from here on a cancel waits for nothing: half a second is counted from here
        for one in intents.flights:
            one.flight.started_at = committed_at
        self.in_hand.fly(one.flight for one in intents.flights)
        fault_at("after_flight")
        return intents

    def _begin(
        self,
        windows: Mapping[str, CallWindow],
        rooms: Mapping[str, int],
        prepared: Mapping[str, Sequence[Prepared]],
        intents: Intents,
    ) -> dict[str, int]:
        """Begins each call, in its driver's own window or as a task; how much of each room was not used."""
        messages = {one.row.delivery_id: one.message for some in prepared.values() for one in some}
        unused = dict(rooms)
        for flight, rows in intents.flights:
            window = windows[flight.driver]
            unused[flight.driver] -= len(rows)
            for row in rows:
                call = FlightCall(flight, row, messages[row.delivery_id])
                window.begun += 1
                if window.calls is None:
                    self._task(window, self._send(window, call))
                else:
                    window.unwritten += 1
                    window.calls.begin(
                        call.message, partial(self._answered, window, call), partial(self._may_go, window, call)
                    )
        return unused

    def _task(self, window: CallWindow, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        window.in_flight.add(task)
        task.add_done_callback(partial(self._ended, window))

    @staticmethod
    def _may_go(window: CallWindow, call: FlightCall) -> bool:
        """At the instant of its first byte: what waited longer since its flight was opened may have been cancelled."""
        call.began_at = wall()
        waited = call.began_at - call.flight.started_at
        window.begins(waited)
        fault_at("mid_window")
        return waited <= STALE_INTENT_S

    def _answered(self, window: CallWindow, call: FlightCall, result: Result) -> None:
        """What came of a call without a task. Only what is out of the ordinary has to be waited for."""
        now = wall()
        began_at = call.began_at or now
        window.answered(now - began_at)
        telemetry.called(call.row.delivery_id, window.driver.name, call.row.tier, began_at, now)
        if result.outcome is Outcome.NOT_SENT or result.too_fast:
            window.unwritten -= 1
            self._task(window, self._record(window, call, result, began_at))
            return
        pause = self._heard(window, result, began_at, now)
        report = told(call.row, call.flight, result, self._clock.now(), exhausted=False)
        self._recorder.note(report, partial(self._on_disk, window))
        if pause:
            self._task(window, self._pass_on(window, result, pause))

    def _on_disk(self, window: CallWindow, problem: BaseException | None) -> None:
        """Where the outcome could not be written, the delivery is SENDING until its lease is over, then UNKNOWN."""
        window.on_disk()
        self._written.set()
        if problem is not None:
            log.error("outcome_not_written", driver=window.driver.name, reason=repr(problem))

    @staticmethod
    def _ended(window: CallWindow, task: asyncio.Task[None]) -> None:
        """A send whose outcome could not be written stays SENDING until its lease is over, then it is UNKNOWN."""
        window.in_flight.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            log.error("outcome_not_written", driver=window.driver.name, reason=repr(problem))

    async def _send(self, window: CallWindow, call: FlightCall) -> None:
        """One call, from its place in the window to what its outcome says of the delivery and of the provider."""
        result, begun = await self._call_in_place(window, call)
        await self._record(window, call, result, begun)

    def _heard(self, window: CallWindow, result: Result, begun: float, now: float) -> float:
        """What an answer says of the provider: the seconds it is left alone from now on, or 0."""
        if result.outcome is Outcome.ACCEPTED:
            fault_at("after_provider_accept")
        telemetry.sent(window.driver.name, str(result.outcome))
        self.acceptance.note(window.driver.name, result, begun, now)
        return self._pause(window, result, now)

    async def _record(self, window: CallWindow, call: FlightCall, result: Result, begun: float) -> None:
        """What an answer says, of the provider and of the delivery, written down."""
        pause = self._heard(window, result, begun, wall())
        exhausted = await self._exhausted(call.row, result)
        await self._recorder.report(told(call.row, call.flight, result, self._clock.now(), exhausted=exhausted))
        await self._pass_on(window, result, pause)

    async def _call_in_place(self, window: CallWindow, call: FlightCall) -> tuple[Result, float]:
        """The answer, and when the call began; the place in the window is free before the answer is written."""
        async with window.places:
            begun = wall()
            window.begins(begun - call.flight.started_at)
            fault_at("mid_window")
            try:
                asked = DriverCall(window.driver, call.row, call.message, call.flight.started_at)
                return await asked.make(self._database, self._clock), begun
            finally:
                window.answered(wall() - begun)

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

    def _pause(self, window: CallWindow, result: Result, now: float) -> float:
        """Notes an answer in the provider's breaker, in this process: the seconds it is left alone from now on, or 0."""
        pause = window.breaker.record(result.outcome, result.code, now)
        if pause:
            window.breaker.open_until = now + self._clock.wall_seconds(pause)
            log.error("channel_paused", driver=window.driver.name, code=result.code, seconds=pause)
        return pause

    async def _pass_on(self, window: CallWindow, result: Result, pause: float) -> None:
        """Tells the other processes of it; where the database is away they find out by themselves."""
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
            await move(tx, [row.delivery_id], S.FAILED, at=now, only=UNSENT, state_reason=f"unsendable: {problem}"[:80])
            if row.kind not in SAYS_NO_WARNING:
                await publish(
                    tx,
                    [EvidenceRecorded(msg_id=new_id(), plane=self._plane, warning_id=row.warning_id, tier=row.tier,
                                      ids=(row.delivery_id,))],
                )  # fmt: skip

    async def next_at(self) -> float | None:
        """Warning time at which the next message falls due."""
        async with self._database.read() as db:
            found: float | None = await db.scalar(_FIRST_DUE, {"now": self._clock.now()})
        return min((at for at in (found, self.in_hand.next_at()) if at is not None), default=None)

    async def let_go(self) -> None:
        """What is in hand for providers that are all left alone for now is anybody's again."""
        idle = [one for one in self.queues if all(window.breaker.is_open(wall()) for window in one.windows)]
        await self.leases.give_back(self.in_hand.let_go([queue.name for queue in idle]))
