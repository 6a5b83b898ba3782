"""Lands flights: an outcome is written under the lock of the flight its call was part of, which the last one closes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from services.channels.model.report import Report
from services.shared.clock import wall
from services.shared.database.batches import one_of, upsert
from services.shared.database.engine import Connection
from services.shared.ledger.flights import IN_THE_AIR, flight
from services.shared.ledger.moves import UNSENT
from services.shared.ledger.tables import attempt

SILENT_S = 300.0  # then a provider that can be asked is asked


class Flying(NamedTuple):
    """The flights these reports are of that were open, locked."""

    flights: Collection[str]
    batch_of: dict[str, str]  # delivery > the batch it was sent with, where its flight was open

    def holds(self, delivery_id: str, batch_id: str, state: str) -> bool:
        """Whether a delivery as it stands is the one that was called: not taken for lost, nor due again since."""
        return state in UNSENT and self.batch_of.get(delivery_id) == batch_id


_LANDED = one_of(flight.c.flight_id, "landed")
_WRITTEN = (
    sa.update(flight)
    .where(one_of(flight.c.flight_id, "flights"), IN_THE_AIR)
    .values(open=sa.not_(_LANDED), look_at=sa.case((_LANDED, flight.c.begun_at + SILENT_S)))
    .returning(flight.c.flight_id)
)


async def lock(tx: Connection, reports: Sequence[Report]) -> Flying:
    """Locks the flights of these outcomes, and closes those whose last outcomes these are.

    One that was closed before, as its lease was over, holds nothing.
    """
    told = Counter(r.flight.flight_id for r in reports if r.flight is not None)
    if not told:
        return Flying((), {})
    landed = {r.flight.flight_id for r in reports if r.flight is not None and r.flight.left <= told[r.flight.flight_id]}
    found = set((await tx.scalars(_WRITTEN, {"flights": sorted(told), "landed": sorted(landed)})).all())
    mine = ((r.delivery_id, r.flight) for r in reports if r.flight is not None)
    return Flying(found, {one: its.batch_id for one, its in mine if its.flight_id in found})


async def attempts(tx: Connection, reports: Sequence[Report]) -> None:
    """What came of each call; what was taken for lost has a row already."""
    now = wall()
    rows = [
        {
            "delivery_id": r.delivery_id, "n": r.attempt, "provider": r.provider, "started_at": r.flight.started_at,
            "ended_at": now, "outcome": r.reason, "code": r.code[:24],
        }
        for r in sorted(reports, key=lambda r: r.delivery_id)
        if r.flight is not None
    ]  # fmt: skip
    await upsert(tx, attempt, rows, ["delivery_id", "n"], replace=["ended_at", "outcome", "code"])
