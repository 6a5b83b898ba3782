"""Lands flights: an outcome is written under the lock of the flight its call was part of, and the last one closes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from services.channels.model.flight import Flight
from services.channels.model.report import Report
from services.shared.clock import wall
from services.shared.database.batches import one_of, upsert
from services.shared.database.engine import Connection
from services.shared.ledger.flights import IN_THE_AIR, flight
from services.shared.ledger.moves import UNSENT
from services.shared.ledger.tables import attempt

SILENT_S = 300.0  # then a provider that can be asked is asked


class Flying(NamedTuple):
    """The open flights these reports are of, locked."""

    flights: dict[str, Flight]
    batch_of: dict[str, str]  # delivery > the batch it was sent with, where its flight is open
    landing: Counter[str]  # outcomes of a flight that are written now

    def holds(self, delivery_id: str, batch_id: str, state: str) -> bool:
        """Whether a delivery as it stands is the one that was called: not taken for lost, nor due again since."""
        return state in UNSENT and self.batch_of.get(delivery_id) == batch_id


_OPEN = (
    sa.select(flight.c.flight_id)
    .where(one_of(flight.c.flight_id, "flights"), IN_THE_AIR)
    .order_by(flight.c.flight_id)
    .with_for_update()
)


_LANDED = (
    sa.update(flight)
    .where(one_of(flight.c.flight_id, "flights"))
    .values(open=False, look_at=flight.c.begun_at + SILENT_S)
)


async def lock(tx: Connection, reports: Sequence[Report]) -> Flying:
    """Locks the flights of these outcomes; one that was closed meanwhile, as its lease was over, holds nothing."""
    named = {r.flight.flight_id: r.flight for r in reports if r.flight is not None}
    if not named:
        return Flying({}, {}, Counter())
    found = set((await tx.scalars(_OPEN, {"flights": sorted(named)})).all())
    mine = [(r, r.flight) for r in reports if r.flight is not None and r.flight.flight_id in found]
    return Flying(
        {name: named[name] for name in found},
        {report.delivery_id: its.batch_id for report, its in mine},
        Counter([its.flight_id for _, its in mine]),
    )


async def land(tx: Connection, flying: Flying) -> None:
    """Closes the flights whose last outcomes these are; after the outcomes, which are of what is in the air."""
    landed = sorted(name for name, count in flying.landing.items() if flying.flights[name].left <= count)
    if landed:
        await tx.execute(_LANDED, {"flights": landed})


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
