"""The feeds we may read, as a YAML file (TOCSIN_CAP_FEEDS): nothing else is ever fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pydantic
import yaml

from services.shared.errors import Broken
from services.shared.input.untrusted import yaml_of


class FeedEntry(pydantic.BaseModel):
    """One feed, and how far its word goes here."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    name: str = pydantic.Field(pattern=r"^[a-z0-9][a-z0-9-]{0,38}$")
    url: str
    key: str = pydantic.Field(min_length=1, description="label of the API key whose grant its alerts come in under")
    mode: Literal["draft", "held"] = pydantic.Field(
        "draft", description="held: shown as waiting for a decision, where the key's grant allows sending"
    )
    interval: int = pydantic.Field(60, ge=10, le=86_400, description="seconds between two readings")
    senders: tuple[str, ...] = pydantic.Field((), description="whose alerts it may carry; empty for anybody's")
    certs: Path | None = pydantic.Field(None, description="PEM certificates its alerts must be signed with")
    private: bool = pydantic.Field(False, description="its host may lie in a private network or on this machine")

    @pydantic.field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            raise ValueError("give a whole http or https address without a user name in it")
        return value


class _File(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    feeds: list[FeedEntry]


def read_feeds(path: Path | None) -> tuple[FeedEntry, ...]:
    """The feeds of the file; none without one. Broken names the entry and the field that is wrong."""
    if path is None:
        return ()
    try:
        given = yaml_of(path.read_text("utf-8"))
        found = _File.model_validate(given).feeds
    except (OSError, UnicodeDecodeError) as problem:
        raise Broken(f"TOCSIN_CAP_FEEDS: {path.name} cannot be read: {problem}") from problem
    except yaml.YAMLError as problem:
        raise Broken(f"TOCSIN_CAP_FEEDS: {path.name} is no YAML: {' '.join(str(problem).split())}") from problem
    except pydantic.ValidationError as wrong:
        first = wrong.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise Broken(f"TOCSIN_CAP_FEEDS: {path.name}: {where}: {first['msg']}") from wrong
    names = [feed.name for feed in found]
    for name in names:
        if names.count(name) > 1:
            raise Broken(f"TOCSIN_CAP_FEEDS: {path.name}: two feeds are called {name}: each needs its own name")
    base = path.parent
    return tuple(f.model_copy(update={"certs": base / f.certs}) if f.certs is not None else f for f in found)
