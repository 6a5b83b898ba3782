"""Says where the place people go to lies, seen from the area that is warned, and what the register knows of it."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from services.gateway.drafting.reading import SketchReading
from services.shared.database.engine import Connection
from services.shared.database.rows import columns, rows_of
from services.shared.i18n import mark
from services.shared.ledger.places import place
from services.shared.powers.ground import way_to

DIRECTIONS = (
    mark("north"), mark("north-east"), mark("east"), mark("south-east"), mark("south"), mark("south-west"), mark("west"),
    mark("north-west"),
)  # fmt: skip
WITHIN_KM = 0.001


class _Row(NamedTuple):
    """What is read of a place."""

    name: str
    lat: float
    lon: float
    state: str
    confirmed_by: str
    confirmed_at: float | None
    step_free: bool
    capacity: int


class PlaceToGo(NamedTuple):
    """A place of the register. `km` from the area's edge, `within` the area; `direction`: one of DIRECTIONS, as seen from its
    middle. `state`: open, closed or unknown; `confirmed_at`: wall, None for never."""

    name: str
    km: float
    within: bool
    direction: str
    state: str
    confirmed_by: str
    confirmed_at: float | None
    step_free: bool
    capacity: int


async def places_to_go(db: Connection, reading: SketchReading) -> list[PlaceToGo]:
    """Those of the names a sketch gives that the register has; of two with one name the nearest."""
    names = {name.strip() for name in reading.content.place_to.values() if name.strip()}
    shape = reading.place.shape
    if not names or shape is None:
        return []
    found: dict[str, PlaceToGo] = {}
    for row in await rows_of(db, _Row, sa.select(*columns(_Row, place)).where(place.c.name.in_(sorted(names)))):
        way = way_to(shape, row.lat, row.lon)
        there = PlaceToGo(
            row.name, way.km, way.km < WITHIN_KM, DIRECTIONS[round(way.degrees / 45.0) % 8], row.state, row.confirmed_by,
            row.confirmed_at, row.step_free, row.capacity,
        )  # fmt: skip
        if row.name not in found or there.km < found[row.name].km:
            found[row.name] = there
    return sorted(found.values(), key=lambda one: one.km)
