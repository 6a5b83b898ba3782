"""Splits a text at the end of sentences and nowhere else. Pure.

A cut inside a number, a link, an abbreviation or a clause makes another order of it ("not deeper than 0."). What may or may not
be an end is taken for none: two sentences kept together say too much, half a sentence says something else. A line of a list is
an end too; a line that was only broken at its width is not. No library that is kept finds these in every script without
changing the text, so they are our own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate

_CLOSING = "\"'”’»›)\\]}」』”’）】》"
# Full-width stops end a sentence whatever follows; dandas, Ethiopic, Khmer and Burmese stops likewise.
_WIDE_END = re.compile(rf"(?:[。！？｡।॥።៕။]|[!?](?=[\u3040-\u30ff\u3400-\u9fff]))+[{_CLOSING}]*")
# All others only before white space or the end.
_END = re.compile(rf"(?:[.!?…؟۔։]+|།+)[{_CLOSING}]*(?=\s|$)")
_STOPS = ".!?…؟۔։。！？｡।॥።៕။" + _CLOSING.replace("\\", "")
_BREAK = re.compile(r"\n\s*")
_THAI_GAP = re.compile(r"(?<=[\u0e00-\u0eff]) +(?=[\u0e00-\u0eff])")  # Thai and Lao write no stops: a gap is one
_BULLET = re.compile(r"(?:[-*•·▪●◦‣–—]|\(?[0-9]{1,2}[.)、]|[①-⑳])\s*")
_WRAPPED = 45  # characters: a longer line may have been broken at its width
_NEAR = 64  # characters: as far as is looked around a stop
_SPACE = re.compile(r"\s")
_NUMBER = re.compile(r"[(\[#]?[0-9]{1,2}\.")  # "2. Oktober", "1. Go upstairs": may be an ordinal or a list's number
_WORDS = """st dr mr mrs ms mt ft rd ave no nos nr art abs ca circa approx vs etc e.g i.e eg ie fig inc ltd co corp dept est
min max sec hr hrs temp tel ext jr sr gen gov col sgt capt lt u.s u.k z.b d.h u.a bzw ggf evtl str usw vgl av apdo dpto sra
sto sta núm pág mme mlle bd env p.ex ул г обл р-н им д т.е т.д пр стр jan feb mar apr jun jul aug sep sept oct nov dec"""
_SHORTENED = frozenset(_WORDS.split())
_LETTER = re.compile(r"(?:[^\W\d_]\.)+")


def sentences(text: str) -> list[str]:
    """The text's sentences in order, each as it was written; only the white space between them is left out."""
    return [text[start:end] for start, end in spans(text)]


def spans(text: str) -> list[tuple[int, int]]:
    """Start and end of each sentence, white space left out."""
    cuts = sorted({*_ends(text), len(text)})
    found, start = [], 0
    for cut in cuts:
        part = text[start:cut]
        if part.strip():
            found.append((start + len(part) - len(part.lstrip()), start + len(part.rstrip())))
        start = cut
    return found


def first(text: str, room: int) -> str:
    """As many of the text's sentences as `room` characters hold, as they were written; empty where the first is longer."""
    found = spans(text)
    end = max((end for _, end in found if end - found[0][0] <= room), default=0)
    return text[found[0][0] : end] if end else ""


def prefixes(text: str) -> Sequence[str]:
    """The whole text, then without its last sentence, and so on; at last the first sentence alone. Empty for no text."""
    found = spans(text)
    return [text[found[0][0] : end] for _, end in reversed(found)]


def flat(text: str) -> str:
    """The text on one line. A list's line without a stop of its own keeps its break, or two orders would be one."""
    return "".join(_laid_out(text))


def flat_prefixes(text: str) -> list[str]:
    """`prefixes`, each as `flat` has it; for texts as short as a message."""
    return list(accumulate(_laid_out(text)))[::-1]


def _laid_out(text: str) -> Iterator[str]:
    """Each sentence on one line, with what parts it from the one before."""
    last, before = "", 0
    for start, end in spans(text):
        gap = text[before:start]
        between = ""
        if last:
            between = "\n" if "\n" in gap and last not in _STOPS else " " if gap or last.isascii() else ""
        one = " ".join(text[start:end].split())
        yield between + one
        last, before = one[-1], end


def _ends(text: str) -> Iterator[int]:
    for match in _WIDE_END.finditer(text):
        yield match.end()
    for match in _THAI_GAP.finditer(text):
        yield match.end()
    for match in _END.finditer(text):
        if _is_end(text, match):
            yield match.end()
    for match in _BREAK.finditer(text):
        if _ends_line(text, match):
            yield match.end()


def _is_end(text: str, match: re.Match[str]) -> bool:
    after = text[match.end() : match.end() + _NEAR].lstrip()
    if not after:
        return True
    following = next((c for c in after[:6] if c.isalnum()), "")
    if following.islower():
        return False
    if match.group()[0] != "." or match.group().startswith(".."):
        return True
    before = text[max(0, match.start() - _NEAR) : match.start()]
    word = _SPACE.split(before)[-1] + "."
    if len(word) == 2 and word.islower() and before[:-1].rstrip()[-1:].isdigit():
        return True  # a unit: "1.5 m."
    if _NUMBER.fullmatch(word) or _LETTER.fullmatch(word.lstrip("([\"'«“")):
        return False
    return word[:-1].lstrip("([\"'«“").lower() not in _SHORTENED


def _ends_line(text: str, match: re.Match[str]) -> bool:
    """A blank line, or a line that a bullet follows, or one too short to have been broken at its width."""
    line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()].strip()
    if not line or line[-1] in ":：,，、;；":
        return False  # what follows belongs to it
    after = text[match.end() : match.end() + _NEAR]
    return match.group().count("\n") > 1 or bool(_BULLET.match(after)) or len(line) < _WRAPPED
