"""Reads what an officer shows at a door, from `phrases.yaml` of each language: short sentences, one thing each.

They are shown beside drawings to who does not hear, speak or read our language. A draft is shown too, and marked: at a door an
officer sees at once whether it was understood, which nobody sees of a text message.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from babel import Locale

from services.shared import i18n
from services.shared.draft_languages import STATES
from services.shared.i18n import in_each_language
from services.shared.people.languages import base_of
from services.shared.text.chinese import is_traditional, traditional

FILE = "phrases.yaml"
ANSWERS = ("yes", "no", "help")
PHRASES = ("danger", "come", "stay", "walk", "medicine", "others", "wait", "write")


@cache
def _of(folder: Path) -> dict[str, dict[str, str]]:
    return {base_of(tag): own for tag, own in in_each_language(FILE).items()}


def tags() -> tuple[str, ...]:
    """The languages there are phrases in."""
    return tuple(_of(i18n.FOLDER))


def named() -> list[tuple[str, str]]:
    """Each language there are phrases in, with its own name for itself."""
    return [(tag, Locale.parse(tag).get_display_name(tag) or tag) for tag in tags()]


def phrases_of(language: str) -> Mapping[str, str]:
    """The phrases in a language and its script, or in English."""
    found = _of(i18n.FOLDER).get(base_of(language)) or _of(i18n.FOLDER)["en"]
    return {key: traditional(text) for key, text in found.items()} if is_traditional(language) else found


def findings() -> Iterator[str]:
    """What is wrong with them: one that is missing or not known, or a state that is none."""
    wanted = {"state", *ANSWERS, *PHRASES}
    for language, own in _of(i18n.FOLDER).items():
        yield from (f"{language}/{FILE}: {key} is missing or not known" for key in sorted(wanted ^ own.keys()))
        if own.get("state") not in STATES:
            yield f"{language}/{FILE}: state: use {', '.join(STATES)}"
