"""Pacing and waiting: a provider's contracted rate, with red's own share, and jittered backoff by tier."""

from __future__ import annotations

import asyncio
import hashlib

from services.shared.clock import wall
from services.shared.tier import Tier

_BACKOFF = {Tier.RED: (1.0, 15.0), Tier.ORANGE: (5.0, 120.0), Tier.YELLOW: (30.0, 900.0), Tier.BLUE: (30.0, 900.0)}
ORDINARY_SHARE = 0.8  # red may use the whole rate, the others never the last fifth


class Pace:
    """GCRA: messages leave at most `per_second`, evenly; 0 is no limit."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._next = 0.0  # wall time at which the next may leave

    async def take(self, count: int, red: bool) -> None:
        """Waits until `count` more may leave."""
        if self._per_second <= 0 or count == 0:
            return
        rate = self._per_second if red else self._per_second * ORDINARY_SHARE
        start = max(self._next, wall())
        self._next = start + count / rate
        await asyncio.sleep(max(0.0, start - wall()))


def backoff(tier: Tier, attempt: int, seed: str) -> float:
    """Seconds until the next try: doubling from the tier's base to its cap, jittered by a hash of `seed`."""
    base, cap = _BACKOFF[tier]
    chance: float = int.from_bytes(hashlib.sha256(f"{seed}:{attempt}".encode()).digest()[:4]) / 2**32
    high = min(cap, base * 2**attempt)
    return float(base / 2 + (high - base / 2) * chance)
