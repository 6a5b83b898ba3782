"""A made-up person's path: what the policy would do, rung by rung, for a council that wants to read it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from services.router.policy import Policy
from services.router.policy_words import AREA_WORDS
from services.router.words import LEFT_OUT_WORDS, ROAD_WORDS
from services.shared.errors import Refused
from services.shared.messages import Profile
from services.shared.tier import Tier

KINDS = ("sms", "voice_mobile", "voice_landline", "email", "duty_phone_1", "duty_phone_2", "supporter")
ROADS = (
    "sms", "voice_mobile", "voice_landline", "voice_duty", "email", "supporter_sms", "supporter_voice", "officer_sms", "door",
    "fire_service_list", "broadcast", "area_sound",
)  # fmt: skip
_FACTS = {
    "deafblind": ("high_support", "cannot_judge", "door_first", "deaf"),
    "cognitive": ("high_support", "cannot_judge"),
    "power_medical": ("high_support", "cannot_leave"),
    "mobility": ("cannot_leave",),
    "no_phone": ("high_support", "door_first"),
    "facility": ("high_support", "cannot_leave"),
    "deaf_signing": ("deaf",),
    "deaf_text": ("deaf",),
}


def explain(policy: Policy, tier: Tier, hazard: str, needs: Sequence[str], kinds: Sequence[str], at: str) -> list[str]:
    """One sentence a line; Refused where a word is not known."""
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", at)
    if match is None:
        raise Refused(f"--at {at}: give a time like 02:30", field="--at", given=at)
    for given, known, option in (
        (needs, policy.groups, "--needs"),
        (kinds, KINDS, "--roads"),
        ([hazard], policy.hazards, "--hazard"),
    ):
        unknown = [word for word in given if word not in known]
        if unknown:
            raise Refused(
                f"{option}: {unknown[0]!r} is not known; use {', '.join(known)}", field=option, given=unknown[0]
            )
    minute = int(match[1]) * 60 + int(match[2])
    night = policy.is_night(minute * 60.0, 0)
    facts = sorted({fact for need in needs for fact in _FACTS.get(need, ())})
    profile = Profile(
        key="explained", kind="facility" if "facility" in needs else "resident" if needs else "subscriber",
        groups=tuple(needs) or ("general",), flags=tuple(facts), language="en",
        roads=tuple(k for k in kinds if k != "supporter"),
        supporters=(("sms", True),) if "supporter" in kinds else (),
    )  # fmt: skip
    plan = policy.plan(profile, tier, hazard, night, dict.fromkeys(ROADS, ""))
    lines = [
        f"{tier.word}, {hazard}, {at} ({'night' if night else 'day'}), {profile.kind}: {', '.join(profile.groups)}",
        f"walks the {plan.ladder} ladder" + (" (slow ones start one tier earlier)" if plan.ladder != tier.word else ""),
        f"usable roads: {', '.join(ROAD_WORDS[use.road] for use in plan.roads) or 'none'}"
        + ("; a supporter outside the zone" if plan.supporter_counts else ""),
    ]
    if plan.asked is False:
        return [*lines, "is not asked at this tier: no opt-in, no high support; broadcast still reaches"]
    true = plan.facts | {"open", "not_delivered_or_unknown", "no_person_spoke", "not_moving"}
    for step in policy.steps(plan):
        if not step.condition.holds(true):
            continue
        when = f"every {step.every / 60:.0f} min" if step.every else f"at {step.at / 60:.0f} min"
        if step.before_impact is not None:
            when += f", or {step.before_impact / 60:.0f} min before impact if that is earlier"
        words = [w.replace("_", " ") for w in step.do if not (w in AREA_WORDS and profile.kind == "facility")]
        why = step.condition.because(true)
        lines.append(f"{when}: {', '.join(words)}" + (f" (while {why})" if why else ""))
    if plan.door_at_0:
        where = "officers go to the door" if plan.door_where == "door" else "the name goes to the fire service"
        lines.append(f"at 0 min: {where} ({plan.door_at_0.replace('_', ' ')}), team {plan.team}")
    closing = policy.closings[plan.closing]
    lines.append(
        f"closes when {' or '.join(sorted(closing.answers))} is said by {' or '.join(sorted(closing.by))}; help never closes"
    )
    lines += [f"{ROAD_WORDS.get(r, r)}: not used, {LEFT_OUT_WORDS.get(w, w)}" for r, w in plan.left_out]
    return lines
