"""The CAP 1.2 document that broadcasters and feeds get for a released warning."""

from __future__ import annotations

from typing import Any

from services.shared.tier import Tier


def cap_document(row: Any, tier: Tier) -> bytes:
    return bytes(row.raw)


def ending_document(row: Any, tier: Tier, parts: dict[str, Any]) -> bytes:
    return bytes(row.raw)
