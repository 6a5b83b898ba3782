"""Stores what waits for a second person, whom to page, lanes, and what was sent through one."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from services.shared.database.engine import Connection, Id, metadata
from services.shared.database.rows import columns, row_of, rows_of
from services.shared.messages import ContactEntry

asked = sa.Table(
    "gateway_asked",
    metadata,
    sa.Column("warning_id", Id, primary_key=True),
    sa.Column("authority", sa.String(80), nullable=False),
    sa.Column("asked_by", Id, nullable=False, comment="who waits for a second person"),
    sa.Column("asked_name", sa.String(80), nullable=False),
    sa.Column("asked_at", sa.Float, nullable=False, comment="warning time"),
    sa.Column("next_at", sa.Float, comment="warning time of the next page; null once somebody decided"),
    sa.Column("paged", sa.JSON, nullable=False, comment="who was paged, in order"),
    sa.Column("rounds", sa.SmallInteger, nullable=False, comment="how often all of them were"),
    sa.Index("ix_gateway_asked_next", "next_at"),
)


class Asked(NamedTuple):
    """A draft or held warning that waits for a second person; times are warning times."""

    warning_id: str
    authority: str
    asked_by: str
    asked_name: str
    asked_at: float
    next_at: float | None
    paged: list[str]
    rounds: int


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


async def pagers(db: Connection) -> list[Pager]:
    """Whoever can be paged, the first to be paged first."""
    return await rows_of(db, Pager, sa.select(*columns(Pager, pager)).order_by(pager.c.place, pager.c.actor))


async def pager_of(db: Connection, actor: str) -> Pager | None:
    """None where they gave no number."""
    return await row_of(db, Pager, sa.select(*columns(Pager, pager)).where(pager.c.actor == actor))


async def asked_about(db: Connection, warning_id: str) -> Asked | None:
    """None where nobody was asked."""
    return await row_of(db, Asked, sa.select(asked).where(asked.c.warning_id == warning_id))


async def due(db: Connection, now: float) -> list[Asked]:
    """What waits for the next page, the longest waiting first."""
    return await rows_of(db, Asked, sa.select(asked).where(asked.c.next_at <= now).order_by(asked.c.next_at).limit(50))


async def next_at(db: Connection) -> float | None:
    """The warning time of the next page."""
    found: float | None = await db.scalar(sa.select(sa.func.min(asked.c.next_at)))
    return found
