"""Ends the paths of people whose part of a warning's place may be returned to; the warning goes on for all others."""

from __future__ import annotations

import sqlalchemy as sa

from services.router.opening.stopping import stop
from services.router.planning.plan import WarningContext
from services.router.store import tables
from services.shared.database import locks
from services.shared.database.batches import insert_new, one_of
from services.shared.database.engine import Connection
from services.shared.messages import AudienceFound

NOT_TOLD = "not told: nothing of the warning had reached them"


async def close_page(tx: Connection, ctx: WarningContext, message: AudienceFound, now: float) -> None:
    """A page of the part's people: those on a path of the warning are told no more of it.

    Each is noted as outside the ending's own figures until `Endings` has told them that they may go home: only who may have got
    the warning is told.
    """
    people = sorted(one.person_id for one in message.people)
    await locks.plan(tx, *ctx.issued.replaces)
    for about in ctx.issued.replaces:
        await stop(tx, about, ctx.issued, now, people)
        mine = (
            tables.path.c.warning_id == about,
            one_of(tables.path.c.person_id, people),
            sa.not_(tables.path.c.outside),
        )
        copied = ("person_id", "profile_key", "household_id", "zone_id", "grid_id", "tier", "entry")
        rows = await tx.execute(sa.select(*(tables.path.c[name] for name in copied)).where(*mine))
        noted = [
            dict(row._mapping)
            | {"warning_id": ctx.issued.warning_id, "state": "ended", "ending": "not_asked", "ended_at": now,
               "end_reason": NOT_TOLD, "outside": True}
            for row in rows
        ]  # fmt: skip
        await insert_new(tx, tables.path, noted)
