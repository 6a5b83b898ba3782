"""A sketch says in CAP what was chosen; what is wrong with it is said by field; two who write at once lose no word."""

from __future__ import annotations

import json
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
import shapely
import sqlalchemy as sa
from msgspec.structs import replace

from services.channels.messages.suggested import OwnTexts
from services.gateway.drafting import estimate, moments, places, risk_zones, sketch_store
from services.gateway.drafting.alert import incoming_of
from services.gateway.drafting.place_to_go import places_to_go
from services.gateway.drafting.reading import SketchReader
from services.gateway.drafting.sketch import SketchContent, Wording
from services.gateway.intake.arrival import check_grant
from services.gateway.web.sketch_form import content_of, fields_of, kept_fields
from services.registry.importing.write import import_areas
from services.registry.model.facilities import AreaIn, PlaceIn
from services.registry.people.places import confirm, import_places
from services.shared.bus.outbox import new_id, outbox
from services.shared.clock import iso
from services.shared.database.engine import Database
from services.shared.ledger.areas import risk_zone
from services.shared.ledger.warnings import warning_preview
from services.shared.messages import WarningIssued, decode, encode
from services.shared.powers.changes import WarningVersion, changes
from services.shared.powers.power import Power
from services.shared.powers.who import ACTIONS, Who
from services.shared.settings import Settings
from services.shared.tiers import Tier
from tests.kit.square import SENT

WHO = Who("k", "Li Na", "Qingshui", ACTIONS, int(Tier.RED), names=("Qingshui County", "清水县"))
SQUARE = "30.0, 103.0\n30.0, 103.1\n30.1, 103.1\n30.1, 103.0"
FLOOD = SketchContent(hazard="flash_flood", tier="red", instruction="leave", corners=SQUARE)
NANLING = {"en": Wording(where="Nanling"), "zh-Hans": Wording(where="南岭镇")}


def offset_at(_: float) -> int:
    return 480


@pytest.fixture
def reader() -> SketchReader:
    return SketchReader(Settings(utc_offset_min=480), OwnTexts(), "duty@qingshui.example")


async def read(database: Database, reader: SketchReader, content: SketchContent, who: Who = WHO) -> Any:
    async with database.read() as db:
        return await reader.read(db, who, content, SENT)


async def test_every_template_is_read_back_as_it_was_chosen(database: Database, reader: SketchReader):
    """Hazard, tier and instruction of each of our texts go through CAP and come out the same, with nothing left to decide."""
    cells = OwnTexts().cells()
    assert 100 < len(cells)
    for hazard, tier, instruction in cells:
        content = SketchContent(
            hazard=hazard, tier=tier.word, instruction=instruction, corners=SQUARE, words=NANLING, impact="23:50"
        )
        reading = await read(database, reader, content)
        assert () == reading.findings, (hazard, tier, instruction, reading.findings)
        taken = incoming_of(reading, identifier="a", sender="duty@qingshui.example", sent=SENT, drill=False)
        assert (hazard, tier, instruction) == (taken.hazard, taken.tier, taken.instruction)
        assert ((), ()) == (taken.hold, taken.undecided), (hazard, tier, instruction)


async def test_words_are_there_in_both_languages_and_follow_the_time(database: Database, reader: SketchReader):
    """Nothing but the place is typed."""
    reading = await read(database, reader, replace(FLOOD, words=NANLING, impact="23:50"))
    english, chinese = reading.told["en"].said, reading.told["zh-Hans"].said
    assert ("Qingshui County", "清水县") == (english.source, chinese.source)
    assert "Water may come by 23:50." == english.what
    assert "Leave now, on foot, uphill" in english.action
    assert "现在离家" in chinese.action
    later = await read(database, reader, replace(FLOOD, words=NANLING, impact="23:55"))
    assert "Water may come by 23:55." == later.told["en"].said.what


def test_what_was_left_as_suggested_is_not_kept_as_typed():
    """It follows the template; a browser turns the ends of lines. What goes through a sign-in comes back as it was."""
    fields = [
        ("headline.en", "Flash flood"), ("suggested.headline.en", "Flash flood"), ("action.en", "Leave, now!"),
        ("suggested.action.en", "Leave."), ("what.en", "One\r\nTwo"), ("suggested.what.en", "One\nTwo"),
        ("areas", "zone=N1"), ("areas", "zone=N2"), ("version", "3"),
    ]  # fmt: skip
    content = content_of(fields_of(json.dumps(fields)), ["en", "zh-Hans"])
    assert {"en": Wording(action="Leave, now!")} == content.words
    assert ("zone=N1", "zone=N2") == content.areas
    assert content == content_of(fields_of(kept_fields(fields_of(json.dumps(fields)))), ["en", "zh-Hans"])
    assert [] == list(fields_of("<alert/>"))


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"tier": ""}, "tier", "Choose a tier"),
        ({"hazard": ""}, "hazard", "Choose what happens"),
        ({"instruction": ""}, "instruction", "Choose what people are to do"),
        ({"corners": ""}, "areas", "Say where"),
        ({"corners": "30, 103\n30"}, "corners", "Corner 2: write latitude, longitude"),
        ({"corners": "30, 103\n30, 103.1"}, "corners", "at least three corners"),
        ({"corners": "103, 30\n103, 30.1\n103.1, 30.1"}, "corners", "are the two exchanged?"),
        ({"corners": "30, 103\n30.1, 103.1\n30.1, 103\n30, 103.1"}, "corners", "crosses itself near 30.0500, 103.0500"),
        ({"corners": "30, 103\n30, 103.1\n30, 103.2"}, "corners", "its corners lie on one line"),
        ({"circle": "30, 103"}, "circle", "latitude, longitude, kilometres"),
        ({"circle": "30, 103, 0"}, "circle", "more than 0"),
        ({"circle": "30, 103, 5000"}, "circle", "at most 500 kilometres"),
        ({"circle": "89.9, 10, 50"}, "circle", "reaches over a pole"),
        ({"geojson": "{"}, "geojson", "This is no GeoJSON"),
        ({"geojson": '{"type": "Point", "coordinates": [103, 30]}'}, "geojson", "has no area"),
        ({"geojson": shapely.to_geojson(shapely.box(203, 30, 204, 31))}, "geojson", "outside the globe"),
        ({"geojson": "{" + " " * 200_000}, "geojson", "has 200,001 characters, and 200,000 is the most"),
        ({"impact": "soon"}, "impact", "This is no time"),
        ({"impact": "2026-13-01 10:00"}, "impact", "This is no time"),
        ({"ends": "later"}, "ends", "This is no time"),
        ({"ends": "2020-01-01 10:00"}, "ends", "lies in the past"),
        ({"impact": "2026-11-12 10:00", "ends": "2026-11-12 09:00"}, "ends", "would end before the danger comes"),
        ({"words": {"en": Wording(where="Nanling")}}, "where.zh-Hans", "Enter where it is (zh-Hans)"),
        ({"words": {**NANLING, "en": Wording(where="Nanling", headline="x" * 161)}}, "headline.en", "161 characters, and 160"),
        ({"place_to": {"en": "School"}}, "place_open", "not confirmed open"),
        ({"place_to": {"en": "School"}, "place_open": True}, "place_to.zh-Hans", "in every language: zh-Hans"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_said_by_field(
    database: Database, reader: SketchReader, changes: dict[str, Any], field: str, said: str
):
    whole = {"words": NANLING} | changes
    reading = await read(database, reader, replace(FLOOD, **whole))
    found = [one.text for one in reading.findings if one.field == field]
    assert 1 == len(found), reading.findings
    assert said in found[0]


async def test_a_place_outside_the_grant_is_said_before_it_is_handed_in(database: Database, reader: SketchReader):
    """In the words of whoever will judge it."""
    bound = replace(WHO, area='{"type":"Polygon","coordinates":[[[10,10],[11,10],[11,11],[10,11],[10,10]]]}')
    reading = await read(database, reader, replace(FLOOD, words=NANLING), bound)
    assert ["areas"] == [one.field for one in reading.findings]
    assert "reaches beyond the jurisdiction" in reading.findings[0].text


async def test_nobody_is_counted_outside_the_grant(database: Database, reader: SketchReader):
    """A sketch that is not ready asks nothing: whether its place lies within the grant is known of one that is."""
    bound = replace(WHO, area='{"type":"Polygon","coordinates":[[[10,10],[11,10],[11,11],[10,11],[10,10]]]}')
    assert "" == estimate.question_of(await read(database, reader, replace(FLOOD, words=NANLING), bound))
    assert "" == estimate.question_of(await read(database, reader, FLOOD, bound))
    assert estimate.question_of(await read(database, reader, replace(FLOOD, words=NANLING)))


async def test_a_night_in_which_the_clocks_change_is_reckoned_by_its_clocks(database: Database):
    """As when it is sent: whoever is told in the morning is told at that morning's hour."""
    settings, since = (
        Settings(timezone="Europe/Berlin"),
        datetime.fromisoformat("2026-10-24T23:00:00+02:00").timestamp(),
    )
    platform: Any = SimpleNamespace(settings=settings, clock=SimpleNamespace(now=lambda: since))
    async with database.write() as tx:
        reading = await SketchReader(settings, OwnTexts(), "duty@qingshui.example").read(
            tx, WHO, replace(FLOOD, words=NANLING), since
        )
        await estimate.ask(tx, platform, reading)
        (asked,) = [decode(row.body) for row in await tx.execute(sa.select(outbox.c.body))]
    assert isinstance(asked, WarningIssued)
    assert ([120, 60], 120) == ([asked.offset_at(since + 3600 * h) for h in (1, 6)], asked.utc_offset_min)


async def test_a_count_is_todays(database: Database, reader: SketchReader):
    """An answer to the same question is taken for an hour: the register changes."""
    reading = await read(database, reader, replace(FLOOD, words=NANLING))
    async with database.write() as tx:
        asked = WarningIssued(
            msg_id=new_id(), plane="live", warning_id=estimate.question_of(reading), tier=4, kind="alert", purpose="preview",
            chain_id="", hazard="flash_flood", respond="evacuate", sent=SENT, expires=SENT + 3600, impact=None, area="",
            geocodes=(), replaces=(), ending="", utc_offset_min=480, released=SENT,
        )  # fmt: skip
        row = {"warning_id": asked.warning_id, "issued": encode(asked), "result": {"people": 5}}
        await tx.execute(sa.insert(warning_preview).values(row))
        counted = await estimate.answer(tx, reading, SENT + 3599)
        assert counted is not None
        assert 5 == counted["people"]
        assert await estimate.answer(tx, reading, SENT + 3600) is None


@pytest.mark.parametrize(
    "drawn",
    [
        {"corners": "10, 179\n10, -179\n11, -179\n11, 179"}, {"corners": "", "circle": "10, 179.9, 50"},
        {"corners": "30.00000049, 103.00000049\n30, 103.1\n30.1, 103.1\n30.1, 103"},
    ],
)  # fmt: skip
async def test_where_it_is_shown_is_where_it_is_handed_in(
    database: Database, reader: SketchReader, drawn: dict[str, Any]
):
    """Over the antimeridian too, where the same corners could be read as nearly the whole way round."""
    reading = await read(database, reader, replace(FLOOD, words=NANLING, **drawn))
    taken = incoming_of(reading, identifier="a", sender="duty@qingshui.example", sent=SENT, drill=False)
    assert shapely.equals(reading.place.shape, shapely.from_geojson(taken.area))
    assert reading.place.km2 < 50_000


async def test_an_area_is_handed_in_as_the_register_has_it(database: Database, reader: SketchReader):
    """However fine its corners are: else whoever may warn in just that area is refused when they hand it in."""
    outline = str(shapely.to_geojson(shapely.box(103.123456789, 30.123456789, 103.223456789, 30.223456789)))
    await import_areas(database, [AreaIn(value_name="zone", code="F1", name="Fine", geojson=outline)], actor="the test")
    bound = replace(WHO, area=outline)
    reading = await read(database, reader, replace(FLOOD, corners="", areas=("zone=F1",)), bound)
    assert () == reading.findings
    taken = incoming_of(reading, identifier="a", sender="duty@qingshui.example", sent=SENT, drill=False)
    async with database.read() as db:
        await check_grant(db, bound, Power.DRAFT, taken)


def test_an_end_that_is_said_the_same_is_no_change():
    """What went out ends at a second, and a form knows minutes."""
    before, after = (WarningVersion(4, SENT + seconds, {}, None) for seconds in (31.0, 0.0))
    assert [] == changes(before, after, offset_at)
    assert ["Holds until"] == [one.name for one in changes(before, after._replace(expires_at=SENT + 60.0), offset_at)]


async def test_ways_of_saying_where_are_meant_together(database: Database, reader: SketchReader):
    """Corners, a circle and GeoJSON; Chinese punctuation and full-width digits are read as well."""
    square = f'{{"type": "Feature", "properties": {{}}, "geometry": {shapely.to_geojson(shapely.box(104, 30, 104.1, 30.1))}}}'
    content = replace(
        FLOOD, words=NANLING, corners="３０，１０３\n30、103.1\n30.1 103.1", circle="30, 105, 2 km", geojson=square
    )
    reading = await read(database, reader, content)
    assert () == reading.findings
    assert (2, 1) == (len(reading.place.rings), len(reading.place.circles))
    west, _, east, _ = reading.place.shape.bounds
    assert (103.0, True) == (west, east > 105.0)
    taken = incoming_of(reading, identifier="a", sender="duty@qingshui.example", sent=SENT, drill=False)
    assert "105.0" in taken.area


async def with_risk_zones(database: Database) -> None:
    """Three gullies of flash floods, one of which nobody named and one that is another authority's; and one of landslides."""
    rows = [
        {"zone_id": zone, "hazard": hazard, "class": level, "name": name, "authority": authority, "west": west, "south": 30.0,
         "east": west + 0.01, "north": 30.01, "geojson": str(shapely.to_geojson(shapely.box(west, 30.0, west + 0.01, 30.01)))}
        for zone, hazard, level, name, authority, west in (
            ("Z1", "flash_flood", 2, "Willow Gully", "", 103.0), ("Z2", "flash_flood", 4, "", "Qingshui", 103.02),
            ("Z3", "flash_flood", 3, "Other Gully", "Beitan", 103.04), ("Z1", "landslide", 4, "Red Slope", "", 103.06),
        )
    ]  # fmt: skip
    async with database.write() as tx:
        await tx.execute(sa.insert(risk_zone), rows)


async def test_risk_zones_of_the_hazard_are_a_way_to_say_where(database: Database, reader: SketchReader):
    """The highest class first; a class and above at once; none of another hazard, nor another authority's."""
    await with_risk_zones(database)
    async with database.read() as db:
        zones = await risk_zones.zones_of(db, WHO, "flash_flood")
        elsewhere = replace(WHO, area='{"type":"Polygon","coordinates":[[[10,10],[11,10],[11,11],[10,11],[10,10]]]}')
        assert [] == await risk_zones.zones_of(db, elsewhere, "flash_flood")
    assert [("flash_flood=Z2", 4), ("flash_flood=Z1", 2)] == [(one.key, one.level) for one in zones]
    assert [(4, 1), (2, 2)] == risk_zones.by_class(zones)
    assert ("flash_flood=Z2",) == risk_zones.from_class(zones, 3)
    content = replace(FLOOD, corners="", risk_zones=risk_zones.from_class(zones, 2), words=NANLING)
    reading = await read(database, reader, content)
    assert () == reading.findings
    assert (2, ("Z2", "Willow Gully")) == (len(reading.place.rings), reading.place.names)
    taken = incoming_of(reading, identifier="a", sender="duty@qingshui.example", sent=SENT, drill=False)
    assert shapely.equals(shapely.from_geojson(taken.area), reading.place.shape)
    assert content == SketchContent.of_stored(content.stored)
    gone = await read(database, reader, replace(content, risk_zones=("flash_flood=Z9",)))
    assert ["risk_zones"] == [one.field for one in gone.findings]
    assert "no such risk zone any more: take Z9 out" in gone.findings[0].text


async def test_a_place_confirmed_open_is_named(database: Database, reader: SketchReader):
    to = {"en": "Nanling School", "zh-Hans": "南岭学校"}
    reading = await read(database, reader, replace(FLOOD, words=NANLING, place_to=to, place_open=True))
    assert "uphill to Nanling School" in reading.told["en"].said.action
    taken = incoming_of(reading, identifier="a", sender="duty@qingshui.example", sent=SENT, drill=False)
    assert to == taken.go_to


@pytest.mark.parametrize(
    ("lat", "lon", "said"),
    [
        (30.05, 103.2, (9.6, "east")), (30.2, 103.05, (11.1, "north")), (29.9, 102.9, (14.7, "south-west")),
        (30.05, 103.05, (0.0, "within")),
    ],
)  # fmt: skip
async def test_where_people_go_is_said_as_seen_from_the_area(
    database: Database, reader: SketchReader, lat: float, lon: float, said: tuple[float, str]
):
    """The distance from its edge, and whether it lies within the danger; by the name that is typed."""
    other = PlaceIn(place_id=new_id(), name="Hedong School", lat=30.3, lon=103.0)
    school = PlaceIn(place_id=new_id(), name="Nanling School", lat=lat, lon=lon, capacity=120)
    await import_places(database, [other, school], actor="the test")
    async with database.write() as tx:
        await confirm(tx, school.place_id, "closed", by="Li Na")
    named = replace(FLOOD, words=NANLING, place_to={"en": " Nanling School", "zh-Hans": "南岭小学"}, place_open=True)
    reading = await read(database, reader, named)
    async with database.read() as db:
        (there,) = await places_to_go(db, reading)
        assert [] == await places_to_go(db, await reader.read(db, WHO, FLOOD, SENT))
    assert said == (round(there.km, 1), "within" if there.within else there.direction)
    assert ("closed", "Li Na", 120) == (there.state, there.confirmed_by, there.capacity)


async def test_a_drill_is_an_exercise(database: Database, reader: SketchReader):
    reading = await read(database, reader, replace(FLOOD, words=NANLING))
    statuses = [
        incoming_of(reading, identifier="a", sender="a@b.example", sent=SENT, drill=drill).status
        for drill in (True, False)
    ]
    assert ["Exercise", "Actual"] == statuses


async def test_of_two_who_write_at_once_the_second_is_told(database: Database):
    """A change names the version it was made on; what was handed in is changed no more."""
    async with database.write() as tx:
        sketch_id = await sketch_store.begin(tx, WHO, FLOOD, SENT)
        seen = await sketch_store.stored(tx, sketch_id)
        assert await sketch_store.change(tx, WHO, seen, replace(FLOOD, tier="orange"), SENT + 1)
        assert not await sketch_store.change(tx, WHO, seen, replace(FLOOD, tier="blue"), SENT + 2)
        now = await sketch_store.stored(tx, sketch_id)
        assert ("orange", 2) == (now.written.tier, now.version)
        assert not await sketch_store.handed_in(tx, seen, "a" * 32)  # it is another version by now
        assert await sketch_store.handed_in(tx, now, "a" * 32)
        assert await sketch_store.handed_in(tx, now, "a" * 32)  # pressed twice
        assert not await sketch_store.handed_in(tx, now, "b" * 32)
        assert not await sketch_store.change(tx, WHO, now, FLOOD, SENT + 3)
        assert [] == await sketch_store.open_of(tx, WHO)


async def test_a_version_is_dated_once(database: Database):
    """Handing in twice is one alert; a change is dated anew."""
    async with database.write() as tx:
        sketch_id = await sketch_store.begin(tx, WHO, FLOOD, SENT)
        seen = await sketch_store.stored(tx, sketch_id)
        first = await sketch_store.date_it(tx, seen, SENT + 1)
        again = await sketch_store.date_it(tx, seen, SENT + 9)
        assert first is not None
        assert again is not None
        assert first.sent_at == again.sent_at == SENT + 1
        assert await sketch_store.change(tx, WHO, again, replace(FLOOD, tier="orange"), SENT + 10)
        assert await sketch_store.date_it(tx, seen, SENT + 11) is None  # what was looked at is not this any more
        changed = await sketch_store.stored(tx, sketch_id)
        assert changed.sent_at is None
        dated = await sketch_store.date_it(tx, changed, SENT + 11)
        assert (SENT + 11, 2) == (dated and dated.sent_at, dated and dated.version)


async def test_areas_that_are_anothers_are_not_offered(database: Database):
    async with database.read() as db:
        assert [] == await places.choices(db, WHO)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("22:40", "2026-11-11T22:40:00+08:00"), ("２２：４０", "2026-11-11T22:40:00+08:00"),
        ("01:00", "2026-11-12T01:00:00+08:00"), ("2026-11-13 1:05", "2026-11-13T01:05:00+08:00"),
        ("2026-11-13T01:05", "2026-11-13T01:05:00+08:00"), ("22点40分", "2026-11-11T22:40:00+08:00"),
    ],
)  # fmt: skip
def test_times_are_read_as_they_are_typed(text: str, at: str):
    """An hour that is over today is tomorrow's; with its day it is read again as the same."""
    now = 1794405600.0  # 2026-11-11 22:00 in the county
    found = moments.instant(text, now, offset_at)
    assert iso(found) == iso(datetime.fromisoformat(at).timestamp())
    assert found == moments.instant(moments.settled(text, now, offset_at), now + 86400, offset_at)


BERLIN = Settings(timezone="Europe/Berlin").offset_at


@pytest.mark.parametrize(
    ("text", "now", "at"),
    [
        ("2026-10-25 02:30 UTC+2", "2026-10-24T12:00:00+02:00", "2026-10-25T02:30:00+02:00"),
        ("02:30 utc+1", "2026-10-24T23:00:00+02:00", "2026-10-25T02:30:00+01:00"),
        ("02:30", "2026-10-25T02:45:00+02:00", "2026-10-25T02:30:00+01:00"),  # the first has passed
        ("03:30", "2026-10-24T23:00:00+02:00", "2026-10-25T03:30:00+01:00"),
        ("02:30", "2026-03-29T04:00:00+02:00", "2026-03-30T02:30:00+02:00"),
        ("2026-11-30 22:40 UTC+5:45", "2026-11-30T12:00:00+01:00", "2026-11-30T22:40:00+05:45"),
    ],
)
def test_an_hour_of_a_night_in_which_clocks_change_is_read_as_it_is_meant(text: str, now: str, at: str):
    """With its distance from UTC where it comes twice; kept so that it is read as the same again."""
    since, meant = (datetime.fromisoformat(one).timestamp() for one in (now, at))
    assert iso(meant) == iso(moments.instant(text, since, BERLIN))
    assert meant == moments.instant(moments.settled(text, since, BERLIN), since + 864_000, BERLIN)


@pytest.mark.parametrize(
    ("text", "now", "said"),
    [
        ("2026-10-25 02:30", "2026-10-24T12:00:00+02:00", "02:30 comes twice that night, as the clocks are put back: write"),
        ("02:00", "2026-10-24T23:00:00+02:00", "02:00 comes twice that night"),
        ("2026-03-29 02:00", "2026-03-28T12:00:00+01:00", "There is no 02:00 that night, as the clocks are put forward"),
        ("02:59", "2026-03-28T23:00:00+01:00", "write 03:59, which it is then"),
        ("22:40 UTC+15", "2026-03-28T23:00:00+01:00", "This is no time"),
    ],
)  # fmt: skip
async def test_an_hour_that_comes_twice_or_never_is_asked_about(database: Database, text: str, now: str, said: str):
    """Nothing is guessed: an hour of warning may hang on it. What was typed stays."""
    since = datetime.fromisoformat(now).timestamp()
    reader = SketchReader(Settings(timezone="Europe/Berlin"), OwnTexts(), "duty@qingshui.example")
    content = reader.settled(replace(FLOOD, words=NANLING, impact=text), since)
    assert text == content.impact
    async with database.read() as db:
        reading = await reader.read(db, WHO, content, since)
    assert [("impact", True)] == [(one.field, said in one.text) for one in reading.findings], reading.findings


def test_what_was_pasted_is_kept_to_its_last_sign():
    """Too long as it is, it is said so, and not cut."""
    pasted = "[" + "0," * 150_000 + "0]"
    assert pasted == content_of(fields_of(json.dumps([("geojson", pasted)])), []).geojson


def test_a_change_of_what_people_are_to_do_is_named_though_the_words_stay():
    """Order, hazard and where people go stand beside the words: whoever lets an update out must see each."""
    said = {"en": {"hazard": "Flood", "action": "As told.", "to": {"name": "Nanling School", "open": True}}}
    other = {"en": {"hazard": "Flood", "action": "As told.", "to": {}}}
    before = WarningVersion(4, SENT, said, None, hazard="flash_flood", instruction="leave")  # type: ignore[arg-type]
    after = WarningVersion(4, SENT, other, None, hazard="river_flood", instruction="stay_in")  # type: ignore[arg-type]
    assert [
        ("What people are to do", "leave", "stay in"),
        ("What happens", "flash flood", "flood"),
        ("Where people go (en)", "Nanling School", ""),
    ] == [tuple(one) for one in changes(before, after, offset_at)]
    assert [] == changes(before, before, offset_at)


async def test_what_was_chosen_is_held_against_the_words_and_a_time_that_has_passed_is_said(
    database: Database, reader: SketchReader
):
    words = {"en": Wording(where="Nanling", action="Leave now, go uphill."), "zh-Hans": Wording(where="南岭镇")}
    content = replace(FLOOD, instruction="stay_in", words=words, impact="2025-11-30 22:00")
    found = " ".join((await read(database, reader, content)).cautions)
    assert "You chose stay in, and the words (en) tell people to leave: put one of them right." in found
    assert "The time at which it comes has passed" in found
    assert () == (await read(database, reader, replace(FLOOD, words=NANLING))).cautions
