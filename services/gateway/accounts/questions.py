"""Puts questions to browsers that only they can answer, and takes each answer once.

A question is a time and 128 random bits under our MAC: nothing is written down for whoever merely opens a page.
"""

from __future__ import annotations

import hashlib
import secrets

import sqlalchemy as sa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.shared.accounts.tables import spent
from services.shared.clock import wall
from services.shared.crypto.signing import Signer
from services.shared.database.batches import insert_new
from services.shared.database.engine import Connection
from services.shared.errors import NotAllowed

HOLDS_S = 600.0  # how long an answer may take


def derived(key: bytes, use: str) -> bytes:
    """A key for one use, of one that is kept: HKDF-SHA256."""
    return HKDF(SHA256(), 32, None, f"tocsin {use}".encode()).derive(key)


class Questions:
    """Makes questions for a use and an object, and judges what comes back."""

    def __init__(self, key: bytes) -> None:
        self._signer = Signer(derived(key, "sign-in questions"))

    def ask(self, use: str, about: str = "") -> str:
        """A question for that use, about a person or a link."""
        return self._signer.sealed(f"{use}:{about}", f"{wall():.0f}-{secrets.token_hex(16)}")

    def holds(self, use: str, about: str, question: str) -> bool:
        """Whether it is ours, for that use and object, and not too old."""
        said = self._signer.opened(f"{use}:{about}", question)
        return said is not None and wall() - float(said.partition("-")[0]) <= HOLDS_S

    def keep(self, use: str, text: str) -> str:
        """A text that a browser keeps for us and cannot alter."""
        return self._signer.sealed(f"kept {use}", text)

    def kept(self, use: str, value: str) -> str:
        """What `keep` gave a browser; empty for anything else."""
        return self._signer.opened(f"kept {use}", value) or ""

    async def spend(self, tx: Connection, use: str, about: str, question: str) -> None:
        """Takes the answer to a question. NotAllowed where it is not ours, too old, or was answered before."""
        now = wall()
        row = {"spent_id": hashlib.sha256(question.encode()).hexdigest(), "at": now}
        taken = self.holds(use, about, question) and await insert_new(tx, spent, [row]) == 1
        await tx.execute(sa.delete(spent).where(spent.c.at < now - HOLDS_S))
        if not taken:
            raise NotAllowed(
                "this page was open for too long, or was answered before: open it again", field="question", rule="once"
            )
