"""The area search gives exactly the people whom a point-by-point look gives, on hostile shapes too."""

from __future__ import annotations

import itertools
import json
import math
import random

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from services.registry.geo.areas import (
    BOUNDARY,
    COLUMNS,
    INSIDE,
    OUTSIDE,
    ROWS,
    Shape,
    cell_of,
)
from services.shared.errors import Refused
from tests.kit.examples import drawn

# corners on and off the grid's lines, some a rounding apart
corner = st.one_of(
    st.integers(0, 12).map(lambda n: n / 100),
    st.floats(-0.005, 0.125).map(lambda x: round(x, 6)),
    st.integers(0, 12).map(lambda n: math.nextafter(n / 100, 1)),
)
ring = st.lists(st.tuples(corner, corner), min_size=3, max_size=9)


def polygons(rings: list[list[tuple[float, float]]]) -> str:
    """GeoJSON MultiPolygon of closed rings, moved to 103 E 30 N; rings may cross themselves and each other."""
    moved = [[[103 + x, 30 + y] for x, y in [*one, one[0]]] for one in rings]
    return json.dumps({"type": "MultiPolygon", "coordinates": [[one] for one in moved]})


def search(area: Shape, points: list[tuple[float, float]]) -> set[tuple[float, float]]:
    """As a page does it: inside cells whole, boundary cells by point."""
    by_cell: dict[int, list[tuple[float, float]]] = {}
    for lon, lat in points:
        by_cell.setdefault(cell_of(lat, lon), []).append((lon, lat))
    cells = sorted(by_cell)
    first, last = area.cell_range()
    found = set()
    for cell, kind in zip(cells, area.classify(cells), strict=True):
        some = by_cell[cell]
        if kind == INSIDE:
            found.update(some)
        elif kind == BOUNDARY:
            held = area.holds([lon for lon, _ in some], [lat for _, lat in some])
            found.update(p for p, inside in zip(some, held, strict=True) if inside)
        if kind != OUTSIDE:
            assert first <= cell <= last
    return found


def one_by_one(text: str, points: list[tuple[float, float]]) -> set[tuple[float, float]]:
    """The plainest way: each point against each polygon, edge included."""
    parts = []
    for part in shapely.get_parts(shapely.from_geojson(text)):
        valid = part if part.is_valid else shapely.make_valid(part)
        parts += [p for p in shapely.get_parts(valid) if p.area > 0]
    return {p for p in points if any(part.intersects(shapely.Point(p)) for part in parts)}


@settings(max_examples=drawn(150), deadline=None)
@given(rings=st.lists(ring, min_size=1, max_size=3), seed=st.integers(0, 1000))
def test_exact_on_crossing_rings_slivers_and_overlaps(rings, seed):
    """Random points, points on the grid's lines, corners and points on edges: the same set both ways."""
    text = polygons(rings)
    try:
        area = Shape.from_geojson(text)
    except Refused:
        return  # all rings without a surface
    rng = random.Random(seed)
    points = [(103 + rng.uniform(-0.01, 0.13), 30 + rng.uniform(-0.01, 0.13)) for _ in range(150)]
    points += [(103 + rng.randrange(14) / 100, 30 + rng.randrange(14) / 100) for _ in range(80)]
    points += [(103 + x, 30 + y) for one in rings for x, y in one]
    points += [(103 + (a[0] + b[0]) / 2, 30 + (a[1] + b[1]) / 2) for one in rings for a, b in itertools.pairwise(one)]
    assert one_by_one(text, points) == search(area, points)


@settings(max_examples=drawn(60), deadline=None)
@given(
    hole=st.tuples(corner, corner, st.floats(1e-9, 0.05)),
    seed=st.integers(0, 1000),
)
def test_exact_around_holes(hole, seed):
    """A hole's edge belongs to the area, its inside does not; holes as small as a fraction of a millimetre."""
    x, y, size = hole
    shell = shapely.box(102.98, 29.98, 103.2, 30.2)
    shape = shell.difference(shapely.box(103 + x, 30 + y, 103 + x + size, 30 + y + size))
    area = Shape.from_geojson(shapely.to_geojson(shape))
    rng = random.Random(seed)
    points = [(103 + x + rng.uniform(-0.01, size + 0.01), 30 + y + rng.uniform(-0.01, size + 0.01)) for _ in range(200)]
    points += [(103 + x, 30 + y), (103 + x + size / 2, 30 + y + size / 2)]
    expected = {p for p in points if shape.intersects(shapely.Point(p))}
    assert expected == search(area, points)


def test_sliver_thinner_than_a_hair():
    """A strip a hundred-millionth of a degree wide along a grid line holds exactly the people on it."""
    text = shapely.to_geojson(shapely.box(103.0, 30.05, 103.1, 30.05 + 1e-8))
    area = Shape.from_geojson(text)
    points = [(103.03, 30.05), (103.03, 30.05 + 1e-8), (103.03, 30.05 - 1e-9), (103.03, 30.0500001)]
    assert {points[0], points[1]} == search(area, points)


def test_both_sides_of_the_antimeridian():
    """An area split at 180 degrees, as CAP has it, holds people on both sides and at the poles' rows."""
    text = json.dumps(
        {
            "type": "MultiPolygon",
            "coordinates": [
                [[[179.9, -10], [180, -10], [180, -9.9], [179.9, -9.9], [179.9, -10]]],
                [[[-180, -10], [-179.9, -10], [-179.9, -9.9], [-180, -9.9], [-180, -10]]],
            ],
        }
    )
    points = [(179.95, -9.95), (180.0, -9.95), (-180.0, -9.95), (-179.95, -9.95), (0.0, -9.95), (179.8, -9.95)]
    assert set(points[:4]) == search(Shape.from_geojson(text), points)


def test_whole_earth_has_a_cell_for_every_point():
    """Poles and both ends of the equator lie in cells of the grid."""
    cells = [cell_of(lat, lon) for lat in (-90, 0, 90) for lon in (-180, 0, 180)]
    assert all(0 <= cell < ROWS * COLUMNS for cell in cells)
    world = Shape.from_geojson(shapely.to_geojson(shapely.box(-180, -90, 180, 90)))
    assert (0, ROWS * COLUMNS - 1) == world.cell_range()
    points = [(lon, lat) for lat in (-90.0, 0.0, 90.0) for lon in (-180.0, 0.0, 180.0)]
    assert set(points) == search(world, points)


def test_wkb_keeps_the_area():
    """What a job stores is the same area."""
    text = polygons([[(0, 0), (0.05, 0), (0.02, 0.07)], [(0.04, 0), (0.09, 0), (0.05, 0.06)]])
    area = Shape.from_geojson(text)
    cells = [cell_of(30 + y / 100, 103 + x / 100) for x in range(12) for y in range(12)]
    assert list(area.classify(cells)) == list(Shape.from_wkb(area.wkb()).classify(cells))


def test_share_is_the_covered_part_of_a_cell():
    """Half a cell is a half; overlapping polygons never make more than all of it."""
    half = shapely.to_geojson(shapely.box(103.0, 30.0, 103.005, 30.01))
    full = shapely.to_geojson(shapely.box(102.9, 29.9, 103.1, 30.1))
    cell = cell_of(30.005, 103.0051)
    assert 0.5 == pytest.approx(Shape.from_geojson(half).share([cell])[0])
    assert 1.0 == pytest.approx(Shape.from_geojson(half, full).share([cell])[0])


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "geojson"),
        ("{}", "geojson"),
        ('{"type":"Polygon","coordinates":[[[0,0],[1,0]]]}', "geojson"),
        ('{"type":"Point","coordinates":[1,2]}', "polygon"),
        ('{"type":"Polygon","coordinates":[[[1,1],[1,1],[1,1],[1,1]]]}', "polygon"),
        ('{"type":"FeatureCollection","features":[]}', "polygon"),
    ],
)
def test_what_is_no_area_is_refused(text, rule):
    """Each with the rule it breaks."""
    with pytest.raises(Refused) as refused:
        Shape.from_geojson(text)
    assert rule == refused.value.rule


def test_feature_and_collection_are_areas_too():
    """GeoJSON wrapped as Feature or FeatureCollection is unwrapped."""
    box = json.loads(shapely.to_geojson(shapely.box(103, 30, 103.1, 30.1)))
    feature = {"type": "Feature", "properties": {}, "geometry": box}
    for wrapped in (feature, {"type": "FeatureCollection", "features": [feature]}):
        assert Shape.from_geojson(json.dumps(wrapped)).holds([103.05], [30.05])[0]
