"""Ends the paths of people whose part of a warning's place may be returned to; the warning goes on for all others."""

from __future__ import annotations

import sqlalchemy as sa

from services.router.opening.stopping import stop
from services.router.planning.plan import WarningContext
from services.router.store import tables
from services.shared.database import locks
from services.shared.database.batches import insert_new, one_of
from services.shared.database.engine import Connection
from services.shared.errors import Busy
from services.shared.messages import AudienceFound

NOT_TOLD = "not told: nothing of the warning had reached them"


async def close_page(tx: Connection, ctx: WarningContext, message: AudienceFound, now: float) -> None:
    """A page of the part's people: those on a path of the warning are told no more of it.

    Each is noted as outside the ending's own figures until `Endings` has told them that they may go home: only who may have got
    the warning is told. Whoever the warning found elsewhere than the part does is left as they are: the part is where they work
    or stay, and they were warned at another place, which is no part of it. Busy while the warning's own pages are still coming: a
    path that opened later would tell somebody of the part to leave.
    """
    await locks.plan(tx, *ctx.issued.replaces)
    for about in ctx.issued.replaces:
        if not await tx.scalar(sa.select(tables.warning.c.complete).where(tables.warning.c.warning_id == about)):
            raise Busy(f"page {message.page} of a part came before the last page of its warning {about}")
        people = await _warned_here(tx, about, message)
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


async def _warned_here(tx: Connection, about: str, message: AudienceFound) -> list[str]:
    """Those of the page whom the warning found at the same place: of a household's home, or of their stay."""
    found = {one.person_id: one.household_id for one in message.people}
    rows = await tx.execute(
        sa.select(tables.path.c.person_id, tables.path.c.household_id).where(
            tables.path.c.warning_id == about, one_of(tables.path.c.person_id, sorted(found))
        )
    )
    return sorted(row.person_id for row in rows if row.household_id == found[row.person_id])
