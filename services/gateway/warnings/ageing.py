"""Gives up drafts and held messages nobody decides on, and tells whoever made them.

A day after its own end, or 14 days after it came. It can be sent no more by then or holds an old state of things. The
word stands on the message's page, in the API, in the audit log, and on the console of whoever has the same key.
"""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa
import structlog

from services.gateway.store import Parts, StoredSense, message
from services.shared.audit import trail
from services.shared.database import locks
from services.shared.database.engine import Connection, Database
from services.shared.database.rows import columns, rows_of
from services.shared.ledger.warnings import warning_scope, warning_state, warning_text

AFTER_END_S = 86400.0
AT_LONGEST_S = 14 * 86400.0
EVERY_S = 60.0  # warning time between two looks
AT_ONCE = 50
TOLD_S = 7 * 86400.0  # how long the console says so
OLD = "given up by the clock: nobody decided on it within 14 days; send it anew under another identifier if it still holds"
OVER = "given up by the clock: its time was over and nobody had decided on it; send a new one if the danger goes on"
log = structlog.get_logger("gateway")


async def give_up_old(database: Database, now: float) -> int:
    """Those that are due, at most 50 in one transaction; how many. `now` is warning time."""
    async with database.read() as db:
        if not await _due(db, now):
            return 0
    async with database.write() as tx:
        await locks.acts(tx)
        rows = await _due(tx, now)
        for row in rows:
            why = OVER if row.expires_at <= now - AFTER_END_S else OLD
            about = row.warning_id
            sense = {**row.sense, "notes": [*row.sense["notes"], why]}
            mine = warning_state.c.warning_id == about
            await tx.execute(sa.update(warning_state).where(mine).values(state="withdrawn", ended_at=now))
            await tx.execute(sa.update(message).where(message.c.warning_id == about).values(sense=sense))
            parts = {**row.parts, "notes": [*row.parts.get("notes", []), why]}
            await tx.execute(sa.update(warning_text).where(warning_text.c.warning_id == about).values(parts=parts))
            await trail.record(tx, "clock", "give_up", about, why, {"by": row.by})
            log.warning("draft_given_up", warning_id=about, state=row.state, tier=row.tier)
    return len(rows)


class _Undecided(NamedTuple):
    warning_id: str
    state: str
    tier: int
    expires_at: float
    sense: StoredSense
    by: str
    parts: Parts


async def _due(db: Connection, now: float) -> list[_Undecided]:
    w = warning_state.c
    return await rows_of(
        db,
        _Undecided,
        sa.select(*columns(_Undecided, warning_state, message, warning_text))
        .join(message, message.c.warning_id == w.warning_id)
        .join(warning_text, warning_text.c.warning_id == w.warning_id)
        .where(
            w.state.in_(("draft", "held")),
            sa.or_(w.expires_at <= now - AFTER_END_S, message.c.received_at <= now - AT_LONGEST_S),
        )
        .order_by(w.expires_at, w.warning_id)
        .limit(AT_ONCE),
    )


async def given_up_of(db: Connection, actor: str, now: float) -> int:
    """How many messages that this person or key brought were given up in the last seven days."""
    w = warning_state.c
    notes = sa.cast(message.c.sense, sa.Text)
    found = await db.scalar(
        sa.select(sa.func.count())
        .select_from(warning_state)
        .join(message, message.c.warning_id == w.warning_id)
        .join(warning_scope, warning_scope.c.warning_id == w.warning_id)
        .where(
            w.state == "withdrawn",
            w.ended_at > now - TOLD_S,
            warning_scope.c.brought_by == actor,
            notes.contains("given up by the clock"),
        )
    )
    return int(found or 0)
