"""Keeps in memory when the router next has something to do, so that it looks at its tables then and not at every wake."""

from __future__ import annotations

import math

from services.shared.clock import Clock, wall

READ_AGAIN_S = 0.75  # wall; with a tick of the loop, what other processes wrote is seen within a second


class Lookout:
    """The earliest time anything is due, as far as this process knows.

    What it writes itself lowers the time once it is committed. Whatever others write is seen within a second, or at a wake.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next_at = -math.inf  # warning time; nothing is known yet
        self._read_at = 0.0  # wall

    def is_due(self) -> bool:
        """Whether it is time to look."""
        return self._clock.now() >= self._next_at or wall() >= self._read_at + READ_AGAIN_S

    def begin(self) -> None:
        """A look begins: what is written from here on may be missed by it, and stays lowered."""
        self._next_at = math.inf
        self._read_at = wall()

    def lower(self, at: float | None) -> None:
        """Something falls due then; None where nothing does."""
        if at is not None:
            self._next_at = min(self._next_at, at)
