"""Fits a text into a message: whole sentences, long lists of places by count, plain signs for costly ones. Pure.

The room is counted in segments of a short message. Two are what a text may cost as a rule: 306 characters of GSM-7, or 134 of
UCS-2 where a sign is a word (Chinese, Japanese, Korean); other texts that need UCS-2 have five, which hold as much as two of
GSM-7. Where the first sentence of what to do, the place and the time need more, they get more, up to `MOST`. A sentence that even
those do not hold is not cut: the message says whom to call for it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from services.channels.messages.segments import segments
from services.shared.people.languages import base_of

MOST = 10  # segments: at most 1,530 characters, what one message of a provider may hold (Twilio: 1,600)
LONG_PLACE = 160  # characters of a list of places that is not the message's own subject
LONGEST = 153 * MOST  # characters; what is longer no message holds
_DENSE = ("zh", "yue", "ja", "ko")
_EMPTY, _END = "\ufdd0", "\ufdd1"  # no characters of any text: they mark where a part stands in a pattern
_NO_PART = re.compile(f"{_EMPTY}{_END}[,.:;。,:、]?[^\\S\n]*")
_TWO_STOPS = re.compile(f"([.!?…。！？][\"'”’»)\\]」』]*){_END}[.。]")
_GAPS = re.compile(r"[^\S\n]+")
_PLACES = re.compile(r"\s*(?:[,，、;；]|\n)\s*")
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff\ufe0e\ufe0f"))
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′´`ʼ", "'"), **dict.fromkeys("“”„‟″«»", '"'), **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("\u00a0\u1680\u202f\u205f\u3000\t", " "), **{chr(c): " " for c in range(0x2000, 0x200B)},
        **dict.fromkeys("•·‣◦▪●", "-"), "‹": "<", "›": ">", "…": "...", "™": "(TM)", "®": "(R)", "©": "(C)", "№": "No.",
        "×": "x", "≤": "<=", "≥": ">=", "±": "+/-", "→": "->", "←": "<-", "≈": "~", "µ": "u", "μ": "u", "⁄": "/", "⚠": "(!)",
    }
)  # fmt: skip
_DEGREES = re.compile(r"\s?[°º˚]\s?(?=[CFKNSEWO]\b)")
_DEGREE = re.compile(r"\s?[°º˚]")
_FRACTIONS = str.maketrans({"½": "1/2", "¼": "1/4", "¾": "3/4", "⅓": "1/3", "⅔": "2/3"})


def plain_signs(text: str) -> str:
    """The text in GSM-7 where look-alikes of the same meaning make it so; else as it is.

    26 °C is 26 C, a bullet a hyphen, m² m2. A letter with an accent stays: it is another letter.
    """
    seen = text.translate(_INVISIBLE)
    if segments(seen).encoding == "gsm-7":
        return seen
    tried = unicodedata.normalize("NFC", seen).translate(_SIGNS)
    tried = _DEGREE.sub(" deg", _DEGREES.sub(" ", tried))
    tried = re.sub(r"(?<=[A-Za-z])[²³]", lambda m: "2" if m.group() == "²" else "3", tried)
    tried = re.sub(r"(?<=\d)(?=[½¼¾⅓⅔])", " ", tried).translate(_FRACTIONS)
    tried = re.sub("[ﬀ-ﬆ]", lambda m: unicodedata.normalize("NFKC", m.group()), tried)
    return tried if segments(tried).encoding == "gsm-7" else text


def filled(pattern: str, **parts: str) -> str:
    """The pattern with its parts: an empty one goes with the sign behind it, a stop of the pattern is not doubled.

    Within a part nothing is touched but runs of spaces.
    """
    text = pattern.format(**{name: (part.strip() or _EMPTY) + _END for name, part in parts.items()})
    text = _TWO_STOPS.sub(r"\1", _NO_PART.sub("", text)).replace(_END, "")
    return "\n".join(_GAPS.sub(" ", line).strip() for line in text.split("\n")).strip()


def tidy(text: str) -> str:
    """One line, runs of white space as one space."""
    return " ".join(text.split())


def places(text: str, room: int, pattern: str) -> str:
    """A list of places within `room` characters: the first of them and how many there are beside; one alone is not cut."""
    text = tidy(text)
    names = [name for name in _PLACES.split(text) if name]
    if len(text) <= room or len(names) < 3:
        return text
    found, end = "", 0
    for kept, name in enumerate(names[:-1], 1):
        end = text.index(name, end) + len(name)
        said = pattern.format(some=text[:end], rest=len(names) - kept, all=len(names))
        if found and len(said) > room:
            break
        found = said
    return found


def named(text: str, room: int) -> str:
    """A name within `room` characters, cut at a word and marked as cut."""
    text = tidy(text)
    if len(text) <= room:
        return text
    cut = text[: room - 3]
    return (cut.rsplit(" ", 1)[0] if " " in cut[room // 2 :] else cut).rstrip(",;:. ") + "..."


def _beyond(text: str, language: str, usual: int) -> int:
    """How many segments beyond the usual (of GSM-7) a short message with it has."""
    counted = segments(text)
    room = usual if counted.encoding == "gsm-7" or base_of(language) in _DENSE else (usual * 5 + 1) // 2
    return counted.count - room if counted.count <= MOST else MOST


def fits(text: str, language: str, usual: int) -> bool:
    """Whether a short message holds it in its usual segments."""
    return _beyond(text, language, usual) <= 0


def fitted(candidates: Iterable[str], language: str, usual: int) -> str:
    """The first candidate with the fewest segments beyond the usual; empty where none fits in `MOST`."""
    least, found = MOST, ""
    for text in candidates:
        beyond = _beyond(text, language, usual)
        if beyond < least:
            least, found = beyond, text
        if least <= 0:
            break
    return found
