"""Keeps teams for houses of many: a house is never beaten to its team by single doors, and its team has it alone on its list."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from services.router.doors.assignment import Team
from services.router.planning.plan import TAKEN_BACK, WarningContext
from services.router.policy.vocabulary import EMPTY_NOW
from services.router.store import tables
from services.shared.database.batches import one_of
from services.shared.database.engine import Connection
from services.shared.ledger.kinds import DeliveryKind
from services.shared.ledger.tables import delivery
from services.shared.ledger.tally import ENDED, tally
from services.shared.messages import Profile
from services.shared.tiers import Tier

HOUSE_SKILL = "liaison_team"


async def open_houses(db: Connection, ctx: WarningContext, now: float) -> dict[str, int]:
    """Profile of a house of many that a team has to move > how many of them are neither moved nor over, by the tallies."""
    if ctx.tier < Tier.ORANGE:
        return {}
    mine = (tally.c.warning_id == ctx.issued.warning_id, tally.c.channel == "")
    said = sa.or_(tally.c.milestone == "targeted", tally.c.milestone.startswith(ENDED))
    rows = (await db.execute(sa.select(tally.c.profile_key, tally.c.milestone, tally.c.n).where(*mine, said))).all()
    kept = await tables.profiles_of(db, {r.profile_key for r in rows})
    found: dict[str, int] = {}
    for r in rows:
        profile = kept.get(r.profile_key)
        if profile is not None and profile.kind == "facility" and _is_moved_by_a_team(ctx, profile, now):
            found[r.profile_key] = found.get(r.profile_key, 0) + (r.n if r.milestone == "targeted" else -r.n)
    return {key: n for key, n in found.items() if n > 0}


def _is_moved_by_a_team(ctx: WarningContext, profile: Profile, now: float) -> bool:
    plan = ctx.plan(profile, now)
    return HOUSE_SKILL in plan.team.split("+") and EMPTY_NOW not in plan.facts and ctx.door_where(plan) == "door"


async def keep_for_houses(
    db: Connection, ctx: WarningContext, teams: Mapping[str, Team], houses: Mapping[str, int]
) -> None:
    """Houses of many have teams of their own: one that has a house to go to, and one with the skill for each that nobody goes
    to yet, of its grid first. One team at least is left to the other doors."""
    for one in teams.values():
        one.for_houses = any(stop.home.facility for stop in one.stops)
    going = [one for one in teams.values() if one.there and not one.rests]
    able = [one for one in going if not one.for_houses and HOUSE_SKILL in one.entry.skills]
    if not houses or not able:
        return
    path, warning_id = tables.path.c, ctx.issued.warning_id
    there = sa.select(path.person_id, path.grid_id).where(
        path.warning_id == warning_id, one_of(path.profile_key, sorted(houses)), path.state == "open"
    )
    grids = {r.person_id: r.grid_id for r in await db.execute(there)}
    gone_to = sa.select(delivery.c.person_id).where(
        delivery.c.warning_id == warning_id, one_of(delivery.c.person_id, sorted(grids)), delivery.c.slot != "",
        delivery.c.kind.in_((DeliveryKind.VISIT, DeliveryKind.RESCUE)),
        sa.or_(delivery.c.answer != "", delivery.c.send_state.not_in(TAKEN_BACK)),
    )  # fmt: skip
    for house in sorted(grids.keys() - set((await db.scalars(gone_to)).all())):
        others = sum(not one.for_houses for one in going)
        if not able or others < 2:
            return
        kept = min(able, key=lambda one: (grids[house] not in one.entry.grids, one.load, one.worker_id))
        kept.for_houses = True
        able.remove(kept)
