"""Reads the pairs of a polygon and the pair and radius of a circle, however real feeds write them."""

from __future__ import annotations

import math
import re

from services.gateway.cap.model import ReadingLimits, Ring
from services.gateway.cap.rules import Notes

_PAIR = r"[-+]?\d{1,6}(?:\.\d{0,20})?,[-+]?\d{1,6}(?:\.\d{0,20})?"
_PAIRS = re.compile(rf"\s*{_PAIR}(?:\s+{_PAIR})*\s*", re.ASCII)
_STRAY = re.compile(r"[()\[\]{};|'\"]|\.{2,}|…")
_AROUND_COMMA = re.compile(r"\s*[,，]\s*")
_NUMBER = re.compile(r"[-+]?\d{1,6}(?:\.\d{0,20})?(?:[eE][-+]?\d{1,3})?", re.ASCII)


def read_polygon(text: str, where: str, limits: ReadingLimits, notes: Notes) -> Ring:
    """The pairs as (lat, lon), not yet closed, not yet judged; empty, and noted, where there is none.

    Read besides the standard's form: `lat,lon,lat,lon`, blanks at the comma or for it, a third number in each pair,
    stray brackets and dots.
    """
    if text.count(",") > limits.vertices * 2 or len(text) > limits.vertices * 60:
        notes.add("too_many_corners", where, text[:40])
        return ()
    if _PAIRS.fullmatch(text):
        return tuple(_pair(word) for word in text.split())
    cleaned = _STRAY.sub(" ", text)
    if not any(c.isdigit() for c in cleaned) and "nan" not in cleaned.lower() and "inf" not in cleaned.lower():
        notes.add("polygon_empty", where, text)
        return ()
    if len(cleaned.split()) > 2 * limits.vertices_each:
        notes.add("too_many_corners", where, text[:40])
        return ()
    ring = _pairs_anyhow(cleaned)
    if ring is None:
        notes.add("polygon_unreadable", where, text)
        return ()
    notes.add("polygon_format", where, text)
    return ring


def _pairs_anyhow(text: str) -> Ring | None:
    words = text.split()
    numbers = [[_number(part) for part in word.split(",") if part] for word in words]
    if any(value is None for word in numbers for value in word):
        return None
    if all(len(word) == 2 for word in numbers):
        flat = [value for word in numbers for value in word]
    elif len(numbers) > 2 and all(len(word) == 3 for word in numbers):
        flat = [value for word in numbers for value in word[:2]]
    else:
        flat = [_number(part) for part in _AROUND_COMMA.sub(",", text).replace(",", " ").split()]
    if len(flat) % 2:
        return None
    values = [value for value in flat if value is not None]
    return tuple(zip(values[::2], values[1::2], strict=True))


def read_circle(text: str, where: str, notes: Notes) -> tuple[float, float, float] | None:
    """(lat, lon, radius in km); a missing radius is 0. None, and noted, where it cannot be read."""
    words = text.split()
    if len(words) == 2 and _NUMBER.fullmatch(words[1]) and words[0].count(",") == 1:
        numbers = [_number(part) for part in (*words[0].split(","), words[1])]
    else:
        numbers = [_number(part) for part in _STRAY.sub(" ", text).replace(",", " ").split()]
        if len(numbers) == 2:
            notes.add("circle_no_radius", where, text)
            numbers.append(0.0)
        else:
            notes.add("circle_format" if len(numbers) == 3 else "circle_unreadable", where, text)
    values = [value for value in numbers if value is not None]
    if len(values) != 3 or len(numbers) != 3:
        if None in numbers:
            notes.add("circle_unreadable", where, text)
        return None
    if values[2] < 0:
        notes.add("circle_negative", where, text)
        return None
    return values[0], values[1], values[2]


def _pair(word: str) -> tuple[float, float]:
    lat, lon = word.split(",")
    return float(lat), float(lon)


def _number(text: str) -> float | None:
    """A finite number, None for anything else."""
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None
