"""Splits a text into cell broadcast pages: 93 characters of GSM-7 or 41 of UCS-2, at most fifteen. Pure.

Source: 3GPP TS 23.041 9.4.2.2.5 (82 octets a page), TS 23.038 5 (coding scheme) and 6.1.2.2 (packing, filled up with CR).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from services.channels.messages import sms_encoding
from services.shared.text.sentences import first, flat, prefixes

GSM7, UCS2 = 0x0F, 0x48  # data coding scheme: default alphabet, language unspecified; UCS-2 without class
PAGES, OCTETS, SEPTETS = 15, 82, 93


@dataclass(frozen=True)
class Coded:
    """What is broadcast: the text as it was shortened, and its pages of 82 octets."""

    text: str
    scheme: int
    pages: tuple[bytes, ...]


def holds(text: str) -> bool:
    """Whether the pages hold all of it."""
    return len(_pages(flat(_bmp(text)))[1]) <= PAGES


def code(text: str) -> Coded:
    """The text's pages; a longer text ends with its last whole sentence that fits, and of one sentence that is too long only
    whole words are left, and dots. Signs beyond the BMP are left out."""
    there = _bmp(text)
    for whole in map(flat, prefixes(first(there, PAGES * SEPTETS)) or [there]):
        scheme, pages = _pages(whole)
        if len(pages) <= PAGES:
            return Coded(whole, scheme, _coded(scheme, pages))
    words = flat(there).split(" ")
    for keep in range(len(words) - 1, 0, -1):
        scheme, pages = _pages(cut := " ".join(words[:keep]) + " ...")
        if len(pages) <= PAGES:
            return Coded(cut, scheme, _coded(scheme, pages))
    scheme, pages = _pages(flat(there))
    kept = pages[:PAGES]
    return Coded(flat(there)[: sum(map(len, kept))], scheme, _coded(scheme, kept))


def _bmp(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFC", text) if ord(c) < 0x10000)


def _pages(text: str) -> tuple[int, list[list[bytes]]]:
    """The scheme, and each page's characters: none is divided between two."""
    coding, units = sms_encoding.units(text)
    scheme, room = (GSM7, SEPTETS) if coding == sms_encoding.GSM7 else (UCS2, OCTETS)
    pages: list[list[bytes]] = [[]]
    used = 0
    for unit in units:
        if used + len(unit) > room:
            pages.append([])
            used = 0
        pages[-1].append(unit)
        used += len(unit)
    return scheme, pages


def _coded(scheme: int, pages: Sequence[Sequence[bytes]]) -> tuple[bytes, ...]:
    whole = [b"".join(page) for page in pages]
    if scheme == UCS2:
        return tuple(one + b"\0\r" * ((OCTETS - len(one)) // 2) for one in whole)
    return tuple(_packed(one.ljust(SEPTETS, b"\r")) for one in whole)


def _packed(septets: bytes) -> bytes:
    """The first septet in the lowest bits of the first octet."""
    return sum(septet << 7 * n for n, septet in enumerate(septets)).to_bytes(OCTETS, "little")
