"""Bounds what counts of people tell: none of a few, each in the audit log, so many an hour.

A count of a small area is a look at who lives there. Differences between two counts are not hidden: the hour's budget
and the log are what stands against somebody who asks for them.
"""

from __future__ import annotations

import hashlib

import sqlalchemy as sa

from services.registry.store.lookup_tables import counted
from services.shared.audit import trail
from services.shared.bus.outbox import new_id
from services.shared.clock import wall
from services.shared.database.engine import Connection
from services.shared.errors import TooMany
from services.shared.powers.who import Who

FEWEST = 10  # people, from whom on a number is told
HOUR = 3600.0


def told(people: int) -> int | None:
    """The number, where it is large enough to be told."""
    return people if people >= FEWEST else None


async def note_count(tx: Connection, who: Who, asked: str, quota: int) -> int:
    """Counts and audits that somebody counts; how many they did within an hour where that is over the quota, else 0."""
    mine = counted.c.caller_id == who.actor
    await tx.execute(sa.delete(counted).where(mine, counted.c.at <= wall() - HOUR))
    before = int(await tx.scalar(sa.select(sa.func.count()).select_from(counted).where(mine)) or 0)
    subject = hashlib.sha256(asked.encode()).hexdigest()[:32]
    if before >= quota:
        await trail.record(tx, who.label, "people.count_quota", subject, "count", {"counts": before, "quota": quota})
        return before
    await tx.execute(sa.insert(counted).values(counted_id=new_id(), at=wall(), caller_id=who.actor))
    await trail.record(tx, who.label, "people.count", subject, "count", {"asked": asked[:400], "caller_id": who.actor})
    return 0


def refuse_over(over: int, quota: int) -> None:
    """TooMany where they counted too often."""
    if over:
        raise TooMany(
            f"this key has counted {over} areas within an hour, and {quota} are allowed: wait, or count a larger area",
            retry_after=600,
        )
