"""Finds an alert's hazard and what it asks of people: by codes, then by words of the hazards' files.

What fits none (an avalanche, volcanic ash, fog) is `unknown`, which asks the commander: a near miss could send
people out into the wrong thing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from services.gateway.cap.model import Info
from services.shared import hazards
from services.shared.hazards import UNKNOWN, known

OUR_CODE = "tocsin:hazard"
"""An event code whose values are our own hazards: what was written here says which one it is about."""


@dataclass(frozen=True)
class _Marks:
    """Of all hazards: code, number or group > hazard, and the words of each; in the order of the hazards."""

    codes: Mapping[str, str]
    awareness: Mapping[str, str]
    groups: Mapping[str, str]
    words: Mapping[str, re.Pattern[str]]


@cache
def _marks(folder: Path) -> _Marks:
    files = {name: hazard.alerts for name, hazard in known().items()}
    words = {}
    for name, alerts in files.items():
        stems = (re.escape(word.strip()) + (r"\b" if word.endswith(" ") else "") for word in alerts.words)
        parts = [rf"\b(?:{'|'.join(stems)})"] if alerts.words else []
        if parts := [*parts, *map(re.escape, alerts.within)]:
            words[name] = re.compile("|".join(parts), re.IGNORECASE)
    return _Marks(
        {code.casefold(): name for name, alerts in files.items() for code in (*alerts.same, *alerts.event_codes)},
        {number: name for name, alerts in files.items() for number in alerts.awareness_types},
        {group: name for name, alerts in files.items() for group in alerts.groups},
        words,
    )


def _all() -> _Marks:
    return _marks(hazards.FOLDER)


def hazard_of(infos: Iterable[Info]) -> str:
    """By event code, else by the event's words, else by the headline's."""
    infos = tuple(infos)
    for named in (
        [_by_code(pair) for info in infos for pair in (*info.event_code, *info.parameter)],
        [_by_words(info.event) for info in infos],
        [_by_words(info.headline) for info in infos],
    ):
        found = set(filter(None, named))
        for hazard in known():
            if hazard in found:
                return hazard
    return UNKNOWN


def _by_code(pair: tuple[str, str]) -> str | None:
    name, value = pair
    if name == OUR_CODE:
        return value if value in known() else None
    if name == "awareness_type":
        return _all().awareness.get(value.split(";")[0].strip())
    if name == "GROUP":
        return _all().groups.get(value)
    if name == "SAME" or "event" in name.casefold():
        return _all().codes.get(value.casefold())
    return None


def _by_words(text: str) -> str | None:
    return next((hazard for hazard, words in _all().words.items() if words.search(text)), None)


_ASKED = {
    "Evacuate": "evacuate", "Shelter": "shelter_in", "Execute": "execute", "Avoid": "avoid", "Prepare": "prepare",
    "Monitor": "monitor", "Assess": "assess", "AllClear": "all_clear", "None": "none",
}  # fmt: skip
"""CAP's response types in our words, in the order in which one goes before another."""


def asked_of(infos: Iterable[Info]) -> str:
    """What the alert itself asks. Empty where it names no response, as_told where it asks both for leaving and for
    staying."""
    named = {word for info in infos for word in info.response_type}
    if {"Evacuate", "Shelter"} <= named:
        return "as_told"
    return next((ours for word, ours in _ASKED.items() if word in named), "")


def respond_of(infos: Iterable[Info], hazard: str) -> str:
    """evacuate, shelter_in, check_on or as_told: what paths reckon with. Never said to anybody: see `asked_of`.

    An alert that names another response moves nobody; only where it names none does the hazard say what people do.
    """
    asked = asked_of(infos)
    if asked in ("evacuate", "shelter_in", "as_told"):
        return asked
    guessed = known()[hazard].rule.respond
    return "as_told" if asked and guessed in ("evacuate", "shelter_in") else guessed
