"""Areas, zones, polygons and circles: any union of them holds exactly whom it should, on hostile shapes too."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest
import shapely
import sqlalchemy as sa

from services.registry.audience import audience, preview
from services.registry.audience.selection import Circle, Selection, Zones, area_of, hazards_at
from services.registry.audience.whereabouts import Moment
from services.registry.geo.areas import Shape
from services.registry.importing.areas_import import AreaImportOptions, import_body
from services.registry.importing.write import import_areas, import_people
from services.registry.model.facilities import AreaIn
from services.registry.model.given import PersonIn
from services.registry.store import register
from services.shared.bus.outbox import id_of
from services.shared.errors import NotFound, Refused
from tests.integration.registry.conftest import NOON, YEAR, warning


def box(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    """GeoJSON of a box."""
    found: dict[str, Any] = json.loads(shapely.to_geojson(shapely.box(west, south, east, north)))
    return found


def ring(*bounds: float) -> Any:
    """Its outer ring alone."""
    return box(*bounds)["coordinates"][0]


def feature(geometry: dict[str, Any], **properties: object) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def collection(*features: object) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


async def put_areas(registry, *features: object, **how: Any) -> Any:
    wanted = AreaImportOptions(**({"value_name": "GB2260"} | how))
    return await import_body(registry.database, collection(*features), wanted, actor="clerk")


async def selected(registry, area: Shape) -> set[str]:
    """Ids by the register's own search."""
    found: set[str] = set()
    after = register.START
    async with registry.database.read() as db:
        while True:
            page = await audience.find_page(db, area, after)
            found |= {row.person_id for row in page.people}
            if page.last:
                counted = await preview.count(db, area, Moment(NOON, 0))
                assert len(found) == sum(counted.by_profile.values()) or counted.estimated
                return found
            after = page.end(after)


async def put_people(registry, points: list[tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """People at (lat, lon)."""
    made = {id_of("at", n): point for n, point in enumerate(points)}
    people = [PersonIn(person_id=person_id, lat=lat, lon=lon) for person_id, (lat, lon) in made.items()]
    await import_people(registry.database, registry.keys, people, year=YEAR)
    return made


STAR = [
    [103.0 + r * np.cos(a), 30.0 + r * np.sin(a)]
    for a, r in zip(np.linspace(0, 4 * np.pi, 11), [0.3] * 11, strict=True)
]
HOSTILE: dict[str, list[dict[str, Any]]] = {
    "hole": [{"type": "Polygon", "coordinates": [ring(102.8, 29.8, 103.2, 30.2), ring(102.9, 29.9, 103.1, 30.1)]}],
    "crosses itself": [{"type": "Polygon", "coordinates": [STAR]}],
    "sliver along a cell": [box(102.8, 30.0, 103.2, 30.0 + 1e-9)],
    "overlapping parts": [box(102.8, 29.8, 103.05, 30.1), box(102.95, 29.9, 103.2, 30.2)],
    "touching at a corner": [box(102.8, 29.8, 103.0, 30.0), box(103.0, 30.0, 103.2, 30.2)],
    "comb": [{"type": "Polygon", "coordinates": [
        [p for n in range(40) for p in ([102.8 + n / 100, 29.8], [102.8 + n / 100 + 0.002, 30.2 - (n % 3) / 50])]
        + [[103.2, 29.79], [102.8, 29.79], [102.8, 29.8]]]}],
    "line as a polygon": [{"type": "Polygon", "coordinates": [[[102.8, 29.8], [103.2, 30.2], [102.8, 29.8], [102.8, 29.8]]]},
                          box(103.0, 30.0, 103.001, 30.001)],
    "heights": [{"type": "Polygon", "coordinates": [[[102.9, 29.9, 5], [103.1, 29.9, 5], [103, 30.1, 5], [102.9, 29.9, 5]]]}],
}  # fmt: skip


async def test_hostile_shapes_hold_whom_they_should(registry):
    """Against shapely asked for every single person, corners and edges included."""
    rng = random.Random(5)
    points = [(round(rng.uniform(29.75, 30.25), 5), round(rng.uniform(102.75, 103.25), 5)) for _ in range(3000)]
    points += [(30.0, 103.0), (29.8, 102.8), (30.2, 103.2), (30.0, 102.9), (30.0 + 1e-9, 103.0), (29.9, 103.1)]
    made = await put_people(registry, points)
    for name, parts in HOSTILE.items():
        usable = [p for p in parts if shapely.make_valid(shapely.from_geojson(json.dumps(p))).area > 0]
        area = Shape.union([Shape.from_geojson(json.dumps(p)) for p in usable])
        truth = [shapely.make_valid(shapely.force_2d(shapely.from_geojson(json.dumps(p)))) for p in usable]
        expected = {i for i, (lat, lon) in made.items() if any(shapely.intersects_xy(t, lon, lat) for t in truth)}
        assert expected == await selected(registry, area), name
        assert expected or name == "sliver along a cell"


ISLANDS = [
    (-17.0, 179.5),
    (-17.0, -179.5),
    (-17.0, 180.0),
    (-17.0, -180.0),
    (-17.0, 178.0),
    (-17.0, -178.0),
    (-17.0, 0.0),
]


@pytest.mark.parametrize(
    "area",
    [
        [[179, -18], [-179, -18], [-179, -16], [179, -16], [179, -18]],  # as alerts write it
        [[179, -18], [181, -18], [181, -16], [179, -16], [179, -18]],  # beyond 180
        [[-181, -18], [-179, -18], [-179, -16], [-181, -16], [-181, -18]],
    ],
)
async def test_over_the_antimeridian(registry, area):
    """However it is written, the islands on both sides are inside and the rest of the world is not."""
    made = await put_people(registry, ISLANDS)
    found = await selected(registry, Shape.from_geojson(json.dumps({"type": "Polygon", "coordinates": [area]})))
    assert {(-17.0, 179.5), (-17.0, -179.5), (-17.0, 180.0), (-17.0, -180.0)} == {made[i] for i in found}


async def test_a_hole_over_the_antimeridian(registry):
    """The hole is kept where it is."""
    outer = [[178.5, -18], [-178.5, -18], [-178.5, -16], [178.5, -16], [178.5, -18]]
    hole = [[179.8, -17.5], [-179.8, -17.5], [-179.8, -16.5], [179.8, -16.5], [179.8, -17.5]]
    made = await put_people(registry, ISLANDS)
    area = Shape.from_geojson(json.dumps({"type": "Polygon", "coordinates": [outer, hole]}))
    assert {(-17.0, 179.5), (-17.0, -179.5)} == {made[i] for i in await selected(registry, area)}


async def test_the_whole_world_is_the_whole_world(registry):
    """An edge of 360 degrees is no crossing; both poles are in."""
    made = await put_people(registry, [*ISLANDS, (90.0, 10.0), (-90.0, 10.0)])
    assert set(made) == await selected(registry, Shape.from_geojson(json.dumps(box(-180, -90, 180, 90))))


@pytest.mark.parametrize("centre", [(30.0, 103.0), (0.0, 179.9), (60.0, -179.95), (89.9, 0.0), (-89.99, 50.0)])
async def test_circles_hold_whoever_is_near_enough(registry, centre):
    """Whoever is within the radius is in; nobody is who is a hundredth of a percent beyond; also over 180 and a pole."""
    lat, lon = centre
    rng = random.Random(3)
    points = []
    for _ in range(400):
        a, d = rng.uniform(0, 2 * np.pi), rng.uniform(0, 40) / 6371.0088
        y = np.arcsin(np.sin(np.radians(lat)) * np.cos(d) + np.cos(np.radians(lat)) * np.sin(d) * np.cos(a))
        x = np.radians(lon) + np.arctan2(
            np.sin(a) * np.sin(d) * np.cos(np.radians(lat)), np.cos(d) - np.sin(np.radians(lat)) * np.sin(y)
        )
        points.append((float(np.degrees(y)), float((np.degrees(x) + 180) % 360 - 180)))
    made = await put_people(registry, points)
    found = await selected(registry, Shape.circle(lat, lon, 25.0))

    def km(point: tuple[float, float]) -> float:
        y1, x1, y2, x2 = np.radians([lat, lon, *point])
        h = np.sin((y2 - y1) / 2) ** 2 + np.cos(y1) * np.cos(y2) * np.sin((x2 - x1) / 2) ** 2
        return float(2 * 6371.0088 * np.arcsin(np.sqrt(h)))

    near = {i for i, point in made.items() if km(point) <= 25.0}
    assert near <= found
    at_a_pole = abs(lat) > 89
    assert all(km(made[i]) <= (50 if at_a_pole else 25.01) for i in found)
    assert 150 < len(near) < 350


def test_a_million_corners_are_refused():
    """At once and in words, before anything is computed with them; so is what lies beyond a pole."""
    corners = ",".join(f"[{103 + n % 1000 / 1000},{30 + n / 1e6}]" for n in range(250_000))
    for many in (1, 4):
        text = f'{{"type":"Polygon","coordinates":[[{",".join([corners] * many)},[103.0,30.0]]]}}'
        with pytest.raises(Refused) as refused:
            Shape.from_geojson(text)
        assert "corners" == refused.value.rule
        assert int(str(refused.value.given)) >= many * 250_000
        assert "simplify" in refused.value.remedy
    with pytest.raises(Refused) as refused:
        Shape.from_geojson(
            json.dumps({"type": "Polygon", "coordinates": [[[30, 103], [31, 103], [31, 104], [30, 103]]]})
        )
    assert "degrees" == refused.value.rule


async def test_codes_in_levels(registry):
    """A province without a polygon is all of its counties, however deep; a county alone is itself; circles end."""
    report = await put_areas(
        registry,
        feature(box(103, 30, 103.1, 30.1), code="511101", parent="5111", name="A"),
        feature(box(103.1, 30, 103.2, 30.1), code="511102", parent="5111", name="B"),
        feature(box(104, 31, 104.1, 31.1), code="5112", parent="51", name="C"),
        feature({"type": "Point", "coordinates": [1, 2]}, code="9"),
        feature(box(0, 0, 1, 1), name="no code"),
        feature(box(0, 0, 1, 1), code="511101"),
        "nonsense",
    )
    assert (3, 4) == (report.read, report.refused)
    assert [(4, "polygon"), (5, "required"), (6, "once"), (7, "known")] == [(i.line, i.rule) for i in report.issues]
    await import_rows(registry, [("5111", "51"), ("51", ""), ("x", "y"), ("y", "x")])
    made = await put_people(registry, [(30.05, 103.05), (30.05, 103.15), (31.05, 104.05), (33.0, 105.0)])
    for code, expected in (("511101", {0}), ("5111", {0, 1}), ("51", {0, 1, 2})):
        async with registry.database.read() as db:
            area, unknown = await register.area_of(db, "", [("GB2260", code)])
        assert area is not None
        assert () == unknown
        assert {id_of("at", n) for n in expected} == await selected(registry, area), code
    async with registry.database.read() as db:
        assert (None, (("GB2260", "x"),)) == await register.area_of(db, "", [("GB2260", "x")])
    assert made


async def import_rows(registry, rows: list[tuple[str, str]]) -> None:
    """Areas without a polygon of their own."""
    areas = [AreaIn(value_name="GB2260", code=code, parent=parent) for code, parent in rows]
    await import_areas(registry.database, areas)


async def test_geocodes_by_table(registry):
    """An alert's own code list finds the areas a table says it stands for; an unknown one is told."""
    await put_areas(
        registry, feature(box(103, 30, 103.1, 30.1), code="511101"), feature(box(104, 31, 105, 32), code="5112")
    )
    table = "valueName,value,area\nUGC,SCZ001,511101\nUGC,SCZ001,5112\nUGC,,1\n".encode("utf-8-sig")
    report = await import_body(registry.database, table, AreaImportOptions("geocodes", "GB2260"), actor="clerk")
    assert (2, 1) == (report.read, report.refused)
    await put_people(registry, [(30.05, 103.05), (31.5, 104.5), (33.0, 105.0)])
    await registry.hear(warning(area="", geocodes=(("UGC", "SCZ001"), ("UGC", "SCZ002"))))
    await registry.work_all()
    (page,) = await registry.said()
    assert (2, (("UGC", "SCZ002"),)) == (page.total, page.unresolved)


async def test_risk_zones(registry):
    """What may happen where somebody lives follows from the zones their home lies in."""
    report = await put_areas(
        registry,
        feature(box(103, 30, 103.1, 30.1), code="F1", hazard="flash_flood", **{"class": 4}),
        feature(box(103, 30, 103.2, 30.1), code="F2", hazard="flash_flood", **{"class": 2}),
        feature(box(103.05, 30, 103.2, 30.1), code="L1", hazard="landslide", **{"class": 3}),
        feature(box(103, 30, 103.1, 30.1), code="X", hazard="flash_flood", **{"class": 9}),
        what="zones",
    )
    assert (3, [("class", "required")]) == (report.read, [(i.field, i.rule) for i in report.issues])
    async with registry.database.read() as db:
        assert [("flash_flood", 4, "F1"), ("landslide", 3, "L1"), ("flash_flood", 2, "F2")] == [
            (z["hazard"], z["class"], z["zone_id"]) for z in await hazards_at(db, 30.05, 103.07)
        ]
        assert [] == await hazards_at(db, 31.0, 103.0)
        worst = await area_of(db, Selection(zones=(Zones(hazard="flash_flood", from_class=3),)))
        assert (103.0, 30.0, 103.1, 30.1) == worst.bounds
        with pytest.raises(NotFound):
            await area_of(db, Selection(zones=(Zones(hazard="tsunami"),)))


async def test_any_union(registry):
    """Area, zone, polygon and circle together hold whoever one of them holds; nothing selected is refused."""
    await put_areas(registry, feature(box(103, 30, 103.1, 30.1), code="1"))
    await put_areas(
        registry, feature(box(104, 30, 104.1, 30.1), code="Z", hazard="flood", **{"class": 1}), what="zones"
    )
    points = [(30.05, 103.05), (30.05, 104.05), (30.05, 105.05), (30.0, 106.0), (30.0, 107.0)]
    await put_people(registry, points)
    wanted = Selection(
        areas=(("GB2260", "1"),),
        zones=(Zones(zone_id="Z"),),
        polygons=(box(105, 30, 105.1, 30.1),),
        circles=(Circle(lat=30.0, lon=106.001, km=1),),
    )
    async with registry.database.read() as db:
        area = await area_of(db, wanted)
        with pytest.raises(Refused):
            await area_of(db, Selection())
        with pytest.raises(NotFound):
            await area_of(db, Selection(areas=(("GB2260", "404"),)))
    assert {id_of("at", n) for n in range(4)} == await selected(registry, area)


async def test_areas_declared_as_gcj02(registry):
    """They are moved back by some 400 m; undeclared they stay."""
    await put_areas(registry, feature(box(103, 30, 103.1, 30.1), code="1"), datum="gcj02")
    async with registry.database.read() as db:
        text = await db.scalar(sa.select(register.area.c.geojson))
        area = Shape.from_geojson(str(text))
    assert 0.001 < abs(area.bounds[0] - 103.0) < 0.01
    assert 0.001 < abs(area.bounds[1] - 30.0) < 0.01


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b"{", AreaImportOptions(value_name="GB2260")),
        (b"[]", AreaImportOptions(value_name="GB2260")),
        (b"a,b\n", AreaImportOptions("geocodes", "GB2260")),
        (b"{}", AreaImportOptions("shoes")),
        (b"{}", AreaImportOptions()),
    ],
)
async def test_what_is_no_list_of_areas(registry, body, wanted):
    """Refused whole, with what to send."""
    with pytest.raises(Refused) as refused:
        await import_body(registry.database, body, wanted, actor="clerk")
    assert refused.value.remedy
