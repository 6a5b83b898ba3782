"""Nothing is slept over: what either sending loop has seen the other does not forget, and what is in hand stays there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest
import sqlalchemy as sa

from services.channels.model.driver import Driver
from services.channels.providers.call_window import call_windows
from services.channels.providers.country_limits import CountryLimits
from services.channels.providers.weights import ProviderWeights
from services.channels.sending.sender import Sender
from services.shared.clock import StepClock, wall
from services.shared.database.batches import insert_all
from services.shared.database.engine import Connection, Database
from services.shared.ledger.flights import batch
from services.shared.ledger.warnings import warning_state
from tests.kit.flights import waiting

NOW = 1_700_000_000.0


class AfterACommit:
    """A database after whose next commit, before its caller goes on, something happens."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.happens: Callable[[], Awaitable[None]] | None = None
        self.read = database.read

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Connection]:
        async with self._database.write() as tx:
            yield tx
        if (happens := self.happens) is not None:
            self.happens = None
            await happens()


async def plan(database: Database, name: str) -> None:
    """One delivery of a page of its own."""
    row = {
        "delivery_id": name * 32, "warning_id": "w", "kind": "warning", "tier": 2, "person_id": name, "addressee_id": "p",
        "addressee_kind": "person", "step": "blue.1", "channel": "sms", "driver": "paper", "form": "plain", "language": "en",
        "address_key": name, "reason": "test", "send_state": "pending", "due_at": NOW - 1, "expires_at": 9e9, "state_at": NOW,
    }  # fmt: skip
    async with database.write() as tx:
        await waiting(tx, [row])


@pytest.fixture
async def late(database: Database) -> AfterACommit:
    """A warning's ledger with one page of one delivery."""
    about = {
        "warning_id": "w", "chain_id": "w", "tier": 2, "state": "active", "kind": "alert", "purpose": "live", "sent": NOW,
        "expires_at": 9e9, "authority": "A", "number": "4721", "doors": "ask", "released_at": 0.0,
    }  # fmt: skip
    async with database.write() as tx:
        await insert_all(tx, warning_state, [about])
    await plan(database, "1")
    return AfterACommit(database)


@pytest.fixture
def sender(late: AfterACommit) -> Sender:
    """With one provider, that answers nothing as nothing is begun."""
    clock = StepClock(NOW)
    driver = cast(Driver, SimpleNamespace(name="paper", concurrency=10, channels=(), why_not=lambda: ""))
    windows = call_windows([driver], CountryLimits({}), lambda _red: None, 0)
    weights = ProviderWeights(cast(Any, late), clock, windows)
    return Sender(cast(Any, late), clock, cast(Any, None), cast(Any, None), windows, weights, "live")


async def waiting_batches(database: Database) -> int:
    async with database.read() as db:
        return int(await db.scalar(sa.select(sa.func.count()).where(batch.c.worker == "")) or 0)


async def test_what_is_planned_while_the_last_of_the_rest_are_claimed_is_sent_without_waiting_for_a_look_by_the_clock(
    database: Database, late: AfterACommit, sender: Sender
) -> None:
    """The claim found less than it had room for, and takes that for all there is. Meanwhile red's loop, woken by the next
    page, has used up the wake and seen that page: the rest's loop would have slept over it."""

    async def another_page() -> None:
        await plan(database, "2")
        assert [] == await sender.due_queues(True, news=True)

    [mine] = await sender.due_queues(False, news=True)
    late.happens = another_page
    await sender.take_in_hand(mine, 10)
    sender.in_hand.let_go()  # the first page is begun

    [again] = await sender.due_queues(False, news=False)
    assert [2] == list(again.tiers)
    assert 1 == await waiting_batches(database)


async def test_what_is_in_hand_for_a_provider_that_answers_stays_in_hand(database: Database, sender: Sender) -> None:
    """Housekeeping lets go of what is for providers that are left alone, and of nothing else."""
    [mine] = await sender.due_queues(False, news=True)
    await sender.take_in_hand(mine, 10)
    await sender.let_go()
    assert (1, 0) == (sender.in_hand.count(mine.queue.name), await waiting_batches(database))

    sender.breakers["paper"].open_until = wall() + 60
    await sender.let_go()
    assert (0, 1) == (sender.in_hand.count(mine.queue.name), await waiting_batches(database))
