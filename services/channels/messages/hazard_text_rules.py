"""Checks a hazard's texts against the rules for texts: length, one idea a sentence, no link, and what they tell people to do."""

from __future__ import annotations

import re
from collections.abc import Iterator

from services.channels.messages.draft_rules import places_of
from services.channels.messages.hazard_texts import (
    FORMS,
    TEXT_KEYS,
    TRADITIONAL,
    InstructionText,
    Texts,
    WordSet,
    compose,
    forms,
    limit,
    model_of,
)
from services.channels.messages.segments import segments
from services.shared.draft_languages import OWN
from services.shared.hazards.instructions import BOTH, MOVING, contradiction, told_in
from services.shared.text.sentences import sentences
from services.shared.tiers import Tier

_NOT_A_DRILL = re.compile(r"not a drill|no drill|不是演[练习]|非演[练习]", re.IGNORECASE)
_LINK = re.compile(r"https?:|www\.|\b[a-z0-9-]+\.(com|org|net|cn|gov|int)\b", re.IGNORECASE)
_FIXED_PLACE = re.compile(r"\b[Gg]o (?:now )?to (?!high|open|the )[A-Z]\w+|[Gg]o (?:now )?to the [A-Z]\w+")
_SHOUTED = re.compile(r"\b[A-Z]{4,}\b")
_DANGER = re.compile(r"danger|危险|kill|会死", re.IGNORECASE)
_HOUR = re.compile(r"\b\d{1,2}:\d\d\b|\btonight\b|今晚|\{impact\}", re.IGNORECASE)
_LEAVE, _STAY = {"leave", "go_to_place"}, {"stay_in", "go_up"}
_SAID = MOVING | {
    BOTH,
    "avoid",
    "boil",
}  # instructions that must be read in every form; of the softer ones no word is always there
WHOLE = OWN
NO_HOUR = ("earthquake", "aftershock", "landslide")
"""Of these nobody can say when."""


def findings(words: WordSet) -> Iterator[str]:
    """What is wrong with a set, one sentence each; nothing where it may be used."""
    for language, texts in words.languages.items():
        if language == TRADITIONAL:  # made of what is checked
            continue
        if texts.due is not None and words.hazard in NO_HOUR:
            yield f"{words.hazard}, {language}, due: nobody can say when: take it out"
        for tier, instruction in texts.cells():
            where = f"{words.hazard}, {language}, {tier.word}, {instruction}"
            text = texts.texts[tier.word][instruction]
            for key in TEXT_KEYS:
                for fault in faults_of(getattr(text, key), key, language):
                    yield f"{where}, {key}: {fault}"
            if any(_not_filled(getattr(text, key)) for key in TEXT_KEYS):
                continue  # nothing can be put together
            yield from (f"{where}, {fault}" for fault in _of_tier(texts, text, tier))
            yield from (f"{where}, {fault}" for fault in _of_instruction(text, instruction, texts, language))
            for form in FORMS:
                yield from (
                    f"{where}, {form}: {fault}" for fault in _too_long(words, language, tier, instruction, form)
                )
    yield from _the_same_in_each_language(words)


def faults_of(text: str, key: str, language: str) -> Iterator[str]:
    """What is wrong with a sentence by itself."""
    if fault := _not_filled(text):
        yield fault
    if _NOT_A_DRILL.search(text):
        yield "says that it is no drill: nobody asked, and it makes people doubt; take it out"
    if _LINK.search(text):
        yield "holds a link: channels block links, and people are told not to follow them; give a number"
    if _FIXED_PLACE.search(text):
        yield "names a place to go to: write {to}, which is a place only where somebody confirmed it open"
    if _HOUR.search(text):
        yield "names an hour of its own: it is read at any hour; the time of the danger is `due`"
    if language == "en" and _SHOUTED.search(text):
        yield "shouts in capitals: screen readers spell them; write words"
    if language == "en" and segments(text.replace("{", "(").replace("}", ")")).encoding != "gsm-7":
        yield "holds a character outside GSM-7, which more than doubles the segments: use plain signs"
    if key in ("short", "easy"):
        for sentence in sentences(text):
            if problem := _more_than_one_idea(sentence, language):
                yield f"{problem}: {sentence!r}; one idea a sentence"


def _not_filled(text: str) -> str:
    """Why a text cannot be filled in; empty where it can."""
    try:
        unknown = sorted(places_of(text) - {"to"})
    except ValueError as problem:
        return f"a brace is open or left over ({problem}): the one place there is is {{to}}"
    return f"holds {{{unknown[0]}}}, which nothing fills: the one place there is is {{to}}" if unknown else ""


def _of_tier(texts: Texts, text: InstructionText, tier: Tier) -> Iterator[str]:
    if tier == Tier.BLUE:
        for key in (*TEXT_KEYS, "name", "easy_name"):
            if _DANGER.search(getattr(text, key)):
                yield f"{key}: speaks of danger at blue, where nobody is to be frightened"
    if _DANGER.search(texts.easy_name) or _DANGER.search(text.easy_name):
        yield "easy_name: speaks of danger at every tier: the form says it where it is true"


def _of_instruction(text: InstructionText, instruction: str, texts: Texts, language: str) -> Iterator[str]:
    """Each form tells people to do what the text is there for, and nothing that is the opposite of it."""
    where_to = {"to": texts.to.format(name="A School") or "", "away": texts.away}
    for key in ("plain", "short", "easy"):
        for way in {where_to["to"] or where_to["away"], where_to["away"]}:
            said = getattr(text, key).format(to=way)
            told = told_in(said, language)
            if told is None:
                continue
            ways = [_LEAVE, _STAY] if instruction == BOTH else [_LEAVE if instruction in _LEAVE else {instruction}]
            if instruction in _SAID and not all(told.anybody & wanted for wanted in ways):
                found = ", ".join(sorted(told.anybody)) or "nothing"
                yield f"{key}: does not tell people to {instruction}, but {found}: {said!r}"
            if instruction not in MOVING and (other := told.everybody & MOVING):
                yield f"{key}: tells everybody to {', '.join(sorted(other))}, not only to {instruction}: {said!r}"


def _the_same_in_each_language(words: WordSet) -> Iterator[str]:
    cells = {language: set(texts.cells()) for language, texts in words.languages.items() if language in WHOLE}
    every = set().union(*cells.values()) if cells else set()
    for language, own in cells.items():
        for tier, instruction in sorted(every - own):
            yield f"{words.hazard}, {language}: has no text for {tier.word}, {instruction}, which another language has"
    for tier, instruction in sorted(set.intersection(*cells.values()) if cells else ()):
        for key in ("plain", "short", "easy"):
            told = {
                language: found
                for language in cells
                if (found := told_in(
                    getattr(words.languages[language].texts[tier.word][instruction], key).format(
                        to=words.languages[language].away
                    ), language,
                )) is not None
            }  # fmt: skip
            for one, other in zip(told, [*told][1:], strict=False):
                if against := contradiction(told[one], told[other]):
                    yield (
                        f"{words.hazard}, {tier.word}, {instruction}, {key}: {one} says {against[0]}, {other} says "
                        f"{against[1]}"
                    )


def _more_than_one_idea(sentence: str, language: str) -> str:
    if re.search(r"[;:；：؛]", _to_others(sentence, language)):
        return "joins two sentences"
    if language == "zh":
        if sentence.count(",") + sentence.count("，") > 1:
            return "has more than two parts"
        return "is longer than 16 characters" if len(re.sub(r"\{to\}", "走", sentence)) > 17 else ""
    if language not in WHOLE:
        most = int(forms()[language].get("words", 0))  # a word is another thing in each language; 0 for no rule
        return f"is longer than {most} words" if 0 < most < len(sentence.split()) else ""
    if re.search(
        r", |\b(and|but|then|because|so that) (do|go|stay|call|leave|walk|take|get|close|turn|keep)\b", sentence
    ):
        return "has more than one part"
    return "is longer than 10 words" if len(sentence.split()) > 10 else ""


def _to_others(sentence: str, language: str) -> str:
    """The sentence without the word that says to whom it is: "Others:"."""
    return sentence.removeprefix(str(forms()[language].get("others", "Others:")))


def _too_long(words: WordSet, language: str, tier: Tier, instruction: str, form: str) -> Iterator[str]:
    most = limit(language, tier, form)
    if most:
        text = compose(words, language, tier, instruction, form, model_of(language))
        counted = segments(text)
        if counted.count > most:
            yield f"{counted.count} segments ({counted.units} {counted.encoding} units), at most {most}: {text}"
