"""Gives doors that nobody can go to now to whoever else can help: helpers by phone, loudspeakers, the fire service's list.

Three things bring it about. More doors than teams can do: the names are given out at once, and the doors wait in rank for a
team that comes free. The time when nobody may set out any more: the doors that still wait are given up. A word that nobody
may go, by the commander or by another warning that holds there: the doors are taken off their lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from services.router.cases import cases
from services.router.planning import area
from services.router.planning.paths import end, put
from services.router.planning.plan import Person, WarningContext
from services.router.planning.rows import fire_list, supporters
from services.router.policy.vocabulary import FIRE_SERVICE
from services.router.store import tables
from services.shared.database.batches import one_of
from services.shared.database.engine import Connection
from services.shared.database.rows import rows_of
from services.shared.ledger.deliveries import NewDelivery, Planned
from services.shared.ledger.moves import move
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import Delivery, delivery
from services.shared.ledger.tally import Deltas

IN_RANK = "waits in rank: more doors than teams can do"  # the state reason of a door whose name was given out
TIME_TO_GO = "it is time to turn back: nobody goes to this door any more"
TOO_LATE = "no team came free before the time to turn back"


async def name(tx: Connection, ctx: WarningContext, rows: Sequence[Delivery], now: float, plane: str) -> None:
    """Nobody is free for these doors: whoever else can help is told, and each waits in rank for a team that comes free."""
    if not rows:
        return
    reason = "more doors than teams can do"
    warning_id = ctx.issued.warning_id
    if "loudhailer" in ctx.policy.shortage.then and not await area.sounded(tx, warning_id, "shortage"):
        deltas = Deltas(warning_id)
        await area.again(tx, ctx, deltas, "area_sound", "shortage", reason, now)
        await deltas.add(tx)
    paths = await _paths(tx, ctx, rows)
    ids = [r.delivery_id for r in rows]
    waits = (one_of(delivery.c.delivery_id, ids), delivery.c.send_state == SendState.PENDING)
    await tx.execute(sa.update(delivery).where(*waits).values(state_reason=IN_RANK))
    call = "neighbour_call" in ctx.policy.shortage.then
    await _names(tx, ctx, paths, reason, now, plane, step="door.rescue", call=call)


async def give_up(tx: Connection, ctx: WarningContext, rows: Sequence[Delivery], now: float, plane: str) -> None:
    """It is too late to set out for these doors: the paths end, and the fire service has the names."""
    await to_fire_service(tx, ctx, rows, TOO_LATE, now, plane, ending="no_capacity")


async def to_fire_service(
    tx: Connection,
    ctx: WarningContext,
    rows: Sequence[Delivery],
    reason: str,
    now: float,
    plane: str,
    *,
    ending: str = "",
    step: str = "door.rescue",
) -> None:
    """These doors are taken off their lists and the names given to the fire service; with an ending, open paths end by it."""
    if not rows:
        return
    paths = await _paths(tx, ctx, rows)
    ids = [r.delivery_id for r in rows]
    await move(tx, ids, SendState.SUPPRESSED, at=now, only=(SendState.PENDING, SendState.RETRY), state_reason=reason)
    await move(tx, ids, SendState.SUPERSEDED, at=now, only=(SendState.ACCEPTED,), state_reason=reason)
    await _names(tx, ctx, paths, reason, now, plane, step=step, call=bool(ending))
    if ending:
        deltas = Deltas(ctx.issued.warning_id)
        for path in paths:
            if path.state == "open" and path.help_at is None:  # a call for help is ended by a person alone
                await end(tx, deltas, path, ending, reason, now)
        await deltas.add(tx)
    await cases.taken_back(tx, ctx.issued.warning_id, [p.person_id for p in paths], now, reason, FIRE_SERVICE)


async def _paths(tx: Connection, ctx: WarningContext, rows: Sequence[Delivery]) -> list[tables.Path]:
    """Their paths, locked before deliveries as evidence and steps lock them."""
    people = sorted({r.person_id for r in rows})
    mine = (tables.path.c.warning_id == ctx.issued.warning_id, tables.path.c.person_id.in_(people))
    found = sa.select(tables.path).where(*mine).order_by(tables.path.c.person_id).with_for_update()
    return await rows_of(tx, tables.Path, found)


async def _names(
    tx: Connection,
    ctx: WarningContext,
    paths: Sequence[tables.Path],
    reason: str,
    now: float,
    plane: str,
    *,
    step: str,
    call: bool,
) -> None:
    """Puts them on the fire service's list, none twice; `call`: their helpers are called as well."""
    warning_id = ctx.issued.warning_id
    profiles = await tables.profiles_of(tx, {p.profile_key for p in paths})
    ledger: Mapping[str, Sequence[Planned]] = await tables.deliveries_of(tx, warning_id, [p.person_id for p in paths])
    deltas = Deltas(warning_id)
    new: list[NewDelivery] = []
    for path in paths:
        profile = profiles[path.profile_key]
        who = Person(tables.decode_person(path.entry), profile, list[Planned](ledger[path.person_id]))
        plan = ctx.plan(profile, now)
        if call:
            new += supporters(ctx, who, plan, "shortage", f"{reason}; neighbour call", now, by_phone=True)
        new += fire_list(ctx, who, plan, reason, now, step)
    await put(tx, ctx, new, deltas, {p.person_id: p.profile_key for p in paths}, plane)
    await deltas.add(tx)
