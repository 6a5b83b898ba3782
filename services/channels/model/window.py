"""Defines a window: calls of one driver that are under way at once, begun and answered without a task each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from services.channels.model.driver import Result
from services.channels.model.outbound import Outbound

Done = Callable[[Result], None]
MayGo = Callable[[], bool]


class Window(Protocol):
    """`on_room` is called after answers, once a turn of the event loop."""

    on_room: Callable[[], None] | None

    @property
    def free(self) -> int:
        """How many messages may begin now; what begins beyond them waits for a place."""
        ...

    def begin(self, message: Outbound, done: Done, may_go: MayGo) -> None:
        """Hands a message over. `done` is told exactly once what came of it, later than this returns.

        `may_go` is asked at the instant before the first byte leaves; where it says no, nothing was sent. Neither may
        raise, and neither may wait.
        """
        ...


@runtime_checkable
class Windowed(Protocol):
    """A driver whose messages may be handed over through windows."""

    def window(self, red: bool) -> Window:
        """Red's, or that of all others; the same one each time."""
        ...
