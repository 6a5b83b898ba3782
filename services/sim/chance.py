"""Draws without a shared stream: each is a hash of the seed and of its subject, so order never matters."""

from __future__ import annotations

import hashlib
import math
import re
from statistics import NormalDist

_NORMAL = NormalDist()
_OWN = re.compile(r"https?://[^\s\"<>]+|(?<!\d)\d{4}(?!\d)")


def chance(seed: int, *parts: object) -> float:
    """A number in [0, 1) that the same seed and parts always give."""
    text = "\x1f".join((str(seed), *map(str, parts)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest()) / 2**56


def hexes(seed: int, *parts: object) -> str:
    """32 hexadecimal digits that the same seed and parts always give."""
    text = "\x1f".join((str(seed), *map(str, parts)))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def lognormal(median: float, sigma: float, u: float) -> float:
    """The value of a lognormal distribution at quantile `u` (0 and 1 are kept off); `median` in any unit."""
    return median * math.exp(sigma * _NORMAL.inv_cdf(min(max(u, 1e-9), 1 - 1e-9)))


def between(low: float, high: float, u: float) -> float:
    """`u` of the way from low to high."""
    return low + (high - low) * u


def words_key(*parts: str) -> str:
    """What a text or call is, without the ids in it: links and four-digit references are the installation's own.

    So the same warning meets the same chance after a reinstallation, on another port, in whatever order.
    """
    return hexes(0, *(_OWN.sub("#", part) for part in parts))
