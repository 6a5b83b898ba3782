"""Whatever a delivery is doing when its warning ends: nothing of it stays to be sent for ever, and nothing goes out."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services import migrations
from services.channels.model.driver import Outcome, Result
from services.channels.model.outcome import LATE
from services.channels.outcomes.recorder import OutcomeRecorder
from services.channels.outcomes.transition import told
from services.channels.sending.claims import claim, give_back, intend
from services.channels.sending.in_hand import InHand
from services.channels.sending.leases import Leases
from services.channels.sending.unknown_outcomes import settle_unknown
from services.shared.bus.embedded import EmbeddedBus
from services.shared.bus.outbox import outbox
from services.shared.clock import StepClock, wall
from services.shared.database.batches import insert_all
from services.shared.database.engine import Database
from services.shared.ledger.flights import batch, flight, state_now
from services.shared.ledger.moves import move_all
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import IS_DUE, attempt, delivery
from services.shared.ledger.warnings import warning_state
from tests.kit.flights import claimed, in_the_air, waiting

S, DRIVER = SendState, "sms_twilio"
CLAIMED = "claimed"  # where a delivery may be found: in a state, or pending in a batch somebody has in hand
PLACES = (*S, CLAIMED)
STOPPABLE = (S.PENDING, S.RETRY, CLAIMED)
TO_BE_SENT = {S.PENDING, S.RETRY, S.SENDING}


class Ledger:
    """One delivery and the real steps of channels upon it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = StepClock(1_700_000_000.0)
        self.leases = Leases(database, self.clock, "live", InHand())
        self.recorder = OutcomeRecorder(database, EmbeddedBus(database), self.clock, "live", 0.001)
        self.batch: Any = None
        self.flight: Any = None

    async def begin(self, place: str = S.PENDING, state_of_warning: str = "active", person: str = "p") -> None:
        about = {
            "warning_id": "w", "chain_id": "w", "tier": 4, "state": state_of_warning, "kind": "alert", "purpose": "live",
            "sent": 0.0, "expires_at": 9e9, "authority": "A", "number": "4721", "doors": "ask", "released_at": 0.0,
        }  # fmt: skip
        state = S.PENDING if place in (S.SENDING, CLAIMED) else place
        one = {
            "delivery_id": "d" * 32, "warning_id": "w", "kind": "warning", "tier": 4, "person_id": person,
            "addressee_id": "p", "addressee_kind": "person", "step": "red.1", "channel": "sms", "driver": "sms_twilio",
            "form": "plain", "language": "en", "address_key": "k", "reason": "test", "send_state": state, "due_at": 0.0,
            "expires_at": 9e9, "state_at": 0.0, "attempts": int(state is S.UNKNOWN),
            "ambiguous": int(state is S.UNKNOWN),
        }  # fmt: skip
        async with self.database.write() as tx:
            for table in (outbox, attempt, delivery, batch, flight, warning_state):
                await tx.execute(sa.delete(table))
            await insert_all(tx, warning_state, [about])
            await waiting(tx, [one])
            if place == CLAIMED:
                await claimed(tx, "another", wall() - 1)
            if place == S.SENDING:
                await in_the_air(tx, ["d" * 32], lease_until=wall() - 1)

    async def state(self) -> SendState:
        async with self.database.read() as db:
            return S(str(await db.scalar(sa.select(state_now()))))

    async def claims(self) -> None:
        async with self.database.write() as tx:
            if found := await claim(tx, DRIVER, [4], 1, self.clock.now(), self.leases.worker):
                self.batch = found[0]

    async def intends(self) -> bool:
        if self.batch is None:
            return False
        async with self.database.write() as tx:
            name, rows = self.batch.batch_id, self.batch.rows
            intents = await intend(tx, {DRIVER: rows}, {name}, self.leases.worker, self.clock.now(), "live")
        self.flight = intents.flights[0] if intents.flights else self.flight
        return bool(intents.flights)

    async def answers(self, outcome: Outcome, code: str = "") -> None:
        if self.flight is not None:
            flown, (row,) = self.flight
            result = Result(outcome, code=code)
            await self.recorder.report(told(row, flown, result, self.clock.now(), exhausted=False))

    async def ends(self, update: bool) -> None:
        """As the gateway and then the router do it."""
        async with self.database.write() as tx:
            over = "superseded" if update else "cancelled"
            await tx.execute(sa.update(warning_state).values(state=over, ended_at=self.clock.now()))
        async with self.database.write() as tx:
            after = S.SUPERSEDED if update else S.CANCELLED
            await move_all(tx, after, at=self.clock.now(), where=(IS_DUE,))

    async def goes_on(self) -> None:
        """All that looks after what nobody has in hand, until nothing moves any more."""
        for _ in range(4):
            self.clock.advance_to(self.clock.now() + 1000)
            await self.leases.recover()
            await self.leases.reap(everybodys=True)
            await settle_unknown(self.database, self.clock)
            await self.leases.expire()
            await self.leases.end()


@pytest.fixture
async def ledger(empty: Database) -> Ledger:
    return Ledger(empty)


@pytest.mark.parametrize("update", [False, True], ids=["cancel", "update"])
@pytest.mark.parametrize("before", PLACES)
async def test_no_state_outlives_the_warning_unsent(ledger: Ledger, before: str, update: bool) -> None:
    """Each place at the moment of the end, left by a process that died; what was over stays as it was."""
    ended = S.SUPERSEDED if update else S.CANCELLED
    await ledger.begin(before)
    await ledger.ends(update)
    await ledger.goes_on()
    after = {S.PENDING: ended, S.RETRY: ended, CLAIMED: ended, S.SENDING: S.UNCONFIRMED, S.UNKNOWN: S.UNCONFIRMED}
    assert after.get(before, before) == await ledger.state()


@pytest.mark.parametrize("over", ["cancelled", "superseded", "withdrawn"])
@pytest.mark.parametrize("before", STOPPABLE)
async def test_what_comes_back_due_after_the_end_ends(ledger: Ledger, before: str, over: str) -> None:
    """Planned, released or given back when the router's stop had passed already."""
    await ledger.begin(before, over)
    await ledger.goes_on()
    assert (S.SUPERSEDED if over == "superseded" else S.CANCELLED) == await ledger.state()


@pytest.mark.parametrize("update", [False, True], ids=["cancel", "update"])
async def test_a_call_that_could_not_begin_in_time_ends_with_its_warning(ledger: Ledger, update: bool) -> None:
    """Intended, the end came, the call was late and not made: it was surely not sent, and says so."""
    await ledger.begin()
    await ledger.claims()
    assert await ledger.intends()
    await ledger.ends(update)
    assert S.SENDING == await ledger.state()
    await ledger.answers(Outcome.NOT_SENT, LATE)
    assert S.RETRY == await ledger.state()
    await ledger.goes_on()
    assert (S.SUPERSEDED if update else S.CANCELLED) == await ledger.state()


async def test_what_goes_on_is_not_ended(ledger: Ledger) -> None:
    """A late call under a warning in force is due again; a notice of no warning is nobody's to end."""
    await ledger.begin(S.RETRY)
    assert 0 == await ledger.leases.end()
    async with ledger.database.write() as tx:
        for table in (delivery, batch):
            await tx.execute(sa.update(table).values(kind="notice", warning_id=""))
        await tx.execute(sa.update(warning_state).values(state="cancelled"))
    assert 0 == await ledger.leases.end()
    assert S.RETRY == await ledger.state()


STEPS = ("claim", "intend", "late", "busy", "refused", "accepted", "silent", "drained", "reap")


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    before=st.lists(st.sampled_from(STEPS), max_size=5),
    after=st.lists(st.sampled_from(STEPS), max_size=5),
    update=st.booleans(),
)
@example(before=["claim", "intend"], after=["late"], update=False)
@pytest.mark.long
def test_in_whatever_order_it_came(made: Any, before: list[str], after: list[str], update: bool) -> None:
    """Any steps, the end, any steps: at last nothing is left to be sent, and no intent was written after the end."""
    loop, ledger = made

    async def step(name: str) -> bool:
        match name:
            case "claim":
                await ledger.claims()
            case "intend":
                return bool(await ledger.intends())
            case "late":
                await ledger.answers(Outcome.NOT_SENT, LATE)
            case "busy":
                await ledger.answers(Outcome.NOT_SENT, "429")
            case "refused":
                await ledger.answers(Outcome.PERMANENT, "21211")
            case "accepted":
                await ledger.answers(Outcome.ACCEPTED)
            case "silent":
                await ledger.answers(Outcome.AMBIGUOUS)
            case "drained":
                async with ledger.database.write() as tx:
                    names = (await tx.scalars(sa.select(batch.c.batch_id))).all()
                    await give_back(tx, names, ledger.leases.worker)
            case "reap":
                await ledger.leases.reap(everybodys=True)
        return False

    async def story() -> None:
        ledger.batch = ledger.flight = None
        await ledger.begin()
        for name in before:
            await step(name)
        await ledger.ends(update)
        for name in after:
            assert not await step(name), "an intent after the end"
        await ledger.goes_on()
        assert await ledger.state() not in TO_BE_SENT

    loop.run_until_complete(story())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A ledger for many stories, on a loop of their own."""
    url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('ledger') / 'one.db'}"
    migrations.upgrade(url)
    loop = asyncio.new_event_loop()
    database = Database(url)
    ledger = loop.run_until_complete(_ledger(database))
    yield loop, ledger
    loop.run_until_complete(database.close())
    loop.close()


async def _ledger(database: Database) -> Ledger:
    return Ledger(database)
