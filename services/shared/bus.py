"""What a bus is: it shows each subscriber every message of its topics until the subscriber's inbox row is there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from services.shared.outbox import Receipt

Handler = Callable[[Any, Receipt], Awaitable[None]]


class Bus(Protocol):
    """Embedded or over a broker; the outbox is behind both."""

    def subscribe(self, consumer: str, topic: str, handler: Handler) -> None:
        """Before the first `work`; a consumer hears a topic once."""
        ...

    async def work(self) -> bool:
        """Shows what is due; True if anything was handled."""
        ...

    def wake(self) -> None:
        """Something was committed to the outbox."""
        ...
