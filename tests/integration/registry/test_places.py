"""Where to go, who arrived, and people who are inside only just now."""

from __future__ import annotations

import pytest

from services.registry.audience import preview
from services.registry.audience.whereabouts import Moment
from services.registry.geo.areas import Shape
from services.registry.importing.write import import_people, import_workers
from services.registry.lookup.view import person_view
from services.registry.model.facilities import FacilityIn, PlaceIn, WorkerIn
from services.registry.model.given import ContactIn, PersonIn, StayIn, mobile
from services.registry.people import places
from services.registry.people.update import Changes, said, update_person
from services.shared.bus.outbox import id_of
from services.shared.errors import Conflict, NotFound
from tests.integration.registry.conftest import NOON, SQUARE, YEAR, opened_dossier, warning

FAR = {"lat": 31.5, "lon": 104.5}
HALL = PlaceIn(place_id=id_of("place", "hall"), name="School hall", lat=30.3, lon=103.3, step_free=True, capacity=3)


def person(name: str, **changes: object) -> PersonIn:
    """Somebody who lives far outside SQUARE."""
    facts: dict[str, object] = {
        "person_id": id_of("test", name), "call_name": name, "address": f"home of {name}",
        "contacts": mobile(f"+8613{int(id_of(name), 16) % 10**9:09d}"), **FAR,
    }  # fmt: skip
    return PersonIn.model_validate(facts | changes)


async def put(registry, *people: PersonIn | FacilityIn) -> None:
    await import_people(registry.database, registry.keys, people, year=YEAR)


async def found(registry) -> list:
    """All page rows of a warning over SQUARE at noon UTC."""
    await registry.hear(warning())
    await registry.work_all()
    return [entry for page in await registry.said() for entry in page.people]


def stay(kind: str, **changes: object) -> StayIn:
    """A stay inside SQUARE."""
    return StayIn.model_validate(
        {"kind": kind, "lat": 30.05, "lon": 103.05, "address": f"{kind} lane", "zone_id": "Z5", "grid_id": "G5"}
        | changes
    )


@pytest.mark.parametrize(
    ("where", "inside"),
    [
        (stay("second"), True),
        (stay("second", lat=30.2), False),  # outside
        (stay("away", since="2026-09-01", until="2026-12-31"), True),
        (stay("away", since="2026-01-01", until="2026-01-31"), False),  # was away long ago
        (stay("away", since="2026-12-01"), False),  # not yet
        (stay("away"), True),
        (stay("usual", hours="09:00-17:00"), True),
        (stay("usual", hours="17:30-20:00"), True),  # within the next six hours
        (stay("usual", hours="19:00-08:00"), False),
        (stay("usual"), True),
    ],
)
async def test_who_may_be_inside_just_now_is_warned_there(registry, where, inside):
    """Their home is far outside; the place they may be at counts, and the officer is sent there, not to their home."""
    await put(registry, person("a", stays=(where,)), person("b"))
    rows = await found(registry)
    assert inside == bool(rows)
    for row in rows:
        assert (id_of("test", "a"), "Z5", "G5") == (row.person_id, row.zone_id, row.grid_id)
        opened = await opened_dossier(registry.database, registry.keys, row.dossier, row.person_id)
        assert ("a", where.address) == (opened.call_name, opened.address)
    async with registry.database.read() as db:
        counted = await preview.count(db, Shape.from_geojson(SQUARE), Moment(NOON, 0))
    assert len(rows) == sum(counted.by_profile.values())


async def test_home_inside_counts_whoever_is_away(registry):
    """Away outside, or inside twice: they are one addressee at home, and the card says where else they may be."""
    home = {"lat": 30.02, "lon": 103.02}
    await put(registry, person("a", **home, stays=(stay("away", lat=30.5), stay("second"))))
    (row,) = await found(registry)
    opened = await opened_dossier(registry.database, registry.keys, row.dossier, row.person_id)
    assert "home of a" == opened.address
    assert {"or at away lane", "or at second lane"} == set(opened.note.split("; "))


async def test_many_visitors_come_in_pages_after_those_at_home(registry):
    """700 guests and 10 at home: each once, households together, total and digest hold."""
    guests = [person(f"g{n}", household_id=f"{n // 2:032x}", stays=(stay("second"),)) for n in range(700)]
    at_home = [person(f"h{n}", lat=30.01, lon=103.01) for n in range(10)]
    await put(registry, *guests, *at_home)
    rows = await found(registry)
    pages = await registry.said()
    assert [10, 500, 200] == [len(page.people) for page in pages]
    assert (710, 710) == (len({row.person_id for row in rows}), pages[-1].total)
    homes: dict[str, set[int]] = {}
    for page in pages[1:]:
        for row in page.people:
            homes.setdefault(row.household_id, set()).add(page.page)
    assert {2} == {len([r for r in rows if r.household_id == home]) for home in homes}
    assert {1} == {len(numbers) for numbers in homes.values()}


async def test_a_channel_outside_its_hours_comes_last(registry):
    """At noon the landline that is answered from 18:00 comes after the mobile; it stays a channel."""
    contacts = (
        ContactIn(kind="voice_landline", address="+862885551234", hours="18:00-08:00"),
        ContactIn(kind="voice_mobile", address="+8613800138000", order=1),
    )
    await put(registry, person("a", lat=30.05, lon=103.05, contacts=contacts))
    (row,) = await found(registry)
    assert [("voice_mobile", True), ("voice_landline", True)] == [(c.kind, c.usable) for c in row.contacts]


async def test_b_takes_over_when_a_is_off(registry):
    """The backup gets the grids of whoever is off; roles count as skills; on shift both keep their own."""
    a, b = "a" * 32, "b" * 32
    pair = [
        WorkerIn(worker_id=a, grids=("G1", "G2"), backup_id=b, status="off"),
        WorkerIn(worker_id=b, grids=("G2", "G3"), roles=("nurse",), skills=("guide",)),
    ]
    await import_workers(registry.database, registry.keys, pair)
    await registry.hear(warning())
    await registry.work_all()
    (worker,) = (await registry.said())[-1].workers
    assert (("G2", "G3", "G1"), ("guide", "nurse")) == (worker.grids, worker.skills)


async def test_nobody_is_sent_to_a_place_that_is_not_open(registry):
    """Unknown until somebody confirms it; full, closed or in danger it is not named; a new list keeps the word."""
    async with registry.database.read() as db:
        assert [] == await places.open_places(db, None)
    await places.import_places(registry.database, [HALL], actor="clerk")
    async with registry.database.read() as db:
        assert [] == await places.open_places(db, None)
    async with registry.database.write() as tx:
        await places.confirm(tx, HALL.place_id, "open", by="Officer Li")
    await places.import_places(registry.database, [HALL], actor="clerk")
    around = Shape.from_geojson(SQUARE.replace("30.1", "30.4").replace("103.1", "103.4"))
    async with registry.database.read() as db:
        assert ["Officer Li"] == [p["confirmed_by"] for p in await places.open_places(db, None, step_free=True)]
        assert [] == await places.open_places(db, None, power=True)
        assert [] == await places.open_places(db, around)
    async with registry.database.write() as tx:
        await places.arrive(tx, HALL.place_id, by="desk", heads=3)
    async with registry.database.read() as db:
        assert [] == await places.open_places(db, None)
    async with registry.database.write() as tx:
        with pytest.raises(NotFound):
            await places.confirm(tx, "0" * 32, "open", by="x")


async def test_the_roll_counts_everybody_once(registry):
    """By id or by heads; nobody twice; where somebody is can be found."""
    await put(registry, person("a"))
    await places.import_places(registry.database, [HALL], actor="clerk")
    async with registry.database.write() as tx:
        await places.arrive(tx, HALL.place_id, by="desk", person_id=id_of("test", "a"))
        await places.arrive(tx, HALL.place_id, by="desk", heads=4)
        with pytest.raises(Conflict):
            await places.arrive(tx, HALL.place_id, by="desk", person_id=id_of("test", "a"))
    async with registry.database.read() as db:
        roll = await places.rolls(db, HALL.place_id)
        assert HALL.place_id == await places.where_is(db, id_of("test", "a"))
    assert (5, 4, 1) == (roll["heads"], roll["unnamed"], len(roll["people"]))


async def test_a_hotel_reports_who_is_in_it_tonight(registry):
    """The desk's count of the day stands on the officer's card beside the registered one."""
    hotel = FacilityIn(
        facility_id=id_of("f"), name="Ferry", kind="hotel", headcount_night=20, evac_min_night=15, lat=30.05, lon=103.05,
        contacts=(ContactIn(kind="duty_phone_1", address="+862885551234"),),
    )  # fmt: skip
    await put(registry, hotel)
    async with registry.database.write() as tx:
        tonight = Changes(answers={"occupancy": ["2026-11-22", 45, 3]})
        await update_person(tx, registry.keys, hotel.facility_id, tonight, said("self", "desk"), year=YEAR)
    async with registry.database.read() as db:
        view = await person_view(db, hotel.facility_id)
    assert ["2026-11-22", 45, 3] == next(f["value"] for f in view["facts"] if f["name"] == "occupancy")
    (row,) = await found(registry)
    opened = await opened_dossier(registry.database, registry.keys, row.dossier, row.person_id)
    assert (45, "Ferry") == (opened.people, opened.call_name)
    assert "on 2026-11-22 in it 45, not walking 3; out in 15 min night" in opened.note
