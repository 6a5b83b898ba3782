"""Keeps warning time: one clock for deadlines, expiry and night, shared by all processes and always passed in.

Warning time is seconds since 1970-01-01 UTC, as a float. Live it is wall time. A rehearsal runs it faster
(`anchor + rate x elapsed`), a simulation steps it from event to event. Leases and provider time-outs never use it:
they are wall time, since a provider does not know that we are playing. Neither is moved by whoever sets the machine's
clock (`steady`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from services.shared.steady_clock import PROCESS


def wall() -> float:
    """Wall time in seconds since 1970 UTC, for leases, time-outs and audit only. A step of the machine's clock leaves
    it."""
    return PROCESS.now()


class Clock(Protocol):
    """What tells warning time."""

    def now(self) -> float:
        """Warning time, seconds since 1970 UTC."""
        ...

    def wall_seconds(self, warning_seconds: float) -> float:
        """How many wall seconds pass while this many warning seconds do."""
        ...


class LinearClock:
    """anchor + rate x (wall - started): the live clock at rate 1, a rehearsal's at more."""

    def __init__(
        self,
        anchor: float | None = None,
        rate: float = 1.0,
        started: float | None = None,
        source: Callable[[], float] = wall,
    ) -> None:
        if rate <= 0:
            raise ValueError("a clock's rate is above 0")
        self._source = source
        self.started = source() if started is None else started
        self.anchor = self.started if anchor is None else anchor
        self.rate = rate

    def now(self) -> float:
        return self.anchor + self.rate * (self._source() - self.started)

    def wall_seconds(self, warning_seconds: float) -> float:
        return max(0.0, warning_seconds / self.rate)


class StepClock:
    """Stands still until it is moved: the discrete-event simulation's clock, and the tests'."""

    def __init__(self, start: float) -> None:
        self._now = start

    def now(self) -> float:
        return self._now

    def advance_to(self, when: float) -> None:
        """Moves forward to `when`; never back."""
        if when < self._now:
            raise ValueError(f"time does not run back: {when} is before {self._now}")
        self._now = when

    def wall_seconds(self, warning_seconds: float) -> float:
        return 0.0


class Waker:
    """An event loops sleep on between two queries; setting it ends the sleep, losing it costs a tick."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._sleepers: list[Waker] = []

    def sleeper(self) -> Waker:
        """A waker of one loop alone, set whenever this one is set: each loop forgets its own setting."""
        one = Waker()
        self._sleepers.append(one)
        return one

    def set(self) -> None:
        """Ends the sleep of every loop that sleeps on it."""
        self._event.set()
        for one in self._sleepers:
            one.set()

    @property
    def is_set(self) -> bool:
        return self._event.is_set()

    def consume(self) -> bool:
        """Whether it was set, forgetting it: for who moves time by hand."""
        was = self._event.is_set()
        self._event.clear()
        return was

    async def wait(self, seconds: float) -> None:
        """Returns when set or after `seconds` wall seconds, and forgets the setting."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            pass
        self._event.clear()


def iso(when: float) -> str:
    """UTC as CAP and RFC 3339 write it, to the second."""
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")
