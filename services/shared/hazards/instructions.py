"""Reads what a text tells people to do, and says whether two texts tell them the same.

An instruction is a word of a closed list. `told_in` finds the instructions of a text by the patterns of its language
(`instructions.yaml` of the language's folder), `contradiction` holds two texts against each other, `instruction_of` says which
one instruction an alert gives, if it gives one. Where a language has no patterns nothing is claimed about it. Pure.

The patterns find orders, not topics: "keep away from the river" is `avoid`, "the evacuation centre is open" is nothing. They
miss some and never make a text: what they find decides whether a text of ours may stand for an authority's, and what somebody
is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from services.shared import i18n
from services.shared.i18n import in_each_language, mark
from services.shared.people.languages import base_of
from services.shared.text.sentences import sentences
from services.shared.tiers import Tier

INSTRUCTIONS = (
    "leave", "go_to_place", "go_up", "stay_in", "leave_or_stay", "avoid", "boil", "check_on", "prepare", "monitor", "none",
)  # fmt: skip
"""What people can be told to do, the most urgent first."""

FILE = "instructions.yaml"
NEAR = 200  # characters around an order that decide whether it is one: a clause without a stop may be anybody's
MOVING = frozenset(("leave", "go_to_place", "go_up", "stay_in"))  # where people are to be
BOTH = "leave_or_stay"  # who is in danger leaves, the others stay where they are: no order of a sentence, but of a whole text
_FORBIDDEN = frozenset(("avoid", "boil"))  # what is not to be done, or not as usual: whoever does not read it is harmed
_APART = {
    frozenset(both)
    for both in (
        ("leave", "stay_in"), ("leave", "go_up"), ("go_to_place", "stay_in"), ("go_to_place", "go_up"),
        *((BOTH, one) for one in MOVING),  # some in both places would be told to go and to stay
    )
}  # fmt: skip
_IMPLIED = {"shut": "stay_in"}  # an order of `instructions.yaml` > what it says of where to be, where nothing else does
NAMES = {
    "leave": mark("leave"), "go_to_place": mark("go to a place"), "go_up": mark("go up"), "stay_in": mark("stay in"),
    BOTH: mark("leave where it is dangerous, else stay in"), "avoid": mark("keep away"), "boil": mark("boil water"),
    "check_on": mark("look after each other"), "prepare": mark("get ready"), "monitor": mark("listen for news"),
    "none": mark("do nothing"),
}  # fmt: skip


@dataclass(frozen=True)
class Told:
    """What a text tells `everybody` to do, and what it tells `some` (who are in danger, slow, told so later).

    `later` are those of some that nobody follows before they are told so again. `first` is the order on where to be now that
    stands first in the text, empty where there is none.
    """

    everybody: frozenset[str] = frozenset()
    some: frozenset[str] = frozenset()
    first: str = ""
    later: frozenset[str] = frozenset()

    @property
    def anybody(self) -> frozenset[str]:
        return self.everybody | self.some

    @property
    def where(self) -> frozenset[str]:
        """Where people are to be now; where it tells nobody that, where they may be told to be later."""
        return (self.anybody - self.later) & MOVING or self.anybody & MOVING


@dataclass(frozen=True)
class _Patterns:
    some: re.Pattern[str]
    later: re.Pattern[str]  # beside an order that holds once people are told so
    excepted: re.Pattern[str]  # a part of a sentence that only says when its order does not hold
    ready: re.Pattern[str]  # before an order that may come later
    denied: re.Pattern[str]  # before an order that is forbidden
    urged: re.Pattern[str]  # before an order that is made stronger by a negation: "do not wait to"
    manner: re.Pattern[str]  # after a forbidden order of which only the way is forbidden: "by car"
    mentioned: re.Pattern[str]  # before what is no order: "before you"
    mentioned_after: re.Pattern[str]
    needless: re.Pattern[str]  # before an order nobody needs to follow
    ends: re.Pattern[str]  # a clause
    orders: Mapping[str, re.Pattern[str]]
    denied_is: Mapping[str, str] = field(default_factory=dict)  # order > what its opposite tells people


@cache
def _patterns(folder: Path) -> dict[str, _Patterns]:
    return {base_of(tag): _of(data) for tag, data in in_each_language(FILE).items()}


def _of(data: Mapping[str, Any]) -> _Patterns:
    def one(words: Sequence[str]) -> re.Pattern[str]:
        return re.compile("|".join(words) if words else r"(?!)", re.IGNORECASE)

    def before(words: Sequence[str]) -> re.Pattern[str]:
        gap = rf"(?:(?!{'|'.join(data['joins'])})\w+\W+){{0,2}}"  # what is joined to a denial is not denied by it
        return re.compile(rf"(?:{'|'.join(words)})\W*{gap}$" if words else r"(?!)", re.IGNORECASE)

    return _Patterns(
        some=one(data["some"]), later=one(data["later"]), excepted=one(data["excepted"]), ready=before(data["ready"]),
        denied=before(data["denied"]), urged=before(data["urged"]), manner=one(data["manner"]),
        mentioned=re.compile(rf"(?:{'|'.join(data['mentioned'])})\W*$", re.IGNORECASE),
        mentioned_after=one(data["mentioned_after"]), needless=before(data["needless"]), ends=one(data["ends"]),
        orders={name: one(words) for name, words in data["orders"].items()}, denied_is=data["denied_is"],
    )  # fmt: skip


def told_in(text: str, language: str) -> Told | None:
    """What the text tells people to do; None in a language we have no patterns of."""
    patterns = _patterns(i18n.FOLDER).get(base_of(language))
    if patterns is None:
        return None
    found: list[tuple[str, str]] = []  # an order, and who is told it
    asked_before = False
    for sentence in sentences(text):
        who = "some" if asked_before else "everybody"  # "Slow? Go now": the order is for whoever says yes
        asked_before = sentence.rstrip()[-1:] in ("?", "？")
        for clause in _clauses(patterns.excepted.sub("", sentence), patterns):
            if patterns.later.search(clause):
                who = "later"
            elif who == "everybody" and patterns.some.search(clause):
                who = "some"
            found += [(order, who) for _, order in sorted(_orders(clause, patterns))]
    orders = [(_IMPLIED.get(order, order), who) for order, who in found if not _on_the_way_out(order, who, found)]
    everybody, some, later = (
        frozenset(order for order, told in orders if told == who) for who in ("everybody", "some", "later")
    )
    first = next((order for order, who in orders if order in MOVING and who != "later"), "")
    return Told(everybody, (some | later) - everybody, first, later - some - everybody)


def _on_the_way_out(order: str, who: str, found: Sequence[tuple[str, str]]) -> bool:
    """Whether it says no more than how to leave: whoever shuts the windows and leaves does not stay in."""
    return order in _IMPLIED and any((away, who) in found for away in ("leave", "go_to_place"))


def _clauses(sentence: str, patterns: _Patterns) -> Iterator[str]:
    start = 0
    for end in patterns.ends.finditer(sentence):
        yield sentence[start : end.start()]
        start = end.end()
    yield sentence[start:]


def _orders(clause: str, patterns: _Patterns) -> Iterator[tuple[int, str]]:
    """Where each begins, and what it is."""
    for name, words in patterns.orders.items():
        for found in words.finditer(clause):
            start, end = found.span()
            before, rest, after = (
                clause[max(0, start - NEAR) : start],
                clause[start : start + NEAR],
                clause[end : end + NEAR],
            )
            if meant := _meant(name, before, rest, after, patterns):
                yield found.start(), meant


def _meant(name: str, before: str, here: str, after: str, patterns: _Patterns) -> str:
    """What the words around an order make of it; empty where it is none."""
    moves = name in MOVING or name in _IMPLIED
    if moves and (patterns.mentioned.search(before) or patterns.mentioned_after.match(after)):
        return ""
    if patterns.needless.search(before):
        return "none" if name in MOVING else ""
    if patterns.denied.search(before) and not patterns.urged.search(before):
        return "" if patterns.manner.search(here) else patterns.denied_is.get(name, "")
    if patterns.ready.search(before):
        return "prepare"
    return name if name in NAMES or name in _IMPLIED else ""


def apart(one: str, other: str) -> bool:
    """Whether nobody can follow both."""
    return frozenset((one, other)) in _APART or ("none" in (one, other) and bool({one, other} & MOVING))


def contradiction(ours: Told, theirs: Told) -> tuple[str, str] | None:
    """An instruction of ours and the one of theirs that it contradicts; None where whoever follows one follows the other.

    What one tells everybody must not be the opposite of what the other tells anybody, unless the other tells some that too and
    ours tells the rest the rest. What people may be told later is the opposite of nothing they are told now.
    """
    for one, other, turned in ((ours, theirs, False), (theirs, ours, True)):
        for order in sorted(one.everybody):
            for against in sorted(other.anybody - other.later):
                if apart(order, against) and not one.anybody & _alike(against):
                    return (against, order) if turned else (order, against)
    return None


def dropped(ours: Told, theirs: Told) -> str:
    """Where people are to be by theirs, which ours does not say; where theirs sends nobody anywhere, what they are to keep from
    or to boil. Empty where nothing is missing."""
    for order in sorted(theirs.where):
        if not ours.anybody & _alike(order):
            return order
    forbidden = theirs.anybody & _FORBIDDEN
    if forbidden and not theirs.anybody & MOVING and not ours.anybody & (forbidden | MOVING):
        return min(forbidden)
    return ""


def _alike(order: str) -> frozenset[str]:
    """What says the same, or more of it, about where people are to be."""
    if order in ("leave", "go_to_place"):
        return frozenset(("leave", "go_to_place"))
    return frozenset(("stay_in", "go_up")) if order == "stay_in" else frozenset((order,))


_OF_ASKED = {
    "evacuate": "leave", "shelter_in": "stay_in", "avoid": "avoid", "prepare": "prepare", "monitor": "monitor",
    "none": "none", "check_on": "check_on",
}  # fmt: skip


def instruction_of(asked: str, told: Told | None) -> str:
    """The one instruction an alert gives: what it asks by its code, said more closely by its words.

    `leave_or_stay` where its words tell some to leave and the others to stay. Empty where it asks nothing by a code, and where
    its words tell people to be somewhere that its code does not: then only its own words are right.
    """
    named = _OF_ASKED.get(asked, "")
    if asked == "execute" and told is not None and "boil" in told.anybody:
        return "boil"
    if not named or told is None:
        return named
    moving = (told.anybody - told.later) & MOVING
    if not moving:
        return "boil" if named in ("avoid", "monitor") and "boil" in told.anybody else named
    if any(apart(one, other) for one in moving for other in moving):
        if named in moving and named in told.everybody:
            return named
        to_some = named in ("leave", "stay_in") and not told.everybody & {"leave", "go_to_place"}
        return BOTH if to_some else ""
    if named == "leave":
        return "leave" if moving & {"leave", "go_to_place"} else "go_up" if moving == {"go_up"} else ""
    if named == "stay_in":
        return told.first if moving <= {"go_up", "stay_in"} else ""
    return ""


def shown_at(tier: Tier, instruction: str) -> str:
    """What a drawing or a film may tell whoever sees it. Below red, where to be is told to some alone (the slow ones go now), as
    where some leave and others stay, and neither can say to whom: then nothing is."""
    return "" if instruction == BOTH or (instruction in MOVING and tier < Tier.RED) else instruction


def against_asked(asked: str, told: Told | None) -> str:
    """What the words tell everybody that is the opposite of what is asked by a code; empty for nothing."""
    return against_chosen(_OF_ASKED.get(asked, ""), told)


def against_chosen(named: str, told: Told | None) -> str:
    """The same of an instruction of ours."""
    if told is None or named not in MOVING or told.anybody & _alike(named):
        return ""
    return next((order for order in sorted(told.everybody) if apart(named, order)), "")


@dataclass(frozen=True)
class Contradiction:
    """Two languages of a warning that tell people to do what cannot both be done."""

    languages: tuple[str, str]
    orders: tuple[str, str]


def of_texts(asked: str, actions: Mapping[str, str]) -> tuple[str, Contradiction | None]:
    """The one instruction a warning gives in all its languages (tag > what to do), and where two of them contradict each other.

    Where they do there is no one instruction: nobody but its author knows which of the two is right.
    """
    told = {tag: found for tag, words in actions.items() if (found := told_in(words, tag)) is not None}
    tags = list(told)
    for n, one in enumerate(tags):
        for other in tags[n + 1 :]:
            if orders := contradiction(told[one], told[other]):
                return "", Contradiction((one, other), orders)
    now = frozenset[str]().union(*(one.anybody - one.later for one in told.values()))
    every = Told(
        frozenset().union(*(one.everybody for one in told.values())),
        frozenset().union(*(one.anybody for one in told.values())),
        next((one.first for one in told.values() if one.first), ""),
        frozenset[str]().union(*(one.later for one in told.values())) - now,
    )
    return instruction_of(asked, every if told else None), None
