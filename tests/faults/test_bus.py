"""The bus on SQLite: poison is put aside and stops nobody, effects happen once whatever dies in between."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from services import migrations
from services.shared.bus_embedded import MAX_TRIES, EmbeddedBus
from services.shared.db import Database, instance
from services.shared.messages import DeliveryDue, EvidenceRecorded, Message
from services.shared.outbox import Receipt, dead_letter, inbox, new_id, outbox, say


class Died(BaseException):
    """The process ends here: no handler of errors sees it."""


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'tocsin.db'}"
    await asyncio.to_thread(migrations.upgrade, url)
    made = Database(url, synchronous="OFF")
    yield made
    await made.close()


def message(tier: int = 1, *ids: str) -> DeliveryDue:
    return DeliveryDue(msg_id=new_id(), plane="drill", warning_id="w", tier=tier, ids=ids)


async def put(database: Database, *messages: Message) -> None:
    async with database.write() as tx:
        await say(tx, messages)


async def rows(database: Database, table: sa.Table) -> list[sa.Row]:
    async with database.read() as db:
        return list((await db.execute(sa.select(table))).all())


async def work_off(database: Database, bus: EmbeddedBus, rounds: int) -> None:
    """Lets the bus work; the time it waits between tries is moved away, not waited for."""
    for _ in range(rounds):
        await bus.work()
        async with database.write() as tx:
            await tx.execute(sa.update(outbox).values(not_before=0.0))


class Doer:
    """A handler whose effect is a row; `dies` says when."""

    def __init__(self, database: Database, poison: str = "", error: BaseException | None = None) -> None:
        self.database = database
        self.poison = poison
        self.error = error
        self.seen: Counter[str] = Counter()

    async def handle(self, message: Message, receipt: Receipt) -> None:
        self.seen[message.msg_id] += 1
        async with self.database.write() as tx:
            await receipt.record(tx)
            await tx.execute(sa.insert(instance).values(name=message.msg_id, value=receipt.consumer))
            if message.msg_id == self.poison and self.error is not None:
                raise self.error


@pytest.mark.parametrize(
    "error",
    [ValueError("bad figure"), KeyError("gone"), AttributeError("none"), ZeroDivisionError("nought"), OSError("disk")],
    ids=lambda e: type(e).__name__,
)
async def test_a_poison_message_is_put_aside_after_five_tries_and_its_neighbours_go_on(
    database: Database, error: Exception
) -> None:
    """It lies in dead_letter with its reason, did nothing, and what came before and after it was done once."""
    before, poison, after = message(1), message(4), message(1)
    await put(database, before, poison, after)
    doer, bus = Doer(database, poison.msg_id, error), EmbeddedBus(database)
    bus.subscribe("channels", "DeliveryDue", doer.handle)
    await work_off(database, bus, 1)
    assert {before.msg_id, after.msg_id} == {r.name for r in await rows(database, instance)}
    await work_off(database, bus, MAX_TRIES + 2)
    dead = await rows(database, dead_letter)
    assert [(poison.msg_id, "channels", 4)] == [(d.msg_id, d.consumer, d.tier) for d in dead]
    assert f"{type(error).__name__}: {error}" == dead[0].reason
    assert MAX_TRIES == doer.seen[poison.msg_id]
    assert {before.msg_id, after.msg_id} == {r.name for r in await rows(database, instance)}
    assert ([], []) == (await rows(database, outbox), await rows(database, inbox))


async def test_bytes_that_are_no_message_are_put_aside(database: Database) -> None:
    """Not a message of ours, of any version: kept with its bytes, neighbours unharmed."""
    good = message()
    async with database.write() as tx:
        await tx.execute(
            sa.insert(outbox).values(msg_id="bad", topic="DeliveryDue", tier=4, body=b"\x93nonsense", created_at=0.0)
        )
    await put(database, good)
    doer, bus = Doer(database), EmbeddedBus(database)
    bus.subscribe("channels", "DeliveryDue", doer.handle)
    await work_off(database, bus, MAX_TRIES + 1)
    assert [("bad", b"\x93nonsense")] == [(d.msg_id, d.body) for d in await rows(database, dead_letter)]
    assert {good.msg_id: 1} == doer.seen


async def test_poison_for_one_consumer_is_none_for_another(database: Database) -> None:
    """The other has its effect, once, and is not shown the message at each of the first one's tries."""
    one = EvidenceRecorded(msg_id=new_id(), plane="drill", warning_id="w", tier=4, ids=("a",))
    await put(database, one)
    bus = EmbeddedBus(database)
    sick, well = Doer(database, one.msg_id, RuntimeError("sick")), Doer(database)
    bus.subscribe("router", "EvidenceRecorded", sick.handle)
    bus.subscribe("watcher", "EvidenceRecorded", well.handle)
    await work_off(database, bus, MAX_TRIES + 1)
    assert ["watcher"] == [r.value for r in await rows(database, instance)]
    assert (1, MAX_TRIES) == (well.seen[one.msg_id], sick.seen[one.msg_id])


async def test_a_handler_that_dies_between_its_effects_and_its_receipt_does_them_once(database: Database) -> None:
    """Effects and receipt are one transaction: after the death neither is there, after the restart both are."""
    one = message()
    await put(database, one)
    bus = EmbeddedBus(database)
    bus.subscribe("channels", "DeliveryDue", Doer(database, one.msg_id, Died()).handle)
    with pytest.raises(Died):
        await bus.work()
    assert ([], []) == (await rows(database, instance), await rows(database, inbox))
    again, doer = EmbeddedBus(database), Doer(database)
    again.subscribe("channels", "DeliveryDue", doer.handle)
    await work_off(database, again, 2)
    assert [one.msg_id] == [r.name for r in await rows(database, instance)]
    assert [] == await rows(database, outbox)


async def test_a_death_after_the_commit_and_before_the_outbox_forgets_does_nothing_twice(database: Database) -> None:
    """The message is shown again to nobody who has its receipt, and goes."""
    one = message()
    await put(database, one)
    doer, bus = Doer(database), EmbeddedBus(database)
    bus.subscribe("channels", "DeliveryDue", doer.handle)
    await doer.handle(one, Receipt(database, "channels", one.msg_id))
    await work_off(database, bus, 1)
    assert {one.msg_id: 1} == doer.seen
    assert [] == await rows(database, outbox)
