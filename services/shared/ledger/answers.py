"""Keeps every answer, and words for a person to read, as they came in."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from services.shared.database.engine import Id, metadata

answer_log = sa.Table(
    "answer_log",
    metadata,
    sa.Column("event_key", sa.String(64), primary_key=True, comment="the same event told twice is one row"),
    sa.Column("delivery_id", Id, nullable=False, index=True),
    sa.Column("answer", sa.String(12), nullable=False),
    sa.Column("by", sa.String(24), nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("covers", sa.SmallInteger, nullable=False, server_default="1"),
    sa.Column("note", sa.String(400), nullable=False, server_default=""),
    sa.Column("asks", sa.String(8), nullable=False, server_default="", comment="a person has to read it, how soon"),
    sa.Column(
        "undone", sa.String(12), nullable=False, server_default="", comment="the answer, where it was taken back"
    ),
    sa.CheckConstraint("asks IN ('','question','urgent')", name="asks"),
)


class Logged(NamedTuple):
    """One answer, or words for a person to read, as it came in."""

    event_key: str
    delivery_id: str
    answer: str
    by: str
    at: float
    covers: int
    note: str
    asks: str
    undone: str
