"""Who has been told enough: the weekly limits of blue and yellow, the same hazard again, and held messages overtaken.

Orange and red are never left out, nor is anybody of high support in yellow, nor a facility, nor an update.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from services.router.planning.contexts import Contexts, EarlierWarning
from services.router.planning.plan import WarningContext
from services.router.store import tables
from services.shared.database.batches import chunks
from services.shared.database.engine import Connection
from services.shared.messages import AudienceFound, Profile
from services.shared.tiers import Tier

WEEK_S = 7 * 86400.0
NOT_TOLD = ("not_asked", "cancelled", "superseded")  # paths that ended before anything was sent


async def tired(tx: Connection, contexts: Contexts, ctx: WarningContext, message: AudienceFound) -> dict[str, str]:
    """person id > why this message is not sent to them personally; broadcast reaches them all the same."""
    limit = ctx.policy.fatigue.personal_per_week.get(ctx.tier)
    if (
        ctx.tier >= Tier.ORANGE
        or ctx.issued.kind != "alert"
        or (limit is None and not ctx.policy.fatigue.merge_same_hazard_s)
    ):
        return {}
    now = ctx.issued.released
    before = [w for w in await contexts.known(tx, now - WEEK_S) if w.warning_id != ctx.issued.warning_id]
    before = [w for w in before if w.released <= now]
    if not before:
        return {}
    people = [entry.person_id for entry in message.people if _may_tire(ctx, message.profiles[entry.profile])]
    told = await _told(tx, before, people)
    found: dict[str, str] = {}
    for person_id, warnings in sorted(told.items()):
        same = [
            w for w in warnings
            if w.hazard == ctx.issued.hazard and w.tier >= ctx.tier and now - w.released < ctx.policy.fatigue.merge_same_hazard_s
        ]  # fmt: skip
        often = [w for w in warnings if w.tier == ctx.tier]
        if same:
            found[person_id] = f"merged: told of this hazard {(now - same[-1].released) / 60:.0f} min before"
        elif limit is not None and len(often) >= limit:
            found[person_id] = f"fatigue: {len(often)} {ctx.tier.word} in a week already"
    return found


def _may_tire(ctx: WarningContext, profile: Profile) -> bool:
    if profile.kind == "facility":
        return False
    plan = ctx.plan(profile, ctx.start(profile))
    return plan.tier == ctx.tier and not (ctx.tier == Tier.YELLOW and "high_support" in plan.facts)


async def overtaken(
    tx: Connection,
    contexts: Contexts,
    ctx: WarningContext,
    paths: Sequence[tables.Path],
    profiles: Mapping[str, Profile],
) -> dict[str, str]:
    """Held at night and looked at again before release: who was told more, or the same anew, meanwhile."""
    held = [p.person_id for p in paths if ctx.held(profiles[p.profile_key])]
    if not held or not ctx.policy.hold.recheck_before_release:
        return {}
    since = [
        w for w in await contexts.known(tx, ctx.issued.released)
        if w.warning_id != ctx.issued.warning_id and w.hazard == ctx.issued.hazard and w.tier >= ctx.tier
        and w.released >= ctx.issued.released
    ]  # fmt: skip
    told = await _told(tx, since, held)
    return {p: f"held at night; told at tier {Tier(w[-1].tier).word} meanwhile" for p, w in told.items()}


async def _told(
    tx: Connection, warnings: Sequence[EarlierWarning], people: Sequence[str]
) -> dict[str, list[EarlierWarning]]:
    """Of these warnings those each person had a path of their own under, oldest first."""
    by_id = {w.warning_id: w for w in warnings}
    found: dict[str, list[EarlierWarning]] = defaultdict(list)
    if not by_id:
        return found
    for part in chunks(list(people), 500):
        rows = await tx.execute(
            sa.select(tables.path.c.person_id, tables.path.c.warning_id).where(
                tables.path.c.warning_id.in_(sorted(by_id)), tables.path.c.person_id.in_(part),
                tables.path.c.ending.not_in(NOT_TOLD), sa.not_(tables.path.c.outside),
            )
        )  # fmt: skip
        for row in rows:
            found[row.person_id].append(by_id[row.warning_id])
    for told in found.values():
        told.sort(key=lambda w: (w.released, w.warning_id))
    return found
