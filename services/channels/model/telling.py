"""Tells what came of calls in the next turn of the event loop, so that nobody is called from within what they call."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TypeVar

T = TypeVar("T")


class Telling:
    """Where one who is told raises, the loop says so, and the others are told in another turn."""

    def __init__(self, afterwards: Callable[[], None]) -> None:
        self._afterwards = afterwards  # once a turn, when all were told
        self._waiting: deque[Callable[[], None]] = deque()
        self._soon = False

    def tell(self, told: Callable[[T], None], what: T) -> None:
        self._waiting.append(partial(told, what))
        if not self._soon:
            self._soon = True
            asyncio.get_running_loop().call_soon(self.now)

    def now(self) -> None:
        waiting = self._waiting
        try:
            for _ in range(len(waiting)):
                waiting.popleft()()
            self._afterwards()
        finally:
            self._soon = bool(waiting)
            if waiting:
                asyncio.get_running_loop().call_soon(self.now)


def settle(future: asyncio.Future[T], value: T) -> None:
    """Gives a future its value; nobody may be waiting for it any more."""
    if not future.done():
        future.set_result(value)
