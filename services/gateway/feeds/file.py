"""Reads the feeds of TOCSIN_CAP_FEEDS; nothing else is ever fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

import pydantic

from services.shared.input.files import Entry, read_file, wrong


class FeedEntry(Entry):
    """One feed, and how far its word goes here."""

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


class FeedsFile(Entry):
    """The file."""

    feeds: tuple[FeedEntry, ...]

    @pydantic.model_validator(mode="after")
    def _own_names(self) -> Self:
        names = [feed.name for feed in self.feeds]
        for n, name in enumerate(names):
            if name in names[:n]:
                wrong(f"two feeds are called {name}: each needs its own name", "unique", name, at=("feeds", n, "name"))
        return self


def read_feeds(path: Path | None) -> tuple[FeedEntry, ...]:
    """The feeds of the file; none without one."""
    if path is None:
        return ()
    found = read_file("TOCSIN_CAP_FEEDS", path, FeedsFile).feeds
    base = path.parent
    return tuple(f.model_copy(update={"certs": base / f.certs}) if f.certs is not None else f for f in found)
