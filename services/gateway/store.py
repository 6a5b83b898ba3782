"""Stores each message as it came, and answers already given to an Idempotency-Key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NotRequired, TypedDict

import sqlalchemy as sa

from services.gateway.public_cache import PublicCache
from services.shared.database import rows
from services.shared.database.engine import Connection, Id, metadata
from services.shared.errors import NotFound
from services.shared.ledger.warnings import warning_scope, warning_state
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
    sa.Column("replaces", sa.JSON, nullable=False, comment="warning ids known when it came"),
)
sa.Index("ix_gateway_message_received", message.c.received_at, message.c.warning_id)
_NAMED = message.c.incident != sa.literal_column("''")
sa.Index("ix_gateway_message_incident", message.c.incident, sqlite_where=_NAMED, postgresql_where=_NAMED)
idempotency = sa.Table(
    "gateway_idempotency",
    metadata,
    sa.Column("actor", Id, primary_key=True, comment="the person or key that sent it"),
    sa.Column("idempotency_key", sa.String(200), primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("warning_id", Id, nullable=False),
    sa.Column("status", sa.SmallInteger, nullable=False),
    sa.Column("at", sa.Float, nullable=False, comment="wall"),
)


class StoredSense(TypedDict):
    """What a message means, as it is stored; `impact` in seconds since 1970 UTC, `go_to` language > place."""

    hazard: str
    respond: str
    asked: str
    instruction: str
    apart: bool
    tier_reason: str
    colour: str
    impact: float | None
    notes: list[str]
    findings: list[dict[str, str]]
    go_to: dict[str, str]
    references: list[tuple[str, str, float | None]]
    sketched: NotRequired[bool]


Texts = dict[str, dict[str, str]]  # language > source, hazard, place, action
Parts = dict[str, Any]  # settings of the whole warning beside one entry a language, in one JSON object


class StoredWarning(NamedTuple):
    """A message and its state."""

    warning_id: str
    identifier: str
    sender: str
    sent: float
    msg_type: str
    status: str
    sha256: str
    fingerprint: str
    incident: str
    raw: bytes
    via: str
    sense: StoredSense
    texts: Texts
    area: str
    geocodes: list[list[str]]
    replaces: list[str]
    state_chain_id: str
    state_tier: int
    state_state: str
    state_kind: str
    state_ending: str
    state_expires_at: float
    state_authority: str
    state_number: str
    state_doors: str
    state_released_at: float | None
    events: list[str]
    brought_by: str


class ListedWarning(NamedTuple):
    """A warning's state with its texts and meaning: what lists and public pages show."""

    warning_id: str
    chain_id: str
    tier: int
    state: str
    kind: str
    ending: str
    sent: float
    expires_at: float
    authority: str
    number: str
    doors: str
    released_at: float | None
    texts: Texts
    sense: StoredSense
    received_at: float


_COLUMNS: dict[str, sa.ColumnElement[object]] = (
    {f"state_{column.name}": column.label(f"state_{column.name}") for column in warning_state.c}
    | dict(warning_scope.c)
    | dict(message.c)
)
_STORED = (
    sa.select(*(_COLUMNS[name] for name in StoredWarning._fields))
    .join_from(message, warning_state, warning_state.c.warning_id == message.c.warning_id)
    .join(warning_scope, warning_scope.c.warning_id == message.c.warning_id)
)
LISTED: sa.Select[*tuple[object, ...]] = sa.select(*rows.columns(ListedWarning, warning_state, message)).join(
    message, message.c.warning_id == warning_state.c.warning_id
)


async def find_stored(db: Connection, warning_id: str) -> StoredWarning | None:
    """The message and its state; None where there is none."""
    return await rows.row_of(db, StoredWarning, _STORED.where(message.c.warning_id == warning_id))


async def stored(db: Connection, warning_id: str) -> StoredWarning:
    """The message and its state; NotFound where there is none."""
    row = await find_stored(db, warning_id)
    if row is None:
        raise NotFound(f"there is no warning {warning_id}", field="warning_id", given=warning_id)
    return row


async def going_on(db: Connection, warning_ids: Sequence[str]) -> list[str]:
    """Those of the warnings that are not over: in force, or waiting to be sent."""
    w = warning_state.c
    going = sa.select(w.warning_id).where(w.warning_id.in_(warning_ids), w.state.in_(("active", "held", "draft")))
    return list(await db.scalars(going.order_by(w.warning_id)))


class Published(NamedTuple):
    """A warning that went out, and when."""

    warning_id: str
    released_at: float


async def published(db: Connection, warning_ids: Sequence[str]) -> list[Published]:
    """Those of the warnings that went out, oldest first."""
    return await rows.rows_of(
        db,
        Published,
        sa.select(warning_state.c.warning_id, warning_state.c.released_at)
        .where(warning_state.c.warning_id.in_(warning_ids), warning_state.c.released_at.is_not(None))
        .order_by(warning_state.c.released_at, warning_state.c.warning_id),
    )


async def newest_of(db: Connection, chain_id: str) -> ListedWarning | None:
    """The newest released alert or update of a chain, its endings left out; None where there is none."""
    found = _released(warning_state.c.chain_id == chain_id, warning_state.c.kind != "ending")
    return await rows.row_of(db, ListedWarning, found.order_by(warning_state.c.released_at.desc()))


async def last_word(db: Connection, chain_id: str) -> ListedWarning | None:
    """The newest of a chain that was released, endings too: what is said now; None where nothing was."""
    newest = (warning_state.c.released_at.desc(), warning_state.c.sent.desc(), warning_state.c.warning_id)
    return await rows.row_of(db, ListedWarning, _released(warning_state.c.chain_id == chain_id).order_by(*newest))


async def by_number(db: Connection, number: str) -> ListedWarning | None:
    """The newest released warning with that short number; None where there is none."""
    newest = (warning_state.c.released_at.desc(), warning_state.c.sent.desc())
    return await rows.row_of(db, ListedWarning, _released(warning_state.c.number == number).order_by(*newest))


def _released(*where: sa.ColumnElement[bool]) -> sa.Select[*tuple[object, ...]]:
    return LISTED.where(*where, warning_state.c.released_at.is_not(None)).limit(1)


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
            found = (await db.execute(out.where(warning_state.c.released_at.is_not(None)))).all()
        return Names(frozenset(number for number, _ in found if number), frozenset(id for _, id in found))

    return await kept.of("names", make, NAMES_S)
