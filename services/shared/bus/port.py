"""Defines a bus: each subscriber gets every message of its topics until it has handled it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from services.shared.bus.outbox import SUBSCRIBERS, Receipt
from services.shared.clock import Waker

__all__ = ["SUBSCRIBERS", "Bus", "Handler"]

Handler = Callable[[Any, Receipt], Awaitable[None]]


class Bus(Protocol):
    """Embedded or over a broker; the outbox is behind both.

    Either `work` is called until there is nothing more to do (a step, a simulation), or `run` goes on by itself.
    """

    waker: Waker

    def subscribe(self, consumer: str, topic: str, handler: Handler) -> None:
        """Before `start`; a consumer hears a topic once. Refused where SUBSCRIBERS does not name it."""
        ...

    async def start(self) -> None:
        """After all have subscribed. Broken where a broker belongs to the other plane; a broker away is no error."""
        ...

    async def run_due(self) -> bool:
        """Shows what is due, one turn; True while anything was handled, is in hand, or waits for its own consumers."""
        ...

    def wake(self) -> None:
        """Something was committed to the outbox."""
        ...

    @property
    def loops(self) -> tuple[str, ...]:
        """The names under which `run` says that it still goes round."""
        ...

    async def run(self, ending: Callable[[], bool], beat: Callable[[str], None]) -> None:
        """Works until `ending`, through outages of database and broker; raises if any task of its own died.

        `beat` is told the name of each of its loops whenever that goes round: one that hangs is found by its silence.
        """
        ...

    async def close(self) -> None:
        """Takes nothing new, waits up to 15 s for what is in hand, lets go of the broker."""
        ...

    def health(self) -> Mapping[str, Any]:
        """`connected`, `blocked`, `last_confirm_age_s` (None before the first), `in_hand`."""
        ...
