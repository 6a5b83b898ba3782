"""What became of an area's message at each of those it goes to: mobile operators, broadcasters, organisations' groups.

An area is one delivery; whether one operator of three took it is told here, and is no person's evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from services.channels.outcome import Outcome, Station
from services.shared.batches import upsert
from services.shared.db import Connection, Id, metadata
from services.shared.ledger import delivery

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


async def note(tx: Connection, said: Iterable[tuple[str, Station, float]]) -> None:
    """(delivery, station, warning time): the last word of each stands."""
    rows = {
        (delivery_id, one.name[:80]): {
            "delivery_id": delivery_id, "name": one.name[:80], "outcome": one.outcome.value, "code": one.code[:24], "at": at,
        }
        for delivery_id, one, at in said
    }  # fmt: skip
    if rows:
        await upsert(
            tx, station, [rows[key] for key in sorted(rows)], ["delivery_id", "name"], replace=["outcome", "code", "at"]
        )


async def of_warning(db: Connection, warning_id: str) -> Sequence[Any]:
    """Each station of each area delivery of a warning (road, step, name, outcome, code, at): who did not take it first."""
    rows = await db.execute(
        sa.select(delivery.c.road, delivery.c.try_no, station)
        .join(station, station.c.delivery_id == delivery.c.delivery_id)
        .where(delivery.c.warning_id == warning_id)
        .order_by(station.c.outcome == Outcome.ACCEPTED.value, delivery.c.road, station.c.name, delivery.c.try_no)
    )
    return rows.all()
