"""What a service is made of and what it is given; `run` wires, nobody else knows every part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web

from services.shared.bus.port import Bus
from services.shared.clock import Clock, Waker
from services.shared.crypto.sealing import Keys
from services.shared.database.engine import Database
from services.shared.settings import Settings
from services.shared.web.auth import Signer


@dataclass(frozen=True)
class Platform:
    """Everything the services share; made once by the composition root."""

    settings: Settings
    database: Database
    bus: Bus
    clock: Clock
    keys: Keys
    signer: Signer
    public_url: str
    wakers: dict[str, Waker] = field(default_factory=dict)

    @property
    def https(self) -> bool:
        """Whether people reach us by https."""
        return self.public_url.startswith("https://")

    def waker(self, name: str) -> Waker:
        """The event a loop sleeps on."""
        return self.wakers.setdefault(name, Waker())

    def wake(self, name: str) -> None:
        """Wakes every loop of a service; losing it costs a tick."""
        for known, waker in self.wakers.items():
            if known.partition(":")[0] == name:
                waker.set()


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

    async def work(self) -> bool:
        """Does what is due by now; True if it did anything."""
        ...

    async def next_at(self) -> float | None:
        """The warning time at which it next has something to do, or None."""
        ...
