"""Finds the people in an area: an integer grid of 0.01 degree finds, shapely decides at the boundary.

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
from services.shared.input.polygon_limits import tangled_shape

COLUMNS = 36_000  # cells around the earth
ROWS = 18_000
MAX_CORNERS = 200_000  # of one area: a county drawn to a metre has fewer
CORNERS = 256  # of a circle
EARTH_KM = 6371.0088
HAIR = 1e-9  # degrees, a tenth of a millimetre
KNOWN_CELLS = 500_000
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


class Shape:
    """Polygons whose union is meant; never united, since a union moves corners."""

    def __init__(self, polygons: Sequence[shapely.Polygon]) -> None:
        for polygon in polygons:
            shapely.prepare(polygon)
        self._parts = [_Part(p, p.bounds) for p in polygons]
        self._known: dict[int, int] = {}  # cell > kind: pages of one area look at the same cells again

    @classmethod
    def from_geojson(cls, *texts: str) -> Shape:
        """The union of GeoJSON texts (geometry, Feature or FeatureCollection); Refused where one has no surface."""
        polygons: list[shapely.Polygon] = []
        for text in texts:
            brackets = text.count("[")  # one a corner and a few more: a million are refused before they are read
            if brackets > 2 * MAX_CORNERS:
                raise _too_many(brackets)
            geometry = _geometry(text)
            corners = int(shapely.get_num_coordinates(geometry))
            if corners > MAX_CORNERS:
                raise _too_many(corners)
            found = [part for whole in _polygons(geometry) for part in _on_the_map(whole)]
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
    def judged(cls, text: str) -> Shape:
        """The area of a GeoJSON that nobody has looked at yet. Also Refused where its lines cross too often to
        compute with."""
        if text.count("[") <= 2 * MAX_CORNERS and tangled_shape(_geometry(text)):
            raise Refused(
                "the area's lines cross each other too often to be computed",
                field="area",
                rule="simple polygon",
                given=text[:80],
                remedy="draw it without crossings, or divide it into several areas",
            )
        return cls.from_geojson(text)

    @classmethod
    def circle(cls, lat: float, lon: float, km: float) -> Shape:
        """A circle on the earth, as the polygon of CORNERS corners around it. It holds the circle and 0.01 % more."""
        angle = np.linspace(0.0, 2.0 * np.pi, CORNERS + 1)[:-1]
        reach = min(km / EARTH_KM / np.cos(np.pi / CORNERS), np.pi)
        phi, away = np.radians(lat), reach
        south_north = np.sin(phi) * np.cos(away) + np.cos(phi) * np.sin(away) * np.cos(angle)
        y = np.degrees(np.arcsin(np.clip(south_north, -1.0, 1.0)))
        east = np.arctan2(np.sin(angle) * np.sin(away) * np.cos(phi), np.cos(away) - np.sin(phi) * south_north)
        if abs(lat) + np.degrees(reach) >= 90.0:  # it holds a pole: everything beyond the latitude it reaches down to
            edge = float(y.min()) if lat > 0 else float(y.max())
            return cls([shapely.box(-180.0, edge, 180.0, 90.0) if lat > 0 else shapely.box(-180.0, -90.0, 180.0, edge)])
        return cls(_on_the_map(shapely.Polygon(np.column_stack((lon + np.degrees(east), y)))))

    @classmethod
    def union(cls, areas: Iterable[Shape]) -> Shape:
        """All of them as one."""
        return cls([part.shape for area in areas for part in area._parts])

    @classmethod
    def from_wkb(cls, body: bytes) -> Shape:
        """What `wkb` made."""
        return cls(_polygons(shapely.from_wkb(body)))

    def wkb(self) -> bytes:
        """All polygons as one collection."""
        return bytes(shapely.to_wkb(shapely.GeometryCollection([p.shape for p in self._parts])))

    def geojson(self) -> tuple[str, ...]:
        """Each polygon as a text of its own."""
        return tuple(str(shapely.to_geojson(p.shape)) for p in self._parts)

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

    def columns(self) -> tuple[int, int]:
        """First and last column of cells that can lie in it."""
        west, _, east, _ = self.bounds
        return cell_of(0.0, max(west - HAIR, -180.0)) % COLUMNS, cell_of(0.0, min(east + HAIR, 180.0)) % COLUMNS

    def classify(self, cells: Iterable[int]) -> npt.NDArray[np.int8]:
        """OUTSIDE, BOUNDARY or INSIDE for each cell."""
        asked = list(cells)
        new = [cell for cell in asked if cell not in self._known]
        if new:
            if len(self._known) > KNOWN_CELLS:
                self._known.clear()
                new = asked
            self._known |= zip(new, self._kinds(np.array(new, dtype=np.int64)).tolist(), strict=True)
        return np.array([self._known[cell] for cell in asked], dtype=np.int8)

    def _kinds(self, numbers: Ints) -> npt.NDArray[np.int8]:
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


def _too_many(corners: int) -> Refused:
    return Refused(
        f"the area has about {corners:,} corners, more than the {MAX_CORNERS:,} we take",
        field="area",
        rule="corners",
        given=corners,
        remedy="simplify the polygon to about 10 m, or divide it into several areas",
    )


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


def _on_the_map(polygon: shapely.Polygon) -> list[shapely.Polygon]:
    """The polygon between -180 and 180 degrees: cut where it goes over the antimeridian, Refused beyond a pole.

    An edge of more than half the earth is taken the short way, over the antimeridian: a ring that alerts write from
    179 to -179 means the islands there and not the rest of the world. (One of exactly 360 is the whole world.)
    """
    xy = shapely.get_coordinates(polygon)
    if np.abs(xy[:, 1]).max() > 90.0 or np.abs(xy[:, 0]).max() > 540.0:
        raise Refused(
            "the area lies beyond a pole",
            field="area",
            rule="degrees",
            given=f"{xy[0, 0]}, {xy[0, 1]}",
            remedy="write longitude first, then latitude from -90 to 90, in WGS 84 degrees",
        )
    rings = [polygon.exterior, *polygon.interiors]
    jumps = [np.abs(np.diff(shapely.get_coordinates(ring)[:, 0])) for ring in rings]
    if any(((jump > 180.0) & (jump < 360.0)).any() for jump in jumps):
        polygon = _unrolled(rings)
    west, _, east, _ = polygon.bounds
    if west >= -180.0 and east <= 180.0:
        return [polygon]
    found: list[shapely.Polygon] = []
    for turn in (-360.0, 0.0, 360.0):
        strip = shapely.intersection(polygon, shapely.box(-180.0 + turn, -90.0, 180.0 + turn, 90.0))
        if strip.is_empty:
            continue
        corners = shapely.get_coordinates(strip)
        corners[:, 0] = np.clip(corners[:, 0] - turn, -180.0, 180.0)
        back = shapely.set_coordinates(strip, corners)
        found += [part for part in _polygons(back) if part.area > 0]
    return found


def _unrolled(rings: Sequence[shapely.LinearRing]) -> shapely.Polygon:
    """The rings with every edge the short way round, all near the first one."""
    lines = []
    start = 0.0
    for n, ring in enumerate(rings):
        xy = shapely.get_coordinates(ring)
        x = np.unwrap(xy[:, 0], period=360.0)
        middle = (x.min() + x.max()) / 2.0
        start = middle if n == 0 else start
        x += 360.0 * np.round((start - middle) / 360.0)
        lines.append(np.column_stack((x, xy[:, 1])))
    return shapely.Polygon(lines[0], lines[1:])


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
