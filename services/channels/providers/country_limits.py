"""What a provider's road lacks in a country: said in a file, so that it can be put right without a new program.

The road an installation offers is that of its home country (TOCSIN_COUNTRY); a number of another country gets what its
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

from services.channels.model.channel import Road
from services.channels.model.driver import Driver
from services.shared.errors import Refused
from services.shared.input.untrusted import yaml_of
from services.shared.settings import Environment

SHIPPED = Path(__file__).with_name("country_limits.yaml")


class Limit(BaseModel):
    """What is narrower than the road itself says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    two_way: bool = True
    links: bool = True
    repeats_per_day: int = Field(0, ge=0, le=1000)
    templates_only: bool = False
    closed: str = Field("", max_length=60)

    def of(self, road: Road) -> Road:
        """The road as it is there."""
        most = [n for n in (road.repeats_per_day, self.repeats_per_day) if n]
        return replace(
            road, two_way=road.two_way and self.two_way, links=road.links and self.links,
            repeats_per_day=min(most, default=0), templates_only=road.templates_only or self.templates_only,
        )  # fmt: skip


class LimitSettings(Environment):
    """TOCSIN_ROAD_LIMITS: a file like limits.yaml that stands in its place; TOCSIN_COUNTRY: home."""

    model_config = SettingsConfigDict(env_prefix="TOCSIN_")

    road_limits: Path | None = None
    country: str = ""


Country = Mapping[str, Limit]
_FILE = TypeAdapter(dict[str, dict[str, Limit]])


@dataclass(frozen=True)
class Limits:
    """All of the file; `home` is the installation's country."""

    by_channel: Mapping[str, Country]
    home: str = ""

    def at(self, channel: str, country: str) -> Limit:
        """What holds for a channel in a country; nothing where nothing is said."""
        return self.by_channel.get(channel, {}).get(country, Limit())

    def roads(self, driver: Driver) -> tuple[Road, ...]:
        """A driver's roads as they are at home; none where it is closed there."""
        return self.narrowed(driver.name, driver.roads)

    def narrowed(self, channel: str, roads: Iterable[Road]) -> tuple[Road, ...]:
        """These roads as a channel carries them at home."""
        limit = self.at(channel, self.home)
        return () if limit.closed else tuple(limit.of(road) for road in roads)

    def why_not(self, driver: Driver) -> str:
        """Why it cannot send: its own reason, or that it is closed at home."""
        return driver.why_not() or self.at(driver.name, self.home).closed

    def for_number(self, channel: str, road: Road, to: str) -> Road:
        """The road to one number; Refused where its country is closed to this channel."""
        mine = self.by_channel.get(channel, {})
        if not to.startswith(_prefixes(frozenset(mine))):  # to read a whole number takes a tenth of a send
            return road
        country = country_of(to)
        if not country or country == self.home:
            return road
        limit = self.at(channel, country)
        if limit.closed:
            raise Refused(f"{channel}: {limit.closed}", field="contact", rule="country", given=country)
        return limit.of(road)


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


def read_limits(text: str, home: str, channels: Iterable[str], source: str) -> Limits:
    """Refused where a word, a channel or a country is not known; `channels` are those installed."""
    try:
        found = _FILE.validate_python(yaml_of(text) or {})
    except yaml.YAMLError as wrong:
        raise Refused(f"{source}: {wrong}", field="TOCSIN_ROAD_LIMITS", rule="yaml") from wrong
    except ValidationError as wrong:
        first = wrong.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refused(
            f"{source}: {where}: {first['msg']}", field="TOCSIN_ROAD_LIMITS", rule=first["type"],
            given=str(first.get("input"))[:80], remedy=f"use {', '.join(Limit.model_fields)}",
        ) from wrong  # fmt: skip
    for name, countries in found.items():
        if name not in channels:
            known = ", ".join(sorted(channels))
            raise Refused(
                f"{source}: there is no channel {name!r}: use {known}", field="TOCSIN_ROAD_LIMITS", given=name
            )
        for country in countries:
            if country not in phonenumbers.SUPPORTED_REGIONS:
                raise Refused(
                    f"{source}: {name}: {country!r} are no two letters of a country (in YAML, NO needs quotes)",
                    field="TOCSIN_ROAD_LIMITS", given=country,
                )  # fmt: skip
    return Limits(found, home)


def load_limits(channels: Iterable[str]) -> Limits:
    """The file in use, for these channels."""
    settings = LimitSettings()
    if settings.country and settings.country not in phonenumbers.SUPPORTED_REGIONS:
        raise Refused(
            f"TOCSIN_COUNTRY={settings.country} is no country we know: give its two letters, like KE", given=settings.country,
            field="TOCSIN_COUNTRY",
        )  # fmt: skip
    path = settings.road_limits or SHIPPED
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise Refused(
            f"TOCSIN_ROAD_LIMITS={path} cannot be read ({problem})", field="TOCSIN_ROAD_LIMITS", given=str(path)
        ) from problem
    names = list(channels)
    if settings.road_limits is None:  # ours speaks of channels that may not be installed
        shipped = yaml.safe_load(text)
        text = yaml.safe_dump({name: shipped[name] for name in shipped if name in names})
    return read_limits(text, settings.country, names, str(path))
