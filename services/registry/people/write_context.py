"""Carries what a writer of the register needs: one page key, keyed names, the day. It can open nothing."""

from __future__ import annotations

import hashlib
import hmac

from services.shared.crypto.dossier import DossierPart, owner_of
from services.shared.crypto.sealing import Sealer


class WriteContext:
    """What writes: seals under one page key, made when it is first needed; names addresses; knows the day."""

    def __init__(self, public: bytes, index: bytes, today: str, year: int, local: tuple[str, ...]) -> None:
        self.index = index
        self.today = today
        self.year = year
        self.local = local
        self._public = public
        self._sealer: Sealer | None = None

    @property
    def sealer(self) -> Sealer:
        """Of this page; dear to make, so it is made once."""
        if self._sealer is None:
            self._sealer = Sealer(self._public)
        return self._sealer

    @property
    def key_row(self) -> dict[str, object] | None:
        """The `page_key` row, if anything was sealed."""
        return None if self._sealer is None else dict(self._sealer.row())

    def part(self, owner: str, name: str, value: bytes) -> DossierPart:
        """One part of a dossier."""
        sealer = self.sealer
        return DossierPart(name, bytes.fromhex(sealer.key_id), sealer.seal(value, owner_of(owner, name)))

    def mark(self, owner: str, text: str) -> str:
        """Keyed, and bound to its owner: two people of one name have different marks."""
        return hmac.new(self.index, f"{owner}\0{text}".encode(), hashlib.sha256).hexdigest()[:16]


def mask_of(text: str) -> str:
    """The first letter, for lists in which nobody may read more."""
    return text[:1] + "…" if text else ""
