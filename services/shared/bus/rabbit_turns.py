"""Queries the outbox for the bus over RabbitMQ: which events to send, what has waited too long, what died.

No transaction is open while the broker is waited for. The relay leases its rows (`not_before`) instead of locking them;
the fallback looks at neither lease nor lock, so a frozen broker never stands between a message and its handler.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa

from services.shared.bus.dispatch import MAX_TRIES, put_aside
from services.shared.bus.outbox import (
    SUBSCRIBERS,
    Attempts,
    OutboxRow,
    dead_letter,
    inbox,
    note_try,
    outbox,
    tried,
)
from services.shared.clock import wall
from services.shared.database.batches import insert_new
from services.shared.database.engine import Database
from services.shared.database.rows import columns, row_of, rows_of

LEASE_S = 10.0  # longer than a publish may take: after that another process may hint the same message
RAW_BYTES = 100_000  # what is kept of a broker message that is none of ours
LIMIT_REASON = "delivery limit"


class ClaimedRow(NamedTuple):
    """A message to be hinted."""

    id: int
    msg_id: str
    topic: str
    tier: int


@dataclass(frozen=True)
class Claim:
    """Rows to be hinted by this process until the lease ends; urgent first."""

    rows: Sequence[ClaimedRow]
    lease: float


async def claim(database: Database, limit: int) -> Claim:
    """Leases what is due to be hinted and nobody else has leased."""
    now = wall()
    lease = now + LEASE_S
    is_due = (outbox.c.published_at.is_(None), outbox.c.not_before <= now)
    due = (
        sa.select(outbox.c.id)
        .where(*is_due)
        .order_by(outbox.c.tier.desc(), outbox.c.id)
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True)
    )
    async with database.read() as db:
        if await db.scalar(sa.select(outbox.c.id).where(*is_due).limit(1)) is None:
            return Claim((), lease)
    async with database.write() as tx:
        leased = sa.update(outbox).where(outbox.c.id.in_(due)).values(not_before=lease)
        rows = await rows_of(tx, ClaimedRow, leased.returning(*columns(ClaimedRow, outbox)))
    return Claim(sorted(rows, key=lambda r: (-r.tier, r.id)), lease)


async def note_confirmed(database: Database, confirmed: Mapping[int, float]) -> None:
    """Notes what the broker confirmed: row > the lease it was hinted under. One that was set back meanwhile stays so.

    By then most are handled and gone. A row that its handler is deleting is left alone: nobody waits for a handler here, and
    where that fails the lease ends.
    """
    mine = sa.and_(outbox.c.id.in_(sorted(confirmed)), outbox.c.not_before.in_(sorted(set(confirmed.values()))))
    free = sa.select(outbox.c.id).where(mine).with_for_update(key_share=True, skip_locked=True)
    async with database.write() as tx:
        noted = {"published_at": wall(), "not_before": 0.0}
        await tx.execute(sa.update(outbox).where(outbox.c.id.in_(free)).values(noted))


async def give_back(database: Database, lease: float, left: Sequence[int], again: float) -> None:
    """Rows the broker did not confirm are due again at `again`; one that was set back meanwhile stays so."""
    async with database.write() as tx:
        mine = sa.and_(outbox.c.id.in_(left), outbox.c.not_before == lease)
        await tx.execute(sa.update(outbox).where(mine).values(not_before=again))


async def overdue(
    database: Database, consumer: str, topics: Sequence[str], *, urgent: bool, since: float, limit: int
) -> list[OutboxRow]:
    """Outbox rows said before `since` (wall) that the consumer has not handled and is due to be shown; urgent first."""
    unheard = ~sa.exists().where(inbox.c.consumer == consumer, inbox.c.msg_id == outbox.c.msg_id)
    rows = (
        sa.select(*columns(OutboxRow, outbox))
        .where(
            outbox.c.topic.in_(topics),
            outbox.c.tier >= 3 if urgent else outbox.c.tier < 3,
            outbox.c.created_at <= since,
            unheard,
        )
        .order_by(outbox.c.tier.desc(), outbox.c.id)
        .limit(limit)
    )
    async with database.read() as db:
        found = await rows_of(db, OutboxRow, rows)
    now = wall()
    return [row for row in found if Attempts(*row.tries.get(consumer, ())).again <= now]


async def answers(database: Database) -> None:
    """Returns where the database answers."""
    async with database.read() as db:
        await db.scalar(sa.select(outbox.c.msg_id).limit(1))


async def look_up(database: Database, consumer: str, msg_id: str) -> OutboxRow | None:
    """The outbox row a hint names, where the consumer has not handled it yet."""
    unheard = ~sa.exists().where(inbox.c.consumer == consumer, inbox.c.msg_id == outbox.c.msg_id)
    async with database.read() as db:
        named = sa.select(*columns(OutboxRow, outbox)).where(outbox.c.msg_id == msg_id, unheard)
        return await row_of(db, OutboxRow, named)


def given_up(row: OutboxRow, consumer: str) -> bool:
    """Whether the broker gave up delivering its hint to the consumer."""
    return Attempts(*row.tries.get(consumer, ())).chances >= 0


async def last_chance(database: Database, consumer: str, row: OutboxRow) -> bool:
    """Before the fallback shows a message: False where the broker gave up on it and its last chance was used.

    That chance is counted beforehand: showing it may be what ends the process, and then nobody could count.
    """
    if not given_up(row, consumer):
        return True
    async with database.write() as tx:
        known = await tried(tx, row.msg_id, consumer)
        if known is None:
            return False
        if known.chances == 0:
            await note_try(tx, row.msg_id, consumer, known._replace(chances=1), event=False)
            return True
        await put_aside(tx, consumer, row, f"{LIMIT_REASON}: processes ended while they had it in hand")
        await insert_new(tx, inbox, [{"consumer": consumer, "msg_id": row.msg_id}])
    return False


async def gave_up(database: Database, consumer: str, msg_id: str) -> OutboxRow | None:
    """The broker delivered a hint too often: a dead letter, and one more chance by the fallback. The row, if pending."""
    row = await look_up(database, consumer, msg_id)
    if row is None or consumer not in SUBSCRIBERS[row.topic]:
        return None
    async with database.write() as tx:
        known = await tried(tx, msg_id, consumer)
        if known is None:
            return None
        if known.chances < 0:
            note = Attempts(max(known.tries, MAX_TRIES - 1), 0.0, 0)
            await note_try(tx, msg_id, consumer, note, event=False)
            await put_aside(tx, consumer, row, f"{LIMIT_REASON}: the broker delivered it too often; tried once more")
    return row


async def revived(database: Database, consumer: str, msg_id: str) -> None:
    """A message the broker gave up on was handled after all: its dead letter goes."""
    mine = sa.and_(dead_letter.c.msg_id == msg_id, dead_letter.c.consumer == consumer)
    async with database.write() as tx:
        await tx.execute(sa.delete(dead_letter).where(mine))


async def keep_raw(database: Database, letter: dict[str, object]) -> bool:
    """Writes a dead letter for a broker message that is no hint of ours; False where its like lies there already."""
    async with database.write() as tx:
        return bool(await insert_new(tx, dead_letter, [letter]))


async def waits(database: Database, topics_of: dict[str, list[str]]) -> bool:
    """Whether anything is due that these consumers have not handled."""
    soon = wall() + 1.0
    for consumer, topics in topics_of.items():
        for urgent in (True, False):
            if await overdue(database, consumer, topics, urgent=urgent, since=soon, limit=50):
                return True
    return False
