"""Works out what a preview must know of each profile, and keeps it: the same question asked again is not walked again.

A walk takes a quarter of a millisecond, and a large register has thousands of profiles. Many of them differ in what changes
nothing here: a language, a refused number, who asked for blue while it is red. So each kind of profile is planned once, and of
kinds whose plans do the same one is walked.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from msgspec.structs import replace as replaced

from services.router.explaining.foresee import HORIZON_MIN, foresee
from services.router.planning.plan import WarningContext
from services.router.planning.rows import rank
from services.router.policy.conditions import PREDICATES
from services.router.policy.rules import PathPlan
from services.router.policy.vocabulary import EMPTY_NOW
from services.shared.messages import Profile, WarningIssued
from services.shared.tiers import Tier

AT_ONCE = 50  # profiles planned before the loop goes round: some 10 ms
KEPT = 16  # kinds of warnings whose outcomes are kept; some megabytes each in a register of a million
QUARTER_S = 900.0
TOLD = frozenset(("person", "facility", "supporter"))
_WALKED = frozenset((*PREDICATES, EMPTY_NOW))  # all that a walk asks a plan's facts


class ProfileOutcome(NamedTuple):
    """What a preview tells of a profile. `told`: channels tried while nobody answers; `door_min`: when somebody stands at the
    door, or the name on the fire service's list, in minutes from the release, None for never; `team` and `rank`: who is asked
    for and how urgently."""

    asked: bool
    usable: int
    guessed: bool  # only numbers that nobody has verified
    told: frozenset[str]
    door_min: float | None
    at_once: bool
    by_team: bool
    team: str
    rank: int


class _Walk(NamedTuple):
    """All that a walk reads of a profile: whoever has the same has the same outcome."""

    start: float
    plans: tuple[PathPlan, ...]
    kind: str
    in_house: bool
    supporters: frozenset[tuple[str, bool]]


class _Question(NamedTuple):
    """A warning as walks read it, under a policy, with the channels there are."""

    policy_key: str
    issued: WarningIssued
    channels: tuple[tuple[str, str], ...]


class Outcomes:
    """The outcomes of the latest questions, in the process that counts."""

    def __init__(self) -> None:
        self._known: OrderedDict[_Question, dict[str, ProfileOutcome]] = OrderedDict()

    async def of(self, ctx: WarningContext, policy_key: str, profiles: Iterable[Profile]) -> dict[str, ProfileOutcome]:
        """Profile's key > outcome, for at least these profiles. Others have their turn while it works.

        `policy_key` names the context's policy. Times are taken by the quarter of an hour: see `to_the_quarter`.
        """
        issued = to_the_quarter(ctx)
        question = _Question(policy_key, issued, tuple(sorted(ctx.channels.items())))
        known = self._known.setdefault(question, {})
        self._known.move_to_end(question)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        ctx = WarningContext(issued, ctx.policy, ctx.drivers, ctx.channels)
        all_are_told = all(ctx.policy.tiers[tier].personal == "all" for tier in Tier if tier >= ctx.tier)
        kinds: dict[Profile, ProfileOutcome] = {}
        walked: dict[_Walk, ProfileOutcome] = {}
        for n, profile in enumerate(one for one in profiles if one.key not in known):
            if n % AT_ONCE == 0:
                await asyncio.sleep(0)
            kind = _kind_of(profile, all_are_told=all_are_told)
            if kind not in kinds:
                plan, walk = _walk_of(ctx, profile)
                if walk not in walked:
                    walked[walk] = _outcome(ctx, profile)
                urgency = rank(ctx.policy, plan, profile, urgent=False)
                kinds[kind] = walked[walk]._replace(team=plan.team, rank=urgency)
            known[profile.key] = kinds[kind]
        return known


def to_the_quarter(ctx: WarningContext) -> WarningIssued:
    """The warning without what no walk reads, released and over at the full quarter before: what is asked within a quarter of an
    hour is one question. Where the night begins or ends in between, or the impact, the times stay as they are."""
    issued = ctx.issued
    bare = replaced(
        issued,
        msg_id="",
        plane="",
        warning_id="preview",
        chain_id="preview",
        area="",
        geocodes=(),
        replaces=(),
        sent=0.0,
    )
    released, expires = (at // QUARTER_S * QUARTER_S for at in (issued.released, issued.expires))
    parted = issued.impact is not None and released < issued.impact <= issued.released
    if parted or ctx.is_night(released) != ctx.is_night(issued.released):
        return bare
    return replaced(bare, released=released, expires=expires)


def _kind_of(profile: Profile, *, all_are_told: bool) -> Profile:
    """The profile without what no plan reads, but to say it. Who opted in matters only where not everybody is told."""
    flags = profile.flags
    return replaced(
        profile, key="", language="", left_out=tuple(one for one in profile.left_out if one[0] in profile.channels),
        flags=tuple(one for one in flags if not one.startswith("opt_in_")) if all_are_told else flags,
        supporters=tuple(sorted(set(profile.supporters))),
    )  # fmt: skip


def _walk_of(ctx: WarningContext, profile: Profile) -> tuple[PathPlan, _Walk]:
    """The plan the walk begins with, and what of it and of the profile the walk reads."""
    start = ctx.start(profile)
    plans = [ctx.plan(profile, at) for at in dict.fromkeys(_halves(ctx, start))]
    return plans[0], _Walk(
        start,
        tuple(_as_walked(plan) for plan in plans),
        profile.kind,
        "facility" in profile.groups,
        frozenset(profile.supporters),
    )


def _halves(ctx: WarningContext, start: float) -> tuple[float, ...]:
    """A time in each half of the day in which a walk plans."""
    end = start + HORIZON_MIN * 60
    return (start,) if ctx.is_night(start) == ctx.is_night(end) else (start, end)


def _as_walked(plan: PathPlan) -> PathPlan:
    """The plan without what is only said, or done at the door."""
    return replace(
        plan, left_out=(), form="", team="", closing="", head_start=False, first=False, bucket=0, facts=plan.facts & _WALKED
    )  # fmt: skip


def _outcome(ctx: WarningContext, profile: Profile) -> ProfileOutcome:
    seen = foresee(ctx, profile, ())
    plan, minute = seen.plan, seen.door_minute()
    return ProfileOutcome(
        asked=plan.asked,
        usable=plan.usable,
        guessed=plan.usable == 0 and any(use.unverified for use in plan.channels),
        told=frozenset(act.channel.partition(":")[0] for act in seen.acts if act.to in TOLD),
        door_min=minute,
        at_once=minute == seen.held_min,
        by_team="door" in seen.channels(),
        team=plan.team,
        rank=rank(ctx.policy, plan, profile, urgent=False),
    )
