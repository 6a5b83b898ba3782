"""Message parts of a warning, by language: source, tier, hazard, place, action, time; every road's form is made of them."""

from __future__ import annotations

import html
import re
from datetime import datetime, timedelta, timezone
from typing import Any

from services.shared.tier import Tier, title

_TAG = re.compile(r"<[^>]{1,200}>")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
_DAYS_ZH = "一二三四五六日"


def parts_of(row: Any, tier: Tier | None, offset_min: int, authority: str) -> dict[str, Any]:
    """`languages` in the warning's order, then one entry a language; `utc_offset_min` for local times."""
    found: dict[str, Any] = {
        "languages": list(row.texts),
        "utc_offset_min": offset_min,
        "tier_reason": row.sense["tier_reason"],
        "notes": row.sense["notes"],
        "set": row.sense.get("hazard", ""),
        "respond": row.sense["respond"],
    }
    places = row.sense.get("go_to") or {}  # confirmed open: no other comes in
    impact = row.sense.get("impact")
    for language, text in row.texts.items():
        chinese = language.lower().startswith("zh")
        found[language] = {
            "source": clean(text["source"]) or authority,
            "tier": tier_words(tier, row.sense["respond"], chinese=chinese) if tier else "",
            "hazard": clean(text["hazard"]),
            "place": clean(text["place"]),
            "action": clean(text["action"]),
            "description": clean(text.get("description", "")),
            "to": {"name": clean(places[language]), "open": True} if language in places else {},
            "impact": clock_time(impact, row.sent, offset_min, chinese=chinese) if impact else "",
            "time": times(row.sent, row.state_expires_at, offset_min, chinese=chinese),
        }
    return found


def tier_words(tier: Tier, respond: str, *, chinese: bool) -> str:
    """'Red: go now', '红色(马上走)'."""
    colours = {Tier.BLUE: "蓝色", Tier.YELLOW: "黄色", Tier.ORANGE: "橙色", Tier.RED: "红色"}
    english, mandarin = title(tier, respond)
    if not english:
        return colours[tier] if chinese else tier.word.capitalize()
    return f"{colours[tier]}({mandarin})" if chinese else f"{tier.word.capitalize()}: {english.lower()}"


def times(sent: float, expires: float, offset_min: int, *, chinese: bool) -> str:
    """When it was sent and until when it holds, in local time with the day."""
    zone = timezone(timedelta(minutes=offset_min))
    a, b = datetime.fromtimestamp(sent, zone), datetime.fromtimestamp(expires, zone)
    if chinese:
        return f"{a.month}月{a.day}日周{_DAYS_ZH[a.weekday()]}{a:%H:%M}发,到{b.day}日{b:%H:%M}。"
    return f"Sent {a:%a %H:%M}, until {b:%a %H:%M}."


def clock_time(at: float, sent: float, offset_min: int, *, chinese: bool) -> str:
    """An hour in local time, with its day where that is another than the message's: '03:00', 'Wed 03:00', '10日03:00'."""
    zone = timezone(timedelta(minutes=offset_min))
    a, b = datetime.fromtimestamp(at, zone), datetime.fromtimestamp(sent, zone)
    if a.date() == b.date():
        return f"{a:%H:%M}"
    return f"{a.day}日{a:%H:%M}" if chinese else f"{a:%a %H:%M}"


def clean(text: str) -> str:
    """No markup, no control or direction-changing characters, no runs of spaces: the text a phone can show."""
    text = html.unescape(html.unescape(text))
    return " ".join(_CONTROL.sub(" ", _TAG.sub(" ", text)).split())
