"""What a channel is: a driver that hands one message over and says honestly what came of it.

A driver module offers `DRIVER`, a `Spec`. Every entry point of the group `tocsin.channels` is loaded at start
(`loading.py`); a road exists where its driver's `why_not` is empty.
An ability beyond sending is a small protocol of its own (`Reports`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

import aiohttp
from aiohttp import web

from services.channels.desk import Desk
from services.channels.outbound import Outbound
from services.channels.switchboard import Switchboard
from services.shared.auth import Signer
from services.shared.clock import Clock


class Outcome(StrEnum):
    """The one question a failure answers: may it be tried again?"""

    ACCEPTED = "accepted"  # the provider has it
    NOT_SENT = "not_sent"  # surely not accepted: try again
    PROVIDER_FAULT = "provider_fault"  # our account or key is refused: pause the road, fail nobody
    PERMANENT = "permanent"  # this address is refused for good
    AMBIGUOUS = "ambiguous"  # it may have been accepted


@dataclass(frozen=True)
class Result:
    """What came of one attempt; `retry_after` in wall seconds."""

    outcome: Outcome
    ref: str = ""
    code: str = ""
    retry_after: float | None = None
    parts: tuple[str, ...] = ()  # its names for each part, where receipts come by those


@dataclass(frozen=True)
class Road:
    """A channel to a kind of contact, and what it can and cannot do."""

    name: str
    contact_kinds: tuple[str, ...] = ()
    two_way: bool = False
    links: bool = True
    voice: bool = False
    repeats_per_day: int = 0  # 0: no limit
    templates_only: bool = False


@dataclass(frozen=True)
class Tools:
    """What a driver is given."""

    session: aiohttp.ClientSession
    desk: Desk
    switchboard: Switchboard
    signer: Signer
    clock: Clock
    public_url: str


class Driver(Protocol):
    """One channel. `concurrency` is how many sends may be under way at once."""

    @property
    def name(self) -> str: ...

    @property
    def roads(self) -> tuple[Road, ...]: ...

    @property
    def concurrency(self) -> int: ...

    def why_not(self) -> str:
        """Why it cannot send (a setting that is missing), or empty."""
        ...

    async def send(self, message: Outbound) -> Result:
        """Hands the message over; never raises for what a provider or the network does."""
        ...


@runtime_checkable
class Reports(Protocol):
    """A driver whose provider calls back."""

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Under /callbacks/<driver>/."""
        ...


@runtime_checkable
class Connected(Protocol):
    """A driver that keeps a connection of its own, over which receipts and replies come too."""

    async def start(self) -> None:
        """Begins to connect, and goes on trying; does not wait for it."""
        ...

    async def stop(self) -> None:
        """After the last send: lets the connection go."""
        ...


@dataclass(frozen=True)
class Spec:
    """How a driver is made: by its class, whose `roads` can be read before; the name is its entry point's."""

    name: str
    make: Callable[[Tools], Driver]
