"""How the provider's stand-in misbehaves on demand: modes by rate (seeded), or one by one from a queue."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.shared.clock import wall
from services.shared.errors import Refused
from services.sim.chance import chance

MODES = (
    "ok",
    "slow",  # answers after slow_ms
    "429",  # refuses with Retry-After; nothing is accepted
    "5xx",  # answers 503; nothing is accepted
    "hang",  # never answers; nothing is accepted
    "accept_then_timeout",  # accepts, and never answers
    "accept_then_reset",  # accepts, and cuts the connection
    "401",  # says that the account is wrong
    "malformed",  # accepts, and answers 201 with what is no JSON
    "duplicated",  # accepts; each callback comes twice
    "reversed",  # accepts; the callbacks come in reverse order
)

SETTINGS = ("rates", "queue", "slow_ms", "retry_after_s", "limit_per_second", "refused_numbers")


@dataclass
class Behaviour:
    """`rates` are shares of requests by mode; `queue` goes first, one mode a request."""

    seed: int = 0
    rates: dict[str, float] = field(default_factory=dict)
    queue: deque[str] = field(default_factory=deque)
    slow_ms: int = 500
    retry_after_s: int = 1
    limit_per_second: float = 0.0
    refused_numbers: dict[str, int] = field(default_factory=dict)  # To > Twilio error code
    _next: float = 0.0

    def __post_init__(self) -> None:
        _known([*self.rates, *self.queue])

    def mode(self, key: str, nth: int) -> str:
        """The mode for the nth request (from 1) about `key`."""
        if self.queue:
            return self.queue.popleft()
        if not self.rates:
            return "ok"
        u, sum_ = chance(self.seed, "fault", key, nth), 0.0
        for name in MODES:
            sum_ += self.rates.get(name, 0.0)
            if u < sum_:
                return name
        return "ok"

    async def pace(self) -> None:
        """Waits (wall time) until this answer may leave: `limit_per_second` of them, evenly."""
        if self.limit_per_second > 0:
            start = max(self._next, wall())
            self._next = start + 1 / self.limit_per_second
            await asyncio.sleep(start - wall())

    def change(self, given: Mapping[str, Any]) -> None:
        """Takes what POST /sandbox/faults carries; Refused where a word or figure in it is none."""
        unknown = sorted(set(given) - set(SETTINGS))
        if unknown:
            raise Refused(
                f"there is no setting {unknown[0]!r}: use {', '.join(SETTINGS)}", field=unknown[0], rule="closed_list"
            )
        try:
            rates = {str(k): float(v) for k, v in dict(given.get("rates", self.rates)).items()}
            queue = [str(m) for m in given.get("queue", ())]
            numbers = {str(k): int(v) for k, v in dict(given.get("refused_numbers", self.refused_numbers)).items()}
            slow_ms = int(given.get("slow_ms", self.slow_ms))
            retry_after_s = int(given.get("retry_after_s", self.retry_after_s))
            limit = float(given.get("limit_per_second", self.limit_per_second))
        except (TypeError, ValueError) as problem:
            raise Refused(
                f"give rates as mode: share, queue as a list of modes, figures as numbers ({problem})",
                field="body",
                rule="shape",
            ) from problem
        _known([*rates, *queue])
        if any(not 0 <= share <= 1 for share in rates.values()) or sum(rates.values()) > 1:
            raise Refused("rates: give shares between 0 and 1 that add up to 1 at most", field="rates", rule="range")
        if min(slow_ms, retry_after_s, limit) < 0:
            raise Refused(
                "slow_ms, retry_after_s and limit_per_second: give figures of 0 or more", field="body", rule="range"
            )
        self.rates, self.refused_numbers = rates, numbers
        self.queue.extend(queue)
        self.slow_ms, self.retry_after_s, self.limit_per_second = slow_ms, retry_after_s, limit

    def as_json(self) -> dict[str, object]:
        """What is set now."""
        return {
            "rates": self.rates,
            "queue": list(self.queue),
            "slow_ms": self.slow_ms,
            "retry_after_s": self.retry_after_s,
            "limit_per_second": self.limit_per_second,
            "refused_numbers": self.refused_numbers,
        }


def _known(modes: list[str]) -> None:
    for mode in modes:
        if mode not in MODES:
            raise Refused(
                f"there is no fault {mode!r}: use one of {', '.join(MODES)}",
                field="faults",
                rule="closed_list",
                given=mode,
            )
