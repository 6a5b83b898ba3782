"""The catalogue: which driver carries each road here, and what the road can do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from services.channels.model.channel import STANDS_IN, Road
from services.channels.model.driver import Driver
from services.channels.providers.country_limits import Limits


def road_rows(drivers: Iterable[Driver], limits: Limits) -> list[dict[str, Any]]:
    """The road table: of several channels for one road one that works; of those that work the first by name."""
    rows = {
        r.name: {
            "road": r.name,
            "channel": d.name,
            "contact_kinds": list(r.contact_kinds),
            "two_way": r.two_way,
            "links": r.links,
            "voice": r.voice,
            "repeats_per_day": r.repeats_per_day,
            "templates_only": r.templates_only,
            "working": not limits.why_not(d),
            "why": limits.why_not(d)[:80],
        }
        for d in _last_stands(drivers, limits)
        for r in limits.roads(d) or d.roads
    }
    return list(rows.values())


def roads_in_use(drivers: Iterable[Driver], limits: Limits) -> dict[str, Road]:
    """Each road as the channel has it that stands in the table."""
    return {r.name: r for d in _last_stands(drivers, limits) for r in limits.roads(d) or d.roads}


def roads_of(drivers: Iterable[Driver], limits: Limits) -> dict[str, Mapping[str, Road]]:
    """Channel > its roads by name, as they are at home."""
    return {d.name: {r.name: r for r in limits.roads(d)} for d in drivers}


def _last_stands(drivers: Iterable[Driver], limits: Limits) -> list[Driver]:
    by_name = sorted(drivers, key=lambda d: (d.name == STANDS_IN, d.name), reverse=True)
    return sorted(by_name, key=lambda d: not limits.why_not(d))
