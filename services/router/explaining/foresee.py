"""Foresees what the policy does to a profile if nobody answers: the walk of sending, over a person in memory.

`foresee` makes up a person of a profile and walks every step with them: explain, tables, comparing and previews read
what came of it. Nobody is written to and nothing is stored. `over_people` does it for counts of people, each profile
once: a million people are a few hundred profiles.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from msgspec.structs import replace as replaced

from services.router.planning.plan import Person, WarningContext
from services.router.planning.walk import Act, AreaAct, area_acts, climb
from services.router.policy.engine import Policy
from services.router.policy.rules import PathPlan
from services.router.policy.steps import Step
from services.router.policy.vocabulary import MOVING_WORDS, SUPPORTER
from services.shared.messages import ContactEntry, PersonEntry, Profile, SupporterEntry, WarningIssued, WorkerEntry
from services.shared.tiers import Tier

HORIZON_MIN = 360.0
SUPERIOR = "superior"


def _contact(kind: str, owner: str) -> ContactEntry:
    return ContactEntry(f"{owner}:{kind}", kind, f"{owner}:{kind}", b"", "")


ON_SHIFT = (
    WorkerEntry("officer", (), (), 10, "en", (_contact("sms", "officer"),)),
    WorkerEntry(SUPERIOR, (), (SUPERIOR,), 10, "en", (_contact("sms", SUPERIOR),)),
)


@dataclass(frozen=True)
class ForeseenAct:
    """At a minute from the release: what is done, on which channel (the word where it is no channel), and why."""

    minute: float
    channel: str
    why: str
    to: str  # person, facility, supporter, worker, door, area; question where the lines are asked again
    again: bool = False  # no other channel was left


@dataclass(frozen=True)
class Foreseen:
    """One profile's path if nobody answers; `plan` is as at its start."""

    plan: PathPlan
    held_min: float
    acts: tuple[ForeseenAct, ...] = ()

    def door_minute(self) -> float | None:
        """When somebody stands at the door, or the name on the fire service's list; None for never."""
        return min((a.minute for a in self.acts if a.channel in ("door", "fire_service_list")), default=None)

    def channels(self) -> frozenset[str]:
        """Every channel that is tried."""
        return frozenset(a.channel for a in self.acts)


def made_up_warning(
    policy: Policy,
    tier: Tier,
    hazard: str,
    minute_of_day: int,
    channels: Mapping[str, str],
    *,
    impact_min: float | None = None,
    doors: str = "",
    expires_min: float = HORIZON_MIN * 4,
) -> WarningContext:
    """A warning released at a local minute of the day. `doors`: the commander's word, empty while there is none.

    `impact_min` and `expires_min` count from the release.
    """
    released = minute_of_day * 60.0
    issued = WarningIssued(
        msg_id="", plane="", warning_id="made up", tier=int(tier), kind="alert", purpose="preview", chain_id="",
        hazard=hazard, respond="", sent=released, expires=released + expires_min * 60, released=released,
        impact=None if impact_min is None else released + impact_min * 60,
    )  # fmt: skip
    rule = policy.door_rule(hazard)
    word = rule if rule == "forbidden" and doors != "unsafe" else doors or rule
    return WarningContext(issued, policy, {channel: channel for channel in channels}, channels, word)


def foresee(ctx: WarningContext, profile: Profile, area: Sequence[AreaAct] | None = None) -> Foreseen:
    """The path of a person of this profile under this warning, with an officer on shift and another above them.

    `area`: what goes to everybody there, where it was worked out for others already.
    """
    issued = ctx.issued
    start = ctx.start(profile)
    plan = ctx.plan(profile, start)
    held_min = (start - issued.released) / 60
    if not plan.asked:
        return Foreseen(plan, held_min)
    ctx = replace(ctx, workers=ON_SHIFT)
    acts = [
        ForeseenAct((act.at - issued.released) / 60, act.word, act.why, "area")
        for act in (area_acts(ctx) if area is None else area)
        if not act.left_out
    ]
    walked = [
        found
        for step, at, done in climb(ctx, made_up_person(profile), start + HORIZON_MIN * 60)
        for act in done
        for found in _acts(act, step, (at - issued.released) / 60)
    ]
    acts += [act for n, act in enumerate(walked) if act.again or act.channel not in {a.channel for a in walked[:n]}]
    return Foreseen(plan, held_min, tuple(sorted(acts, key=lambda act: act.minute)))


def made_up_person(profile: Profile) -> Person:
    """Somebody with a contact of each kind the profile knows; a helper who has a text line has a voice line too."""
    at_home = next((n for n, (_, out) in enumerate(profile.supporters) if not out), None)
    if "helper_at_home" not in profile.flags:
        at_home = None
    supporters = tuple(
        SupporterEntry(
            f"supporter {n}", outside, profile.language,
            tuple(_contact(k, f"supporter {n}") for k in dict.fromkeys((kind, "voice_mobile") if kind == "sms" else (kind,))),
            n == at_home,
        )
        for n, (kind, outside) in enumerate(profile.supporters)
    )  # fmt: skip
    contacts = tuple(_contact(kind, "person") for kind in profile.channels)
    contacts += tuple(replaced(_contact(kind, "person"), usable=False, unverified=True) for kind in profile.unverified)
    return Person(PersonEntry("person", "", 0, "", "", 0, b"", "", contacts, supporters), profile, [])


def _acts(act: Act, step: Step, minute: float) -> Iterable[ForeseenAct]:
    """What an act's rows are called where the policy is read; the calls of one series are one."""
    asked = "+".join(step.ask)
    for row in act.rows:
        to = row.addressee_kind
        if asked and act.word == asked:
            channel, to = asked, "question"
        elif to == "supporter":
            channel = row.channel if act.word in MOVING_WORDS else SUPPORTER  # instead of a door: by phone
        elif row.addressee_id == SUPERIOR:
            channel = SUPERIOR
        elif row.channel == "voice_duty":
            channel = f"voice_duty:{row.contact_id.partition(':')[2]}"
        else:
            channel = row.channel
        yield ForeseenAct(minute, channel, act.why, to, again=act.word == "retry_other_channel" and row.try_no > 1)


@dataclass
class Demand:
    """Sums over people: by channel, doors by hour from release, who has no path."""

    people: int = 0
    not_asked: int = 0
    by_channel: Counter[str] = field(default_factory=Counter)
    doors_by_hour: Counter[int] = field(default_factory=Counter)
    fire_list: int = 0
    no_channel: int = 0


def over_people(ctx: WarningContext, people: Iterable[tuple[Profile, int]]) -> Demand:
    """The demand of a population: (profile, how many) in any order, the same profile as often as one likes."""
    counts: Counter[str] = Counter()
    known: dict[str, Profile] = {}
    for profile, n in people:
        counts[profile.key] += n
        known[profile.key] = profile
    found, area = Demand(), area_acts(ctx)
    for key in sorted(counts):
        n = counts[key]
        seen = foresee(ctx, known[key], area)
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
