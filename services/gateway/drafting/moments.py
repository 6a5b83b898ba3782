"""Reads the times somebody types, local to the jurisdiction: `22:40` is the next such moment, `2026-11-30 22:40` is that one.

In the night in which the clocks change an hour comes twice, or not at all. Which is meant is asked, and said by the distance from
UTC: `02:30 UTC+1`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from services.shared.i18n import t

_TIME = re.compile(
    r"(?:(\d{4})[-./\u5e74](\d{1,2})[-./\u6708](\d{1,2})\u65e5?[ T]\s*)?(\d{1,2})[:.\u65f6\u6642\u70b9](\d{2})\u5206?"
    r"(?:\s*(?:UTC|GMT)([+-]\d{1,2})(?::?(\d{2}))?)?",
    re.ASCII | re.IGNORECASE,
)
DAY_S = 86400.0
OffsetAt = Callable[[float], int]  # a time > minutes east of UTC


class UnclearTime(ValueError):
    """An hour that comes twice or not at all; the sentence asks which is meant."""


def instant(text: str, after: float, offset_at: OffsetAt) -> float:
    """Seconds since 1970 UTC; an hour alone is the first such moment after `after`. ValueError for what is no time, UnclearTime
    where the clocks change."""
    plain = " ".join(unicodedata.normalize("NFKC", text).split())
    given = _TIME.fullmatch(plain)
    if given is None:
        raise ValueError("this is no time")
    year, month, day, hour, minute, east, past = given.groups()
    said = None if east is None else _minutes(east, past or "0")
    if year is not None:
        local = datetime(int(year), int(month), int(day), int(hour), int(minute), tzinfo=UTC)
        return _one_of(_moments(local, offset_at, said), local, offset_at)
    today = datetime.fromtimestamp(after + 60.0 * offset_at(after), UTC)
    local = today.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
    found = _moments(local, offset_at, said)
    to_come = [at for at in found if at > after]
    if to_come or (not found and local > today):
        return _one_of(to_come, local, offset_at)
    local += timedelta(days=1)
    return _one_of(_moments(local, offset_at, said), local, offset_at)


def typed(at: float, offset_at: OffsetAt) -> str:
    """The moment as `instant` reads it again."""
    offset = offset_at(at)
    local = datetime.fromtimestamp(at + 60.0 * offset, UTC)
    clear = len(_moments(local.replace(second=0, microsecond=0), offset_at)) < 2
    return f"{local:%Y-%m-%d %H:%M}" if clear else f"{local:%Y-%m-%d %H:%M} {_east(offset)}"


def settled(text: str, after: float, offset_at: OffsetAt) -> str:
    """A time that can be read, with its day: read tomorrow it is the same. What is none stays as it was typed."""
    try:
        return typed(instant(text, after, offset_at), offset_at)
    except (ValueError, OverflowError):
        return text


def _moments(local: datetime, offset_at: OffsetAt, said: int | None = None) -> list[float]:
    """When clocks there show this: once, in the night of a change twice or never, the earlier first. `said`: minutes east of UTC
    that were typed along."""
    shown = local.timestamp()
    if said is not None:
        return [shown - 60.0 * said]
    offsets = {offset_at(shown - DAY_S), offset_at(shown + DAY_S)}
    return sorted(at for at in (shown - 60.0 * offset for offset in offsets) if at + 60.0 * offset_at(at) == shown)


def _one_of(found: list[float], local: datetime, offset_at: OffsetAt) -> float:
    if len(found) == 1:
        return found[0]
    clock, shown = f"{local:%H:%M}", local.timestamp()
    if found:
        first, second = (_east(offset_at(at)) for at in found)
        said = t(
            "{time} comes twice that night, as the clocks are put back: write {first} after it for the first, {second} for the "
            "second.", time=clock, first=first, second=second,
        )  # fmt: skip
        raise UnclearTime(said)
    later = shown + 60.0 * (offset_at(shown + DAY_S) - offset_at(shown - DAY_S))
    raise UnclearTime(
        t(
            "There is no {time} that night, as the clocks are put forward: write {later}, which it is then, or another time.",
            time=clock, later=f"{datetime.fromtimestamp(later, UTC):%H:%M}",
        )
    )  # fmt: skip


def _minutes(hours: str, minutes: str) -> int:
    """East of UTC. ValueError for more than there is."""
    found = abs(int(hours)) * 60 + int(minutes)
    if found > 14 * 60 or int(minutes) > 59:
        raise ValueError("no place is so far from UTC")
    return -found if hours.startswith("-") else found


def _east(offset: int) -> str:
    hours, minutes = divmod(abs(offset), 60)
    return f"UTC{'-' if offset < 0 else '+'}{hours}" + (f":{minutes:02d}" if minutes else "")
