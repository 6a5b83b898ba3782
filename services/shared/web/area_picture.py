"""Draws where a warning is: its shape over the outlines of the register's areas, as paths of an SVG; nothing is fetched."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import shapely
import sqlalchemy as sa
from shapely.geometry.base import BaseGeometry

from services.shared.database.engine import Connection
from services.shared.ledger.areas import area

WIDTH, MARGIN = 640.0, 0.08
MOST_OUTLINES = 2_000


@dataclass(frozen=True)
class Picture:
    """`shape` and `around` are values of `d`; `labels` are (x, y, name)."""

    width: float
    height: float
    shape: str
    around: tuple[str, ...]
    labels: tuple[tuple[float, float, str], ...]


def picture_of(shape: BaseGeometry | None, around: Sequence[tuple[str, BaseGeometry]]) -> Picture | None:
    """None for nowhere. `around`: names and shapes of areas, of which those near it are drawn."""
    if shape is None or shape.is_empty:
        return None
    west, south, east, north = shape.bounds
    wide = max(east - west, north - south, 0.01)
    box = (west - MARGIN * wide, south - MARGIN * wide, east + MARGIN * wide, north + MARGIN * wide)
    narrow = max(math.cos(math.radians((south + north) / 2)), 0.05)
    scale = WIDTH / ((box[2] - box[0]) * narrow)
    height = min(max((box[3] - box[1]) * scale, WIDTH / 4), WIDTH * 0.8)
    scale = min(scale, height / (box[3] - box[1]))

    aside = (WIDTH - (box[2] - box[0]) * narrow * scale) / 2

    def at(lon: float, lat: float) -> tuple[float, float]:
        return round(aside + (lon - box[0]) * narrow * scale, 1), round((box[3] - lat) * scale, 1)

    near = [
        (name, shapely.clip_by_rect(one, *box)) for name, one in around if shapely.intersects(one, shapely.box(*box))
    ]
    labels = []
    for name, one in near:
        if shapely.area(shapely.intersection(one, shape)) > 0.0:
            point = one.representative_point()
            labels.append((*at(point.x, point.y), name))
    return Picture(
        WIDTH, round(height, 1), _path(shape, at, 0.3 / scale), tuple(_path(one, at, 0.5 / scale) for _, one in near),
        tuple(labels[:12]),
    )  # fmt: skip


def _path(shape: BaseGeometry, at: Callable[[float, float], tuple[float, float]], finest: float) -> str:
    simple = shapely.simplify(shape, finest)
    rings = []
    for part in shapely.get_parts(simple if not simple.is_empty else shape):
        if part.geom_type == "Polygon":
            for ring in (part.exterior, *part.interiors):
                points = " ".join("{},{}".format(*at(lon, lat)) for lon, lat, *_ in ring.coords)
                rings.append(f"M{points}z")
    return "".join(rings)


async def outlines(db: Connection) -> list[tuple[str, BaseGeometry]]:
    """Name and shape of every area the register has an outline of: what a picture is drawn over."""
    rows = await db.execute(sa.select(area.c.name, area.c.geojson).where(area.c.geojson != "").limit(MOST_OUTLINES))
    return [(name, known_shape(geojson)) for name, geojson in rows]


@lru_cache(maxsize=4096)
def known_shape(geojson: str) -> BaseGeometry:
    """An area of the register, which was looked at when it was imported."""
    return shapely.make_valid(shapely.from_geojson(geojson))
