"""The sections of a policy file as models: what a council may write, in which words, and what it means to the engine.

Times are written in minutes and kept in seconds; a name that differs from the file's has the file's as its alias. The
JSON Schema of the file (`tocsin policy schema`) is made of these. A plan is what a policy makes of one profile.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    StrictBool,
    field_validator,
    model_validator,
)

from services.router.policy import vocabulary as w
from services.shared.endings import ENDING_KINDS
from services.shared.input.fields import (
    Between,
    ListOf,
    OneOf,
    Says,
    WrittenAs,
)
from services.shared.input.files import Entry, wrong
from services.shared.tiers import TIER_WORDS, Tier

Words = tuple[str, ...]
Tiers = Annotated[frozenset[Tier], ListOf(TIER_WORDS, frozenset, Tier.of)]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as problem:
        raise ValueError(f"give a day like 2026-11-22, not {text!r}") from problem


def _span(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", text)
    if match is None:
        raise ValueError(f"give a span like 21:00-07:00, not {text!r}")
    a, b, c, d = (int(part) for part in match.groups())
    if (a, b) == (c, d):
        raise ValueError("the night must begin and end at different times")
    return a * 60 + b, c * 60 + d


def _minutes_in(pattern: str, like: str) -> WrittenAs:
    """A fixed phrase with the council's own minutes in it, kept as seconds."""

    def read(text: str) -> float:
        match = re.fullmatch(pattern, text)
        if match is None or int(match[1]) < 1:
            raise ValueError(f"write {like}, with your minutes")
        return 60.0 * int(match[1])

    return WrittenAs(f"^{pattern}$", read, "condition")


class PolicyHead(Entry):
    """Which policy this is, and who has looked at it when."""

    id: str
    version: Annotated[int, Between(1, 1_000_000, whole=True)]
    reviewed: Annotated[date, WrittenAs(r"^\d{4}-\d{2}-\d{2}$", _day, "date")]
    review_every_months: Annotated[int, Between(1, 60, whole=True)]


class ClockRule(Entry):
    """When conditions are judged, and which part of the day is night; the rest is day."""

    evaluate_at: Literal["step_time"]
    night: Annotated[
        tuple[int, int], WrittenAs(r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$", _span, "span")
    ] = Field(description="Minutes of the day, from and until, written like 21:00-07:00.")


class Hold(Entry):
    """Which tiers wait for the morning."""

    tiers: Tiers
    when: Literal["night"]
    unless: Annotated[frozenset[str], ListOf(w.HOLD_UNLESS, frozenset)]
    recheck_before_release: StrictBool

    @field_validator("tiers")
    @classmethod
    def _calm(cls, tiers: frozenset[Tier]) -> frozenset[Tier]:
        if tiers & {Tier.ORANGE, Tier.RED}:
            wrong("orange and red are never held; hold blue and yellow at most", "hold")
        return tiers


class VoiceCall(Entry):
    """How a call to somebody who must answer is made."""

    listen_s: Annotated[int, Between(1, 300, whole=True)]
    tries: Annotated[int, Between(1, 10, whole=True)]
    within_s: Annotated[float, Between(0, 60, unit=60)] = Field(alias="within_min")
    ring_s: Annotated[int, Between(5, 600, whole=True)]


class ImpactTime(Entry):
    """When the danger is there."""

    use: Literal["earliest"]
    unknown_means_slack_min: Annotated[float, Between(0, 1440)]


class EvidenceOrder(Entry):
    """The ledger's evidence, weakest first: written out for whoever reads the file."""

    escalation: Annotated[Words, ListOf(w.EVIDENCE_ORDER)]

    @field_validator("escalation")
    @classmethod
    def _whole(cls, given: Words) -> Words:
        if given != w.EVIDENCE_ORDER:
            wrong(f"write the ledger's evidence, weakest first: {', '.join(w.EVIDENCE_ORDER)}", "escalation", given)
        return given


class Reached(Entry):
    """What makes a person count as reached; a figure, and no end of a path."""

    evidence_at_least: Annotated[str, OneOf(w.EVIDENCE_ORDER)]
    answers: Annotated[frozenset[str], ListOf((*w.ANSWERS, "help"), frozenset)] = Field(alias="or_answer")
    supporter_spoke: Annotated[bool, Says("supporter_spoke")] = Field(False, alias="or")


class Closing(Entry):
    """Which answers close a path, and whose."""

    answers: Annotated[frozenset[str], ListOf(w.ANSWERS, frozenset)]
    by: Annotated[frozenset[str], ListOf(w.ANSWERERS, frozenset)]


class Commander(Entry):
    """Endings that the commander's word may bring."""

    ending: Annotated[frozenset[str], ListOf(w.COMMANDER_ENDINGS, frozenset)]


class ClosedIf(Entry):
    """What closes a path; help never does."""

    default: Closing
    cannot_judge: Closing
    cannot_leave: Closing
    commander: Commander

    @property
    def classes(self) -> Mapping[str, Closing]:
        """The closing classes of people, by name."""
        return {"default": self.default, "cannot_judge": self.cannot_judge, "cannot_leave": self.cannot_leave}


def _form(text: str) -> str:
    form, *extras = text.split("+")
    for given, known in ((form, w.FORMS), *((extra, w.FORM_EXTRAS) for extra in extras)):
        if given not in known:
            raise ValueError(f"{given!r} is not on the list; use {', '.join(known)}")
    return text


_FORM = rf"^({'|'.join(w.FORMS)})(\+({'|'.join(w.FORM_EXTRAS)}))*$"


class Group(Entry):
    """A need group: its channels in the order they are used, its form, who goes to the door."""

    personal: Annotated[Words, ListOf(w.CHANNEL_WORDS_ALL, least=1)] = Field(
        description="In which order this group is reached; a driver stands here once."
    )
    written: Annotated[str, WrittenAs(_FORM, _form, "closed_list")] = Field("plain", alias="form")
    night_adds: Annotated[Words, ListOf(w.CHANNEL_WORDS_ALL)] = ()
    unfit: Annotated[Words, ListOf(tuple(w.UNFIT_WORDS))] = Field(
        (), description="Left out, unless the person asked for it."
    )
    only_listed: StrictBool = Field(
        False, description="No contact is used but those named here, by another group of theirs, or by the person."
    )
    unheard: StrictBool = Field(False, description="Loudspeakers and radio do not reach them.")
    household_voice: Annotated[bool, Says("allowed")] = False
    door_only_by: Annotated[str, OneOf(("fire_service_list",))] = Field(
        "", description="No team is ever sent there: the name goes to the fire service."
    )
    door: Annotated[str, OneOf(w.TEAMS)] = "officer"
    door_first: StrictBool = False
    head_start: StrictBool = False
    high_support_at: Annotated[str, OneOf(w.HIGH_SUPPORT)] = ""
    slack_bucket: Annotated[int, Between(-8, 8, whole=True)] = 0
    alone_after_s: Annotated[float | None, _minutes_in(r"guardian_silent_(\d+)_min", "guardian_silent_5_min")] = Field(
        None, alias="alone_if"
    )
    first: StrictBool = False
    escalation: Annotated[str, OneOf(("facility",))] = ""

    @cached_property
    def form(self) -> str:
        """The form itself."""
        return self.written.partition("+")[0]

    @cached_property
    def extras(self) -> Words:
        """What is added to the form."""
        return tuple(self.written.split("+")[1:])

    @model_validator(mode="after")
    def _alone(self) -> Self:
        if self.high_support_at == "when_alone" and self.alone_after_s is None:
            wrong("say when somebody counts as alone: alone_if: guardian_silent_5_min", "required", at=("alone_if",))
        return self


class FewChannels(Entry):
    """Where a person with fewer than two usable channels has a door at once."""

    tiers: Tiers
    do: Literal["door_at_0_or_fire_service_list"]


class Combine(Entry):
    """How the rules of several groups make one path."""

    order: Annotated[Words, ListOf(("own_order", "groups_interleaved"))]
    bans: Literal["only_what_the_person_said"]
    door: Literal["heaviest_team_with_all_skills"]
    few_channels: FewChannels = Field(alias="fewer_than_two_usable_channels")
    skill_wait_s: Annotated[float, Between(0, 10, unit=60)] = Field(alias="wait_for_skill_min")

    @field_validator("order")
    @classmethod
    def _ends(cls, given: Words) -> Words:
        if given[-1:] != ("groups_interleaved",):
            wrong("end with groups_interleaved: not everybody gave an order", "order", given)
        return given


class HeadStart(Entry):
    """What those who need more time get before the others."""

    tiers_up: Annotated[int, Between(0, 3, whole=True)]
    text: Annotated[str, OneOf(("leave_early",))] = ""
    door_at_red: Annotated[bool, Says("door_at_0")] = Field(False, alias="at_red")


class Officials(Entry):
    """How whoever is responsible for a grid is called until one has spoken."""

    tries: Annotated[int, Between(1, 10, whole=True)]
    within_s: Annotated[float, Between(1, 60, unit=60)] = Field(alias="within_min")
    superior: Annotated[bool, Says("superior")] = Field(False, alias="then")
    then_door: StrictBool = False


class Shortage(Entry):
    """Who gets a team where there are too few, and what becomes of the others."""

    when: Literal["doors_needed > doors_possible"] = Field(alias="if")
    rank: Annotated[Words, ListOf(w.SHORTAGE_FACTS)]
    then: Annotated[
        Words, ListOf(w.SHORTAGE_THEN, must=("fire_service",), why="who is left over must stand on somebody's list")
    ]
    show: Literal["names_left_over"]


class ChannelsDown(Entry):
    """What is done where nothing was heard from a zone's phones."""

    silent_s: Annotated[float, _minutes_in(r"area_silent_min\s*>=\s*(\d+)", "area_silent_min >= 5")] = Field(alias="if")
    do: Annotated[Words, ListOf(w.DOWN_DO)]
    alone_s: Annotated[float, Between(1, 240, unit=60)] = Field(alias="officers_alone_after_min")

    @model_validator(mode="after")
    def _after(self) -> Self:
        if self.alone_s < self.silent_s:
            given = self.alone_s / 60
            wrong("give at least the minutes of the silence", "number", given, at=("officers_alone_after_min",))
        return self


class Ending(Entry):
    """Who hears that a warning is over."""

    kinds: Annotated[Words, ListOf(ENDING_KINDS, must=ENDING_KINDS, why="a warning may have to end so")]
    to: Annotated[
        frozenset[str],
        ListOf(w.ENDING_TO, frozenset, must=("all_attempted",), why="who got the warning must hear its end"),
    ]
    door_at_night: Literal["never"]


def _some(given: tuple[float, ...]) -> tuple[float, ...]:
    if not given:
        wrong("give minutes in [ ], like [30, 10]", "list", given)
    return given


class Expiry(Entry):
    """What happens before a warning runs out."""

    orange_and_red: Literal["ask_duty_officer"]
    ask_s: Annotated[tuple[Annotated[float, Between(1, 1440, unit=60)], ...], AfterValidator(_some)] = Field(
        alias="ask_before_min"
    )
    doors_under_way: Literal["go_on"]


class PerWeek(Entry):
    """How many messages of a tier a person gets in a week."""

    blue: Annotated[int | None, Between(1, 100, whole=True)] = None
    yellow: Annotated[int | None, Between(1, 100, whole=True)] = None

    def get(self, tier: Tier) -> int | None:
        """The limit of a tier; None for none."""
        return {Tier.BLUE: self.blue, Tier.YELLOW: self.yellow}.get(tier)


class Fatigue(Entry):
    """When somebody has been told enough in blue and yellow."""

    personal_per_week: PerWeek
    merge_same_hazard_s: Annotated[float, Between(0, 168, unit=3600)] = Field(alias="merge_same_hazard_h")


class DoorList(Entry):
    """How the list of a team is made."""

    order: Annotated[Words, ListOf(w.DOOR_ORDER)]
    per_team_max: Annotated[int, Between(1, 200, whole=True)]
    team: Annotated[int, Between(1, 4, whole=True)]
    print_turn_back_time: Literal[True]  # whoever goes must know when to turn back
    never_reorder_begun: StrictBool
    second_knock_s: Annotated[float, Between(1, 240, unit=60)] = Field(2400.0, alias="second_knock_min")
    opened_within_s: Annotated[float, Between(1, 240, unit=60)] = Field(600.0, alias="opened_within_min")
    way_out_s: Annotated[float, Between(0, 240, unit=60)] = Field(600.0, alias="way_out_min")
    way_out_by_zone: dict[str, Annotated[float, Between(0, 240, unit=60)]] = Field({}, alias="way_out_by_zone_min")
    turn_back_margin_s: Annotated[float, Between(0, 240, unit=60)] = Field(600.0, alias="turn_back_margin_min")
    check_in_s: Annotated[float, Between(5, 240, unit=60)] = Field(1800.0, alias="check_in_min")
    check_in_grace_s: Annotated[float, Between(1, 60, unit=60)] = Field(300.0, alias="check_in_grace_min")
    check_in_alarm_s: Annotated[float, Between(1, 60, unit=60)] = Field(600.0, alias="check_in_alarm_min")
    relief_s: Annotated[float, Between(1, 24, unit=3600)] = Field(14400.0, alias="relief_h")
    taken_up_s: Annotated[float, Between(1, 240, unit=60)] = Field(600.0, alias="fire_service_takes_up_min")

    def sets_out_before(self, zone_id: str) -> float:
        """Seconds before the impact at which whoever is at a door of that zone must set out for safety."""
        return self.way_out_by_zone.get(zone_id, self.way_out_s) + self.turn_back_margin_s

    @field_validator("team")
    @classmethod
    def _two(cls, team: int) -> int:
        if team != 2:
            wrong("nobody goes to a door alone, and lists are made for two: write 2", "team", team)
        return team


class Updates(Entry):
    """How often a warning must be looked at and said again."""

    red_s: Annotated[float, Between(1, 1440, unit=60)] = Field(alias="red_min")
    orange_s: Annotated[float, Between(1, 1440, unit=60)] = Field(alias="orange_min")

    def __getitem__(self, tier: Tier) -> float:
        """Seconds between two updates of an urgent tier."""
        return {Tier.RED: self.red_s, Tier.ORANGE: self.orange_s}[tier]

    def get(self, tier: Tier) -> float | None:
        """The same; None where none is due."""
        return self[tier] if tier >= Tier.ORANGE else None


class BeforeImpact(Entry):
    """Goals by the time of the impact, as shares."""

    facilities_spoken_10_min: Annotated[float, Between(0, 1)]
    cannot_leave_moving_15_min_before: Annotated[float, Between(0, 1)]


class Goals(Entry):
    """What a warning should reach; figures of the report."""

    before_impact: BeforeImpact
    worst_group_t90_over_general: Annotated[float, Between(1, 10)]


@dataclass(frozen=True)
class ChannelUse:
    """One usable channel of a person: the policy's word, the channel, the contact kind it goes to.

    Of kind supporter or officer it goes to somebody else, about the person.
    """

    word: str
    channel: str
    kind: str
    unverified: bool = False  # nobody has verified the number: it gets the public text and nothing about the person

    @property
    def tells(self) -> bool:
        """Whether it is known to tell the person something themselves."""
        return self.kind not in (w.SUPPORTER, w.OFFICER, w.SHAKER) and not self.unverified


@dataclass(frozen=True)
class PathPlan:
    """What one profile gets under one tier, hazard and half of the day."""

    tier: Tier  # of the escalation walked, after a head start
    escalation: str  # a tier's word, or facility
    asked: bool  # False: this tier asks for opt-in or high support, and they have neither
    ack: bool  # an answer is waited for
    channels: tuple[ChannelUse, ...]
    left_out: tuple[tuple[str, str], ...]
    usable: int  # channels of their own that tell them something, and one more for a supporter outside the zone
    supporter: bool
    supporter_counts: bool
    door_applies: bool
    door_where: str  # door, or fire_service_list where nobody may be sent
    door_at_0: str  # the reason, or empty
    deadline: float | None  # seconds from release by which their power runs out, less the way there
    team: str
    form: str  # base form and what it adds, joined by +
    closing: str
    head_start: bool
    first: bool
    bucket: int
    alone_after: float | None
    never_a_team: bool = False  # whatever hazard and commander say, the name goes to the fire service
    facts: frozenset[str] = field(default_factory=frozenset)
