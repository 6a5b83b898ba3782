"""A driver: the code that speaks one provider's protocol, hands one message over and reports what came of it.

A driver module offers `DRIVER`, a `Spec`. Every entry point of the group `tocsin.drivers` is loaded at start
(`loading.py`); a channel exists where its driver's `why_not` is empty.
An ability beyond sending is a small protocol of its own (`Reports`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import aiohttp
from aiohttp import web

from services.channels.model.channel import Channel
from services.channels.model.outbound import Outbound
from services.channels.model.outcome import Outcome, Station
from services.channels.model.ports import Receivers
from services.shared.clock import Clock
from services.shared.crypto.signing import Signer
from services.shared.database.engine import Database
from services.shared.ledger.evidence import Evidence
from services.shared.ledger.states import SendState
from services.shared.settings import Settings

__all__ = [
    "AreaTest",
    "Asks",
    "Channel",
    "Connected",
    "Driver",
    "Outcome",
    "Receivers",
    "Reports",
    "Result",
    "Spec",
    "Station",
    "StatusAnswer",
    "StatusQuestion",
    "Tools",
    "TriesArea",
]  # fmt: skip


QueueName = tuple[str, bool]  # driver, whether it is red's call window


@dataclass(frozen=True)
class Result:
    """What came of one attempt; `retry_after` in wall seconds."""

    outcome: Outcome
    ref: str = ""
    code: str = ""
    retry_after: float | None = None
    parts: tuple[str, ...] = ()  # its names for each part, where receipts come by those
    too_fast: bool = False  # not sent because we sent more than was agreed
    stations: tuple[Station, ...] = ()  # of an area's message: each of those it goes to


@dataclass(frozen=True)
class Tools:
    """What a driver is made with."""

    session: aiohttp.ClientSession
    database: Database
    signer: Signer
    clock: Clock
    public_url: str
    plane: str = "live"
    settings: Settings = field(kw_only=True)


class Driver(Protocol):
    """One driver. `concurrency` is how many sends may be under way at once."""

    @property
    def name(self) -> str: ...

    @property
    def channels(self) -> tuple[Channel, ...]: ...

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

    def routes(self, receivers: Receivers) -> Iterable[web.AbstractRouteDef]:
        """Under /callbacks/<driver>/. Asked for at start, and only where `why_not` is empty."""
        ...


@dataclass(frozen=True)
class StatusQuestion:
    """Asks what became of one message to `to`. `ref` is the provider's name of it, where we have it. Else the driver
    looks among messages with this text, made since `since` (warning time)."""

    ref: str = ""
    to: str = ""
    text: str = ""
    since: float = 0.0


@dataclass(frozen=True)
class StatusAnswer:
    """The provider's answer: its name of the message and the state it says it is in."""

    ref: str
    said: str
    state: SendState
    evidence: Evidence
    code: str = ""


@runtime_checkable
class Asks(Protocol):
    """A driver whose provider can be asked about a message it was given."""

    async def ask(self, question: StatusQuestion) -> StatusAnswer | None:
        """None where it does not know the message, is not there, or says nothing new; never raises for either."""
        ...


@dataclass(frozen=True)
class AreaTest:
    """What a try of an area's channel showed, in words of at most 80 letters."""

    passed: bool
    said: str


@runtime_checkable
class TriesArea(Protocol):
    """A driver to a whole area whose channel can be tried to its end while nobody hears or sees anything."""

    @property
    def stations(self) -> tuple[str, ...]:
        """What a link test's `to` may name: operators, broadcasters, loudspeakers."""
        ...

    async def try_area(self, stations: Sequence[str], within: float) -> AreaTest:
        """Takes at most `within` wall seconds; never raises for what a station or the network does."""
        ...


@runtime_checkable
class Connected(Protocol):
    """A driver that keeps a connection of its own, over which receipts and replies come too."""

    async def start(self, receivers: Receivers) -> None:
        """Begins to connect, and goes on trying; does not wait for it."""
        ...

    async def stop(self) -> None:
        """After the last send: lets the connection go."""
        ...


@runtime_checkable
class Tells(Protocol):
    """A driver with more to say of itself than whether it works."""

    async def told(self) -> list[str]:
        """Sentences for `tocsin check`: what is known, what is wrong, what to do."""
        ...


@dataclass(frozen=True)
class Spec:
    """How a driver is made: by its class, whose `channels` can be read before; the name is its entry point's."""

    name: str
    make: Callable[[Tools], Driver]
