"""Keeps what waits for a second person, and preapprovals: what two persons approved beforehand."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from services.shared.database.engine import Connection, Id, metadata
from services.shared.database.rows import row_of

warning_asked = sa.Table(
    "warning_asked",
    metadata,
    sa.Column("warning_id", Id, primary_key=True),
    sa.Column("asked_by", Id, nullable=False, comment="the person or key that waits for a second person"),
    sa.Column("asked_name", sa.String(80), nullable=False),
    sa.Column("asked_at", sa.Float, nullable=False, comment="warning time"),
    sa.Column("next_at", sa.Float, comment="warning time of the next page; null once it is decided"),
    sa.Column("at_once", sa.SmallInteger, nullable=False, comment="how many are paged then"),
    sa.Column("paged", sa.JSON, nullable=False, comment="who was paged in this round"),
    sa.Column("pages", sa.SmallInteger, nullable=False, comment="pages in all rounds"),
    sa.Column("alone_at", sa.Float, comment="warning time when somebody last said that they are alone"),
    sa.Index("ix_warning_asked_next", "next_at"),
)


class SecondAsked(NamedTuple):
    """A draft or held warning for which a second person was asked; times are warning times."""

    warning_id: str
    asked_by: str
    asked_name: str
    asked_at: float
    next_at: float | None
    at_once: int
    paged: list[str]
    pages: int
    alone_at: float | None


preapproval = sa.Table(
    "preapproval",
    metadata,
    sa.Column("preapproval_id", Id, primary_key=True),
    sa.Column("authority", sa.String(80), nullable=False),
    sa.Column("name", sa.String(120), nullable=False),
    sa.Column("tier", sa.SmallInteger, nullable=False, comment="the highest that goes out by it"),
    sa.Column("sender", sa.String(400), nullable=False, comment="CAP sender of its template"),
    sa.Column("events", sa.JSON, nullable=False, comment="hazard and event codes of its template"),
    sa.Column("template", sa.String(64), nullable=False, comment="SHA-256 of what its texts say, the place left out"),
    sa.Column("texts", sa.JSON, nullable=False, comment="language > source, hazard, place, action"),
    sa.Column("shapes", sa.JSON, nullable=False, comment="GeoJSON texts whose union is its zone"),
    sa.Column("from_min", sa.SmallInteger, nullable=False, comment="minute of the local day"),
    sa.Column("to_min", sa.SmallInteger, nullable=False, comment="the same; equal to from_min for the whole day"),
    sa.Column("until", sa.Float, nullable=False, comment="warning time"),
    sa.Column("trigger", sa.String(400), nullable=False, comment="what must have been seen, in words"),
    sa.Column("made_by", Id, nullable=False),
    sa.Column("made_name", sa.String(80), nullable=False),
    sa.Column("made_at", sa.Float, nullable=False, comment="warning time"),
    sa.Column("approved_by", Id, nullable=False, server_default=""),
    sa.Column("approved_name", sa.String(80), nullable=False, server_default=""),
    sa.Column("approved_at", sa.Float, comment="warning time"),
    sa.Column("ended_at", sa.Float, comment="warning time"),
)


class Preapproval(NamedTuple):
    """A warning approved beforehand: its template, zone, trigger and hours. Nothing goes out by one nobody approved."""

    preapproval_id: str
    authority: str
    name: str
    tier: int
    sender: str
    events: list[str]
    template: str
    texts: dict[str, dict[str, str]]
    shapes: list[str]
    from_min: int
    to_min: int
    until: float
    trigger: str
    made_by: str
    made_name: str
    made_at: float
    approved_by: str
    approved_name: str
    approved_at: float | None
    ended_at: float | None


async def asked_about(db: Connection, warning_id: str) -> SecondAsked | None:
    """None where nobody was asked."""
    return await row_of(db, SecondAsked, sa.select(warning_asked).where(warning_asked.c.warning_id == warning_id))


def open_preapprovals(authority: str, now: float) -> sa.ColumnElement[bool]:
    """For a query: preapprovals of an authority that were approved and are not over."""
    return sa.and_(
        preapproval.c.authority == authority,
        preapproval.c.approved_at.is_not(None),
        preapproval.c.ended_at.is_(None),
        preapproval.c.until > now,
    )


async def has_preapprovals(db: Connection, authority: str, now: float) -> bool:
    """Whether there is any by which one person might send."""
    return bool(
        await db.scalar(sa.select(sa.func.count()).select_from(preapproval).where(open_preapprovals(authority, now)))
    )
