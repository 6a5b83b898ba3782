"""How an SMS will be cut: GSM-7 in 160 or 153 septets, anything else in 70 or 67 UCS-2 units. Pure."""

from __future__ import annotations

from dataclasses import dataclass

_GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM7_EXTENDED = frozenset("^{}\\[~]|€\f")


@dataclass(frozen=True)
class Segments:
    """gsm-7 (160/153 septets) or ucs-2 (70/67 code units)."""

    encoding: str
    units: int
    count: int


def segments(text: str) -> Segments:
    """The cut a provider makes; a character outside GSM-7 turns the whole text to UCS-2."""
    if all(c in _GSM7 or c in _GSM7_EXTENDED for c in text):
        units = sum(2 if c in _GSM7_EXTENDED else 1 for c in text)
        return Segments("gsm-7", units, 1 if units <= 160 else -(-units // 153))
    units = len(text.encode("utf-16-be")) // 2
    return Segments("ucs-2", units, 1 if units <= 70 else -(-units // 67))
