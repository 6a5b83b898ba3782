"""Stores whom to page when a second person is wanted, and what went out by a lane."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from services.shared.database.engine import Connection, Id, metadata
from services.shared.database.rows import columns, row_of, rows_of
from services.shared.messages import ContactEntry

pager = sa.Table(
    "gateway_pager",
    metadata,
    sa.Column("actor", Id, primary_key=True, comment="a person, or a key nobody is named for"),
    sa.Column("place", sa.SmallInteger, nullable=False, comment="the smallest is paged first"),
    sa.Column("language", sa.String(20), nullable=False),
    sa.Column("mask", sa.String(12), nullable=False, comment="the last figures, for whoever looks"),
    sa.Column("contact_id", Id, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("key_id", Id, nullable=False),
    sa.Column("spoken", sa.Boolean, nullable=False, comment="whether a call can be made to it"),
    sa.Column("given_at", sa.Float, nullable=False, comment="wall"),
)


class Pager(NamedTuple):
    """Where somebody is paged: one sealed number."""

    actor: str
    place: int
    language: str
    mask: str
    contact_id: str
    sealed: bytes
    key_id: str
    spoken: bool

    def contact(self, kind: str) -> ContactEntry:
        """As a message carries it; nobody answers by it, so it is found by no other name than its own."""
        return ContactEntry(self.contact_id, kind, self.contact_id, self.sealed, self.key_id)


review = sa.Table(
    "gateway_review",
    metadata,
    sa.Column("warning_id", Id, primary_key=True),
    sa.Column("lane_id", Id, nullable=False),
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
    """What one person sent by a lane, and what another said of it."""

    warning_id: str
    lane_id: str
    authority: str
    sent_by: str
    sent_name: str
    sent_at: float
    due_at: float
    sounded: bool
    reviewed_name: str
    reviewed_at: float | None
    words: str


async def pagers(db: Connection) -> list[Pager]:
    """Whoever can be paged, the first to be paged first."""
    return await rows_of(db, Pager, sa.select(*columns(Pager, pager)).order_by(pager.c.place, pager.c.actor))


async def pager_of(db: Connection, actor: str) -> Pager | None:
    """None where they gave no number."""
    return await row_of(db, Pager, sa.select(*columns(Pager, pager)).where(pager.c.actor == actor))
