"""Makes an import give way to warnings: short transactions, and none while red has work to do.

On SQLite everything shares one writer and one interpreter. A page of a list is as long as somebody in danger waits at
most; so pages are small there, rows are read in a process of their own that the system serves last, and no page is begun
while a red warning is being spread or has messages that are due. A red warning that stays stuck (its provider is down)
does not keep a list out for ever: a page goes in every few seconds.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from services.registry.store.tables import job
from services.shared.database.engine import Connection, Database
from services.shared.ledger.flights import IN_THE_AIR, batch, flight
from services.shared.ledger.tables import DOOR_DRIVER
from services.shared.ledger.warnings import warning_state
from services.shared.tiers import Tier

ROWS = 100  # of a page: some tens of milliseconds with the writer in hand
LOOK_S, MOST_S = 0.1, 5.0  # between two looks; before a page goes in all the same
FRESH_S = 60.0  # after its release a red warning is on its way through the services
NICE = 10
LONG = 256 * 1024  # bytes from which rows are read in a process of their own


@dataclass(frozen=True)
class GivingWay:
    """`now` is warning time."""

    database: Database
    now: Callable[[], float]

    async def turn(self) -> float:
        """Waits until red has nothing in hand, or for MOST_S; the wall seconds it waited."""
        waited = 0.0
        while waited < MOST_S:
            async with self.database.read() as db:
                if not await red_in_hand(db, self.now()):
                    break
            await asyncio.sleep(LOOK_S)
            waited += LOOK_S
        await asyncio.sleep(0)
        return waited


async def red_in_hand(db: Connection, now: float) -> bool:
    """Whether a red warning was just released, is being spread, or has messages that are due or under way."""
    red = int(Tier.RED)
    fresh = sa.exists().where(
        warning_state.c.state == "active", warning_state.c.tier == red, warning_state.c.released_at > now - FRESH_S
    )
    spread = sa.exists().where(job.c.state == "open", job.c.tier == red)
    due = sa.exists().where(batch.c.tier == red, batch.c.due_at <= now, batch.c.driver != DOOR_DRIVER)
    open_ = sa.exists().where(flight.c.tier == red, IN_THE_AIR)
    return bool(await db.scalar(sa.select(sa.or_(fresh, spread, due, open_))))


def serve_last() -> None:
    """This process runs when no other wants to."""
    os.nice(NICE)
