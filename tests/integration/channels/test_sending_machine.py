"""Two workers, two warnings and whatever may come in between, in any order: nothing is lost, and nothing sent twice or late."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from services import migrations
from services.channels.model.driver import Outcome, Result
from services.channels.model.flight import Flight
from services.channels.model.outcome import LATE
from services.channels.model.report import Report
from services.channels.outcomes.opted_out import opted_out_table, stop
from services.channels.outcomes.recorder import OutcomeRecorder
from services.channels.outcomes.transition import told
from services.channels.sending.claims import claim, intend
from services.channels.sending.in_hand import InHand
from services.channels.sending.leases import Leases
from services.channels.sending.unknown_outcomes import settle_unknown
from services.router.planning.paths import drop_unsent
from services.shared.bus.embedded import EmbeddedBus
from services.shared.bus.outbox import outbox
from services.shared.clock import StepClock
from services.shared.database.batches import insert_all
from services.shared.database.engine import Database
from services.shared.ledger.evidence import Evidence
from services.shared.ledger.flights import IN_THE_AIR, batch, flight, parted, state_now
from services.shared.ledger.moves import move_all
from services.shared.ledger.states import SendState, can_move
from services.shared.ledger.tables import IS_DUE, Delivery, attempt, delivery
from services.shared.ledger.warnings import warning_state
from tests.kit.flights import waiting

S, DRIVER, BEGAN = SendState, "sms_twilio", 1_700_000_000.0
TIER_OF = {"r" * 32: 4, "b" * 32: 2}  # a red warning and a blue one
RED = {4: True, 2: False}
TO_COME = {S.PENDING, S.RETRY, S.SENDING, S.UNKNOWN}
EXAMPLES, STEPS = 12, 50
T = TypeVar("T")
which = st.integers(0, 30)


class CommitLostError(Exception):
    """The connection went as the transaction ended: it was committed, and nobody here knows."""


@dataclass
class Call:
    """A delivery of an open flight, as a worker has it; `result` once its first byte has left."""

    flight: Flight
    row: Delivery
    result: Result | None = None


@dataclass
class Worker:
    """What a channels process knows."""

    leases: Leases
    in_hand: InHand
    calls: list[Call] = field(default_factory=list)
    hung: bool = False  # half a second has passed since its flights were opened


class Sending(RuleBasedStateMachine):
    """The real steps, on SQLite in a file; the clock is moved."""

    loop: asyncio.AbstractEventLoop
    database: Database

    def run_(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @initialize()
    def begins(self) -> None:
        self.clock = StepClock(BEGAN)
        self.recorder = OutcomeRecorder(self.database, EmbeddedBus(self.database), self.clock, "live", 0.0)
        self.workers = [self._worker(), self._worker()]
        self.accepts: Counter[str] = Counter()
        self.planned = 0
        self.before: dict[str, SendState] = {}
        self.undone = False  # flights were taken back of which nothing was called
        self.run_(self._empty())
        for warning_id in TIER_OF:
            self.plans(warning_id, 4)

    def _worker(self) -> Worker:
        in_hand = InHand()
        return Worker(Leases(self.database, self.clock, "live", in_hand), in_hand)

    async def _empty(self) -> None:
        about = [
            {"warning_id": one, "chain_id": one, "tier": tier, "state": "active", "kind": "alert", "purpose": "live",
             "sent": BEGAN, "expires_at": 9e9, "authority": "A", "number": str(tier), "doors": "ask", "released_at": 0.0}
            for one, tier in TIER_OF.items()
        ]  # fmt: skip
        async with self.database.write() as tx:
            for table in (outbox, attempt, delivery, batch, flight, warning_state, opted_out_table):
                await tx.execute(sa.delete(table))
            await insert_all(tx, warning_state, about)

    @rule(warning_id=st.sampled_from(sorted(TIER_OF)), count=st.integers(1, 5))
    def plans(self, warning_id: str, count: int) -> None:
        """A page of the plan; one about people, and of every third a list nobody's path waits for."""
        rows = []
        for n in range(self.planned, self.planned + count):
            kind, person = ("list", "") if n % 3 == 0 else ("warning", f"p{n}")
            rows.append({
                "delivery_id": f"{n:032d}", "warning_id": warning_id, "kind": "warning", "tier": TIER_OF[warning_id],
                "person_id": person, "addressee_id": "p", "addressee_kind": "person", "step": kind, "channel": "sms",
                "driver": DRIVER, "form": "plain", "language": "en", "address_key": f"k{n}", "reason": "test",
                "send_state": "pending", "due_at": BEGAN - 1, "expires_at": 9e9, "state_at": BEGAN,
            })  # fmt: skip
        self.planned += count
        self.run_(self._plan(rows))

    async def _plan(self, rows: list[dict[str, Any]]) -> None:
        async with self.database.write() as tx:
            if (
                await tx.scalar(
                    sa.select(warning_state.c.state).where(warning_state.c.warning_id == rows[0]["warning_id"])
                )
                == "active"
            ):
                await waiting(tx, rows)

    @rule(who=which, tier=st.sampled_from([4, 2]), room=st.integers(1, 6))
    def claims(self, who: int, tier: int, room: int) -> None:
        self.run_(self._claim(self.workers[who % 2], tier, room))

    @rule(who=which, room=st.integers(1, 4))
    def begins_some(self, who: int, room: int) -> None:
        for tier in RED:
            self.claims(who, tier, room)
            self.intends(who, tier, room, False)

    async def _claim(self, one: Worker, tier: int, room: int) -> None:
        with one.in_hand.working((DRIVER, RED[tier])):
            async with self.database.write() as tx:
                found = await claim(tx, DRIVER, [tier], room, self.clock.now(), one.leases.worker)
            one.in_hand.add((DRIVER, RED[tier]), found)

    @rule(
        who=which,
        tier=st.sampled_from([4, 2]),
        room=st.integers(1, 4),
        lost=st.sampled_from([False, False, False, True]),
    )
    def intends(self, who: int, tier: int, room: int, lost: bool) -> None:
        with suppress(CommitLostError):
            self.run_(self._intend(self.workers[who % 2], tier, room, lost))

    async def _intend(self, one: Worker, tier: int, room: int, lost: bool) -> None:
        queue = (DRIVER, RED[tier])
        with one.in_hand.working(queue):
            rows = one.in_hand.draw(queue, room)
            if not rows:
                return
            done = one.in_hand.emptied({row.batch_id for row in rows})
            async with self.database.write() as tx:
                found = await intend(tx, {DRIVER: rows}, done, one.leases.worker, self.clock.now(), "live")
            if lost:
                raise CommitLostError
            one.in_hand.drop(found.given_back)
            one.in_hand.fly(it.flight for it in found.flights)
            one.calls += [Call(it.flight, row) for it in found.flights for row in it.rows]
        states = await self._warnings()
        for call in one.calls:
            if call.row in rows:
                assert "active" == states[call.row.warning_id], "a flight after the end of its warning"

    async def _warnings(self) -> dict[str, str]:
        async with self.database.read() as db:
            found = await db.execute(sa.select(warning_state.c.warning_id, warning_state.c.state))
            return {row.warning_id: row.state for row in found.all()}

    @rule(who=which, call=which, outcome=st.sampled_from(Outcome), taken=st.booleans())
    def calls(self, who: int, call: int, outcome: Outcome, taken: bool) -> None:
        """The first byte leaves; the provider may have taken what it does not answer for."""
        one = self.workers[who % 2]
        if not (left := [c for c in one.calls if c.result is None]):
            return
        chosen = left[call % len(left)]
        if one.hung:
            chosen.result = Result(Outcome.NOT_SENT, code=LATE)
            return
        state = self.run_(self._states())[chosen.row.delivery_id]
        assert state in (S.SENDING, S.DELIVERED), f"called while {state}"
        chosen.result = Result(outcome)
        if outcome is Outcome.ACCEPTED or (outcome is Outcome.AMBIGUOUS and taken):
            self.accepts[chosen.row.delivery_id] += 1

    @rule(who=which, call=which)
    def answers(self, who: int, call: int) -> None:
        one = self.workers[who % 2]
        if begun := [c for c in one.calls if c.result is not None]:
            self._answer(one, begun[call % len(begun)])

    def _answer(self, one: Worker, call: Call) -> None:
        one.calls.remove(call)
        assert call.result is not None
        self.run_(self.recorder.report(told(call.row, call.flight, call.result, self.clock.now(), exhausted=False)))

    @rule(one=which)
    def is_delivered(self, one: int) -> None:
        """A receipt, which may be quicker than the answer."""
        if taken := sorted(self.accepts):
            name = taken[one % len(taken)]
            report = Report(name, event_key=f"{name}:receipt", state=S.DELIVERED, evidence=Evidence.DELIVERED)
            self.run_(self.recorder.report(report))

    @rule(one=which)
    def says_stop(self, one: int) -> None:
        self.run_(self._stop(f"k{one % self.planned}"))

    async def _stop(self, key: str) -> None:
        async with self.database.write() as tx:
            await stop(tx, [key], "phone", self.clock.now(), "live")

    @rule(one=which, warning_id=st.sampled_from(sorted(TIER_OF)))
    def closes(self, one: int, warning_id: str) -> None:
        """A path that closed."""
        self.run_(self._close(warning_id, f"p{one % self.planned}"))

    async def _close(self, warning_id: str, person: str) -> None:
        async with self.database.write() as tx:
            await drop_unsent(tx, warning_id, [person], "answered", self.clock.now())

    @rule(warning_id=st.sampled_from(sorted(TIER_OF)), how=st.sampled_from(["cancelled", "superseded"]), told_=which)
    def ends(self, warning_id: str, how: str, told_: int) -> None:
        """The end of a warning, seldom; the router may take back what waits at once, or later."""
        if told_ % 4 == 0:
            self.run_(self._end(warning_id, how, at_once=told_ % 8 == 0))

    async def _end(self, warning_id: str, how: str, *, at_once: bool) -> None:
        async with self.database.write() as tx:
            mine = (warning_state.c.warning_id == warning_id, warning_state.c.state == "active")
            await tx.execute(sa.update(warning_state).where(*mine).values(state=how, ended_at=self.clock.now()))
        if at_once:
            async with self.database.write() as tx:
                where = (delivery.c.warning_id == warning_id, IS_DUE)
                await move_all(tx, S.CANCELLED, at=self.clock.now(), where=where)

    @rule()
    def ends_what_is_over(self) -> None:
        self.run_(self.workers[0].leases.end())
        self.run_(self.workers[0].leases.expire())

    @rule(who=which)
    def dies(self, who: int) -> None:
        """Its memory is gone, its lock is free."""
        self._over(self.workers[who % 2])
        self.workers[who % 2] = self._worker()
        self.run_(self.workers[who % 2].leases.reap())

    @rule(who=which)
    def hangs(self, who: int) -> None:
        """Past its leases; then it goes on as if nothing were."""
        self.workers[who % 2].hung = True
        self._over(self.workers[who % 2])
        self.run_(self.workers[1 - who % 2].leases.reap())

    def _over(self, one: Worker) -> None:
        async def leases() -> None:
            async with self.database.write() as tx:
                for table in (batch, flight):
                    await tx.execute(
                        sa.update(table).where(table.c.worker == one.leases.worker).values(lease_until=0.0)
                    )

        self.run_(leases())

    @precondition(lambda self: any(one.hung and not one.calls for one in self.workers))
    @rule()
    def wakes(self) -> None:
        for one in self.workers:
            one.hung = one.hung and bool(one.calls)

    @rule(who=which)
    def gives_back(self, who: int) -> None:
        """An orderly stop, or a provider that is left alone."""
        one = self.workers[who % 2]
        self.run_(one.leases.give_back(one.in_hand.let_go()))

    @rule(who=which)
    def recovers(self, who: int) -> None:
        self.undone = True
        self.run_(self.workers[who % 2].leases.recover())

    @rule(seconds=st.sampled_from([1.0, 70.0, 1000.0]))
    def time_goes(self, seconds: float) -> None:
        self.clock.advance_to(self.clock.now() + seconds)

    @rule()
    def settles(self) -> None:
        self.run_(settle_unknown(self.database, self.clock))

    async def _states(self) -> dict[str, SendState]:
        async with self.database.read() as db:
            found = await db.execute(sa.select(delivery.c.delivery_id, state_now()))
            return {one: S(state) for one, state in found.all()}

    @invariant()
    def holds(self) -> None:
        self.run_(self._holds())

    async def _holds(self) -> None:
        async with self.database.read() as db:
            rows = (await db.execute(sa.select(delivery, state_now().label("now")))).all()
            flown = (await db.execute(sa.select(flight.c.batch_id, flight.c.ids).where(IN_THE_AIR))).all()
            stands = {
                (b, i) for b, ids in await db.execute(sa.select(batch.c.batch_id, batch.c.ids)) for i in parted(ids)
            }
        held = Counter((name, one) for name, ids in flown for one in parted(ids))
        for row in rows:
            here = (row.batch_id, row.delivery_id)
            assert self.accepts[row.delivery_id] <= 1 + row.ambiguous, "sent twice"
            assert held[here] <= 1, "in two flights"
            if row.send_state in (S.PENDING, S.RETRY):
                assert here in stands or held[here], "lost: to be sent, in no batch and no flight"
            now, before = S(row.now), self.before.get(row.delivery_id, S(row.now))
            undone = self.undone and before is S.SENDING and now in (S.PENDING, S.RETRY)
            assert now is before or can_move(before, now) or undone, f"from {before} to {now}"
            self.before[row.delivery_id] = now
        self.undone = False

    def teardown(self) -> None:
        """Everybody answers, both workers die, and who comes after them sends what is left."""
        for one in self.workers:
            for call in list(one.calls):
                call.result = call.result or Result(Outcome.NOT_SENT, code=LATE)
                self._answer(one, call)
            self.holds()
            self._over(one)
        self.workers = [self._worker(), self._worker()]
        one = self.workers[0]
        left: dict[str, SendState] = {}
        for _ in range(12):
            self.run_(one.leases.reap())
            self.run_(one.leases.end())
            for tier in RED:
                self.claims(0, tier, 90)
                self.intends(0, tier, 90, False)
            self.run_(self._all_accepted(one))
            self.time_goes(1000.0)
            self.settles()
            left = {name: state for name, state in self.run_(self._states()).items() if state in TO_COME}
            if not left:
                break
        assert {} == left, "never settled"
        self.before = {}
        self.holds()
        self.run_(self._nothing_stands())

    async def _all_accepted(self, one: Worker) -> None:
        begun, one.calls = one.calls, []
        self.accepts.update(call.row.delivery_id for call in begun)
        good = [told(c.row, c.flight, Result(Outcome.ACCEPTED), self.clock.now(), exhausted=False) for c in begun]
        await asyncio.gather(*(self.recorder.report(report) for report in good))

    async def _nothing_stands(self) -> None:
        async with self.database.read() as db:
            assert 0 == await db.scalar(sa.select(sa.func.count()).select_from(batch))
            assert 0 == await db.scalar(sa.select(sa.func.count()).select_from(flight).where(IN_THE_AIR))


def test_whatever_comes_in_between() -> None:
    """Any order of steps of two workers, their deaths, receipts, take-backs and ends."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{Path(folder) / 'one.db'}"
        migrations.upgrade(url)
        Sending.loop = asyncio.new_event_loop()
        Sending.database = Database(url)
        try:
            bounds = settings(max_examples=EXAMPLES, stateful_step_count=STEPS, derandomize=True, deadline=None)
            run_state_machine_as_test(Sending, settings=bounds)
        finally:
            Sending.loop.run_until_complete(Sending.database.close())
            Sending.loop.close()
