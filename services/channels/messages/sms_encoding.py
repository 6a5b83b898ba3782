"""Cuts a text into the parts of an SMS: GSM-7 or UCS-2, numbered by a header where there are several. Pure.

Source: 3GPP TS 23.038 (alphabet, escape) and 23.040 9.2.3.24.1 (concatenation, 8-bit reference). SMPP carries GSM-7 a
septet an octet; the SMSC packs. A part never ends within an escape, nor between the halves of a surrogate pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

GSM7, UCS2 = 0x00, 0x08  # data_coding
UDHI = 0x40  # esm_class: a user data header comes first
ESCAPE = 0x1B
_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = {
    "\f": 0x0A, "^": 0x14, "{": 0x28, "}": 0x29, "\\": 0x2F, "[": 0x3C, "~": 0x3D, "]": 0x3E, "|": 0x40, "€": 0x65,
}  # fmt: skip
_UNITS = {character: bytes((code,)) for code, character in enumerate(_BASIC) if code != ESCAPE}
_UNITS |= {character: bytes((ESCAPE, code)) for character, code in _EXTENDED.items()}
_FROM_EXTENDED = {code: character for character, code in _EXTENDED.items()}
_ROOM = {GSM7: (160, 153), UCS2: (140, 134)}  # octets of a text that is whole, and of a part beside its header


@dataclass(frozen=True)
class SmsPart:
    """One short message: its octets, header included, and how SMPP is to carry it."""

    octets: bytes
    data_coding: int
    esm_class: int


def pieces(text: str) -> tuple[int, list[bytes]]:
    """data_coding and what each part holds beside its header; one piece where it needs none."""
    coding, signs = units(text)
    whole, beside = _ROOM[coding]
    if sum(map(len, signs)) <= whole:
        return coding, [b"".join(signs)]
    found, begin, size = list[bytes](), 0, 0
    for n, sign in enumerate(signs):
        if size + len(sign) > beside:
            found.append(b"".join(signs[begin:n]))
            begin, size = n, 0
        size += len(sign)
    return coding, [*found, b"".join(signs[begin:])]


def split(text: str, reference: int) -> tuple[SmsPart, ...]:
    """The parts of `text`; `reference` (0-255) tells its parts from another text's. ValueError beyond 255 parts."""
    return parts(*pieces(text), reference)


def parts(coding: int, found: Sequence[bytes], reference: int) -> tuple[SmsPart, ...]:
    """The parts of a text whose pieces are known."""
    if len(found) == 1:
        return (SmsPart(found[0], coding, 0),)
    if len(found) > 255:
        raise ValueError(f"{len(found)} parts, and 255 is the most there can be")
    head = bytes((5, 0, 3, reference % 256, len(found)))
    return tuple(SmsPart(head + bytes((n,)) + piece, coding, UDHI) for n, piece in enumerate(found, 1))


def units(text: str) -> tuple[int, Sequence[bytes]]:
    """What must not be divided, one by one: septets with their escape, or characters with both their surrogates."""
    try:
        return GSM7, [_UNITS[c] for c in text]
    except KeyError:
        return UCS2, [c.encode("utf-16-be", "replace") for c in text]


def read(octets: bytes, data_coding: int, esm_class: int) -> str:
    """The text of a message that came in, without its header; what cannot be read becomes U+FFFD."""
    if esm_class & UDHI and octets:
        octets = octets[octets[0] + 1 :]
    if data_coding == UCS2:
        return octets.decode("utf-16-be", "replace")
    if data_coding in (0x01, 0x03):  # ASCII, Latin-1
        return octets.decode("latin-1")
    text, escaped = "", False
    for code in octets:
        if code == ESCAPE and not escaped:
            escaped = True
            continue
        basic = _BASIC[code] if code < len(_BASIC) else "�"
        text += _FROM_EXTENDED.get(code, basic) if escaped else basic
        escaped = False
    return text
