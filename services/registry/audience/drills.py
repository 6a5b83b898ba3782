"""Leaves out, on the drill plane, whoever has not agreed to drills.

An institution takes part as one: its duty desk is no person, and is told that it is a drill.
"""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from services.registry.store import register
from services.shared.database.batches import chunks
from services.shared.database.engine import Connection


async def agreed(db: Connection, people: Collection[str]) -> set[str]:
    """Those of the ids whose newest word on drills is yes."""
    last: dict[str, str] = {}
    for some in chunks(list(people), 500):
        found = sa.select(register.consent.c.person_id, register.consent.c.decision)
        found = found.where(register.consent.c.person_id.in_(some), register.consent.c.purpose == "drill")
        last |= {row.person_id: row.decision for row in await db.execute(found.order_by(register.consent.c.at))}
    return {person_id for person_id, decision in last.items() if decision == "given"}
