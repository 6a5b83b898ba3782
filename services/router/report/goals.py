"""Measures a warning against the policy's goals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple, TypedDict

import sqlalchemy as sa

from services.router.planning.plan import WarningContext
from services.router.report import before_impact
from services.router.report.before_impact import ImpactFigures
from services.router.store import tables
from services.shared.database.engine import Connection
from services.shared.database.rows import rows_of
from services.shared.ledger.evidence import Evidence
from services.shared.ledger.tables import delivery

SMALL = 30  # a group of fewer is named, not measured in percent
MOVING = ("moving", "safe", "not_there")


class _Heard(NamedTuple):
    person_id: str
    profile_key: str
    answer: str
    heard: float | None
    said: float | None


class Share(TypedDict):
    """Which share of `of` people was reached, and the first ids of those who were not; met: null while it may still be."""

    goal: float
    share: float
    of: int
    met: bool | None
    left: list[str]


class SlowestGroup(TypedDict):
    """The need group that was reached last, its time against people in no group; groups not reached, or too small."""

    goal: float
    general_t90_min: float | None
    worst: str | None
    ratio: float | None
    not_yet: list[str]
    met: bool | None
    too_small: list[str]


class GoalsMeasured(TypedDict):
    """The policy's goals, each with what came of it; before_impact: null where no impact is known."""

    facilities_spoken_10_min: Share
    cannot_leave_moving_15_min_before: Share
    worst_group_t90_over_general: SlowestGroup
    before_impact: ImpactFigures | None


async def goals(db: Connection, ctx: WarningContext, now: float) -> GoalsMeasured:
    """Each goal with what was reached, whether it is met, and the people it is still about by id; None: not yet to say."""
    rows = await _people(db, ctx.issued.warning_id)
    profiles = await tables.profiles_of(db, {r.profile_key for r in rows})
    want, start = ctx.policy.goals, ctx.issued.released
    houses = [r for r in rows if profiles[r.profile_key].kind == "facility"]
    spoken = [r for r in houses if r.heard is not None and r.heard - start <= 600]
    stay = [r for r in rows if "cannot_leave" in profiles[r.profile_key].flags]
    by = None if ctx.issued.impact is None else ctx.issued.impact - 900
    moving = [r for r in stay if r.answer in MOVING and (by is None or r.said is None or r.said <= by)]
    return {
        "facilities_spoken_10_min": _share(
            houses, spoken, want.before_impact.facilities_spoken_10_min, over=now - start >= 600
        ),
        "cannot_leave_moving_15_min_before": _share(
            stay, moving, want.before_impact.cannot_leave_moving_15_min_before, over=by is not None and now >= by
        ),
        "worst_group_t90_over_general": _worst(
            rows, {k: p.groups or ("general",) for k, p in profiles.items()}, start, want.worst_group_t90_over_general
        ),
        "before_impact": await before_impact.of(db, ctx),
    }


async def _people(db: Connection, warning_id: str) -> list[_Heard]:
    """One row a person: profile, answer, when they were first heard of (a person's own doing) and when they answered."""
    own = sa.and_(
        delivery.c.warning_id == tables.path.c.warning_id,
        delivery.c.person_id == tables.path.c.person_id,
        sa.or_(delivery.c.evidence >= Evidence.HEARD, delivery.c.answer != ""),
    )
    at = sa.func.coalesce(delivery.c.evidence_at, delivery.c.answer_at)
    query = (
        sa.select(
            tables.path.c.person_id, tables.path.c.profile_key, tables.path.c.answer,
            sa.func.min(at).label("heard"), sa.func.min(delivery.c.answer_at).label("said"),
        )
        .outerjoin(delivery, own)
        .where(tables.path.c.warning_id == warning_id, sa.not_(tables.path.c.outside))
        .group_by(tables.path.c.person_id, tables.path.c.profile_key, tables.path.c.answer)
        .order_by(tables.path.c.person_id)
    )  # fmt: skip
    return await rows_of(db, _Heard, query)


def _share(all_of: Sequence[_Heard], done: Sequence[_Heard], want: float, *, over: bool) -> Share:
    share = round(len(done) / len(all_of), 4) if all_of else 1.0
    ids = {r.person_id for r in done}
    met = True if share >= want else False if over else None
    left = [r.person_id for r in all_of if r.person_id not in ids]
    return {"goal": want, "share": share, "of": len(all_of), "met": met, "left": left[:200]}


def _worst(rows: Sequence[_Heard], groups: dict[str, tuple[str, ...]], start: float, want: float) -> SlowestGroup:
    """T90: the time by which nine in ten of a group were heard of; against that of people in no group."""
    times: dict[str, list[float]] = defaultdict(list)
    size: dict[str, int] = defaultdict(int)
    for row in rows:
        for group in groups[row.profile_key]:
            size[group] += 1
            if row.heard is not None:
                times[group].append(row.heard - start)

    def t90(group: str) -> float | None:
        nth = -(-9 * size[group] // 10) - 1
        found = sorted(times[group])
        return found[nth] if 0 <= nth < len(found) else None

    general = t90("general") if size["general"] else None
    measured = {g: t90(g) for g in sorted(size) if g != "general" and size[g] >= SMALL}
    late = [g for g, t in measured.items() if t is None]
    worst = max((g for g, t in measured.items() if t is not None), key=lambda g: (measured[g], g), default=None)
    slowest = measured[worst] if worst is not None else None
    ratio = round(slowest / general, 3) if slowest is not None and general else None
    met = None if general is None or not measured else False if late else ratio is not None and ratio <= want
    return {
        "goal": want, "general_t90_min": None if general is None else round(general / 60, 1), "worst": worst,
        "ratio": ratio, "not_yet": late, "met": met, "too_small": sorted(g for g in size if size[g] < SMALL),
    }  # fmt: skip
