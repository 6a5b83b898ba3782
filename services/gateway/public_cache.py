"""Caches public pages as bytes for ten seconds: one builder at a time, forgotten at a change."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import TypeVar, cast

from aiohttp import web

from services.shared.web.cached_bytes import bytes_to_all

LASTS_S = 10.0
MOST = 1_000  # entries
MOST_BYTES = 32 * 1024 * 1024
T = TypeVar("T")


@dataclass(frozen=True)
class Made:
    """An answer to everybody: its bytes, and how long whoever gets it may keep it (seconds; 0: ask each time).

    `until`: warning time from which it says something that is not so, as when a warning's time is over.
    """

    body: bytes
    content_type: str
    age_s: int = 0
    until: float = math.inf

    def answer(self, request: web.Request) -> web.Response:
        """The bytes with a strong ETag, or 304 where the caller has them."""
        cache = f"public, max-age={self.age_s}" if self.age_s else "no-cache"
        return bytes_to_all(request, self.body, self.content_type, cache)


class PublicCache:
    """What was made, by its name. `now` is warning time: what is moved by hand ages too."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._kept: dict[
            Hashable, tuple[object, int, float, float]
        ] = {}  # value, bytes, until: monotonic, warning time
        self._bytes = 0
        self._changes = 0
        self._one = asyncio.Lock()

    def forget(self) -> None:
        """Forgets what was made before a release or an ending, or is being made: nobody who asks now sees it."""
        self._kept.clear()
        self._bytes = 0
        self._changes += 1

    async def of(self, name: Hashable, make: Callable[[], Awaitable[T]], lasts_s: float = LASTS_S) -> T:
        """What `make` gave at most `lasts_s` ago. One thing is made at a time: whoever wants the same waits for it."""
        if (found := self._fresh(name)) is not None:
            return cast(T, found)  # of one name there is one kind
        async with self._one:
            if (found := self._fresh(name)) is not None:
                return cast(T, found)  # of one name there is one kind
            before, begun = self._changes, time.monotonic()
            made = await make()
            if before == self._changes:
                over = made.until if isinstance(made, Made) else math.inf
                self._keep(name, made, begun + lasts_s, min(over, self._now() + lasts_s))
            return made

    def _fresh(self, name: Hashable) -> object:
        found = self._kept.get(name)
        if found is None or time.monotonic() >= found[2] or self._now() >= found[3]:
            return None
        return found[0]

    def _keep(self, name: Hashable, made: object, until: float, until_warning: float) -> None:
        self._drop(name)
        size = len(made.body) if isinstance(made, Made) else 0
        while self._kept and (len(self._kept) >= MOST or self._bytes + size > MOST_BYTES):
            self._drop(next(iter(self._kept)))
        self._kept[name] = (made, size, until, until_warning)
        self._bytes += size

    def _drop(self, name: Hashable) -> None:
        if (old := self._kept.pop(name, None)) is not None:
            self._bytes -= old[1]


def first_after(now: float, times: Iterable[float]) -> float:
    """The next of these warning times; infinity where none is to come."""
    return min((one for one in times if one > now), default=math.inf)
