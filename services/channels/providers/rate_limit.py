"""Limits a provider to its contracted rate over all processes, with a part kept for red; backs off by tier.

Nothing is handed to a provider faster than it has agreed to send: what waited in its queue would stand before a red
warning there. The rate is a row a provider (GCRA): a call window takes what may leave within the next fifth of a second, sends
it, and comes again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import sqlalchemy as sa

from services.channels.providers.provider_store import provider
from services.shared.clock import wall
from services.shared.database.engine import Connection, Database
from services.shared.tiers import Tier

_BACKOFF = {Tier.RED: (1.0, 15.0), Tier.ORANGE: (5.0, 120.0), Tier.YELLOW: (30.0, 900.0), Tier.BLUE: (30.0, 900.0)}
ORDINARY_SHARE = 0.8  # red may use the whole rate, the others never the last fifth
SLICE_S = 0.2
SLOWED_S, SLOWED_TO, BACK_PER_S = 10.0, 0.5, 0.1  # "too fast": half the rate for 10 s, then a tenth more each second


@dataclass(frozen=True)
class Grant:
    """So many may leave now; where none may, `wait` seconds until one may."""

    count: int
    wait: float = 0.0


class Pace:
    """One provider's rate; 0 a second is no limit."""

    def __init__(self, database: Database, name: str, per_second: float) -> None:
        self._database = database
        self._name = name
        self._per_second = per_second
        self._mine = provider.c.provider == name

    @property
    def unlimited(self) -> bool:
        return self._per_second <= 0

    async def grant(self, want: int, red: bool) -> Grant:
        """Up to `want` that may leave now, taken from the rate of everybody."""
        if self.unlimited or want <= 0:
            return Grant(max(0, want))
        async with self._database.write() as tx:
            row = (await tx.execute(sa.select(provider).where(self._mine).with_for_update())).one()
            now = await database_now(tx)
            rate = self._per_second * _factor(now - row.slowed_at)
            next_at = _within_reach(row.next_at, now, self._per_second)
            ordinary_at = _within_reach(row.ordinary_at, now, self._per_second)
            free, wait = _free(next_at, now, rate)
            if not red:
                usual, longer = _free(ordinary_at, now, rate * ORDINARY_SHARE)
                free, wait = min(free, usual), max(wait, longer)
            count = min(want, free)
            if count:
                later = {"next_at": max(next_at, now) + count / rate}
                if not red:
                    later["ordinary_at"] = max(ordinary_at, now) + count / (rate * ORDINARY_SHARE)
                await tx.execute(sa.update(provider).where(self._mine).values(**later))
        return Grant(count, 0.0 if count else wait)

    async def give_back(self, count: int, red: bool) -> None:
        """Taken and not needed."""
        if self.unlimited or count <= 0:
            return
        less = {"next_at": provider.c.next_at - count / self._per_second}
        if not red:
            less["ordinary_at"] = provider.c.ordinary_at - count / (self._per_second * ORDINARY_SHARE)
        async with self._database.write() as tx:
            await tx.execute(sa.update(provider).where(self._mine).values(**less))

    async def too_fast(self) -> None:
        """The provider said so: slower, for everybody."""
        if self.unlimited:
            return
        async with self._database.write() as tx:
            await tx.execute(sa.update(provider).where(self._mine).values(slowed_at=await database_now(tx)))


def _factor(since_slowed: float) -> float:
    if since_slowed < -SLOWED_S:  # said by a clock that was set back since
        return 1.0
    return min(1.0, SLOWED_TO + BACK_PER_S * max(0.0, since_slowed - SLOWED_S))


def _within_reach(next_at: float, now: float, per_second: float) -> float:
    """When the rate is free again; now where that lies further off than a slice at the slowest: a clock was set back."""
    furthest = max(1.0, per_second * SLICE_S) / (per_second * SLOWED_TO * ORDINARY_SHARE)
    return now if next_at > now + furthest + 1.0 else next_at


def _free(next_at: float, now: float, rate: float) -> tuple[int, float]:
    """How many may leave at once, of a slice's worth (at least one), and how long until one may."""
    burst = max(1.0, rate * SLICE_S)
    used = max(0.0, next_at - now) * rate
    free = int(burst - used + 1e-6)
    return free, 0.0 if free else (used - burst + 1) / rate


async def database_now(tx: Connection) -> float:
    """One clock for all processes: the database's; SQLite has one process."""
    if tx.dialect.name == "sqlite":
        return wall()
    return float(await tx.scalar(sa.text("SELECT extract(epoch FROM clock_timestamp())")) or 0.0)


def backoff(tier: Tier, attempt: int, seed: str) -> float:
    """Seconds until the next try: doubling from the tier's base to its cap, jittered by a hash of `seed`."""
    base, cap = _BACKOFF[tier]
    chance: float = int.from_bytes(hashlib.sha256(f"{seed}:{attempt}".encode()).digest()[:4]) / 2**32
    high = min(cap, base * 2**attempt)
    return float(base / 2 + (high - base / 2) * chance)
