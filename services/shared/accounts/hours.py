"""Reads the hours somebody is on duty: days and times like `Mo-Fr 08:00-18:00, Sa 20:00-06:00`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from services.shared.errors import Refused

DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_DAY_MIN = 1440
_PART = re.compile(r"(?:([A-Z][a-z])(?:-([A-Z][a-z]))?\s+)?(\d\d):(\d\d)-(\d\d):(\d\d)")


@lru_cache(maxsize=256)
def read(hours: str) -> tuple[tuple[int, int], ...]:
    """(Begin, end) in minutes of a week that begins on Monday; a span over midnight is of the day it begins on.

    Refused where a part is not written like Mo-Fr 08:00-18:00; one without days holds on each.
    """
    found = []
    for part in (p.strip() for p in hours.split(",") if p.strip()):
        given = _PART.fullmatch(part)
        first, last = (given[1] or "Mo", given[2] or given[1] or "Su") if given is not None else ("", "")
        if given is None or first not in DAYS or last not in DAYS:
            raise _unreadable(part)
        begin, end = (int(given[n]) * 60 + int(given[n + 1]) for n in (3, 5))
        if begin >= _DAY_MIN or end > _DAY_MIN or int(given[4]) > 59 or int(given[6]) > 59:
            raise _unreadable(part)
        a, z = DAYS.index(first), DAYS.index(last)
        for day in range(a, z + 1 if z >= a else z + 8):
            start = day % 7 * _DAY_MIN + begin
            found.append((start, start + (end - begin if end > begin else end - begin + _DAY_MIN)))
    return tuple(found)


def _unreadable(part: str) -> Refused:
    return Refused(
        f"hours: {part!r} is not understood: write days and times like Mo-Fr 08:00-18:00, Sa 20:00-06:00, and 24:00 for "
        "midnight; empty for always",
        field="hours", rule="hours", given=part,
    )  # fmt: skip


def zone_text(timezone: str, utc_offset_min: int | None) -> str:
    """Whose hours are meant, as a grant keeps it."""
    return timezone if utc_offset_min is None else str(utc_offset_min)


def local(zone: str, now: float) -> datetime:
    """The time there."""
    if zone.lstrip("-").isdigit():
        return datetime.fromtimestamp(now, UTC) + timedelta(minutes=int(zone))
    return datetime.fromtimestamp(now, ZoneInfo(zone))


def within(hours: str, zone: str, now: float) -> bool:
    """Whether that time lies within the hours; always where there are none."""
    if not hours.strip():
        return True
    there = local(zone, now)
    minute = there.weekday() * _DAY_MIN + there.hour * 60 + there.minute
    week = 7 * _DAY_MIN
    return any(begin <= at < end for begin, end in read(hours) for at in (minute, minute + week))
