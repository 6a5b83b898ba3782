"""Reads a hazard's texts by tier, form and language, and checks them against the rules for texts.

A set is the texts of a hazard's file: language > tier > headline, plain, short, easy; `words/forms.yaml` says how the
parts stand in a form. Every language has a state: draft, translated, checked (by readers it is for). Nobody is ever told to
go to a place that was not confirmed open: {to} is that place, or "to high ground", "away from the slope".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from services.channels.messages.segments import segments
from services.shared import hazards
from services.shared.errors import Refused
from services.shared.hazards import Hazard, Texts
from services.shared.text.sentences import sentences
from services.shared.text.shipped import read_shipped
from services.shared.tiers import Tier

FOLDER = Path(__file__).with_name("words")
FORMS = ("plain", "short", "easy", "spoken", "card", "crawl")
TIER_KEYS = ("headline", "plain", "short", "easy")
_NOT_A_DRILL = re.compile(r"not a drill|no drill|不是演[练习]|非演[练习]", re.IGNORECASE)
_LINK = re.compile(r"https?:|www\.|\b[a-z0-9-]+\.(com|org|net|cn|gov|int)\b", re.IGNORECASE)
_FIXED_PLACE = re.compile(r"\b[Gg]o (?:now )?to (?!high|open|the )[A-Z]\w+|[Gg]o (?:now )?to the [A-Z]\w+")
_SHOUTED = re.compile(r"\b[A-Z]{4,}\b")


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
    """One hazard's texts."""

    hazard: str
    respond: str
    only_if: tuple[str, ...]
    languages: Mapping[str, Texts]

    def fits(self, hazard: str, asked: str, tier: Tier) -> bool:
        """Whether these texts are about that and say what the alert itself asks: a cold wave is not told in the words of heat,
        "go upstairs" not in those of leaving. Below red a set only says get ready, which is less than leaving or staying in.
        """
        if asked != self.respond or (asked in ("evacuate", "shelter_in") and tier != Tier.RED):
            return False
        return any(word in hazard.lower() for word in self.only_if)

    def state(self, language: str) -> str:
        return self.languages[language].state


@cache
def forms() -> Mapping[str, Any]:
    """How the parts stand in each form, by language."""
    found: Mapping[str, Any] = read_shipped(FOLDER / "forms.yaml")
    return found


def shipped() -> dict[str, WordSet]:
    """The sets there are, by hazard."""
    return _sets(hazards.FOLDER)


@cache
def _sets(folder: Path) -> dict[str, WordSet]:
    found = {name: _set_of(name, hazard) for name, hazard in hazards.known().items() if hazard.texts}
    return dict(sorted(found.items()))


def load(file: Path) -> WordSet:
    """A set out of a hazard's file; Refused where a part is missing or not known."""
    return _set_of(file.stem, hazards.load(file))


def _set_of(name: str, hazard: Hazard) -> WordSet:
    for language in hazard.texts:
        if language not in forms():
            raise Refused(
                f"{name}.yaml, texts.{language}: forms.yaml does not say how its parts stand; add the language there",
                rule="words", given=language,
            )  # fmt: skip
    return WordSet(name, hazard.rule.respond, tuple(word.lower() for word in hazard.only_if), hazard.texts)


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


def compose(words: WordSet, language: str, tier: Tier, form: str, parts: Parts) -> str:
    """One message of a set, whole; as long as it is."""
    lang, rules = words.languages[language], forms()[language]
    said = lang[tier]
    action = {"short": said.short, "easy": said.easy}.get(form, said.plain).format(
        to=destination(words, language, parts)
    )
    due = ""
    if parts.impact and tier > Tier.BLUE:
        due = (lang.due.by if tier == Tier.RED else lang.due.start).format(impact=parts.impact)
    text = str(rules[form]["text"]).format(
        source=parts.source,
        short_source=parts.short_source or parts.source,
        colour=rules["colours"][tier.word],
        title=_title(rules, words.respond, tier),
        headline=said.headline,
        Headline=said.headline[:1].upper() + said.headline[1:],
        name=lang.name,
        easy_name=lang.easy_name,
        place=parts.place,
        short_place=parts.short_place or parts.place,
        easy_place=parts.easy_place or parts.short_place or parts.place,
        action=action,
        lines="\n".join(sentences(action)),
        due=due,
        sent=parts.sent,
        menu=_menu(rules, words.respond, tier, form, parts),
        number=parts.number,
        hotline=parts.hotline,
    )
    if form == "card":
        return "\n".join(line.strip() for line in text.splitlines() if line.strip())
    return re.sub(r" +([.。])", r"\1", " ".join(text.split()))


def _title(rules: Mapping[str, Any], respond: str, tier: Tier) -> str:
    names = {"evacuate": "titles", "shelter_in": "shelter_titles"}.get(respond, "stay_titles")
    return str(rules.get(names, {}).get(tier.word, ""))


def _menu(rules: Mapping[str, Any], respond: str, tier: Tier, form: str, parts: Parts) -> str:
    if tier == Tier.BLUE or form in ("spoken", "crawl"):
        return ""
    menus = rules["menus"]
    if parts.one_way:
        return str(menus["one_way"]).format(hotline=parts.hotline)
    stays = respond != "evacuate"
    if form == "easy":
        kind = "easy"
    elif form == "short":
        kind = "short_stay" if stays else "short"
    else:
        kind = "stay" if stays else "plain"
    return str(menus[kind][tier.word])


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


def replace_place(parts: Parts, name: str, *, confirmed_open: bool) -> Parts:
    """The same parts with another place to go to."""
    return replace(parts, place_to=name, place_open=confirmed_open)


def findings(words: WordSet) -> Iterator[str]:
    """What is wrong with a set, one sentence each; nothing where it may be used."""
    for language, lang in words.languages.items():
        for tier in Tier:
            where = f"{words.hazard}, {language}, {tier.word}"
            for key in TIER_KEYS:
                for fault in faults_of(getattr(lang[tier], key), key, language):
                    yield f"{where}, {key}: {fault}"
            for form in FORMS:
                yield from (f"{where}, {form}: {fault}" for fault in _too_long(words, language, tier, form))


def faults_of(text: str, key: str, language: str) -> Iterator[str]:
    if _NOT_A_DRILL.search(text):
        yield "says that it is no drill: nobody asked, and it makes people doubt; take it out"
    if _LINK.search(text):
        yield "holds a link: channels block links, and people are told not to follow them; give a number"
    if _FIXED_PLACE.search(text):
        yield "names a place to go to: write {to}, which is a place only where somebody confirmed it open"
    if language == "en" and _SHOUTED.search(text):
        yield "shouts in capitals: screen readers spell them; write words"
    if language == "en" and segments(text.replace("{", "(").replace("}", ")")).encoding != "gsm-7":
        yield "holds a character outside GSM-7, which more than doubles the segments: use plain signs"
    if key in ("short", "easy"):
        for sentence in sentences(text):
            if problem := _more_than_one_idea(sentence, language):
                yield f"{problem}: {sentence!r}; one idea a sentence"


def _more_than_one_idea(sentence: str, language: str) -> str:
    if re.search(r"[;:；：]", sentence.removeprefix("Others:")):
        return "joins two sentences"
    if language == "zh":
        if sentence.count(",") + sentence.count("，") > 1:
            return "has more than two parts"
        return "is longer than 16 characters" if len(re.sub(r"\{to\}", "走", sentence)) > 17 else ""
    if re.search(
        r", |\b(and|but|then|because|so that) (do|go|stay|call|leave|walk|take|get|close|turn|keep)\b", sentence
    ):
        return "has more than one part"
    return "is longer than 10 words" if len(sentence.split()) > 10 else ""


def _too_long(words: WordSet, language: str, tier: Tier, form: str) -> Iterator[str]:
    most = limit(language, tier, form)
    model = MODEL.get(language, MODEL["en"])
    if most:
        text = compose(words, language, tier, form, model)
        counted = segments(text)
        if counted.count > most:
            yield f"{counted.count} segments ({counted.units} {counted.encoding} units), at most {most}: {text}"
