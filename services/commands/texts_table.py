"""Lays out every text of every hazard for the people who read them: instruction by form by language, with its segments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from services.channels.messages import hazard_texts
from services.channels.messages.phrases import LINES, OR_READY, Lines, answered_as, of_instruction
from services.channels.messages.segments import Segments, segments
from services.shared.hazards import name_of
from services.shared.hazards.instructions import NAMES
from services.shared.i18n import language, mark, t
from services.shared.tiers import NAMES as TIER_NAMES
from services.shared.tiers import Tier
from services.shared.web.html import rendered

_STATES = {
    "draft": mark("draft: nobody has checked it"), "translated": mark("translated, not checked"), "checked": mark("checked"),
}  # fmt: skip


class TextCell(NamedTuple):
    """A text in one language; `counted` for what may go out by SMS."""

    tag: str
    text: str
    counted: Segments | None


class TextRow(NamedTuple):
    """What the texts of a row are, and one a language; None where there is none."""

    what: tuple[str, ...]
    cells: tuple[TextCell | None, ...]


def as_page(languages: list[str]) -> str:
    """A page to print: a table a hazard, then answers and endings; a box beside each row for whoever has read it to sign."""
    sections = [(title, there, list(rows)) for title, there, rows in _sections(languages)]
    return rendered("texts_table.html", sections=sections)


def of_hazard(hazard: str) -> str:
    """The texts of one hazard as a table, to stand on another page; empty where it has none."""
    words = hazard_texts.shipped().get(hazard)
    if words is None:
        return ""
    there = [one for one in words.languages if one != hazard_texts.TRADITIONAL and words.usable(one)]
    return rendered("texts_rows.html", there=_headed(there, words.state), rows=list(_of_hazard(words, there)))


def _headed(languages: list[str], state: Callable[[str], str]) -> list[str]:
    """Each language with how far its texts were checked."""
    return [f"{one} ({t(_STATES[state(one)])})" for one in languages]


def _sections(languages: list[str]) -> Iterator[tuple[str, list[str], Iterator[TextRow]]]:
    for hazard, words in hazard_texts.shipped().items():
        there = [one for one in languages if one in words.languages]
        yield name_of(hazard, language()), _headed(there, words.state), _of_hazard(words, there)
    there = [one for one in languages if one in LINES]
    rows = _of_lines([(one, LINES[one]) for one in there])
    yield t("Answers and endings"), _headed(there, lambda one: LINES[one].state), rows


def _of_hazard(words: hazard_texts.WordSet, languages: list[str]) -> Iterator[TextRow]:
    cells = {cell for one in languages for cell in words.languages[one].cells()}
    for tier, instruction in sorted(cells, key=lambda cell: (-cell[0], cell[1])):
        for form in hazard_texts.FORMS:
            what = (t(TIER_NAMES[tier]), t(NAMES[instruction]), form)
            yield TextRow(what, tuple(_cell(words, one, tier, instruction, form) for one in languages))


def _cell(words: hazard_texts.WordSet, tag: str, tier: Tier, instruction: str, form: str) -> TextCell | None:
    if words.languages[tag].of(tier, instruction) is None:
        return None
    text = hazard_texts.compose(words, tag, tier, instruction, form, hazard_texts.model_of(tag))
    return TextCell(tag, text, segments(text) if form in hazard_texts.BY_SMS else None)


_OF_LINES = ((mark("Menu"), "menus"), (mark("Keys"), "keys"), (mark("Thanks"), "doing"))


def _of_lines(languages: list[tuple[str, Lines]]) -> Iterator[TextRow]:
    for instruction, name in NAMES.items():
        for title, of in _OF_LINES:
            yield TextRow((t(name), t(title)), tuple(_line(tag, lines, of, instruction) for tag, lines in languages))
        for kind in LINES["en"].endings:
            yield TextRow((t(name), kind), tuple(_line(tag, lines, kind, instruction) for tag, lines in languages))


def _line(tag: str, lines: Lines, of: str, instruction: str) -> TextCell:
    if of == "menus":
        return TextCell(tag, " / ".join(filter(None, of_instruction(lines.menus, instruction).values())), None)
    rows = {"keys": lines.keys, "doing": lines.doing}.get(of) or lines.endings[of]
    below = [rows[OR_READY]] if of in ("keys", "doing") and answered_as(instruction, Tier.ORANGE) == OR_READY else []
    return TextCell(tag, " / ".join([*below, of_instruction(rows, instruction)]), None)
