"""Reads risk zones of the register as a way to say where: those of the hazard, the highest class first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from shapely.geometry.base import BaseGeometry

from services.shared.database.engine import Connection
from services.shared.ledger.areas import risk_zone
from services.shared.powers.may import covers
from services.shared.powers.who import Who
from services.shared.web.area_picture import known_shape

MOST_LISTED = 300
CLASSES = (4, 3, 2)  # "this and above" is offered of these; all of them is what class 1 and above would be


class RiskZoneChoice(NamedTuple):
    """A zone that can be chosen. `level`: its class, 1 low to 4 very high; 0 where the register has it no more."""

    key: str  # hazard=zone, as `SketchContent.risk_zones` has it
    hazard: str
    name: str
    level: int


async def zones_of(db: Connection, who: Who, hazard: str) -> list[RiskZoneChoice]:
    """Zones of a hazard in which the caller may warn."""
    z = risk_zone.c
    wanted = sa.select(risk_zone).where(z.hazard == hazard).order_by(z["class"].desc(), z.name, z.zone_id)
    found = []
    for row in (await db.execute(wanted)).mappings():
        if row["authority"] and not who.speaks_for(row["authority"]):
            continue
        if who.area and not covers(who.area, (row["geojson"],)):
            continue
        key = f"{row['hazard']}={row['zone_id']}"
        found.append(RiskZoneChoice(key, hazard, row["name"] or row["zone_id"], row["class"]))
        if len(found) == MOST_LISTED:
            break
    return found


def from_class(zones: Iterable[RiskZoneChoice], level: int) -> tuple[str, ...]:
    """The keys of those of a class and above."""
    return tuple(one.key for one in zones if one.level >= level)


def by_class(zones: Sequence[RiskZoneChoice]) -> list[tuple[int, int]]:
    """(Class, how many of it and above), where a class adds any."""
    return [
        (level, sum(one.level >= level for one in zones))
        for level in CLASSES
        if any(one.level == level for one in zones)
    ]


async def chosen_zones(db: Connection, keys: Iterable[str]) -> list[RiskZoneChoice]:
    """What a sketch has chosen, whoever looks, in its order."""
    return [one for one, _ in await zones_on_ground(db, keys)]


async def zones_on_ground(db: Connection, keys: Iterable[str]) -> list[tuple[RiskZoneChoice, BaseGeometry | None]]:
    """The same with the ground of each; None where the register has it no more."""
    z, found = risk_zone.c, list[tuple[RiskZoneChoice, BaseGeometry | None]]()
    for key in keys:
        hazard, _, zone_id = key.partition("=")
        one = sa.select(risk_zone).where(z.hazard == hazard, z.zone_id == zone_id)
        row = (await db.execute(one)).mappings().first()
        if row is None:
            found.append((RiskZoneChoice(key, hazard, zone_id, 0), None))
        else:
            named = RiskZoneChoice(key, hazard, row["name"] or zone_id, row["class"])
            found.append((named, known_shape(row["geojson"])))
    return found
