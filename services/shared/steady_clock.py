"""Measures time that goes on at its own pace whatever is done to the machine's clock.

A step of the machine's clock (a wrong NTP server, a hand at the keyboard, a battery that is empty) must stop no message,
hurry no deadline and expire no warning. Seconds are therefore counted by a clock that nobody can set (CLOCK_BOOTTIME,
which also counts a suspended machine's), from one look at the time of day. What stands between the two is never
followed by itself beyond what a well-kept clock is corrected by; `clock_watch` says what happens then.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

STEP_S = 5.0  # more than a well-kept clock is ever corrected by at once
SLEW = 0.01  # small differences are taken over at most at this rate, so that time never runs back
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def since_boot() -> float:
    """Seconds since the machine started, those asleep too; elsewhere than on Linux since some moment, awake."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.clock_gettime(clock) if clock is not None else time.monotonic()


def boot_id() -> str:
    """One start of this machine, in 32 hex digits; empty where nobody can say which."""
    try:
        return _BOOT_ID.read_text().strip().replace("-", "")[:32]
    except OSError:
        return ""


class Steady:
    """Seconds since 1970 UTC: the machine's time of day when it was made, and what has passed since."""

    def __init__(self, machine: Callable[[], float] = time.time, passed: Callable[[], float] = since_boot) -> None:
        self._machine = machine
        self._passed = passed
        self.set_to(machine())

    def now(self) -> float:
        return self._at + (self._passed() - self._since)

    def set_to(self, when: float) -> None:
        """From now on it is that time, seconds since 1970 UTC."""
        self._at, self._since = when, self._passed()
        self._followed = self._since

    @property
    def off(self) -> float:
        """Seconds the machine's clock is ahead of it; negative where it is behind."""
        return self._machine() - self.now()

    @property
    def passed(self) -> float:
        """Seconds by the clock nobody can set."""
        return self._passed()

    def follow(self, told: float) -> float:
        """Comes nearer to what a clock told, at most by SLEW of the time since the last call. Returns how far it was,
        in seconds.

        More than STEP_S is a step, and is not followed.
        """
        off, passed = told - self.now(), self._passed()
        most = SLEW * max(0.0, passed - self._followed)
        self._followed = passed
        if abs(off) <= STEP_S:
            self._at += max(-most, min(most, off))
        return off


PROCESS = Steady()  # this process's; what `clock.wall` tells
