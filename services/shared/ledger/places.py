"""Keeps places people go to: where they are, whether they are open, and whom they take."""

from __future__ import annotations

import sqlalchemy as sa

from services.shared.database.engine import Id, metadata

place = sa.Table(
    "registry_place",
    metadata,
    sa.Column("place_id", Id, primary_key=True),
    sa.Column("name", sa.String(300), nullable=False),
    sa.Column("address", sa.String(300), nullable=False),
    sa.Column("lat", sa.Double, nullable=False),
    sa.Column("lon", sa.Double, nullable=False),
    sa.Column("cell", sa.Integer, nullable=False, index=True),
    sa.Column("state", sa.String(8), nullable=False),
    sa.Column("confirmed_by", sa.String(80), nullable=False),
    sa.Column("confirmed_at", sa.Double, comment="wall; null: nobody has confirmed it"),
    sa.Column("step_free", sa.Boolean, nullable=False),
    sa.Column("power", sa.Boolean, nullable=False, comment="for oxygen, in a power cut too"),
    sa.Column("interpreter", sa.JSON, nullable=False, comment="languages spoken and signed there"),
    sa.Column("animals", sa.Boolean, nullable=False),
    sa.Column("capacity", sa.Integer, nullable=False),
    sa.Column("route", sa.String(300), nullable=False, comment="the safe way there, in words"),
    sa.Column("authority", sa.String(80), nullable=False, comment="whose list named it; empty: nobody's yet"),
    sa.CheckConstraint("state IN ('open', 'closed', 'unknown')", name="state"),
)
