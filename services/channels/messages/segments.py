"""Counts the segments of an SMS before it is sent; `sms_encoding` cuts it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from services.channels.messages.sms_encoding import GSM7, pieces, units


@dataclass(frozen=True)
class Segments:
    """gsm-7 (160/153 septets) or ucs-2 (70/67 code units)."""

    encoding: str
    units: int
    count: int


def segments(text: str) -> Segments:
    """The cut a provider makes; a character outside GSM-7 turns the whole text to UCS-2."""
    coding, found = pieces(text)
    octets = sum(map(len, found))
    return Segments("gsm-7", octets, len(found)) if coding == GSM7 else Segments("ucs-2", octets // 2, len(found))


def outside(text: str) -> str:
    """The characters of a text that GSM-7 does not have, each once, in the order they come."""
    return "".join(one for one in dict.fromkeys(text) if units(one)[0] != GSM7)
