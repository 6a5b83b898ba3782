"""Takes the doors of a team that does not come to them off its list: one that was called in vain, or never opened the list.

A list that nobody has opened is looked at again and again: other teams get its doors once one of them has opened theirs, and
a team that opens its own after all is given doors again. A team that has been at a door has opened its list.
"""

from __future__ import annotations

import sqlalchemy as sa

from services.router.planning.plan import WarningContext
from services.router.safety.hand_on import hand_on
from services.router.store import tables
from services.shared.database.engine import Connection
from services.shared.ledger import team_signs
from services.shared.ledger.opened_lists import opened_lists
from services.shared.ledger.tables import DOOR_DRIVER, delivery

UNOPENED = "unopened:"
AGAIN_S = 120.0  # a team that opens its list late waits no longer for doors
NOT_OPENED = "list not opened: given to another team"


async def check_list(
    tx: Connection, ctx: WarningContext, worker_id: str, now: float, plane: str
) -> dict[str, float | None]:
    """One look at one list: opened, taken, or left since nobody else has opened theirs."""
    warning_id = ctx.issued.warning_id
    mine = (tables.worker.c.warning_id == warning_id, tables.worker.c.worker_id == worker_id)
    opened = await opened_lists(tx, warning_id) | await _at_doors(tx, warning_id)
    if worker_id in opened:
        await tx.execute(sa.update(tables.worker).where(*mine, tables.worker.c.capacity == 0).values(capacity=1))
        fact = (tables.watch.c.warning_id == warning_id, tables.watch.c.what == UNOPENED + worker_id)
        await tx.execute(sa.delete(tables.watch).where(*fact))
        return {}
    again: dict[str, float | None] = {f"list:{worker_id}": now + AGAIN_S} if now + AGAIN_S < ctx.last_door() else {}
    others = opened & {w.worker_id for w in ctx.workers}
    signs = await team_signs.of_slots(tx, sorted(others), now)
    if all(one in signs and signs[one].rests for one in others):
        return again  # a list that may yet be opened is better than another that was not, or one that gets no doors
    if await take_list(tx, ctx, worker_id, NOT_OPENED, "unopened.door", now, plane):
        again[UNOPENED + worker_id] = None
    return again


async def unopened(db: Connection, warning_id: str) -> list[str]:
    """Teams whose doors went to others since nobody has opened their list."""
    mine = tables.watch.c
    rows = await db.scalars(
        sa.select(mine.what).where(mine.warning_id == warning_id, mine.what.startswith(UNOPENED)).order_by(mine.what)
    )
    return [what.removeprefix(UNOPENED) for what in rows]


async def _at_doors(db: Connection, warning_id: str) -> set[str]:
    mine = (delivery.c.warning_id == warning_id, delivery.c.driver == DOOR_DRIVER, delivery.c.answer != "")
    return set((await db.scalars(sa.select(delivery.c.slot).where(*mine).distinct())).all())


async def take_list(
    tx: Connection, ctx: WarningContext, worker_id: str, reason: str, step: str, now: float, plane: str
) -> int:
    """No more doors to that team, until it is there after all; those on its list, not begun, wait for others. How many."""
    warning_id = ctx.issued.warning_id
    mine = (tables.worker.c.warning_id == warning_id, tables.worker.c.worker_id == worker_id)
    await tx.execute(sa.update(tables.worker).where(*mine).values(capacity=0))
    return await hand_on(tx, ctx, worker_id, reason, step, now, plane)
