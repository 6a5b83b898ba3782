"""Reads a text's meaning: a digit, a word, a count of people, STOP, or a question for a person. Pure.

The words stand in `replies.yaml` of each language; every text is held against all of them, since who answers may
write another language than the one they are written to in. A word of help anywhere is help; whatever closes a path has
to be the whole text. So no text with a word of help in it is ever taken for an answer that closes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from services.shared.i18n import in_each_language
from services.shared.ledger.evidence import DIGITS, Answer
from services.shared.ledger.team_signs import SignKind

FILE = "replies.yaml"
STATES = ("draft", "translated", "checked")
WHOLE = {  # list of the file > answer; the whole text has to be one of its words
    "leaving": Answer.LEAVING,
    "not_there": Answer.NOT_THERE,
    "safe": Answer.SAFE,
    "moving": Answer.MOVING,
    "spoke": Answer.SPOKE,
    "cannot_reach": Answer.CANNOT_REACH,
}
TEAM = {"team_here": SignKind.HERE, "team_back": SignKind.BACK, "team_cannot": SignKind.CANNOT}  # the same, of a team
LISTS = ("help", "no_help", "yes", "stop", "start", "count", *WHOLE, *TEAM)
MOST = 200  # people with one phone: more is a slip of the finger, and a question
_HARAKAT = frozenset(range(0x064B, 0x0656)) | {0x0640, 0x0670}  # Arabic vowel signs, hamzas, the stretching line
_LATIN_ACCENTS = range(0x0300, 0x0370)
_NO_SPACES = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")  # scripts written without spaces between words


class Sense(StrEnum):
    """What kind of thing was said. `perhaps_help` is read by a person at once: help and its denial in one text."""

    ANSWER = "answer"
    COUNT = "count"
    YES = "yes"
    STOP = "stop"
    START = "start"
    PERHAPS_HELP = "perhaps_help"
    QUESTION = "question"


@dataclass(frozen=True)
class Reply:
    """What a text says; `ref` is the four-digit number of one message, `count` how many people it speaks for."""

    answer: Answer | None
    ref: str = ""
    count: int = 0
    sense: Sense = Sense.QUESTION
    machine: bool = False  # nobody wrote it: it is not answered, or two machines would write to each other for ever


def calls_for_help(reply: Reply) -> bool:
    """Whether somebody must look at it at once."""
    return reply.answer is Answer.HELP or reply.sense is Sense.PERHAPS_HELP


def plain(text: str) -> str:
    """Words and symbols with one space between: widths, case, accents, digits of any script, punctuation taken out."""
    found = []
    for c in unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold()):
        digit, kind = unicodedata.digit(c, None), unicodedata.category(c)
        if digit is not None:
            found.append(str(digit))
        elif ord(c) in _LATIN_ACCENTS or ord(c) in _HARAKAT or kind in ("Cf", "Me") or 0xFE00 <= ord(c) <= 0xFE0F:
            continue  # also joiners, marks of direction, the box around a key, what colours an emoji
        elif 0x1F3FB <= ord(c) <= 0x1F3FF:
            continue  # colours of skin
        elif kind[0] in "LMN":
            found.append(c)
        elif kind == "So":
            found.append(f" {c} ")
        else:
            found.append(" ")
    return " ".join(unicodedata.normalize("NFC", "".join(found)).split())


@dataclass(frozen=True)
class Words:
    """The lists of all languages, made plain; a phrase written without spaces is looked for without them."""

    lists: Mapping[str, frozenset[str]]
    counts: tuple[re.Pattern[str], ...]
    numbers: Mapping[str, int]

    def whole(self, name: str, text: str) -> bool:
        """Whether the text is one of these words."""
        return text in self.lists[name] or bool(_NO_SPACES.search(text) and _squeezed(text) in self.lists[name])

    def within(self, name: str, text: str) -> bool:
        """Whether one of these words stands in the text."""
        padded, squeezed = f" {text} ", _squeezed(text)
        return any(w in squeezed if _NO_SPACES.search(w) else f" {w} " in padded for w in self.lists[name])

    def count(self, text: str) -> tuple[int, bool]:
        """How many people the text says are together (0: it does not say), and whether it says nothing else."""
        squeezed = _squeezed(text) if _NO_SPACES.search(text) else text
        matches = [m for p in self.counts for t in (text, squeezed) if (m := p.search(f" {t} "))]
        if not matches:
            return 0, False
        best = max(matches, key=lambda m: len(m[0].strip()))  # '我们4个人' says more than the '4个人' in it
        said = best["n"]
        n = int(said) if said.isdigit() else self.numbers[said]
        return (n if 0 < n <= MOST else 0), best[0].strip() == best.string.strip()


def _squeezed(text: str) -> str:
    return text.replace(" ", "")


@cache
def words() -> Words:
    """Read once."""
    data = in_each_language(FILE)
    lists = {name: frozenset(plain(w) for lang in data.values() for w in lang.get(name, ())) for name in LISTS}
    numbers = {plain(w): n for lang in data.values() for w, n in lang.get("numbers", {}).items()}
    said = "|".join(("[0-9]{1,3}", *sorted(map(re.escape, numbers), key=len, reverse=True)))
    counts = []
    for phrase in sorted({p for lang in data.values() for p in lang.get("count", ())}):
        before, _, after = phrase.partition("{n}")
        joined = "" if _NO_SPACES.search(phrase) else " "
        edge = "" if joined == "" else " "
        parts = [re.escape(plain(before)), f"(?P<n>{said})", re.escape(plain(after))]
        counts.append(re.compile(edge + joined.join(p for p in parts if p) + edge))
    return Words(lists, tuple(counts), numbers)


def team_said(text: str) -> SignKind | None:
    """The sign that a text is where a team at doors writes it; None where it is none. Who says they are safe may be out still."""
    said, known = plain(text), words()
    if known.whole("safe", said):
        return SignKind.HERE
    return next((kind for name, kind in TEAM.items() if known.whole(name, said)), None)


def read_reply(text: str, refs: Collection[str] | None = None) -> Reply:
    """Help first, wherever it stands; then what the whole text is; what is left is a question for a person.

    `refs`: the numbers of the messages this phone was sent; other four digits are a house or a time. None: not known yet.
    """
    said = plain(text)
    known, tokens = words(), said.split()
    numbers = [t for t in tokens if re.fullmatch("[0-9]{4}", t)]
    ref = next((t for t in numbers if refs is None or t in refs), "")
    count, nothing_else = known.count(said)
    if known.within("help", said):
        if known.within("no_help", said):
            return Reply(None, ref, sense=Sense.PERHAPS_HELP)
        return Reply(Answer.HELP, ref, count, Sense.ANSWER)
    if digit := _digit(tokens, ref):
        return Reply(DIGITS[digit], ref, sense=Sense.ANSWER)
    if match := re.fullmatch("n ?([0-9]{1,3})", said):
        n = int(match[1])
        return Reply(None, count=n, sense=Sense.COUNT) if 0 < n <= MOST else Reply(None)
    bare = " ".join(t for t in tokens if t != ref)
    for name, answer in WHOLE.items():
        if known.whole(name, bare):
            return Reply(answer, ref, sense=Sense.ANSWER)
    for name, sense in (("stop", Sense.STOP), ("start", Sense.START), ("yes", Sense.YES)):
        if known.whole(name, bare):
            return Reply(None, ref, sense=sense)
    if count and nothing_else:
        return Reply(None, ref, count, Sense.COUNT)
    if set(tokens) - set(numbers) == {"2"}:
        return Reply(Answer.HELP, ref, sense=Sense.ANSWER)  # with a number that is none of ours: help does not wait
    if tokens and tokens[0] == "2":
        return Reply(None, ref, sense=Sense.PERHAPS_HELP)  # the digit for help with words of their own behind it
    return Reply(None, ref, count)


def _digit(tokens: Sequence[str], ref: str) -> str:
    """The digit of the table that is all there is, perhaps said twice, perhaps with the number of a message."""
    kept = [t for t in tokens if t != ref]
    alone = len(set(kept)) == 1 and kept[0] in DIGITS
    # '4 spoken 1234', as a helper is told to write; words behind 1, 2 or 3 can say anything
    numbered = bool(ref) and bool(tokens) and tokens[0] in ("4", "5") and tokens[-1] == ref
    numbered = numbered and not any(c.isdigit() for t in kept[1:] for c in t)
    return tokens[0] if numbered else kept[0] if alone else ""


def findings() -> Iterator[str]:
    """What is wrong with the file; nothing where it may be used."""
    data = in_each_language(FILE)
    known = words()
    for language, lists in data.items():
        if lists.get("state") not in STATES:
            yield f"replies.yaml, {language}: state: use {', '.join(STATES)}"
        for name in sorted(set(lists) - {*LISTS, "numbers", "state"}):
            yield f"replies.yaml, {language}: {name} is no list known here; use {', '.join(LISTS)}"
        for name in LISTS:
            for word in lists.get(name, ()):
                if not plain(word).strip():
                    yield f"replies.yaml, {language}, {name}: {word!r} is empty once it is made plain; take it out"
                if name not in ("help", "no_help") and known.within("help", plain(word)):
                    yield f"replies.yaml, {language}, {name}: {word!r} holds a word of help and would never be found"
        for phrase in lists.get("count", ()):
            if phrase.count("{n}") != 1:
                yield f"replies.yaml, {language}, count: {phrase!r} needs one {{n}}"
    seen: dict[str, str] = {}
    for name in ("help", "yes", "stop", "start", *WHOLE):
        for word in sorted(known.lists[name]):
            if word in seen:
                yield f"replies.yaml: {word!r} stands in {seen[word]} and in {name}; it can mean one thing"
            seen[word] = name
