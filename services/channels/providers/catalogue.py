"""Catalogues which driver carries each channel here, and what the channel can do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypedDict

from services.channels.model.channel import STANDS_IN, Channel
from services.channels.model.driver import Driver
from services.channels.providers.country_limits import CountryLimits


class ChannelRow(TypedDict):
    """Of the channel table."""

    channel: str
    driver: str
    contact_kinds: list[str]
    two_way: bool
    links: bool
    voice: bool
    repeats_per_day: int
    templates_only: bool
    working: bool
    why: str


def channel_rows(drivers: Iterable[Driver], limits: CountryLimits) -> list[ChannelRow]:
    """The channel table: of several channels for one channel one that works; of those that work the first by name."""
    rows: dict[str, ChannelRow] = {
        r.name: {
            "channel": r.name,
            "driver": d.name,
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
        for r in limits.channels(d) or d.channels
    }
    return list(rows.values())


def channels_in_use(drivers: Iterable[Driver], limits: CountryLimits) -> dict[str, Channel]:
    """Each channel as the driver has it that stands in the table."""
    return {r.name: r for d in _last_stands(drivers, limits) for r in limits.channels(d) or d.channels}


def channels_of(drivers: Iterable[Driver], limits: CountryLimits) -> dict[str, Mapping[str, Channel]]:
    """Driver > its channels by name, as they are at home."""
    return {d.name: {r.name: r for r in limits.channels(d)} for d in drivers}


def _last_stands(drivers: Iterable[Driver], limits: CountryLimits) -> list[Driver]:
    by_name = sorted(drivers, key=lambda d: (d.name == STANDS_IN, d.name), reverse=True)
    return sorted(by_name, key=lambda d: not limits.why_not(d))
