"""Defines a service, what it is given and the loops it needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web

from services.shared.bus.port import Bus
from services.shared.clock import Clock, Waker
from services.shared.crypto.sealing import Keys, Use
from services.shared.crypto.signing import Signer
from services.shared.database.engine import Database
from services.shared.settings import Settings

TICK_S = 0.25  # a loop that nobody wakes looks again after so long


@dataclass(frozen=True)
class Wakers:
    """What the loops of each service sleep on; waking a service that is not in this process does nothing.

    A wake says that there is something to do: the router's clockwork keeps its own times, and looks at every wake.
    """

    gateway: Waker = field(default_factory=Waker)
    registry: Waker = field(default_factory=Waker)
    router: Waker = field(default_factory=Waker)
    channels: Waker = field(default_factory=Waker)

    def of(self, service: str) -> Waker:
        """The waker of a service by its name. LookupError where there is no such service."""
        found = {"gateway": self.gateway, "registry": self.registry, "router": self.router, "channels": self.channels}
        return found[service]


@dataclass(frozen=True)
class Loop:
    """A loop a service needs: `turn` does what is due and returns whether it did anything. After a turn without work
    the loop sleeps on `waker`, at most `idle_s` wall seconds. A turn of more than `within_s` wall seconds counts as
    hung."""

    name: str
    turn: Callable[[], Awaitable[bool]]
    waker: Waker
    idle_s: float = TICK_S
    within_s: float = 60.0


@dataclass(frozen=True)
class Platform:
    """Everything the services share; made once by the composition root."""

    settings: Settings
    database: Database
    bus: Bus
    clock: Clock
    keys: Keys
    public_url: str
    wake: Wakers = field(default_factory=lambda: Wakers())

    def signer(self, use: Use) -> Signer:
        """Signs for one use. LookupError in a process that does not hold its key."""
        return self.keys.signer(use)

    @property
    def https(self) -> bool:
        """Whether people reach us by https."""
        return self.public_url.startswith("https://")


class Service(Protocol):
    """Gateway, registry, router and channels look the same from outside."""

    name: str

    def subscribe(self) -> None:
        """Tells the bus what it hears."""
        ...

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """What it serves."""
        ...

    async def start(self) -> None:
        """After the database is there, before the first request."""
        ...

    async def stop(self) -> None:
        """Takes nothing new, finishes what is under way."""
        ...

    def loops(self) -> Iterable[Loop]:
        """The loops it needs in a process that lets it run."""
        ...

    async def run_due(self) -> bool:
        """Does what is due by now, once; True if it did anything. For whoever moves time by hand."""
        ...

    async def next_at(self) -> float | None:
        """The warning time at which it next has something to do, or None."""
        ...
