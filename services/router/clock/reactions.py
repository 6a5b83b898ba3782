"""Reacts to answers that close no path: help, a silent door, a refusal, danger, an unknown send."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from services.router.planning.plan import Person, WarningContext
from services.router.planning.rows import another, door, fire_list, knock_again, officer
from services.router.policy.rules import PathPlan
from services.router.policy.vocabulary import EMPTY_NOW, OFFICER, SUPPORTER
from services.shared.ledger.deliveries import NewDelivery, Planned
from services.shared.ledger.evidence import Answer
from services.shared.ledger.kinds import DeliveryKind
from services.shared.ledger.params import Visit
from services.shared.ledger.states import GONE, NO_VOLUNTEER, STOPPED, SendState
from services.shared.ledger.tables import Delivery
from services.shared.tiers import Tier

UNKNOWN_GIVES_UP_S = 600.0
FELL_OUT = {
    STOPPED: "the number said STOP", NO_VOLUNTEER: "no sign volunteer could call",
    GONE: "their device takes no push messages any more",
}  # fmt: skip


@dataclass
class Reaction:
    """New rows, deliveries to try again or give up, an ending, and when to look again."""

    rows: list[NewDelivery] = field(default_factory=list)
    retry: list[str] = field(default_factory=list)
    give_up: list[str] = field(default_factory=list)
    ending: tuple[str, str] | None = None
    moved_up: list[str] = field(default_factory=list)  # visits that a call for help takes the place of
    open_case: bool = False
    again_at: float | None = None

    def later(self, when: float) -> None:
        self.again_at = when if self.again_at is None else min(self.again_at, when)


def react(ctx: WarningContext, person: Person, plan: PathPlan, now: float) -> Reaction:
    """Works out from the ledger alone what is to be done now; asked twice, it adds nothing."""
    found = Reaction()
    _unknown(ctx, person, plan, now, found)
    _fell_out(ctx, person, plan, now, found)
    _help(ctx, person, plan, now, found)
    _helper_cannot_reach(ctx, person, plan, now, found)
    _door(ctx, person, plan, now, found)
    if person.help_at is not None:
        found.ending = None  # an empty or a closed door is no end of a call for help: the rescue service has the name
    person.deliveries += found.rows
    return found


def _unknown(ctx: WarningContext, person: Person, plan: PathPlan, now: float, found: Reaction) -> None:
    """Red: silence for a minute goes out on another channel; with none left, the same once more: a double beats silence."""
    wait = ctx.policy.tiers[plan.tier].unknown_after_s
    for d in person.deliveries:
        if d.send_state != SendState.UNKNOWN or d.person_id != person.entry.person_id:
            continue
        since = now - d.state_at
        if wait is None:
            if since >= UNKNOWN_GIVES_UP_S:
                found.give_up.append(d.delivery_id)
            else:
                found.later(d.state_at + UNKNOWN_GIVES_UP_S)
        elif since < wait:
            found.later(d.state_at + wait)
        elif d.addressee_kind in ("person", "facility") and any(
            u.channel not in person.tried() and u.kind not in (SUPPORTER, OFFICER) for u in plan.channels
        ):
            found.rows += another(ctx, person, plan, "unknown", f"{d.channel} unknown for {wait:.0f} s", now)
            found.give_up.append(d.delivery_id)
        elif d.ambiguous < 2:
            found.retry.append(d.delivery_id)
        else:
            found.give_up.append(d.delivery_id)


def fell_out(d: Planned) -> bool:
    """Whether a channel of theirs is none after all: STOP, nobody who signs could call, or their device has left."""
    return d.send_state in (SendState.SUPPRESSED, SendState.FAILED) and d.state_reason in FELL_OUT


def _fell_out(ctx: WarningContext, person: Person, plan: PathPlan, now: float, found: Reaction) -> None:
    """STOP ends the texts and not the path: the next channel at once, and somebody goes where fewer than two are left."""
    own = [d for d in person.deliveries if d.addressee_kind in ("person", "facility")]
    out = [d for d in own if fell_out(d)]
    if not out:
        return
    shut, why = {d.channel for d in out}, FELL_OUT[out[-1].state_reason]
    left = [u for u in plan.channels if u.kind not in (SUPPORTER, OFFICER) and u.channel not in shut]
    telling = sum(u.tells for u in left) + plan.supporter_counts
    instead = sum(d.step == "stopped" for d in own)
    if any(u.channel not in person.tried() for u in left) and instead < len(shut):
        found.rows += another(ctx, person, plan, "stopped", why, now)
    if plan.tier >= Tier.ORANGE and telling < 2:
        # too few are left, as is known only now: to whoever registered without a need somebody goes too
        goes = replace(plan, door_applies=plan.door_applies or telling == 0 or "away" not in plan.facts)
        found.rows += door(ctx, person, goes, f"{why}; fewer than two channels left", now, "stopped")


def _help(ctx: WarningContext, person: Person, plan: PathPlan, now: float, found: Reaction) -> None:
    """Help opens a case and the door, for everybody: whoever asks is a resident in need from that moment.

    A visit that stands on a list or waits in rank is moved up: a new one takes its place, which the nearest team is told of.
    Nothing but an answer, or a person who closes the case, ends the path of somebody who has asked.
    """
    if person.help_at is None:
        return
    found.open_case = True
    in_need = replace(plan, door_applies=True)
    for n, d in enumerate(person.deliveries):
        if _can_be_moved_up(d) and not ctx.nobody_goes(in_need, person):
            found.moved_up.append(d.delivery_id)
            person.deliveries[n] = _superseded(d)
    found.rows += door(ctx, person, in_need, "asked for help", now, "help", urgent=True, since=person.help_at)
    if not plan.door_applies or now >= ctx.last_door(person.entry.zone_id):
        # a home the register may know little of, or one no team may get to any more: rescue has ways to find a phone
        found.rows += fire_list(ctx, person, in_need, "asked for help", now, "help")


def _can_be_moved_up(d: Planned) -> bool:
    """A visit that nobody has made and that is no call for help yet."""
    waits = d.kind == DeliveryKind.VISIT and not d.answer and d.send_state in ("pending", "retry", "accepted")
    return waits and isinstance(d.params, Visit) and not d.params.urgent


def _superseded(d: Planned) -> Planned:
    return d._replace(send_state=SendState.SUPERSEDED) if isinstance(d, Delivery) else d


def _helper_cannot_reach(ctx: WarningContext, person: Person, plan: PathPlan, now: float, found: Reaction) -> None:
    """A supporter who cannot reach the person is news: an officer is asked at once, not at the next step."""
    if plan.tier >= Tier.ORANGE and any(d.answer == Answer.CANNOT_REACH for d in person.helpers_told()):
        found.rows += officer(ctx, person, plan, "helper", "supporter cannot reach", now)


def _door(ctx: WarningContext, person: Person, plan: PathPlan, now: float, found: Reaction) -> None:
    visits = person.standing_visits()
    if not visits or any(
        row.kind is DeliveryKind.VISIT for row in found.rows
    ):  # what was found there before, help has overtaken
        return
    last = visits[-1]
    answer, at = last.answer, last.answer_at or now
    again = at + ctx.policy.door_list.second_knock_s
    first = sum(1 for d in visits if d.answer == answer) == 1  # an empty house, then a refusal, is one refusal
    if answer == Answer.HELP:
        found.rows += fire_list(ctx, person, plan, "help needed at the door", now, "door.help")
    elif answer == Answer.NO_ANSWER and first:
        found.rows += knock_again(ctx, person, plan, "no answer at the first visit", again)
    elif answer == Answer.NO_ANSWER:
        found.rows += fire_list(ctx, person, plan, "no answer at two visits", now, "door.silent")
        found.ending = ("handed_to_rescue", "no answer at two visits")
    elif answer == Answer.REFUSED and first:
        found.rows += knock_again(ctx, person, plan, "refused once: told of the danger again", again)
    elif answer == Answer.REFUSED:
        found.ending = ("refused", "refused at two visits")
    elif answer == Answer.UNSAFE:
        found.rows += fire_list(ctx, person, plan, "unsafe to go to the door", now, "door.unsafe")
        found.ending = ("handed_to_rescue", "officer: unsafe to go there")


def final(ctx: WarningContext, person: Person, plan: PathPlan) -> tuple[str, str] | None:
    """The ending when the last step has been walked and nothing closed the path; None where it stays open.

    A resident in orange and red stays open while a door is; there is no ending by the clock. A call for help never ends so.
    """
    rule = ctx.policy.tiers[plan.tier]
    if person.help_at is not None:
        return None
    if EMPTY_NOW in plan.facts:
        return "sent", "nobody is in the house at this hour; its lines were told"
    if rule.end == "sent":
        return "sent", f"{plan.tier.word} ends with sending"
    if not plan.door_applies:
        away = "away" in plan.facts
        return "unconfirmed", "away: no answer that closes" if away else "subscriber: no answer that closes"
    if rule.end == "officer_contact" and waiting_for_door(person):
        return None
    if rule.end == "officer_contact":
        asked = any(d.addressee_kind == "worker" for d in person.deliveries)
        return (
            ("officer_contact", "officer asked to contact") if asked else ("sent", f"{plan.tier.word}: no further step")
        )
    if waiting_for_door(person):
        return None
    may_go_later = ctx.waits_for_door_check or person.was_barred()
    if may_go_later and ctx.doors != "unsafe" and not person.standing_visits():
        return None
    if person.on_fire_list():
        for ending, holds, reason in (
            ("unsafe_by_commander", ctx.doors == "unsafe", "commander: nobody may be sent; name with the fire service"),
            ("handed_to_rescue", True, "name on the fire service's list"),
        ):
            if holds and ending in ctx.policy.closed_if.commander.ending:
                return ending, reason
    return None


def waiting_for_door(person: Person) -> bool:
    """Whether a visit stands that was not made yet."""
    return any(
        d.send_state in ("pending", "retry", "accepted", "delivered") and d.answer in ("", "help")
        for d in person.visits()
    )
