"""Narrows a provider's channels by country, from a file that can be corrected without a new program.

The channel an installation offers is that of its home country (TOCSIN_COUNTRY); a number of another country gets what its
own lets through, or is refused with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import phonenumbers
from pydantic import Field

from services.channels.model.channel import Channel
from services.channels.model.driver import Driver
from services.shared.errors import Refused
from services.shared.input.files import Document, Entry, open_file
from services.shared.settings import Settings

SHIPPED = Path(__file__).with_name("country_limits.yaml")


class Limit(Entry):
    """What is narrower than the channel itself says."""

    two_way: bool = True
    links: bool = True
    repeats_per_day: int = Field(0, ge=0, le=1000)
    templates_only: bool = False
    closed: str = Field("", max_length=60)

    def of(self, channel: Channel) -> Channel:
        """The channel as it is there."""
        most = [n for n in (channel.repeats_per_day, self.repeats_per_day) if n]
        return replace(
            channel, two_way=channel.two_way and self.two_way, links=channel.links and self.links,
            repeats_per_day=min(most, default=0), templates_only=channel.templates_only or self.templates_only,
        )  # fmt: skip


Country = Mapping[str, Limit]


@dataclass(frozen=True)
class CountryLimits:
    """All of the file; `home` is the installation's country."""

    by_driver: Mapping[str, Country]
    home: str = ""

    def at(self, driver: str, country: str) -> Limit:
        """What holds for a driver in a country; nothing where nothing is said."""
        return self.by_driver.get(driver, {}).get(country, Limit())

    def channels(self, driver: Driver) -> tuple[Channel, ...]:
        """A driver's channels as they are at home; none where it is closed there."""
        return self.narrowed(driver.name, driver.channels)

    def narrowed(self, driver: str, channels: Iterable[Channel]) -> tuple[Channel, ...]:
        """These channels as a driver carries them at home."""
        limit = self.at(driver, self.home)
        return () if limit.closed else tuple(limit.of(channel) for channel in channels)

    def why_not(self, driver: Driver) -> str:
        """Why it cannot send: its own reason, or that it is closed at home."""
        return driver.why_not() or self.at(driver.name, self.home).closed

    def for_number(self, driver: str, channel: Channel, to: str) -> Channel:
        """The channel to one number; Refused where its country is closed to this driver."""
        mine = self.by_driver.get(driver, {})
        if not to.startswith(_prefixes(frozenset(mine))):  # to read a whole number takes a tenth of a send
            return channel
        country = country_of(to)
        if not country or country == self.home:
            return channel
        limit = self.at(driver, country)
        if limit.closed:
            raise Refused(f"{driver}: {limit.closed}", field="contact", rule="country", given=country)
        return limit.of(channel)


@cache
def _prefixes(countries: frozenset[str]) -> tuple[str, ...]:
    return tuple(f"+{phonenumbers.country_code_for_region(country)}" for country in sorted(countries))


def country_of(number: str) -> str:
    """Two letters of a number's country; empty for what is no international number. Not remembered: it is somebody's."""
    if not number.startswith("+"):
        return ""
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number)) or ""
    except phonenumbers.NumberParseException:
        return ""


def read_limits(document: Document, home: str, channels: Iterable[str], *, shipped: bool = False) -> CountryLimits:
    """Refused where a word, a driver or a country is not known; `channels` are those installed.

    The file that ships speaks of channels that may not be installed: those are passed over.
    """
    names = set(channels)
    found = document.read(dict[str, dict[str, Limit]])
    for name, countries in found.items():
        if name not in names and not shipped:
            raise document.fault((name,), "known", f"there is no driver {name!r}: use {', '.join(sorted(names))}", name)
        for country in countries:
            if country not in phonenumbers.SUPPORTED_REGIONS:
                said = f"{country!r} are no two letters of a country (in YAML, NO needs quotes)"
                raise document.fault((name, country), "country", said, country)
    return CountryLimits({name: countries for name, countries in found.items() if name in names}, home)


def load_limits(channels: Iterable[str], settings: Settings) -> CountryLimits:
    """The file in use, for these channels."""
    if settings.country and settings.country not in phonenumbers.SUPPORTED_REGIONS:
        raise Refused(
            f"TOCSIN_COUNTRY={settings.country} is no country we know: give its two letters, like KE", given=settings.country,
            field="TOCSIN_COUNTRY",
        )  # fmt: skip
    document = open_file("TOCSIN_CHANNEL_LIMITS", settings.channel_limits or SHIPPED)
    return read_limits(document, settings.country, channels, shipped=settings.channel_limits is None)
