"""What is to be put right is found, each kind by a person who has it, with what to do and without a name."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from services.registry.findings import KINDS, find
from services.registry.importing.write import import_areas, import_people, import_workers
from services.registry.model.facilities import AreaIn, FacilityIn, WorkerIn
from services.registry.model.facts import old_since
from services.registry.model.given import ContactIn, PersonIn, SupporterIn, mobile
from services.registry.people.sources import SourceList, Statement
from services.registry.store import register
from services.shared.bus.outbox import id_of
from services.shared.errors import Refused
from tests.integration.registry.conftest import YEAR

TODAY = "2026-11-22"
LINES = (
    ContactIn(kind="duty_phone_1", address="+862885550001"),
    ContactIn(kind="duty_phone_2", address="+862885550002", order=1),
)


def person(name: str, **changes: object) -> PersonIn:
    """Somebody with two channels."""
    facts: dict[str, object] = {
        "person_id": id_of("test", name), "call_name": f"Ms {name}", "lat": 30.05, "lon": 103.05,
        "contacts": mobile(f"+8613{int(id_of(name), 16) % 10**9:09d}"),
    }  # fmt: skip
    return PersonIn.model_validate(facts | changes)


def house(name: str, **changes: object) -> FacilityIn:
    """A facility with a plan and two lines."""
    facts: dict[str, object] = {
        "facility_id": id_of("test", name), "name": name, "kind": "nursing_home", "lat": 30.05, "lon": 103.05,
        "contacts": LINES, "plan_on": "2026-03-01", "evac_min_day": 10, "evac_min_night": 25,
    }  # fmt: skip
    return FacilityIn.model_validate(facts | changes)


async def put(registry, *people: PersonIn | FacilityIn, on: str = "2026-11-01", kind: Any = "self", n: int = 1):
    """Imports them as the n-th list of the town, or of a clinic where the kind is health."""
    name = "clinic" if kind == "health" else "town"
    source = SourceList(name, kind, on, n)
    await import_people(registry.database, registry.keys, people, year=YEAR, source=source)


async def found(registry, kind: str) -> list[tuple[str, str]]:
    """(id, detail) of a kind."""
    async with registry.database.read() as db:
        (one,) = (await find(db, kind=kind, day=TODAY))["findings"]
    assert len(one["found"]) == one["count"]
    assert one["what"]
    assert one["do"]
    return [(row["id"], row["detail"]) for row in one["found"]]


CASES: list[tuple[str, object, str]] = [
    ("no_channel", person("x", contacts=()), ""),
    ("unverified_only", person("x", contacts=mobile("+8613800138000", given_by="record")), ""),
    ("one_channel", person("x", contacts=(ContactIn(kind="voice_landline", address="+862885551234"),)), ""),
    ("facility_plan", house("x", plan_on=""), ""),
    ("facility_plan", house("x", plan_on="2025-10-01"), "2025-10-01"),
    ("facility_plan", FacilityIn.model_validate(house("x").model_dump() | {"evac_min_night": None}), "2026-03-01"),
    ("facility_duty_phone", house("x", contacts=LINES[:1]), "1"),
    ("outside", person("x", lat=87.617, lon=43.825), "87.617, 43.825"),
    ("outside", person("x", lat=30, lon=103), "30.0, 103.0"),
    ("born_ahead", person("x", birth_year=2065), "birth_year"),
    ("no_language", person("x").model_copy(update={"languages": ("中文",)}), ""),
]


@pytest.mark.parametrize(("kind", "one", "detail"), CASES)
async def test_whom_it_concerns(registry, kind, one, detail):
    """Beside people and houses with whom all is well, only the one is found."""
    await put(registry, person("well"), house("fine"), one)
    assert [(id_of("test", "x"), detail)] == await found(registry, kind)


async def test_a_place_outside_the_areas_of_the_register(registry):
    """Once areas are imported, a place that is not near them is found; one of the next county is let be."""
    square = '{"type":"Polygon","coordinates":[[[103,30],[103.2,30],[103.2,30.2],[103,30.2],[103,30]]]}'
    await import_areas(registry.database, [AreaIn(value_name="GB", code="1", geojson=square)])
    await put(registry, person("well", birth_year=1950), person("near", lat=30.9), person("x", lat=43.825, lon=87.617))
    assert [(id_of("test", "x"), "43.825, 87.617")] == await found(registry, "outside")


async def test_with_all_well_nothing_is_found(registry):
    """Two channels, a fresh list, a planned house, a vetted pair with a backup."""
    pair = [WorkerIn(worker_id=c * 32, backup_id=b * 32, vetted_on="2026-01-01") for c, b in ("ab", "ba")]
    await put(registry, person("well"), house("fine"))
    await import_workers(registry.database, registry.keys, pair)
    async with registry.database.read() as db:
        every = (await find(db, day=TODAY))["findings"]
    assert [] == [one["kind"] for one in every if one["count"]]
    assert [kind.name for kind in KINDS] == [one["kind"] for one in every]


@pytest.mark.parametrize(
    ("on", "kinds"),
    [
        ("2026-11-01", set()),
        ("2025-11-01", {"review_overdue", "stale_contact", "old_list"}),
        ("2025-04-01", {"review_overdue", "stale_contact", "old_list", "old"}),
    ],
)
async def test_what_grows_old(registry, on, kinds):
    """A year: ask again, try the number, ask for a new list; half a year more: old."""
    await put(registry, person("x"), on=on)
    async with registry.database.read() as db:
        every = (await find(db, day=TODAY))["findings"]
    assert kinds == {one["kind"] for one in every if one["count"]}


async def test_an_answer_past_its_own_date(registry):
    """Still used, and found."""
    source = SourceList("town", "self", "2026-05-01", 1)
    statement = Statement(person("x", power_device="oxygen"), source.provenance(until="2026-06-30"))
    await import_people(registry.database, registry.keys, [statement], year=YEAR, source=source)
    assert [(id_of("test", "x"), "2026-06-30")] == await found(registry, "expired")


async def test_conflicts_missing_workers_and_supporters(registry):
    """Each by its id, with the field, list or person it is about."""
    son = SupporterIn(name="Son", contacts=mobile("+8613900139000"))
    await put(registry, person("x", floor=2, supporters=(son,)), person("gone"))
    await put(registry, person("x", floor=3), kind="health", on="2026-11-02")
    await put(registry, person("x", floor=2, supporters=(son,)), n=2)
    assert [(id_of("test", "x"), "floor")] == await found(registry, "conflict")
    assert [(id_of("test", "gone"), "town")] == await found(registry, "missing")
    await import_workers(registry.database, registry.keys, [WorkerIn(worker_id="a" * 32)])
    assert ["a" * 32] == [one for one, _ in await found(registry, "worker_backup")]
    assert ["a" * 32] == [one for one, _ in await found(registry, "worker_vetting")]
    ((_, whose),) = await found(registry, "supporter_not_accepted")
    assert id_of("test", "x") == whose


async def test_who_left_is_not_looked_after(registry):
    """Of somebody withdrawn nothing is found."""
    await put(registry, person("x", contacts=(), status="withdrawn"), on="2020-01-01")
    async with registry.database.read() as db:
        every = (await find(db, day=TODAY))["findings"]
    assert {"old_list"} == {one["kind"] for one in every if one["count"]}


async def test_long_lists_are_paged(registry):
    """250 people without a channel: three pages, each once."""
    await put(registry, *(person(f"p{n}", contacts=()) for n in range(250)))
    seen: list[str] = []
    async with registry.database.read() as db:
        while rows := (await find(db, kind="no_channel", after=seen[-1] if seen else "", day=TODAY))["findings"][0][
            "found"
        ]:
            seen += [row["id"] for row in rows]
        assert 250 == await db.scalar(sa.select(sa.func.count()).select_from(register.person))
        with pytest.raises(Refused):
            await find(db, kind="gossip")
    assert (250, 250) == (len(seen), len(set(seen)))


def test_when_an_answer_is_marked_old():
    """Half a year after its review."""
    assert (False, True) == (old_since("2026-05-22", TODAY), old_since("2026-05-21", TODAY))
