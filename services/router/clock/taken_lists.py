"""Takes the doors of a team that does not come to them off its list: one that was called in vain, or never opened the list.

A list that nobody has opened is looked at again and again: other teams get its doors once one of them has opened theirs, and
a team that opens its own after all is given doors again. A team that has been at a door has opened its list.
"""

from __future__ import annotations

import sqlalchemy as sa

from services.router.cases import cases
from services.router.planning import elsewhere
from services.router.planning.paths import put as put_rows
from services.router.planning.plan import Person, WarningContext
from services.router.planning.rows import door
from services.router.store import tables
from services.shared.database.engine import Connection
from services.shared.ledger.deliveries import NewDelivery, Planned
from services.shared.ledger.moves import move
from services.shared.ledger.opened_lists import opened_lists
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import DOOR_DRIVER, delivery
from services.shared.ledger.tally import Deltas

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
    if not opened & {w.worker_id for w in ctx.workers}:
        return again  # a list that may yet be opened is better than another that was not
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
    rows = (
        await tx.execute(
            sa.select(delivery.c.delivery_id, delivery.c.person_id).where(
                delivery.c.warning_id == warning_id, delivery.c.slot == worker_id, delivery.c.driver == DOOR_DRIVER,
                delivery.c.answer == "", delivery.c.send_state.in_(("pending", "retry", "accepted")),
            )
        )
    ).all()  # fmt: skip
    ids = sorted(r.delivery_id for r in rows)
    await move(tx, ids, SendState.SUPPRESSED, at=now, only=(SendState.PENDING, SendState.RETRY), state_reason=reason)
    await move(tx, ids, SendState.SUPERSEDED, at=now, only=(SendState.ACCEPTED,), state_reason=reason)
    people = sorted({r.person_id for r in rows})
    about = (tables.path.c.warning_id == warning_id, tables.path.c.person_id.in_(people), tables.path.c.state == "open")
    paths = (await tx.execute(sa.select(tables.path).where(*about).order_by(tables.path.c.person_id))).all()
    profiles = await tables.profiles_of(tx, {p.profile_key for p in paths})
    ledger = await tables.deliveries_of(tx, warning_id, [p.person_id for p in paths])
    barred = await elsewhere.barred(tx, warning_id, [p.person_id for p in paths], now)
    deltas = Deltas(warning_id)
    new: list[NewDelivery] = []
    for path in paths:
        profile = profiles[path.profile_key]
        deliveries = list[Planned](ledger[path.person_id])
        who = Person(tables.decode_person(path.entry), profile, deliveries, barred=barred.get(path.person_id, ""))
        new += door(ctx, who, ctx.plan(profile, now), reason, now, step, urgent=path.help_at is not None)
    await put_rows(tx, ctx, new, deltas, {p.person_id: p.profile_key for p in paths}, plane)
    await cases.taken_back(tx, warning_id, people, now, reason)
    await deltas.add(tx)
    return len(ids)
