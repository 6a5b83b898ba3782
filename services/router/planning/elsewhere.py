"""Finds homes where another warning forbids doors: whoever is safe to visit for the flood may live in the plume.

A warning that forbids doors, by its hazard or by the commander's word, opens a path for everybody in its area. So a home lies
in its area where the person has a path under it, and no geometry is asked.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from services.router.store import tables
from services.shared.database.batches import one_of
from services.shared.database.engine import Connection
from services.shared.ledger.tables import delivery
from services.shared.ledger.warnings import in_force, warning_state

_FORBIDS = ("forbidden", "unsafe")
FORBIDDEN_THERE = "another warning forbids doors there"


async def barred(db: Connection, warning_id: str, people: Sequence[str], now: float) -> dict[str, str]:
    """Person > why nobody may go to their door for this warning, of those where another one forbids it."""
    forbidding = await _forbidding(db, now) - {warning_id}
    if not forbidding or not people:
        return {}
    path = tables.path.c
    theirs = sa.select(path.person_id).where(
        one_of(path.warning_id, sorted(forbidding)), one_of(path.person_id, people), sa.not_(path.outside)
    )
    return dict.fromkeys((await db.scalars(theirs)).all(), FORBIDDEN_THERE)


Doors = Sequence[sa.ColumnElement[bool]]  # which doors are open; a partial index serves each of these


async def to_take_back(db: Connection, now: float, doors: Doors) -> set[str]:
    """Warnings with open doors to homes where another one forbids them."""
    forbidding = sorted(await _forbidding(db, now))
    if not forbidding:
        return set()
    there = _in_their_area(forbidding)
    found = (sa.select(delivery.c.warning_id).where(one, *there).distinct() for one in doors)
    return set((await db.scalars(sa.union(*found))).all())


async def people_to_take_back(db: Connection, warning_id: str, now: float, doors: Doors) -> dict[str, str]:
    """Those people of a warning, with the reason."""
    mine = (delivery.c.warning_id == warning_id, *_in_their_area(sorted(await _forbidding(db, now))))
    found = (sa.select(delivery.c.person_id).where(one, *mine) for one in doors)
    people = (await db.scalars(sa.union(*found))).all()
    return await barred(db, warning_id, sorted(people), now)


def _in_their_area(forbidding: Sequence[str]) -> tuple[sa.ColumnElement[bool], ...]:
    path = tables.path.c
    there = sa.exists().where(
        path.person_id == delivery.c.person_id, one_of(path.warning_id, forbidding), sa.not_(path.outside),
        path.warning_id != delivery.c.warning_id,
    )  # fmt: skip
    live = sa.select(warning_state.c.warning_id).where(
        warning_state.c.state == "active", warning_state.c.doors == "allowed"
    )
    return (delivery.c.warning_id.in_(live), there)


async def _forbidding(db: Connection, now: float) -> set[str]:
    """Warnings in force that let nobody go to a door; mostly there are none."""
    state = warning_state.c
    mine = (in_force(now), state.kind != "ending", state.doors.in_(_FORBIDS))
    return set((await db.scalars(sa.select(state.warning_id).where(*mine))).all())
