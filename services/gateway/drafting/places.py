"""Reads the ways somebody says where: areas and risk zones of the register, corners, a circle, GeoJSON; all of them are meant.

Whatever cannot be read is said in a sentence, beside what can.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypedDict

import shapely
import sqlalchemy as sa
from shapely.geometry.base import BaseGeometry

from services.gateway.cap import Alert, Area, Info, geometry
from services.gateway.cap.model import Ring
from services.gateway.drafting.risk_zones import zones_on_ground
from services.gateway.drafting.sketch import SketchContent, SketchFault
from services.shared.database.engine import Connection
from services.shared.i18n import t
from services.shared.input.polygon_limits import tangled_shape
from services.shared.ledger import areas
from services.shared.powers.ground import km2
from services.shared.powers.may import covers
from services.shared.powers.who import Who
from services.shared.web.area_picture import MOST_OUTLINES, known_shape

MOST_CORNERS = 10_000  # of everything that is drawn or pasted
MOST_SIGNS = 200_000  # of what is pasted
CODED_CORNERS = 2_000  # of an area of the register whose outline goes along with its code
MOST_LISTED = 300
MOST_NAMES = 6
FINEST_DRAWN = 0.0005  # degrees
LARGEST_KM = 500.0
EVER = datetime(2000, 1, 1, tzinfo=UTC)  # no time matters to where an area is
_NUMBER = re.compile(r"[-+]?\d{1,3}(?:\.\d+)?", re.ASCII)


class UnreadArea(ValueError):
    """What was typed cannot be read; the sentence says why."""


@dataclass(frozen=True)
class SketchedPlace:
    """Where it is: rings of (lat, lon), circles of (lat, lon, km) and geocodes, as CAP writes them. `shape` is the union of all
    in lon/lat, None for nowhere; `names` what the register calls it; `unresolved` codes it has no area of."""

    rings: tuple[Ring, ...] = ()
    circles: tuple[tuple[float, float, float], ...] = ()
    geocodes: tuple[tuple[str, str], ...] = ()
    shape: BaseGeometry | None = None
    names: tuple[str, ...] = ()
    findings: tuple[SketchFault, ...] = ()
    unresolved: tuple[tuple[str, str], ...] = ()

    @property
    def km2(self) -> float:
        return km2(self.shape)

    @property
    def geojson(self) -> str:
        """Empty for nowhere."""
        return str(shapely.to_geojson(self.shape)) if self.shape is not None else ""


@dataclass(frozen=True)
class AreaChoice:
    """An area of the register that can be chosen."""

    key: str  # list=code, as `SketchContent.areas` has it
    name: str
    parent: str


def key_of(value_name: str, code: str) -> str:
    return f"{value_name}={code}"


async def choices(db: Connection, who: Who, find: str = "") -> list[AreaChoice]:
    """Areas the caller may warn in, those that are part of no other first; with `find` those whose name or code has it."""
    a = areas.area.c
    wanted = sa.select(a.value_name, a.code, a.parent, a.name, a.geojson, a.authority).order_by(
        a.parent != "", a.value_name, a.parent, a.code
    )
    if find:
        wanted = wanted.where(sa.or_(a.name.contains(find, autoescape=True), a.code.contains(find, autoescape=True)))
    found = []
    for value_name, code, parent, name, geojson, authority in await db.execute(wanted):
        if authority and not who.speaks_for(authority):
            continue
        if who.area and geojson and not covers(who.area, (geojson,)):
            continue
        found.append(AreaChoice(key_of(value_name, code), name or code, parent))
        if len(found) == MOST_LISTED:
            break
    return found


async def chosen(db: Connection, content: SketchContent) -> list[AreaChoice]:
    """What a sketch has chosen, whoever looks: also a code the register has no area of, and one beyond the reader's grant. A
    form that left it out would take it away when it is saved."""
    a = areas.area.c
    found = []
    for key in content.areas:
        value_name, _, code = key.partition("=")
        mine = sa.select(a.name, a.parent).where(a.value_name == value_name, a.code == code)
        row = (await db.execute(mine)).first()
        name, parent = row or ("", "")
        found.append(AreaChoice(key, name or f"{value_name} {code}", parent))
    return found


class DrawnGround(TypedDict):
    """A MultiPolygon of GeoJSON."""

    type: str
    coordinates: list[list[list[list[float]]]]


class AreaOutline(TypedDict):
    """A Feature of GeoJSON; `chosen` stands in its properties: whether the sketch names the area."""

    type: str
    properties: dict[str, bool]
    geometry: DrawnGround


class AreaOutlines(TypedDict):
    """A FeatureCollection."""

    type: str
    features: list[AreaOutline]


async def drawn_over(db: Connection, content: SketchContent) -> AreaOutlines:
    """Outlines of the register's areas, as simple as a map of a county needs them."""
    a = areas.area.c
    rows = await db.execute(sa.select(a.value_name, a.code, a.geojson).where(a.geojson != "").limit(MOST_OUTLINES))
    found: list[AreaOutline] = []
    for value_name, code, geojson in rows:
        ground = shapely.MultiPolygon(_polygons(shapely.simplify(known_shape(geojson), FINEST_DRAWN)))
        chosen = key_of(value_name, code) in content.areas
        found.append(
            {"type": "Feature", "properties": {"chosen": chosen}, "geometry": json.loads(shapely.to_geojson(ground))}
        )
    return {"type": "FeatureCollection", "features": found}


async def place_of(db: Connection, content: SketchContent) -> SketchedPlace:
    """Everything the sketch says of where, together."""
    findings: list[SketchFault] = []
    rings, circles, shapes = list[Ring](), list[tuple[float, float, float]](), list[BaseGeometry]()
    for field, read in (("corners", _corners), ("geojson", _pasted)):
        try:
            for polygon in read(getattr(content, field)):
                ring = tuple((round(lat, 6), round(lon, 6)) for lat, lon in _ring(polygon))
                rings.append(ring)
                shapes += _as_read(Area("", polygons=(ring,)))
        except UnreadArea as wrong:
            findings.append(SketchFault(field, str(wrong)))
    try:
        for circle in _circle(content.circle):
            found = _as_read(Area("", circles=(circle,)))
            if not found:
                raise UnreadArea(t("This circle reaches over a pole: draw it smaller, or farther from there."))
            circles.append(circle)
            shapes += found
    except UnreadArea as wrong:
        findings.append(SketchFault("circle", str(wrong)))
    drawn = shapely.union_all(shapes) if shapes else None
    codes = tuple(dict.fromkeys((a, b) for a, _, b in (key.partition("=") for key in content.areas)))
    names: list[str] = []
    unresolved: list[tuple[str, str]] = []
    for code in codes:
        texts, unknown = await areas.of_codes(db, [code])
        unresolved += unknown
        parts = [known_shape(text) for text in texts]
        shapes += parts
        names += await _names(db, code)
        if sum(shapely.get_num_coordinates(part) for part in parts) <= CODED_CORNERS:
            rings += [_ring(p) for part in parts for p in _polygons(part) if not p.interiors]
    for zone, ground in await zones_on_ground(db, content.risk_zones):
        if ground is None:
            gone = t("The register has no such risk zone any more: take {zone} out.", zone=zone.name)
            findings.append(SketchFault("risk_zones", gone))
            continue
        names.append(zone.name)
        filled = [shapely.Polygon(polygon.exterior) for polygon in _polygons(ground)]  # CAP knows no holes
        rings += [_ring(polygon) for polygon in filled]
        shapes += filled
    if sum(len(ring) for ring in rings) > MOST_CORNERS:
        findings.append(
            SketchFault("risk_zones", t("More than {n} corners: draw it more simply.", n=f"{MOST_CORNERS:,}"))
        )
    if drawn is not None:
        names += await _names_within(db, drawn)
    return SketchedPlace(
        tuple(rings), tuple(circles), codes, shapely.union_all(shapes) if shapes else None,
        tuple(dict.fromkeys(names)), tuple(findings), tuple(unresolved),
    )  # fmt: skip


# ---- ways of typing


def _lines(text: str) -> Iterator[tuple[int, str]]:
    plain = unicodedata.normalize("NFKC", text).replace("、", ",")
    for n, line in enumerate(re.split(r"[\n;]", plain), 1):
        if line.strip():
            yield n, line.strip()


def _numbers(line: str, count: int) -> list[float] | None:
    parts = [part for part in re.split(r"[,\s]+", line) if part]
    if len(parts) != count or not all(_NUMBER.fullmatch(part) for part in parts[:2]):
        return None
    try:
        return [float(part) for part in parts]
    except ValueError:
        return None


def _corners(text: str) -> list[shapely.Polygon]:
    found = []
    for n, line in _lines(text):
        numbers = _numbers(line, 2)
        if numbers is None:
            raise UnreadArea(
                t(
                    "Corner {n}: write latitude, longitude, like 30.12, 103.05. Here stands: {given}",
                    n=n,
                    given=line[:60],
                )
            )
        found.append(_on_earth(numbers[0], numbers[1], t("Corner {n}", n=n)))
    if not found:
        return []
    if len(dict.fromkeys(found)) < 3:
        raise UnreadArea(t("An area has at least three corners: write one a line."))
    if len(found) > MOST_CORNERS:
        raise UnreadArea(t("More than {n} corners: draw it more simply.", n=f"{MOST_CORNERS:,}"))
    return _whole(shapely.Polygon(found))


def _on_earth(lat: float, lon: float, what: str) -> tuple[float, float]:
    """(lon, lat)."""
    if abs(lat) > 90 >= abs(lon):
        raise UnreadArea(
            t("{what}: latitude comes first, and it lies between -90 and 90: are the two exchanged?", what=what)
        )
    if abs(lat) > 90 or abs(lon) > 180:
        raise UnreadArea(t("{what}: latitude lies between -90 and 90, longitude between -180 and 180.", what=what))
    return lon, lat


def _circle(text: str) -> list[tuple[float, float, float]]:
    if not text.strip():
        return []
    line = unicodedata.normalize("NFKC", text).replace("、", ",").lower().replace("km", "").strip()
    three = _numbers(line, 3)
    if three is None:
        raise UnreadArea(t("Write the circle as latitude, longitude, kilometres, like 30.12, 103.05, 4."))
    lat, lon, km = three
    _on_earth(lat, lon, t("Circle"))
    if not 0 < km <= LARGEST_KM:
        raise UnreadArea(t("A circle has a radius of more than 0 and at most {n} kilometres.", n=f"{LARGEST_KM:.0f}"))
    return [(lat, lon, km)]


def _pasted(text: str) -> list[shapely.Polygon]:
    if not text.strip():
        return []
    if len(text) > MOST_SIGNS:
        raise UnreadArea(
            t(
                "This GeoJSON has {n} characters, and {most} is the most: simplify the outline, or round it to five decimals.",
                n=f"{len(text):,}",
                most=f"{MOST_SIGNS:,}",
            )
        )
    if text.count("[") > 2 * MOST_CORNERS + 100:
        raise UnreadArea(t("More than {n} corners: draw it more simply.", n=f"{MOST_CORNERS:,}"))
    try:
        shape = shapely.from_geojson(json.dumps(json.loads(text)))
    except (ValueError, RecursionError, TypeError, shapely.errors.ShapelyError) as wrong:
        raise UnreadArea(t("This is no GeoJSON: paste a Polygon, a Feature or a FeatureCollection.")) from wrong
    polygons = _polygons(shape)
    if not polygons:
        raise UnreadArea(t("This GeoJSON has no area: paste one with a Polygon or a MultiPolygon."))
    west, south, east, north = shapely.bounds(shapely.MultiPolygon(polygons))
    if west < -180 or east > 180 or south < -90 or north > 90:
        raise UnreadArea(t("A corner lies outside the globe: GeoJSON writes longitude first, in degrees of WGS 84."))
    if tangled_shape(shapely.MultiPolygon(polygons)):
        raise UnreadArea(t("Its lines cross each other too often to be computed: draw it without crossings."))
    return [whole for polygon in polygons for whole in _whole(polygon)]


def _whole(polygon: shapely.Polygon) -> list[shapely.Polygon]:
    """A polygon of ours has no holes: CAP knows none, and whoever lies in one is warned too."""
    filled = shapely.Polygon(polygon.exterior)
    if filled.convex_hull.area == 0.0:
        raise UnreadArea(t("This area has no surface: its corners lie on one line."))
    if not filled.is_valid:
        where = re.search(r"\[([-\d.]+) ([-\d.]+)\]", shapely.is_valid_reason(filled))
        if where is None:
            raise UnreadArea(t("This area is no plain ring: draw it without crossings."))
        lon, lat = float(where[1]), float(where[2])
        raise UnreadArea(
            t(
                "The outline crosses itself near {lat}, {lon}: put its corners in order.",
                lat=f"{lat:.4f}",
                lon=f"{lon:.4f}",
            )
        )
    return [filled]


def _polygons(shape: BaseGeometry) -> list[shapely.Polygon]:
    parts = [shape]
    while any(part.geom_type.startswith(("Multi", "Geometry")) for part in parts):
        parts = [one for part in parts for one in shapely.get_parts(part)]
    return [part for part in parts if isinstance(part, shapely.Polygon) and not part.is_empty]


def _ring(polygon: shapely.Polygon) -> Ring:
    return tuple((lat, lon) for lon, lat, *_ in polygon.exterior.coords)


def _as_read(area: Area) -> list[BaseGeometry]:
    """What is drawn as it is read when it is handed in, over the antimeridian too; nothing where nobody can be warned by it."""
    found = geometry(
        Alert("-", "-", EVER, "Actual", "Alert", "Public", infos=(Info("en", (), "", areas=(area,)),))
    ).geom
    return [found] if found is not None else []


def union_of(texts: Sequence[str]) -> str:
    """GeoJSON of areas, as one."""
    return str(shapely.to_geojson(shapely.union_all([known_shape(text) for text in texts])))


def beyond(area: str, whole: str) -> BaseGeometry:
    """What of an area lies outside another."""
    return shapely.difference(known_shape(area), known_shape(whole))


# ---- names


async def _names(db: Connection, code: tuple[str, str]) -> Sequence[str]:
    a = areas.area.c
    return [
        name for name in await db.scalars(sa.select(a.name).where(a.value_name == code[0], a.code == code[1])) if name
    ]


async def _names_within(db: Connection, drawn: BaseGeometry) -> list[str]:
    """What the register calls the places a drawn area touches: of areas in areas the inner ones; none where they are too many."""
    a = areas.area.c
    touched: dict[str, tuple[str, str]] = {}
    for code, parent, name, geojson in await db.execute(sa.select(a.code, a.parent, a.name, a.geojson)):
        if geojson and name and shapely.area(shapely.intersection(known_shape(geojson), drawn)) > 0.0:
            touched[code] = (name, parent)
    outer = {parent for _, parent in touched.values()}
    inner = [name for code, (name, _) in touched.items() if code not in outer]
    return inner if len(inner) <= MOST_NAMES else []
