"""Pages of people: complete, whole households, the same after a crash; previews that equal the real counts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.registry.audience import audience
from services.registry.audience import preview as previews
from services.registry.geo.areas import Shape
from services.registry.importing.write import import_areas, import_people, import_workers
from services.registry.model.facilities import AreaIn, WorkerIn
from services.registry.model.given import ContactIn, PersonIn, StayIn, SupporterIn, mobile
from services.registry.sample.sample import import_community, mint
from services.registry.store import register
from services.shared.bus.outbox import digest_of, id_of, inbox, outbox
from services.shared.crypto.sealing import Opener, page_key
from services.shared.errors import AlreadyHandled
from services.shared.messages import FIRST_PAGE_PEOPLE, PAGE_PEOPLE, AudienceFound, decode, encode
from tests.integration.registry.conftest import BENT, NOON, SQUARE, YEAR, opened_dossier, warning

WIDER = '{"type":"Polygon","coordinates":[[[102.9,29.9],[103.3,29.9],[103.3,30.3],[102.9,30.3],[102.9,29.9]]]}'


def person(name: str, **changes: object) -> PersonIn:
    """Somebody in the middle of SQUARE with a mobile."""
    facts: dict[str, object] = {
        "person_id": id_of("test", name),
        "lat": 30.055,
        "lon": 103.055,
        "call_name": name,
        "contacts": mobile(f"+9997{int(id_of(name), 16) % 10**8:08d}"),
    }
    return PersonIn.model_validate(facts | changes)


async def test_pages_hold_everybody_once_and_the_last_proves_it(registry):
    """1,500 people in a bent area with a hole: pages numbered from 0, total and digest over exactly those inside."""
    made = mint(WIDER, people=1500, seed=3)
    await import_community(registry.database, registry.keys, made)
    await registry.hear(warning(area=BENT))
    await registry.work_all()
    pages = await registry.said()
    area = Shape.from_geojson(BENT)
    inside = {p.person_id for p in made.people if area.holds([p.lon], [p.lat])[0]}
    inside |= {f.facility_id for f in made.facilities if area.holds([f.lon], [f.lat])[0]}
    found = [p.person_id for page in pages for p in page.people]
    assert sorted(inside) == sorted(found)
    assert list(range(len(pages))) == [page.page for page in pages]
    assert [False] * (len(pages) - 1) + [True] == [page.last for page in pages]
    assert len(inside) == pages[-1].total
    assert digest_of(inside) == pages[-1].digest
    assert {id_of("audience", warning().warning_id, n) for n in range(len(pages))} == {p.msg_id for p in pages}
    assert {len(made.workers)} == {len(page.workers) for page in pages}


async def test_page_is_full_but_never_splits_a_household(registry):
    """The first has at most 50 people, the others 500, and everybody of one household is on the same page."""
    await import_community(registry.database, registry.keys, mint(SQUARE, people=2000, seed=5))
    await registry.hear(warning())
    await registry.work_all()
    pages = await registry.said()
    homes = [(p.household_id, page.page) for page in pages for p in page.people]
    assert Counter(dict(homes).keys()) == Counter(home for home, _ in set(homes))
    assert FIRST_PAGE_PEOPLE - 20 < len(pages[0].people) <= FIRST_PAGE_PEOPLE
    assert all(len(page.people) <= PAGE_PEOPLE for page in pages)
    assert all(len(page.people) > PAGE_PEOPLE - 100 for page in pages[1:-1])
    assert 2003 == pages[-1].total


async def test_household_at_the_cut_moves_to_the_next_page_whole(registry):
    """549 singles and one household of three: the second page ends before it; all three come together."""
    home = "f" * 32
    singles = [person(f"single {n}", household_id=f"{n:032x}") for n in range(549)]
    family = [person(f"member {n}", household_id=home) for n in range(3)]
    await import_people(registry.database, registry.keys, singles + family, year=YEAR, fictional=True)
    await registry.hear(warning())
    await registry.work_all()
    assert [50, 499, 3] == [len(page.people) for page in await registry.said()]


@pytest.mark.parametrize("at_home", [True, False])
async def test_a_household_larger_than_the_first_page_gets_a_larger_one(registry, at_home):
    """A house of 60 is no reason to divide it, whether they live inside or are away to there."""
    away = () if at_home else (StayIn(kind="away", lat=30.05, lon=103.05, address="there"),)
    lat = 30.05 if at_home else 31.5
    house = [person(f"member {n}", household_id="e" * 32, lat=lat, stays=away) for n in range(60)]
    await import_people(registry.database, registry.keys, house, year=YEAR, fictional=True)
    await registry.hear(warning())
    await registry.work_all()
    assert [60] == [len(page.people) for page in await registry.said() if page.people]


async def test_a_household_larger_than_a_page_is_divided(registry):
    """1,200 people under one household id are no household: they go out in bounded pages, each once."""
    crowd = [person(f"guest {n}", household_id="e" * 32) for n in range(1200)]
    await import_people(registry.database, registry.keys, crowd, year=YEAR, fictional=True)
    await registry.hear(warning())
    await registry.work_all()
    pages = await registry.said()
    assert [500, 500, 200] == [len(page.people) for page in pages]
    assert 1200 == len({p.person_id for page in pages for p in page.people})


async def test_members_given_in_two_cells_are_two_households(registry):
    """A household lies in one cell; whoever is given elsewhere is counted alone, and the report says so."""
    there = person("far", household_id="d" * 32, lat=30.09)
    report = await import_people(
        registry.database, registry.keys, [person("near", household_id="d" * 32), there], year=YEAR, fictional=True
    )
    async with registry.database.read() as db:
        rows = await register.known_people(db, [id_of("test", "near"), id_of("test", "far")])
    assert "d" * 32 == rows[id_of("test", "near")].household_id
    assert "d" * 32 != rows[id_of("test", "far")].household_id
    assert [("household", there.person_id)] == [(i.field, i.subject) for i in report.issues]


async def test_nobody_inside_still_gets_a_last_page(registry):
    """An area without registered people ends with one empty page: total 0, workers, unknown geocodes."""
    await import_workers(registry.database, registry.keys, [WorkerIn(worker_id="a" * 32, grids=("G1",))])
    await registry.hear(warning(area="", geocodes=(("county", "404"),)))
    await registry.work_all()
    (page,) = await registry.said()
    assert (True, 0, digest_of(()), (("county", "404"),)) == (page.last, page.total, page.digest, page.unresolved)
    assert ["a" * 32] == [w.worker_id for w in page.workers]


async def test_geocodes_and_polygon_are_united(registry):
    """A known geocode adds its area to the polygon; an unknown one is named."""
    east = SQUARE.replace("103.1", "103.3").replace("103.0", "103.2")
    await import_areas(registry.database, [AreaIn(value_name="county", code="7", geojson=east)])
    people = [person("in polygon"), person("in geocode", lon=103.25), person("in neither", lon=103.15)]
    await import_people(registry.database, registry.keys, people, year=YEAR, fictional=True)
    await registry.hear(warning(geocodes=(("county", "7"), ("county", "8"))))
    await registry.work_all()
    (page,) = await registry.said()
    assert {people[0].person_id, people[1].person_id} == {p.person_id for p in page.people}
    assert (("county", "8"),) == page.unresolved


async def test_only_workers_on_shift(registry):
    """At noon UTC+8 is 20:00: the night shift is on, the day shift and those off duty are not."""
    workers = [
        WorkerIn(worker_id="1" * 32, shift="07:00-19:00"),
        WorkerIn(worker_id="2" * 32, shift="19:00-07:00"),
        WorkerIn(worker_id="3" * 32, status="off"),
        WorkerIn(worker_id="4" * 32, contacts=mobile("+999700000001"), grids=("G1",), skills=("nurse",)),
    ]
    await import_workers(registry.database, registry.keys, workers, fictional=True)
    await registry.hear(warning(utc_offset_min=480))
    await registry.work_all()
    (page,) = await registry.said()
    assert ["2" * 32, "4" * 32] == [w.worker_id for w in page.workers]
    assert (("G1",), ("nurse",), 10) == (page.workers[1].grids, page.workers[1].skills, page.workers[1].doors_per_hour)
    assert ["sms", "voice_mobile"] == [c.kind for c in page.workers[1].contacts]


async def test_higher_tier_goes_first(registry):
    """Red, opened later, overtakes a blue job that is under way."""
    await import_community(registry.database, registry.keys, mint(SQUARE, people=1200, seed=1))
    await registry.hear(warning("blue", tier=1))
    await registry.service.run_due()
    registry.platform.clock.advance_to(NOON + 60)
    await registry.hear(warning("red", tier=4))
    await registry.work_all()
    order = [page.tier for page in await registry.said()]
    assert [1, *sorted(order[1:], reverse=True)] == order
    assert {1, 4} == set(order)


async def test_a_warning_heard_twice_opens_one_job(registry):
    """The second showing of a message is known by its receipt; the same warning in a new message changes nothing."""
    await import_people(registry.database, registry.keys, [person("one")], year=YEAR, fictional=True)
    await registry.hear(warning())
    with pytest.raises(AlreadyHandled):
        await registry.hear(warning())
    assert 1 == await registry.work_all()
    await registry.hear(warning(msg_id=id_of("again")))
    assert 0 == await registry.work_all()
    assert 1 == len(await registry.said())


async def test_two_processes_make_a_page_once(registry):
    """Who loses the race for a page writes nothing; the job goes on from the winner's cursor."""
    made = mint(SQUARE, people=700, seed=1)
    await import_community(registry.database, registry.keys, made)
    await registry.hear(warning())
    async with registry.database.read() as db:
        row = await register.next_job(db)
    assert row is not None
    area = Shape.from_wkb(row.shape)
    assert await audience.make_page(registry.database, row, area, NOON)
    assert not await audience.make_page(registry.database, row, area, NOON)
    assert 1 == len(await registry.said())
    await registry.work_all()
    pages = await registry.said()
    assert [0, 1, 2] == [page.page for page in pages]
    assert 700 + len(made.facilities) == pages[-1].total == sum(len(page.people) for page in pages)


async def test_ending_asks_for_nobody_and_leaves_its_receipt(registry):
    """The router addresses an ending from the ledger; the registry only says that it heard."""
    await registry.hear(warning("over", kind="ending", ending="may_return"))
    assert await registry.service.next_at() is None
    async with registry.database.read() as db:
        assert ["registry"] == list(await db.scalars(sa.select(inbox.c.consumer)))


async def test_next_at_is_now_while_a_job_is_open(registry):
    """The simulation's clock does not pass over a page that is still to be made."""
    assert await registry.service.next_at() is None
    await registry.hear(warning())
    assert NOON == await registry.service.next_at()
    await registry.work_all()
    assert await registry.service.next_at() is None


async def test_away_is_warned_and_withdrawn_is_not(registry):
    """Somebody away keeps a place inside; of somebody withdrawn no contact and no dossier is left."""
    people = [person("here"), person("away", status="away"), person("gone")]
    await import_people(registry.database, registry.keys, people, year=YEAR, fictional=True)
    gone = people[2].model_copy(update={"status": "withdrawn"})
    await import_people(registry.database, registry.keys, [gone], year=YEAR, fictional=True)
    await registry.hear(warning())
    await registry.work_all()
    (page,) = await registry.said()
    assert {people[0].person_id, people[1].person_id} == {p.person_id for p in page.people}
    async with registry.database.read() as db:
        assert {} == await register.contacts_of(db, [gone.person_id])
        left = sa.select(register.person.c.dossier).where(register.person.c.person_id == gone.person_id)
        assert b"" == await db.scalar(left)
        assert 2 == sum((await register.counts_by_profile(db)).values())


async def test_supporter_is_judged_against_this_very_area(registry):
    """A located supporter inside the area is not outside the zone, whatever was noted; an unlocated one is as noted."""
    channels = mobile("+999712345678")
    helpers = (
        SupporterIn(name="near", contacts=channels, outside_zone=True, lat=30.05, lon=103.05, accepted=True),
        SupporterIn(name="far", contacts=mobile("+999712345679"), lat=31.0, lon=103.05, accepted=True),
        SupporterIn(name="noted", contacts=mobile("+999712345680"), outside_zone=True, accepted=True),
        SupporterIn(name="never asked", contacts=mobile("+999712345681"), outside_zone=True),
    )
    await import_people(
        registry.database, registry.keys, [person("helped", supporters=helpers)], year=YEAR, fictional=True
    )
    await registry.hear(warning())
    await registry.work_all()
    (page,) = await registry.said()
    assert [False, True, True] == [s.outside_zone for s in page.people[0].supporters]
    assert (("sms", False), ("sms", True), ("sms", True)) == page.profiles[page.people[0].profile].supporters


async def test_who_lives_with_them_is_beside_them_while_they_are_home(registry):
    """Not outside, wherever their place was noted; not beside somebody who is away or met elsewhere."""
    wife = SupporterIn(name="w", contacts=mobile("+999712345678"), outside_zone=True, at_home=True, accepted=True)
    away = StayIn(kind="away", since="2000-01-01", until="2999-01-01")
    people = [person("home", supporters=(wife,)), person("away", supporters=(wife,), stays=(away,))]
    await import_people(registry.database, registry.keys, people, year=YEAR, fictional=True)
    await registry.hear(warning())
    await registry.work_all()
    (page,) = await registry.said()
    found = {p.person_id: p.supporters[0] for p in page.people}
    assert [(False, True), (False, False)] == [
        (found[one.person_id].outside_zone, found[one.person_id].at_home) for one in people
    ]


async def test_away_on_all_of_the_days_is_said_and_no_earlier(registry):
    """On the first day and until the last but one; with no end nobody knows, and somebody may be home."""
    today = datetime.fromtimestamp(NOON, UTC).date()
    day = lambda n: (today + timedelta(days=n)).isoformat()  # noqa: E731
    spans = {"now": (0, 3), "since": (-3, 3), "last": (-3, 0), "soon": (1, 3)}
    people = {
        name: person(name, stays=(StayIn(kind="away", since=day(a), until=day(b)),)) for name, (a, b) in spans.items()
    }
    people["ever"] = person("ever", stays=(StayIn(kind="away"),))
    people["list"] = person("list", status="away")
    await import_people(registry.database, registry.keys, list(people.values()), year=YEAR, fictional=True)
    await registry.hear(warning())
    await registry.work_all()
    (page,) = await registry.said()
    flags = {p.person_id: page.profiles[p.profile].flags for p in page.people}
    assert {"now", "since", "list"} == {name for name, one in people.items() if "away" in flags[one.person_id]}


async def test_a_number_that_nobody_verified_is_marked_as_one(registry):
    """Of who hides none is: it may be theirs from whom they hide."""
    given = mobile("+999712345678", given_by="record")
    safe = ContactIn(kind="email", address="a@example.org", safe=True)
    people = [
        person("listed", contacts=given), person("hidden", contacts=(*given, safe), protected_address=True),
        person("hides", contacts=given, protected_address=True),
    ]  # fmt: skip
    await import_people(registry.database, registry.keys, people, year=YEAR, fictional=True)
    await registry.hear(warning())
    await registry.work_all()
    (page,) = await registry.said()
    by_id = {p.person_id: p for p in page.people}
    listed, hidden, hides = (by_id[one.person_id] for one in people)
    assert [(False, True), (False, True)] == [(c.usable, c.unverified) for c in listed.contacts]
    assert {(False, False), (True, False)} == {(c.usable, c.unverified) for c in hidden.contacts}
    assert ("sms", "voice_mobile") == page.profiles[listed.profile].unverified
    assert () == page.profiles[hidden.profile].unverified == page.profiles[hides.profile].unverified


async def test_page_carries_what_channels_can_open_and_nobody_else(registry):
    """Contacts and dossier open with the channels' key under their owner's id; no address stands open in the page."""
    secret = person("Ms Secret", contacts=(ContactIn(kind="sms", address="+999700000042"),), address="1 Hidden Lane")
    await import_people(registry.database, registry.keys, [secret], year=YEAR, fictional=True)
    await registry.hear(warning())
    await registry.work_all()
    (page,) = await registry.said()
    body = encode(page)
    assert not any(word in body for word in (b"+9997", b"Ms Secret", b"Hidden"))
    opener = Opener(registry.keys.private)
    entry = page.people[0]
    async with registry.database.read() as db:
        for row in await db.execute(sa.select(page_key)):
            opener.learn(row.key_id, row.wrapped)
    contact = entry.contacts[0]
    assert b"+999700000042" == opener.open(contact.sealed, contact.key_id, contact.contact_id)
    opened = await opened_dossier(registry.database, registry.keys, entry.dossier, entry.person_id)
    assert ("Ms Secret", "1 Hidden Lane") == (opened.call_name, opened.address)


async def test_preview_equals_the_audience(registry):
    """Counts per profile are those of the pages, while few live at the edge; supporters as they are noted."""
    made = mint(WIDER, people=1500, seed=9)
    await import_community(registry.database, registry.keys, made)
    await registry.hear(warning("draft", purpose="preview", area=BENT))
    await registry.hear(warning(area=BENT))
    await registry.work_all()
    preview, *pages = await registry.said()
    assert ("preview", True, 0, ()) == (preview.purpose, preview.last, preview.estimated, preview.people)
    real: Counter[tuple[str, ...]] = Counter()
    for page in pages:
        for one in page.people:
            facts = page.profiles[one.profile]
            real[(facts.kind, *facts.groups, *facts.flags, *facts.channels)] += 1
    told: Counter[tuple[str, ...]] = Counter()
    for facts, n in zip(preview.profiles, preview.counts, strict=True):
        told[(facts.kind, *facts.groups, *facts.flags, *facts.channels)] += n
    assert real == told
    assert pages[-1].total == preview.total


async def test_preview_estimates_a_crowded_edge(registry, monkeypatch):
    """With many people in boundary cells their share is estimated by area, and said to be an estimate."""
    monkeypatch.setattr(previews, "EXACT_BELOW", 10)
    crowd = [person(f"p {n}", lat=30.0951, lon=103.0 + n / 10_000) for n in range(1000)]
    await import_people(registry.database, registry.keys, crowd, year=YEAR, fictional=True)
    half = SQUARE.replace("30.1]", "30.095]")
    await registry.hear(warning("draft", purpose="preview", area=half))
    (preview,) = await registry.said()
    assert preview.estimated == preview.total
    assert 450 < preview.total < 550


async def test_every_preview_request_is_answered(registry):
    """A second preview of the same draft, after the area was changed, gets its own answer."""
    await import_people(registry.database, registry.keys, [person("one")], year=YEAR, fictional=True)
    await registry.hear(warning("draft", purpose="preview"))
    elsewhere = SQUARE.replace("103.", "113.")
    await registry.hear(warning("draft", msg_id=id_of("second"), purpose="preview", area=elsewhere))
    assert [1, 0] == [answer.total for answer in await registry.said()]


ROOT = str(Path(__file__).resolve().parents[3])
CRASH = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from services.registry.service import RegistryService
from services.shared.crypto.signing import Signer
from services.shared.bus.embedded import EmbeddedBus
from services.shared.clock import StepClock
from services.shared.database.engine import Database
from services.shared.crypto.sealing import Keys
from services.shared.service import Platform
from services.shared.settings import Settings

async def main():
    settings = Settings(data_dir=Path(sys.argv[1]), plane="live")
    database = Database(settings.resolved_database_url)
    keys = Keys(settings.keys_dir)
    platform = Platform(settings, database, EmbeddedBus(database), StepClock(0.0), keys, "")
    service = RegistryService(platform)
    while await service.run_due():
        pass

asyncio.run(main())
"""


@pytest.mark.parametrize("point", ["before_page_commit", "after_page_commit"])
async def test_killed_between_pages_it_goes_on_from_the_cursor(registry, point):
    """A process killed around the second page's commit leaves a job that another finishes: each person once."""
    made = mint(SQUARE, people=1400, seed=2)
    await import_community(registry.database, registry.keys, made)
    await registry.hear(warning())
    environment = os.environ | {"TOCSIN_FAULT_AT": f"{point}:2"}
    arguments = [sys.executable, "-c", CRASH, str(registry.platform.settings.data_dir), ROOT]
    dead = subprocess.run(arguments, env=environment, capture_output=True, timeout=60, check=False)  # noqa: ASYNC221
    assert -signal.SIGKILL == dead.returncode, dead.stderr.decode()
    assert (1 if point == "before_page_commit" else 2) == len(await registry.said())
    await registry.work_all()
    pages = await registry.said()
    found = [p.person_id for page in pages for p in page.people]
    everyone = [p.person_id for p in made.people] + [f.facility_id for f in made.facilities]
    assert sorted(everyone) == sorted(found)
    assert digest_of(everyone) == pages[-1].digest


async def test_messages_survive_their_encoding(registry):
    """What the outbox holds decodes to an AudienceFound whose people name an existing profile."""
    await import_community(registry.database, registry.keys, mint(SQUARE, people=300, seed=4))
    await registry.hear(warning())
    await registry.work_all()
    async with registry.database.read() as db:
        bodies = list(await db.scalars(sa.select(outbox.c.body).where(outbox.c.topic == "AudienceFound")))
    assert bodies
    for body in bodies:
        page = decode(body)
        assert isinstance(page, AudienceFound)
        assert all(0 <= p.profile < len(page.profiles) for p in page.people)
