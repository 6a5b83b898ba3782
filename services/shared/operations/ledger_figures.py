"""Figures of the ledger an operator watches, read from the tables at scrape; each a cheap query over an index."""

from __future__ import annotations

import sqlalchemy as sa

from services.shared.bus.outbox import dead_letter, outbox
from services.shared.clock import wall
from services.shared.database.engine import Connection
from services.shared.figures import CAP, Figure, Values, by_tier
from services.shared.ledger.channels import channel
from services.shared.ledger.flights import WAITS, batch
from services.shared.ledger.moves import may_be_sent
from services.shared.ledger.tables import IS_UNKNOWN, delivery
from services.shared.tiers import Tier


async def due(db: Connection, now: float) -> Values:
    """Deliveries that could be sent now and are in nobody's hand. A visit also needs an officer and the word to go."""
    ready = (WAITS, batch.c.due_at <= now, may_be_sent(now, batch))
    rows = await db.execute(sa.select(batch.c.tier, sa.func.sum(batch.c.n)).where(*ready).group_by(batch.c.tier))
    return by_tier(dict.fromkeys(Tier, 0.0) | {row.tier: float(row[1]) for row in rows})


async def unknown(db: Connection, now: float) -> Values:
    """Deliveries the provider may or may not have accepted."""
    some = sa.select(delivery.c.tier).where(IS_UNKNOWN).limit(CAP).subquery()
    rows = await db.execute(sa.select(some.c.tier, sa.func.count()).group_by(some.c.tier))
    return by_tier({row.tier: row[1] for row in rows})


async def oldest_outbox(db: Connection, now: float) -> Values:
    """Wall seconds the oldest message waits that a consumer has not had; one set back after a failure waits too."""
    rows = await db.execute(sa.select(outbox.c.tier, sa.func.min(outbox.c.created_at)).group_by(outbox.c.tier))
    at = wall()
    return by_tier({tier: max(0.0, at - since) for tier, since in rows.all()})


async def dead_letters(db: Connection, now: float) -> Values:
    """Messages put aside: each waits for a person."""
    rows = await db.execute(sa.select(dead_letter.c.tier, sa.func.count()).group_by(dead_letter.c.tier))
    return by_tier({row.tier: row[1] for row in rows})


async def channels(db: Connection, now: float) -> Values:
    """1 where the channel's driver is configured, else 0."""
    rows = await db.execute(sa.select(channel.c.channel, channel.c.working))
    return {(name,): float(working) for name, working in rows.all()}


LEDGER = (
    Figure(
        "tocsin_due",
        "Deliveries that could go now and are in nobody's hand",
        ("tier",),
        due,
    ),
    Figure("tocsin_unknown", f"Deliveries whose outcome is not known, counted to {CAP}", ("tier",), unknown),
    Figure("tocsin_oldest_outbox_seconds", "Age of the oldest message not yet handled", ("tier",), oldest_outbox),
    Figure("tocsin_dead_letters", "Messages put aside for a person to look at", ("tier",), dead_letters),
    Figure("tocsin_channel_working", "1 where the channel has a driver that is configured", ("channel",), channels),
)
