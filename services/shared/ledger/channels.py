"""Keeps which channels there are, which work, and what each lacks."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from services.shared.database.engine import Connection, metadata
from services.shared.database.rows import columns, rows_of

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


class Failing(NamedTuple):
    """A channel whose link test failed twice; `why` says what was said of it."""

    channel: str
    working: bool
    why: str
    test_said: str


async def failing_channels(db: Connection) -> list[Failing]:
    """Channels whose link test failed twice, with what was said of it; one that is not `working` is left out of paths."""
    out = sa.select(*columns(Failing, channel)).where(channel.c.why.startswith("link test"))
    return await rows_of(db, Failing, out.order_by(channel.c.channel))
