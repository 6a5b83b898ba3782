"""Pauses a provider that refuses our key or is away, and probes it again with care.

Opens after five refusals or failed connects in a row, or when half of at least twenty calls within 30 s went wrong;
for 10 s, doubling to 60 s. Then three calls at a time until one is accepted.
"""

from __future__ import annotations

from collections import deque

from services.channels.model.outcome import LATE, Outcome

IN_A_ROW, FEW, WINDOW_S, HALF = 5, 20, 30.0, 0.5
FIRST_S, LONGEST_S = 10.0, 60.0
PROBES = 3


class Breaker:
    """One provider's, in one process; times are wall seconds."""

    def __init__(self) -> None:
        self._lately: deque[tuple[float, bool]] = deque()
        self._in_a_row = 0
        self._opened = 0  # how often since it was last well
        self.open_until = 0.0

    def is_open(self, now: float) -> bool:
        return now < self.open_until

    def probing(self, now: float) -> bool:
        """It was open, and nothing was accepted since: a few calls at a time."""
        return self._opened > 0 and not self.is_open(now)

    def told(self, until: float) -> None:
        """Another process has found it broken."""
        if until > self.open_until:
            self.open_until = until
            self._opened = max(1, self._opened)

    def record(self, outcome: Outcome, code: str, now: float) -> float:
        """What came of a call; the seconds it opens for, or 0 where it stays as it is."""
        if code == LATE or outcome is Outcome.PERMANENT:  # an answer about one number is an answer
            return 0.0
        if outcome is Outcome.ACCEPTED:
            self._in_a_row = self._opened = 0
            self._remember(now, bad=False)
            return 0.0
        self._remember(now, bad=True)
        if outcome is not Outcome.AMBIGUOUS:
            self._in_a_row += 1
        if self.is_open(now):
            return 0.0
        bad = sum(1 for _, was_bad in self._lately if was_bad)
        many = len(self._lately) >= FEW and bad >= HALF * len(self._lately)
        if self._in_a_row < IN_A_ROW and not many and not (self._opened and self._in_a_row >= PROBES):
            return 0.0
        pause = min(LONGEST_S, FIRST_S * 2.0 ** min(self._opened, 10))
        self._opened += 1
        self._in_a_row = 0
        self._lately.clear()
        return pause

    def _remember(self, now: float, *, bad: bool) -> None:
        self._lately.append((now, bad))
        while self._lately[0][0] < now - WINDOW_S:
            self._lately.popleft()
