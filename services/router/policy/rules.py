"""What a policy is made of, and what it makes: the rules of groups, tiers and hazards, a step, one profile's plan."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.router.policy.conditions import Condition
from services.shared.tiers import Tier


@dataclass(frozen=True)
class Group:
    """A need group's rule; `extras` are what its form adds, `alone_after_s` when a silent guardian counts as none."""

    personal: tuple[str, ...]
    form: str = "plain"
    extras: tuple[str, ...] = ()
    night_adds: tuple[str, ...] = ()
    unfit: tuple[str, ...] = ()
    household_voice: bool = False
    door: str = "officer"
    door_first: bool = False
    head_start: bool = False
    high_support_at: str = ""  # always, night, when_alone
    slack_bucket: int = 0
    alone_after_s: float | None = None
    first: bool = False
    escalation: str = ""


@dataclass(frozen=True)
class Step:
    """One step: `at` in seconds from release, or from impact where `before_impact` is set; whichever is earlier."""

    name: str
    at: float
    do: tuple[str, ...]
    condition: Condition
    before_impact: float | None = None
    every: float | None = None
    ask: tuple[str, ...] = ()
    until: str = ""

    def when(self, released: float, impact: float | None) -> float:
        """Warning time of the step; never before release."""
        at = released + self.at
        if self.before_impact is not None and impact is not None:
            at = min(at, impact - self.before_impact)
        return max(at, released)


@dataclass(frozen=True)
class TierRule:
    """A tier's escalation; `ack` says of whom an answer is waited for."""

    personal: str
    ack: str
    steps: tuple[Step, ...]
    end: str
    unknown_after_s: float | None = None


@dataclass(frozen=True)
class Closing:
    """Which answers close a path, and whose."""

    answers: frozenset[str]
    by: frozenset[str]


@dataclass(frozen=True)
class Hazard:
    """What people do, whether people may be sent to them, and what stands in for a door that is forbidden."""

    respond: str
    door: str
    area_sound_s: float | None = None
    sweep: bool = True
    instead: tuple[str, ...] = ("fire_service_list",)
    door_check_after_impact: bool = False
    never_evacuate: bool = False
    first: str = ""
    backup_deadline: bool = False


@dataclass(frozen=True)
class OfficialEscalation:
    """How whoever is responsible for a grid is called until one has spoken."""

    tries: int
    within_s: float
    superior: bool
    then_door: bool


@dataclass(frozen=True)
class ChannelsDown:
    """What is done where nothing was heard from a zone's phones."""

    silent_s: float
    do: tuple[str, ...]
    alone_s: float


@dataclass(frozen=True)
class Goals:
    """What a warning should reach; figures of the report."""

    facilities_spoken_10_min: float
    cannot_leave_moving_15_min_before: float
    worst_group_t90_over_general: float


@dataclass(frozen=True)
class ChannelUse:
    """One usable channel of a person: the policy's word, the channel, the contact kind it goes to.

    Of kind supporter or officer it goes to somebody else, about her.
    """

    word: str
    channel: str
    kind: str


@dataclass(frozen=True)
class PathPlan:
    """What one profile gets under one tier, hazard and half of the day."""

    tier: Tier  # of the escalation walked, after a head start
    escalation: str  # a tier's word, or facility
    asked: bool  # False: this tier asks for opt-in or high support, and she has neither
    ack: bool  # an answer is waited for
    channels: tuple[ChannelUse, ...]
    left_out: tuple[tuple[str, str], ...]
    usable: int  # channels of her own that tell her something, and one more for a supporter outside the zone
    supporter: bool
    supporter_counts: bool
    door_applies: bool
    door_where: str  # door, or fire_service_list where nobody may be sent
    door_at_0: str  # the reason, or empty
    deadline: float | None  # seconds from release by which her power runs out, less the way there
    team: str
    form: str  # base form and what it adds, joined by +
    closing: str
    head_start: bool
    first: bool
    bucket: int
    alone_after: float | None
    facts: frozenset[str] = field(default_factory=frozenset)
