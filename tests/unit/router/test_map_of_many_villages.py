"""The map of a county's villages costs a live page little: how many there are is not how long its outlines are."""

from __future__ import annotations

import json
import math

from services.router.report import zones

MANY, ONE_OUTLINE = 400, 200  # villages, points of each


def _round_village(n: int) -> str:
    x, y = 102 + (n % 20) * 0.02, 30 + (n // 20) * 0.02
    turns = [2 * math.pi * k / ONE_OUTLINE for k in range(ONE_OUTLINE)]
    ring = [[x + 0.009 * math.cos(turn), y + 0.009 * math.sin(turn)] for turn in turns]
    return json.dumps({"type": "Polygon", "coordinates": [[*ring, ring[0]]]})


def _drawn(many: int) -> int:
    named = {f"Z{n:04d}": f"Village {n}" for n in range(many)}
    found, _ = zones.drawn(
        zones.by_village([], {}, (), named), {code: _round_village(n) for n, code in enumerate(named)}
    )
    assert many == len(found)
    assert all(one.path.count(" ") >= 6 for one in found)
    return sum(len(one.path) for one in found)


def test_a_map_of_hundreds_is_no_longer_than_what_a_stream_carries() -> None:
    """In characters, before packing; a few villages keep their shape."""
    assert _drawn(MANY) < 45_000
    assert _drawn(4) > 4 * 50 * 6
