"""Keeps what a warning is now, what a grant is held against, and the words it brings."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from services.shared.database.engine import Id, metadata

warning_state = sa.Table(
    "warning_state",
    metadata,
    sa.Column("warning_id", Id, primary_key=True),
    sa.Column("chain_id", Id, nullable=False),
    sa.Column("tier", sa.SmallInteger, nullable=False),
    sa.Column("state", sa.String(12), nullable=False),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("purpose", sa.String(8), nullable=False),
    sa.Column("ending", sa.String(24), nullable=False, server_default=""),
    sa.Column("sent", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
    sa.Column("authority", sa.String(80), nullable=False),
    sa.Column("number", sa.String(8), nullable=False, comment="the short number people read out"),
    sa.Column("doors", sa.String(10), nullable=False, comment="may people be sent to doors"),
    sa.Column("doors_by", sa.String(80), nullable=False, server_default=""),
    sa.Column(
        "accepted_reaches",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="its policy takes whom a provider has accepted for reached",
    ),
    sa.Column("released_at", sa.Float, comment="warning time"),
    sa.Column("ended_at", sa.Float, comment="warning time of cancel or supersession"),
    sa.CheckConstraint(
        "state IN ('draft','held','active','stored','parked','cancelled','superseded','withdrawn')", name="state"
    ),
    sa.CheckConstraint("kind IN ('alert','update','ending')", name="kind"),
    sa.CheckConstraint("doors IN ('allowed','ask','forbidden','unsafe')", name="doors"),
    sa.CheckConstraint("tier BETWEEN 0 AND 4", name="tier"),
)
sa.Index("ix_warning_state_number", warning_state.c.number)
sa.Index("ix_warning_state_state", warning_state.c.state, warning_state.c.expires_at)
sa.Index("ix_warning_state_chain", warning_state.c.chain_id)


class WarningState(NamedTuple):
    """What a warning is now."""

    warning_id: str
    chain_id: str
    tier: int
    state: str
    kind: str
    purpose: str
    ending: str
    sent: float
    expires_at: float
    authority: str
    number: str
    doors: str
    doors_by: str
    accepted_reaches: bool
    released_at: float | None
    ended_at: float | None


EXPIRED = "expired"


def state_at(state: str, expires_at: float, now: float) -> str:
    """What is said of a warning at a warning time: an active one whose time is over is `expired`.

    The stored word stays: a clock that was set wrong ends nothing for good, who answers late is still heard, doors under
    way go on, and a person can end it or send its update.
    """
    return EXPIRED if state == "active" and expires_at <= now else state


def in_force(now: float) -> sa.ColumnElement[bool]:
    """The same for a query: active, and its time is not over."""
    return sa.and_(warning_state.c.state == "active", warning_state.c.expires_at > now)


warning_scope = sa.Table(
    "warning_scope",
    metadata,
    sa.Column("warning_id", Id, primary_key=True),
    sa.Column("sender", sa.String(400), nullable=False),
    sa.Column("events", sa.JSON, nullable=False, comment="hazard and event codes, as a grant names them"),
    sa.Column("area", sa.Text, nullable=False, comment="GeoJSON, or empty"),
    sa.Column("geocodes", sa.JSON, nullable=False, comment="[[code list, code]]"),
    sa.Column("km2", sa.Float, nullable=False, comment="of the whole place, codes included"),
    sa.Column("braked", sa.Boolean, nullable=False, server_default=sa.false(), comment="far larger than usual"),
    sa.Column("brought_by", Id, nullable=False, comment="the person or key it came with"),
    sa.Column("holds", sa.JSON, nullable=False, comment="why a person must let it out, in sentences"),
)

warning_text = sa.Table(
    "warning_text",
    metadata,
    sa.Column("warning_id", Id, primary_key=True),
    sa.Column("parts", sa.JSON, nullable=False, comment="language > source, hazard, place, action, time"),
    sa.Column("cap_xml", sa.LargeBinary, nullable=False, comment="the CAP 1.2 document broadcasters get"),
)

warning_preview = sa.Table(
    "warning_preview",
    metadata,
    sa.Column("warning_id", Id, primary_key=True),
    sa.Column("issued", sa.LargeBinary, nullable=False, comment="the newest question, a WarningIssued"),
    sa.Column("result", sa.JSON, comment="whom it would reach; null until the registry has counted"),
)
policy_in_force = sa.Table(
    "policy_in_force",
    metadata,
    sa.Column("plane", sa.String(8), primary_key=True),
    sa.Column("policy", sa.String(64), nullable=False, comment="SHA-256 of what new warnings are walked by"),
)
