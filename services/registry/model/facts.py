"""Keeps single answers of a person: who said each, when, how long it holds, and which of two counts.

The newest statement of the person or of somebody for them beats a record; an officer's visit, which asked what they can
do, beats a list; a card grade is the weakest. A list that differs is never overwritten in silence: it is a conflict.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

import msgspec

from services.registry.model.answers import those
from services.registry.model.given import ANSWERS, WARNED, WG, PersonIn

HOME = those(ANSWERS, "home")  # true of everybody in one household
FACILITY = (
    "kind", "name", "headcount_day", "headcount_night", "non_walking", "evac_min_day", "evac_min_night", "plan_on",
    "languages", "occupancy",
)  # fmt: skip
MEDICAL, TEMPORARY = those(ANSWERS, "medical"), those(ANSWERS, "temporary")
PROTECTS = those(ANSWERS, "protects")
OLD = 80
MONTHS, MONTHS_SHORT = 12, 6
RANK = {"self": 3, "proxy": 3, "officer_visit": 2, "disability_card": 0}  # every other list: 1
Voice = Literal["weighed", "adds", "owns"]
"""How a statement counts beside others: by its rank and day; only where there is none; before those of others, since it is
of who keeps the person."""
STATUS, PLACE, SEALED = "status", "place", "sealed:"  # what is merged beside the answers


class Provenance(msgspec.Struct, array_like=True, frozen=True):
    """Where an answer comes from: kind of source, ISO date, who recorded it, in which list, until when it holds."""

    source: str
    on: str
    by: str
    source_id: str = ""
    until: str = ""

    @property
    def rank(self) -> int:
        """How much it weighs beside another source."""
        return RANK.get(self.source, 1)


class Facts(msgspec.Struct, array_like=True):
    """All answers of one person or facility; `of` names an answer's provenance by index, those not in it have 0.

    `marks` are of sealed texts: a keyed hash that tells whether a text is new, and a mask to show.
    """

    answers: dict[str, object] = {}
    provenance: list[Provenance] = []
    of: dict[str, int] = {}
    marks: dict[str, tuple[str, str]] = {}

    def source(self, name: str) -> Provenance:
        """Who said it; of what nobody said, the first source of the record."""
        return self.provenance[self.of.get(name, 0)]

    def credit(self, name: str, to: Provenance) -> None:
        """Notes who said it."""
        if to not in self.provenance:
            self.provenance.append(to)
        index = self.provenance.index(to)
        if index:
            self.of[name] = index
        else:
            self.of.pop(name, None)

    def tidy(self) -> None:
        """Drops sources nothing is left of; the one with most answers comes first."""
        indexes = {name: self.of.get(name, 0) for name in (*self.answers, *(SEALED + part for part in self.marks))}
        used: dict[int, int] = {}
        for index in indexes.values():
            used[index] = used.get(index, 0) + 1
        order = sorted(used, key=lambda n: (-used[n], n))
        new = {old: n for n, old in enumerate(order)}
        self.of = {name: new[n] for name, n in indexes.items() if new[n]}
        self.provenance = [self.provenance[n] for n in order]


@dataclass(frozen=True)
class FactConflict:
    """Two sources differ: `kept` counts, `other` is what `source` said; settled where nobody needs to look."""

    field: str
    kept: object
    other: object
    source: Provenance
    settled_by: str = ""


@dataclass
class Merged:
    """What a statement changed."""

    changed: set[str] = field(default_factory=set)
    agreed: set[str] = field(default_factory=set)
    conflicts: list[FactConflict] = field(default_factory=list)


def same_voice(a: Provenance, b: Provenance) -> bool:
    """Whether one source corrects itself: the same list, or the person."""
    if a.source_id or b.source_id:
        return a.source_id == b.source_id and a.source == b.source
    return a.source == b.source and (a.source in ("self", "officer_visit") or a.by == b.by)


def merge(facts: Facts, said: Mapping[str, object], who: Provenance, voice: Voice = "weighed") -> Merged:
    """Takes answers (also `status`, `place`) into the facts where they win; what loses or is beaten is a conflict.

    A voice that only adds fills gaps and changes nothing; what would close a person's ways is no gap.
    """
    done = Merged()
    for name, value in said.items():
        if name not in facts.answers:
            wins = not (voice == "adds" and name in PROTECTS and value)
            if not wins:
                done.conflicts.append(FactConflict(name, False, value, who))
        else:
            kept, old = facts.answers[name], facts.source(name)
            if kept == value:
                done.agreed.add(name)
                if voice != "adds" and who.rank >= old.rank and who.on >= old.on:
                    facts.credit(name, who)
                continue
            wins, conflict = weigh(name, kept, value, old, who, voice)
            if conflict is not None:
                done.conflicts.append(conflict)
        if wins:
            facts.answers[name] = value
            facts.credit(name, who)
            done.changed.add(name)
    return done


def weigh(
    name: str, kept: object, value: object, old: Provenance, who: Provenance, voice: Voice = "weighed"
) -> tuple[bool, FactConflict | None]:
    """Whether a statement that differs counts from now on, and the conflict to show where two sources differ."""
    if same_voice(old, who):
        return who.on >= old.on, None
    if voice != "weighed":
        wins = voice == "owns"
        return wins, FactConflict(name, value, kept, old) if wins else FactConflict(name, kept, value, who)
    if _wins(name, value, kept, who, old):
        return True, FactConflict(name, value, kept, old, who.by if who.rank > old.rank and who.rank == 3 else "")
    return False, FactConflict(name, kept, value, who)


def _wins(name: str, value: object, kept: object, who: Provenance, old: Provenance) -> bool:
    """Whether a differing statement of another source counts from now on."""
    if name == STATUS and kept in WARNED and value not in WARNED and who.rank < 3:
        return False  # a list that says "moved" silences nobody whom another list still has
    if who.rank != old.rank:
        return who.rank > old.rank
    return who.on >= old.on


def said_by(person: PersonIn) -> dict[str, object]:
    """The answers that were given: what nobody filled in is not among them, and 9 is no answer."""
    found: dict[str, object] = {}
    for name in ANSWERS:
        if name in WG:
            level = getattr(person.wg, name)
            if "wg" in person.model_fields_set and level != 9:
                found[name] = level
        elif name in person.model_fields_set:
            value = getattr(person, name)
            found[name] = list(value) if isinstance(value, tuple) else value
    return found


@cache
def months_after(day: str, months: int) -> str:
    """The ISO date so many months later (the month's last day where it is shorter)."""
    if not day:
        return ""
    at = dt.date.fromisoformat(day)
    month = at.month - 1 + months
    year, month = at.year + month // 12, month % 12 + 1
    last = (dt.date(year + month // 12, month % 12 + 1, 1) - dt.timedelta(days=1)).day
    return dt.date(year, month, min(at.day, last)).isoformat()


def review_due(facts: Facts, name: str) -> str:
    """When an answer should be asked again: 12 months; 6 for power, temporary needs, and everything from 80 on."""
    who = facts.source(name)
    short = name in MEDICAL and facts.answers.get("power_device", "none") != "none"
    short = short or (name in TEMPORARY and bool(facts.answers.get(name)))
    born = facts.answers.get("birth_year")
    short = short or (isinstance(born, int) and int(who.on[:4] or 0) - born >= OLD)
    return months_after(who.on, MONTHS_SHORT if short else MONTHS)


def old_since(due: str, day: str) -> bool:
    """Whether an answer is to be marked old: used, but its review is more than half a year overdue."""
    return bool(due) and day > months_after(due, MONTHS_SHORT)


def valid_until(facts: Facts, name: str) -> str:
    """The day after which an answer no longer holds by itself; empty for none. A temporary need ends after a year."""
    until = facts.source(name).until
    if not until and name in TEMPORARY and facts.answers.get(name):
        return months_after(facts.source(name).on, MONTHS)
    return until


def earliest(facts: Facts) -> tuple[str, str]:
    """(review due, valid until) of the fact that comes first; empty where there is none."""
    by_source: dict[tuple[int, bool], str] = {}
    names: Iterable[str] = facts.answers or (PLACE,)
    for name in names:  # a handful of sources: one date each, and the special ones
        special = name in MEDICAL or name in TEMPORARY
        key = (facts.of.get(name, 0), special)
        if special or key not in by_source:
            due = review_due(facts, name)
            by_source[key] = min(due, by_source.get(key, due))
    ends = [end for name in names if (end := valid_until(facts, name))]
    return min(by_source.values(), default=""), min(ends, default="")
