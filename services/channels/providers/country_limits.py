"""What a provider's channel lacks in a country: said in a file, so that it can be put right without a new program.

The channel an installation offers is that of its home country (TOCSIN_COUNTRY); a number of another country gets what its
own lets through, or is refused with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import phonenumbers
import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_settings import SettingsConfigDict

from services.channels.model.channel import Channel
from services.channels.model.driver import Driver
from services.shared.errors import Refused
from services.shared.input.untrusted import yaml_of
from services.shared.settings import Environment

SHIPPED = Path(__file__).with_name("country_limits.yaml")


class Limit(BaseModel):
    """What is narrower than the channel itself says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

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


class LimitSettings(Environment):
    """TOCSIN_CHANNEL_LIMITS: a file like limits.yaml that stands in its place; TOCSIN_COUNTRY: home."""

    model_config = SettingsConfigDict(env_prefix="TOCSIN_")

    channel_limits: Path | None = None
    country: str = ""


Country = Mapping[str, Limit]
_FILE = TypeAdapter(dict[str, dict[str, Limit]])


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


def read_limits(text: str, home: str, channels: Iterable[str], source: str) -> CountryLimits:
    """Refused where a word, a driver or a country is not known; `channels` are those installed."""
    try:
        found = _FILE.validate_python(yaml_of(text) or {})
    except yaml.YAMLError as wrong:
        raise Refused(f"{source}: {wrong}", field="TOCSIN_CHANNEL_LIMITS", rule="yaml") from wrong
    except ValidationError as wrong:
        first = wrong.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refused(
            f"{source}: {where}: {first['msg']}", field="TOCSIN_CHANNEL_LIMITS", rule=first["type"],
            given=str(first.get("input"))[:80], remedy=f"use {', '.join(Limit.model_fields)}",
        ) from wrong  # fmt: skip
    for name, countries in found.items():
        if name not in channels:
            known = ", ".join(sorted(channels))
            raise Refused(
                f"{source}: there is no driver {name!r}: use {known}", field="TOCSIN_CHANNEL_LIMITS", given=name
            )
        for country in countries:
            if country not in phonenumbers.SUPPORTED_REGIONS:
                raise Refused(
                    f"{source}: {name}: {country!r} are no two letters of a country (in YAML, NO needs quotes)",
                    field="TOCSIN_CHANNEL_LIMITS", given=country,
                )  # fmt: skip
    return CountryLimits(found, home)


def load_limits(channels: Iterable[str]) -> CountryLimits:
    """The file in use, for these channels."""
    settings = LimitSettings()
    if settings.country and settings.country not in phonenumbers.SUPPORTED_REGIONS:
        raise Refused(
            f"TOCSIN_COUNTRY={settings.country} is no country we know: give its two letters, like KE", given=settings.country,
            field="TOCSIN_COUNTRY",
        )  # fmt: skip
    path = settings.channel_limits or SHIPPED
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise Refused(
            f"TOCSIN_CHANNEL_LIMITS={path} cannot be read ({problem})", field="TOCSIN_CHANNEL_LIMITS", given=str(path)
        ) from problem
    names = list(channels)
    if settings.channel_limits is None:  # ours speaks of channels that may not be installed
        shipped = yaml.safe_load(text)
        text = yaml.safe_dump({name: shipped[name] for name in shipped if name in names})
    return read_limits(text, settings.country, names, str(path))
