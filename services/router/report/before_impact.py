"""Measures what had been done before the danger came: a path that closed after the water counts for nobody.

`measured` is pure: from what is known of each person to the figures, 15 minutes before the impact and at it. `of` reads that
from the ledger.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple, TypedDict

import sqlalchemy as sa

from services.router.planning.plan import WarningContext
from services.router.store import tables
from services.router.store.cases import HELP, case
from services.shared.database.batches import one_of
from services.shared.database.engine import Connection
from services.shared.database.rows import rows_of
from services.shared.ledger.answers import answer_log
from services.shared.ledger.kinds import DeliveryKind
from services.shared.ledger.tables import delivery
from services.shared.ledger.warnings import warning_state
from services.shared.messages import Profile, WarningIssued, decode

MARGIN_S = 900.0  # whoever is not on the way by then may not get out
MOVING = ("moving", "safe", "not_there")
MET = ("moving", "safe", "not_there", "refused", "help")  # an officer has stood before them, whatever was found
UNREGISTERED = "unregistered"
_OPPOSITE = {"evacuate": "shelter_in", "shelter_in": "evacuate"}


class Seen(NamedTuple):
    """What is known of one person at the end; times are warning time, None where it never was."""

    groups: tuple[str, ...]
    cannot_leave: bool
    facility: bool
    closed_at: float | None = None
    moving_at: float | None = None  # on the way, safe, elsewhere, or met by somebody who closed the path
    knocks: tuple[float, ...] = ()  # when an officer was at the door
    asked_at: float | None = None  # when help was first asked for from a phone
    met_at: float | None = None  # when somebody was there, or a person closed the case


class FirstKnock(TypedDict):
    """Minutes from the release to the first knock, of those who were knocked at."""

    p50: float | None
    p90: float | None


class HelpMet(TypedDict):
    """Calls for help: how many, met by a person before the end, after how many minutes, and not at all."""

    asked: int
    met: int
    median_min: float | None
    unmet: int


class ImpactFigures(TypedDict):
    """What had been done `minutes` before the impact; `groups` and the others are [done, of].

    The worst group is the one of whose people the smallest share had closed by then.
    """

    minutes: int
    lead_min: float
    groups: dict[str, list[int]]
    groups_at_impact: dict[str, list[int]]
    cannot_leave_moving: list[int]
    facilities_moving: list[int]
    first_knock_min: FirstKnock
    knocks_after_turn_back: int
    help: HelpMet
    contradictions: int
    worst_group: str | None


def measured(
    people: Sequence[Seen],
    released: float,
    impact: float,
    *,
    turn_back: float | None = None,
    contradictions: int = 0,
    unregistered: int = 0,
) -> ImpactFigures:
    """The figures; `turn_back` is when officers had to leave, None where the hazard lets them stay.

    `unregistered` people are estimated: they stand in the figures as people of whom nobody knows what they heard.
    """
    by = impact - MARGIN_S
    early, late = _closed(people, by), _closed(people, impact)
    stay = [p for p in people if p.cannot_leave and not p.facility]
    houses = [p for p in people if p.facility]
    first = sorted((min(p.knocks) - released) / 60 for p in people if p.knocks)
    asked = [p for p in people if p.asked_at is not None]
    took = [(p.met_at - p.asked_at) / 60 for p in asked if p.asked_at is not None and p.met_at is not None]
    worst = min(early, key=lambda name: (early[name][0] / early[name][1], name), default=None)
    if unregistered:
        early[UNREGISTERED] = late[UNREGISTERED] = [0, unregistered]
    return {
        "minutes": round(MARGIN_S / 60),
        "lead_min": round((impact - released) / 60, 1),
        "groups": early,
        "groups_at_impact": late,
        "cannot_leave_moving": [sum(_by(p.moving_at, by) for p in stay), len(stay)],
        "facilities_moving": [sum(_by(p.moving_at, by) for p in houses), len(houses)],
        "first_knock_min": {"p50": _nth(first, 0.5), "p90": _nth(first, 0.9)},
        "knocks_after_turn_back": 0 if turn_back is None else sum(at > turn_back for p in people for at in p.knocks),
        "help": {
            "asked": len(asked),
            "met": len(took),
            "median_min": round(median(took), 1) if took else None,
            "unmet": len(asked) - len(took),
        },
        "contradictions": contradictions,
        "worst_group": worst,
    }


def _by(at: float | None, time: float) -> bool:
    return at is not None and at <= time


def _closed(people: Sequence[Seen], by: float) -> dict[str, list[int]]:
    """Group > [closed by then, people]; groups overlap."""
    all_of: Counter[str] = Counter()
    closed: Counter[str] = Counter()
    for p in people:
        for group in p.groups or ("general",):
            all_of[group] += 1
            closed[group] += _by(p.closed_at, by)
    return {group: [closed[group], n] for group, n in sorted(all_of.items())}


def _nth(values: Sequence[float], share: float) -> float | None:
    """The value that so large a share does not exceed; `values` in order."""
    if not values:
        return None
    return round(values[max(0, math.ceil(len(values) * share) - 1)], 1)


class _Said(NamedTuple):
    """One answer: about whom, what, by whom, when, on which kind of delivery."""

    person_id: str
    kind: str
    answer: str
    by: str
    at: float


async def of(db: Connection, ctx: WarningContext, unregistered: int = 0) -> ImpactFigures | None:
    """The figures of a warning; None where no impact is known that lies after the release."""
    released, impact = ctx.issued.released, ctx.issued.impact
    if impact is None or impact <= released:
        return None
    warning_id = ctx.issued.warning_id
    mine = (tables.path.c.warning_id == warning_id, sa.not_(tables.path.c.outside))
    paths = (
        await db.execute(
            sa.select(
                tables.path.c.person_id, tables.path.c.household_id, tables.path.c.profile_key, tables.path.c.ending,
                tables.path.c.ended_at,
            ).where(*mine)
        )
    ).all()  # fmt: skip
    profiles = await tables.profiles_of(db, {p.profile_key for p in paths})
    said = await _answers(db, warning_id)
    by_hand = await _closed_cases(db, warning_id)
    seen = {
        p.person_id: _seen(
            profiles[p.profile_key], p.ended_at if p.ending == "closed" else None, said.get(p.person_id, ()),
            by_hand.get(p.person_id),
        )
        for p in paths
    }  # fmt: skip
    people = [_with_house(seen[p.person_id], seen.get(p.household_id)) for p in paths]
    contradictions = await _told_the_opposite(db, ctx)
    return measured(
        people, released, impact, turn_back=ctx.turn_back(), contradictions=contradictions,
        unregistered=unregistered,
    )  # fmt: skip


async def _answers(db: Connection, warning_id: str) -> dict[str, list[_Said]]:
    """What was said about each person, oldest first."""
    rows = await rows_of(
        db,
        _Said,
        sa.select(delivery.c.person_id, delivery.c.kind, answer_log.c.answer, answer_log.c.by, answer_log.c.at)
        .join(answer_log, answer_log.c.delivery_id == delivery.c.delivery_id)
        .where(delivery.c.warning_id == warning_id, answer_log.c.answer != "")
        .order_by(answer_log.c.at, answer_log.c.event_key),
    )
    found: dict[str, list[_Said]] = {}
    for row in rows:
        found.setdefault(row.person_id, []).append(row)
    return found


async def _closed_cases(db: Connection, warning_id: str) -> dict[str, float]:
    """Person > when somebody closed their call for help by name."""
    mine = (case.c.warning_id == warning_id, HELP, case.c.closed_by != "")
    rows = await db.execute(
        sa.select(case.c.person_id, sa.func.min(case.c.closed_at).label("at")).where(*mine).group_by(case.c.person_id)
    )
    return {row.person_id: float(row.at) for row in rows}


def _seen(profile: Profile, closed_at: float | None, said: Sequence[_Said], case_closed: float | None) -> Seen:
    facility = profile.kind == "facility"
    moves = (*MOVING, "leaving") if facility else MOVING
    moving = [a.at for a in said if a.answer in moves] + ([closed_at] if closed_at is not None else [])
    visits = [a for a in said if a.kind == DeliveryKind.VISIT]
    asked = min((a.at for a in said if a.answer == "help" and a.by != "officer"), default=None)
    met: list[float] = []
    if asked is not None:
        met = [a.at for a in visits if a.answer in MET and a.at >= asked]
        met += [at for at in (closed_at, case_closed) if at is not None and at >= asked]
    return Seen(
        groups=profile.groups,
        cannot_leave="cannot_leave" in profile.flags,
        facility=facility,
        closed_at=closed_at,
        moving_at=min(moving, default=None),
        knocks=tuple(a.at for a in visits),
        asked_at=asked,
        met_at=min(met, default=None),
    )


def _with_house(person: Seen, house: Seen | None) -> Seen:
    """Who lives in a house of many is on the way when the house says that it is."""
    if house is None or not house.facility or person.facility or house.moving_at is None:
        return person
    return person._replace(moving_at=min(t for t in (person.moving_at, house.moving_at) if t is not None))


async def _told_the_opposite(db: Connection, ctx: WarningContext) -> int:
    """People of this warning whom another one, out while this was, told to do the opposite: to leave, or to stay in."""
    opposite = _OPPOSITE.get(ctx.respond)
    if opposite is None:
        return 0
    state, mine = warning_state.c, ctx.issued
    out = sa.select(tables.warning.c.warning_id, tables.warning.c.issued).join(
        warning_state, state.warning_id == tables.warning.c.warning_id
    )
    beside = (
        state.warning_id != mine.warning_id, state.kind != "ending", state.released_at < mine.expires,
        state.expires_at > mine.released, sa.or_(state.ended_at.is_(None), state.ended_at > mine.released),
    )  # fmt: skip
    others = []
    for row in await db.execute(out.where(*beside)):
        issued = decode(row.issued)
        if isinstance(issued, WarningIssued) and issued.warning_id not in mine.replaces:
            respond = ctx.policy.respond(issued.hazard, issued.respond)
            others += [issued.warning_id] if respond == opposite else []
    if not others:
        return 0
    theirs = sa.select(tables.path.c.person_id).where(one_of(tables.path.c.warning_id, sorted(others)))
    both = (tables.path.c.warning_id == mine.warning_id, tables.path.c.person_id.in_(theirs))
    return int(await db.scalar(sa.select(sa.func.count()).select_from(tables.path).where(*both)) or 0)
