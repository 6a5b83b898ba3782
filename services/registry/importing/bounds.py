"""Bounds where the people of a list can live, from imported areas, the register, or the list itself.

A position outside is no guess for a program: exchanged, of another county, or a slip. Its row is held and told, since a
person at a wrong place is in no area that is ever warned. `--bounds off` lets a list in that is meant so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
import sqlalchemy as sa

from services.registry.model.given import WARNED
from services.registry.store import register
from services.shared.database.engine import Connection
from services.shared.errors import Refused
from services.shared.ledger.areas import area, risk_zone

AROUND = 1.0  # degrees, some 100 km: who works or stays outside the county is let in
FEW, FEW_ROWS = 50, 20  # people, or rows of the list, from which they say where the county is
MANY = 5000
POLAR = 84.0  # degrees: beyond it nobody lives


@dataclass(frozen=True)
class Bounds:
    """Degrees, and what they were learnt from."""

    south: float
    west: float
    north: float
    east: float
    learnt_from: str

    def hold(self, lat: float, lon: float) -> bool:
        """Whether a place is within."""
        return self.south <= lat <= self.north and self.west <= lon <= self.east

    def __str__(self) -> str:
        return f"{self.south:.2f} to {self.north:.2f} north, {self.west:.2f} to {self.east:.2f} east, from {self.learnt_from}"


def read_bounds(text: str) -> Bounds | None:
    """Of "south,west,north,east"; None of "off"; Refused where it is neither."""
    if text == "off":
        return None
    try:
        south, west, north, east = (float(part) for part in text.split(","))
    except ValueError:
        south = west = north = east = float("nan")
    if not (-90 <= south < north <= 90 and -180 <= west < east <= 180):
        raise Refused(
            "the bounds are no box of degrees",
            field="bounds",
            rule="south,west,north,east",
            given=text[:80],
            remedy="write four numbers, like 29.5,102.5,31,104, or off to take positions from anywhere",
        )
    return Bounds(south, west, north, east, "what was given")


async def learn(db: Connection, rows: Sequence[tuple[float, float]]) -> Bounds | None:
    """The narrowest that is known; `rows` are positions (lat, lon) at the list's beginning. None where nothing is."""
    texts = list(await db.scalars(sa.select(area.c.geojson).where(area.c.geojson != "").limit(MANY)))
    zones = risk_zone.c
    ends = (sa.func.min(zones.west), sa.func.min(zones.south), sa.func.max(zones.east), sa.func.max(zones.north))
    boxes = [[float(end) for end in row] for row in await db.execute(sa.select(*ends)) if row[0] is not None]
    if texts and not np.isnan((box := await asyncio.to_thread(_box, texts))[0]):
        boxes.append(box)
    if boxes:
        (west, south), (east, north) = np.min(boxes, axis=0)[:2], np.max(boxes, axis=0)[2:]
        return _wider(south, west, north, east, AROUND, "the imported areas")
    there = sa.select(register.person.c.lat, register.person.c.lon).where(register.person.c.status.in_(WARNED))
    people = [(row.lat, row.lon) for row in await db.execute(there.order_by(register.person.c.person_id).limit(MANY))]
    if len(people) >= FEW:
        return _around(people, "the people in the register")
    return _around(rows, "this list's first rows") if len(rows) >= FEW_ROWS else None


def _box(texts: list[str]) -> list[float]:
    """West, south, east, north of GeoJSON texts; not a number where none has a surface."""
    return [float(end) for end in shapely.total_bounds(shapely.from_geojson(texts, on_invalid="ignore"))]


def _around(points: Sequence[tuple[float, float]], learnt_from: str) -> Bounds:
    """The box that holds four of five of them, and as much around it again: a few wrong ones widen nothing."""
    south, west = np.percentile(points, 10, axis=0)
    north, east = np.percentile(points, 90, axis=0)
    return _wider(south, west, north, east, max(AROUND, north - south, east - west), learnt_from)


def _wider(south: float, west: float, north: float, east: float, by: float, learnt_from: str) -> Bounds:
    return Bounds(
        max(-90.0, float(south) - by), max(-180.0, float(west) - by), min(90.0, float(north) + by),
        min(180.0, float(east) + by), learnt_from,
    )  # fmt: skip


def wrong(lat: float, lon: float, within: Bounds | None) -> str:
    """What is wrong with a place, and what to do; empty where nothing is."""
    if lat.is_integer() and lon.is_integer():
        return "whole degrees are a hundred kilometres wide: give four digits behind the point"
    if abs(lat) > POLAR and abs(lon) <= 90:
        return f"nobody lives there; exchanged it would be {lon}, {lat}: look which is latitude"
    if within is None or within.hold(lat, lon):
        return ""
    if within.hold(lon, lat):
        return f"latitude and longitude are exchanged: {lon}, {lat} lies within {within}"
    return f"this is outside {within}: correct it, or import with --bounds off if it is meant"
