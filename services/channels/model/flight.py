"""Defines a flight as this process has it: calls to one provider that were written down together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Flight:
    """Open on disk until `left` outcomes are written there. `tells`: the router hears of every one of them."""

    flight_id: str
    batch_id: str
    driver: str
    started_at: float  # wall, when its intent was written
    tells: bool
    left: int
