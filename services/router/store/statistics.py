"""Refreshes what PostgreSQL believes of the ledger's tables while they are small."""

from __future__ import annotations

import sqlalchemy as sa

from services.router.store import tables
from services.shared.database.engine import Database
from services.shared.ledger.answers import answer_log
from services.shared.ledger.tables import attempt, delivery, delivery_cover

SMALL = 10_000  # deliveries: beyond, autovacuum has been here, and what it found holds
_TABLES = ", ".join(one.name for one in (tables.path, tables.tally, delivery, delivery_cover, attempt, answer_log))


async def refresh(database: Database) -> None:
    """After a warning's first page is committed: its next ones are not planned by what was found of empty tables.

    Autovacuum comes a minute later, and by then most of a warning has read every row of it for each batch. Row counts are
    scaled by the server as the tables grow, so once is enough. Nobody waits: a table that is being looked at is left out.
    """
    if database.is_sqlite:
        return
    async with database.read() as db:
        known = sa.text("SELECT reltuples FROM pg_class WHERE oid = CAST(:name AS regclass)")
        if float(await db.scalar(known, {"name": delivery.name})) >= SMALL:
            return
    async with database.write() as tx:
        await tx.execute(sa.text(f"ANALYZE (SKIP_LOCKED) {_TABLES}"))
