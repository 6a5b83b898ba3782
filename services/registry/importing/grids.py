"""Judges for which grids an authority may name officers: whoever has a grid gets its people's names and addresses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import sqlalchemy as sa

from services.registry.store import register
from services.shared.database.batches import chunks, one_of
from services.shared.database.engine import Connection
from services.shared.database.rows import columns, rows_of
from services.shared.powers.may import holds
from services.shared.powers.who import Who


class _Kept(NamedTuple):
    grid_id: str
    authority: str
    lat: float
    lon: float


async def not_theirs(db: Connection, who: Who, grids: Iterable[str]) -> dict[str, str]:
    """Grid > which bound of the grant stands against it, of those whose people are not this caller's.

    One where somebody lives beyond the area of the key, or where all were entered by authorities they do not speak for.
    """
    people: dict[str, list[_Kept]] = {}
    here = sa.select(*columns(_Kept, register.person))
    for some in chunks(sorted(set(grids)), 1000):
        where = one_of(register.person.c.grid_id, some)
        for row in await rows_of(db, _Kept, here.where(where, register.IS_WARNED)):
            people.setdefault(row.grid_id, []).append(row)
    found = {}
    for grid, rows in people.items():
        if who.area and not holds(who.area, [row.lon for row in rows], [row.lat for row in rows]).all():
            found[grid] = "grant.area"
        elif not any(not row.authority or who.speaks_for(row.authority) for row in rows):
            found[grid] = "owner"
    return found
