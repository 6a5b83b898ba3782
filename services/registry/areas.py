"""Which people lie in an area, exactly: an integer grid of 0.01 degree finds, shapely decides at the boundary.

A cell counts as inside or outside only if that holds for the cell widened by a hair, so that no rounding of a
coordinate to its cell can put a person on the wrong side; everyone else is decided point by point, edge included.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from services.shared.errors import Refused

COLUMNS = 36_000  # cells around the earth
ROWS = 18_000
HAIR = 1e-9  # degrees, a tenth of a millimetre
OUTSIDE, BOUNDARY, INSIDE = 0, 1, 2

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def cell_of(lat: float, lon: float) -> int:
    """Row-major number of the 0.01 degree cell that a point in WGS 84 degrees lies in."""
    row = min(int((lat + 90.0) * 100.0), ROWS - 1)
    column = min(int((lon + 180.0) * 100.0), COLUMNS - 1)
    return row * COLUMNS + column


def _boxes(cells: Ints, wider: float) -> tuple[Floats, Floats, Floats, Floats]:
    """West, south, east and north of the cells."""
    west = (cells % COLUMNS) / 100.0 - 180.0
    south = (cells // COLUMNS) / 100.0 - 90.0
    return west - wider, south - wider, west + 0.01 + wider, south + 0.01 + wider


@dataclass(frozen=True)
class _Part:
    shape: shapely.Polygon
    bounds: tuple[float, float, float, float]


class Area:
    """Polygons whose union is meant; never united, since a union moves corners."""

    def __init__(self, polygons: Sequence[shapely.Polygon]) -> None:
        for polygon in polygons:
            shapely.prepare(polygon)
        self._parts = [_Part(p, p.bounds) for p in polygons]

    @classmethod
    def from_geojson(cls, *texts: str) -> Area:
        """The union of GeoJSON texts (geometry, Feature or FeatureCollection); Refused where one has no surface."""
        polygons: list[shapely.Polygon] = []
        for text in texts:
            found = _polygons(_geometry(text))
            if not found:
                raise Refused(
                    "the area has no surface",
                    field="area",
                    rule="polygon",
                    given=text[:80],
                    remedy="give a GeoJSON Polygon or MultiPolygon with at least three different corners",
                )
            polygons += found
        return cls(polygons)

    @classmethod
    def from_wkb(cls, body: bytes) -> Area:
        """What `wkb` made."""
        return cls(_polygons(shapely.from_wkb(body)))

    def wkb(self) -> bytes:
        """All polygons as one collection."""
        return bytes(shapely.to_wkb(shapely.GeometryCollection([p.shape for p in self._parts])))

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees."""
        every = np.array([p.bounds for p in self._parts])
        west, south = every[:, 0].min(), every[:, 1].min()
        east, north = every[:, 2].max(), every[:, 3].max()
        return float(west), float(south), float(east), float(north)

    def cell_range(self) -> tuple[int, int]:
        """First and last cell number that can lie in it; rows are whole, so `classify` what lies between."""
        _, south, _, north = self.bounds
        first = cell_of(max(south - HAIR, -90.0), -180.0)
        return first, cell_of(min(north + HAIR, 90.0), 180.0)

    def classify(self, cells: Iterable[int]) -> npt.NDArray[np.int8]:
        """OUTSIDE, BOUNDARY or INSIDE for each cell."""
        numbers = np.fromiter(cells, dtype=np.int64)
        answer = np.full(len(numbers), OUTSIDE, dtype=np.int8)
        west, south, east, north = _boxes(numbers, HAIR)
        for part in self._parts:
            w, s, e, n = part.bounds
            near = np.flatnonzero((west <= e) & (east >= w) & (south <= n) & (north >= s) & (answer != INSIDE))
            if not len(near):
                continue
            boxes = shapely.box(west[near], south[near], east[near], north[near])
            touched = shapely.intersects(part.shape, boxes)
            covered = shapely.covers(part.shape, boxes)
            answer[near[touched]] = BOUNDARY
            answer[near[covered]] = INSIDE
        return answer

    def holds(self, lon: Sequence[float] | Floats, lat: Sequence[float] | Floats) -> npt.NDArray[np.bool_]:
        """Whether each point lies in it or on its edge."""
        x, y = np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)
        answer = np.zeros(len(x), dtype=np.bool_)
        for part in self._parts:
            w, s, e, n = part.bounds
            near = np.flatnonzero((x >= w) & (x <= e) & (y >= s) & (y <= n) & ~answer)
            if len(near):
                answer[near] = shapely.intersects_xy(part.shape, x[near], y[near])
        return answer

    def share(self, cells: Iterable[int]) -> Floats:
        """How much of each cell it covers, 0 to 1; where polygons overlap, at most 1."""
        numbers = np.fromiter(cells, dtype=np.int64)
        boxes = shapely.box(*_boxes(numbers, 0.0))
        covered = np.zeros(len(numbers))
        for part in self._parts:
            covered += shapely.area(shapely.intersection(part.shape, boxes))
        return np.minimum(covered / shapely.area(boxes), 1.0)

    def inner_points(self) -> list[tuple[float, float]]:
        """For each polygon a point (lon, lat) that it holds, the largest polygon first."""
        points = []
        for part in sorted(self._parts, key=lambda p: -p.shape.area):
            point = part.shape.representative_point()
            x, y = point.x, point.y
            if not shapely.intersects_xy(part.shape, x, y):  # thinner than a float: a corner always is
                x, y = part.shape.exterior.coords[0][:2]
            points.append((float(x), float(y)))
        return points


def _geometry(text: str) -> shapely.Geometry:
    try:
        return shapely.from_geojson(text)
    except (shapely.errors.ShapelyError, ValueError, TypeError) as problem:
        raise Refused(
            "the area is no GeoJSON",
            field="area",
            rule="geojson",
            given=str(text)[:80],
            remedy="give a GeoJSON geometry, longitude first, in WGS 84 degrees",
        ) from problem


def _polygons(geometry: shapely.Geometry) -> list[shapely.Polygon]:
    """All polygons in it, each made valid: a ring that crosses itself becomes the polygons it draws."""
    found: list[shapely.Polygon] = []
    for part in shapely.get_parts(geometry):
        if isinstance(part, shapely.Polygon):
            flat = shapely.force_2d(part)
            if flat.is_empty:
                continue
            if flat.is_valid:
                found.append(flat)
            else:
                found += [p for p in _polygons(shapely.make_valid(flat)) if p.area > 0]
        elif hasattr(part, "geoms"):
            found += _polygons(part)
    return found
