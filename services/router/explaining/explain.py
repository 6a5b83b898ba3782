"""A made-up person's path: what the policy would do, minute by minute, for a council that wants to read it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from services.router.explaining.foresee import Foreseen, foresee, made_up_warning
from services.router.policy import path_words as pw
from services.router.policy.engine import Policy
from services.router.policy.path_words import say
from services.router.policy.vocabulary import AREA_CHANNELS
from services.shared.errors import Refused
from services.shared.hazards import name_of
from services.shared.messages import Profile
from services.shared.tiers import Tier

KINDS = (
    "sms", "voice_mobile", "voice_landline", "email", "push", "im", "duty_phone_1", "duty_phone_2", "supporter",
    "supporter_inside",
)  # fmt: skip
CHANNELS = (
    "sms", "voice_mobile", "voice_landline", "voice_duty", "email", "push", "chat",
    "supporter_sms", "supporter_voice", "officer_sms", "door",
    "fire_service_list", "broadcast", "area_sound",
)  # fmt: skip
FACTS = {  # as the register derives them of a typical person
    "deafblind": ("high_support", "cannot_judge", "door_first", "deaf"),
    "cognitive": ("high_support", "cannot_judge"),
    "power_medical": ("high_support", "cannot_leave"),
    "mobility": ("cannot_leave",),
    "no_phone": ("high_support", "door_first"),
    "facility": ("high_support", "cannot_leave"),
    "deaf_signing": ("deaf",),
    "deaf_text": ("deaf",),
}
WORKING = dict.fromkeys((*CHANNELS, *AREA_CHANNELS.values()), "")


def made_up(needs: Sequence[str], kinds: Sequence[str]) -> Profile:
    """A typical person of these need groups with these contacts."""
    facts = sorted({fact for need in needs for fact in FACTS.get(need, ())})
    helpers = tuple(("sms", k == "supporter") for k in kinds if k.startswith("supporter"))
    return Profile(
        key="+".join((*needs, *kinds)), kind="facility" if "facility" in needs else "resident" if needs else "subscriber",
        groups=tuple(needs) or ("general",), flags=tuple(facts), language="en",
        channels=tuple(k for k in kinds if not k.startswith("supporter")), supporters=helpers,
    )  # fmt: skip


def explain(
    policy: Policy,
    tier: Tier,
    hazard: str,
    needs: Sequence[str],
    kinds: Sequence[str],
    at: str,
    *,
    lang: str = "en",
    impact_min: float | None = None,
) -> list[str]:
    """One sentence a line; Refused where a word is not known."""
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", at)
    if match is None:
        raise Refused(f"--at {at}: give a time like 02:30", field="--at", given=at)
    for given, known, option in (
        (needs, policy.groups, "--needs"),
        (kinds, KINDS, "--channels"),
        ([hazard], policy.hazards, "--hazard"),
    ):
        unknown = [word for word in given if word not in known]
        if unknown:
            raise Refused(
                f"{option}: {unknown[0]!r} is not known; use {', '.join(known)}", field=option, given=unknown[0]
            )
    minute = int(match[1]) * 60 + int(match[2])
    profile = made_up(needs, kinds)
    seen = foresee(made_up_warning(policy, tier, hazard, minute, WORKING, impact_min=impact_min), profile)
    return _lines(policy, profile, seen, tier, hazard, minute, lang)


def _lines(
    policy: Policy, profile: Profile, seen: Foreseen, tier: Tier, hazard: str, minute: int, lang: str
) -> list[str]:
    zh, plan = lang == "zh", seen.plan
    night = policy.is_night(minute * 60.0, 0)
    half = ("夜间" if night else "白天") if zh else ("night" if night else "day")
    groups = ("、" if zh else ", ").join(say(pw.GROUPS, g, lang) if zh else g for g in profile.groups)
    start = f"{minute // 60:02d}:{minute % 60:02d}"
    danger, kind = (name_of(hazard, lang), "") if zh else (hazard, f"{profile.kind}: ")
    found = [f"{say(pw.TIERS, tier.word, lang)}, {danger}, {start} ({half}), {kind}{groups}"]
    escalation = say(pw.TIERS, plan.escalation, lang) if zh else plan.escalation
    early = plan.head_start and plan.escalation != tier.word
    found.append(
        f"走{escalation}阶梯" + ("(行动慢的提前一级)" if early else "") if zh
        else f"walks the {escalation} escalation" + (" (slow ones start one tier earlier)" if early else "")
    )  # fmt: skip
    uses = [say(pw.CHANNELS, use.channel, lang) for use in plan.channels if use.kind not in ("supporter", "officer")]
    helper = (";帮助人在危险区外" if zh else "; a supporter outside the zone") if plan.supporter_counts else ""
    inside = plan.supporter and not plan.supporter_counts
    helper += (
        (";帮助人也在危险区(通知,不派)" if zh else "; a supporter inside the zone (told, not sent)") if inside else ""
    )
    found.append(
        (f"可用渠道:{'、'.join(uses) or '没有'}" if zh else f"usable channels: {', '.join(uses) or 'none'}") + helper
    )
    if not plan.asked:
        found.append(
            "这一级不单独通知:没有要求,也不需要重点帮助;广播照常" if zh
            else "is not asked at this tier: no opt-in, no high support; broadcast still reaches"
        )  # fmt: skip
        return found
    if seen.held_min:
        found.append(
            f"夜间不发,{seen.held_min:.0f}分钟后天亮再看一次再发" if zh
            else f"held at night for {seen.held_min:.0f} min, then looked at again and sent"
        )  # fmt: skip
    found += _acts(policy, seen, hazard, minute, lang)
    closing = policy.closed_if.classes[plan.closing]
    answers = [say(pw.ANSWERS, a, lang) for a in sorted(closing.answers)]
    who = [say(pw.BY, b, lang) if b != "person" else ("本人" if zh else "person") for b in sorted(closing.by)]
    found.append(
        f"{'、'.join(who)}说{'、'.join(answers)}才算落实;要帮助从不算落实" if zh
        else f"closes when {' or '.join(answers)} is said by {' or '.join(who)}; help never closes"
    )  # fmt: skip
    for channel, why in plan.left_out:
        name, reason = say(pw.CHANNELS, channel, lang), say(pw.LEFT_OUT, why, lang)
        found.append(f"{name}:没有用,{reason}" if zh else f"{name}: not used, {reason}")
    return found


def _acts(policy: Policy, seen: Foreseen, hazard: str, start: int, lang: str) -> list[str]:
    """One line a minute, in words, with the reason and the hour on the clock."""
    zh, plan, found = lang == "zh", seen.plan, []
    facility = plan.escalation == "facility"
    reasons = sorted({(a.minute, a.why) for a in seen.acts})
    for minute, why in reasons:
        acts = [a for a in seen.acts if (a.minute, a.why) == (minute, why)]
        names = []
        for act in acts:
            if act.to == "area" and facility:
                continue
            channel = act.channel.partition(":")[0]
            name = say(pw.CHANNELS, channel, lang)
            if channel == "door":
                name += f"({pw.team(plan.team, lang)})" if zh else f" ({pw.team(plan.team, lang)})"
            names.append(name)
        if not names:
            continue
        clock = (start + int(minute)) % 1440
        at = f"{clock // 60:02d}:{clock % 60:02d}"
        because = [say(pw.CONDITIONS, w, lang) for w in why.split(" & ") if w]
        if zh:
            found.append(
                f"第{minute:.0f}分钟({at}):{'、'.join(names)}" + (f"(因为{'、'.join(because)})" if because else "")
            )
        else:
            found.append(
                f"at {minute:.0f} min ({at}): {', '.join(names)}"
                + (f" (while {' and '.join(because)})" if because else "")
            )
    rule = policy.hazard(hazard)
    if "door" in seen.channels() and rule.door in ("if_commander_says_safe", "ask_commander"):
        found.append(
            "上门要等指挥员说安全;他说不安全时名字给消防" if zh
            else "doors wait for the commander's word; where he says unsafe, the name goes to the fire service"
        )  # fmt: skip
    return found
