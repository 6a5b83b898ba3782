"""Keeps which channels there are, which work, and what each lacks."""

from __future__ import annotations

import sqlalchemy as sa

from services.shared.database.engine import metadata

LOG_DRIVER = "log"  # of a channel that is written to a log, where nothing else is configured: it reaches nobody
channel = sa.Table(
    "channel",
    metadata,
    sa.Column("channel", sa.String(24), primary_key=True),
    sa.Column("driver", sa.String(24), nullable=False),
    sa.Column("contact_kinds", sa.JSON, nullable=False),
    sa.Column("two_way", sa.Boolean, nullable=False),
    sa.Column("links", sa.Boolean, nullable=False),
    sa.Column("voice", sa.Boolean, nullable=False),
    sa.Column("repeats_per_day", sa.SmallInteger, nullable=False),
    sa.Column("templates_only", sa.Boolean, nullable=False),
    sa.Column("working", sa.Boolean, nullable=False),
    sa.Column("why", sa.String(80), nullable=False, server_default=""),
    sa.Column("tested_at", sa.Float, comment="warning time of the last link test"),
    sa.Column("test_said", sa.String(160), nullable=False, server_default=""),
    comment="written by channels at start: which channels have a driver that is configured, and what each lacks",
)
