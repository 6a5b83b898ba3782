"""Writes what stands around an authority's words, in one language from the first sign to the last. Pure.

English and Chinese (in either script), and every language whose drafts the operator has named, have sentences of our own for
everything. Some others have a frame (`frame.yaml` of their folder): how to answer, whom to call. The rest have none, and then
nothing but the authority's words, figures and the number to call goes out: an English menu under a text in Thai is read by
nobody who needs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from services.channels.messages.phrases import LINES, Lines, in_use, of_instruction
from services.shared import i18n
from services.shared.draft_languages import STATES
from services.shared.i18n import in_each_language
from services.shared.people import languages
from services.shared.people.languages import base_of
from services.shared.text.chinese import is_traditional, traditional
from services.shared.tiers import Tier

FILE = "frame.yaml"
_WHOLE = "{source}: {hazard}. {place}. {action} {time} {number}. {menu}"


@dataclass(frozen=True)
class Frame:
    """One language. Patterns take {hotline}; `whole` takes source, tier, hazard, place, action, time, number, menu."""

    drill: str
    this_is: str
    number: str
    whole: str
    menus: Mapping[str, Mapping[Tier, str]]  # by instruction, as in `phrases`
    keys: Mapping[str, str]
    call: str  # instead of a menu, where nothing can be answered
    check: str
    answer_here: str  # before a link
    not_yours: str
    longer: str
    places_more: str
    extras: Mapping[str, str]

    def menu(self, tier: Tier, instruction: str) -> str:
        """How to answer; nothing where no answer is wanted. What is offered is what people are told to do."""
        return of_instruction(self.menus, instruction)[tier]


def language_of_lines(language: str) -> str:
    """In which language our own sentences are said to a reader of these."""
    return languages.first_of(language, in_use()) or "en"


def lines_for(language: str) -> Lines:
    """Our own sentences in the first of these languages we have, in its script, or English."""
    base = language_of_lines(language)
    tag = next((tag for tag in languages.in_order(language) if base_of(tag) == base), base)
    return _traditional_lines() if base == "zh" and is_traditional(tag) else LINES[base]


def lines_in(language: str) -> Lines:
    """Our own sentences of this very language, drafts too, for what is put together to be read and judged; LookupError where it
    has none."""
    return _traditional_lines() if is_traditional(language) else LINES[base_of(language)]


def frame_for(language: str) -> Frame:
    """The frame of a language; of one we have no word of, an empty one.

    A draft of a frame is used without being named: it stands around words that an authority has written in that language itself,
    tells nobody what to do about the danger, and without it nobody who reads that language is told how to answer.
    """
    if base_of(language) in in_use():
        return _whole(language)
    return _few(i18n.FOLDER, base_of(language))


@cache
def _whole(language: str) -> Frame:
    return _of_lines(lines_for(language))


@cache
def _few(folder: Path, base: str) -> Frame:
    own = _own_sentences(folder).get(base, {})
    help_, answers = own.get("help", ""), own.get("answers", "")
    menus = {Tier.BLUE: "", Tier.YELLOW: help_, Tier.ORANGE: answers, Tier.RED: answers}
    return Frame(
        drill=own.get("drill", "DRILL."), this_is=own.get("this_is", ""), number=own.get("number", ""), whole=_WHOLE,
        menus={"other": menus}, keys={"other": own.get("keys", "")}, call=own.get("call", "Tel. {hotline}."),
        check=own.get("check", "Tel."), answer_here="", not_yours="", longer=own.get("longer", "Tel. {hotline}."),
        places_more="{some} (+{rest})", extras={},
    )  # fmt: skip


def state_of(language: str) -> str:
    """How far the sentences around a text of this language were checked; empty where there are none."""
    base = base_of(language)
    return LINES[base].state if base in in_use() else str(own_sentences().get(base, {}).get("state", ""))


def findings() -> list[str]:
    """What is wrong with the frames; nothing where they may be used."""
    wanted = {"state", "drill", "this_is", "number", "help", "answers", "keys", "call", "check", "longer"}
    found = []
    for language, own in own_sentences().items():
        found += [f"{language}/{FILE}: {key} is missing or not known" for key in sorted(wanted ^ own.keys())]
        if own.get("state") not in STATES:
            found.append(f"{language}/{FILE}: state: use {', '.join(STATES)}")
    return found


def own_sentences() -> dict[str, dict[str, str]]:
    """What `frame.yaml` says, by language."""
    return _own_sentences(i18n.FOLDER)


@cache
def _own_sentences(folder: Path) -> dict[str, dict[str, str]]:
    return {base_of(tag): own for tag, own in in_each_language(FILE).items()}


def _of_lines(lines: Lines) -> Frame:
    return Frame(
        drill=lines.drill, this_is=lines.this_is, number=lines.number, whole=lines.whole, menus=lines.menus,
        keys=lines.keys, call=lines.one_way, check=lines.check,
        answer_here=lines.answer_here, not_yours=lines.not_yours, longer=lines.longer, places_more=lines.places_more,
        extras=lines.extras,
    )  # fmt: skip


@cache
def _traditional_lines() -> Lines:
    simple = LINES["zh"]
    return replace(simple, **{one.name: in_traditional(getattr(simple, one.name)) for one in fields(Lines)})


def in_traditional(value: Any) -> Any:
    """Every text within a value in the traditional script; names of mappings stay as they are."""
    if isinstance(value, dict):
        return {key: in_traditional(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [in_traditional(one) for one in value]
    return traditional(value) if isinstance(value, str) else value
