"""Gives a draft back to whoever wrote it: nothing of it goes out, and its sketch is written on and handed in anew."""

from __future__ import annotations

import sqlalchemy as sa

from services.gateway import store
from services.gateway.approvals.paging import settled
from services.gateway.drafting import sketch_store
from services.shared.audit import trail
from services.shared.database.engine import Connection
from services.shared.errors import Conflict
from services.shared.ledger.warnings import warning_state
from services.shared.powers.who import Who


async def hand_back(tx: Connection, who: Who, warning_id: str, why: str, now: float) -> str:
    """Its sketch's id. Conflict where nothing waits any more, or it was not written here. Under the lock of acts."""
    row = await store.stored(tx, warning_id)
    if row.state_state not in ("draft", "held"):
        raise Conflict(
            f"this warning is {row.state_state}: only what nobody has got is given back to be changed", field="warning_id",
            rule="state", given=row.state_state,
        )  # fmt: skip
    sketch = await sketch_store.handed_in_as(tx, warning_id)
    if sketch is None:
        raise Conflict(
            "it was not written here, so that nobody can change it here: withdraw it, and have it sent anew",
            field="warning_id", rule="written here", given=row.via,
        )  # fmt: skip
    withdrawn = {"state": "withdrawn", "ended_at": now}
    await tx.execute(sa.update(warning_state).where(warning_state.c.warning_id == warning_id).values(withdrawn))
    await settled(tx, warning_id)
    await sketch_store.give_back(tx, sketch, who.label, why, now)
    await trail.record(tx, who.label, "return_draft", warning_id, why, {"sketch_id": sketch.sketch_id})
    return sketch.sketch_id
