"""What a policy will do to a profile if nobody answers: a pure function, the hook of explain, table, compare, simulation.

`foresee` walks an escalation without a person: only the profile, the hour, the channels that work. Nobody is written to and
nothing is stored. `over_people` does it for counts of people, each profile once: a million people are a few hundred
profiles.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from services.router.policy.engine import Policy
from services.router.policy.rules import PathPlan, Step
from services.router.policy.vocabulary import AREA_WORDS, OFFICER, SUPPORTER
from services.shared.messages import Profile
from services.shared.tiers import Tier

HORIZON_MIN = 360.0
DAY_MIN = 1440


@dataclass(frozen=True)
class Act:
    """At a minute from the start of her escalation: what is done, on which channel (the word where it is no channel), and why."""

    minute: float
    word: str
    channel: str
    why: str
    night: bool


@dataclass(frozen=True)
class Foreseen:
    """One profile's path if nobody answers. `plan` is as at its start, `plans` as at each half of the day it touches."""

    plan: PathPlan
    held_min: float
    acts: tuple[Act, ...] = ()
    plans: Mapping[bool, PathPlan] = field(default_factory=dict)

    def door_minute(self) -> float | None:
        """When somebody stands at her door, or her name on the fire service's list; None for never."""
        found = [a.minute for a in self.acts if a.channel in ("door", "fire_service_list")]
        return min(found) if found else None

    def channels(self) -> frozenset[str]:
        """Every channel she is tried on."""
        return frozenset(a.channel for a in self.acts)


def foresee(
    policy: Policy,
    profile: Profile,
    tier: Tier,
    hazard: str,
    minute_of_day: int,
    channels: Mapping[str, str],
    *,
    impact_min: float | None = None,
    doors: str = "",
    expires_min: float = HORIZON_MIN * 4,
) -> Foreseen:
    """The path of a profile from local `minute_of_day` on. `doors`: the commander's word, "" while there is none.

    `impact_min` and `expires_min` count from the release.
    """
    plans: dict[bool, PathPlan] = {}

    def plan_at(minute: float) -> PathPlan:
        night = policy.is_night(((minute_of_day + minute) % DAY_MIN) * 60.0, 0)
        if night not in plans:
            plans[night] = policy.plan(profile, tier, hazard, night, channels)
        return plans[night]

    held = _held(policy, profile, tier, minute_of_day, impact_min, expires_min)
    first = plan_at(held)
    if not first.asked:
        return Foreseen(first, held, (), plans)
    walker = _Walker(policy, hazard, doors)
    impact_s = None if impact_min is None else (impact_min - held) * 60
    for step in policy.escalation(first, 0.0, impact_s):
        at = step.when(0.0, impact_s) / 60
        if at > HORIZON_MIN:
            break
        walker.step(step, plan_at(held + at), held + at, at)
    return Foreseen(first, held, tuple(walker.acts), plans)


def _held(
    policy: Policy, profile: Profile, tier: Tier, minute_of_day: int, impact_min: float | None, expires_min: float
) -> float:
    if tier not in policy.hold_tiers or not policy.is_night(minute_of_day * 60.0, 0):
        return 0.0
    if profile.kind == "facility" and "facility" in policy.hold_unless:
        return 0.0
    wait = float((policy.night[1] - minute_of_day) % DAY_MIN)
    if expires_min <= wait:
        return 0.0
    early = impact_min is not None and impact_min < wait
    return 0.0 if early and "onset_before_morning" in policy.hold_unless else wait


class _Walker:
    """Collects acts, none twice: a channel is tried once, a door stood at once."""

    def __init__(self, policy: Policy, hazard: str, doors: str) -> None:
        self._policy = policy
        self._rule = policy.hazard(hazard)
        self._doors = doors
        self._done: set[str] = set()
        self.acts: list[Act] = []

    def step(self, step: Step, plan: PathPlan, minute: float, since_start: float) -> None:
        """One step, with the facts of its own time."""
        true = set(plan.facts) | {"open", "not_delivered_or_unknown", "no_person_spoke", "not_moving"}
        if plan.alone_after is not None and since_start * 60 >= plan.alone_after:
            true |= {"alone", "cannot_judge", "high_support"}
        night = "night" in plan.facts
        if step.condition.holds(true):
            why = step.condition.because(true)
            for word in (*step.do, *step.ask):
                self._word(word, plan, minute, why, night)
        if step.at == 0 and plan.door_at_0 and not step.every:
            self._door(plan, minute, plan.door_at_0, night)

    def _word(self, word: str, plan: PathPlan, minute: float, why: str, night: bool) -> None:
        if word.startswith("personal."):
            which = word.removeprefix("personal.")
            for use in plan.channels if which == "all" else plan.channels[int(which) - 1 : int(which)]:
                self._add(minute, use.word, use.channel, why, night)
        elif word == "retry_other_channel":
            own = [u for u in plan.channels if u.kind not in (SUPPORTER, OFFICER)]
            left = [u for u in own if u.channel not in self._done]
            if left:
                self._add(minute, left[0].word, left[0].channel, why, night)
            elif own:
                self.acts.append(Act(minute, "again", own[0].channel, why, night))
        elif word == "supporter":
            if plan.supporter:
                self._add(minute, word, SUPPORTER, why, night)
        elif word in ("officer_contact", "superior"):
            if plan.door_applies:
                self._add(minute, word, "officer_sms" if word == "officer_contact" else "superior", why, night)
        elif word in ("door", "nearest_unit_goes", "transport_team"):
            self._door(plan, minute, why, night)
        elif word in ("duty_phone_1", "duty_phone_2", "sms"):
            for use in plan.channels:
                if word in (use.word, use.kind):
                    self._add(
                        minute,
                        use.word,
                        f"{use.channel}:{use.kind}" if use.channel == "voice_duty" else use.channel,
                        why,
                        night,
                    )
        elif word in AREA_WORDS:
            forbidden = word == "street_sweep" and not self._rule.sweep
            if not forbidden:
                at = self._rule.area_sound_s if word == "area_sound" else None
                self._add(minute if at is None else at / 60, word, word, why, night)
        else:
            self._add(minute, word, word, why, night)

    def _door(self, plan: PathPlan, minute: float, why: str, night: bool) -> None:
        if not plan.door_applies:
            return
        if plan.door_where == "door" and self._doors != "unsafe":
            self._add(minute, "door", "door", why, night)
            return
        for word in self._rule.instead:
            kinds = {"voice": ("voice_mobile", "voice_landline"), "sms": ("sms",)}.get(word, ())
            use = next((u for u in plan.channels if u.kind in kinds and u.channel not in self._done), None)
            if use is not None:
                self._add(minute, use.word, use.channel, why, night)
            elif word == "supporter_by_phone" and plan.supporter:
                self._add(minute, word, "supporter_voice", why, night)
        self._add(minute, "door", "fire_service_list", why, night)

    def _add(self, minute: float, word: str, channel: str, why: str, night: bool) -> None:
        if channel not in self._done:
            self._done.add(channel)
            self.acts.append(Act(minute, word, channel, why, night))


@dataclass
class Demand:
    """Sums over people: by channel, doors by hour from release, who has no path."""

    people: int = 0
    not_asked: int = 0
    by_channel: Counter[str] = field(default_factory=Counter)
    doors_by_hour: Counter[int] = field(default_factory=Counter)
    fire_list: int = 0
    no_channel: int = 0


def over_people(
    policy: Policy,
    people: Iterable[tuple[Profile, int]],
    tier: Tier,
    hazard: str,
    minute_of_day: int,
    channels: Mapping[str, str],
    *,
    impact_min: float | None = None,
) -> Demand:
    """The demand of a population: (profile, how many) in any order, the same profile as often as one likes."""
    counts: Counter[str] = Counter()
    known: dict[str, Profile] = {}
    for profile, n in people:
        counts[profile.key] += n
        known[profile.key] = profile
    found = Demand()
    for key in sorted(counts):
        n = counts[key]
        seen = foresee(policy, known[key], tier, hazard, minute_of_day, channels, impact_min=impact_min)
        found.people += n
        if not seen.plan.asked:
            found.not_asked += n
            continue
        found.no_channel += n if seen.plan.usable == 0 else 0
        for channel in seen.channels():
            found.by_channel[channel] += n
        minute = seen.door_minute()
        if minute is not None:
            if "door" in seen.channels():
                found.doors_by_hour[int(minute // 60)] += n
            else:
                found.fire_list += n
    return found
