"""Gives each warning a short number to read out: four digits while there are enough, then up to eight.

A number is taken while its warning may be sent or is in force, and for three days after, so that whoever still has the
text in hand is told about that one. The search looks at some places of each length and ends.
"""

from __future__ import annotations

import hashlib

import sqlalchemy as sa

from services.shared.database.batches import one_of
from services.shared.database.engine import Connection
from services.shared.ledger.warnings import warning_state

LENGTHS = (4, 5, 6, 7, 8)
PLACES = 64  # looked at in one query, for each length
RESTS_S = 3 * 86400.0  # after its warning's end


async def free_number(tx: Connection, warning_id: str, now: float) -> str:
    """The same for the same warning where nothing is taken. Should every place be taken, one is shared: nothing is lost.

    At most one query a length; `now` is warning time.
    """
    tried = ""
    for length in LENGTHS:
        places = places_of(warning_id, length)
        taken = set(
            await tx.scalars(
                sa.select(warning_state.c.number).where(one_of(warning_state.c.number, places), _in_use(now))
            )
        )
        tried = next((place for place in places if place not in taken), "")
        if tried:
            return tried
    return places_of(warning_id, LENGTHS[-1])[0]


def _in_use(now: float) -> sa.ColumnElement[bool]:
    w = warning_state.c
    waits = sa.and_(w.state.in_(("draft", "held")), w.expires_at > now)
    ended = sa.func.coalesce(w.ended_at, w.expires_at)
    went_out = sa.and_(w.released_at.is_not(None), ended > now - RESTS_S)
    return sa.or_(waits, went_out)


def places_of(warning_id: str, length: int) -> list[str]:
    """Places of that many digits, none beginning with 0, the first ones where they always were."""
    first = 10 ** (length - 1)
    room = 9 * first
    start = int(warning_id[:8], 16) % room if length == LENGTHS[0] else None
    found: dict[str, None] = {}
    if start is not None:
        found[str(first + start)] = None
    for n in range(PLACES):
        hashed = hashlib.sha256(f"{warning_id} {length} {n}".encode()).digest()
        found[str(first + int.from_bytes(hashed[:8], "big") % room)] = None
    return list(found)
