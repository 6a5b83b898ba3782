"""Phones that said STOP: no more texts to that number, whatever asks for one, until the phone says START.

The register owns contacts, and channels cannot write there; what stops is the number, so that is what is kept, as the
HMAC the ledger knows it by. It stops messages and never the path: an unsent delivery ends SUPPRESSED with the reason
`stopped`, the router hears of it and goes on by other roads, in orange and red to the door. A call is no text: the same
number is still called.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from services.channels.opening import SMS_ROADS
from services.shared.batches import insert_new, one_of
from services.shared.db import Connection, Database, metadata
from services.shared.ledger import IS_DUE, STOPPED, SendState, delivery, move
from services.shared.messages import EvidenceRecorded
from services.shared.outbox import new_id, say

stopped = sa.Table(
    "channels_stopped",
    metadata,
    sa.Column("address_key", sa.String(64), primary_key=True),
    sa.Column("at", sa.Float, nullable=False, comment="warning time"),
    sa.Column("said_by", sa.String(8), nullable=False, comment="phone: it said so; provider: it was refused for that"),
    sa.CheckConstraint("said_by IN ('phone','provider')", name="said_by"),
    comment="numbers that said STOP; no text goes there",
)


async def stop(tx: Connection, keys: Iterable[str], by: str, at: float, plane: str) -> int:
    """Keeps it, and takes back what has not gone out to them; how many were not stopped before."""
    rows = [{"address_key": key, "at": at, "said_by": by} for key in sorted(set(keys))]
    new = await insert_new(tx, stopped, rows)
    waiting = sa.select(delivery.c.delivery_id, delivery.c.warning_id, delivery.c.tier, delivery.c.purpose).where(
        one_of(delivery.c.address_key, [str(row["address_key"]) for row in rows]),
        IS_DUE,
        delivery.c.road.in_(SMS_ROADS),
    )
    await _suppress(tx, (await tx.execute(waiting)).all(), (SendState.PENDING, SendState.RETRY), at, plane)
    return new


async def start(tx: Connection, address_key: str) -> bool:
    """Texts may go there again; whether they were stopped."""
    gone = await tx.execute(sa.delete(stopped).where(stopped.c.address_key == address_key))
    return bool(gone.rowcount)


async def is_stopped(db: Connection, keys: Collection[str]) -> set[str]:
    """Those of the numbers that said STOP."""
    found = await db.scalars(sa.select(stopped.c.address_key).where(one_of(stopped.c.address_key, sorted(keys))))
    return set(found.all())


async def leave_out(database: Database, claimed: Sequence[Any], now: float, plane: str) -> list[Any]:
    """What was claimed without what goes to a stopped number; that is suppressed, with the reason."""
    keys = {row.address_key for row in claimed if row.road in SMS_ROADS}
    if not keys:
        return list(claimed)
    async with database.read() as db:
        shut = await is_stopped(db, keys)
    if not shut:
        return list(claimed)
    async with database.write() as tx:
        await _suppress(
            tx, [r for r in claimed if r.road in SMS_ROADS and r.address_key in shut], (SendState.LEASED,), now, plane
        )
    return [r for r in claimed if r.road not in SMS_ROADS or r.address_key not in shut]


async def _suppress(tx: Connection, rows: Sequence[Any], only: Sequence[SendState], at: float, plane: str) -> None:
    about = {row.delivery_id: row for row in rows}
    moved = await move(tx, sorted(about), SendState.SUPPRESSED, at=at, only=only, state_reason=STOPPED)
    await say(
        tx,
        [
            EvidenceRecorded(msg_id=new_id(), plane=plane, warning_id=about[i].warning_id, tier=about[i].tier, ids=(i,))
            for i in sorted(moved)
            if about[i].purpose != "notice"
        ],
    )
