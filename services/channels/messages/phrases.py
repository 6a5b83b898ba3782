"""Reads our own sentences from `lines.yaml` of each language: menus, endings, texts to helpers and officers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from services.shared import draft_languages
from services.shared.draft_languages import STATES
from services.shared.endings import PART_RETURNS
from services.shared.errors import Refused
from services.shared.hazards.instructions import INSTRUCTIONS
from services.shared.i18n import in_each_language
from services.shared.people.languages import base_of
from services.shared.tiers import Tier


@dataclass(frozen=True)
class Lines:
    """One language. Patterns take source, tier, hazard, place, who, where, ref, number, link, time, hotline, action."""

    state: str  # draft, translated, checked
    this_is: str
    drill: str  # before everything else in a drill
    number: str
    whole: str  # {source} {tier} {hazard} {place} {action} {time} {number} {menu}, in the order of every message
    menus: dict[str, dict[Tier, str]]  # instruction > what can be answered; `other` for what is not named
    house: dict[str, str]  # menu_ and keys_, for whoever is on duty in a house of many: leave, stay, up, other
    longer: str  # instead of a sentence that no message holds
    places_more: str  # {some} of a long list, {rest} more of {all}
    keys: dict[str, str]  # the same for a telephone's keys, and `leave_or_ready` below red
    answer_here: str
    check: str
    not_yours: str  # below an e-mail or a chat message, which may have come to a stranger
    supporter: str
    supporter_inside: str  # to a supporter who is in the danger area too: told, never sent
    supporter_home: str  # to one who lives with the person, where people are asked to leave
    supporter_home_stay: str  # the same, where they are asked anything else
    supporter_phone: str  # to one outside where nobody may go to the door
    officer: str
    officer_phone: str  # where nobody may go to the door; {safe} is of `safe`
    official: str  # a call that must be answered, to whoever is responsible for a grid
    official_phone: str
    superior: str
    superior_phone: str
    safe: dict[str, str]  # by instruction, else `other`
    callout: str  # to a volunteer with a {skill}
    callout_video: str
    skills: dict[str, str]
    endings: dict[str, dict[str, str]]  # kind > instruction of what is ended > text
    notices: dict[str, str]
    extras: dict[str, str]  # what a form adds: transport, battery, headcount, time
    one_way: str
    doing: dict[str, str]  # instruction > thanks for answer 1, and `leave_or_ready` below red
    thanks: dict[str, str]
    ask_how_many: str
    ask_which: str
    not_understood: str
    which_yes: str
    read_by_person: str
    team: dict[str, str]  # here, back, cannot > thanks to a team at doors; {time} of the next sign
    count_noted: str
    stopped: str  # to somebody to whose door officers go
    stopped_no_door: str  # to everybody else
    started: str


_TO_HELPERS = (
    "supporter", "supporter_inside", "supporter_home", "supporter_home_stay", "supporter_phone", "officer", "officer_phone",
    "official", "official_phone", "superior", "superior_phone", "callout", "callout_video",
)  # fmt: skip
_NOT_A_DRILL = re.compile(r"not a drill|不是演[练习]", re.IGNORECASE)
FILE = "lines.yaml"


def _lines(tag: str, data: dict[str, Any]) -> Lines:
    if missing := [field.name for field in fields(Lines) if field.name not in data]:
        raise Refused(
            f"{tag}/{FILE}: {missing[0]} is missing: a language has all sentences or no such file",
            rule="words",
            given=tag,
        )
    found = {field.name: data[field.name] for field in fields(Lines)}
    found["menus"] = {
        instruction: {Tier.of(word): text for word, text in row.items()} for instruction, row in data["menus"].items()
    }
    return Lines(**found)


T = TypeVar("T")
OR_READY = "leave_or_ready"


def answered_as(instruction: str, tier: int) -> str:
    """The row of keys and thanks for answer 1. Below red the slow ones leave and the others get ready: it is for both."""
    return OR_READY if instruction in ("leave", "go_to_place") and tier < Tier.RED else instruction


def of_instruction(rows: Mapping[str, T], instruction: str) -> T:
    """The row of an instruction, or the one for all that are not named."""
    return rows.get(instruction, rows["other"])


_SAID_AS = {PART_RETURNS: "may_return"}  # with the part's name for its place


def ending_rows(lines: Lines, kind: str) -> Mapping[str, str]:
    """How an ending of this kind is said, by instruction of what is ended; `not_for_you` where it is none."""
    return lines.endings.get(_SAID_AS.get(kind, kind), lines.endings["not_for_you"])


LINES = {base_of(tag): _lines(tag, data) for tag, data in in_each_language(FILE).items()}


def in_use() -> tuple[str, ...]:
    """The languages whose sentences people may be told: of drafts those the operator has named."""
    return tuple(language for language, lines in LINES.items() if draft_languages.usable(language, lines.state))


def findings() -> Iterator[str]:
    """What is wrong with these sentences; nothing where they may be used."""
    english = LINES["en"]
    for language, lines in LINES.items():
        if lines.state not in STATES:
            yield f"lines.yaml, {language}: state: use {', '.join(STATES)}"
        for name in ("menus", "keys", "doing", "endings", "notices", "thanks", "extras", "skills", "safe", "house"):
            for key in sorted(getattr(english, name).keys() ^ getattr(lines, name).keys()):
                yield f"lines.yaml, {language}, {name}: {key} is not in every language; add it"
        for name in _TO_HELPERS:
            text = getattr(lines, name)
            if _NOT_A_DRILL.search(text):
                yield f"lines.yaml, {language}, {name}: says that it is no drill; take it out"
            if "http" in text:
                yield f"lines.yaml, {language}, {name}: holds a link; write {{link}}, which a channel may leave out"
            for part in ("{source}", "{number}"):
                if part not in text:
                    yield f"lines.yaml, {language}, {name}: {part} is missing: nobody knows whose message it is"
        for name in ("menus", "keys", "doing", *lines.endings):
            rows: Mapping[str, object] = lines.endings[name] if name in lines.endings else getattr(lines, name)
            if "other" not in rows:
                yield f"lines.yaml, {language}, {name}: add other: what is said for every instruction that is not named"
            known = {*INSTRUCTIONS, "other"} | ({OR_READY} if name in ("keys", "doing") else set())
            for key in sorted(rows.keys() - known):
                yield f"lines.yaml, {language}, {name}: {key} is no instruction; use {', '.join(INSTRUCTIONS)}"
        for kind, texts in lines.endings.items():
            for instruction, text in texts.items():
                where = f"lines.yaml, {language}, endings, {kind}, {instruction}"
                if "{source}" not in text or _NOT_A_DRILL.search(text):
                    yield f"{where}: begin with {{source}}, and do not speak of drills"
                if kind == "danger_lower_stay_away" and re.search("may go home|可以回家|may go out|可以出门", text):
                    yield f"{where}: sends people home; people have died returning"
                if kind == "checking" and "{next}" not in text:
                    yield f"{where}: say when the next word comes: {{next}}"
