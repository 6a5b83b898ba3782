"""Reacts to a silent zone: doors now, loudspeakers, officers on their own.

A zone is silent where messages have been due for the policy's minutes and nothing of what was due since anybody was
last heard has come back: no receipt, no key, no answer, from at least five people who are a fifth of the zone's.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from services.router.clock.houses import answering_houses
from services.router.planning import area, elsewhere
from services.router.planning.paths import put as put_rows
from services.router.planning.plan import TAKEN_BACK, Person, WarningContext
from services.router.planning.rows import door
from services.router.store import tables
from services.shared.database.batches import chunks
from services.shared.database.engine import Connection
from services.shared.database.rows import rows_of
from services.shared.ledger.deliveries import NewDelivery, Planned
from services.shared.ledger.evidence import Evidence
from services.shared.ledger.tables import delivery
from services.shared.ledger.tally import Deltas
from services.shared.messages import WorkerEntry

FEW = 5
SHARE = 0.2
LOOKS_MIN = (
    5,
    10,
    15,
    20,
    30,
    45,
    60,
    90,
    120,
    180,
    240,
    300,
    360,
)  # after release; more often costs, and finds no more
DOWN = "down:"


async def check_silence(tx: Connection, ctx: WarningContext, now: float, plane: str) -> dict[str, float | None]:
    """Does what the policy says for each newly silent zone; the looks to write down: facts, officers alone, the next."""
    rule, warning_id = ctx.policy.channels_down, ctx.issued.warning_id
    looks: dict[str, float | None] = {}
    known = await down(tx, warning_id)
    silent = [z for z in await _silent(tx, ctx, now) if z not in known]
    deltas = Deltas(warning_id)
    for zone in silent:
        looks[DOWN + zone] = None
        looks[f"alone:{zone}"] = now + max(0.0, rule.alone_s - rule.silent_s)
        if "doors_now" in rule.do:
            await _doors_now(tx, ctx, zone, now, deltas, plane)
    if silent and "area_sound" in rule.do:
        await area.again(tx, ctx, deltas, "area_sound", "channels_down", f"silent: {', '.join(silent)}", now)
    await deltas.add(tx)
    following = [ctx.issued.released + 60.0 * m for m in LOOKS_MIN]
    after = next((at for at in following if at > now), None)
    if after is not None and after < ctx.issued.expires:
        looks["silence"] = after
    return looks


async def down(db: Connection, warning_id: str) -> list[str]:
    """Zones whose phones were found silent."""
    mine = tables.watch.c
    rows = await db.scalars(
        sa.select(mine.what).where(mine.warning_id == warning_id, mine.what.startswith(DOWN)).order_by(mine.what)
    )
    return [what.removeprefix(DOWN) for what in rows]


async def _silent(tx: Connection, ctx: WarningContext, now: float) -> list[str]:
    warning_id, wait = ctx.issued.warning_id, ctx.policy.channels_down.silent_s
    theirs = sa.and_(tables.path.c.warning_id == delivery.c.warning_id, tables.path.c.person_id == delivery.c.person_id)
    personal = (delivery.c.warning_id == warning_id, delivery.c.addressee_kind.in_(("person", "facility")))
    heard = sa.case((delivery.c.evidence >= Evidence.DELIVERED, delivery.c.evidence_at))
    rows = await tx.execute(
        sa.select(tables.path.c.zone_id, sa.func.max(heard).label("last"))
        .join(tables.path, theirs).where(*personal).group_by(tables.path.c.zone_id).order_by(tables.path.c.zone_id)
    )  # fmt: skip
    found = []
    for zone, last in rows.all():
        since = max(float(last or 0.0), ctx.issued.released - 1.0)
        if now - since < wait:
            continue
        waiting = await tx.scalar(
            sa.select(sa.func.count(sa.distinct(delivery.c.person_id))).join(tables.path, theirs).where(
                *personal, tables.path.c.zone_id == zone, delivery.c.due_at > since, delivery.c.due_at <= now - wait,
                delivery.c.evidence < Evidence.DELIVERED, delivery.c.send_state.not_in(TAKEN_BACK),
            )
        )  # fmt: skip
        people = await tx.scalar(
            sa.select(sa.func.count()).where(tables.path.c.warning_id == warning_id, tables.path.c.zone_id == zone)
        )
        if (waiting or 0) >= max(FEW, SHARE * (people or 0)):
            found.append(str(zone))
    return found


async def _doors_now(tx: Connection, ctx: WarningContext, zone: str, now: float, deltas: Deltas, plane: str) -> None:
    about = (
        tables.path.c.warning_id == ctx.issued.warning_id,
        tables.path.c.zone_id == zone,
        tables.path.c.state == "open",
    )
    found = sa.select(tables.path).where(*about).order_by(tables.path.c.person_id).with_for_update()
    paths = await rows_of(tx, tables.Path, found)
    for part in chunks(list(paths), 500):
        profiles = await tables.profiles_of(tx, {p.profile_key for p in part})
        ids = [p.person_id for p in part]
        ledger = await tables.deliveries_of(tx, ctx.issued.warning_id, ids)
        barred = await elsewhere.barred(tx, ctx.issued.warning_id, ids, now)
        houses = await answering_houses(tx, ctx, part, profiles)
        rows: list[NewDelivery] = []
        for path in part:
            profile = profiles[path.profile_key]
            deliveries = list[Planned](ledger[path.person_id])
            who = Person(
                tables.decode_person(path.entry),
                profile,
                deliveries,
                path.evidence,
                path.answer,
                path.help_at,
                barred=barred.get(path.person_id, ""),
                house_answers=path.household_id in houses,
            )
            rows += door(
                ctx, who, ctx.plan(profile, now), "channels down: no phone of the zone answers", now, "channels_down"
            )
        await put_rows(tx, ctx, rows, deltas, {p.person_id: p.profile_key for p in part}, plane)


async def officers_of(db: Connection, ctx: WarningContext, zone: str) -> Sequence[WorkerEntry]:
    """The officers of a zone's grids; where none is, all on shift."""
    grids = set(
        (
            await db.scalars(
                sa.select(tables.path.c.grid_id)
                .where(tables.path.c.warning_id == ctx.issued.warning_id, tables.path.c.zone_id == zone)
                .distinct()
            )
        ).all()
    )
    return [w for w in ctx.workers if grids & set(w.grids)] or list(ctx.workers)
