"""The area an alert means: the union of all polygons and circles, mended so that nobody inside is left out.

Where a shape can be read in two ways the larger one is taken, and a note says so. What it costs to compute is bounded
before it is computed: edges whose boxes overlap are counted first, and a tangle beyond the limit gives its hull.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import shapely
from shapely.affinity import translate
from shapely.geometry import MultiPolygon, Polygon, box
from shapely.geometry.base import BaseGeometry

from services.gateway.cap.model import (
    FEED,
    Alert,
    Finding,
    Pairs,
    ReadingLimits,
    Ring,
)
from services.gateway.cap.rules import Notes
from services.shared.input.polygon_limits import tangled

CIRCLE_CORNERS = 96
MARKER_KM = 3.0
"""What is taken around a mark (a circle of radius 0) when marks are all there is of the area."""

_AXIS_KM = 6378.137
_ECCENTRICITY_2 = 0.00669437999014
_SLIVER = 1e-12
_WORLD = box(-180.0, -90.0, 180.0, 90.0)

_LonLat = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class AreaShape:
    """Where people are to be warned: `geom` in (lon, lat) WGS 84 degrees, None where no shape is given.

    `geocodes` are all codes of all areas, each once, for a code table to resolve; they add to `geom`. `markers` are
    (lat, lon) of circles of radius 0.
    """

    geom: BaseGeometry | None
    geocodes: Pairs
    findings: tuple[Finding, ...]
    markers: tuple[tuple[float, float], ...] = ()


def geometry(
    alert: Alert, *, home: BaseGeometry | None = None, strict: bool = False, limits: ReadingLimits = FEED
) -> AreaShape:
    """The alert's area, all info blocks and area blocks together.

    `home` is the jurisdiction in (lon, lat): a shape that lies outside it as read, but meets it with latitude and
    longitude exchanged, was swapped by its author and is exchanged back, with a note.
    """
    notes = Notes(strict=strict, position=alert.position)
    shape = _Shape(alert, limits, notes)
    geom = shape.union()
    if home is not None and geom is not None and not geom.intersects(home):
        turned = shapely.intersection(shapely.transform(geom, lambda pairs: pairs[:, ::-1]), _WORLD)
        if not turned.is_empty and turned.intersects(home):
            notes.add("swapped", "/alert", "meets the jurisdiction only with its coordinates exchanged")
            geom = turned
    return AreaShape(geom, shape.geocodes, tuple(notes.found), tuple(shape.markers))


def check_geometry(alert: Alert, limits: ReadingLimits, notes: Notes) -> None:
    """Note what is wrong with the alert's areas, among the findings of its reading; short of joining them."""
    _Shape(alert, limits, notes).parts()


def ring_as_meant(ring: Ring) -> Ring:
    """A ring fit to be passed on: closed, on the globe, (lat, lon); empty where it cannot be."""
    shape = _Shape(_NOTHING, FEED, Notes(strict=False))
    placed = shape.placed(ring, "")
    if not placed:
        return ()
    if placed[0] != placed[-1]:
        placed.append(placed[0])
    if len(placed) < 4:
        return ()
    return tuple((lat, lon - 360.0 * round(lon / 360.0) if abs(lon) > 180 else lon) for lon, lat in placed)


class _Shape:
    """The rings and markers of one alert on their way to a union."""

    def __init__(self, alert: Alert, limits: ReadingLimits, notes: Notes) -> None:
        self._limits = limits
        self._notes = notes
        self._alert = alert
        self._where = "/alert"
        self._rings: list[_LonLat] = []
        self._flat: list[str] = []
        self.markers: list[tuple[float, float]] = []
        areas = [area for info in alert.infos for area in info.areas]
        self.geocodes: Pairs = tuple(dict.fromkeys(pair for area in areas for pair in area.geocodes))
        # Each language repeats the areas: equal rings and circles are computed once.
        self._polygons = tuple(dict.fromkeys(ring for area in areas for ring in area.polygons))
        # One ring that can only be read the other way round shows how its author writes all of them.
        self._exchanged = any(
            90 < max(abs(lat) for lat, _ in ring) <= 180 and max(abs(lon) for _, lon in ring) <= 90
            for ring in self._polygons
        )
        self._circles = tuple(dict.fromkeys(circle for area in areas for circle in area.circles))

    def union(self) -> BaseGeometry | None:
        """The whole area; None where no shape is given, the hull where it is too much to compute."""
        parts = self.parts()
        if parts is None:
            return self._hull()
        return _on_the_globe(shapely.union_all(parts)) if parts else None

    def parts(self) -> list[Polygon] | None:
        """The valid polygons to be joined; None where they are too many or too tangled for that."""
        if not self._within_limits():
            return None
        for ring in self._polygons:
            self._take_polygon(ring)
        for circle in self._circles:
            self._take_circle(*circle)
        if self._tangled():
            self._notes.add("polygon_tangled", f"{self._where}//polygon", f"{len(self._rings)} polygons")
            return None
        parts = [part for ring in self._rings for part in self._mended(ring)]
        parts += self._judge_what_is_missing(bool(parts))
        west, east = min((p.bounds[0] for p in parts), default=0), max((p.bounds[2] for p in parts), default=0)
        if west < -180 or east > 180:
            self._notes.add("antimeridian", self._where, f"{west:g} to {east:g}")
        return parts

    def _within_limits(self) -> bool:
        most, limits = max((len(ring) for ring in self._polygons), default=0), self._limits
        corners = sum(len(ring) for ring in self._polygons)
        if (
            len(self._polygons) > limits.polygons
            or len(self._circles) > limits.circles
            or most > limits.vertices_each
            or corners > limits.vertices
        ):
            self._notes.add(
                "too_many_corners", f"{self._where}//area",
                f"{len(self._polygons)} polygons, {len(self._circles)} circles, {corners} corners",
            )  # fmt: skip
            return False
        return True

    def _hull(self) -> BaseGeometry | None:
        """A quick shape that holds everything: for a person to look at, never to be sent to unseen."""
        points = [(lon, lat) for ring in (self._rings or self._polygons) for lon, lat in _sane(ring, bool(self._rings))]
        return shapely.convex_hull(shapely.multipoints(points)) if len(points) > 2 else None

    def _take_polygon(self, ring: Ring) -> None:
        where = f"{self._where}//polygon"
        placed = self.placed(ring, where)
        if placed is None:
            return
        if placed[0] != placed[-1]:
            placed.append(placed[0])
            self._notes.add("polygon_open", where, f"{ring[0]} … {ring[-1]}")
        placed = _unwrapped(placed)
        if abs(placed[0][0] - placed[-1][0]) > 180:
            self._notes.add("polygon_polar", where, f"{ring[0]} …")
            return
        if len(set(placed)) < 3 or (abs(_doubled_area(placed)) < _SLIVER and _straight(placed)):
            self._flat.append(f"{ring[:3]}")
            return
        self._rings.append(placed)

    def placed(self, ring: Ring, where: str) -> _LonLat | None:
        """The ring as (lon, lat) on the globe: exchanged or turned back where that is what was meant."""
        lats = [lat for lat, _ in ring]
        lons = [lon for _, lon in ring]
        north, east = max(map(abs, lats)), max(map(abs, lons))
        if north <= 90 and east <= 180 and not (self._exchanged and east <= 90):
            return list(zip(lons, lats, strict=True))
        if north <= 90 and 180 < east <= 540:
            self._notes.add("longitude_wrapped", where, f"longitude {east:g}")
            turn = 360.0 if min(lons) > 180 else -360.0 if max(lons) < -180 else 0.0
            return [(lon - turn, lat) for lon, lat in zip(lons, lats, strict=True)]
        if north <= 180 and east <= 90 and (self._exchanged or north > 90):
            self._notes.add("swapped", where, f"latitude {north:g}")
            return list(zip(lats, lons, strict=True))
        self._notes.add("out_of_range", where, f"{ring[0]} …")
        return None

    def _take_circle(self, lat: float, lon: float, radius: float) -> None:
        where = f"{self._where}//circle"
        if abs(lat) > 90 and abs(lat) <= 180 and abs(lon) <= 90:
            self._notes.add("swapped", where, f"{lat},{lon}")
            lat, lon = lon, lat
        if abs(lat) <= 90 and 180 < abs(lon) <= 360:
            self._notes.add("longitude_wrapped", where, f"{lat},{lon}")
            lon -= math.copysign(360.0, lon)
        if abs(lat) > 90 or abs(lon) > 180:
            self._notes.add("out_of_range", where, f"{lat},{lon}")
        elif radius > self._limits.circle_km or abs(lat) + radius / 110.0 >= 90:
            self._notes.add("circle_huge", where, f"{lat},{lon} {radius:g} km")
        elif radius == 0:
            self._notes.add("circle_zero", where, f"{lat},{lon}")
            self.markers.append((lat, lon))
        else:
            self._rings.append(circle_ring(lat, lon, radius))

    def _judge_what_is_missing(self, shaped: bool) -> list[Polygon]:
        """Say what has no extent, and whether anything else says the area; marks stand in where nothing does."""
        alone = not shaped and not self.geocodes
        for ring in self._flat:
            self._notes.add("polygon_flat_alone" if alone else "polygon_flat", f"{self._where}//polygon", ring)
        if alone and not self._flat and self.markers:
            self._notes.add("marker_used", f"{self._where}//circle", f"{len(self.markers)} marks, {MARKER_KM:g} km")
            return [Polygon(circle_ring(lat, lon, MARKER_KM)) for lat, lon in self.markers if abs(lat) < 89]
        if not shaped and any(info.areas for info in self._alert.infos):
            self._notes.add("area_geocode_only" if self.geocodes else "area_text_only", f"{self._where}//area")
        return []

    def _tangled(self) -> bool:
        """Whether more pairs of edges may meet than can be computed in time; counted in small portions."""
        return tangled(self._rings, self._limits.crossings)

    def _mended(self, ring: _LonLat) -> list[Polygon]:
        """The ring as valid areas; of one that crosses itself everything its line encloses, so nobody is lost."""
        polygon = Polygon(np.asarray(ring, dtype=float))
        if polygon.is_valid:
            return [polygon]
        faces = shapely.polygonize([shapely.node(shapely.LineString(ring))])
        outlines = [Polygon(face.exterior) for face in faces.geoms if isinstance(face, Polygon)]
        if outlines:
            self._notes.add("polygon_crossing", f"{self._where}//polygon", f"{ring[0]} …")
        else:
            self._flat.append(f"{ring[:3]}")
        return outlines


def _sane(ring: Ring | _LonLat, placed: bool) -> _LonLat:
    pairs = ring if placed else [(lon, lat) for lat, lon in ring]
    return [(lon, lat) for lon, lat in pairs if abs(lon) <= 540 and abs(lat) <= 90]


def _unwrapped(ring: _LonLat) -> _LonLat:
    """Longitudes made continuous where a step of more than half the globe shows that the ring crosses 180 degrees.

    A ring that truly goes round the globe (a world map's frame) collapses when unwrapped and is kept as it was.
    """
    if max(lon for lon, _ in ring) - min(lon for lon, _ in ring) <= 180:
        return ring
    out = [ring[0]]
    for lon, lat in ring[1:]:
        before = out[-1][0]
        out.append((lon - 360.0 * round((lon - before) / 360.0), lat))
    if abs(_doubled_area(out)) < _SLIVER < abs(_doubled_area(ring)):
        return ring
    return out


def _doubled_area(ring: _LonLat) -> float:
    """Twice the signed area, in square degrees."""
    x0, y0 = ring[0]
    return math.fsum((ax - x0) * (by - y0) - (bx - x0) * (ay - y0) for (ax, ay), (bx, by) in pairwise(ring))


def _straight(ring: _LonLat) -> bool:
    """Whether all corners lie on one line: no area, however it winds."""
    (x0, y0), far = ring[0], max(ring, key=lambda p: abs(p[0] - ring[0][0]) + abs(p[1] - ring[0][1]))
    dx, dy = far[0] - x0, far[1] - y0
    return all(abs(dx * (y - y0) - dy * (x - x0)) < _SLIVER for x, y in ring)


def circle_ring(lat: float, lon: float, radius_km: float) -> _LonLat:
    """A closed ring of 96 corners around the circle, on the ellipsoid: it touches the circle from outside.

    In each direction the sphere that fits the ellipsoid best there is used (Euler's radius); up to some hundred km
    that is right within a ten-thousandth, which the ring's corners stand further out than they need.
    """
    phi, lam = math.radians(lat), math.radians(lon)
    bent = 1.0 - _ECCENTRICITY_2 * math.sin(phi) ** 2
    meridian = _AXIS_KM * (1.0 - _ECCENTRICITY_2) / bent**1.5
    prime = _AXIS_KM / math.sqrt(bent)
    reach = radius_km / math.cos(math.pi / CIRCLE_CORNERS) * 1.0005
    ring: _LonLat = []
    for corner in range(CIRCLE_CORNERS):
        azimuth = 2.0 * math.pi * corner / CIRCLE_CORNERS
        euler = 1.0 / (math.cos(azimuth) ** 2 / meridian + math.sin(azimuth) ** 2 / prime)
        arc = reach / euler
        north = math.asin(
            max(-1.0, min(1.0, math.sin(phi) * math.cos(arc) + math.cos(phi) * math.sin(arc) * math.cos(azimuth)))
        )
        east = lam + math.atan2(
            math.sin(azimuth) * math.sin(arc) * math.cos(phi), math.cos(arc) - math.sin(phi) * math.sin(north)
        )
        ring.append((math.degrees(east), math.degrees(north)))
    return [*ring, ring[0]]


def _on_the_globe(geom: BaseGeometry) -> BaseGeometry | None:
    """Polygons only, within 180 degrees: what reaches beyond is cut there and comes in from the other side."""
    west, _, east, _ = geom.bounds if not geom.is_empty else (0.0, 0.0, 0.0, 0.0)
    if west < -180 or east > 180:
        pieces = []
        for turn in range(math.floor((west + 180) / 360), math.floor((east + 180) / 360) + 1):
            moved = translate(geom, xoff=-360.0 * turn)
            pieces.append(shapely.intersection(moved, _WORLD))
        geom = shapely.union_all(pieces)
    parts = [part for part in shapely.get_parts(geom) if isinstance(part, Polygon) and part.area > 0]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


_NOTHING = Alert(identifier="-", sender="-", sent=datetime.min.replace(tzinfo=UTC), status="", msg_type="", scope="")
