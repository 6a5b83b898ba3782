"""Moves an alert in time: to another hour of its day, to another lead before the impact. For trying a policy at 02:30 with an
hour to go.

Times are moved where they stand, and nothing else of the document is touched; an hour that is said in words is said anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from services.shared.errors import Refused

_TIME = r"<((?:\w+:)?{tag})>\s*([^<\s]+)\s*</"
_LASTS = timedelta(hours=1)  # a warning does not run out before its danger has been there for a while


def moved(alert: bytes, at: str = "", lead_min: float | None = None) -> bytes:
    """The same alert sent at a local time (HH:MM) of its day, its onset so many minutes later; what is not given stays."""
    if not at and lead_min is None:
        return alert
    try:
        text = alert.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise Refused(
            "the alert is not UTF-8: leave --lead and --at out, or save it as UTF-8", field="alert"
        ) from problem
    sent = _first(text, "sent")
    if sent is None:
        raise Refused("the alert says no time: give it a <sent>", field="alert", rule="required")
    begins = sent if not at else _on_the_day(sent, at)
    shift = begins - sent
    onset = _first(text, "onset")
    due = begins + timedelta(minutes=lead_min) if lead_min is not None else None if onset is None else onset + shift
    for tag in ("sent", "effective"):
        text = _each(text, tag, lambda when: when + shift)
    if due is not None:
        if onset is None:
            text = re.sub(r"(<((?:\w+:)?)expires>)", rf"<\2onset>{due.isoformat()}</\2onset>\1", text)
        else:
            text = _said_anew(_each(text, "onset", lambda _: due), onset, due)
    last = begins if due is None else due + _LASTS
    return _each(text, "expires", lambda when: max(when + shift, last)).encode()


def _on_the_day(sent: datetime, at: str) -> datetime:
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", at)
    if match is None:
        raise Refused(f"--at: give a time of the day like 02:30, not {at!r}", field="at", rule="time", given=at)
    return sent.replace(hour=int(match[1]), minute=int(match[2]), second=0)


def _first(text: str, tag: str) -> datetime | None:
    match = re.search(_TIME.format(tag=tag), text)
    return None if match is None else datetime.fromisoformat(match[2])


def _each(text: str, tag: str, change: Callable[[datetime], datetime]) -> str:
    """Every time of that name, changed."""

    def one(match: re.Match[str]) -> str:
        return f"<{match[1]}>{change(datetime.fromisoformat(match[2])).isoformat()}</"

    return re.sub(_TIME.format(tag=tag), one, text)


def _said_anew(text: str, old: datetime, new: datetime) -> str:
    """The hour of the danger where people read it: as 12:00, and as a Chinese hour."""
    hour = f"{new.hour}时" + (f"{new.minute}分" if new.minute else "")
    text = re.sub(rf"(?<![\d:T]){old:%H:%M}(?![\d:])", f"{new:%H:%M}", text)
    return re.sub(rf"(?<!\d){old.hour}时", hour, text) if not old.minute else text
