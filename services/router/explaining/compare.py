"""Compares two policies over the same people: paths, lost channels, doors by hour, teams needed. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

from services.router.explaining.foresee import Foreseen, foresee, made_up_warning
from services.router.planning.walk import area_acts
from services.router.policy.engine import Policy
from services.shared.messages import Profile
from services.shared.tiers import Tier

HOURS = {"day": 12 * 60, "night": 2 * 60}
DOORS_PER_HOUR = 10  # of a team


@dataclass
class Case:
    """One tier, hazard and half of the day: profiles by what becomes of them, doors by hour from release."""

    tier: Tier
    hazard: str
    half: str
    changed: Counter[str] = field(default_factory=Counter)  # profile key > people
    lost: dict[str, tuple[str, ...]] = field(default_factory=dict)  # profile key > channels no more used
    doors: tuple[Counter[int], Counter[int]] = field(default_factory=lambda: (Counter(), Counter()))

    def teams(self, which: int, per_hour: int = DOORS_PER_HOUR) -> int:
        """Pairs that the fullest hour needs."""
        return ceil(max(self.doors[which].values(), default=0) / per_hour)


def compare(
    a: Policy,
    b: Policy,
    people: Iterable[tuple[Profile, int]],
    channels: Mapping[str, str],
    *,
    tiers: Sequence[Tier] = tuple(Tier),
    hazards: Sequence[str] = (),
    impact_min: float | None = None,
) -> list[Case]:
    """Every case in which anything differs; `people` are profiles with how many have each."""
    counted: Counter[str] = Counter()
    known: dict[str, Profile] = {}
    for profile, n in people:
        counted[profile.key] += n
        known[profile.key] = profile
    names = hazards or tuple(dict.fromkeys((*a.hazards, *b.hazards)))
    found = []
    for tier in tiers:
        for hazard in names:
            for half, minute in HOURS.items():
                case = Case(tier, hazard, half)
                of_a, of_b = (made_up_warning(p, tier, hazard, minute, channels, impact_min=impact_min) for p in (a, b))
                area_a, area_b = area_acts(of_a), area_acts(of_b)
                for key in sorted(counted):
                    before, after = foresee(of_a, known[key], area_a), foresee(of_b, known[key], area_b)
                    _add(case, key, counted[key], before, after, (a, b))
                if case.changed or case.doors[0] != case.doors[1]:
                    found.append(case)
    return found


def _add(case: Case, key: str, n: int, before: Foreseen, after: Foreseen, both: tuple[Policy, Policy]) -> None:
    for which, seen in enumerate((before, after)):
        minute = seen.door_minute()
        if minute is not None and "door" in seen.channels():
            case.doors[which][int(minute // 60)] += n
    if promise(before, both[0]) != promise(after, both[1]):
        case.changed[key] += n
        gone = tuple(sorted(before.channels() - after.channels()))
        if gone:
            case.lost[key] = gone


def promise(seen: Foreseen, policy: Policy) -> tuple[object, ...]:
    """What a person would notice of their path."""
    plan = seen.plan
    closing = policy.closed_if.classes[plan.closing]
    acts = tuple((a.minute, a.channel) for a in seen.acts)
    return acts, plan.asked, plan.team, plan.form, plan.ack, closing, seen.held_min


def in_words(
    cases: Sequence[Case], of: Mapping[str, int], ids: Mapping[str, Sequence[str]], shown: int, per_hour: int
) -> list[str]:
    """One sentence a line: counts first, then names by id where a register is given."""
    everybody = sum(of.values())
    changed = {key for case in cases for key in case.changed}
    lost = {key for case in cases for key in case.lost}
    others, losers = sum(of[k] for k in changed), sum(of[k] for k in lost)
    found = [
        f"{others} of {everybody} people have another path in at least one case; {losers} lose a channel in at least one"
    ]
    for case in cases:
        a, b = case.doors
        hours = sorted(set(a) | set(b))
        demand = ", ".join(f"hour {h + 1}: {a[h]} > {b[h]}" for h in hours if a[h] != b[h])
        line = f"{case.tier.word}, {case.hazard}, {case.half}: {sum(case.changed.values())} changed"
        if case.lost:
            channels = Counter(channel for key, gone in case.lost.items() for channel in gone for _ in range(of[key]))
            line += "; lose " + ", ".join(f"{channel} ({n})" for channel, n in sorted(channels.items()))
        if demand:
            line += f"; doors {demand}; teams needed {case.teams(0, per_hour)} > {case.teams(1, per_hour)}"
        found.append(line)
    for title, keys in (("lose a channel", lost), ("have another path", changed - lost)):
        named = sorted(one for key in keys for one in ids.get(key, ()))
        if named:
            more = f" and {len(named) - shown} more" if len(named) > shown else ""
            found.append(f"{title}: {', '.join(named[:shown])}{more}")
    return found
