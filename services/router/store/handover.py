"""Stores handover notes: what one shift tells the next, kept with the chain of the warning."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from services.shared.database.engine import Id, metadata

MOST = 2000  # characters of a note
handover = sa.Table(
    "router_handover",
    metadata,
    sa.Column("note_id", Id, primary_key=True),
    sa.Column("chain_id", Id, nullable=False, index=True),
    sa.Column("at", sa.Float, nullable=False, comment="warning time"),
    sa.Column("by", sa.String(80), nullable=False),
    sa.Column("text", sa.String(MOST), nullable=False),
    comment="what one shift tells the next",
)


class Note(NamedTuple):
    """One note."""

    note_id: str
    chain_id: str
    at: float
    by: str
    text: str
