"""The policy: gives a profile its path. Pure: no clock, no database. `read` makes one of a file's text.

`Policy.plan(profile, tier, hazard, night, channels)` says which channels a person has, which are left out and why, and where
a door stands; `Policy.steps(plan)` gives the escalation. A plan depends on nothing but its arguments, so one plan serves
everybody with that profile for that half of the day.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Self

from pydantic import Field, PrivateAttr, model_validator

from services.router.policy.choosing import choose_channels
from services.router.policy.conditions import parse_condition
from services.router.policy.rules import (
    ChannelsDown,
    ChannelUse,
    ClockRule,
    ClosedIf,
    Combine,
    DoorList,
    Ending,
    EvidenceOrder,
    Expiry,
    Fatigue,
    Goals,
    Group,
    HeadStart,
    Hold,
    ImpactTime,
    Officials,
    PathPlan,
    PolicyHead,
    Reached,
    Shortage,
    Updates,
    VoiceCall,
)
from services.router.policy.steps import HouseSteps, Step, StepTime, TierRules
from services.router.policy.vocabulary import (
    BASES,
    EMPTY_NOW,
    FORMS,
    HOUSE_TEAMS,
    IMPLIED,
    MOVING_WORDS,
    SHAKER,
    SKILLS,
    SUPPORTER,
    TRAVEL_MIN,
    UNFIT_WORDS,
)
from services.shared.hazards import UNKNOWN, Rule, known
from services.shared.input.files import Document, Entry, open_file, wrong
from services.shared.messages import Profile
from services.shared.tiers import Tier

RESCUE_MIN = 60  # from the first message to somebody who has brought power, or has brought them away


class Policy(Entry):
    """A policy file, checked: one field a section. `read` makes one of a text."""

    policy: PolicyHead
    clock: ClockRule
    hold: Hold
    voice_call: VoiceCall
    impact_time: ImpactTime
    evidence: EvidenceOrder
    reached: Reached
    closed_if: ClosedIf
    hazards: dict[str, Rule] = Field(
        default_factory=dict,
        description="Rules that stand in place of those in the hazards' own files: what people do, and doors.",
    )
    groups: dict[str, Group] = Field(description="Need groups, in the order in which their channels are interleaved.")
    combine: Combine
    head_start: HeadStart
    tiers: TierRules
    facility_escalation: HouseSteps
    official_escalation: Officials
    shortage: Shortage
    channels_down: ChannelsDown
    ending: Ending
    expiry: Expiry
    fatigue: Fatigue
    door_list: DoorList
    updates: Updates
    goals: Goals
    _text: str = PrivateAttr("")
    _kept: str = PrivateAttr("")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if "general" not in self.groups:
            wrong("add the group 'general': most people are in no other", "required", at=("groups",))
        for name, hazard in self.hazards.items():
            if hazard.first and hazard.first not in self.groups:
                said = f"{hazard.first!r} is not on the list; use {', '.join(self.groups)}"
                wrong(said, "closed_list", hazard.first, at=("hazards", name, "first"))
        return self

    @property
    def text(self) -> str:
        """The file as it was written."""
        return self._text

    @property
    def kept(self) -> str:
        """All of it, the hazards' rules too: what a running warning keeps, whatever becomes of the files."""
        return self._kept

    @property
    def name(self) -> str:
        """As people name it."""
        return f"{self.policy.id} version {self.policy.version}"

    def review_due(self) -> date:
        """The day by which whoever answers for it must have looked at it again."""
        last = self.policy.reviewed
        months = last.month - 1 + self.policy.review_every_months
        return date(last.year + months // 12, months % 12 + 1, min(last.day, 28))

    @cached_property
    def facility(self) -> tuple[Step, ...]:
        """A facility's plan."""
        return tuple(step.step(f"facility.{n}") for n, step in enumerate(self.facility_escalation))

    @cached_property
    def _steps(self) -> dict[Tier, tuple[Step, ...]]:
        return {
            tier: tuple(step.step(f"{tier.word}.{n}") for n, step in enumerate(self.tiers[tier].steps)) for tier in Tier
        }

    def steps_of(self, tier: Tier) -> tuple[Step, ...]:
        """A tier's escalation plan."""
        return self._steps[tier]

    def is_night(self, when: float, utc_offset_min: int) -> bool:
        """Whether local time at `when` (seconds since 1970 UTC) lies in the night."""
        minute = int(when // 60 + utc_offset_min) % 1440
        start, end = self.clock.night
        return start <= minute or minute < end if start > end else start <= minute < end

    def morning(self, when: float, utc_offset_min: int) -> float:
        """The next end of night, as warning time."""
        minute = when / 60 + utc_offset_min
        ahead = (self.clock.night[1] - minute) % 1440
        return when + ahead * 60

    def hazard(self, name: str) -> Rule:
        """The rule of a hazard; one that nobody named is `unknown`."""
        return self.hazards[name if name in self.hazards else UNKNOWN]

    def door_rule(self, hazard: str) -> str:
        """allowed, forbidden or ask: whether people may be sent, before the commander has spoken."""
        return {"allowed": "allowed", "forbidden": "forbidden"}.get(self.hazard(hazard).door, "ask")

    def respond(self, hazard: str, said: str) -> str:
        """What people do: the warning's own word, but never "evacuate" where the hazard moves nobody."""
        rule = self.hazard(hazard)
        if not said or (said == "evacuate" and rule.never_evacuate):
            return rule.respond
        return said

    def steps(self, plan: PathPlan) -> tuple[Step, ...]:
        """The escalation a plan walks, in the order of its minutes."""
        if plan.escalation == "facility":
            peopled = plan.tier >= Tier.ORANGE and EMPTY_NOW not in plan.facts
            return self.facility if peopled else _calm(self.facility)
        steps = self.steps_of(plan.tier)
        return steps if plan.deadline is None else _with_deadline(steps, plan.deadline)

    def escalation(self, plan: PathPlan, start: float, impact: float | None) -> tuple[Step, ...]:
        """The steps in the order of their times for this start and impact: one that hangs on the impact may come first."""
        steps = self.steps(plan)
        if impact is None or not any(step.time.hangs_on_impact for step in steps):
            return steps
        return tuple(sorted(steps, key=lambda step: (step.every is not None, step.when(start, impact))))

    def plan(
        self,
        profile: Profile,
        tier: Tier,
        hazard: str,
        night: bool,
        channels: Mapping[str, str],
        *,
        said: str = "",
    ) -> PathPlan:
        """The path of a profile. `channels`: channel > why it cannot be used, empty where it works; absent = no driver.

        `said` is the response the warning itself asks for.
        """
        groups = [name for name in self.groups if name in profile.groups] or ["general"]
        rules = [self.groups[name] for name in groups]
        flags = frozenset(profile.flags)
        facility = profile.kind == "facility"
        danger = self.hazard(hazard)
        respond = self.respond(hazard, said)
        head_start = (
            any(rule.head_start for rule in rules) and not facility and self._time_counts(danger, respond, groups)
        )
        escalation_tier = Tier(min(tier + self.head_start.tiers_up, Tier.RED)) if head_start else tier

        uses, left_out = choose_channels(
            profile, rules, tier, channels, night=night, own_order=self.combine.order[0] == "own_order"
        )
        helper = any(use.kind == SUPPORTER for use in uses)
        outside = helper and any(out for _, out in profile.supporters)
        usable = sum(use.tells for use in uses) + (1 if outside else 0)
        called_first = night and self._called_first(danger, respond, groups, uses)
        high = self._high_support(rules, flags, night)
        facts = (set(flags) - {"high_support"}) | ({"high_support"} if high else set())
        if usable == 0:
            facts.add("no_usable_channel")
        if any(rule.door_first for rule in rules):
            facts.add("door_first")
        # a shaker of their own that no warning reaches
        # wakes nobody, as one does that hangs on the mains in a power cut
        works = SHAKER in flags and SHAKER in profile.channels and not channels.get(SHAKER, "no_driver")
        if not works or danger.backup_deadline:
            facts.add("no_bed_shaker")
        if called_first:
            facts.discard("cannot_leave")
        if night:
            facts.add("night")
        unheard = any(rule.unheard for rule in rules)
        if unheard:
            facts.add("unheard")
        door_applies = self._door_applies(profile.kind, flags, usable, escalation_tier)
        if facility and ("empty_by_night" if night else "empty_by_day") in flags:
            facts.add(EMPTY_NOW)
        rule = self.tiers[escalation_tier]
        told = rule.personal.removesuffix("_or_unheard")
        form = min((r.form for r in rules), key=FORMS.index)
        extras = list(dict.fromkeys(extra for r in rules for extra in r.extras))
        early = head_start and tier < Tier.RED and escalation_tier >= Tier.ORANGE  # nobody leaves at "be aware"
        if early and self.head_start.text and respond == "evacuate":
            extras.append(self.head_start.text)
        never_a_team = any(r.door_only_by for r in rules)
        silent = [r.alone_after_s for r in rules if r.alone_after_s is not None]
        return PathPlan(
            tier=escalation_tier,
            escalation="facility" if facility else escalation_tier.word,
            asked=rule.personal == "all"
            or facility
            or f"opt_in_{tier.word}" in flags
            or (told == "high_support_or_opt_in" and high)
            or (told != rule.personal and unheard),
            ack=facility or rule.ack == "all_registered" or (rule.ack == "high_support" and high),
            channels=tuple(uses),
            left_out=tuple(left_out),
            usable=usable,
            supporter=helper,
            supporter_counts=outside,
            door_applies=door_applies,
            door_where="fire_service_list" if danger.door == "forbidden" or never_a_team else "door",
            door_at_0=self._door_at_0(tier, escalation_tier, usable, head_start)
            if door_applies and not called_first
            else "",
            deadline=self._deadline(danger, groups, flags, tier) if door_applies else None,
            team=self._team(rules, flags if facility else frozenset()),
            form="+".join([form, *extras]),
            closing="cannot_judge"
            if "cannot_judge" in flags
            else "cannot_leave"
            if "cannot_leave" in flags
            else "default",
            head_start=head_start,
            first=(facility and any(r.first for r in rules)) or danger.first in groups,
            bucket=min(r.slack_bucket for r in rules),
            alone_after=min(silent) if silent else None,
            facts=frozenset(facts),
            never_a_team=never_a_team,
        )

    def _door_applies(self, kind: str, flags: frozenset[str], usable: int, escalation: Tier) -> bool:
        """Whether somebody goes to their home: not to who is away and can be told where they are.

        To whoever registered without a need somebody goes where too few channels are left, as to everybody.
        """
        if "away" in flags and usable:
            return False
        return kind != "subscriber" or self._too_few(usable, escalation)

    def _too_few(self, usable: int, escalation: Tier) -> bool:
        """Whether somebody must go, for too few channels reach them."""
        return escalation in self.combine.few_channels.tiers and usable < 2

    @staticmethod
    def _time_counts(danger: Rule, respond: str, groups: Sequence[str]) -> bool:
        """Whether who is slow begins a tier earlier: where people leave, or may have to since nobody has said what they do.

        Nobody leaves in heat, or where all stay indoors. Whoever lives by a machine begins earlier where its power runs out.
        """
        lives_by_power = danger.backup_deadline and danger.first in groups
        return (respond in ("evacuate", "as_told") and not danger.never_evacuate) or lives_by_power

    @staticmethod
    def _called_first(danger: Rule, respond: str, groups: Sequence[str], uses: Sequence[ChannelUse]) -> bool:
        """Whether somebody is called at night before anybody knocks: where people stay at home and are looked after (heat, cold),
        and a telephone of theirs rings. Who does not answer it is visited some minutes later. Not who lives by what has failed.
        """
        rings = any(use.tells and use.kind in UNFIT_WORDS["voice_robot"] for use in uses)
        return respond == "check_on" and danger.first not in groups and rings

    @staticmethod
    def _team(rules: Sequence[Group], house: frozenset[str]) -> str:
        """Who goes, with the skills of all their groups; a house that its own service moves is left to that service."""
        own = [team for flag, team in HOUSE_TEAMS.items() if flag in house]
        return own[0] if own else union_of_teams(r.door for r in rules)

    def _door_at_0(self, tier: Tier, escalation: Tier, usable: int, head_start: bool) -> str:
        if self._too_few(usable, escalation):
            return "fewer_than_two_usable_channels"
        if tier == Tier.RED and head_start and self.head_start.door_at_red:
            return "head_start"
        return ""

    @staticmethod
    def _deadline(danger: Rule, groups: Sequence[str], flags: frozenset[str], tier: Tier) -> float | None:
        """When somebody must be there: what their battery lasts less the way; unknown is now. Not while blue says be aware."""
        if not danger.backup_deadline or danger.first not in groups or tier < Tier.YELLOW:
            return None
        lasts = _battery_min(flags)
        return 0.0 if lasts is None else 60.0 * max(0, lasts - TRAVEL_MIN)

    def deadly_before(self, profile: Profile, hazard: str, wait_s: float) -> bool:
        """Whether waiting so long may kill them: what keeps them alive runs dry before, or nobody knows when.

        An hour is left for somebody to bring power or to bring them away.
        """
        danger = self.hazard(hazard)
        if not danger.backup_deadline or danger.first not in profile.groups:
            return False
        lasts = _battery_min(profile.flags)
        return lasts is None or 60.0 * (lasts - RESCUE_MIN) < wait_s

    @staticmethod
    def _high_support(rules: Sequence[Group], flags: frozenset[str], night: bool) -> bool:
        when = {rule.high_support_at for rule in rules}
        return (
            "high_support" in flags
            or "always" in when
            or ("night" in when and night)
            or ("day" in when and not night)
            or ("when_alone" in when and "alone" in flags)
        )

    def closes(self, closing: str, answer: str, by: str) -> bool:
        """Whether an answer ends a path of that closing class."""
        rule = self.closed_if.classes[closing]
        return answer in rule.answers and by in rule.by


def union_of_teams(asked: Iterable[str]) -> str:
    """Who goes to somebody with several needs: the heaviest team that any of them asks for, and the skills of all."""
    parts = {part for team in asked for part in team.split("+")}
    bases = sorted(parts & set(BASES), key=BASES.index)
    base = bases.pop() if bases else BASES[0]
    skills = [one for one in SKILLS if one in parts and one not in BASES]
    cards = sorted(part for part in parts if part not in (*BASES, *SKILLS))
    return "+".join([base, *(one for one in bases if one not in IMPLIED), *cards, *skills])


def _battery_min(flags: Iterable[str]) -> int | None:
    """Minutes that the batteries of their device last (flag backup_MINUTES); None where nobody has said."""
    known = [int(f.removeprefix("backup_")) for f in flags if f.removeprefix("backup_").isdigit()]
    return min(known, default=None)


@lru_cache(maxsize=64)
def _calm(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """A house's escalation in blue and yellow: its duty lines are spoken with, nobody is moved and nobody is sent."""
    kept = ((step, tuple(word for word in step.do if word not in MOVING_WORDS)) for step in steps if not step.every)
    return tuple(replace(step, do=do) for step, do in kept if do)


@lru_cache(maxsize=256)
def _with_deadline(steps: tuple[Step, ...], deadline: float) -> tuple[Step, ...]:
    extra = Step("deadline", StepTime(deadline), ("door",), parse_condition("open"))
    before = [s for s in steps if s.at <= deadline]
    return (*before, extra, *steps[len(before) :])


def read(text: str) -> Policy:
    """The checked policy of a file's text; Refused at its first fault, with line, field, rule and what to do."""
    return _of(Document(text))


def restored(kept: str) -> Policy:
    """The policy a warning runs by, as `Policy.kept` wrote it down: a hazard that has gone since keeps its rule."""
    document = Document(kept)
    policy = document.read(Policy)
    policy._text, policy._kept = kept, kept
    return policy


def load(path: Path, setting: str = "") -> Policy:
    """The checked policy of a file, named in each fault with the setting it came by."""
    return _of(open_file(setting, path))


def _of(document: Document) -> Policy:
    if not isinstance(document.data, dict):
        raise document.fault((), "yaml", "the policy file is empty; start from the one that ships")
    given = document.read(Policy)
    for name in given.hazards:
        if name not in known():
            said = f"{name!r} is not on the list; use {', '.join(known())}"
            raise document.fault(("hazards", name), "closed_list", said, name)
    policy = given.model_copy(
        update={"hazards": {name: hazard.rule for name, hazard in known().items()} | given.hazards}
    )
    rules = {name: hazard.written for name, hazard in known().items()} | document.data.get("hazards", {})
    policy._text, policy._kept = document.text, json.dumps(document.data | {"hazards": rules}, ensure_ascii=False)
    return policy
