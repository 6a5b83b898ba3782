"""On PostgreSQL everything of the register that is written differently there gives what SQLite gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from services.registry.audience import audience, preview
from services.registry.audience.whereabouts import Moment
from services.registry.findings import find
from services.registry.geo.areas import Shape
from services.registry.importing.list_import import ListImportOptions, import_bytes
from services.registry.importing.rows import person_id_of
from services.registry.lookup.view import person_view
from services.registry.model.facilities import PlaceIn
from services.registry.model.given import ConsentIn, StayIn, SupporterIn, mobile
from services.registry.people import places
from services.registry.people.update import Changes, said, update_person
from services.registry.store import register
from services.shared.bus.outbox import id_of
from services.shared.crypto.sealing import Keys
from services.shared.database.engine import Database
from tests.integration.registry.conftest import NOON, SQUARE, YEAR
from tests.kit.dirt import as_csv, dirty

ANNA = person_id_of("town", "g0")


async def told(database: Database, keys: Keys) -> list[Any]:
    """What comes of lists, changes, places and looks, without what is random or a time."""
    body, _ = as_csv(dirty())
    first = await import_bytes(database, keys, body, ListImportOptions("town", YEAR, region="CN"))
    again = await import_bytes(database, keys, body, ListImportOptions("town", YEAR, region="CN"))
    card = "id,lat,lon,walk,same_as,floor,birth_year\n1,30.05,103.05,cannot,town:g0,7,1950\n"
    cards = await import_bytes(database, keys, card.encode(), ListImportOptions("cards", YEAR, kind="disability_card"))
    changes = Changes(
        answers={"hear": 3, "floor": 1},
        supporters=(SupporterIn(name="Son", contacts=mobile("+8613900139000")),),
        stays=(StayIn(kind="second", lat=30.5, lon=103.5, address="there"),),
        consents=(ConsentIn(purpose="drill", decision="refused"),),
    )
    async with database.write() as tx:
        done = await update_person(tx, keys, ANNA, changes, said("self", "self"), year=YEAR)
    hall = PlaceIn(place_id=id_of("hall"), name="Hall", lat=30.3, lon=103.3, interpreter=("csl",))
    await places.import_places(database, [hall], actor="clerk")
    async with database.write() as tx:
        await places.confirm(tx, hall.place_id, "open", by="Li")
        await places.arrive(tx, hall.place_id, by="Li", person_id=ANNA)
        await update_person(
            tx, keys, person_id_of("town", "g1"), Changes(answers={"birth_year": 2090}), said("self", "x"), year=YEAR
        )
    async with database.read() as db:
        view = await person_view(db, ANNA)
        found = await find(db)
        inside = await preview.count(db, Shape.from_geojson(SQUARE), Moment(NOON, 480))
        beyond = Shape.from_geojson(SQUARE.replace("30.", "31."))
        around = Shape.circle(30.5, 103.5, 1.0)
        pages = [await audience.next_page(db, area, register.START, Moment(NOON, 480)) for area in (beyond, around)]
        open_ = await places.open_places(db, None)
    view["consents"] = [{**row, "at": 0} for row in view["consents"]]
    open_ = [{**place, "confirmed_at": None} for place in open_]
    guests = [[v.row.person_id for v in page.visitors] for page in pages]
    return [first.as_json(), again.as_json(), cards.as_json(), done, view, found, inside, guests, open_]


async def test_both_databases_tell_the_same(tmp_path: Path, postgres, registry):
    """Imports, conflicts, a change, helpers, stays, places, findings and counts: equal to the last word."""
    expected = await told(registry.database, registry.keys)
    database = Database(postgres.database("register"))
    try:
        assert expected == await told(database, registry.keys)
    finally:
        await database.close()
    assert 2 == expected[2]["conflicts"]
    (ahead,) = [one["found"] for one in expected[5]["findings"] if one["kind"] == "born_ahead"]
    assert [person_id_of("town", "g1")] == [one["id"] for one in ahead]
    assert [[], [ANNA]] == expected[7]
