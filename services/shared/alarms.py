"""Keeps alarms for whoever is on duty: one row an alarm, as long as it lasts, shown wherever somebody looks.

/readyz names them (and stays 200: a proxy that took every process out would leave nobody able to act), /metrics counts
them, the console, the live page, /channels and `tocsin status` show them first, and the duty officers are sent word once
(`router/clock/alarm_messages.py`).
An alarm is named `kind` or `kind:what`. Who finds it sounds it, again and again while it lasts.
"""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa
import structlog

from services.shared.clock import wall
from services.shared.database.batches import insert_new
from services.shared.database.engine import Connection, metadata
from services.shared.database.rows import columns, rows_of
from services.shared.figures import Figure, Values

log = structlog.get_logger("alarms")
NAME, SAID = 80, 400  # most characters of each
AUDIT_REWRITTEN, AUDIT_UNKEPT, STOP_FLOOD = "audit_rewritten", "audit_unkept", "stop_flood"
KINDS = (
    AUDIT_REWRITTEN, AUDIT_UNKEPT, STOP_FLOOD, "approval", "clock", "database", "decoy", "disk", "help", "hours", "looks",
    "nobody", "policy", "provider", "refusals", "rescue", "review", "sign_ins", "team", "unheard",
)  # fmt: skip
SEEN_EVERY_S = 5.0

alarm = sa.Table(
    "alarm",
    metadata,
    sa.Column("name", sa.String(NAME), primary_key=True, comment="kind, or kind:what"),
    sa.Column("said", sa.String(SAID), nullable=False, comment="what is wrong and what to do"),
    sa.Column("since", sa.Float, nullable=False, comment="wall"),
    sa.Column("seen_at", sa.Float, nullable=False, comment="wall; last time it was found so"),
    sa.Column("told_at", sa.Float, comment="wall; when the duty officers were sent word of it"),
)


class Alarm(NamedTuple):
    """What is wrong, and since when; times are wall times."""

    name: str
    said: str
    since: float
    seen_at: float
    told_at: float | None


_ALARMS = sa.select(*columns(Alarm, alarm))


async def sound(tx: Connection, name: str, said: str, *, quiet: bool = False) -> bool:
    """It is so, in a sentence that says what to do; whether it was not known. `quiet`: nobody is sent word of it."""
    now, name, said = wall(), name[:NAME], said[:SAID]
    row = {"name": name, "said": said, "since": now, "seen_at": now, "told_at": now if quiet else None}
    if await insert_new(tx, alarm, [row]):
        (log.warning if quiet else log.critical)("alarm", alarm=name, said=said)
        return True
    # many find it: one row must not hold them up
    stale = sa.or_(alarm.c.seen_at < now - SEEN_EVERY_S, alarm.c.said != said)
    await tx.execute(sa.update(alarm).where(alarm.c.name == name, stale).values(said=said, seen_at=now))
    return False


async def over(tx: Connection, name: str) -> bool:
    """It is so no more; whether it was."""
    gone = await tx.execute(sa.delete(alarm).where(alarm.c.name == name[:NAME]))
    if gone.rowcount:
        log.warning("alarm_over", alarm=name)
    return bool(gone.rowcount)


async def standing(db: Connection, *kinds: str) -> list[Alarm]:
    """Those that stand (of these kinds), the oldest first."""
    rows = await rows_of(db, Alarm, _ALARMS.order_by(alarm.c.since, alarm.c.name))
    return [row for row in rows if not kinds or kind_of(row.name) in kinds]


def kind_of(name: str) -> str:
    """What kind of alarm it is."""
    return name.partition(":")[0]


async def untold(db: Connection) -> list[Alarm]:
    """Those of which no duty officer was sent word yet."""
    return await rows_of(db, Alarm, _ALARMS.where(alarm.c.told_at.is_(None)).order_by(alarm.c.since))


async def told(tx: Connection, name: str) -> bool:
    """Somebody is being sent word of it; False where another process was quicker, or it is over."""
    mine = sa.update(alarm).where(alarm.c.name == name, alarm.c.told_at.is_(None))
    return bool((await tx.execute(mine.values(told_at=wall()))).rowcount)


async def _figure(db: Connection, now: float) -> Values:
    found: dict[tuple[str, ...], float] = {(kind,): 0.0 for kind in KINDS}
    for row in await standing(db):
        key = (kind_of(row.name),)
        found[key] = found.get(key, 0.0) + 1.0
    return found


FIGURES = (Figure("tocsin_alarm", "Alarms that stand, by kind: what a person on duty has to know", ("kind",), _figure),)
