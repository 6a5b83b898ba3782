"""Seals single values that come one by one, each no page of its own: one page key for many of them, and for an hour."""

from __future__ import annotations

from services.shared.clock import wall
from services.shared.crypto.sealing import PAGE_SIZE, Keys, Sealer, public_id

KEPT_S = 3600.0


class KeptSealer:
    """One per process and use; each page key takes a row that stays, so that one a value would be a row for every press."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._kept: Sealer | None = None
        self._left = 0
        self._until = 0.0  # wall

    def sealer(self) -> Sealer:
        """The sealer to use now; whoever uses it writes its row too, where it is not there yet."""
        kept = self._kept
        if kept is None or not self._left or wall() > self._until or kept.public_id != public_id(self._keys.public):
            self._kept = kept = Sealer(self._keys.public)
            self._left, self._until = PAGE_SIZE, wall() + KEPT_S
        self._left -= 1
        return kept
