"""What tests of the bus are made of: messages, handlers whose effect is a row, and time that is moved."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import sqlalchemy as sa

from services.shared.bus.outbox import Receipt, new_id, outbox, publish
from services.shared.bus.port import Bus
from services.shared.database.engine import Database
from services.shared.database.instance import instance
from services.shared.messages import DeliveryDue, EvidenceRecorded, Message, WarningIssued


class Died(BaseException):
    """The process ends here: no handler of errors sees it."""


def due(tier: int = 1) -> DeliveryDue:
    """Heard by channels."""
    return DeliveryDue(msg_id=new_id(), plane="drill", warning_id="w", tier=tier, ids=("d",))


def evidence(tier: int = 1) -> EvidenceRecorded:
    """Heard by the router."""
    return EvidenceRecorded(msg_id=new_id(), plane="drill", warning_id="w", tier=tier, ids=("d",))


def issued(tier: int = 1) -> WarningIssued:
    """Heard by two: registry and router."""
    return WarningIssued(
        msg_id=new_id(),
        plane="drill",
        warning_id="w",
        tier=tier,
        kind="alert",
        purpose="live",
        chain_id="w",
        hazard="flood",
        respond="evacuate",
        sent=0.0,
        expires=1e9,
    )


async def put(database: Database, *messages: Message) -> None:
    """Says them, in one transaction."""
    async with database.write() as tx:
        await publish(tx, messages)


async def rows(database: Database, table: sa.Table) -> list[Any]:
    """All rows of a table."""
    async with database.read() as db:
        return list((await db.execute(sa.select(table))).all())


async def effects(database: Database) -> Counter[tuple[str, str]]:
    """(consumer, msg_id) > how often it was done."""
    found = Counter[tuple[str, str]]()
    for row in await rows(database, instance):
        if len(row.name) == 40:
            found[row.value, row.name[:32]] += 1
    return found


async def move_time(database: Database, seconds: float = 100.0) -> None:
    """So much wall time passes for all that waits in the outbox."""
    async with database.write() as tx:
        for row in (await tx.execute(sa.select(outbox))).all():
            tries = {c: [t[0], t[1] - seconds, t[2]] for c, t in row.tries.items()}
            values = {
                "created_at": row.created_at - seconds,
                "not_before": row.not_before - seconds,
                "tries": tries,
            }
            await tx.execute(sa.update(outbox).where(outbox.c.id == row.id).values(values))


async def until(done: Callable[[], Awaitable[bool]], what: str, seconds: float = 20.0) -> None:
    """Waits, not longer than that, for what others do by themselves."""
    deadline = time.monotonic() + seconds
    while not await done():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.02)


async def empty(database: Database) -> bool:
    """Whether everybody is done with everything."""
    return not await rows(database, outbox)


async def work_off(database: Database, bus: Bus, rounds: int = 1) -> None:
    """Lets the bus work till it rests; the time it waits between tries is moved away, not waited for."""
    for turn in range(rounds):
        if turn:
            await move_time(database)
        deadline = time.monotonic() + 20.0
        while await bus.run_due():
            assert time.monotonic() < deadline, "the bus does not come to rest"


class Doer:
    """A handler whose effect is a row, one for each time it took effect; `error` comes after the effect, in it."""

    def __init__(self, database: Database, poison: str = "", error: BaseException | None = None) -> None:
        self.database = database
        self.poison = poison
        self.error = error
        self.seen: list[str] = []

    async def handle(self, message: Message, receipt: Receipt) -> None:
        self.seen.append(message.msg_id)
        async with self.database.write() as tx:
            await receipt.record(tx)
            name = f"{message.msg_id}{new_id()}"[:40]  # an effect done twice is two rows
            await tx.execute(sa.insert(instance).values(name=name, value=receipt.consumer))
            if message.msg_id == self.poison and self.error is not None:
                raise self.error
