"""People of a part may go home while the warning goes on for all others: each hears the one that is theirs, and one alone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import shapely
import sqlalchemy as sa

from services.gateway.cap import read
from services.gateway.intake.incoming import from_cap
from services.gateway.warnings.part_return import from_form
from services.registry.store.tables import person
from services.router.store import tables
from services.shared.endings import ENDING_KINDS, PART_RETURNS
from services.shared.ledger.kinds import WARNS, DeliveryKind
from services.shared.ledger.tables import delivery
from services.shared.ledger.warnings import warning_text
from tests.kit import alerts
from tests.kit.town import Town, open_town

WEST = {"en-US": "Hedong, west bank", "zh-CN": "河东西岸"}


def box(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shapely.to_geojson(shapely.box(west, south, east, north)))
    return found


RING = {
    "type": "Polygon",
    "coordinates": [
        [[102.99, 30.0], [103.01, 30.0], [103.01, 30.02], [102.99, 30.02], [102.99, 30.0]],
        [[102.995, 30.005], [103.005, 30.005], [103.005, 30.015], [102.995, 30.015], [102.995, 30.005]],
    ],
}


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with open_town(people=40) as opened:
        yield opened


def west_half() -> tuple[dict[str, Any], float]:
    """The west half of the flood's place, and where it ends."""
    shape = shapely.from_geojson(from_cap(alerts.flood().encode(), strict=False).area)
    west, south, east, north = shape.bounds
    middle = (west + east) / 2
    half = shapely.intersection(shape, shapely.box(west, south, middle, north))
    found: dict[str, Any] = json.loads(shapely.to_geojson(half))
    return found, middle


async def homes(town: Town, middle: float) -> tuple[set[str], set[str]]:
    """Who lives in the west, and who does not."""
    rows = await town.rows(sa.select(person.c.person_id, person.c.lon))
    west = {row.person_id for row in rows if row.lon < middle}
    return west, {row.person_id for row in rows} - west


def asked(**changed: Any) -> tuple[dict[str, Any], float]:
    """A body that lets the west return, and the longitude where the west ends."""
    area, middle = west_half()
    part = {"place": WEST, "area": area} | changed
    return {"ending": PART_RETURNS, "reason": "the west was walked and is dry", "part": part}, middle


async def let_return(town: Town, warning_id: str) -> tuple[str, float]:
    """Two persons let the west return; the ending's id, and where the west ends."""
    body, middle = asked()
    address = f"/api/v1/warnings/{warning_id}/cancel"
    status, first = await town.call("POST", address, body)
    assert (202, "held") == (status, first["state"]), first
    second = await town.new_key(label="a colleague of the night")
    status, done = await town.call("POST", address, body, key=second)
    assert (202, "active") == (status, done["state"]), done
    await town.settle()
    return str(done["warning_id"]), middle


async def told(town: Town, ending_id: str) -> list[Any]:
    """What was said of an ending, to people."""
    kind = (delivery.c.warning_id == ending_id, delivery.c.kind == DeliveryKind.ENDING)
    return await town.rows(sa.select(delivery.c.person_id, delivery.c.about_id, delivery.c.sealed).where(*kind))


async def test_the_part_is_told_once_and_everywhere_else_the_warning_goes_on(town: Town) -> None:
    """Nobody outside hears that they may go home, and whoever got the warning inside does, with the part's own name."""
    warning_id = await town.warn(alerts.flood(), tier="red", doors="safe")
    await town.at("+12 min")
    ending_id, middle = await let_return(town, warning_id)
    west, east = await homes(town, middle)

    said = await told(town, ending_id)
    got = await town.rows(
        sa.select(delivery.c.person_id, delivery.c.delivery_id).where(
            delivery.c.warning_id == warning_id, delivery.c.kind.in_(WARNS), delivery.c.person_id.in_(west),
            delivery.c.send_state.in_(("accepted", "delivered", "unconfirmed")), delivery.c.driver != "door",
        )
    )  # fmt: skip
    assert got
    assert {row.person_id for row in said} <= west
    assert {row.delivery_id for row in got} <= {row.about_id for row in said}
    assert len({row.about_id for row in said}) == len(said)
    texts = [m.form["Body"] for m in town.outside.sandbox.messages.values() if "Body" in m.form]
    home = [text for text in texts if "may go home" in text or "可以回家" in text]
    assert home
    assert all("west bank" in text or "河东西岸" in text for text in home), home

    assert "active" == await town.state(warning_id)
    paths = await town.rows(sa.select(tables.path).where(tables.path.c.warning_id == warning_id))
    state = {row.person_id: row.state for row in paths}
    assert {"ended"} == {row.state for row in paths if row.person_id in west and row.help_at is None}
    assert "open" in {state[one] for one in east & state.keys()}

    before = await later_deliveries(town, warning_id)
    await town.at("+30 min")
    after = await later_deliveries(town, warning_id) - before
    assert {who for who, _ in after} & east
    called = sa.and_(tables.path.c.warning_id == warning_id, tables.path.c.help_at.is_not(None))
    helped = {row.person_id for row in await town.rows(sa.select(tables.path.c.person_id).where(called))}
    assert not ({who for who, _ in after} & west) - helped  # a call for help outlives the end


async def later_deliveries(town: Town, warning_id: str) -> set[tuple[str, str]]:
    rows = await town.rows(
        sa.select(delivery.c.person_id, delivery.c.delivery_id).where(
            delivery.c.warning_id == warning_id, delivery.c.person_id != ""
        )
    )
    return {(row.person_id, row.delivery_id) for row in rows}


async def test_whoever_asks_by_the_number_hears_that_it_goes_on_but_for_the_part(town: Town) -> None:
    warning_id = await town.warn(alerts.flood(), tier="red", doors="safe")
    await town.at("+5 min")
    number = (await town.warning(warning_id)).number
    await let_return(town, warning_id)
    _, body, _ = await town.get(f"/public/check?number={number}&lang=en")
    page = body.decode()
    assert "is from us" in page
    assert "Elsewhere it goes on" in page
    assert WEST["en-US"] in page
    assert "CANCELLED" not in page


async def test_the_page_of_who_may_return_says_so_and_of_everybody_else_says_go(town: Town) -> None:
    warning_id = await town.warn(alerts.flood(), tier="red", doors="safe")
    await town.at("+8 min")
    ending_id, middle = await let_return(town, warning_id)
    west, east = await homes(town, middle)
    about = {row.about_id for row in await told(town, ending_id)}
    rows = await town.rows(
        sa.select(delivery.c.person_id, delivery.c.delivery_id).where(
            delivery.c.warning_id == warning_id, delivery.c.addressee_kind == "person", delivery.c.channel == "sms"
        )
    )
    mine = next(row.delivery_id for row in rows if row.person_id in west and row.delivery_id in about)
    theirs = next(row.delivery_id for row in rows if row.person_id in east)
    for one, ended in ((mine, True), (theirs, False)):
        _, body, _ = await town.get(f"{town.answer_link(one).removeprefix(town.url)}?lang=en")
        assert ended == ("has ended for your place" in body.decode()), body.decode()[:3000]


async def test_broadcasters_hear_of_the_part_alone_and_go_on_with_the_warning(town: Town) -> None:
    """An Alert that names no other message: in CAP whatever names the warning takes its place, everywhere."""
    warning_id = await town.warn(alerts.flood(), tier="red", doors="safe")
    await town.at("+3 min")
    ending_id, middle = await let_return(town, warning_id)
    [published] = await town.rows(sa.select(warning_text.c.cap_xml).where(warning_text.c.warning_id == ending_id))
    alert = read(published.cap_xml).alerts[0]
    assert ("Alert", ()) == (alert.msg_type, alert.references)
    for info in alert.infos:
        assert ("AllClear",) == info.response_type
        assert "west bank" in info.areas[0].desc or "河东西岸" in info.areas[0].desc
        assert max(lon for ring in info.areas[0].polygons for _, lon in ring) <= middle + 1e-6


async def test_broadcasters_hear_of_no_ground_outside_the_warning(town: Town) -> None:
    """A part drawn with a wide hand says AllClear as far as the warning reached: beside it another one may hold."""
    warning_id = await town.warn(alerts.flood(), tier="red", doors="safe")
    _, middle = west_half()
    body, _ = asked(area=box(102.0, 29.0, middle, 31.0))
    address = f"/api/v1/warnings/{warning_id}/cancel"
    await town.call("POST", address, body)
    second = await town.new_key(label="a colleague of the night")
    status, done = await town.call("POST", address, body, key=second)
    assert (202, "active") == (status, done["state"]), done
    [published] = await town.rows(
        sa.select(warning_text.c.cap_xml).where(warning_text.c.warning_id == done["warning_id"])
    )
    whole = shapely.from_geojson(from_cap(alerts.flood().encode(), strict=False).area).buffer(1e-5)
    rings = [ring for info in read(published.cap_xml).alerts[0].infos for ring in info.areas[0].polygons]
    assert rings
    assert all(shapely.covers(whole, shapely.Polygon([(lon, lat) for lat, lon in ring])) for ring in rings)


async def test_when_all_of_it_ends_who_returned_long_ago_hears_nothing_more(town: Town) -> None:
    warning_id = await town.warn(alerts.flood(), tier="red", doors="safe")
    await town.at("+8 min")
    part_id, middle = await let_return(town, warning_id)
    returned = {row.about_id for row in await told(town, part_id)}
    whole_id = await town.cancel(warning_id, "may_return")
    said = {row.about_id for row in await told(town, whole_id)}
    assert said
    assert not said & returned
    _west, east = await homes(town, middle)
    assert {row.person_id for row in await told(town, whole_id)} & east


async def test_the_second_person_confirms_the_name_that_people_will_hear(town: Town) -> None:
    warning_id = await town.warn(alerts.flood(), tier="red", doors="safe")
    address = f"/api/v1/warnings/{warning_id}/cancel"
    body, _ = asked()
    _, held = await town.call("POST", address, body)
    second = await town.new_key(label="a colleague of the night")
    other, _ = asked(place=WEST | {"en-US": "all of Nanling"})
    status, problem = await town.call("POST", address, other, key=second)
    assert (409, "part.place") == (status, problem["field"]), problem
    assert "Hedong, west bank" in problem["title"]
    assert "held" == await town.state(held["warning_id"])
    status, done = await town.call("POST", address, body, key=second)
    assert (202, "active") == (status, done["state"]), done


@pytest.mark.parametrize("by", ["danger_lower_stay_away", "not_ours", "an update"])
async def test_a_part_that_waits_is_given_up_when_the_warning_goes_on_no_more(town: Town, by: str) -> None:
    """Else whoever confirms it late sends people home whom the newer word told to stay away."""
    warning_id = await town.warn(alerts.flood(), tier="red", doors="safe")
    await town.at("+5 min")
    body, _ = asked()
    address = f"/api/v1/warnings/{warning_id}/cancel"
    _, held = await town.call("POST", address, body)
    assert "held" == held["state"]
    if by == "an update":
        named = "alerts@qingshui.example,FLOOD-1,2026-06-10T11:59:00+08:00"
        await town.warn(
            alerts.alert("FLOOD-2", kind="Update", sent="2026-06-10T12:06:00+08:00", references=named), "red", "safe"
        )
    else:
        await town.cancel(warning_id, by)
    assert "withdrawn" == await town.state(held["warning_id"])
    second = await town.new_key(label="a colleague of the night")
    for late, sent in ((address, body), (f"/api/v1/warnings/{held['warning_id']}/release", {"reason": "it is dry"})):
        status, problem = await town.call("POST", late, sent, key=second)
        assert (409, "state") == (status, problem["rule"]), problem
    await town.settle()
    assert [] == await told(town, held["warning_id"])


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"area": RING}, "part.area", "it has a hole"),
        ({"place": {"en-US": "Hedong"}}, "part.place", "how the part is called in"),
        ({"place": WEST | {"en-US": "the west, see http://evil.example/now"}}, "part.place", "which is not ours"),
        ({"area": {"type": "Point", "coordinates": [103.0, 30.0]}}, "part.area", "give a GeoJSON Polygon"),
        ({"area": box(0.0, 0.0, 1.0, 1.0)}, "part", "outside the place"),
        ({"area": box(90.0, 20.0, 110.0, 40.0)}, "part", "the whole place"),
        ({"area": None, "geocodes": [["nothing", "1"]]}, "part.geocodes", "does not know"),
        ({"area": None}, "part", "say where"),
    ],
    ids=[
        "a hole",
        "a language without a name",
        "a link",
        "a point",
        "elsewhere",
        "all of it",
        "a code nobody knows",
        "nowhere",
    ],
)
async def test_what_is_no_part_is_refused_and_nothing_has_changed(
    town: Town, changed: dict[str, Any], field: str, words: str
) -> None:
    warning_id = await town.warn(alerts.flood(), tier="red", doors="safe")
    body, _ = asked(**changed)
    status, problem = await town.call("POST", f"/api/v1/warnings/{warning_id}/cancel", body)
    assert 422 == status, problem
    assert words in json.dumps(problem), problem
    assert field in json.dumps(problem)
    assert "active" == await town.state(warning_id)


@pytest.mark.parametrize(
    "codes", ["grid=110, grid=111", "grid\uff1d110\uff0cgrid\uff1d111", "grid=110\u3001grid = 111,"]
)
def test_the_form_reads_codes_as_either_keyboard_types_them(codes: str) -> None:
    found = from_form(list(WEST), {f"place.{tag}": name for tag, name in WEST.items()} | {"codes": codes})
    assert [("grid", "110"), ("grid", "111")] == found.geocodes
    assert WEST == found.place


@pytest.mark.parametrize("kind", sorted({*ENDING_KINDS} - {PART_RETURNS}))
async def test_no_other_ending_has_a_part_and_this_one_has(town: Town, kind: str) -> None:
    warning_id = await town.warn(alerts.flood(), tier="red", doors="safe")
    body, _ = asked()
    for wrong in (body | {"ending": kind}, {"ending": PART_RETURNS, "reason": "dry"}):
        status, problem = await town.call("POST", f"/api/v1/warnings/{warning_id}/cancel", wrong)
        assert (422, "part") == (status, problem["field"]), problem
    assert "active" == await town.state(warning_id)
