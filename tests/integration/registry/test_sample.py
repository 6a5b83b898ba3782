"""The fictional community: the same from the same seed, every group in it, every point in the area, nobody real."""

from __future__ import annotations

import json
import time
from collections import Counter

import phonenumbers
import pytest
import shapely

from services.registry.geo.areas import Shape
from services.registry.importing.write import FICTIONAL, import_people
from services.registry.model.needs import GROUPS, groups, profile
from services.registry.sample.sample import RESIDENTS_PER_TEAM, Community, import_community, mint
from services.registry.store import register
from tests.integration.registry.conftest import BENT, SQUARE, YEAR

SLIVER = shapely.to_geojson(shapely.box(103.0, 30.05, 104.0, 30.05 + 1e-7))


def bytes_of(made: Community) -> str:
    """All of it as JSON."""
    parts = [*made.people, *made.facilities, *made.workers, *made.areas]
    return json.dumps([part.model_dump(mode="json") for part in parts])


def test_same_seed_same_bytes():
    """Two mints agree to the byte; another seed does not."""
    first = bytes_of(mint(BENT, [("county", "1")], people=700, seed=11))
    assert first == bytes_of(mint(BENT, [("county", "1")], people=700, seed=11))
    assert first != bytes_of(mint(BENT, [("county", "1")], people=700, seed=12))


@pytest.mark.parametrize("people", [500, 1000, 2000])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_group_occurs(people, seed):
    """All 23 groups, some people with several, about 28 % residents, as many people as asked for."""
    made = mint(SQUARE, people=people, seed=seed)
    found = [groups(p, YEAR) for p in made.people]
    assert people == len(found)
    assert set(GROUPS) == {g for some in found for g in some}
    assert any(len(some) > 1 for some in found)
    residents = sum(some != ("general",) for some in found)
    assert 0.24 * people < residents < 0.34 * people
    assert len(made.workers) >= max(3, 0.28 * people // RESIDENTS_PER_TEAM)
    assert {p.grid_id for p in made.people} <= {grid for w in made.workers for grid in w.grids}
    assert 1 <= len(made.facilities) <= 4
    assert "nursing_home" == made.facilities[0].kind


@pytest.mark.parametrize("people", [0, 1, 2, 7, 30, 99])
def test_small_communities(people):
    """Never more nor fewer people than asked for; at least three teams."""
    made = mint(SQUARE, people=people, seed=people)
    assert people == len(made.people)
    assert 3 == len(made.workers)


@pytest.mark.parametrize("area", [SQUARE, BENT, SLIVER])
def test_points_are_exactly_within(area):
    """Every home and facility lies in the area, in a sliver of a centimetre too."""
    made = mint(area, people=400, seed=6)
    shape = Shape.from_geojson(area)
    places = [(p.lon, p.lat) for p in made.people] + [(f.lon, f.lat) for f in made.facilities]
    assert shape.holds([lon for lon, _ in places], [lat for _, lat in places]).all()


def test_geocodes_become_squares_with_people_in_each():
    """Without a polygon each code is an area of its own."""
    made = mint("", [("county", "1"), ("county", "2")], people=600, seed=1)
    assert [("county", "1"), ("county", "2")] == [(a.value_name, a.code) for a in made.areas]
    for one in made.areas:
        area = Shape.from_geojson(one.geojson)
        assert area.holds([p.lon for p in made.people], [p.lat for p in made.people]).any()


def test_what_a_community_has_to_have():
    """Shared phones, refusals, unverified numbers, people without a phone, landline only, e-mail only, opt-ins,
    supporters in and out of the zone, households of one to four."""
    people = mint(SQUARE, people=2000, seed=8).people
    numbers = Counter(address for p in people for address in {c.address for c in p.contacts})
    assert 2 in numbers.values()
    contacts = [c for p in people for c in p.contacts]
    assert {"", "said_no", "not_verified"} == {c.why_not for c in contacts}
    channels = {tuple(c.kind for c in p.contacts) for p in people}
    assert {(), ("voice_landline",), ("email",), ("sms", "voice_mobile")} <= channels
    assert {(), ("yellow",), ("blue", "yellow")} == {p.opt_in for p in people}
    supporters = [s for p in people for s in p.supporters]
    assert 0.4 < sum(s.outside_zone for s in supporters) / len(supporters) < 0.6
    assert {True, False} == {s.lat is None for s in supporters}
    sizes = Counter(p.household_id for p in people if not p.facility_id)
    assert {1, 2, 3, 4} == set(sizes.values())
    assert any(p.own_channels for p in people)


def test_located_supporters_are_where_they_are_said_to_be():
    """Who is said to live outside the zone does, and the reverse."""
    area = Shape.from_geojson(BENT)
    for one in mint(BENT, people=800, seed=8).people:
        for s in one.supporters:
            if s.lat is not None and s.lon is not None:
                assert s.outside_zone != area.holds([s.lon], [s.lat])[0]


def test_nobody_in_it_can_be_called():
    """Numbers are of a country that does not exist, e-mail of a name kept for examples; people have own numbers."""
    made = mint(SQUARE, people=2000, seed=3)
    supporters = [s for p in made.people for s in p.supporters]
    contacts = [c for person in made.people for c in person.contacts]
    contacts += [c for facility in made.facilities for c in facility.contacts]
    contacts += [c for worker in made.workers for c in worker.contacts]
    contacts += [c for supporter in supporters for c in supporter.contacts]
    for contact in contacts:
        if contact.kind == "email":
            assert contact.address.endswith("@example.org")
        else:
            assert contact.address.startswith((f"{FICTIONAL}7", f"{FICTIONAL}2"))
            with pytest.raises(phonenumbers.NumberParseException):
                phonenumbers.parse(contact.address)


async def test_fictional_numbers_pass_only_by_the_samples_channel(registry):
    """The plain import refuses them, person by person."""
    made = mint(SQUARE, people=50, seed=3)
    report = await import_people(registry.database, registry.keys, made.people, year=YEAR)
    assert report.refused > 30
    assert {"real number"} == {i.rule for i in report.issues}


async def test_import_twice_changes_nothing(registry):
    """The second import of the same community writes nothing: counts, keys and contacts stay."""
    made = mint(SQUARE, people=2000, seed=1)
    started = time.perf_counter()
    first = await import_community(registry.database, registry.keys, made)
    assert time.perf_counter() - started < 10  # far above the second it takes on an idle machine
    async with registry.database.read() as db:
        before = await register.counts_by_profile(db)
    second = await import_community(registry.database, registry.keys, made)
    async with registry.database.read() as db:
        assert before == await register.counts_by_profile(db)
    assert (len(made.people) + len(made.facilities), 0) == (first.read, first.unchanged)
    assert (0, first.read) == (second.read, second.unchanged)
    real = Counter(profile(p, YEAR).key for p in made.people)
    assert sum(real.values()) + len(made.facilities) == sum(before.values())
