"""Reads settings from the environment (TOCSIN_...), one tree; every one has a value that works."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, PrivateAttr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from services.shared import draft_languages
from services.shared.client_address import Network, networks_of
from services.shared.errors import Refused
from services.shared.model_faults import said_of
from services.shared.text.links import HOST, LinkHosts

Plane = Literal["live", "drill"]
SECRETS_DIR = "TOCSIN_SECRETS_DIR"


class _SecretFiles(SecretsSettingsSource):
    """A file a setting; what pydantic passes over with a warning is refused: a password must not be left out unseen."""

    def __call__(self) -> dict[str, object]:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                return super().__call__()
            except (UserWarning, SettingsError, OSError, UnicodeDecodeError) as problem:
                raise Refused(
                    f"{SECRETS_DIR}={self.secrets_dir} cannot be read ({problem}): give a folder that has a file for each "
                    "secret, like tocsin_database_url, or leave the variable out",
                    field=SECRETS_DIR,
                    given=str(self.secrets_dir),
                ) from problem


class Environment(BaseSettings):
    """Settings out of variables, then out of files of the same names in small letters in TOCSIN_SECRETS_DIR.

    Refused where that folder, or a file in it that is asked for, cannot be read, and where a value does not fit. An empty
    variable is as none: compose files write every one they pass on.
    """

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True)

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as wrong:
            first = wrong.errors(include_url=False)[0]
            where = str(self.model_config.get("env_prefix", "")) + "_".join(str(part) for part in first["loc"])
            raise Refused(
                f"{where.upper()}: {said_of(first).sentence}", field=where.upper(), rule=first["type"]
            ) from wrong

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Given by hand, by variable, by file: the first wins."""
        files = _SecretFiles(settings_cls, secrets_dir=os.environ.get(SECRETS_DIR) or None)
        return init_settings, env_settings, files


Part = TypeVar("Part", bound=Environment)


def _points(text: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in (p.strip() for p in text.split(",")):
        if not part:
            continue
        name, _, points = part.partition("=")
        if not points.strip().isdigit() or int(points) > 1000:
            raise ValueError(f"{part!r} is no weight: write driver=points, like sms_smpp=70")
        found[name.strip()] = float(points)
    return found


_TAGS = r"^([A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*(;[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*)*)?$"


class Settings(Environment):
    """The root of one process's settings: read by the command, handed down. A driver's own are a part of the tree."""

    model_config = SettingsConfigDict(env_prefix="TOCSIN_")

    data_dir: Path = Field(Path("data"), description="database, keys and lock of the embedded mode")
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8080, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    public_url: str = Field("", description="how phones and providers reach us, e.g. https://warn.example.org")
    plane: Plane = Field("live", description="live, or drill: stamped into the database, a mismatch refuses to start")
    database_url: str = Field("", description="postgresql+asyncpg://...; empty for SQLite in data_dir")
    amqp_url: str = Field("", description="amqp://... of a RabbitMQ; empty for the bus inside the process")
    policy: Path | None = Field(None, description="policy file; empty for the one that ships")
    timezone: str = Field("UTC", description="IANA zone of the jurisdiction, for night and for times in messages")
    utc_offset_min: int | None = Field(None, ge=-840, le=840, description="fixed offset instead of the zone, for demos")
    language: str = Field(
        "",
        pattern=_TAGS,
        description="languages of the place, best first, ; between, for whoever has none that a warning brings; empty for "
        "the warning's first",
    )
    language_areas: str = Field(
        "",
        description="the same by code of an area, like GB2260:5133=bo;zh,GB2260:65=ug;zh: of areas whose code begins so",
    )
    draft_languages: str = Field(
        "",
        description="languages joined by commas, like es,fr, in which people may be told our own sentences though nobody has "
        "checked them yet; empty for none",
    )
    hotline: str = Field("112", description="digits-only number a resident calls to check a message")
    emergency: str = Field(
        "",
        pattern=r"^[0-9]*(/[0-9]+)*$",
        description="numbers for whose life is in danger, like 110/119/120; empty: the hotline's",
    )
    authority: str = Field("", description="name of the authority in messages, where a warning does not bring one")
    cap_sender: str = Field(
        "", pattern=r"^[^\s,<&]*$", description="sender of the CAP we publish; empty for tocsin@ and our host"
    )
    cap_keys: Path | None = Field(None, description="folder of certificates pinned to senders: <sender>.pem")
    link_hosts: str = Field(
        "",
        description="hosts that texts may link to, joined by commas, with all below them; empty for that of public_url",
    )
    cap_sign_key: Path | None = Field(None, description="PEM private key that signs the CAP we publish")
    cap_sign_cert: Path | None = Field(None, description="PEM certificate of that key")
    cap_feeds: Path | None = Field(None, description="YAML list of the CAP feeds we may read; empty reads none")
    clock_rate: float = Field(1.0, gt=0, description="warning seconds a wall second: above 1 for rehearsals only")
    clock_anchor: float | None = Field(None, description="warning time at start, seconds since 1970; empty for now")
    country: str = Field(
        "",
        pattern="^([A-Z]{2})?$",
        description="two letters of the country whose numbers may be typed without a prefix",
    )
    look_quota: int = Field(100, ge=1, description="people one key may look at within an hour")
    rate: int = Field(
        6,
        ge=1,
        description="new orange and red warnings of one authority within an hour; each more waits for a second key",
    )
    approval_s: float = Field(
        180.0, ge=10, description="warning seconds without an answer after which the next one who may decide is paged"
    )
    count_quota: int = Field(200, ge=1, description="areas whose people one key may count within an hour")
    mass_change: int = Field(
        50,
        ge=0,
        description="people, or 5 % of its list if that is more, whom an import may silence or move before a second key "
        "confirms it",
    )
    console_origin: str = Field(
        "",
        pattern=r"^(https?://[^/\s]+)?$",
        description="scheme, host and port that people open the console by, which passkeys are bound to; empty for that of "
        "public_url",
    )
    other_plane: str = Field(
        "",
        pattern=r"^(https?://[^\s]+)?$",
        description="address of the console of the other plane (of the drill system on the live one, and the reverse), linked "
        "on the first page; empty links none",
    )
    codes_per_hour: int = Field(1000, ge=1, description="one-time codes to residents' phones in all within an hour")
    trusted_proxies: str = Field(
        "127.0.0.0/8,::1", description="addresses or networks of our own proxies, whose X-Forwarded-For is believed"
    )
    log_level: str = Field("INFO")
    sign_videos: Path | None = Field(
        None, description="folder of films in sign language, named like flash_flood.leave.csl.mp4; empty has none"
    )
    channel_limits: Path | None = Field(None, description="YAML file that stands in the place of country_limits.yaml")
    weights: str = Field("", description="resting weights like sms_smpp=70,sms_twilio=30; unnamed has 50, 0 stands by")
    link_tests: Path | None = Field(None, description="YAML list of link tests; empty tries nothing")
    push_private: bool = Field(False, description="push services at private addresses and over plain http are allowed")
    _parts: dict[type[Environment], Environment] = PrivateAttr(default_factory=dict)

    def __init__(self, **given: Any) -> None:
        if "plane" not in given and os.environ.get("TOCSIN_PLANE") == "":  # a rehearsal must not go out by a slip
            raise Refused(
                "TOCSIN_PLANE is set and empty: give live or drill, or leave it out", field="TOCSIN_PLANE", given=""
            )
        super().__init__(**given)
        for name, moved in (("CLOCK_RATE", self.clock_rate != 1.0), ("CLOCK_ANCHOR", self.clock_anchor is not None)):
            if moved and self.plane == "live":
                raise Refused(
                    f"TOCSIN_{name} is for rehearsals, and this is the live plane: leave it out, or set TOCSIN_PLANE=drill "
                    "with a database of its own",
                    field=f"TOCSIN_{name}", rule="real time", given=str(getattr(self, name.lower())),
                )  # fmt: skip

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as problem:
            raise ValueError(f"{value!r} is no IANA time zone: give one like Asia/Shanghai") from problem
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _known_networks(cls, value: str) -> str:
        try:
            found = networks_of(value)
        except ValueError as problem:
            raise ValueError(f"{problem}: give addresses or networks like 10.0.0.5,172.30.0.0/24") from problem
        if any(one.prefixlen == 0 for one in found):
            raise ValueError("all addresses there are would be believed: name those of your own proxies")
        return value

    @field_validator("language_areas")
    @classmethod
    def _known_areas(cls, value: str) -> str:
        for entry in filter(None, value.split(",")):
            code, _, tags = entry.partition("=")
            if (
                not re.fullmatch(r"\s*[^\s:=,]+:[^\s:=,]+\s*", code)
                or not re.fullmatch(_TAGS, tags.strip())
                or not tags
            ):
                raise ValueError(f"{entry!r} is no area and its languages: give entries like GB2260:5133=bo;zh")
        return value

    @field_validator("draft_languages")
    @classmethod
    def _known_drafts(cls, value: str) -> str:
        draft_languages.read(value)
        return value

    @field_validator("link_hosts")
    @classmethod
    def _hosts(cls, value: str) -> str:
        for host in (part.strip() for part in value.split(",")):
            if host and not HOST.fullmatch(host):
                raise ValueError(
                    f"{host!r} is no name of a host: write it without https:// and path, like met.example.org"
                )
        return value

    @field_validator("weights")
    @classmethod
    def _readable(cls, value: str) -> str:
        _points(value)
        return value

    @field_validator("database_url")
    @classmethod
    def _known_driver(cls, value: str) -> str:
        if value and not value.startswith(("postgresql+asyncpg://", "sqlite+aiosqlite:///")):
            raise ValueError("give postgresql+asyncpg://user:password@host/database, or leave it empty for SQLite")
        return value

    @field_validator("public_url")
    @classmethod
    def _no_trailing_slash(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("give the whole address, with https:// in front")
        return value.rstrip("/")

    def part(self, kind: type[Part]) -> Part:
        """A branch of the tree, a driver's own settings: read once, when the driver is made."""
        if kind not in self._parts:
            self._parts[kind] = kind()
        found = self._parts[kind]
        assert isinstance(found, kind)  # noqa: S101  as it was put there
        return found

    @property
    def resting_weights(self) -> dict[str, float]:
        """Driver > points."""
        return _points(self.weights)

    @property
    def drafts(self) -> tuple[str, ...]:
        """The languages whose drafts may be used."""
        return draft_languages.read(self.draft_languages)

    def languages_at(self, geocodes: Iterable[Sequence[str]]) -> str:
        """The languages of a place by its codes, best first; those of the longest code that one of them begins with."""
        found = (0, self.language)
        for entry in filter(None, self.language_areas.split(",")):
            begin, _, tags = entry.strip().partition("=")
            if any(f"{code[0]}:{code[1]}".startswith(begin) for code in geocodes) and len(begin) > found[0]:
                found = (len(begin), tags.strip())
        return found[1]

    def offset_at(self, when: float) -> int:
        """Minutes east of UTC in the jurisdiction at a time."""
        if self.utc_offset_min is not None:
            return self.utc_offset_min
        offset = datetime.fromtimestamp(when, ZoneInfo(self.timezone)).utcoffset()
        return int(offset.total_seconds() // 60) if offset is not None else 0

    def offset_changes(self, begin: float, end: float) -> tuple[tuple[float, int], ...]:
        """(From when, minutes east of UTC) for each change of the clocks between two times, to the minute."""
        found, at = [], begin
        while at < end:
            then = min(at + 86400.0, end)
            if (minutes := self.offset_at(then)) != (before := self.offset_at(at)):
                low, high = at, then
                while high - low > 60.0:
                    middle = (low + high) / 2
                    low, high = (middle, high) if self.offset_at(middle) == before else (low, middle)
                found.append((float(round(high / 60) * 60), minutes))
            at = then
        return tuple(found)

    def links(self, public_url: str) -> LinkHosts:
        """Where texts may link to; `public_url` is how people reach us."""
        named = [host.strip() for host in self.link_hosts.split(",") if host.strip()]
        return LinkHosts(named or [urlsplit(public_url).hostname or ""])

    @property
    def in_danger(self) -> str:
        """Whom to call where life is in danger: 110/119/120, or the hotline."""
        return self.emergency or self.hotline

    @property
    def proxies(self) -> tuple[Network, ...]:
        """Our own proxies."""
        return networks_of(self.trusted_proxies)

    @property
    def keys_dir(self) -> Path:
        """Outside the database and its backup: whoever holds a copy of the database cannot open an address."""
        return self.data_dir / "keys"

    @property
    def audit_head(self) -> Path:
        """Outside the database: where its audit log stood when it was last looked at."""
        return self.data_dir / "audit" / "head.json"

    @property
    def resolved_database_url(self) -> str:
        """The database, as SQLAlchemy names it."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir / 'tocsin.db'}"
