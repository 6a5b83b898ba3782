"""Deliveries put into the ledger by hand: waiting in a batch, claimed by somebody, or in the air."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from services.channels.model.flight import Flight
from services.channels.sending.claims import Claimed
from services.shared.database.batches import insert_all
from services.shared.database.engine import Connection
from services.shared.ledger.flights import batch, enqueue, flight, joined
from services.shared.ledger.tables import Delivery, delivery


async def waiting(tx: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Each as it is planned; what is to be sent stands in a batch."""
    ordered = sorted(rows, key=lambda row: str(row["delivery_id"]))
    await insert_all(tx, delivery, ordered)
    await enqueue(tx, [str(row["delivery_id"]) for row in ordered])


async def claimed(tx: Connection, by: str, lease_until: float) -> None:
    """Every batch is in somebody's hand."""
    await tx.execute(sa.update(batch).values(worker=by, lease_until=lease_until, claims=1))


async def in_the_air(tx: Connection, ids: Sequence[str], *, by: str = "another", lease_until: float = 9e9) -> Flight:
    """These are being sent, in one flight; they stand in no batch any more."""
    mine = sa.select(delivery.c.batch_id, delivery.c.warning_id, delivery.c.tier, delivery.c.driver)
    row = (await tx.execute(mine.where(delivery.c.delivery_id == ids[0]))).one()
    batch_id = row.batch_id or "b" * 32
    await tx.execute(sa.update(delivery).where(delivery.c.delivery_id.in_(ids)).values(batch_id=batch_id))
    await tx.execute(sa.delete(batch).where(batch.c.batch_id == batch_id))
    one = Flight(f"f{ids[0][1:]}", batch_id, row.driver, 0.0, tells=False, left=len(ids))
    await tx.execute(
        sa.insert(flight).values(
            flight_id=one.flight_id, batch_id=batch_id, warning_id=row.warning_id, tier=row.tier, driver=row.driver,
            worker=by, ids=joined(ids), begun_at=0.0, started_at=0.0, lease_until=lease_until,
        )
    )  # fmt: skip
    return one


def rows_in(claims: Sequence[Claimed]) -> list[Delivery]:
    """What of these batches is to be sent."""
    return [row for one in claims for row in one.rows]
