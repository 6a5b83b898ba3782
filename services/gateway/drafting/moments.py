"""Reads the times somebody types, local to the jurisdiction: `22:40` is the next such moment, `2026-11-30 22:40` is that one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_TIME = re.compile(
    r"(?:(\d{4})[-./\u5e74](\d{1,2})[-./\u6708](\d{1,2})\u65e5?[ T]\s*)?(\d{1,2})[:.\u65f6\u6642\u70b9](\d{2})\u5206?",
    re.ASCII,
)
OffsetAt = Callable[[float], int]  # a time > minutes east of UTC


def instant(text: str, after: float, offset_at: OffsetAt) -> float:
    """Seconds since 1970 UTC; an hour alone is the first such moment after `after`. ValueError for what is no time."""
    plain = " ".join(unicodedata.normalize("NFKC", text).split())
    given = _TIME.fullmatch(plain)
    if given is None:
        raise ValueError("this is no time")
    year, month, day, hour, minute = given.groups()
    if year is not None:
        return _utc(datetime(int(year), int(month), int(day), int(hour), int(minute), tzinfo=UTC), offset_at)
    today = datetime.fromtimestamp(after + 60.0 * offset_at(after), UTC)
    found = today.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
    at = _utc(found, offset_at)
    return at if at > after else _utc(found + timedelta(days=1), offset_at)


def typed(at: float, offset_at: OffsetAt) -> str:
    """The moment as `instant` reads it again."""
    return f"{datetime.fromtimestamp(at + 60.0 * offset_at(at), UTC):%Y-%m-%d %H:%M}"


def settled(text: str, after: float, offset_at: OffsetAt) -> str:
    """A time that can be read, with its day: read tomorrow it is the same. What is none stays as it was typed."""
    try:
        return typed(instant(text, after, offset_at), offset_at)
    except (ValueError, OverflowError):
        return text


def _utc(local: datetime, offset_at: OffsetAt) -> float:
    guess = local.timestamp() - 60.0 * offset_at(local.timestamp())
    return local.timestamp() - 60.0 * offset_at(guess)
