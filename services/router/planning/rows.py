"""Makes ledger rows of a plan: who, on which channel, why, and when. Pure; every row carries its reason."""

from __future__ import annotations

from collections.abc import Sequence

from services.router.planning.plan import BARRED, Person, WarningContext
from services.router.policy.engine import Policy
from services.router.policy.rules import ChannelUse, PathPlan
from services.router.policy.vocabulary import (
    ASSIST_MIN,
    EMPTY_NOW,
    FIRE_SERVICE,
    OFFICER,
    SHAKER,
    SUPPORTER,
    TRAVEL_MIN,
    VISIT_MIN,
)
from services.shared.bus.outbox import id_of
from services.shared.ledger.deliveries import Addressee, NewDelivery
from services.shared.ledger.params import CallTimes, DoorReaches, Visit
from services.shared.messages import ContactEntry, Profile, SupporterEntry, WorkerEntry
from services.shared.tiers import Tier

HELPER_CHANNELS = {"sms": "supporter_sms", "voice_mobile": "supporter_voice", "voice_landline": "supporter_voice"}
OFFICER_CHANNELS = {"sms": "officer_sms", "voice_mobile": "officer_voice", "voice_landline": "officer_voice"}
BARRED_INSTEAD = ("supporter_by_phone",)
EARLIER_S = 0.001  # what a policy calls first is claimed first among what is due at the same instant
DEFAULT_RING_S, DEFAULT_LISTEN_S = 60, 20  # what the voice channel does unasked


def personal(
    ctx: WarningContext,
    person: Person,
    plan: PathPlan,
    use: ChannelUse,
    step: str,
    reason: str,
    now: float,
    *,
    again: bool = False,
    form: str = "",
) -> list[NewDelivery]:
    """One channel of a person; a call to somebody who must answer is tried three times in five minutes.

    A channel that is a supporter or an officer goes to them, about the person.
    """
    if use.kind == SUPPORTER:
        return supporters(ctx, person, plan, step, reason, now)
    if use.kind == OFFICER:
        return officer(ctx, person, plan, step, f"{reason}; {use.word.replace('_', ' ')}", now)
    contact = next(
        (c for c in person.entry.contacts if c.kind == use.kind and (c.unverified if use.unverified else c.usable)),
        None,
    )
    if contact is None:
        return []
    facility = person.profile.kind == "facility"
    if use.unverified and not facility:
        form = "plain"  # a stranger may have the number by now: nothing of it tells what the person needs
    wakes = use.kind == SHAKER and "night" in plan.facts
    before = [d.try_no for d in person.deliveries if d.channel == use.channel and d.contact_id == contact.contact_id]
    if before and not again:
        return []
    first = max(before, default=0) + 1
    voice = use.channel.startswith("voice")
    if voice and not facility and person.has_answered():
        return []  # a robot does not call somebody who has spoken: what they said is seen to by people
    must_answer = (facility and EMPTY_NOW not in plan.facts) or (
        ctx.tier == Tier.RED and person.profile.kind == "resident" and plan.ack
    )
    tries = ctx.policy.voice_call.tries if voice and must_answer and not again else 1
    gap = ctx.policy.voice_call.within_s / max(1, tries - 1)
    params = _call(ctx.policy) if voice else DoorReaches() if use.kind == "sms" and plan.door_applies else None
    rows: list[NewDelivery] = []
    for n in range(tries):
        why = reason if n == 0 else f"{reason}; call {n + 1} of {tries}"
        rows.append(
            _warning(
                ctx,
                person,
                Addressee("facility" if facility else "person", person.entry.person_id, person.profile.language),
                contact,
                step=step,
                channel=use.channel,
                reason=why,
                due_at=now + n * gap - (EARLIER_S if plan.first or wakes else 0.0),
                try_no=first + n,
                form=form or plan.form,
                params=params,
            )
        )
    return rows


def _call(policy: Policy) -> CallTimes | None:
    if (policy.voice_call.ring_s, policy.voice_call.listen_s) == (DEFAULT_RING_S, DEFAULT_LISTEN_S):
        return None
    return CallTimes(policy.voice_call.ring_s, policy.voice_call.listen_s)


def another(
    ctx: WarningContext, person: Person, plan: PathPlan, step: str, reason: str, now: float
) -> list[NewDelivery]:
    """The next channel a person has not been tried on; where none is left, their first channel once more."""
    tried = person.tried()
    own = [use for use in plan.channels if use.kind not in (SUPPORTER, OFFICER)]
    left = [use for use in own if use.channel not in tried]
    if left:
        return personal(ctx, person, plan, left[0], step, f"{reason}; other channel", now)
    own.sort(key=lambda use: use.kind == SHAKER)  # what only wakes is no second telling
    if own:
        return personal(ctx, person, plan, own[0], step, f"{reason}; no other channel left, again", now, again=True)
    return []


def supporters(
    ctx: WarningContext, person: Person, plan: PathPlan, step: str, reason: str, now: float, *, by_phone: bool = False
) -> list[NewDelivery]:
    """Each supporter by one channel of theirs, with a text of their own; inside the zone they are told, not sent.

    One who lives in the same home is asked to take the person along.
    Where nobody may go to the door those outside are told to phone and not to go.

    `by_phone`: called also where they have had a text.
    """
    told = person.helpers_told()
    if not plan.supporter or (told and not by_phone):
        return []
    called = {d.addressee_id for d in told if d.channel == "supporter_voice"}
    stay_away = ctx.nobody_goes(plan, person)
    rows: list[NewDelivery] = []
    for helper in person.entry.supporters:
        if helper.supporter_id in called:
            continue
        way = _helper_way(ctx, helper, by_phone)
        if way is None or (told and way[1] != "supporter_voice"):
            continue
        contact, channel = way
        where = (
            "supporter in the same home" if helper.at_home
            else "supporter outside the zone" if helper.outside_zone
            else "supporter inside the zone, not sent"
        )  # fmt: skip
        rows.append(
            _warning(
                ctx,
                person,
                Addressee("supporter", helper.supporter_id, helper.language),
                contact,
                step=step,
                channel=channel,
                reason=f"{reason}; {where}",
                due_at=now,
                form=_helper_form(helper, stay_away=stay_away),
                about_id=person.entry.person_id,
            )
        )
    return rows


def _helper_form(helper: SupporterEntry, *, stay_away: bool) -> str:
    """Which text: of who lives with the person, of who is in the danger too, of who may only phone."""
    if helper.at_home:
        return "helper_home"
    if not helper.outside_zone:
        return "helper_in"
    return "helper_phone" if stay_away else "helper"


def _helper_way(ctx: WarningContext, helper: SupporterEntry, by_phone: bool) -> tuple[ContactEntry, str] | None:
    usable = [
        (contact, HELPER_CHANNELS[contact.kind])
        for contact in helper.contacts
        if contact.usable
        and contact.kind in HELPER_CHANNELS
        and ctx.channels.get(HELPER_CHANNELS[contact.kind], "no_driver") == ""
    ]
    spoken = [one for one in usable if one[1] == "supporter_voice"]
    return next(iter((spoken or usable) if by_phone else usable), None)


def officer(
    ctx: WarningContext, person: Person, plan: PathPlan, step: str, reason: str, now: float, *, further: bool = False
) -> list[NewDelivery]:
    """The officer of the person's grid is asked to call, text or visit, whichever the person can use.

    Where nobody may go to the door the officer is asked to call or text only, and told to stay away.

    `further`: the next officer, where the first was asked already (the superior of a silent duty phone).
    """
    asked = [d for d in person.deliveries if d.addressee_kind == "worker"]
    if not plan.door_applies or (asked and not further) or ctx.channels.get("officer_sms", "no_driver"):
        return []
    done = {d.addressee_id for d in asked}
    for one in near(ctx, person):
        contact = next((c for c in one.contacts if c.kind == "sms" and c.usable), None)
        if contact is not None and one.worker_id not in done:
            return [
                _warning(
                    ctx,
                    person,
                    Addressee("worker", one.worker_id, one.language),
                    contact,
                    step=step,
                    channel="officer_sms",
                    reason=reason,
                    due_at=now,
                    form="officer_phone" if ctx.nobody_goes(plan, person) else "officer",
                    about_id=person.entry.person_id,
                )
            ]
    return []


def near(ctx: WarningContext, person: Person) -> list[WorkerEntry]:
    """Officers on shift, those of the person's grid first."""
    mine = [w for w in ctx.workers if person.entry.grid_id in w.grids]
    return mine + [w for w in ctx.workers if w not in mine]


def superior(
    ctx: WarningContext, person: Person, plan: PathPlan, step: str, reason: str, now: float
) -> list[NewDelivery]:
    """Whoever stands above a silent duty phone: an officer with that skill, else one who was not asked yet."""
    above = [w for w in ctx.workers if "superior" in w.skills]
    if above:
        narrowed = WarningContext(ctx.issued, ctx.policy, ctx.drivers, ctx.channels, ctx.doors, above)
        return officer(narrowed, person, plan, step, reason, now, further=True)
    return officer(ctx, person, plan, step, reason, now, further=True)


def door(
    ctx: WarningContext,
    person: Person,
    plan: PathPlan,
    reason: str,
    now: float,
    step: str,
    *,
    urgent: bool = False,
    since: float | None = None,
) -> list[NewDelivery]:
    """A visit, once; where nobody may be sent, what the hazard puts in its stead, and a name on the fire service's list.

    Who lives in a house of many is not visited singly while the house answers; a call for help of their own is.

    `since`: something new was heard of them then. A visit made before, or one that is only due later, does not count.
    """
    if not plan.door_applies:
        return []
    if person.lives_in_house and person.house_answers and not urgent:
        return []  # the house is one door for all who live there
    if ctx.door_where(plan) == "fire_service_list":
        unsafe = ctx.doors == "unsafe"
        why = "commander: unsafe to send anybody" if unsafe else "doors forbidden by hazard"
        words = ctx.policy.hazard(ctx.issued.hazard).instead
        return _instead(ctx, person, plan, words, f"{reason}; {why}"[:80], now, step)
    if person.barred:
        return _instead(ctx, person, plan, BARRED_INSTEAD, f"{reason}; {person.barred}"[:80], now, BARRED)
    standing = person.standing_visits()
    if since is not None:
        standing = [d for d in standing if ((d.answer_at or now) >= since if d.answer else d.due_at <= now)]
    if standing:
        return []
    # some may be taken back, when the path closed; the person needs it after all
    return [_visit(ctx, person, plan, reason, now, step, _next_try(person), urgent)]


def _instead(
    ctx: WarningContext, person: Person, plan: PathPlan, words: Sequence[str], reason: str, now: float, step: str
) -> list[NewDelivery]:
    """The channels that stand in for a forbidden door; the list of the fire service is always among them.

    An officer is asked at once to call somebody in need with fewer than two channels, and whoever has none: no door makes up
    for what is missing.
    """
    rows: list[NewDelivery] = []
    tried = person.tried()
    for word in words:
        kinds = {"voice": ("voice_mobile", "voice_landline"), "sms": ("sms",)}.get(word, ())
        use = next((u for u in plan.channels if u.kind in kinds and u.channel not in tried), None)
        if use is not None:
            rows += personal(ctx, person, plan, use, step, reason, now)
        elif word == "supporter_by_phone":
            rows += supporters(ctx, person, plan, step, reason, now, by_phone=True)
    if plan.usable == 0 or (plan.usable < 2 and person.profile.kind == "resident"):
        rows += officer(ctx, person, plan, step, reason, now)
    return rows + fire_list(ctx, person, plan, reason, now, step)


def knock_again(ctx: WarningContext, person: Person, plan: PathPlan, reason: str, at: float) -> list[NewDelivery]:
    """The next visit to the same door; as urgent as the call for help it is about."""
    urgent = person.help_at is not None
    return [_visit(ctx, person, plan, reason, at, "door.again", _next_try(person), urgent)]


def _next_try(person: Person) -> int:
    return max((d.try_no for d in person.visits()), default=0) + 1


def fire_list(
    ctx: WarningContext, person: Person, plan: PathPlan, reason: str, now: float, step: str
) -> list[NewDelivery]:
    """The person's name, place and needs for moving, on the fire service's list: calls for help first, then by rank."""
    if person.on_fire_list():
        return []
    row = NewDelivery.rescue(
        rescue_id(ctx.issued.warning_id, person.entry.person_id), ctx.issued, person.entry,
        person.profile.language, _params(ctx, person, plan, urgent=person.help_at is not None), step=step,
        driver=ctx.drivers["fire_service_list"], reason=reason, due_at=now, slot=FIRE_SERVICE,
    )  # fmt: skip
    return [row]


def _visit(
    ctx: WarningContext, person: Person, plan: PathPlan, reason: str, at: float, step: str, try_no: int, urgent: bool
) -> NewDelivery:
    return NewDelivery.visit(
        visit_id(ctx.issued.warning_id, person.entry.person_id, try_no), ctx.issued, person.entry, person.profile.language,
        _params(ctx, person, plan, urgent=urgent), step=step, driver=ctx.drivers["door"], reason=reason, due_at=at,
        try_no=try_no,
    )  # fmt: skip


def _params(ctx: WarningContext, person: Person, plan: PathPlan, *, urgent: bool) -> Visit:
    return Visit(
        team=plan.team,
        closing=plan.closing,
        respond=ctx.respond,
        rank=rank(ctx.policy, plan, person.profile, urgent=urgent),
        slack_quarters=0 if urgent else slack_bucket(ctx, plan, person.entry.zone_id),
        urgent=urgent,
        facility=person.profile.kind == "facility",
        turn_back=ctx.turn_back(person.entry.zone_id),
    )


def rank(policy: Policy, plan: PathPlan, profile: Profile, *, urgent: bool) -> int:
    """Who gets a team when there are too few, smaller first: a call for help, what the policy calls first, its rank.

    `facility` is a house of many, which is one door, and none of those who live there: each of them is ranked as a person.
    """
    if urgent:
        return 0
    if plan.first:
        return 1
    asleep = {"deaf", "night", "no_bed_shaker"} <= plan.facts  # nothing of theirs wakes them: no road while they sleep
    true = set(plan.facts) | set(profile.groups) | ({"deaf_asleep"} if asleep else set())
    if set(profile.groups) <= {"general"} and not {"no_usable_channel", "high_support"} & true:
        return len(policy.shortage.rank) + 3  # no need, and a channel left: behind everybody who has one or has none
    if profile.kind != "facility":
        true.discard("facility")
    return next((n for n, word in enumerate(policy.shortage.rank, 2) if word in true), len(policy.shortage.rank) + 2)


def slack_bucket(ctx: WarningContext, plan: PathPlan, zone_id: str) -> int:
    """Quarters of an hour between release and the last moment to set out for a door there; 0 is the most urgent."""
    back = ctx.turn_back(zone_id)
    if ctx.issued.impact is None:
        slack = ctx.policy.impact_time.unknown_means_slack_min
    else:
        needs = TRAVEL_MIN + max(ASSIST_MIN.get(part, VISIT_MIN) for part in plan.team.split("+"))
        slack = ((ctx.issued.impact if back is None else back) - ctx.issued.released) / 60 - needs
    return max(0, int(slack // 15) + plan.bucket)


def _warning(
    ctx: WarningContext,
    person: Person,
    to: Addressee,
    contact: ContactEntry,
    *,
    step: str,
    channel: str,
    reason: str,
    due_at: float,
    form: str,
    about_id: str = "",
    try_no: int = 1,
    params: CallTimes | DoorReaches | None = None,
) -> NewDelivery:
    one = message_id(
        ctx.issued.warning_id, to.addressee_id, person.entry.person_id, channel, contact.contact_id, try_no
    )
    return NewDelivery.warning(
        one, ctx.issued, person.entry, to, contact, step=step, channel=channel, driver=ctx.drivers[channel], form=form,
        reason=reason, due_at=due_at, about_id=about_id, try_no=try_no, params=params,
    )  # fmt: skip


def message_id(warning_id: str, addressee_id: str, person_id: str, channel: str, contact_id: str, try_no: int) -> str:
    """The step is no part of the id: the same channel tried from another step is the same delivery."""
    return id_of(warning_id, addressee_id, person_id, channel, contact_id, try_no)


def visit_id(warning_id: str, person_id: str, try_no: int) -> str:
    return id_of(warning_id, person_id, person_id, "door", "door", try_no)


def rescue_id(warning_id: str, person_id: str) -> str:
    return id_of(warning_id, person_id, "fire_service_list")
