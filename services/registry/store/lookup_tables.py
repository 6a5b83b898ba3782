"""Stores looks at people: who was shown to which key, emergency unlocks, decoys."""

from __future__ import annotations

import sqlalchemy as sa

from services.shared.database.engine import Id, metadata

look = sa.Table(
    "registry_look",
    metadata,
    sa.Column("look_id", Id, primary_key=True),
    sa.Column("at", sa.Double, nullable=False, comment="wall"),
    sa.Column("caller_id", Id, nullable=False, comment="whoever looked: a person, or an API key"),
    sa.Column("person_id", Id, nullable=False, index=True),
    sa.Column("unlock_id", Id, nullable=False, comment="the emergency that allowed it; empty for none"),
    sa.Index(None, "caller_id", "at"),
    comment="one row a person shown; the audit log has the reason",
)
counted = sa.Table(
    "registry_counted",
    metadata,
    sa.Column("counted_id", Id, primary_key=True),
    sa.Column("at", sa.Double, nullable=False, comment="wall"),
    sa.Column("caller_id", Id, nullable=False, comment="whoever counted: a person, or an API key"),
    sa.Index(None, "caller_id", "at"),
    comment="one row a count of an area, for an hour",
)
unlock = sa.Table(
    "registry_unlock",
    metadata,
    sa.Column("unlock_id", Id, primary_key=True),
    sa.Column("warning_id", Id, nullable=False),
    sa.Column("zone", sa.String(32), nullable=False, comment="zone_id or grid_id"),
    sa.Column("by", sa.String(80), nullable=False),
    sa.Column("authority", sa.String(80), nullable=False, comment="whose it is"),
    sa.Column("reason", sa.String(400), nullable=False),
    sa.Column("opened_at", sa.Double, nullable=False, comment="wall"),
    sa.Column("until", sa.Double, nullable=False, comment="wall"),
    sa.Column("closed_at", sa.Double, comment="wall; null: not written down as closed yet"),
)
decoy = sa.Table(
    "registry_decoy",
    metadata,
    sa.Column("person_id", Id, primary_key=True),
    sa.Column("planted_at", sa.Double, nullable=False, comment="wall"),
    sa.Column("seen", sa.Integer, nullable=False, comment="how many times somebody looked: each is an alarm"),
)
