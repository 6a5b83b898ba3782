"""Shows a warning by village: how far each came, which have nobody, and a map of them drawn on the server.

A village is a zone of the register. Where areas were imported whose codes are those zones, the ones the warning touches are
shown too if nobody is registered there: nobody there is warned by name, and that must be seen.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import shapely
import sqlalchemy as sa
from shapely.geometry import shape

from services.router.clock import silence
from services.router.store import tables
from services.shared.database.batches import chunks
from services.shared.database.engine import Connection
from services.shared.ledger import areas
from services.shared.ledger.warnings import warning_scope
from services.shared.messages import Profile

WIDTH = 600.0  # of the map, in its own units
MOST_AREAS = 400  # looked at for villages with nobody: a code list of a whole country is none of villages
Place = Callable[[float, float], tuple[float, float]]  # longitude and latitude > where it is on the map
POINTS, POINTS_IN_ALL, FEWEST = 60, 3_000, 8  # of one outline, of the map, and of one on a full map: it is no survey


class Zone(NamedTuple):
    """A village under the warning; `groups` name [open, people], `silent` where no phone answers."""

    zone_id: str
    name: str
    targeted: int
    delivered: int
    reached: int
    open: int
    groups: Mapping[str, tuple[int, int]]
    silent: bool

    @property
    def unwarned(self) -> bool:
        """Whether nobody there was warned by name, or no phone there answers."""
        return self.targeted == 0 or self.silent

    @property
    def pattern(self) -> str:
        """How the map fills it: nobody, most open, some open, none open."""
        if self.targeted == 0:
            return "nobody"
        return "most" if 2 * self.open > self.targeted else "some" if self.open else "none"


class Outline(NamedTuple):
    """A village on the map: its number in the list, its path and where the number stands."""

    n: int
    zone: Zone
    path: str
    x: float
    y: float


class Villages(NamedTuple):
    """The villages, the worst first; their map, empty where no shapes are known; whether villages with nobody can be told."""

    zones: Sequence[Zone]
    outlines: Sequence[Outline]
    height: float
    known: bool


class ZoneCount(NamedTuple):
    """People of one village with one profile who stand alike."""

    zone_id: str
    profile_key: str
    state: str
    milestones: int
    n: int


class NamedArea(NamedTuple):
    """An imported area of which the register may speak as a zone."""

    value_name: str
    code: str
    name: str
    geojson: str


def by_village(
    rows: Iterable[ZoneCount], profiles: Mapping[str, Profile], silent: Iterable[str], named: Mapping[str, str]
) -> list[Zone]:
    """Villages, those with nobody warned first, then the most people open. `named`: code > name of those it touches."""
    people: dict[str, Counter[str]] = {code: Counter() for code in named}
    groups: dict[str, dict[str, list[int]]] = {}
    for row in rows:
        count, is_open = people.setdefault(row.zone_id, Counter()), row.state == "open"
        count["targeted"] += row.n
        count["open"] += row.n if is_open else 0
        count["delivered"] += row.n if row.milestones & tables.DELIVERED else 0
        count["reached"] += row.n if row.milestones & tables.REACHED else 0
        found = profiles.get(row.profile_key)
        for group in (found.groups if found is not None else ()) or ("general",):
            of = groups.setdefault(row.zone_id, {}).setdefault(group, [0, 0])
            of[0] += row.n if is_open else 0
            of[1] += row.n
    quiet = set(silent)
    made = [
        Zone(
            zone_id, named.get(zone_id, "") or zone_id, n["targeted"], n["delivered"], n["reached"], n["open"],
            {g: (a, b) for g, (a, b) in sorted(groups.get(zone_id, {}).items())}, zone_id in quiet,
        )
        for zone_id, n in people.items()
    ]  # fmt: skip
    return sorted(made, key=lambda z: (not z.unwarned, -z.open, z.zone_id))


async def of(db: Connection, warning_id: str) -> Villages:
    """The villages of a warning as its paths and the imported areas know them."""
    path = tables.path.c
    asked = (
        sa.select(path.zone_id, path.profile_key, path.state, path.milestones, sa.func.count())
        .where(path.warning_id == warning_id, sa.not_(path.outside))
        .group_by(path.zone_id, path.profile_key, path.state, path.milestones)
    )
    rows = [ZoneCount(*row) for row in await db.execute(asked)]
    profiles = await tables.profiles_of(db, {row.profile_key for row in rows})
    touched, known = await _touched(db, warning_id, {row.zone_id for row in rows})
    named = {one.code: one.name for one in touched}
    zones = by_village(rows, profiles, await silence.down(db, warning_id), named)
    # a map of hundreds takes a while, and warnings go on meanwhile
    outlines, height = await asyncio.to_thread(drawn, zones, {one.code: one.geojson for one in touched})
    return Villages(zones, outlines, height, known)


async def _touched(db: Connection, warning_id: str, zones: set[str]) -> tuple[list[NamedArea], bool]:
    """Areas that are villages and that the warning touches; whether any code list has the register's zones at all."""
    area = areas.area.c
    lists: set[str] = set()
    for part in chunks(sorted(zones), 500):
        lists |= set(await db.scalars(sa.select(area.value_name).where(area.code.in_(part)).distinct()))
    if not lists:
        return [], False
    found = sa.select(area.value_name, area.code, area.name, area.geojson).where(
        area.value_name.in_(sorted(lists)), area.geojson != ""
    )
    rows = [NamedArea(*row) for row in await db.execute(found.order_by(area.code).limit(MOST_AREAS + 1))]
    scope = sa.select(warning_scope.c.area, warning_scope.c.geocodes).where(warning_scope.c.warning_id == warning_id)
    place = (await db.execute(scope)).first()
    if len(rows) > MOST_AREAS or place is None:
        return [one for one in rows if one.code in zones], False
    texts, _ = await areas.of_codes(db, [(a, b) for a, b in place.geocodes])
    warned = [shape(json.loads(text)) for text in [*texts, place.area] if text]
    ground = shapely.union_all([shapely.make_valid(one) for one in warned]) if warned else None
    return [one for one in rows if one.code in zones or _inside(one, ground)], True


def _inside(one: NamedArea, ground: shapely.Geometry | None) -> bool:
    """Whether a warned area and a village share ground, more than a border."""
    if ground is None:
        return False
    village = shapely.make_valid(shape(json.loads(one.geojson)))
    return bool(village.intersection(ground).area > 0.0)


def drawn(zones: Sequence[Zone], shapes: Mapping[str, str]) -> tuple[list[Outline], float]:
    """Outlines of the villages with a shape, numbered as in the list, and the height of the map; north is up."""
    found = {z.zone_id: shape(json.loads(shapes[z.zone_id])) for z in zones if shapes.get(z.zone_id)}
    if not found:
        return [], 0.0
    west, south, east, north = shapely.total_bounds(list(found.values()))
    squeeze = math.cos(math.radians((south + north) / 2))
    scale = WIDTH / max((east - west) * squeeze, north - south, 1e-6)

    def place(lon: float, lat: float) -> tuple[float, float]:
        return round((lon - west) * squeeze * scale, 1), round((north - lat) * scale, 1)

    most = max(FEWEST, min(POINTS, POINTS_IN_ALL // len(found)))
    made = []
    for n, zone in enumerate(zones, 1):
        if (one := found.get(zone.zone_id)) is None:
            continue
        middle = one.representative_point()
        made.append(Outline(n, zone, _path(one, place, most), *place(middle.x, middle.y)))
    return made, round((north - south) * scale, 1)


def _path(one: shapely.Geometry, place: Place, most: int) -> str:
    """The rings of a shape as SVG writes them, with `most` points each."""
    rings = []
    for part in shapely.get_parts(one):
        if not isinstance(part, shapely.Polygon):
            continue
        for ring in (part.exterior, *part.interiors):
            points = list(ring.coords)[:-1]
            step = max(1, math.ceil(len(points) / most))
            rings.append("M" + "L".join(f"{x} {y}" for x, y in (place(*p[:2]) for p in points[::step])) + "Z")
    return "".join(rings)
