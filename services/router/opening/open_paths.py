"""Opens paths: context, plan and deliveries of each person of a page, its first steps walked, and the page counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import sqlalchemy as sa

from services.router.cases import carry_over
from services.router.clock import officials
from services.router.doors.assignment import doors_in
from services.router.opening.part_returns import close_page
from services.router.planning import elsewhere, reaches_nobody
from services.router.planning.contexts import Contexts
from services.router.planning.fatigue import tired
from services.router.planning.paths import put, step_time
from services.router.planning.plan import Person, WarningContext
from services.router.planning.templates import PathStart, Templates
from services.router.planning.walk import climb
from services.router.store import tables
from services.shared.bus.outbox import digest_of
from services.shared.database import locks
from services.shared.database.batches import insert_all, insert_new
from services.shared.database.engine import Connection
from services.shared.errors import Busy
from services.shared.ledger.deliveries import NewDelivery
from services.shared.ledger.tally import Deltas
from services.shared.messages import AudienceFound, PersonEntry, Profile
from services.shared.service import Platform


class Opened(NamedTuple):
    """What a page brought: whether its warning's first or its audience complete by it, and when a step is due next."""

    is_first: bool
    complete: bool
    next_at: float | None


class OpenPaths:
    """`open_page` in the transaction of the message."""

    def __init__(self, platform: Platform, contexts: Contexts) -> None:
        self._platform = platform
        self._contexts = contexts

    async def open_page(self, tx: Connection, message: AudienceFound) -> Opened:
        """Busy where the page came before its warning."""
        await locks.plan(tx, message.warning_id, shared=True)
        ctx = await self._contexts.of(tx, message.warning_id)
        if ctx is None:
            raise Busy(f"page {message.page} came before its warning {message.warning_id}")
        ctx = replace(ctx, workers=message.workers)  # a step that is due now may ask an officer
        await insert_new(
            tx, tables.profile, [{"profile_key": p.key, "body": tables.encode(p)} for p in message.profiles]
        )
        if ctx.issued.kind == "ending":
            await close_page(tx, ctx, message, self._platform.clock.now())
            return Opened(*await self._count(tx, ctx, message), None)
        deltas = Deltas(message.warning_id)
        enough = await tired(tx, self._contexts, ctx, message) if ctx.state == "active" else {}
        next_at = await self._open(
            tx, ctx, message.people, message.profiles, deltas, enough, stopped=ctx.state != "active"
        )
        is_first, complete = await self._count(tx, ctx, message)
        await deltas.add(tx)
        return Opened(is_first, complete, next_at)

    async def _open(
        self,
        tx: Connection,
        ctx: WarningContext,
        people: Sequence[PersonEntry],
        profiles: Sequence[Profile],
        deltas: Deltas,
        enough: Mapping[str, str],
        *,
        stopped: bool,
    ) -> float | None:
        """When a step or reaction of any of them is due next."""
        now = self._platform.clock.now()
        rows: list[NewDelivery] = []
        paths: list[dict[str, Any]] = []
        profile_of = {entry.person_id: profiles[entry.profile].key for entry in people}
        replaced = ctx.issued.replaces if ctx.issued.kind == "update" else ()
        called = await carry_over.still_open(tx, ctx.issued.warning_id, replaced, sorted(profile_of))
        barred = await elsewhere.barred(tx, ctx.issued.warning_id, sorted(profile_of), now)
        zones = bool(ctx.policy.door_list.way_out_by_zone)
        templates = Templates(partial(first_steps, ctx, now, stopped), grids=bool(ctx.workers), zones=zones)
        for entry in sorted(people, key=lambda e: e.person_id):
            profile = profiles[entry.profile]
            deltas.person(profile.key, "targeted")
            start, planned = templates.planned(
                entry, profile, enough.get(entry.person_id, ""), barred.get(entry.person_id, "")
            )
            rows += planned
            opened = _row(ctx, entry, profile, start)
            if start.state == "open" and entry.person_id in called:
                opened |= {"help_at": called[entry.person_id], "react_at": now}
            if start.ending:
                deltas.person(profile.key, f"ended:{start.ending}")
            paths.append(opened)
        await insert_all(tx, tables.path, paths)
        await put(tx, ctx, rows, deltas, profile_of, self._platform.settings.plane)
        return min((at for one in paths for at in (one["next_at"], one["react_at"]) if at is not None), default=None)

    async def _count(self, tx: Connection, ctx: WarningContext, message: AudienceFound) -> tuple[bool, bool]:
        """Pages are numbered: the audience is complete when all are in and their digest is the last page's.

        Whether none came before this one, and whether it is complete.
        """
        mine = sa.select(tables.warning).where(tables.warning.c.warning_id == message.warning_id).with_for_update()
        row = (await tx.execute(mine)).one()  # two routers count one after the other
        seen = int(row.digest_seen, 16) ^ int(digest_of(p.person_id for p in message.people), 16)
        values: dict[str, Any] = {"pages": row.pages + 1, "digest_seen": f"{seen:032x}"}
        last, total, digest = row.last_page, row.total, row.digest
        if message.last:
            last, total, digest = message.page, message.total, message.digest
            values |= {"last_page": last, "total": total, "digest": digest,
                       "unresolved": [list(u) for u in message.unresolved]}  # fmt: skip
        if ctx.issued.kind == "ending":
            values["total"] = row.total  # whom `Endings` has told
        elif not row.pages:
            await self._keep_teams(tx, ctx, message)
        values["complete"] = last >= 0 and row.pages + 1 == last + 1 and f"{seen:032x}" == digest
        await tx.execute(
            sa.update(tables.warning).where(tables.warning.c.warning_id == message.warning_id).values(**values)
        )
        if values["complete"] and ctx.issued.kind != "ending":
            await reaches_nobody.check_reach(tx, ctx, total, values.get("unresolved", row.unresolved))
            await officials.begin(tx, ctx, self._platform.clock.now())
        return not row.pages, bool(values["complete"])

    async def _keep_teams(self, tx: Connection, ctx: WarningContext, message: AudienceFound) -> None:
        """From the first page on: a step that falls due before the last one is in may ask an officer too."""
        left = ctx.last_door() - self._platform.clock.now()
        teams = [
            {
                "warning_id": message.warning_id,
                "worker_id": w.worker_id,
                "entry": tables.encode(w),
                "capacity": max(1, doors_in(w.doors_per_hour, left)) if left > 0 and w.doors_per_hour else 0,
            }
            for w in message.workers
        ]
        await insert_new(tx, tables.worker, teams)


def first_steps(ctx: WarningContext, now: float, stopped: bool, who: Person, enough: str) -> PathStart:
    """What becomes of one person's path, their steps up to now walked."""
    plan = ctx.plan(who.profile, ctx.start(who.profile))
    if stopped:
        return PathStart("ended", "cancelled", "stopped before the page came", now, 0, None)
    if not plan.asked:
        return PathStart("ended", "not_asked", f"{plan.tier.word}: no opt-in, no high support", now, 0, None)
    if enough:
        return PathStart("ended", "not_asked", enough, now, 0, None)
    index = sum(not step.every for step, _, _ in climb(ctx, who, now))
    following = step_time(ctx, who, index)
    # past the last step a short while remains for answers, then the path ends or waits for its door
    return PathStart("open", "", "", None, index, now if following is None else max(following, now))


def _row(ctx: WarningContext, entry: PersonEntry, profile: Profile, start: PathStart) -> dict[str, Any]:
    """The path's row."""
    return {
        "warning_id": ctx.issued.warning_id,
        "person_id": entry.person_id,
        "profile_key": profile.key,
        "household_id": entry.household_id,
        "zone_id": entry.zone_id,
        "grid_id": entry.grid_id,
        "tier": int(ctx.tier),
        "entry": tables.encode(entry),
        **start._asdict(),
        "help_at": None,
        "react_at": None,
    }
