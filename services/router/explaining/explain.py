"""Explains the path of a person of some profile minute by minute, for a council that wants to read it."""

from __future__ import annotations

import re

from services.router.explaining.foresee import Foreseen, foresee, made_up_warning
from services.router.policy.engine import Policy
from services.router.policy.vocabulary import AREA_CHANNELS
from services.shared import labels
from services.shared.errors import Refused
from services.shared.i18n import listed, t, tc
from services.shared.labels import say
from services.shared.messages import Profile
from services.shared.tiers import Tier

CHANNELS = (
    "sms", "voice_mobile", "voice_landline", "voice_duty", "email", "push", "chat", "video_relay", "bed_shaker",
    "supporter_sms", "supporter_voice", "officer_sms", "door",
    "fire_service_list", "broadcast", "area_sound",
)  # fmt: skip
HEARD = ("broadcast", "area_sound", "street_sweep")  # of what goes to the whole area
WORKING = dict.fromkeys((*CHANNELS, *AREA_CHANNELS.values()), "")


def explain(
    policy: Policy, tier: Tier, hazard: str, profile: Profile, at: str, *, impact_min: float | None = None
) -> list[str]:
    """What this policy does for somebody of the profile, one sentence a line; Refused where a word is not known."""
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", at)
    if match is None:
        raise Refused(f"--at {at}: give a time like 02:30", field="--at", given=at)
    if hazard not in policy.hazards:
        raise Refused(
            f"--hazard: {hazard!r} is not known; use {', '.join(policy.hazards)}", field="--hazard", given=hazard
        )
    minute = int(match[1]) * 60 + int(match[2])
    seen = foresee(made_up_warning(policy, tier, hazard, minute, WORKING, impact_min=impact_min), profile)
    return _lines(policy, profile, seen, tier, hazard, minute)


def _lines(policy: Policy, profile: Profile, seen: Foreseen, tier: Tier, hazard: str, minute: int) -> list[str]:
    plan, clock = seen.plan, f"{minute // 60:02d}:{minute % 60:02d}"
    found = [
        t(
            "{tier}, {hazard}, {time} ({half}), {kind}: {groups}", tier=say(labels.TIERS, tier.word),
            hazard=labels.hazard(hazard), time=clock,
            half=t("night") if policy.is_night(minute * 60.0, 0) else t("day"), kind=say(labels.KINDS, profile.kind),
            groups=labels.all_of(labels.GROUPS, profile.groups),
        )
    ]  # fmt: skip
    escalation = say(labels.TIERS, plan.escalation)
    if plan.head_start and plan.escalation != tier.word:
        found.append(t("walks the {escalation} escalation (slow ones start one tier earlier)", escalation=escalation))
    else:
        found.append(t("walks the {escalation} escalation", escalation=escalation))
    uses = [use.channel for use in plan.channels if use.kind not in ("supporter", "officer") and not use.unverified]
    usable = [t("usable channels: {channels}", channels=labels.all_of(labels.CHANNELS, uses) or t("none"))]
    if plan.supporter_counts:
        usable.append(t("a supporter outside the zone"))
    elif plan.supporter and "helper_at_home" in plan.facts:
        usable.append(t("a supporter who lives with them"))
    elif plan.supporter:
        usable.append(t("a supporter inside the zone (told, not sent)"))
    found.append(tc("between reasons", "; ").join(usable))
    guessed = [use.channel for use in plan.channels if use.unverified]
    if guessed:
        found.append(
            t(
                "numbers that nobody has verified get the public text alone: {channels}",
                channels=labels.all_of(labels.CHANNELS, guessed),
            )
        )
    unheard = "unheard" in plan.facts
    if not plan.asked:
        reaches = (
            t("is not asked at this tier: no opt-in, no high support; loudspeakers and radio do not reach them")
            if unheard
            else t("is not asked at this tier: no opt-in, no high support; broadcast still reaches")
        )
        return [*found, reaches]
    if unheard:
        found.append(t("loudspeakers and radio do not reach them: what goes to the whole area is not counted"))
    if plan.never_a_team:
        found.append(t("no team is sent there: the name goes to the fire service"))
    if "away" in plan.facts and not plan.door_applies:
        found.append(t("is away: nobody goes to the door of their home"))
    if seen.held_min:
        found.append(t("held at night for {n:.0f} min, then looked at again and sent", n=seen.held_min))
    found += _acts(policy, seen, hazard, minute)
    closing = policy.closed_if.classes[plan.closing]
    either = tc("between alternatives", " or ")
    found.append(
        t(
            "closes when {answers} is said by {who}; help never closes",
            answers=either.join(say(labels.ANSWERS, answer) for answer in sorted(closing.answers)),
            who=either.join(say(labels.BY, by) for by in sorted(closing.by)),
        )
    )
    for channel, why in plan.left_out:
        found.append(
            t("{channel}: not used, {reason}", channel=say(labels.CHANNELS, channel), reason=say(labels.LEFT_OUT, why))
        )
    return found


def _acts(policy: Policy, seen: Foreseen, hazard: str, start: int) -> list[str]:
    """One line a minute, in words, with the reason and the hour on the clock."""
    plan, found = seen.plan, []
    facility = plan.escalation == "facility"
    for minute, why in sorted({(a.minute, a.why) for a in seen.acts}):
        acts = [a for a in seen.acts if (a.minute, a.why) == (minute, why)]
        names = [
            labels.visit(a.channel.partition(":")[0], plan.team)
            for a in acts
            if not (a.to == "area" and (facility or ("unheard" in plan.facts and a.channel in HEARD)))
        ]
        if not names:
            continue
        clock = (start + int(minute)) % 1440
        said = {"n": minute, "time": f"{clock // 60:02d}:{clock % 60:02d}", "channels": listed(names)}
        if because := [say(labels.CONDITIONS, w) for w in why.split(" & ") if w]:
            while_ = tc("between conditions that hold at once", " and ").join(because)
            found.append(t("at {n:.0f} min ({time}): {channels} (while {conditions})", **said, conditions=while_))
        else:
            found.append(t("at {n:.0f} min ({time}): {channels}", **said))
    rule = policy.hazard(hazard)
    if "door" in seen.channels() and rule.door in ("if_commander_says_safe", "ask_commander"):
        found.append(t("doors wait for the commander's word; where they say unsafe, the name goes to the fire service"))
    return found
