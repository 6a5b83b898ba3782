"""Reads places and facilities as what an act is about: whose each is, and where it lies."""

from __future__ import annotations

import sqlalchemy as sa
from aiohttp import web

from services.registry.people.mass_changes import point_at
from services.registry.people.places import NO_PLACE
from services.registry.store import register
from services.shared.i18n import mark
from services.shared.powers.may import Thing
from services.shared.powers.warnings import NOBODY
from services.shared.powers.who import Who
from services.shared.web.edge import PLATFORM_DATABASE

NO_FACILITY = mark("there is no facility of that id")


async def the_place(request: web.Request, who: Who) -> Thing:
    """The place an address names."""
    return await _thing(request, "place_id", register.place, register.place.c.place_id, NO_PLACE)


async def the_facility(request: web.Request, who: Who) -> Thing:
    """The facility an address names."""
    return await _thing(request, "facility_id", register.person, register.person.c.person_id, NO_FACILITY)


async def _thing(request: web.Request, field: str, table: sa.Table, key: sa.Column[str], missing: str) -> Thing:
    found = sa.select(table.c.authority, table.c.lat, table.c.lon).where(key == request.match_info[field])
    if table is register.person:
        found = found.where(table.c.kind == "facility")
    async with request.app[PLATFORM_DATABASE].read() as db:
        row = (await db.execute(found)).first()
    if row is None:
        return Thing(missing=missing, field=field, owner=NOBODY)
    return Thing(missing=missing, field=field, owner=row.authority, shapes=(point_at(row.lat, row.lon),))
