"""Stores each message as it came, and answers already given to an Idempotency-Key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from services.gateway.public_cache import PublicCache
from services.shared.database.engine import Connection, Id, metadata
from services.shared.ledger.ledger import warning_state
from services.shared.service import Platform

NAMES_S = 2.0  # how long a number released by another process may be unknown here: shorter than its first text takes

message = sa.Table(
    "gateway_message",
    metadata,
    sa.Column("warning_id", Id, primary_key=True),
    sa.Column("identifier", sa.String(400), nullable=False, index=True),
    sa.Column("sender", sa.String(400), nullable=False),
    sa.Column("sent", sa.Float, nullable=False),
    sa.Column("msg_type", sa.String(8), nullable=False),
    sa.Column("status", sa.String(10), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("fingerprint", sa.String(64), nullable=False, comment="of what it says, however it was written"),
    sa.Column("incident", sa.String(400), nullable=False, comment="where a source's incidents are its events"),
    sa.Column("raw", sa.LargeBinary, nullable=False),
    sa.Column("via", sa.String(20), nullable=False, comment="cap, json, console, feed, ending"),
    sa.Column("by", sa.String(80), nullable=False),
    sa.Column("received_at", sa.Float, nullable=False, comment="warning time"),
    sa.Column("sense", sa.JSON, nullable=False, comment="hazard, respond, tier and why, impact, notes, findings"),
    sa.Column("texts", sa.JSON, nullable=False, comment="language > source, hazard, place, action"),
    sa.Column("area", sa.Text, nullable=False, comment="GeoJSON, or empty"),
    sa.Column("geocodes", sa.JSON, nullable=False),
    sa.Column("replaces", sa.JSON, nullable=False, comment="warning ids known when it came"),
)
sa.Index("ix_gateway_message_received", message.c.received_at, message.c.warning_id)
_NAMED = message.c.incident != sa.literal_column("''")
sa.Index("ix_gateway_message_incident", message.c.incident, sqlite_where=_NAMED, postgresql_where=_NAMED)
idempotency = sa.Table(
    "gateway_idempotency",
    metadata,
    sa.Column("key_id", Id, primary_key=True),
    sa.Column("idempotency_key", sa.String(200), primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("warning_id", Id, nullable=False),
    sa.Column("status", sa.SmallInteger, nullable=False),
    sa.Column("at", sa.Float, nullable=False, comment="wall"),
)


async def row_of(db: Connection, warning_id: str) -> Any:
    """Message and state together, or None."""
    return (
        await db.execute(
            sa.select(message, *(c.label(f"state_{c.name}") for c in warning_state.c))
            .join(warning_state, warning_state.c.warning_id == message.c.warning_id)
            .where(message.c.warning_id == warning_id)
        )
    ).first()


async def published(db: Connection, warning_ids: Sequence[str]) -> Sequence[Any]:
    """Those of the warnings that went out, oldest first: warning_id and released_at."""
    rows = await db.execute(
        sa.select(warning_state.c.warning_id, warning_state.c.released_at)
        .where(warning_state.c.warning_id.in_(warning_ids), warning_state.c.released_at.is_not(None))
        .order_by(warning_state.c.released_at, warning_state.c.warning_id)
    )
    return rows.all()


async def newest_of(db: Connection, chain_id: str) -> Any:
    """The newest released alert or update of a chain (not its endings), or None."""
    return (
        await db.execute(
            sa.select(warning_state, message.c.texts, message.c.sense)
            .join(message, message.c.warning_id == warning_state.c.warning_id)
            .where(
                warning_state.c.chain_id == chain_id,
                warning_state.c.kind != "ending",
                warning_state.c.released_at.is_not(None),
            )
            .order_by(warning_state.c.released_at.desc())
            .limit(1)
        )
    ).first()


async def last_word(db: Connection, chain_id: str) -> Any:
    """The newest of a chain that was released, endings too, with its texts: what is said now; None where nothing was."""
    return (
        await db.execute(
            sa.select(warning_state, message.c.texts, message.c.sense)
            .join(message, message.c.warning_id == warning_state.c.warning_id)
            .where(warning_state.c.chain_id == chain_id, warning_state.c.released_at.is_not(None))
            .order_by(warning_state.c.released_at.desc(), warning_state.c.sent.desc(), warning_state.c.warning_id)
            .limit(1)
        )
    ).first()


async def by_number(db: Connection, number: str) -> Any:
    """The newest released warning with that short number, or None."""
    return (
        await db.execute(
            sa.select(warning_state, message.c.texts, message.c.sense)
            .join(message, message.c.warning_id == warning_state.c.warning_id)
            .where(warning_state.c.number == number, warning_state.c.released_at.is_not(None))
            .order_by(warning_state.c.released_at.desc(), warning_state.c.sent.desc())
            .limit(1)
        )
    ).first()


@dataclass(frozen=True)
class Names:
    """By which everybody may ask for what went out: short numbers, and ids of warnings."""

    numbers: frozenset[str]
    ids: frozenset[str]


async def names_out(platform: Platform, kept: PublicCache) -> Names:
    """Of everything that was ever released; kept for NAMES_S, so that asking for what is none costs no look-up."""

    async def make() -> Names:
        async with platform.database.read() as db:
            out = sa.select(warning_state.c.number, warning_state.c.warning_id)
            rows = (await db.execute(out.where(warning_state.c.released_at.is_not(None)))).all()
        return Names(frozenset(row.number for row in rows if row.number), frozenset(row.warning_id for row in rows))

    return await kept.of("names", make, NAMES_S)
