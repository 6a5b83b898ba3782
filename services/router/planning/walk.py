"""Walks one step of a path: what is true of the person at that time, and the rows the step brings. Pure."""

from __future__ import annotations

from typing import Any

from services.router.planning.plan import Person, WarningContext
from services.router.planning.rows import another, door, officer, personal, superior, supporters
from services.router.policy.rules import PathPlan, Step
from services.shared.ledger.ledger import Evidence


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
        # a child whose guardian does not answer is on her own: somebody goes, and her word alone does not close it
        true |= {"alone", "cannot_judge", "high_support"}
    return frozenset(true)


def walk(ctx: WarningContext, person: Person, plan: PathPlan, step: Step, now: float) -> list[dict[str, Any]]:
    """The rows of one step, none twice; an empty list where the condition does not hold or nothing is left to do."""
    true = facts(ctx, person, plan, now)
    before = len(person.deliveries)
    if step.condition.holds(true):
        because = step.condition.because(true)
        reason = f"{step.name}: {because}" if because else step.name
        for word in step.do:
            person.deliveries += _do(ctx, person, plan, word, step, reason, now)
        if step.ask and not done(step, person):
            person.deliveries += _ask(ctx, person, plan, step, reason, now)
    if step.at == 0 and plan.door_at_0 and not step.every:
        person.deliveries += door(ctx, person, plan, f"{step.name}: {plan.door_at_0}", now, step.name)
    return person.deliveries[before:]


def done(step: Step, person: Person) -> bool:
    """Whether a step that comes again has what it asks for."""
    return step.until == "all_safe" and person.answer == "safe"


def _do(
    ctx: WarningContext, person: Person, plan: PathPlan, word: str, step: Step, reason: str, now: float
) -> list[dict[str, Any]]:
    if word.startswith("personal."):
        which = word.removeprefix("personal.")
        uses = list(plan.channels) if which == "all" else list(plan.channels[int(which) - 1 : int(which)])
        rows: list[dict[str, Any]] = []
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


def _ask(
    ctx: WarningContext, person: Person, plan: PathPlan, step: Step, reason: str, now: float
) -> list[dict[str, Any]]:
    """The question goes to the first line that is there, in the form that asks it."""
    form = "+".join([plan.form, *step.ask])
    for use in plan.channels:
        rows = personal(ctx, person, plan, use, step.name, f"{reason}: ask", now, again=True, form=form)
        if rows:
            return rows
    return []
