"""The hazard colour a source gives: what the met office says, which is not what we do."""

from __future__ import annotations

import re

from services.gateway.cap.model import Alert
from services.gateway.cap.sources import NOTHING, source_of
from services.shared.tiers import Tier

_WORDS = {
    "red": "red", "orange": "orange", "amber": "orange", "yellow": "yellow", "green": "green", "blue": "blue",
    "purple": "purple", "红": "red", "紅": "red", "橙": "orange", "黄": "yellow", "黃": "yellow", "蓝": "blue",
    "藍": "blue", "绿": "green", "綠": "green", "roja": "red", "rojo": "red", "morado": "purple", "naranja": "orange",
    "amarilla": "yellow", "amarillo": "yellow", "verde": "green", "azul": "blue",
}  # fmt: skip
_LEVELS = {Tier.RED: "red", Tier.ORANGE: "orange", Tier.YELLOW: "yellow", Tier.BLUE: "blue"}


def colour_of(alert: Alert) -> str:
    """red, orange, yellow, blue, green or purple, as the first block's own level says it; empty where none does."""
    source = source_of(alert)
    for info in alert.infos:
        for name, words in source.levels:
            for said, value in (*info.parameter, *info.event_code):
                if said == name and (word := _first(value, list(words))):
                    level = words[word]
                    named = _WORDS.get(word) or ("green" if level == NOTHING else "")
                    if named:
                        return named
        if source.name == "China":
            for pattern, level in source.headline:
                if isinstance(level, Tier) and re.search(pattern, f"{info.headline}\n{info.event}", re.IGNORECASE):
                    return _LEVELS[level]
    return ""


def _first(value: str, words: list[str]) -> str:
    folded = value.casefold()
    return next((w for w in words if re.search(rf"(?<![a-z]){re.escape(w)}(?![a-z])", folded)), "")
