"""Finds where somebody lives by the register's own areas: a village's name, a point in it, and whose grid that is."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, hypot, radians
from typing import NamedTuple

import sqlalchemy as sa

from services.registry.geo.areas import Shape
from services.registry.store import register
from services.shared.database.engine import Connection
from services.shared.database.rows import columns, rows_of
from services.shared.errors import Refused

SHOWN = 120  # of a list on one page; more are found by a part of their name
NEAR = 0.1  # degrees in which somebody's grid is taken over
LOOKED_AT = 2000


class HomeVillage(NamedTuple):
    """An area with a surface that no other is part of."""

    value_name: str
    code: str
    name: str
    parent: str

    @property
    def key(self) -> str:
        """As a form carries it."""
        return f"{self.value_name}\t{self.code}"


class Spot(NamedTuple):
    """Where somebody is put on the map: WGS 84 degrees, with the zone and grid of whoever lives nearest."""

    lat: float
    lon: float
    zone_id: str
    grid_id: str


def _smallest() -> sa.Select[*tuple[object, ...]]:
    area, child = register.area, register.area.alias("child")
    parent_of = sa.exists().where(child.c.value_name == area.c.value_name, child.c.parent == area.c.code)
    return sa.select(*columns(HomeVillage, area)).where(area.c.geojson != "", area.c.name != "", sa.not_(parent_of))


async def some_villages(db: Connection, part: str = "") -> tuple[Sequence[HomeVillage], bool]:
    """Villages whose name holds this, by name, and whether there are more than are shown."""
    found = _smallest().order_by(register.area.c.name, register.area.c.code).limit(SHOWN + 1)
    if part:
        found = found.where(register.area.c.name.icontains(part, autoescape=True))
    rows = await rows_of(db, HomeVillage, found)
    return rows[:SHOWN], len(rows) > SHOWN


async def village_of(db: Connection, key: str) -> HomeVillage | None:
    """The village a form named; None where there is none such."""
    value_name, _, code = key.partition("\t")
    found = _smallest().where(register.area.c.value_name == value_name, register.area.c.code == code)
    rows = await rows_of(db, HomeVillage, found)
    return rows[0] if rows else None


async def spot_in(db: Connection, village: HomeVillage | None) -> Spot:
    """A point inside the village; inside the first one there is where nobody knows which. Refused where the register has
    no areas."""
    known = village or next(iter((await some_villages(db))[0]), None)
    if known is None:
        raise _no_villages()
    mine = sa.select(register.area.c.geojson).where(
        register.area.c.value_name == known.value_name, register.area.c.code == known.code
    )
    lon, lat = Shape.from_geojson(str(await db.scalar(mine))).inner_points()[0]
    zone_id, grid_id = await _grid_near(db, lat, lon) if village is not None else ("", "")
    return Spot(lat, lon, zone_id, grid_id)


async def must_be_some(db: Connection) -> None:
    """Refused where the register has no areas: nobody could say where they live."""
    if not (await some_villages(db))[0]:
        raise _no_villages()


def _no_villages() -> Refused:
    return Refused(
        "nobody can register here yet: the register has no villages", field="where", rule="areas",
        remedy="call the hotline, or ask your community officer",
    )  # fmt: skip


class _Neighbour(NamedTuple):
    lat: float
    lon: float
    zone_id: str
    grid_id: str


async def _grid_near(db: Connection, lat: float, lon: float) -> tuple[str, str]:
    """(zone, grid) of whoever of the register lives nearest; empty where nobody with a grid is near."""
    person, wide = register.person.c, cos(radians(lat))
    near = sa.select(*columns(_Neighbour, register.person)).where(
        person.grid_id != "", person.lat.between(lat - NEAR, lat + NEAR),
        person.lon.between(lon - NEAR / max(wide, 0.01), lon + NEAR / max(wide, 0.01)),
    )  # fmt: skip
    rows = await rows_of(db, _Neighbour, near.limit(LOOKED_AT))
    one = min(rows, key=lambda row: hypot(row.lat - lat, (row.lon - lon) * wide), default=None)
    return (one.zone_id, one.grid_id) if one is not None else ("", "")
