"""Keeps what was refused, with the reason, for a person to look at; it reaches nobody else."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import sqlalchemy as sa

from services.shared.database.batches import insert_new
from services.shared.database.engine import Connection, metadata
from services.shared.database.rows import columns, rows_of

MOST = 1000

kept = sa.Table(
    "gateway_quarantine",
    metadata,
    sa.Column("sha256", sa.String(64), primary_key=True, comment="the same bytes are kept once"),
    sa.Column("raw", sa.LargeBinary, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("origin", sa.String(200), nullable=False, comment="key or feed"),
    sa.Column("at", sa.Float, nullable=False, comment="wall"),
)


async def keep(tx: Connection, raw: bytes, why: str, origin: str, at: float) -> None:
    """Keeps the bytes; beyond a thousand the oldest go."""
    row = {"sha256": hashlib.sha256(raw).hexdigest(), "raw": raw, "why": why, "origin": origin[:200], "at": at}
    if await insert_new(tx, kept, [row]) == 0:
        return
    old = sa.select(kept.c.sha256).order_by(kept.c.at.desc(), kept.c.sha256).offset(MOST)
    await tx.execute(sa.delete(kept).where(kept.c.sha256.in_(old.limit(100))))


class Quarantined(NamedTuple):
    """What was refused: by its hash, why, who brought it (key or feed), and when."""

    sha256: str
    why: str
    origin: str
    at: float


async def listed(db: Connection, limit: int = 50) -> list[Quarantined]:
    """What was refused, newest first."""
    query = sa.select(*columns(Quarantined, kept)).order_by(kept.c.at.desc()).limit(limit)
    return await rows_of(db, Quarantined, query)
