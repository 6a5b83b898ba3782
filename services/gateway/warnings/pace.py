"""Counts how many orange and red warnings an authority has begun of late.

A program gone wrong, or whoever has its key, sends more than a person would. One more is not lost: it is held, and another
key than it came with lets it out. Updates and endings are not counted, nor kept waiting: people know of their warning.
"""

from __future__ import annotations

import sqlalchemy as sa

from services.shared.database.engine import Connection
from services.shared.i18n import english
from services.shared.ledger.warnings import warning_state
from services.shared.tiers import Tier

WITHIN_S = 3600.0  # warning time


async def too_many(db: Connection, authority: str, tier: Tier | None, now: float, rate: int) -> str:
    """Why one more of that tier waits for a second key; empty where it does not."""
    if tier is None or tier < Tier.ORANGE:
        return ""
    w = warning_state.c
    begun = sa.select(sa.func.count()).where(
        w.authority == authority, w.kind == "alert", w.tier >= int(Tier.ORANGE), w.released_at > now - WITHIN_S
    )
    if int(await db.scalar(begun) or 0) < rate:
        return ""
    return english(
        "{authority} has begun {rate} orange or red warnings within an hour (TOCSIN_RATE), and one more waits for a second key",
        authority=authority,
        rate=rate,
    )
