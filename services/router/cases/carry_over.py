"""Carries a call for help over to the update that replaced its warning: the door is made there.

The case stays where the call was made, with its words and its phone.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from services.router.cases import cases
from services.router.planning.paths import reopen
from services.router.store import tables
from services.shared.database import locks
from services.shared.database.batches import one_of
from services.shared.database.engine import Connection
from services.shared.database.rows import row_of
from services.shared.ledger.evidence import MAY_REOPEN
from services.shared.ledger.tally import Deltas
from services.shared.ledger.warnings import warning_state


async def onward(tx: Connection, warning_id: str, person_id: str, help_at: float, now: float) -> None:
    """Somebody calls for help under a replaced warning: their path under the update reacts, where they have one there."""
    for newer in await _updates(tx, warning_id):
        await locks.help_of(tx, newer)
        mine = (tables.path.c.warning_id == newer, tables.path.c.person_id == person_id)
        path = await row_of(tx, tables.Path, sa.select(tables.path).where(*mine).with_for_update())
        if path is None or path.help_at is not None:
            continue
        if path.state != "open":
            if path.ending not in MAY_REOPEN:
                continue
            deltas = Deltas(newer)
            await reopen(tx, deltas, path, now)
            await deltas.add(tx)
        values = {"help_at": help_at, "react_at": now, "milestones": path.milestones & ~tables.CLOSED}
        await tx.execute(sa.update(tables.path).where(*mine).values(**values))


async def _updates(tx: Connection, warning_id: str) -> list[str]:
    """The active updates that have taken its place, also by way of others."""
    seen, last = {warning_id}, [warning_id]
    while last:
        about = (one_of(tables.job.c.about_id, last), tables.job.c.kind == "update")
        last = sorted(set(await tx.scalars(sa.select(tables.job.c.warning_id).where(*about))) - seen)
        seen |= set(last)
    active = (one_of(warning_state.c.warning_id, sorted(seen - {warning_id})), warning_state.c.state == "active")
    return list(await tx.scalars(sa.select(warning_state.c.warning_id).where(*active).order_by("warning_id")))


async def still_open(
    tx: Connection, warning_id: str, replaces: Sequence[str], people: Sequence[str]
) -> dict[str, float]:
    """Person > when they called for help under what this update replaces; their case is opened there if it is not yet."""
    if not replaces:
        return {}
    await locks.help_of(tx, warning_id, shared=True)
    asked = sa.select(tables.path.c.warning_id, tables.path.c.person_id, tables.path.c.help_at).where(
        one_of(tables.path.c.warning_id, sorted(replaces)), one_of(tables.path.c.person_id, sorted(people)),
        tables.path.c.ending == "superseded", tables.path.c.help_at.is_not(None),
    )  # fmt: skip
    found: dict[str, float] = {}
    rows = (await tx.execute(asked.order_by(tables.path.c.help_at, tables.path.c.warning_id))).all()
    await locks.cases(
        tx, *{row.warning_id for row in rows}
    )  # all at once: two pages would wait for each other in a circle
    for row in rows:
        found.setdefault(row.person_id, row.help_at)
        told = (await tables.deliveries_of(tx, row.warning_id, [row.person_id]))[row.person_id]
        if any(d.answer == "help" for d in told):  # else it was carried there itself
            await cases.call_for_help(tx, row.warning_id, row.person_id, row.help_at, told, "")
    return found
