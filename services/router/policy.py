"""The policy: gives a profile its path. Pure: no clock, no database. `policy_file.read` makes one from a file.

`Policy.plan(profile, tier, hazard, night,
roads)` says which roads a person has, which are left out and why, and where a door stands; `Policy.ladder(...)` gives
the steps. A plan depends on nothing but its arguments, so one plan serves everybody with that profile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from services.router.conditions import Condition
from services.shared.errors import Refused
from services.shared.messages import Profile
from services.shared.tier import TIER_WORDS, Tier

# policy road word > (contact kind, road) in the order tried; an empty tuple is a road that has no driver yet
WORDS: dict[str, tuple[tuple[str, str], ...]] = {
    "sms": (("sms", "sms"),),
    "sms_if_own_phone": (("sms", "sms"),),
    "voice": (("voice_mobile", "voice_mobile"), ("voice_landline", "voice_landline")),
    "voice_landline": (("voice_landline", "voice_landline"), ("voice_mobile", "voice_mobile")),
    "voice_loud_slow": (("voice_landline", "voice_landline"), ("voice_mobile", "voice_mobile")),
    "voice_keys_only": (("voice_mobile", "voice_mobile"), ("voice_landline", "voice_landline")),
    "email": (("email", "email"),),
    "duty_phone_1": (("duty_phone_1", "voice_duty"),),
    "duty_phone_2": (("duty_phone_2", "voice_duty"),),
    "push": (),
    "video_relay": (),
    "bed_shaker": (),
}
HELPER_WORDS = ("supporter", "guardian")  # to somebody else, about the person
OFFICER_WORDS = ("known_officer",)
UNFIT_WORDS = {"voice_robot": ("voice_mobile", "voice_landline")}
OWN_KINDS = ("sms", "voice_mobile", "voice_landline", "email")
KIND_WORD = {"sms": "sms", "voice_mobile": "voice", "voice_landline": "voice_landline", "email": "email"}
KIND_ROAD = {kind: kind for kind in OWN_KINDS}
AREA_WORDS = ("broadcast", "cell_broadcast", "area_sound", "street_sweep")
PERSON_WORDS = ("personal.1", "personal.2", "personal.all", "retry_other_road", "supporter", "officer_contact", "door")
FACILITY_WORDS = ("duty_phone_1", "duty_phone_2", "sms", "superior", "nearest_unit_goes", "transport_team")
FORMS = (  # the first that any of a person's groups asks for
    "easy_read",
    "short_plain",
    "facility_brief",
    "slow_spoken",
    "spoken",
    "large_print",
    "large_print_card",
    "own_language",
    "plain",
)
TEAMS = (  # heaviest last
    "officer",
    "officer+phrase_card",
    "officer+large_print_card",
    "officer+yes_no_card",
    "officer+written_card",
    "officer+guide",
    "known_officer",
    "two_officers",
    "officer+sign_volunteer",
    "officer+tactile_interpreter",
    "lift_team",
    "officer+nurse_or_lift",
    "liaison_team",
)
RESPONSES = ("evacuate", "shelter_in", "check_on", "as_told")
DOOR_RULES = ("allowed", "if_commander_says_safe", "ask_commander", "forbidden")
ANSWERS = ("leaving", "not_there", "moving", "safe")
ANSWERERS = ("person", "supporter", "supporter_with_person", "officer")
PERSONAL = ("opt_in", "high_support_or_opt_in", "all")
SECTIONS = (
    "policy", "clock", "hold", "voice_call", "impact_time", "evidence", "reached", "closed_if", "hazards", "groups", "combine",
    "head_start", "tiers", "facility_ladder", "shortage", "ending", "expiry", "door_list",
)  # fmt: skip


@dataclass(frozen=True)
class Group:
    """A need group's rule."""

    personal: tuple[str, ...]
    form: str = "plain"
    night_adds: tuple[str, ...] = ()
    unfit: tuple[str, ...] = ()
    door: str = "officer"
    door_first: bool = False
    head_start: bool = False
    high_support_at: str = ""  # always, night, when_alone
    ladder: str = ""


@dataclass(frozen=True)
class Step:
    """One rung: `at` in seconds from release, or from impact where `before_impact` is set; whichever is earlier."""

    name: str
    at: float
    do: tuple[str, ...]
    condition: Condition
    before_impact: float | None = None
    every: float | None = None

    def when(self, released: float, impact: float | None) -> float:
        """Warning time of the step; never before release."""
        at = released + self.at
        if self.before_impact is not None and impact is not None:
            at = min(at, impact - self.before_impact)
        return max(at, released)


@dataclass(frozen=True)
class TierRule:
    """A tier's ladder."""

    personal: str
    steps: tuple[Step, ...]
    end: str
    unknown_after_s: float | None = None


@dataclass(frozen=True)
class Closing:
    """Which answers close a path, and whose."""

    answers: frozenset[str]
    by: frozenset[str]


@dataclass(frozen=True)
class RoadUse:
    """One usable road of a person: the policy's word, the road, the contact kind it goes to."""

    word: str
    road: str
    kind: str


@dataclass(frozen=True)
class PathPlan:
    """What one profile gets under one tier, hazard and half of the day."""

    tier: Tier  # of the ladder walked, after a head start
    ladder: str  # a tier's word, or facility
    asked: bool  # False: this tier asks for opt-in or high support, and she has neither
    roads: tuple[RoadUse, ...]
    left_out: tuple[tuple[str, str], ...]
    usable: int
    supporter: bool
    supporter_counts: bool
    night_officer: bool
    door_applies: bool
    door_where: str  # door, or fire_service_list where nobody may be sent
    door_at_0: str  # the reason, or empty
    team: str
    form: str
    closing: str
    head_start: bool
    facts: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Policy:
    """A checked policy file."""

    id: str
    version: int
    night: tuple[int, int]  # minutes of the day: from, until
    groups: Mapping[str, Group]
    tiers: Mapping[Tier, TierRule]
    facility: tuple[Step, ...]
    closings: Mapping[str, Closing]
    hazards: Mapping[str, Mapping[str, Any]]
    hold_tiers: frozenset[Tier]
    few_roads_tiers: frozenset[Tier]
    head_start_tiers: int
    head_start_door_at_red: bool
    voice_tries: int
    voice_within_s: float
    reached_evidence: str
    reached_answers: frozenset[str]
    rank: tuple[str, ...]
    second_knock_s: float
    text: str = field(repr=False, default="")

    def is_night(self, when: float, utc_offset_min: int) -> bool:
        """Whether local time at `when` (seconds since 1970 UTC) lies in the night."""
        minute = int(when // 60 + utc_offset_min) % 1440
        start, end = self.night
        return start <= minute or minute < end if start > end else start <= minute < end

    def morning(self, when: float, utc_offset_min: int) -> float:
        """The next end of night, as warning time."""
        minute = when / 60 + utc_offset_min
        ahead = (self.night[1] - minute) % 1440
        return when + ahead * 60

    def door_rule(self, hazard: str) -> str:
        """allowed, forbidden or ask: whether people may be sent, before the commander has spoken."""
        rule = self.hazards[hazard if hazard in self.hazards else "unknown"]["door"]
        return {"allowed": "allowed", "forbidden": "forbidden"}.get(rule, "ask")

    def area_steps(self, tier: Tier) -> tuple[tuple[Step, str], ...]:
        """What goes to the whole area, not to a person."""
        return tuple((step, word) for step in self.tiers[tier].steps for word in step.do if word in AREA_WORDS)

    def steps(self, plan: PathPlan) -> tuple[Step, ...]:
        """The ladder a plan walks."""
        return self.facility if plan.ladder == "facility" else self.tiers[plan.tier].steps

    def plan(self, profile: Profile, tier: Tier, hazard: str, night: bool, roads: Mapping[str, str]) -> PathPlan:
        """The path of a profile. `roads`: road > why it cannot be used, empty where it works; absent = no driver."""
        groups = [name for name in self.groups if name in profile.groups] or ["general"]
        rules = [self.groups[name] for name in groups]
        flags = frozenset(profile.flags)
        facility = profile.kind == "facility"
        head_start = any(rule.head_start for rule in rules)
        ladder_tier = Tier(min(tier + self.head_start_tiers, Tier.RED)) if head_start and not facility else tier

        uses, left_out, helper, officer = self._roads(profile, rules, night, roads)
        outside = any(out for _, out in profile.supporters)
        usable = len(uses) + (1 if outside and helper else 0)
        high = self._high_support(rules, flags, night)
        door_where = "fire_service_list" if self.door_rule(hazard) == "forbidden" else "door"
        facts = set(flags)
        facts.discard("high_support")
        if high:
            facts.add("high_support")
        if usable == 0:
            facts.add("no_usable_road")
        if any(rule.door_first for rule in rules):
            facts.add("door_first")
        if "bed_shaker" not in flags or "bed_shaker" not in roads:
            facts.add("no_bed_shaker")
        if night:
            facts.add("night")
        door_applies = profile.kind != "subscriber"
        asked = self.tiers[ladder_tier].personal
        return PathPlan(
            tier=ladder_tier,
            ladder="facility" if facility else ladder_tier.word,
            asked=asked == "all"
            or facility
            or f"opt_in_{tier.word}" in flags
            or (asked == "high_support_or_opt_in" and (high or "high_support" in flags)),
            roads=tuple(uses),
            left_out=tuple(left_out),
            usable=usable,
            supporter=helper,
            supporter_counts=outside and helper,
            night_officer=officer,
            door_applies=door_applies,
            door_where=door_where,
            door_at_0=self._door_at_0(tier, usable, head_start, facility) if door_applies else "",
            team=max((rule.door for rule in rules), key=TEAMS.index),
            form=min((rule.form.partition("+")[0] for rule in rules), key=FORMS.index),
            closing="cannot_judge"
            if "cannot_judge" in flags
            else "cannot_leave"
            if "cannot_leave" in flags
            else "default",
            head_start=head_start,
            facts=frozenset(facts),
        )

    def _door_at_0(self, tier: Tier, usable: int, head_start: bool, facility: bool) -> str:
        if tier in self.few_roads_tiers and usable < 2:
            return "fewer_than_two_usable_roads"
        if tier == Tier.RED and head_start and self.head_start_door_at_red and not facility:
            return "head_start"
        return ""

    @staticmethod
    def _high_support(rules: Sequence[Group], flags: frozenset[str], night: bool) -> bool:
        when = {rule.high_support_at for rule in rules}
        return (
            "high_support" in flags
            or "always" in when
            or ("night" in when and night)
            or ("when_alone" in when and "alone" in flags)
        )

    def _roads(
        self, profile: Profile, rules: Sequence[Group], night: bool, roads: Mapping[str, str]
    ) -> tuple[list[RoadUse], list[tuple[str, str]], bool, bool]:
        """Her own order first, else the groups' lists interleaved; then every other usable contact, to reach more."""
        own = [(KIND_WORD[kind], ((kind, KIND_ROAD[kind]),)) for kind in profile.roads if kind in KIND_ROAD]
        words: list[str] = []
        for rank in range(max(len(rule.personal) for rule in rules)):
            words += [rule.personal[rank] for rule in rules if rank < len(rule.personal)]
        if night:
            words += [word for rule in rules for word in rule.night_adds]
        listed = [(word, WORDS.get(word, ())) for word in dict.fromkeys(words)]
        unfit = {kind for rule in rules for word in rule.unfit for kind in UNFIT_WORDS[word]}
        asked = set(profile.asked_for) | {kind for kind, _ in WORDS["voice"] if "voice" in profile.asked_for}
        said = dict(profile.left_out)

        uses: list[RoadUse] = []
        left_out: dict[str, str] = {}
        helper = officer = False
        for word, kinds in [*(own if profile.own_order else ()), *listed, *own]:
            if word in HELPER_WORDS:
                helper = helper or bool(profile.supporters)
                if not profile.supporters:
                    left_out.setdefault(word, "no_supporter")
                continue
            if word in OFFICER_WORDS:
                officer = True
                continue
            if not kinds:
                left_out.setdefault(word, "no_driver")
                continue
            for kind, road in kinds:
                if any(use.kind == kind for use in uses):
                    continue
                if kind in said:
                    left_out.setdefault(road, said[kind])
                elif kind not in profile.roads:
                    if kind == kinds[0][0] and not any(k in profile.roads or k in said for k, _ in kinds):
                        left_out.setdefault(road, "no_contact")
                elif kind in unfit and kind not in asked:
                    left_out.setdefault(road, "unfit")
                elif road not in roads:
                    left_out.setdefault(road, "no_driver")
                elif roads[road]:
                    left_out.setdefault(road, roads[road])
                else:
                    uses.append(RoadUse(word, road, kind))
        if profile.supporters and not any(r in roads and not roads[r] for r in ("supporter_sms", "supporter_voice")):
            helper = False
            left_out["supporter"] = "no_driver"
        elif profile.supporters:
            helper = True  # who has a supporter is never without her, whatever the groups' lists say
        used = {use.road for use in uses}
        return uses, [(road, why) for road, why in left_out.items() if road not in used], helper, officer

    def closes(self, closing: str, answer: str, by: str) -> bool:
        """Whether an answer ends a path of that closing class."""
        rule = self.closings[closing]
        return answer in rule.answers and by in rule.by


def parse_tiers(words: Sequence[str]) -> frozenset[Tier]:
    """Tiers by their words."""
    unknown = [w for w in words if w not in TIER_WORDS]
    if unknown:
        raise Refused(f"there is no tier {unknown[0]!r}: use {', '.join(TIER_WORDS)}", rule="tier", given=unknown[0])
    return frozenset(Tier.of(w) for w in words)


def parse_yaml(text: str) -> Any:
    """The file as plain data; Refused with the line where it is no YAML."""
    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as wrong:
        line = wrong.problem_mark.line + 1 if wrong.problem_mark else 0
        raise Refused(f"line {line}: {wrong.problem}; correct the YAML there", rule="yaml", given=line) from wrong
