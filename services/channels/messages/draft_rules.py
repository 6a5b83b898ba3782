"""Checks the texts of a language against those of English, as far as nobody needs to read it: parts, places, alphabet.

English and Chinese are judged by what each text tells people to do (`hazard_text_rules`). Of another language that can be said
only where it has an `instructions.yaml`. What can be said of every one is whether something is missing, whether each place that
is filled in stands where it stands in English, and whether the words are written in the language's own script.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from string import Formatter

from babel.core import get_global

from services.channels.messages.hazard_texts import FORMS, TEXT_KEYS, Texts, WordSet, forms
from services.channels.messages.phrases import LINES, Lines, of_instruction
from services.shared.draft_languages import OWN
from services.shared.people.languages import base_of
from services.shared.tiers import TIER_WORDS, Tier

_SCRIPTS = {
    "Arab": "ARABIC", "Beng": "BENGALI", "Cyrl": "CYRILLIC", "Deva": "DEVANAGARI", "Ethi": "ETHIOPIC", "Grek": "GREEK",
    "Hebr": "HEBREW", "Khmr": "KHMER", "Laoo": "LAO", "Latn": "LATIN", "Mong": "MONGOLIAN", "Mymr": "MYANMAR",
    "Tibt": "TIBETAN", "Thai": "THAI",
}  # fmt: skip
_SHORT = 2  # letters of a word that may be of any script: km, m
_ROWS = ("menus", "keys", "doing", "safe")  # of lines.yaml: by instruction, of which one may be left out beside `other`


def findings(sets: Sequence[WordSet]) -> Iterator[str]:
    """What a language that is not one of our own two lacks beside English, one sentence each."""
    for language in sorted({one for words in sets for one in words.languages} | LINES.keys() - {*OWN}):
        if base_of(language) in OWN:
            continue
        there = [words for words in sets if language in words.languages]
        yield from _of_lines(language)
        for words in sets:
            if words not in there and "en" in words.languages:
                yield f"{words.hazard}, {language}: has no texts, and a language has those of every hazard or is not whole"
        if language in forms():
            yield from _of_forms(language)
    for words in sets:
        yield from beside_english(words, words)


def beside_english(words: WordSet, english: WordSet | None) -> Iterator[str]:
    """What the texts of one hazard lack beside English ones."""
    if english is None or "en" not in english.languages:
        return
    for language, texts in words.languages.items():
        if base_of(language) not in OWN:
            yield from _of_set(words.hazard, language, texts, english.languages["en"])


def misplaced(text: str, english: str) -> str:
    """Which places of the English text are missing or too many; empty where they are the same, or cannot be read."""
    try:
        mine, theirs = places_of(text), places_of(english)
    except ValueError as problem:
        return f"a brace is open or left over ({problem}): write {{{{ or }}}} for one that is meant"
    if missing := sorted(theirs - mine):
        return f"{{{missing[0]}}} is missing, which stands in English: add it"
    if more := sorted(mine - theirs):
        return f"{{{more[0]}}} does not stand in English: take it out"
    return ""


def places_of(text: str) -> set[str]:
    """The places that are filled in; ValueError where a brace is open."""
    return {name for _, name, *_ in Formatter().parse(text) if name is not None}


def foreign_letters(text: str, language: str) -> str:
    """The first word of the text in another script than the language's; empty for none, or where its script is not known."""
    script = _SCRIPTS.get(str(get_global("likely_subtags").get(language, "__")).split("_")[1], "")
    words = " ".join(literal for literal, *_ in Formatter().parse(text)).split()
    for word in words if script else ():
        letters = [c for c in word if c.isalpha()]
        if len(letters) > _SHORT and any(not unicodedata.name(c, "").startswith(script) for c in letters):
            return word
    return ""


def _of_set(hazard: str, language: str, texts: Texts, english: Texts) -> Iterator[str]:
    where = f"{hazard}, {language}"
    for tier, instruction in sorted({*texts.cells()} ^ {*english.cells()}):
        lacks = texts.of(tier, instruction) is None
        yield (
            f"{where}: has no text for {tier.word}, {instruction}, which English has"
            if lacks
            else f"{where}: has a text for {tier.word}, {instruction}, which English has not"
        )
    if (texts.due is None) != (english.due is None):
        yield f"{where}, due: stands in one of this language and English, and not in the other"
    rows: list[tuple[str, str, str]] = [
        ("name", texts.name, english.name), ("easy_name", texts.easy_name, english.easy_name), ("to", texts.to, english.to),
        ("away", texts.away, english.away),
    ]  # fmt: skip
    if texts.due is not None and english.due is not None:
        rows += [("due, from", texts.due.start, english.due.start), ("due, by", texts.due.by, english.due.by)]
    for tier, instruction in texts.cells():
        own, other = texts.of(tier, instruction), english.of(tier, instruction)
        if own is not None and other is not None:
            rows += [
                (f"{tier.word}, {instruction}, {key}", getattr(own, key), getattr(other, key))
                for key in (*TEXT_KEYS, "name", "easy_name")
            ]
    for what, text, beside in rows:
        yield from (f"{where}, {what}: {fault}" for fault in _of_text(text, beside, language))


def _of_text(text: str, english: str, language: str) -> Iterator[str]:
    if bool(text.strip()) != bool(english.strip()):
        yield "is empty, and in English it is not" if english.strip() else "stands here, and in English nothing does"
        return
    if fault := misplaced(text, english):
        yield fault
        return
    if word := foreign_letters(text, language):
        yield f"{word!r} is not written in the script of this language: translate it"
    if _untranslated(text, english):
        yield "is the English text: translate it"


def _of_forms(language: str) -> Iterator[str]:
    own, english = forms()[language], forms()["en"]
    where = f"forms.yaml, {language}"
    if missing := sorted(english.keys() - own.keys()):
        yield f"{where}: {missing[0]} is missing, which stands in English: add it"
        return
    for row in ("colours", "alerts"):
        if missing := sorted({*TIER_WORDS} - own[row].keys()):
            yield f"{where}, {row}: {missing[0]} is missing: add it"
    for form in FORMS:
        if missing := sorted(_parts(english[form]["text"]) - _parts(own[form]["text"])):
            yield f"{where}, {form}: {{{missing[0]}}} is missing, which stands in English: add it"
    for form, rows in english["menus"].items():
        for key in sorted(rows.keys() - own["menus"].get(form, {}).keys()):
            yield f"{where}, menus, {form}: {key} is missing: add it"


def _parts(pattern: str) -> set[str]:
    """What stands in a form; the short name of a source is a source."""
    return {name.lower().removeprefix("short_").removeprefix("easy_") for name in places_of(pattern)}


def _of_lines(language: str) -> Iterator[str]:
    lines, english = LINES[language], LINES["en"]
    for field in fields(Lines):
        if field.name == "state":
            continue
        mine, theirs = getattr(lines, field.name), getattr(english, field.name)
        by_instruction = field.name in _ROWS
        for where, text, beside in _leaves(field.name, mine, theirs, by_instruction=by_instruction):
            yield from (f"lines.yaml, {language}, {where}: {fault}" for fault in _of_line(text, beside))


def _leaves(where: str, mine: object, theirs: object, *, by_instruction: bool) -> Iterator[tuple[str, str, str]]:
    """Each text of theirs with the one of mine that stands for it, and where it stands."""
    if isinstance(theirs, Mapping) and isinstance(mine, Mapping):
        for key, value in theirs.items():
            rows = by_instruction or "other" in theirs
            found = of_instruction(mine, key) if rows else mine.get(key, "")
            name = key.word if isinstance(key, Tier) else key
            yield from _leaves(f"{where}, {name}", found, value, by_instruction=False)
    else:
        yield where, str(mine), str(theirs)


def _of_line(text: str, english: str) -> Iterator[str]:
    if bool(text.strip()) != bool(english.strip()):
        yield "is empty, and in English it is not" if english.strip() else "stands here, and in English nothing does"
    elif fault := misplaced(text, english):
        yield fault
    elif _untranslated(text, english):
        yield "is the English text: translate it"


def _untranslated(text: str, english: str) -> bool:
    """Whether it is the English one, of more than a word: one word may be the same in both."""
    words = " ".join(literal for literal, *_ in Formatter().parse(text)).split()
    return text == english and len([one for one in words if len(one) > _SHORT]) > 1
