"""Officials are called until one has spoken: each officer of the area, so often in so many minutes, then whoever stands
above, then the doors of the grid go to others and somebody near is told to go there.

A call and an answer, not a text that was sent: a key, twenty seconds of listening, or a reply is speaking.
"""

from __future__ import annotations

import sqlalchemy as sa

from services.router.clock.taken_lists import take_list
from services.router.planning.notices import notice
from services.router.planning.paths import publish_due
from services.router.planning.plan import WarningContext
from services.router.planning.rows import OFFICER_CHANNELS
from services.router.store import tables
from services.shared.bus.outbox import id_of, publish
from services.shared.database.batches import upsert
from services.shared.database.engine import Connection
from services.shared.ledger import team_signs
from services.shared.ledger.deliveries import NewDelivery, add
from services.shared.ledger.evidence import Evidence
from services.shared.ledger.kinds import DeliveryKind
from services.shared.ledger.tables import delivery
from services.shared.ledger.tally import Deltas
from services.shared.messages import ContactEntry, WorkerEntry
from services.shared.tiers import Tier

SILENT = "unspoken:"
OfficialsCheck = dict[str, float | None]


async def begin(tx: Connection, ctx: WarningContext, now: float) -> None:
    """The officers of the area's grids are called from now on; the teams on shift are known when all pages are in."""
    if ctx.tier < Tier.ORANGE or ctx.issued.kind == "ending":
        return
    warning_id = ctx.issued.warning_id
    there = await concerned(tx, warning_id)
    rows = [{"warning_id": warning_id, "what": f"official:{w.worker_id}:1", "due_at": now} for w in there]
    await upsert(tx, tables.watch, rows, ["warning_id", "what"], replace=["due_at"])


async def concerned(db: Connection, warning_id: str) -> list[WorkerEntry]:
    """Who on shift answers for a grid with people in the warning; all on shift where nobody does."""
    of_people = sa.select(tables.path.c.grid_id).where(
        tables.path.c.warning_id == warning_id, sa.not_(tables.path.c.outside)
    )
    grids = set((await db.scalars(of_people.distinct())).all())
    workers = [tables.decode_worker(w.entry) for w in await tables.workers_of(db, warning_id)]
    return [w for w in workers if grids & set(w.grids)] or workers


async def check_officials(tx: Connection, ctx: WarningContext, rest: str, now: float, plane: str) -> OfficialsCheck:
    """One look at one official: spoken with, called again, the superior called, or the grid given to others."""
    worker_id, _, stage = rest.partition(":")
    rule = ctx.policy.official_escalation
    called = next((w for w in ctx.workers if w.worker_id == worker_id), None)
    if called is None or await _spoken(tx, ctx, worker_id):
        return {}
    gap = rule.within_s / max(1, rule.tries - 1)
    if stage.isdigit() and int(stage) <= rule.tries:
        n = int(stage)
        await _call(tx, ctx, called, worker_id, n, f"official: call {n} of {rule.tries}", now, plane)
        last = n == rule.tries
        # the last call is given as long to be answered as lay between the others
        return {f"official:{worker_id}:{'superior' if last else n + 1}": now + gap}
    above = _above(ctx, called)
    if stage == "superior" and rule.superior and above is not None:
        reason = f"superior: {rule.tries} calls to an officer not answered"
        await _call(tx, ctx, above, worker_id, rule.tries + 1, reason, now, plane)
        return {f"official:{worker_id}:door": now + rule.within_s}
    if rule.then_door:
        await _grid_to_others(tx, ctx, called, now, plane)
    return {f"{SILENT}{worker_id}": None}


async def unspoken(db: Connection, warning_id: str) -> list[str]:
    """Officers nobody has spoken with after all calls."""
    mine = tables.watch.c
    rows = await db.scalars(
        sa.select(mine.what).where(mine.warning_id == warning_id, mine.what.startswith(SILENT)).order_by(mine.what)
    )
    return [what.removeprefix(SILENT) for what in rows]


def _above(ctx: WarningContext, called: WorkerEntry) -> WorkerEntry | None:
    """A superior on shift; else another officer of the same grids, else any other."""
    others = [w for w in sorted(ctx.workers, key=lambda w: w.worker_id) if w.worker_id != called.worker_id]
    for fits in (
        [w for w in others if "superior" in w.skills],
        [w for w in others if set(w.grids) & set(called.grids)],
        others,
    ):
        if fits:
            return fits[0]
    return None


async def _spoken(tx: Connection, ctx: WarningContext, worker_id: str) -> bool:
    """Whether the officer, or whoever was called for them, has been spoken with; also by a list that is being worked, by an
    answer about somebody they were asked to contact, or by a sign of life, "I cannot" too."""
    mine = delivery.c.warning_id == ctx.issued.warning_id
    official = sa.and_(mine, delivery.c.kind == DeliveryKind.OFFICIAL, delivery.c.about_id == worker_id)
    heard = sa.or_(delivery.c.evidence >= Evidence.HEARD, delivery.c.answer != "")
    visits = sa.and_(mine, delivery.c.slot == worker_id, delivery.c.answer != "")
    asked = sa.and_(
        mine, delivery.c.addressee_kind == "worker", delivery.c.addressee_id == worker_id, delivery.c.answer != ""
    )
    found = sa.select(sa.func.count()).where(sa.or_(sa.and_(official, heard), visits, asked))
    return bool(await tx.scalar(found)) or await team_signs.heard_since(tx, worker_id, ctx.issued.released)


def _way(ctx: WarningContext, worker: WorkerEntry, *, voice: bool) -> tuple[ContactEntry, str] | None:
    ways = [
        (c, OFFICER_CHANNELS[c.kind])
        for c in worker.contacts
        if c.usable and c.kind in OFFICER_CHANNELS and not ctx.channels.get(OFFICER_CHANNELS[c.kind], "no_driver")
    ]
    spoken = [w for w in ways if w[1] == "officer_voice"]
    written = [w for w in ways if w[1] == "officer_sms"]
    return next(iter((spoken or written) if voice else (written or spoken)), None)


async def _call(
    tx: Connection, ctx: WarningContext, worker: WorkerEntry, about: str, n: int, reason: str, now: float, plane: str
) -> None:
    """The first time by text and call, so that it can be read again; then by call, or by text where no call can be made."""
    ways = [_way(ctx, worker, voice=True)] + ([_way(ctx, worker, voice=False)] if n == 1 else [])
    rows = {way[1]: _row(ctx, worker, about, way[0], way[1], n, reason, now) for way in ways if way is not None}
    new = sorted(rows.values(), key=lambda one: one.delivery_id)
    await add(tx, new)
    deltas = Deltas(ctx.issued.warning_id)
    for row in new:
        deltas.channel("", row.channel, "planned")
    await deltas.add(tx)
    await publish_due(tx, ctx, [one.delivery_id for one in new], plane)


def _row(
    ctx: WarningContext,
    worker: WorkerEntry,
    about: str,
    contact: ContactEntry,
    channel: str,
    n: int,
    reason: str,
    now: float,
) -> NewDelivery:
    return NewDelivery.official(
        id_of(ctx.issued.warning_id, "official", worker.worker_id, about, channel, n), ctx.issued, worker, contact,
        about_id=about, channel=channel, driver=ctx.drivers[channel], reason=reason, due_at=now, try_no=n,
        by_phone=ctx.phone_only,
    )  # fmt: skip


async def _grid_to_others(tx: Connection, ctx: WarningContext, silent: WorkerEntry, now: float, plane: str) -> None:
    """No more doors to an officer nobody has spoken with; those on their list, not begun, go to other teams."""
    signs = await team_signs.of_slots(tx, [w.worker_id for w in ctx.workers], now)
    away = {slot for slot, team in signs.items() if team.rests}
    away |= {w.worker_id for w in await tables.workers_of(tx, ctx.issued.warning_id) if not w.capacity}
    others = [
        w
        for w in sorted(ctx.workers, key=lambda w: w.worker_id)
        if w.worker_id != silent.worker_id and w.worker_id not in away
    ]
    if not others:
        return  # a team that may yet look at its list is better than none, or one whose list was taken for the same reason
    await take_list(tx, ctx, silent.worker_id, "officer silent: given to another team", "official.door", now, plane)
    near = [w for w in others if set(w.grids) & set(silent.grids)] or others
    told = [notice(ctx, w, "go_to_grid", plane, silent.worker_id) for w in near[:1] if not ctx.phone_only]
    await publish(tx, [one for one in told if one is not None])
