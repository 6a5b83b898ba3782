"""Defines a figure an operator watches: read from the tables at scrape, a cheap query over an index.

A count stops at CAP: beyond that it says "at least so many", and looking costs the same however long the queue is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from services.shared.database.engine import Connection
from services.shared.tiers import Tier

CAP = 10_000
Values = Mapping[tuple[str, ...], float]


@dataclass(frozen=True)
class Figure:
    """A gauge: `query(db, now)` gives its values by label values; `now` is warning time."""

    name: str
    help: str
    labels: tuple[str, ...]
    query: Callable[[Connection, float], Awaitable[Values]]


def by_tier(found: Mapping[int, float]) -> Values:
    """Every tier has a value, also where nothing was found."""
    return {(tier.word,): float(found.get(tier, 0)) for tier in Tier}
