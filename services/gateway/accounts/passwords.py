"""Passwords: hashed by argon2id in a thread, two at a time, and never looked at without a code beside them."""

from __future__ import annotations

import asyncio
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.shared.errors import Refused

MEMORY_KIB, TIMES = 64 * 1024, 3
AT_ONCE = 2  # each takes MEMORY_KIB and a core for a while: strangers must not take more
SHORTEST, LONGEST = 12, 200


class Passwords:
    """Hashes and checks. Whom nobody knows takes as long as whom somebody knows."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=TIMES, memory_cost=MEMORY_KIB, parallelism=1)
        self._room = asyncio.Semaphore(AT_ONCE)
        self._nobodys = ""

    async def hashed(self, password: str) -> str:
        """The slow hash that is kept."""
        async with self._room:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def fits(self, kept: str, password: str) -> bool:
        """Whether it is the password of a kept hash; of none it is not, after as long a while."""
        if not kept and not self._nobodys:
            self._nobodys = await self.hashed(secrets.token_hex(16))
        async with self._room:
            return await asyncio.to_thread(self._verify, kept or self._nobodys, password) and bool(kept)

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False


def check_password(password: str, *names: str) -> None:
    """Refused where it is too short to stand guessing, or is made of who they are."""
    plain = password.casefold()
    if not SHORTEST <= len(password) <= LONGEST:
        raise Refused(
            f"password: give {SHORTEST} to {LONGEST} characters; four or five words that do not belong together are good",
            field="password", rule="length",
        )  # fmt: skip
    parts = [part for name in names for part in name.casefold().split() if len(part) > 2]
    if len(set(plain)) < 5 or any(part in plain for part in parts):
        raise Refused(
            "password: do not use your name, nor a few signs again and again; four or five words are good",
            field="password", rule="guessable",
        )  # fmt: skip
