"""Walks a person's steps, each at its own time, and makes the ledger rows they bring. Pure.

Sending walks people of the ledger; explaining, tables, comparing and previews walk a person in memory (`foresee`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from services.router.planning.plan import Person, WarningContext
from services.router.planning.rows import another, door, officer, personal, superior, supporters
from services.router.policy.rules import ChannelUse, PathPlan
from services.router.policy.steps import Step
from services.router.policy.vocabulary import AREA_CHANNELS, SHAKER
from services.shared.ledger.deliveries import NewDelivery
from services.shared.ledger.evidence import Evidence


def facts(ctx: WarningContext, person: Person, plan: PathPlan, now: float) -> frozenset[str]:
    """What is true of this person now, in the policy's words; an open path is asked."""
    true = set(plan.facts) | {"open"}
    if person.evidence < Evidence.DELIVERED:
        true.add("not_delivered_or_unknown")
    if person.evidence < Evidence.HEARD:
        true.add("no_person_spoke")
    if person.answer not in ("moving", "safe"):
        true.add("not_moving")
    if plan.alone_after is not None and person.helpers_silent(now, plan.alone_after):
        # a child whose guardian does not answer is alone: somebody goes, and their word alone does not close it
        true |= {"alone", "cannot_judge", "high_support"}
    return frozenset(true)


@dataclass(frozen=True)
class Act:
    """What one word of a step brought: the facts that are its reason, and its rows, none where nothing is left to do."""

    word: str
    why: str
    rows: tuple[NewDelivery, ...]


@dataclass(frozen=True)
class AreaAct:
    """One word for the whole area: its step, when, its reason, and why it is left out (empty where it is done)."""

    word: str
    step: Step
    at: float
    why: str
    left_out: str


def climb(ctx: WarningContext, person: Person, until: float) -> Iterator[tuple[Step, float, list[Act]]]:
    """Walks a new path's steps that fall due until then, each at its own time: by day or by night as it is then.

    A step that comes again is walked once and is the last.
    """
    start = person.started = ctx.start(person.profile)
    for step in ctx.escalation(person.profile, ctx.plan(person.profile, start)):
        at = step.when(start, ctx.issued.impact)
        if at > until:
            return
        yield step, at, walk(ctx, person, ctx.plan(person.profile, at), step, at)
        if step.every:
            return


def walk(ctx: WarningContext, person: Person, plan: PathPlan, step: Step, now: float) -> list[Act]:
    """One step: its rows are added to the person's deliveries, none twice; no act where its condition does not hold."""
    true = facts(ctx, person, plan, now)
    acts: list[Act] = []

    def add(word: str, why: str, rows: list[NewDelivery]) -> None:
        person.deliveries += rows
        acts.append(Act(word, why, tuple(rows)))

    if step.condition.holds(true):
        because = step.condition.because(true)
        reason = f"{step.name}: {because}" if because else step.name
        for word in step.do:
            add(word, because, _do(ctx, person, plan, word, step, reason, now))
        if step.ask and not done(step, person):
            add("+".join(step.ask), because, _ask(ctx, person, plan, step, reason, now))
    if step.at == 0 and plan.door_at_0 and not step.every:
        reason = f"{step.name}: {plan.door_at_0}"
        add("door", plan.door_at_0, door(ctx, person, plan, reason, now, step.name))
    return acts


def area_acts(ctx: WarningContext) -> list[AreaAct]:
    """What the tier's steps bring to the whole area from the release on, whoever lives there.

    How many live there unregistered is not known to a policy, so a zone counts as having some.
    """
    rule = ctx.policy.hazard(ctx.issued.hazard)
    true = {"open", "zone_has_unregistered"} | ({"night"} if ctx.is_night(ctx.issued.released) else set())
    found = []
    for step in ctx.policy.steps_of(ctx.tier):
        for word in (w for w in step.do if w in AREA_CHANNELS):
            left_out = "" if step.condition.holds(true) else "condition"
            if word == "street_sweep" and rule.sweep_forbidden:
                left_out = "hazard_forbids"
            moved = step
            if word == "area_sound" and rule.area_sound_s is not None:
                moved = replace(step, at=rule.area_sound_s)
            at = moved.when(ctx.issued.released, ctx.issued.impact)
            left_out = left_out or ctx.channels.get(AREA_CHANNELS[word], "no_driver")
            found.append(AreaAct(word, moved, at, step.condition.because(true), left_out))
    return found


def done(step: Step, person: Person) -> bool:
    """Whether a step that comes again has what it asks for."""
    return step.until == "all_safe" and person.answer == "safe"


def _do(
    ctx: WarningContext, person: Person, plan: PathPlan, word: str, step: Step, reason: str, now: float
) -> list[NewDelivery]:
    if word.startswith("personal."):
        which = word.removeprefix("personal.")
        uses = list(plan.channels) if which == "all" else _numbered(plan, int(which))
        rows: list[NewDelivery] = []
        for use in uses:
            rows += personal(ctx, person, plan, use, step.name, reason, now)
        return rows
    match word:
        case "retry_other_channel":
            return another(ctx, person, plan, step.name, reason, now)
        case "supporter":
            return supporters(ctx, person, plan, step.name, reason, now)
        case "officer_contact":
            return officer(ctx, person, plan, step.name, reason, now)
        case "superior":
            return superior(ctx, person, plan, step.name, reason, now)
        case "door" | "nearest_unit_goes" | "transport_team":
            return door(ctx, person, plan, reason, now, step.name)
        case "duty_phone_1" | "duty_phone_2" | "sms":
            uses = [use for use in plan.channels if use.word == word or use.kind == word]
            return [row for use in uses for row in personal(ctx, person, plan, use, step.name, reason, now)]
    return []  # area-wide words are one delivery to the area, made when the warning is issued


def _numbered(plan: PathPlan, number: int) -> list[ChannelUse]:
    """One of their channels by its place. What wakes a sleeper is counted as none, and at night comes with the first."""
    said = [use for use in plan.channels if use.kind != SHAKER]
    wakes = [use for use in plan.channels if use.kind == SHAKER] if number == 1 and "night" in plan.facts else []
    return [*wakes, *said[number - 1 : number]]


def _ask(ctx: WarningContext, person: Person, plan: PathPlan, step: Step, reason: str, now: float) -> list[NewDelivery]:
    """The question goes to the first line that is there, in the form that asks it."""
    form = "+".join([plan.form, *step.ask])
    for use in plan.channels:
        rows = personal(ctx, person, plan, use, step.name, f"{reason}: ask", now, again=True, form=form)
        if rows:
            return rows
    return []
