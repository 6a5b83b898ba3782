"""The area of an alert: nobody inside is left out, odd shapes are read as meant, what it costs is bounded."""

from __future__ import annotations

import math
import time
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Point, Polygon, box

from services.gateway.cap import FEED, MARKER_KM, PUSH, Alert, read
from services.gateway.cap import geometry as geometry_of
from services.gateway.cap.geometry import circle_ring
from tests.kit.cap_build import SQUARE, alert, info
from tests.kit.examples import drawn


def reading_of(*areas: str) -> Alert:
    inner = "</area><area>".join(f"<areaDesc>x</areaDesc>{area}" for area in areas)
    return read(alert(info(inner))).alerts[0]


def geometry(one: Alert, **more: Any) -> Any:
    """The shape, whose `geom` the tests take for granted where they look into it."""
    return geometry_of(one, **more)


def polygon(pairs: str) -> str:
    return f"<polygon>{pairs}</polygon>"


def codes(shape) -> set[str]:
    return {finding.code for finding in shape.findings}


def metres(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Distance on the WGS 84 ellipsoid by Vincenty's inverse formula, independent of the code under test."""
    a, f = 6378137.0, 1 / 298.257223563
    b = a * (1 - f)
    u1, u2 = (math.atan((1 - f) * math.tan(math.radians(lat))) for lat in (lat1, lat2))
    lam = span = math.radians(lon2 - lon1)
    sin_s = cos_s = sigma = cos2_a = cos_2m = 0.0
    for _ in range(200):
        sin_s = math.hypot(
            math.cos(u2) * math.sin(lam),
            math.cos(u1) * math.sin(u2) - math.sin(u1) * math.cos(u2) * math.cos(lam),
        )
        if sin_s == 0:
            return 0.0
        cos_s = math.sin(u1) * math.sin(u2) + math.cos(u1) * math.cos(u2) * math.cos(lam)
        sigma = math.atan2(sin_s, cos_s)
        sin_a = math.cos(u1) * math.cos(u2) * math.sin(lam) / sin_s
        cos2_a = 1 - sin_a**2
        cos_2m = cos_s - 2 * math.sin(u1) * math.sin(u2) / cos2_a if cos2_a else 0.0
        c = f / 16 * cos2_a * (4 + f * (4 - 3 * cos2_a))
        before, lam = lam, span + (1 - c) * f * sin_a * (sigma + c * sin_s * (cos_2m + c * cos_s * (2 * cos_2m**2 - 1)))
        if abs(lam - before) < 1e-12:
            break
    u_2 = cos2_a * (a**2 - b**2) / b**2
    big_a = 1 + u_2 / 16384 * (4096 + u_2 * (-768 + u_2 * (320 - 175 * u_2)))
    big_b = u_2 / 1024 * (256 + u_2 * (-128 + u_2 * (74 - 47 * u_2)))
    delta = big_b * sin_s * (cos_2m + big_b / 4 * cos_s * (2 * cos_2m**2 - 1))
    return b * big_a * (sigma - delta)


@pytest.mark.parametrize("lat", [-70.0, -23.5, 0.0, 30.0, 55.0, 78.0])
@pytest.mark.parametrize("radius", [0.05, 1.0, 30.0, 300.0])
def test_a_circle_holds_everybody_within_its_radius(lat, radius):
    """On the ellipsoid: its edges touch the circle from outside, its corners stand at most 0.3 % out."""
    ring = circle_ring(lat, 110.0, radius)
    assert 64 <= len(ring) - 1
    assert ring[0] == ring[-1]
    for (lon1, lat1), (lon2, lat2) in pairwise(ring):
        assert radius * 1000 <= metres(lat, 110.0, lat1, lon1) <= radius * 1003
        assert radius * 1000 <= metres(lat, 110.0, (lat1 + lat2) / 2, (lon1 + lon2) / 2)


def test_the_area_is_the_union_of_everything():
    """Two polygons and a circle in two area blocks, the same again in another language, codes each once."""
    code = "<geocode><valueName>SAME</valueName><value>006109</value></geocode>"
    inner = (
        f"<areaDesc>a</areaDesc>{polygon(SQUARE)}{polygon('31,111 31,112 32,112 31,111')}{code}</area>"
        f"<area><areaDesc>b</areaDesc><circle>35,115 10</circle>{code}"
    )
    shape = geometry(read(alert(info(inner) + info(inner, language="zh-CN"))).alerts[0])
    assert (("SAME", "006109"),) == shape.geocodes
    assert 3 == len(shape.geom.geoms)
    for lon, lat in ((110.1, 30.1), (111.9, 31.5), (115.05, 35.05)):
        assert shape.geom.contains(Point(lon, lat))
    assert not shape.geom.contains(Point(113.0, 33.0))


def test_a_bow_tie_counts_whole():
    """Both halves of a polygon that crosses itself are in the area."""
    shape = geometry(reading_of(polygon("30.0,110.0 30.2,110.2 30.2,110.0 30.0,110.2 30.0,110.0")))
    assert {"polygon_crossing"} == codes(shape)
    assert all(shape.geom.covers(Point(110.1, lat)) for lat in (30.05, 30.15))
    assert shape.geom.is_valid


def test_a_line_that_winds_twice_leaves_no_hole():
    """Where even-odd filling would cut a hole, people stay in."""
    shape = geometry(reading_of(polygon("0,0 0,4 4,4 4,1 1,1 1,3 3,3 3,-1 0,-1 0,0")))
    assert shape.geom.contains(Point(2.0, 2.0))


def test_a_polygon_across_the_180th_meridian_is_cut_there():
    """Fiji: the two parts lie at the two ends of the map, and the middle of the world is not warned."""
    for pairs in ("-17,179 -17,-179 -16,-179 -16,179 -17,179", "-17,179 -17,181 -16,181 -16,179 -17,179"):
        shape = geometry(reading_of(polygon(pairs)))
        assert "antimeridian" in codes(shape)
        assert (-180.0, 180.0) == (shape.geom.bounds[0], shape.geom.bounds[2])
        assert pytest.approx(2.0) == shape.geom.area
        assert not shape.geom.intersects(Point(0.0, -16.5))


def test_a_circle_across_the_180th_meridian_is_cut_there():
    """Half of it on either side."""
    shape = geometry(reading_of("<circle>-17,180 100</circle>"))
    assert shape.geom.contains(Point(-179.5, -17.0))
    assert shape.geom.contains(Point(179.5, -17.0))


def test_a_frame_around_the_world_is_the_world():
    """A ring from -180 to 180 does not collapse into its own seam."""
    shape = geometry(reading_of(polygon("-60,-180 -60,180 60,180 60,-180 -60,-180")))
    assert pytest.approx(360.0 * 120.0) == shape.geom.area


def test_longitudes_beyond_180_come_back():
    """190 is -170."""
    shape = geometry(reading_of(polygon("30,190 30,191 31,191 30,190")))
    assert shape.geom.contains(Point(-169.4, 30.3))


def test_exchanged_coordinates_are_seen_where_they_cannot_be_right():
    """One ring beyond 90 degrees north shows how its author writes all rings."""
    shape = geometry(reading_of(polygon("110,30 111,30 111,31 110,30"), polygon("88,30 89,30 89,31 88,30")))
    assert "swapped" in codes(shape)
    assert shape.geom.contains(Point(110.8, 30.2))
    assert shape.geom.contains(Point(88.8, 30.2))


def test_exchanged_coordinates_are_seen_by_the_jurisdiction():
    """A shape in range both ways is turned when only the turned one meets the home area, and left alone otherwise."""
    one = reading_of(polygon("85,30 85.2,30 85.2,30.2 85,30"))
    shape = geometry(one, home=box(80.0, 25.0, 90.0, 35.0))
    assert {"swapped"} == codes(shape)
    assert box(84.9, 29.9, 85.3, 30.3).contains(shape.geom)
    assert set() == codes(geometry(one))
    assert set() == codes(geometry(one, home=box(0.0, 0.0, 1.0, 1.0)))


def test_a_mark_is_no_area_beside_anything_else():
    """A circle of radius 0 adds nothing to a polygon, nothing to codes."""
    mark = "<circle>30.1,110.1 0</circle>"
    beside = geometry(reading_of(polygon(SQUARE) + mark))
    assert pytest.approx(box(110.0, 30.0, 110.2, 30.2).area) == beside.geom.area
    assert ((30.1, 110.1),) == beside.markers
    coded = geometry(reading_of(mark + "<geocode><valueName>SAME</valueName><value>006109</value></geocode>"))
    assert coded.geom is None
    assert "area_geocode_only" in codes(coded)


def test_marks_alone_are_taken_with_three_kilometres():
    """Where a mark is all there is, that is said."""
    shape = geometry(reading_of("<circle>30.1,110.1 0</circle>"))
    assert {"circle_zero", "marker_used"} == codes(shape)
    north = max(lat for _, lat in shape.geom.exterior.coords)
    assert MARKER_KM * 1000 <= metres(30.1, 110.1, north, 110.1) <= MARKER_KM * 1003


def test_limits_of_what_is_pushed():
    """One corner, one polygon, one circle beyond the limit is refused by the strict reader."""

    def ring(n: int) -> str:
        return " ".join(
            f"{30 + math.sin(6.28 * k / n) / 10:.6f},{110 + math.cos(6.28 * k / n) / 10:.6f}" for k in range(n)
        )

    def closed(n: int) -> str:
        corners = ring(n - 1).split()
        return polygon(" ".join([*corners, corners[0]]))

    many = [polygon(f"{k / 2},0 {k / 2},0.2 {k / 2 + 0.2},0.2 {k / 2},0") for k in range(PUSH.polygons + 1)]
    cases = {
        closed(PUSH.vertices_each): "accept",
        closed(PUSH.vertices_each + 1): "reject",
        "".join(many[:-1]): "accept",
        "".join(many): "reject",
        "<circle>1,1 1</circle>" * 2: "accept",
        f"<circle>1,1 {PUSH.circle_km + 1}</circle>": "reject",
    }
    for inner, verdict in cases.items():
        assert verdict == read(alert(info(f"<areaDesc>x</areaDesc>{inner}")), strict=True).verdict


@pytest.mark.parametrize("corners", [200, 1000, 20_000])
def test_a_tangle_is_not_computed(corners):
    """A scribble whose edges all cross costs less than a second; its hull, for a person, holds all of it."""
    pairs = " ".join(f"{30 + k % 2 + k / 1e6:.6f},{110 + (k * 7919 % 9973) / 9973:.5f}" for k in range(corners))
    start = time.process_time()
    one = read(alert(info(f"<areaDesc>x</areaDesc>{polygon(pairs)}")), limits=FEED)
    shape = geometry(one.alerts[0])
    assert time.process_time() - start < 2.0
    assert shape.geom.covers(Point(110.5, 30.5))
    if corners > 200:
        assert "quarantine" == one.verdict


def test_two_combs_across_each_other_are_not_computed():
    """Each is sound alone; it is the union that would cost: refused in time as well."""

    def comb(turned: bool) -> str:
        pairs = []
        for k in range(1200):
            x = k / 1200
            pairs += [(x, 0.0), (x, 1.0), (x + 0.0003, 1.0), (x + 0.0003, 0.0)]
        pairs += [(1.0, -0.1), (0.0, -0.1), (0.0, 0.0)]
        return polygon(" ".join(f"{(b if turned else a):.5f},{(a if turned else b):.5f}" for a, b in pairs))

    start = time.process_time()
    one = read(alert(info(f"<areaDesc>x</areaDesc>{comb(False)}{comb(True)}")))
    assert ("quarantine", True) == (one.verdict, time.process_time() - start < 2.0)


def test_a_million_corners_are_refused_before_they_are_parsed():
    """Past the limit of corners nothing is built."""
    pairs = "1,1 " * 400_000
    start = time.process_time()
    verdict = read(alert(info(f"<areaDesc>x</areaDesc>{polygon(pairs)}"))).verdict
    assert ("quarantine", True) == (verdict, time.process_time() - start < 1.0)


@given(
    st.lists(
        st.tuples(st.floats(-89, 89), st.floats(-179, 179)).map(lambda p: (round(p[0], 3), round(p[1], 3))),
        min_size=1,
        max_size=12,
    )
)
@settings(max_examples=drawn(300), derandomize=True, deadline=None)
def test_any_ring_gives_a_valid_area_or_none(corners):
    """Whatever the corners are: valid polygons on the globe, or nothing and a finding that says so."""
    one = reading_of(polygon(" ".join(f"{lat},{lon}" for lat, lon in corners)))
    shape = geometry(one)
    if shape.geom is None:
        assert codes(shape) & {"polygon_flat_alone", "polygon_polar"}
    else:
        assert shape.geom.is_valid
        assert box(-180, -90, 180, 90).covers(shape.geom)


@given(st.floats(-60, 60), st.floats(-170, 170), st.integers(3, 9), st.floats(0.01, 3.0))
@settings(max_examples=drawn(200), derandomize=True, deadline=None)
def test_a_plain_polygon_is_itself(lat, lon, corners, size):
    """Neither larger nor smaller than its corners say: no margin, no simplification."""
    ring = [
        (
            round(lat + size * math.sin(2 * math.pi * k / corners), 4),
            round(lon + size * math.cos(2 * math.pi * k / corners), 4),
        )
        for k in range(corners)
    ]
    shape = geometry(reading_of(polygon(" ".join(f"{a},{b}" for a, b in [*ring, ring[0]]))))
    expected = Polygon([(b, a) for a, b in ring])
    if expected.is_valid and expected.area > 1e-9:
        assert shape.geom.equals(expected)
