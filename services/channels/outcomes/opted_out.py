"""Keeps phones that said STOP: no text goes to such a number until the phone says START.

The register owns contacts, and channels cannot write there; what stops is the number, so that is what is kept, as the
HMAC the ledger knows it by. It stops messages and never the path: an unsent delivery ends SUPPRESSED with the reason
`stopped`, the router hears of it and goes on by other channels, in orange and red to the door. A call is no text: the same
number is still called.

A number we never wrote to may say it too, and is kept up to a bound: nobody can fill the table with numbers made up. Many
that say it within a short time are an alarm: either the texts offend, or somebody silences a county with forged ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from services.channels.model.channel import SMS_CHANNELS
from services.shared.alarms import STOP_FLOOD, over, sound, standing
from services.shared.bus.outbox import new_id, publish
from services.shared.clock import wall
from services.shared.database.batches import insert_new, one_of
from services.shared.database.engine import Connection, Database, metadata
from services.shared.database.rows import columns, rows_of
from services.shared.ledger.kinds import SAYS_NO_WARNING
from services.shared.ledger.moves import UNSENT, move
from services.shared.ledger.states import STOPPED, SendState
from services.shared.ledger.tables import IS_DUE, Delivery, delivery
from services.shared.messages import EvidenceRecorded

STRANGERS = 10_000
FLOOD, FLOOD_S = 50, 600.0  # numbers, warning time
COUNTED = 1000  # beyond it "or more" is enough
QUIET_S = 3600.0  # wall

opted_out_table = sa.Table(
    "channels_opted_out",
    metadata,
    sa.Column("address_key", sa.String(64), primary_key=True),
    sa.Column("at", sa.Float, nullable=False, comment="warning time"),
    sa.Column("said_by", sa.String(8), nullable=False, comment="phone: it said so; provider: it was refused for that"),
    sa.Column("known", sa.Boolean, nullable=False, server_default=sa.true(), comment="it had been written to by then"),
    sa.CheckConstraint("said_by IN ('phone','provider')", name="said_by"),
    sa.Index("ix_channels_opted_out_at", "at"),
    sa.Index("ix_channels_opted_out_known", "known", "at"),
    comment="numbers that said STOP; no text goes there",
)


class _Stopped(NamedTuple):
    delivery_id: str
    warning_id: str
    tier: int
    kind: str


async def stop(tx: Connection, keys: Iterable[str], by: str, at: float, plane: str) -> int:
    """Keeps it, and takes back what has not gone out to them; how many were not stopped before."""
    asked = sorted(set(keys))
    written_to = sa.select(delivery.c.address_key).where(one_of(delivery.c.address_key, asked)).distinct()
    known = set(await tx.scalars(written_to))
    rows = [{"address_key": key, "at": at, "said_by": by, "known": key in known} for key in asked]
    new = await insert_new(tx, opted_out_table, rows)
    if new and len(known) < len(asked):
        await _forget_strangers(tx)
    if new:
        await _watch(tx, at)
    waiting = sa.select(*columns(_Stopped, delivery)).where(
        one_of(delivery.c.address_key, [str(row["address_key"]) for row in rows]),
        IS_DUE,
        delivery.c.channel.in_(SMS_CHANNELS),
    )
    await _suppress(tx, await rows_of(tx, _Stopped, waiting), at, plane)
    return new


async def _forget_strangers(tx: Connection) -> None:
    """Of the numbers we never wrote to the last STRANGERS are kept; one that was written to meanwhile is known."""
    stranger = sa.not_(opted_out_table.c.known)
    count = await tx.scalar(sa.select(sa.func.count()).select_from(opted_out_table).where(stranger))
    if int(count or 0) <= STRANGERS:
        return
    met = sa.exists().where(delivery.c.address_key == opted_out_table.c.address_key)
    await tx.execute(sa.update(opted_out_table).where(stranger, met).values(known=True))
    newest = (opted_out_table.c.at.desc(), opted_out_table.c.address_key)
    oldest = sa.select(opted_out_table.c.address_key).where(stranger).order_by(*newest).offset(STRANGERS)
    await tx.execute(sa.delete(opted_out_table).where(opted_out_table.c.address_key.in_(oldest.scalar_subquery())))


async def _watch(tx: Connection, at: float) -> None:
    """Sounds the alarm where many said it within a short time; it stands until a quiet hour has passed."""
    lately = (opted_out_table.c.at > at - FLOOD_S, opted_out_table.c.said_by == "phone")
    some = sa.select(opted_out_table.c.address_key).where(*lately).limit(COUNTED).subquery()
    count = int(await tx.scalar(sa.select(sa.func.count()).select_from(some)) or 0)
    if count >= FLOOD:
        await sound(
            tx,
            STOP_FLOOD,
            f"{count} or more numbers said STOP within 10 minutes: texts to them are off, calls and doors go on. Ask the SMS "
            "provider whether these are real; tocsin status and /channels show what is not sent.",
        )


async def settle(database: Database) -> bool:
    """Ends the alarm once nothing of the kind came for an hour; whether it did."""
    async with database.read() as db:
        stale = [a for a in await standing(db, STOP_FLOOD) if a.seen_at < wall() - QUIET_S]
    if not stale:
        return False
    async with database.write() as tx:
        return await over(tx, STOP_FLOOD)


async def start(tx: Connection, keys: Iterable[str]) -> bool:
    """Texts may go there again; whether they were stopped."""
    gone = await tx.execute(sa.delete(opted_out_table).where(one_of(opted_out_table.c.address_key, sorted(set(keys)))))
    return bool(gone.rowcount)


async def has_opted_out(db: Connection, keys: Collection[str]) -> set[str]:
    """Those of the numbers that said STOP."""
    found = await db.scalars(
        sa.select(opted_out_table.c.address_key).where(one_of(opted_out_table.c.address_key, sorted(keys)))
    )
    return set(found.all())


# Of a delivery: its number is stopped.
STOPPED_NUMBER = sa.exists().where(opted_out_table.c.address_key == delivery.c.address_key)


async def leave_out(tx: Connection, rows: Sequence[Delivery], now: float, plane: str) -> list[Delivery]:
    """What may be sent of these; what goes to a stopped number is suppressed, with the reason."""
    keys = {row.address_key for row in rows if row.channel in SMS_CHANNELS}
    shut = await has_opted_out(tx, keys) if keys else set[str]()
    if not shut:
        return list(rows)
    await _suppress(tx, [r for r in rows if r.channel in SMS_CHANNELS and r.address_key in shut], now, plane)
    return [r for r in rows if r.channel not in SMS_CHANNELS or r.address_key not in shut]


async def _suppress(tx: Connection, rows: Sequence[_Stopped] | Sequence[Delivery], at: float, plane: str) -> None:
    about = {row.delivery_id: row for row in rows}
    moved = await move(tx, sorted(about), SendState.SUPPRESSED, at=at, only=UNSENT, state_reason=STOPPED)
    await publish(
        tx,
        [
            EvidenceRecorded(msg_id=new_id(), plane=plane, warning_id=about[i].warning_id, tier=about[i].tier, ids=(i,))
            for i in sorted(moved)
            if about[i].kind not in SAYS_NO_WARNING
        ],
    )
