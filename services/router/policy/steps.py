"""A policy's steps: what is done at which minute and on which condition, of a tier and of a facility.

The models of the file are a union by what a step has: `at`, or `every` for one that comes again. `Step` is what the
engine walks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, Discriminator, Field, PlainValidator, Tag, WithJsonSchema, model_validator

from services.router.policy import vocabulary as w
from services.router.policy.conditions import ALWAYS, PREDICATES, Condition, parse_condition
from services.shared.input.fields import Between, ListOf, OneOf, WrittenAs
from services.shared.input.files import Entry, wrong
from services.shared.tiers import Tier

Words = tuple[str, ...]
_CONDITION = rf"^([&|()\s]|\b({'|'.join(PREDICATES)})\b)*$"


class StepTime(NamedTuple):
    """When a step falls due, in seconds from the release.

    With an impact known it may be earlier: so long before the impact, or at a share of the lead, which is the time from the
    release to the impact, but never sooner than `least`.
    """

    at: float
    before_impact: float | None = None
    lead_share: float | None = None
    least: float = 0.0

    @property
    def hangs_on_impact(self) -> bool:
        """Whether an impact can make it earlier."""
        return self.before_impact is not None or self.lead_share is not None

    def when(self, released: float, impact: float | None) -> float:
        """Warning time of the step; never before release."""
        at = released + self.at
        if impact is not None and self.before_impact is not None:
            at = min(at, impact - self.before_impact)
        if impact is not None and self.lead_share is not None:
            at = min(at, released + max(self.least, self.lead_share * (impact - released)))
        return max(at, released)


@dataclass(frozen=True)
class Step:
    """One step: when it falls due, on which condition, and what is done then."""

    name: str
    time: StepTime
    do: Words
    condition: Condition
    every: float | None = None
    ask: Words = ()
    until: str = ""

    @property
    def at(self) -> float:
        """Seconds from the release, where no impact makes it earlier."""
        return self.time.at

    def when(self, released: float, impact: float | None) -> float:
        """Warning time of the step; never before release."""
        return self.time.when(released, impact)


_BEFORE_IMPACT = r"earlier of (\d{1,4}) and impact-(\d{1,4})"
_SHARE_OF_LEAD = r"earlier of (\d{1,4}) and (\d{1,2})% of lead, at least (\d{1,4})"


def _at(given: Any) -> StepTime:
    """Minutes, or one of the two phrases that make a step earlier where the impact is near."""
    if not isinstance(given, str):
        return StepTime(Between(0, 1440, unit=60).check(given))
    if (match := re.fullmatch(_BEFORE_IMPACT, given)) is not None:
        return StepTime(60.0 * int(match[1]), before_impact=60.0 * int(match[2]))
    if (match := re.fullmatch(_SHARE_OF_LEAD, given)) is not None:
        at, share, least = int(match[1]), int(match[2]), int(match[3])
        if least > at:
            wrong(f"at least {least} is later than {at}: give {at} minutes or fewer", "number", given)
        return StepTime(60.0 * at, lead_share=share / 100, least=60.0 * least)
    wrong(
        f"give minutes, 'earlier of 60 and impact-90' or 'earlier of 15 and 10% of lead, at least 2', not {given!r}",
        "number",
        given,
    )


_AT_SCHEMA = {
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": 1440},
        {"type": "string", "pattern": r"^earlier of \d+ and (impact-\d+|\d{1,2}% of lead, at least \d+)$"},
    ]
}
_If = Annotated[Condition, WrittenAs(_CONDITION, parse_condition, "condition")]


class StepAt(Entry):
    """A step at a minute from the release, or earlier where the impact is near."""

    at: Annotated[tuple[float, float | None, float | None, float], PlainValidator(_at), WithJsonSchema(_AT_SCHEMA)]
    condition: _If = Field(default_factory=lambda: ALWAYS, alias="if")
    do: Annotated[Words, ListOf((*w.AREA_WORDS, *w.PERSON_WORDS), least=1)]
    mode: Literal["parallel"] = "parallel"

    @model_validator(mode="before")
    @classmethod
    def _once(cls, given: Any) -> Any:
        if isinstance(given, dict) and not {"ask", "until"}.isdisjoint(given):
            wrong("ask and until go with every:", "required")
        return given

    def step(self, name: str) -> Step:
        """As the engine walks it."""
        return Step(name, StepTime(*self.at), self.do, self.condition)


class StepEvery(Entry):
    """A step that comes again until it has what it asks for."""

    every: Annotated[float, Between(1, 1440, unit=60)]
    condition: _If = Field(default_factory=lambda: ALWAYS, alias="if")
    do: Annotated[Words, ListOf((*w.AREA_WORDS, *w.PERSON_WORDS))] = ()
    mode: Literal["parallel"] = "parallel"
    ask: Annotated[Words, ListOf(w.ASKS)] = ()
    until: Annotated[str, OneOf(w.UNTILS)] = ""

    @model_validator(mode="after")
    def _does(self) -> Self:
        if not self.do and not self.ask:
            wrong("say what is done: do: [...]", "required", at=("do",))
        return self

    def step(self, name: str) -> Step:
        """As the engine walks it."""
        return Step(name, StepTime(self.every), self.do, self.condition, self.every, self.ask, self.until)


class HouseStepAt(StepAt):
    """A step of a facility's plan."""

    do: Annotated[Words, ListOf(w.FACILITY_WORDS, least=1)]


class HouseStepEvery(StepEvery):
    """A step of a facility's plan that comes again."""

    do: Annotated[Words, ListOf(w.FACILITY_WORDS)] = ()


def _kind_of_step(given: Any) -> str | None:
    if not isinstance(given, dict):
        return "<at>"
    return {(True, False): "<at>", (False, True): "<every>"}.get(("at" in given, "every" in given))


_BY_TIME = Discriminator(
    _kind_of_step, custom_error_type="required", custom_error_message="give at: or every:, one of them"
)


def _in_order(steps: tuple[StepAt | StepEvery, ...]) -> tuple[StepAt | StepEvery, ...]:
    if not steps:
        wrong("give a list of steps, not []", "list", [])
    times = [step.at[0] for step in steps if isinstance(step, StepAt)]
    if times != sorted(times):
        wrong("the steps must stand in the order of their minutes", "order")
    if any(isinstance(step, StepEvery) for step in steps[:-1]):
        wrong("a step that comes again (every:) stands last", "order")
    return steps


Steps = Annotated[
    tuple[Annotated[Annotated[StepAt, Tag("<at>")] | Annotated[StepEvery, Tag("<every>")], _BY_TIME], ...],
    AfterValidator(_in_order),
]
HouseSteps = Annotated[
    tuple[Annotated[Annotated[HouseStepAt, Tag("<at>")] | Annotated[HouseStepEvery, Tag("<every>")], _BY_TIME], ...],
    AfterValidator(_in_order),
]


class TierRule(Entry):
    """A tier's escalation plan, who is told personally, and of whom an answer is waited for."""

    personal: Annotated[str, OneOf(w.PERSONAL)] = "all"
    ack: Annotated[str, OneOf(w.ACKS)] = "none"
    steps: Steps
    end: Annotated[str, OneOf(w.TIER_ENDS)]
    unknown_after_s: Annotated[float | None, Between(10, 3600)] = Field(
        None, description="An uncertain send goes out on another driver after so many seconds."
    )


class UrgentRule(TierRule):
    """Orange and red: everybody's answer is waited for, and the last driver is a person."""

    @model_validator(mode="after")
    def _last(self) -> Self:
        if self.end in ("sent", "officer_contact"):
            wrong("orange and red end closed: sending or asking is no end there", "end", self.end, at=("end",))
        if not any("door" in step.do for step in self.steps):
            wrong("add a step with do: [door]: the last channel is a person", "door", at=("steps",))
        if self.ack != "all_registered":
            wrong("orange and red wait for everybody's answer: ack: all_registered", "ack", self.ack, at=("ack",))
        return self


class TierRules(Entry):
    """The four tiers."""

    blue: TierRule
    yellow: TierRule
    orange: UrgentRule
    red: UrgentRule

    def __getitem__(self, tier: Tier) -> TierRule:
        rule: TierRule = getattr(self, tier.word)
        return rule
