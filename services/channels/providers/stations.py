"""Stores the outcome of an area's message at each operator, broadcaster and group it went to.

An area is one delivery; whether one operator of three took it is told here, and is no person's evidence.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import sqlalchemy as sa

from services.channels.model.outcome import Outcome, Station
from services.shared.database.batches import one_of, upsert
from services.shared.database.engine import Connection, Id, metadata
from services.shared.database.rows import columns, rows_of
from services.shared.ledger.tables import delivery

_WORDS = ",".join(f"'{one.value}'" for one in Outcome)
station = sa.Table(
    "channels_station",
    metadata,
    sa.Column("delivery_id", Id, primary_key=True),
    sa.Column("name", sa.String(80), primary_key=True),
    sa.Column("outcome", sa.String(16), nullable=False, comment="its last word"),
    sa.Column("code", sa.String(24), nullable=False, server_default=""),
    sa.Column("at", sa.Float, nullable=False, comment="warning time"),
    sa.CheckConstraint(f"outcome IN ({_WORDS})", name="outcome"),
)


class StationWord(NamedTuple):
    """A station's last word on an area delivery."""

    channel: str
    try_no: int
    name: str
    outcome: str
    code: str
    at: float


async def note(tx: Connection, said: Iterable[tuple[str, Station, float]]) -> None:
    """(delivery, station, warning time): the last word of each stands, save that who took it has it."""
    rows: dict[tuple[str, str], dict[str, object]] = {}
    for delivery_id, one, at in said:
        key = (delivery_id, one.name[:80])
        if key not in rows or one.outcome is not Outcome.ACCEPTED:  # of two of one name the one that failed is told
            rows[key] = {
                "delivery_id": delivery_id, "name": key[1], "outcome": one.outcome.value, "code": one.code[:24], "at": at,
            }  # fmt: skip
    if not rows:
        return
    mine = one_of(station.c.delivery_id, sorted({delivery_id for delivery_id, _ in rows}))
    taken = sa.select(station.c.delivery_id, station.c.name).where(mine, station.c.outcome == Outcome.ACCEPTED.value)
    has = {(row.delivery_id, row.name) for row in await tx.execute(taken)}
    new = [rows[key] for key in sorted(rows.keys() - has)]
    await upsert(tx, station, new, ["delivery_id", "name"], replace=["outcome", "code", "at"])


async def settled(db: Connection, delivery_id: str) -> dict[str, Outcome]:
    """Stations that took a delivery or refused it for good: they are not asked again."""
    over = station.c.outcome.in_((Outcome.ACCEPTED.value, Outcome.PERMANENT.value))
    rows = await db.execute(
        sa.select(station.c.name, station.c.outcome).where(station.c.delivery_id == delivery_id, over)
    )
    return {row.name: Outcome(row.outcome) for row in rows}


async def of_warning(db: Connection, warning_id: str) -> list[StationWord]:
    """The last word of each station on each area delivery of a warning; refusals come first."""
    return await rows_of(
        db,
        StationWord,
        sa.select(*columns(StationWord, delivery, station))
        .join(station, station.c.delivery_id == delivery.c.delivery_id)
        .where(delivery.c.warning_id == warning_id)
        .order_by(station.c.outcome == Outcome.ACCEPTED.value, delivery.c.channel, station.c.name, delivery.c.try_no),
    )
