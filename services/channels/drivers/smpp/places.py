"""Gives out the places of an SMPP window: one a message under way, red's first, then to whoever waits longest."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

# Told whether there is a place; says whether it takes it.
Offered = Callable[[bool], bool]


class WindowPlaces:
    """`size` is what the operator's contract says."""

    def __init__(self, size: int, wait_s: Callable[[], float]) -> None:
        self._size = size
        self._wait_s = wait_s
        self._used = 0
        self._waiting: dict[bool, deque[tuple[float, Offered]]] = {
            True: deque(),
            False: deque(),
        }  # by whether it is red
        self._timer: asyncio.TimerHandle | None = None

    @property
    def free(self) -> int:
        return self._size - self._used - sum(map(len, self._waiting.values()))

    def ask(self, red: bool, offered: Offered) -> None:
        """Offers a place: at once, when one is free, or, after a while, none."""
        if self._used < self._size:
            self._offer(offered)
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + self._wait_s()
        self._waiting[red].append((until, offered))
        if self._timer is None:
            self._timer = loop.call_at(until, self._too_late)

    def leave(self) -> None:
        """A place is free again."""
        self._used -= 1
        for waiting in self._waiting.values():
            while waiting and self._used < self._size:
                self._offer(waiting.popleft()[1])

    def _offer(self, offered: Offered) -> None:
        self._used += 1
        if not offered(True):
            self._used -= 1

    def _too_late(self) -> None:
        loop = asyncio.get_running_loop()
        for waiting in self._waiting.values():
            while waiting and waiting[0][0] <= loop.time():
                waiting.popleft()[1](False)
        heads = [waiting[0][0] for waiting in self._waiting.values() if waiting]
        self._timer = loop.call_at(min(heads), self._too_late) if heads else None
