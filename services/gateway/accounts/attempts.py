"""Bounds how often somebody may try a password: by name and place, by place, and by name alone.

What is counted is what was typed, whether anybody has that name or not: the answer tells nothing. Passkeys are not
counted, as there is nothing to guess: whoever types wrong passwords keeps nobody out who has one.
"""

from __future__ import annotations

import hashlib

import sqlalchemy as sa

from services.shared.accounts.tables import attempt
from services.shared.bus.outbox import new_id
from services.shared.clock import wall
from services.shared.database.engine import Connection
from services.shared.errors import TooMany

WITHIN_S = 900.0
OF_NAME_HERE, FROM_HERE, OF_NAME = 5, 30, 50


async def begin(tx: Connection, login: str, origin: str) -> list[str]:
    """Counts a try as failed, before it is judged: many at once count as many. TooMany where there were enough.

    What is returned is for `forgive`.
    """
    now, ids = wall(), []
    await tx.execute(sa.delete(attempt).where(attempt.c.at < now - WITHIN_S))
    for about, most in _counted(login, origin).items():
        before = await tx.scalar(sa.select(sa.func.count()).select_from(attempt).where(attempt.c.about == about))
        if int(before or 0) >= most:
            raise TooMany(
                "too many tries: wait a quarter of an hour, or sign in with a passkey", retry_after=int(WITHIN_S)
            )
        ids.append(new_id())
        await tx.execute(sa.insert(attempt).values(attempt_id=ids[-1], at=now, about=about))
    return ids


async def forgive(tx: Connection, ids: list[str], login: str, origin: str) -> None:
    """The try was right: it does not count, nor does what was tried from there with that name before."""
    here = next(iter(_counted(login, origin)))
    await tx.execute(sa.delete(attempt).where(attempt.c.attempt_id.in_(ids) | (attempt.c.about == here)))


def _counted(login: str, origin: str) -> dict[str, int]:
    parts = {f"name and place:{login}:{origin}": OF_NAME_HERE, f"place:{origin}": FROM_HERE, f"name:{login}": OF_NAME}
    return {hashlib.sha256(part.encode()).hexdigest(): most for part, most in parts.items()}
