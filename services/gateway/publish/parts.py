"""Splits a warning into message parts by language: source, tier, hazard, place, action, time.

`instruction` is the one thing the warning tells people to do (`hazards.instructions`), and empty where it does not say one: no
text tells people to leave or to stay in where nobody said so. `action` is the authority's own and may be empty; what a form then
says is its `description`. Lines of a list stay lines.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Protocol

from services.gateway.cap.rules import Notes
from services.gateway.cap.text import one_line, plain
from services.gateway.store import Parts, StoredSense, Texts
from services.shared import i18n
from services.shared.i18n import mark, t, tc
from services.shared.people.languages import base_of
from services.shared.text.chinese import is_traditional, traditional
from services.shared.tiers import GO_UP, STAY_IN, TITLES, Tier, title

NEXT_WORD_S = 900.0
_NEAR = timedelta(days=6)  # within it a weekday names one day


class Described(Protocol):
    """A message that has come in, stored or not: its meaning, texts and times."""

    @property
    def sense(self) -> StoredSense: ...
    @property
    def texts(self) -> Texts: ...
    @property
    def sent(self) -> float: ...
    @property
    def state_expires_at(self) -> float: ...


def parts_of(
    row: Described, tier: Tier | None, offset_at: Callable[[float], int], authority: str, of_place: str = ""
) -> Parts:
    """`languages` in the warning's order, then one entry a language.

    `offset_at` gives the minutes east of UTC at a time: sent, begin and end may lie on two sides of a clock change.
    `utc_offset_min` is that of the sending.
    """
    instruction = row.sense.get("instruction", "")
    found: Parts = {
        "languages": list(row.texts),
        "utc_offset_min": offset_at(row.sent),
        "tier_reason": row.sense["tier_reason"],
        "notes": row.sense["notes"],
        "set": row.sense.get("hazard", ""),
        "instruction": instruction,
        "of_place": of_place,  # the languages of the place, for whoever has none of the warning's
        "sketched": row.sense.get("sketched", False),
        "whole": bool(row.sense.get("apart")),  # places with words of their own: none may be left out
    }
    places = row.sense.get("go_to") or {}  # confirmed open: no other comes in
    impact = row.sense.get("impact")
    for language, text in row.texts.items():
        found[language] = {
            "source": line(text["source"]) or authority,
            "tier": tier_words(tier, instruction, language) if tier else "",
            "hazard": line(text["hazard"]),
            "event": line(text.get("event", "")),
            "place": line(text["place"]),
            "action": clean(text["action"]),
            "description": clean(text.get("description", "")),
            "to": {"name": line(places[language]), "open": True} if language in places else {},
            "impact": clock_time(impact, row.sent, offset_at, language) if impact else "",
            "next": clock_time(_next_word(row.sent), row.sent, offset_at, language),
            "time": times(row.sent, row.state_expires_at, offset_at, language),
            "sent": sent_at(row.sent, offset_at, language),
        }
    return found


def _next_word(sent: float) -> float:
    """When people who are told that a message is being checked hear again: in a quarter of an hour, at a round time."""
    return math.ceil((sent + NEXT_WORD_S) / 300) * 300


# how urgent, and what people are asked; words of ours alone, in the languages we have
_TIER_WORDS = {
    (Tier.BLUE, ""): mark("Blue"), (Tier.YELLOW, ""): mark("Yellow"), (Tier.ORANGE, ""): mark("Orange"),
    (Tier.RED, ""): mark("Red"), (Tier.BLUE, TITLES[Tier.BLUE]): mark("Blue: be aware"),
    (Tier.YELLOW, TITLES[Tier.YELLOW]): mark("Yellow: get ready"),
    (Tier.ORANGE, TITLES[Tier.ORANGE]): mark("Orange: slow ones go now"),
    (Tier.RED, TITLES[Tier.RED]): mark("Red: go now"), (Tier.RED, STAY_IN): mark("Red: stay in now"),
    (Tier.RED, GO_UP): mark("Red: go up now"),
}  # fmt: skip


def tier_words(tier: Tier, instruction: str, language: str) -> str:
    """'Red: go now', '红色(马上走)', '紅色(馬上走)'; empty in a language we have no words in: the authority's own stand alone."""
    return _said(language, lambda: t(_TIER_WORDS[tier, title(tier, instruction)]))


def times(sent: float, expires: float, offset_at: Callable[[float], int], language: str) -> str:
    """When it was sent and until when it holds, in each day's local time; far ones with their date."""
    a, b = _local(sent, offset_at), _local(expires, offset_at)
    words = _said(
        language,
        lambda: t(
            "Sent {sent}, until {until}.", sent=i18n.written(a, tc("when a message was sent", "EEE HH:mm")),
            until=i18n.written(b, _pattern(b, a)),
        ),
    )  # fmt: skip
    return words or f"{a.day}.{a.month}. {a:%H:%M} - {b.day}.{b.month}.{b.year if b.year != a.year else ''} {b:%H:%M}."


def sent_at(sent: float, offset_at: Callable[[float], int], language: str) -> str:
    """When it was sent, alone: an ending holds for good, and "you may go home, until Monday" would be read as a limit."""
    a = _local(sent, offset_at)
    words = _said(language, lambda: t("Sent {sent}.", sent=i18n.written(a, tc("when a message was sent", "EEE HH:mm"))))
    return words or f"{a.day}.{a.month}. {a:%H:%M}."


def clock_time(at: float, sent: float, offset_at: Callable[[float], int], language: str) -> str:
    """An hour in local time, with its day where that is another than the message's: '03:00', 'Wed 03:00', '10日03:00'."""
    a, b = _local(at, offset_at), _local(sent, offset_at)
    if a.date() == b.date():
        return f"{a:%H:%M}"
    return _said(language, lambda: i18n.written(a, _pattern(a, b))) or f"{a.day}.{a.month}. {a:%H:%M}"


def _said(language: str, words: Callable[[], str]) -> str:
    """What `words` says in that language, in its script; empty where we have no words in it."""
    tag = i18n.best(language)
    if base_of(tag) != base_of(language):
        return ""
    with i18n.speaking(tag):
        return traditional(words()) if is_traditional(language) else words()


def _pattern(day: datetime, beside: datetime) -> str:
    """How a moment is written beside another: 'Wed 03:00'; with its date, or year, where the weekday could be another."""
    if abs(day.date() - beside.date()) <= _NEAR:
        if day.month == beside.month:
            return tc("a moment within six days", "EEE HH:mm")
        return tc("a moment within six days, of another month", "EEE HH:mm")
    if day.year == beside.year:
        return tc("a far moment", "EEE d MMM HH:mm")
    return tc("a far moment of another year", "EEE d MMM y HH:mm")


def _local(when: float, offset_at: Callable[[float], int]) -> datetime:
    return datetime.fromtimestamp(when, timezone(timedelta(minutes=offset_at(when))))


def clean(text: str) -> str:
    """The text as a phone can show it: real markup and control characters are gone, and nothing else."""
    return plain(text, "", Notes(strict=False))


def line(text: str) -> str:
    """The same on one line."""
    return one_line(clean(text))
