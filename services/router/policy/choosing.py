"""Chooses a person's channels, in order: their own order, their groups' lists, then what else may be used. Pure.

A channel that is not used is left out with its reason. Numbers that nobody has verified come last, and in orange and red
alone: a public warning holds no secret, and a wrong number costs less than a person who was not told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.router.policy.rules import ChannelUse, Group
from services.router.policy.vocabulary import (
    HELPER_WORDS,
    KIND_CHANNEL,
    KIND_WORD,
    OFFICER,
    OFFICER_WORDS,
    PUBLIC_KINDS,
    SHAKER,
    SUPPORTER,
    UNFIT_WORDS,
    WORDS,
)
from services.shared.messages import Profile
from services.shared.tiers import Tier

Chosen = tuple[list[ChannelUse], list[tuple[str, str]]]


def choose_channels(
    profile: Profile,
    rules: Sequence[Group],
    tier: Tier,
    channels: Mapping[str, str],
    *,
    night: bool,
    own_order: bool,
) -> Chosen:
    """What is used, and what is left out with the reason. `own_order`: whether the policy lets theirs come first."""
    own = [(KIND_WORD[kind], ((kind, KIND_CHANNEL[kind]),)) for kind in profile.channels if kind in KIND_CHANNEL]
    listed = [(word, WORDS.get(word, ())) for word in _words(rules, night=night)]
    unfit = _unfit(profile, rules)
    asked = set(profile.asked_for) | {kind for kind, _ in WORDS["voice"] if "voice" in profile.asked_for}
    said = dict(profile.left_out)
    helper_way = _helper_way(profile, channels)

    uses: list[ChannelUse] = []
    left_out: dict[str, str] = {}
    mine = own if profile.own_order and own_order else []
    others = own
    if any(rule.only_listed for rule in rules):
        named = {kind for _, kinds in (*mine, *listed) for kind, _ in kinds} | asked | {SHAKER}
        others = [one for one in own if one[1][0][0] in named]
        for kind in (k for _, kinds in own for k, _ in kinds if k not in named):
            left_out[KIND_CHANNEL[kind]] = "unfit" if kind in unfit else "not_listed"
    for word, kinds in [*mine, *listed, *others]:
        if word in HELPER_WORDS:
            if helper_way:
                left_out.setdefault(word, helper_way)
            elif not any(use.kind == SUPPORTER for use in uses):
                uses.append(ChannelUse(word, SUPPORTER, SUPPORTER))
            continue
        if word in OFFICER_WORDS:
            if channels.get("officer_sms", "no_driver") or profile.kind == "subscriber":
                left_out.setdefault(word, channels.get("officer_sms", "no_driver") or "not_for_subscribers")
            elif not any(use.kind == OFFICER for use in uses):
                uses.append(ChannelUse(word, "officer_sms", OFFICER))
            continue
        if word == "sms_if_own_phone" and "minor_own_phone" not in profile.flags:
            left_out.setdefault(word, "no_own_phone")  # a number on their record is the family's: used after these
            continue
        if all(channel not in channels for _, channel in kinds) and not any(kind in said for kind, _ in kinds):
            left_out.setdefault(kinds[0][1], "no_driver")
            continue
        for kind, channel in kinds:
            if any(use.kind == kind for use in uses):
                continue
            if kind in said:
                left_out.setdefault(channel, said[kind])
            elif kind not in profile.channels:
                if kind == kinds[0][0] and not any(k in profile.channels or k in said for k, _ in kinds):
                    left_out.setdefault(channel, "no_contact")
            elif kind in unfit and kind not in asked:
                left_out.setdefault(channel, "unfit")
            elif why := channels.get(channel, "no_driver"):
                left_out.setdefault(channel, why)
            else:
                uses.append(ChannelUse(word, channel, kind))
    if tier >= Tier.ORANGE:
        uses += _unverified(profile, unfit - asked, channels, left_out)
    if not helper_way and not any(use.kind == SUPPORTER for use in uses):
        # who has a supporter is never without them, whatever the groups' lists say
        uses.append(ChannelUse(SUPPORTER, SUPPORTER, SUPPORTER))
    if night:  # what wakes comes before what is read
        uses.sort(key=lambda use: use.kind != SHAKER)
    used = {use.channel for use in uses}
    return uses, [(channel, why) for channel, why in left_out.items() if channel not in used]


def _words(rules: Sequence[Group], *, night: bool) -> list[str]:
    """The groups' lists, interleaved, and what they add at night."""
    words: list[str] = []
    for rank in range(max(len(rule.personal) for rule in rules)):
        words += [rule.personal[rank] for rule in rules if rank < len(rule.personal)]
    if night:
        words += [word for rule in rules for word in rule.night_adds]
    return list(dict.fromkeys(words))


def _unfit(profile: Profile, rules: Sequence[Group]) -> set[str]:
    """Kinds of contact that a group cannot use, but for those that the hearing of the household answer."""
    household = "household_voice" in profile.flags
    return {
        kind
        for rule in rules
        for word in rule.unfit
        for kind in UNFIT_WORDS[word]
        if not (household and rule.household_voice)
    }


def _unverified(
    profile: Profile, unfit: set[str], channels: Mapping[str, str], left_out: dict[str, str]
) -> list[ChannelUse]:
    """Numbers that nobody has verified, where the person can perceive what comes by them."""
    found = []
    for kind in profile.unverified:
        channel = PUBLIC_KINDS.get(kind, "")
        if not channel or kind in profile.channels:
            continue
        if why := "unfit" if kind in unfit else channels.get(channel, "no_driver"):
            left_out[channel] = why
        else:
            found.append(ChannelUse(KIND_WORD.get(kind, kind), channel, kind, unverified=True))
    return found


def _helper_way(profile: Profile, channels: Mapping[str, str]) -> str:
    """Why nobody can be asked to help, or empty."""
    if not profile.supporters:
        return "no_supporter"
    ways = ("supporter_sms", "supporter_voice")
    return "" if any(channels.get(way, "no_driver") == "" for way in ways) else "no_driver"
