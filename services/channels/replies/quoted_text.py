"""Separates what a person wrote from what a phone quotes or writes by itself. Pure.

A phone that likes a message sends the message's words back, its menu with "need help" among them; a car or a mailbox offers
help of its own. None of that is a call for help. What is left when our own sentences are taken out is read as ever: help beside a
quotation is help, and nothing beside one closes anything. A part of a sentence of ours that stands there without quotation
marks may be the person's own words: somebody reads it at once.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from services.channels.replies.meaning import STATES, Reply, Sense, calls_for_help, plain, read_reply, words
from services.shared import i18n
from services.shared.i18n import in_each_language
from services.shared.ledger.evidence import Answer
from services.shared.text.chinese import traditional
from services.shared.text.sentences import sentences
from services.shared.text.shipped import read_shipped

PHONES = "phones.yaml"
OURS = ("lines.yaml", "frame.yaml", "forms.yaml")
LISTS = ("reactions", "machine", "busy", "offers")
_OWN_WORDS = 4.0  # so many words of a sentence of ours in a row are no chance; a character of Chinese is half a word
_FIGURES = {"{ref}": "000", "{number}": "000", "{hotline}": "000", "{n}": "000", "{case}": "H-000"}  # what is filled in
_TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\s\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
_OPENING, _CLOSING = '“„«»「『‹"', '”“»«」』›"'
NONE, PERHAPS, SURELY = 0, 1, 2  # how sure it is that a word is ours and not the person's


def read_phone(text: str, refs: Collection[str] | None = None, sent: Iterable[str] = ()) -> Reply:
    """What the person says in a text; `sent` are the authority's words this phone may quote, `refs` as for `read_reply`."""
    reply = read_reply(text, refs)
    machine = _among("machine", plain(text))
    if not calls_for_help(reply):
        return replace(reply, machine=machine)
    if (above := _unmarked(text)) != text and calls_for_help(own := read_phone(above, refs, sent)):
        return replace(own, ref=own.ref or reply.ref)
    before, inside, after = _parted(text)
    tokens = [*_tokens(before), *_tokens(inside), *_tokens(after)]
    first = len(_tokens(before))
    span = range(first, first + len(_tokens(inside)))
    said = _own_marked(tokens, span, _index(sent), reaction=_is_reaction(before, inside, after))
    left = _joined(tokens, said)
    if any(said):
        lines = _own_lines(f"{before}\n{after}", _index(sent))
        apart = [read_reply(one, refs) for one in (left, *_edges(tokens, said, span), *lines)]
        doubtful = _helps(t for t, s in zip(tokens, said, strict=True) if s == PERHAPS)
        reply = _beside(
            reply, min(apart, key=lambda one: (one.answer is not Answer.HELP, not calls_for_help(one))), doubtful
        )
    if (machine or _among("busy", plain(left))) and calls_for_help(reply):
        reply = _by_itself(reply, left, machine=machine)
    return replace(reply, machine=machine)


def read_ahead() -> None:
    """Reads our own sentences, for which the first call for help would else wait."""
    _ours()


def _beside(whole: Reply, left: Reply, doubtful: bool) -> Reply:
    """Beside a quotation only a call for help counts; the number it names is the message's all the same."""
    if calls_for_help(left):
        return replace(left, ref=left.ref or whole.ref)
    return Reply(None, whole.ref, sense=Sense.PERHAPS_HELP if doubtful else Sense.QUESTION)


def _by_itself(reply: Reply, left: str, *, machine: bool) -> Reply:
    """An offer of help asks for none. What no hand has written is never more than perhaps a call."""
    kept = f" {plain(left)} "
    for offer in sorted(_lists()["offers"], key=len, reverse=True):
        kept = kept.replace(f" {offer} " if offer.isascii() else offer, " | ")
    if not calls_for_help(read_reply(kept)):
        return Reply(None, reply.ref)
    return Reply(None, reply.ref, sense=Sense.PERHAPS_HELP) if machine else reply


# ---- quotation marks


def _unmarked(text: str) -> str:
    """Without the lines a mail program marks as another's."""
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith(">"))


def _parted(text: str) -> tuple[str, str, str]:
    """What stands before, within and behind quotation marks, from the first to the last; within is empty without any."""
    start = next((i for i, c in enumerate(text) if c in _OPENING), -1)
    if start < 0:
        return text, "", ""
    end = max((i for i, c in enumerate(text) if c in _CLOSING and i > start), default=len(text))
    return text[:start], text[start + 1 : end], text[end + 1 :]


def _is_reaction(before: str, inside: str, after: str) -> bool:
    """Whether what stands around a quotation is what phones write around one: a phrase, or an emoji and few words."""
    if not inside.strip():
        return False
    around = plain(f"{before} {after}")
    if around in _lists()["reactions"] or around.replace(" ", "") in _lists()["reactions"]:
        return True
    found = around.split()
    signs = sum(all(unicodedata.category(c) == "So" for c in one) for one in found)
    return signs > 0 and len(found) - signs <= 3 and not any(c.isdigit() for c in around)


# ---- our own sentences


Pair = tuple[str, str]


class _Sentences:
    """Sentences as words, and where each pair of words stands in them."""

    def __init__(self, kept: Sequence[tuple[str, ...]]) -> None:
        self._pairs: dict[Pair, list[tuple[tuple[str, ...], int]]] = {}
        for one in kept:
            for at, pair in enumerate(pairwise(one)):
                self._pairs.setdefault(pair, []).append((one, at))

    def with_pair(self, pair: Pair) -> Sequence[tuple[tuple[str, ...], int]]:
        """Each sentence that has it, and at which word."""
        return self._pairs.get(pair, ())


class _Index(NamedTuple):
    """What a phone may quote. Nobody writes a sentence of `ours` by chance; one of an authority's anybody may."""

    ours: _Sentences
    sent: _Sentences


def _own_marked(tokens: Sequence[str], span: range, index: _Index, *, reaction: bool) -> list[int]:
    """How surely each word is one of ours."""
    compared = _figures(tokens)
    marks = [NONE] * len(tokens)
    short: list[tuple[int, int]] = []
    at = 0
    while at < len(tokens):
        length, whole = _longest(compared, at, index)
        if _weight(tokens[at : at + length]) >= _OWN_WORDS:
            quoted = at in span and at + length - 1 in span
            marks[at : at + length] = [SURELY if whole or quoted else PERHAPS] * length
            at += length
            continue
        if whole and length > 1:
            short.append((at, at + length))
        at += 1
    for start, end in short:  # too short to be ours by itself, and it stands beside what is
        if any(marks[max(0, start - 1) : start] + marks[end : end + 1]):
            quoted = start in span and end - 1 in span
            marks[start:end] = [max(m, SURELY if quoted else PERHAPS) for m in marks[start:end]]
    if reaction:
        a_part = _longest(compared[span.start : span.stop], 0, index)[0] >= len(span) > 1
        ours = a_part or any(marks[i] for i in span) or any(start in span for start, _ in short)
        for i in span:
            marks[i] = SURELY if ours else PERHAPS
    return marks


def _longest(tokens: Sequence[str], at: int, index: _Index) -> tuple[int, bool]:
    """How many words from here on stand in one of our sentences in this order, and whether they are all of it."""
    best, whole = 0, False
    if at + 1 == len(tokens):
        return best, whole
    pair = tokens[at], tokens[at + 1]
    for kept in index:
        for sentence, start in kept.with_pair(pair):
            length = 2
            for said, own in zip(tokens[at + 2 :], sentence[start + 2 :], strict=False):
                if said != own:
                    break
                length += 1
            all_of_it = kept is index.ours and start == 0 and length == len(sentence)
            if (length, all_of_it) > (best, whole):
                best, whole = length, all_of_it
    return best, whole


def _weight(tokens: Sequence[str]) -> float:
    return sum(0.5 if len(t) == 1 and t >= "\u3040" else 1.0 for t in tokens)


def _joined(tokens: Sequence[str], marks: Sequence[int]) -> str:
    """What is not ours; signs of Chinese stand together where they did."""
    found, last = "", ""
    for token, sure in zip(tokens, marks, strict=True):
        if sure == NONE:
            found += ("" if _weight((last, token)) == 1.0 and last else " ") + token
        last = token if sure == NONE else ""
    return found.strip()


def _own_lines(text: str, index: _Index) -> Iterator[str]:
    """The first line and the last, where nothing of ours stands in them: what the person wrote above or below a
    message."""
    lines = [line for line in text.splitlines() if line.strip()]
    for line in lines[:1] + lines[-1:] if len(lines) > 1 else ():
        if not any(_own_marked(_tokens(line), range(0), index, reaction=False)):
            yield line


def _edges(tokens: Sequence[str], marks: Sequence[int], span: range) -> Iterator[str]:
    """What stands before the first word of ours and behind the last: a digit for help does, with names left between."""
    ours = [i for i, sure in enumerate(marks) if sure]
    for first, last in ((0, ours[0]), (ours[-1] + 1, len(tokens))):
        yield " ".join(token for i, token in enumerate(tokens[first:last], first) if i not in span)


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(plain(text))


def _figures(tokens: Sequence[str]) -> list[str]:
    """Numbers of three digits and more are all the same: a message's own, a telephone's."""
    return ["#" if t.isdigit() and len(t) > 2 else t for t in tokens]


def _helps(tokens: Iterable[str]) -> bool:
    return words().within("help", " ".join(tokens))


def _index(sent: Iterable[str]) -> _Index:
    found = {tuple(_figures(_tokens(one))) for text in sent for one in sentences(text)}
    return _Index(_ours(), _Sentences(sorted(found)))


@cache
def _ours() -> _Sentences:
    """Every sentence of our own, in every language and both scripts, cut where something is filled in."""
    parts: set[str] = set()
    kept = [in_each_language(name) for name in OURS]
    kept += [read_shipped(file) for file in sorted(i18n.FOLDER.glob("*/hazards/*.yaml"))]
    for data in kept:
        for text in set(strings(data)):
            for figure, filled in _FIGURES.items():
                text = text.replace(figure, filled)
            for part in re.split(r"\{[^}]*\}", text):
                parts |= {part, *sentences(part)}
    parts |= {one if one.isascii() else traditional(one) for one in parts}
    found = {tuple(_figures(_tokens(one))) for one in parts}
    return _Sentences(sorted(one for one in found if len(one) > 1))


def strings(value: object) -> Iterator[str]:
    """Every text within a document's mappings and lists."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)


# ---- the file


def _among(name: str, said: str) -> bool:
    padded = f" {said} "
    return any(f" {w} " in padded if w.isascii() else w in padded for w in _lists()[name])


@cache
def _lists() -> dict[str, frozenset[str]]:
    data: dict[str, dict[str, list[str]]] = in_each_language(PHONES)
    return {name: frozenset(plain(w) for own in data.values() for w in own.get(name, ())) for name in LISTS}


def findings() -> Iterator[str]:
    """What is wrong with these files; nothing where they may be used."""
    for language, own in in_each_language(PHONES).items():
        if own.get("state") not in STATES:
            yield f"phones.yaml, {language}: state: use {', '.join(STATES)}"
        for name in sorted(set(own) - {*LISTS, "state"}):
            yield f"phones.yaml, {language}: {name} is no list known here; use {', '.join(LISTS)}"
        for name in ("reactions", "machine", "busy"):
            for word in own.get(name, ()):
                if words().within("help", plain(word)):
                    yield f"phones.yaml, {language}, {name}: {word!r} holds a word of help, which would be lost with it"
        for word in own.get("offers", ()):
            if not words().within("help", plain(word)):
                yield f"phones.yaml, {language}, offers: {word!r} holds no word of help and would never be looked for"
