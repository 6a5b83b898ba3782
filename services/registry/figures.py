"""Counts looks at decoys, for an operator to watch."""

from __future__ import annotations

import sqlalchemy as sa

from services.registry.store.lookup_tables import decoy
from services.shared.database.engine import Connection
from services.shared.figures import Figure, Values


async def _seen(db: Connection, now: float) -> Values:
    """Looks since the register was begun, over all decoys."""
    return {(): float(await db.scalar(sa.select(sa.func.coalesce(sa.func.sum(decoy.c.seen), 0))) or 0)}


FIGURES = (
    Figure("tocsin_decoys_seen", "Looks at people who do not exist: somebody is browsing the register", (), _seen),
)
