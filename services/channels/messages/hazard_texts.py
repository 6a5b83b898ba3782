"""Reads a hazard's texts by language, tier, instruction and form, and puts a message together from them.

A set is `locale/<tag>/hazards/<hazard>.yaml` of each language: tier > instruction > headline, plain, short, easy. How the parts
stand in a form is said by `forms.yaml` of the language. A text is there for the one instruction it gives: another instruction of
the same hazard is another text, or none. Every language has a state: draft, translated, checked (by readers it is for). Nobody
is ever told to go to a place that was not confirmed open: {to} is that place, or "to high ground", "away from the slope".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from services.channels.messages.frames import in_traditional, lines_in
from services.channels.messages.phrases import LINES, in_use, of_instruction
from services.shared import draft_languages, i18n
from services.shared.errors import Refused
from services.shared.hazards.instructions import INSTRUCTIONS, told_in
from services.shared.input.fields import OneOf
from services.shared.input.files import Entry, open_file, wrong
from services.shared.people.languages import base_of
from services.shared.text.chinese import is_traditional
from services.shared.text.sentences import sentences
from services.shared.tiers import TIER_WORDS, Tier

FILE = "forms.yaml"
TRADITIONAL = "zh-Hant"
FORMS = ("plain", "short", "braille", "easy", "spoken", "card", "crawl")
BY_SMS = ("plain", "short", "braille", "easy")
TEXT_KEYS = ("headline", "plain", "short", "easy")


class InstructionText(Entry):
    """What is said for an instruction at a tier, in each form."""

    headline: str
    plain: str
    short: str
    easy: str
    name: str = Field("", description="In place of the hazard's, where that would frighten: a smell, not poison gas.")
    easy_name: str = Field("", description="Likewise, for easy read.")


class Due(Entry):
    """How the time of the danger is said."""

    start: str = Field(alias="from")
    by: str


class Texts(Entry):
    """A hazard's sentences in one language; {to} is a place somebody confirmed open, or `away`."""

    state: Literal["draft", "translated", "checked"]
    checked_by: str = ""
    checked_on: str = ""
    name: str
    easy_name: str = Field(description="What it is, for easy read; never that it is dangerous: the form says so.")
    about: tuple[str, ...] = Field(
        description="One of these stands in the warning's own word for the hazard, or no text is used.", min_length=1
    )
    due: Due | None = Field(None, description="Left out where nobody can know an hour: an earthquake, a landslide.")
    to: str = ""
    away: str = ""
    texts: dict[Annotated[str, OneOf(TIER_WORDS)], dict[Annotated[str, OneOf(INSTRUCTIONS)], InstructionText]] = Field(
        description="Tier > instruction > text."
    )

    def of(self, tier: Tier, instruction: str) -> InstructionText | None:
        """The text for an instruction at a tier; None where there is none."""
        return self.texts.get(tier.word, {}).get(instruction)

    def cells(self) -> list[tuple[Tier, str]]:
        """Each tier and instruction there is a text for."""
        return [(Tier.of(tier), instruction) for tier, row in self.texts.items() for instruction in row]

    @field_validator("about")
    @classmethod
    def _lower(cls, about: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(word.lower() for word in about)

    @model_validator(mode="after")
    def _by_whom(self) -> Self:
        if self.state == "checked" and not (self.checked_by and self.checked_on):
            wrong("who has checked it, and when? add checked_by and checked_on", "required", at=("state",))
        return self


@dataclass(frozen=True)
class Parts:
    """What a warning puts into a set's sentences. Times are local, as said: "01:00", "Sent Tue 22:40."

    `place_to` is where people may go; it is named only where `place_open` says that somebody confirmed it open.
    """

    source: str
    place: str
    number: str
    hotline: str
    sent: str = ""
    impact: str = ""
    short_source: str = ""
    short_place: str = ""
    easy_place: str = ""
    place_to: str = ""
    place_open: bool = False
    one_way: bool = False  # the channel takes no reply: a number to call stands in for the answers


@dataclass(frozen=True)
class WordSet:
    """One hazard's texts, by the base of each language; `zh-Hant` is `zh` in the other script."""

    hazard: str
    languages: Mapping[str, Texts]

    def fits(self, language: str, named: str, tier: Tier, instruction: str) -> bool:
        """Whether there is a text of that language about what the warning itself `named`, for that tier and instruction: a cold
        wave is not told in the words of heat, "go upstairs" not in those of leaving."""
        texts = self.languages.get(language)
        if texts is None or not self.usable(language) or texts.of(tier, instruction) is None:
            return False
        return any(word in named.lower() for word in texts.about)

    def usable(self, language: str) -> bool:
        """Whether people may be told in it: neither these texts nor the sentences around them are a draft nobody has named."""
        return base_of(language) in in_use() and draft_languages.usable(language, self.state(language))

    def state(self, language: str) -> str:
        return self.languages[language].state


@cache
def forms() -> Mapping[str, Any]:
    """How the parts stand in each form, by language."""
    found = {base_of(tag): rules for tag, rules in i18n.in_each_language(FILE).items()}
    return found | {TRADITIONAL: in_traditional(found["zh"])}


def read_ahead() -> None:
    """Reads what the first message of a process would else wait for: texts, forms, and what orders are known by."""
    shipped()
    told_in("", "en")


def shipped() -> dict[str, WordSet]:
    """The sets there are, by hazard."""
    return _sets(i18n.FOLDER)


@cache
def _sets(folder: Path) -> dict[str, WordSet]:
    found: dict[str, dict[str, Texts]] = {}
    for file in sorted(folder.glob("*/hazards/*.yaml")):
        found.setdefault(file.stem, {})[base_of(file.parent.parent.name)] = load(file)
    for languages in found.values():
        if "zh" in languages:
            languages[TRADITIONAL] = Texts.model_validate(in_traditional(languages["zh"].model_dump(by_alias=True)))
    return {name: WordSet(name, languages) for name, languages in sorted(found.items())}


def language_of(tag: str) -> str:
    """Under which language a reader of this tag has texts."""
    return TRADITIONAL if is_traditional(tag) else base_of(tag)


def load(file: Path) -> Texts:
    """A hazard's texts in one language, out of `<tag>/hazards/<hazard>.yaml`; Refused where a part is missing or not known."""
    language = base_of(file.parent.parent.name)
    if language not in forms():
        raise Refused(
            f"{file.name}: forms.yaml does not say how the parts stand in {language}; add the language there",
            rule="words", given=language,
        )  # fmt: skip
    if language not in LINES:
        raise Refused(
            f"{file.name}: {language} has no lines.yaml, which says how people answer; add it to the language's folder",
            rule="words", given=language,
        )  # fmt: skip
    return open_file("", file).read(Texts)


def destination(words: WordSet, language: str, parts: Parts, *, must: bool = False) -> str:
    """Where people are told to go: a place that is confirmed open, else away from the danger.

    `must`: Refused where the place was not confirmed, for whoever writes a text by hand and names it.
    """
    lang = words.languages[language]
    if parts.place_to and parts.place_open and lang.to:
        return lang.to.format(name=parts.place_to)
    if must and parts.place_to:
        raise Refused(
            f"{parts.place_to} is not confirmed open: have somebody confirm it, or leave it out", field="place_to",
            rule="go to a place only if it is open", given=parts.place_to,
        )  # fmt: skip
    return lang.away


def action_of(words: WordSet, language: str, tier: Tier, instruction: str, form: str, parts: Parts) -> str:
    """What a text tells people to do, without what stands around it. KeyError as in `compose`."""
    said = words.languages[language].texts[tier.word][instruction]
    asked = {"short": said.short, "braille": said.short, "easy": said.easy}.get(form, said.plain)
    return asked.format(to=destination(words, language, parts))


def compose(words: WordSet, language: str, tier: Tier, instruction: str, form: str, parts: Parts) -> str:
    """One message of a set, whole; as long as it is. KeyError where the set has no such text: see `WordSet.fits`."""
    lang, rules = words.languages[language], forms()[language]
    said = lang.texts[tier.word][instruction]
    action = action_of(words, language, tier, instruction, form, parts)
    due = ""
    if parts.impact and tier > Tier.BLUE and lang.due is not None:
        due = (lang.due.by if tier == Tier.RED else lang.due.start).format(impact=parts.impact)
    text = str(rules[form]["text"]).format(
        source=parts.source,
        short_source=parts.short_source or parts.source,
        colour=rules["colours"][tier.word],
        alert=rules["alerts"][tier.word],
        title=_of_instruction(rules["titles"], instruction, tier),
        headline=said.headline,
        Headline=said.headline[:1].upper() + said.headline[1:],
        name=said.name or lang.name,
        easy_name=said.easy_name or lang.easy_name,
        place=parts.place,
        short_place=parts.short_place or parts.place,
        easy_place=parts.easy_place or parts.short_place or parts.place,
        action=action,
        lines="\n".join(sentences(action)),
        due=due,
        sent=parts.sent,
        menu=_menu(language, instruction, tier, form, parts),
        number=parts.number,
        hotline=parts.hotline,
    )
    if form == "card":
        return "\n".join(line.strip() for line in text.splitlines() if line.strip())
    return re.sub(r" +([.。])", r"\1", " ".join(text.split()))


def tier_word(language: str, tier: Tier) -> str:
    """How urgent it is, "Alerta roja", where people may be told in that language and its `forms.yaml` has a word for it; else
    empty: then the authority's own words stand alone."""
    rules = forms().get(base_of(language), {})
    if base_of(language) not in in_use() or "tier" not in rules:
        return ""
    return str(rules["tier"]).format(colour=rules["colours"][tier.word])


def _of_instruction(rows: Mapping[str, Mapping[str, str]], instruction: str, tier: Tier) -> str:
    """A row of `forms.yaml` for an instruction, or the one for all others."""
    return str(rows.get(instruction, rows["other"])[tier.word])


def _menu(language: str, instruction: str, tier: Tier, form: str, parts: Parts) -> str:
    if tier == Tier.BLUE or form in ("spoken", "crawl"):
        return ""
    rules, lines = forms()[language], lines_in(language)
    if parts.one_way:
        return lines.one_way.format(hotline=parts.hotline)
    own = rules["menus"].get("short" if form == "braille" else form)
    if own is not None:
        return _of_instruction(own, instruction, tier)
    return of_instruction(lines.menus, instruction)[tier]


def limit(language: str, tier: Tier, form: str) -> int:
    """How many segments a form may take in a language; 0 for no limit."""
    rule = forms()[language][form]
    return int(rule.get("blue_limit", rule["limit"]) if tier == Tier.BLUE else rule["limit"])


# the values of the model texts, so that lengths can be judged before there is a warning
MODEL = {
    "en": Parts(
        "Qingshui County Emergency Office", "Nanling: Hedong and Xiawan", "4721", "12345", "Sent Tue 22:40.", "01:00",
        "Qingshui County", "Hedong, Xiawan", "Hedong and Xiawan", "Nanling School", True,
    ),
    "zh": Parts(
        "清水县应急局", "南岭镇河东、下湾", "4721", "12345", "9日22:40发,", "1时", "", "河东、下湾", "河东村、下湾村",
        "南岭学校", True,
    ),
}  # fmt: skip


def model_of(language: str) -> Parts:
    """The values of the model texts for a language; for one we have none of, those in English: names are names."""
    return MODEL.get(base_of(language), MODEL["en"])


def replace_place(parts: Parts, name: str, *, confirmed_open: bool) -> Parts:
    """The same parts with another place to go to."""
    return replace(parts, place_to=name, place_open=confirmed_open)
