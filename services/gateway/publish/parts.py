"""Message parts of a warning, by language: source, tier, hazard, place, action, time; every channel's form is made of them.

`asked` is what the alert itself asks, in the words of `cap.hazards`, and empty where it asks nothing: no text tells people to
leave or to stay in where nobody said so. `action` is the authority's own and may be empty; what a form then says is its
`description`. Lines of a list stay lines.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from services.gateway.cap.rules import Notes
from services.gateway.cap.text import one_line, plain
from services.shared.text.chinese import is_traditional, traditional
from services.shared.tiers import Tier, title

_DAYS_ZH = "一二三四五六日"
_NEAR = timedelta(days=6)  # within it a weekday names one day


def parts_of(row: Any, tier: Tier | None, offset_at: Callable[[float], int], authority: str) -> dict[str, Any]:
    """`languages` in the warning's order, then one entry a language.

    `offset_at` gives the minutes east of UTC at a time: sent, begin and end may lie on two sides of a clock change.
    `utc_offset_min` is that of the sending.
    """
    respond = row.sense.get("asked", "")
    found: dict[str, Any] = {
        "languages": list(row.texts),
        "utc_offset_min": offset_at(row.sent),
        "tier_reason": row.sense["tier_reason"],
        "notes": row.sense["notes"],
        "set": row.sense.get("hazard", ""),
        "asked": respond,
        "whole": bool(row.sense.get("apart")),  # places with words of their own: none may be left out
    }
    places = row.sense.get("go_to") or {}  # confirmed open: no other comes in
    impact = row.sense.get("impact")
    for language, text in row.texts.items():
        found[language] = {
            "source": line(text["source"]) or authority,
            "tier": tier_words(tier, respond, language) if tier else "",
            "hazard": line(text["hazard"]),
            "event": line(text.get("event", "")),
            "place": line(text["place"]),
            "action": clean(text["action"]),
            "description": clean(text.get("description", "")),
            "to": {"name": line(places[language]), "open": True} if language in places else {},
            "impact": clock_time(impact, row.sent, offset_at, language) if impact else "",
            "time": times(row.sent, row.state_expires_at, offset_at, language),
        }
    return found


def tier_words(tier: Tier, respond: str, language: str) -> str:
    """'Red: go now', '红色(马上走)', '紅色(馬上走)'; empty in a language we have no words in: the authority's own stand alone."""
    colours = {Tier.BLUE: "蓝色", Tier.YELLOW: "黄色", Tier.ORANGE: "橙色", Tier.RED: "红色"}
    english, mandarin = title(tier, respond)
    match base_of(language):
        case "zh":
            words = f"{colours[tier]}({mandarin})" if mandarin else colours[tier]
            return traditional(words) if is_traditional(language) else words
        case "en":
            return f"{tier.word.capitalize()}: {english.lower()}" if english else tier.word.capitalize()
    return ""


def base_of(language: str) -> str:
    """The tag's first part."""
    return language.lower().replace("_", "-").split("-")[0]


def times(sent: float, expires: float, offset_at: Callable[[float], int], language: str) -> str:
    """When it was sent and until when it holds, each in the local time of its own day; far ones with their date."""
    a, b = _local(sent, offset_at), _local(expires, offset_at)
    far = abs(b.date() - a.date()) > _NEAR
    match base_of(language):
        case "zh":
            until = f"{b.month}月{b.day}日" if far or b.month != a.month else f"{b.day}日"
            until = f"{b.year}年{until}" if far and b.year != a.year else until
            words = f"{a.month}月{a.day}日周{_DAYS_ZH[a.weekday()]}{a:%H:%M}发,到{until}{b:%H:%M}。"
            return traditional(words) if is_traditional(language) else words
        case "en":
            return f"Sent {a:%a %H:%M}, until {_day(b, a)} {b:%H:%M}."
    return f"{a.day}.{a.month}. {a:%H:%M} - {b.day}.{b.month}.{b.year if b.year != a.year else ''} {b:%H:%M}."


def clock_time(at: float, sent: float, offset_at: Callable[[float], int], language: str) -> str:
    """An hour in local time, with its day where that is another than the message's: '03:00', 'Wed 03:00', '10日03:00'."""
    a, b = _local(at, offset_at), _local(sent, offset_at)
    if a.date() == b.date():
        return f"{a:%H:%M}"
    match base_of(language):
        case "zh":
            month = f"{a.month}月" if a.month != b.month or abs(a.date() - b.date()) > _NEAR else ""
            return f"{month}{a.day}日{a:%H:%M}"
        case "en":
            return f"{_day(a, b)} {a:%H:%M}"
    return f"{a.day}.{a.month}. {a:%H:%M}"


def _local(when: float, offset_at: Callable[[float], int]) -> datetime:
    return datetime.fromtimestamp(when, timezone(timedelta(minutes=offset_at(when))))


def _day(day: datetime, beside: datetime) -> str:
    """'Wed'; 'Mon 7 Dec' where the weekday alone could be another; with the year where that is another too."""
    if abs(day.date() - beside.date()) <= _NEAR:
        return f"{day:%a}"
    return f"{day:%a} {day.day} {day:%b}" + (f" {day.year}" if day.year != beside.year else "")


def clean(text: str) -> str:
    """The text a phone can show, as the reader of alerts makes it: real markup and control characters gone, nothing else."""
    return plain(text, "", Notes(strict=False))


def line(text: str) -> str:
    """The same on one line."""
    return one_line(clean(text))
