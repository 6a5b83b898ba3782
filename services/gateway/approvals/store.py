"""Stores whom to page when a second person is wanted, and what went out by a preapproval."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from services.shared.database.engine import Id, metadata

review = sa.Table(
    "gateway_review",
    metadata,
    sa.Column("warning_id", Id, primary_key=True),
    sa.Column("preapproval_id", Id, nullable=False),
    sa.Column("authority", sa.String(80), nullable=False),
    sa.Column("sent_by", Id, nullable=False),
    sa.Column("sent_name", sa.String(80), nullable=False),
    sa.Column("sent_at", sa.Float, nullable=False, comment="warning time"),
    sa.Column(
        "due_at", sa.Float, nullable=False, comment="warning time; the alarm sounds where it was not reviewed by then"
    ),
    sa.Column("sounded", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("reviewed_name", sa.String(80), nullable=False, server_default=""),
    sa.Column("reviewed_at", sa.Float, comment="warning time"),
    sa.Column("words", sa.String(400), nullable=False, server_default=""),
)


class Review(NamedTuple):
    """What one person sent by a preapproval, and what another said of it."""

    warning_id: str
    preapproval_id: str
    authority: str
    sent_by: str
    sent_name: str
    sent_at: float
    due_at: float
    sounded: bool
    reviewed_name: str
    reviewed_at: float | None
    words: str
