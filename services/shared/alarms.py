"""What a person on duty must be told now, kept until it is over: one row an alarm, shown wherever somebody looks.

/readyz names them (and stays 200: a proxy that took every process out would leave nobody able to act), /metrics counts
them, the console, the live page, /roads and `tocsin status` show them first, and while an orange or red warning is in
force its duty officers are sent word. An alarm is named `kind` or `kind:what`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
import structlog

from services.shared.clock import wall
from services.shared.db import Connection, metadata

log = structlog.get_logger("alarms")
NAME, SAID = 80, 400  # most characters of each

alarm = sa.Table(
    "alarm",
    metadata,
    sa.Column("name", sa.String(NAME), primary_key=True, comment="kind, or kind:what"),
    sa.Column("since", sa.Float, nullable=False, comment="wall"),
    sa.Column("said", sa.String(SAID), nullable=False, comment="what is wrong and what to do"),
    sa.Column("told_at", sa.Float, comment="wall; when the duty officers were sent word of it"),
)


async def sound(tx: Connection, name: str, said: str, *, quiet: bool = False) -> bool:
    """Writes the alarm down, or its newest words; whether it is new. `quiet`: somebody else sends word of it."""
    name, said = name[:NAME], said[:SAID]
    stood = await tx.scalar(sa.select(alarm.c.said).where(alarm.c.name == name))
    if stood == said:
        return False
    if stood is not None:
        await tx.execute(sa.update(alarm).where(alarm.c.name == name).values(said=said))
        return False
    now = wall()
    await tx.execute(sa.insert(alarm).values(name=name, since=now, said=said, told_at=now if quiet else None))
    log.error("alarm", alarm=name, said=said)
    return True


async def over(tx: Connection, name: str) -> bool:
    """Takes the alarm away; whether it stood."""
    gone = await tx.execute(sa.delete(alarm).where(alarm.c.name == name[:NAME]))
    if gone.rowcount:
        log.warning("alarm_over", alarm=name)
    return bool(gone.rowcount)


async def standing(db: Connection, *kinds: str) -> Sequence[Any]:
    """name, since, said of those that stand (of these kinds), the oldest first."""
    rows = (await db.execute(sa.select(alarm).order_by(alarm.c.since, alarm.c.name))).all()
    return [row for row in rows if not kinds or kind_of(row.name) in kinds]


def kind_of(name: str) -> str:
    """What kind of alarm it is."""
    return name.partition(":")[0]


async def untold(db: Connection) -> Sequence[Any]:
    """Those of which no duty officer was sent word yet."""
    return (await db.execute(sa.select(alarm).where(alarm.c.told_at.is_(None)).order_by(alarm.c.since))).all()


async def told(tx: Connection, name: str) -> bool:
    """Somebody is being sent word of it; False where another process was quicker, or it is over."""
    mine = sa.update(alarm).where(alarm.c.name == name, alarm.c.told_at.is_(None))
    return bool((await tx.execute(mine.values(told_at=wall()))).rowcount)


async def figure(db: Connection, now: float) -> Mapping[tuple[str, ...], float]:
    """How many stand, by kind."""
    found: dict[tuple[str, ...], float] = {}
    for row in await standing(db):
        key = (kind_of(row.name),)
        found[key] = found.get(key, 0.0) + 1.0
    return found
