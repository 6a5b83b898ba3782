"""Whose the register is: what another authority, a key of a small area, or one key alone must not do to it.

Each test also shows that the rightful one still can.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from aiohttp.test_utils import TestClient, TestServer

from services.registry.importing.rows import person_id_of
from services.registry.service import RegistryService
from services.registry.store import register
from services.registry.store.tables import held_change
from services.shared.audit import trail
from services.shared.bus.outbox import new_id
from services.shared.clock import StepClock
from services.shared.crypto.sealing import Keys
from services.shared.database.engine import Database
from services.shared.service import Platform
from services.shared.settings import Settings
from services.shared.tiers import Tier
from services.shared.web.auth import create_key, name_superior
from services.shared.web.edge import make_app
from tests.integration.registry.conftest import NOON, SQUARE
from tests.kit.handed import HandedOver

EAST = '{"type":"Polygon","coordinates":[[[103.05,30.0],[103.1,30.0],[103.1,30.1],[103.05,30.1],[103.05,30.0]]]}'
FAR = '{"type":"Polygon","coordinates":[[[10,10],[11,10],[11,11],[10,11],[10,10]]]}'
HEAD = "id,lat,lon,mobile,mobile_verified,status\n"
WANG = "w,30.03,103.03,+8613800138000,yes,active\n"


class Office:
    """Authorities with keys, and what they send."""

    def __init__(self, platform: Platform, client: TestClient[Any, Any]) -> None:
        self.platform, self.client = platform, client

    async def key(self, name: str, *actions: str, area: str = "") -> str:
        return await create_key(
            self.platform.database, name=name, label=f"clerk {new_id()[:8]} of {name}", actions=actions or ("register", "read"),
            max_tier=Tier.RED, alone=Tier.RED, area=area,
        )  # fmt: skip

    async def ask(self, method: str, path: str, key: str, body: object = None) -> tuple[int, Any]:
        header = {"Authorization": f"Bearer {key}", "Accept": "application/json"}
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode() if body is not None else b""
        if not isinstance(body, str):
            header["Content-Type"] = "application/json"
        async with self.client.request(method, path, data=data, headers=header) as answer:
            return answer.status, json.loads(await answer.text() or "null")

    async def bring(self, key: str, rows: str, source: str = "town hall", **asked: str) -> tuple[int, Any]:
        query = "&".join(f"{name}={value}" for name, value in ({"source": source, "bounds": "off"} | asked).items())
        return await self.ask("POST", f"/people/import?{query}", key, rows)

    async def row(self, external: str = "w", source: str = "town hall") -> Any:
        return (await self.rows(sa.select(register.person).where(
            register.person.c.person_id == person_id_of(source, external)
        )))[0]  # fmt: skip

    async def rows(self, query: sa.Select[Any]) -> list[Any]:
        async with self.platform.database.read() as db:
            return list((await db.execute(query)).all())

    async def acts(self) -> list[str]:
        return [row.act for row in await self.rows(sa.select(trail.audit_log.c.act).order_by(trail.audit_log.c.n))]


@pytest.fixture
async def office(tmp_path: Path, empty: Database) -> AsyncIterator[Office]:
    """The registry's routes on each of the two databases."""
    settings = Settings(data_dir=tmp_path, plane="live")
    keys, bus = Keys(settings.keys_dir, make=True), HandedOver(empty, "registry")
    platform = Platform(settings, empty, bus, StepClock(NOON), keys, "http://127.0.0.1")
    app = make_app(empty)
    app.router.add_routes(RegistryService(platform).routes())
    async with TestClient(TestServer(app)) as client:
        yield Office(platform, client)


async def test_a_source_is_whose_it_first_was(office: Office) -> None:
    """Another authority's key brings nothing in its name; a second key of the same, and a superior, do."""
    county, village = await office.key("County"), await office.key("Village")
    assert 200 == (await office.bring(county, HEAD + WANG))[0]
    gone = HEAD + WANG.replace("active", "deceased")
    for asked in ({}, {"dry_run": "1"}):
        status, fault = await office.bring(village, gone, **asked)
        assert (403, "source", "owner") == (status, fault["field"], fault["rule"])
        assert "County" in fault["title"]
    assert "active" == (await office.row()).status
    assert 422 == (await office.bring(village, gone, "register"))[0], "the house's own name"
    await name_superior(office.platform.database, "Village", "County", actor="test", reason="test")
    assert 200 == (await office.bring(village, HEAD + WANG, "village"))[0]
    assert 200 == (await office.bring(county, gone, "village"))[0], "a superior's"
    assert 403 == (await office.bring(village, gone))[0], "and not the other way round"
    assert 200 == (await office.bring(await office.key("County"), gone))[0]
    assert "deceased" == (await office.row()).status


async def test_another_authority_adds_and_changes_nothing(office: Office) -> None:
    """Status, place, contacts, consents of whom somebody else entered: what differs is a conflict, what is new is added."""
    county, village = await office.key("County"), await office.key("Village")
    await office.bring(county, HEAD + WANG)
    before = await office.row()
    rows = (
        "id,same_as,lat,lon,status,mobile,mobile_verified,said_no,protected_address,safe_contact,floor,name\n"
        "1,town hall:w,30.09,103.09,deceased,+8613800138000;+8613900139111,yes,sms;voice,yes,mobile,7,Nobody\n"
    )
    for kind in ("health", "self", "officer_visit"):  # also of those who weigh more than a list
        status, report = await office.bring(village, rows, "clinic", kind=kind, region="CN")
        assert (200, ["owner"]) == (status, [i["rule"] for i in report["issues"] if i["field"] == "source"])
        now = await office.row()
        assert ("active", before.lat, before.household_id) == (now.status, now.lat, now.household_id), kind
        contacts = await office.rows(sa.select(register.contact).where(register.contact.c.owner_id == now.person_id))
        mine = [row for row in contacts if row.mask == "…000"]
        assert ["", ""] == [row.why_not for row in mine], kind
        assert not any(row.safe for row in contacts)
    differ = await office.rows(sa.select(register.conflict.c.field).where(register.conflict.c.state == "open"))
    assert {"status", "place", "protected_address", "said_no.sms", "said_no.voice_mobile"} <= {r.field for r in differ}
    assert b"floor" in (await office.rows(sa.select(register.facts.c.body)))[0].body, "what nobody said is added"
    await office.bring(county, HEAD + WANG.replace("30.03", "30.031"))
    assert 30.031 == (await office.row()).lat, "its own list still counts"


async def test_who_joins_first_owns_nobody(office: Office) -> None:
    """A row about somebody of another list, brought before that list names them, makes them nobody else's."""
    county, village = await office.key("County"), await office.key("Village")
    early = "id,same_as,lat,lon,status\n1,town hall:w,30.09,103.09,suspended\n"
    assert 1 == (await office.bring(village, early, "clinic"))[1]["read"]
    assert 1 == (await office.bring(county, HEAD + WANG, kind="officer_visit"))[1]["read"]
    now = await office.row()
    assert ("active", 30.03, "County") == (now.status, now.lat, now.authority)
    await office.bring(village, early.replace("suspended", "deceased"), "clinic", kind="self")
    assert "active" == (await office.row()).status


async def test_rows_beyond_the_keys_area_are_refused_by_line(office: Office) -> None:
    """The others go in; nobody who stands outside is moved inside; no place and no person by hand either."""
    east, county = await office.key("County", area=EAST), await office.key("County")
    await office.bring(county, HEAD + WANG)
    rows = HEAD + WANG.replace("103.03", "103.08") + "a,30.05,103.02,,,\nb,30.05,103.07,,,\n"
    rows = "kind," + rows.replace("\n", "\n,").rstrip(",") + "place,h,30.05,103.01,,,Hall\n"
    _, report = await office.bring(east, rows.replace("status", "name").replace(",active", ",Wang"))
    assert [2, 3, 5] == sorted(i["line"] for i in report["issues"] if i["rule"] == "grant.area"), report
    assert 103.03 == (await office.row()).lon
    assert 2 == len(await office.rows(sa.select(register.person)))
    assert [] == await office.rows(sa.select(register.place))
    yes = {"by": "self", "method": "in_person", "notice_version": "1", "purposes": ["warn_me"]}
    for lon, status in ((103.01, 403), (103.06, 201)):
        entered = {"person": {"lat": 30.05, "lon": lon, "call_name": "Anna"}, "yes": yes}
        assert status == (await office.ask("POST", "/people", east, entered))[0]
    assert ["County"] * 3 == [row.authority for row in await office.rows(sa.select(register.person.c.authority))]


async def test_officers_are_named_by_who_keeps_the_people(office: Office) -> None:
    """Whoever has a grid gets the names and addresses in it: not for another authority's people, nor beyond the area."""
    county, village, east = (
        await office.key("County"),
        await office.key("Village"),
        await office.key("County", area=EAST),
    )
    await office.bring(county, "id,lat,lon,grid\nw,30.03,103.03,G1\n")
    team = "kind,id,name,grids,mobile\nworker,t,Team,{},+8613800138000\n"
    for n, (key, grid, rule) in enumerate(
        [(village, "G1", "owner"), (east, "G1", "grant.area"), (village, "G2", ""), (county, "G1", "")]
    ):
        _, report = await office.bring(key, team.format(grid), f"officers {n}", region="CN")
        assert ([rule] if rule else []) == [i["rule"] for i in report["issues"] if i["outcome"] == "refused"], (
            n,
            report,
        )
    assert [["G1"], ["G2"]] == sorted(row.grids for row in await office.rows(sa.select(register.worker.c.grids)))


def areas(*features: tuple[str, str, str]) -> str:
    """GeoJSON of (code, parent, shape)."""
    found = [
        {
            "type": "Feature",
            "properties": {"code": code, "parent": parent},
            "geometry": json.loads(shape) if shape else None,
        }
        for code, parent, shape in features
    ]
    return json.dumps({"type": "FeatureCollection", "features": found})


async def test_nobody_redefines_anothers_code(office: Office) -> None:
    """Not by its shape, a part of it, a list of areas, or what a code stands for; nor beyond the key's area."""
    county, village, east = await office.key("County"), await office.key("Village"), await office.key("V", area=EAST)
    define = "/people/areas?value_name=GB2260"
    assert (
        2 == (await office.ask("POST", define, county, areas(("51", "", SQUARE), ("5111", "51x", SQUARE))))[1]["read"]
    )
    wide = "kind,id,value_name,geojson\narea,52,GB2260,\n"
    assert 1 == (await office.bring(county, wide, "areas"))[1]["read"]
    for attack in ((("51", "", FAR),), (("9", "52", FAR),), (("51x", "", FAR),)):
        status, report = await office.ask("POST", define, village, areas(*attack))
        assert (200, 0, ["owner"]) == (status, report["read"], [i["rule"] for i in report["issues"]]), attack
        assert "County" in report["issues"][0]["remedy"]
    _, report = await office.bring(village, "kind,id,value_name,geojson\narea,51,GB2260,\n", "mine")
    assert ["owner"] == [i["rule"] for i in report["issues"]]
    more = "valueName,value,area\nGB2260,51,8\n"
    assert 1 == (await office.ask("POST", define, village, areas(("8", "", FAR))))[1]["read"], "a code of its own"
    _, report = await office.ask("POST", "/people/areas?as=geocodes&value_name=GB2260", village, more)
    assert (0, ["owner"]) == (report["read"], [i["rule"] for i in report["issues"]])
    _, report = await office.ask("POST", define, east, areas(("e", "", EAST), ("f", "", SQUARE)))
    assert (1, ["grant.area"]) == (report["read"], [i["rule"] for i in report["issues"]])
    mapped = "valueName,value,area\nX,1,e\nX,2,51\nX,3,nowhere\n"
    _, report = await office.ask("POST", "/people/areas?as=geocodes&value_name=GB2260", east, mapped)
    assert (1, [3, 4]) == (report["read"], [i["line"] for i in report["issues"]])
    zone = {
        "type": "Feature",
        "properties": {"code": "z", "hazard": "flood", "class": 4},
        "geometry": json.loads(SQUARE),
    }
    zones = json.dumps({"type": "FeatureCollection", "features": [zone]})
    for key, read in ((county, 1), (village, 0), (county, 1)):
        assert read == (await office.ask("POST", "/people/areas?as=zones", key, zones))[1]["read"]
    assert 1 == (await office.ask("POST", define, county, areas(("51", "", EAST))))[1]["read"], "its own"
    [row] = await office.rows(sa.select(register.area).where(register.area.c.code == "51"))
    assert ("County", 103.05) == (row.authority, json.loads(row.geojson)["coordinates"][0][0][0])


async def test_places_and_houses_are_kept_by_their_own(office: Office) -> None:
    """Nobody else opens a place, reads its roll, or says who sleeps in a house."""
    county, village, east = (
        await office.key("County"),
        await office.key("Village"),
        await office.key("County", area=EAST),
    )
    rows = (
        "kind,id,name,lat,lon,duty_phone_1\nplace,h,Hall,30.02,103.02,\nfacility,f,House,30.02,103.02,+862885000000\n"
    )
    await office.bring(county, rows, region="CN")
    [place] = await office.rows(sa.select(register.place))
    [house] = await office.rows(sa.select(register.person))
    at, night = f"/people/places/{place.place_id}", {"day": "2026-11-01", "people": 3}
    acts = [
        ("POST", f"{at}/state", {"state": "open"}), ("POST", f"{at}/roll", {"heads": 2}), ("GET", f"{at}/roll", None),
        ("POST", f"/people/facilities/{house.person_id}/occupancy", night),
    ]  # fmt: skip
    for method, path, body in acts:
        assert 404 == (await office.ask(method, path, village, body))[0], path
        assert 403 == (await office.ask(method, path, east, body))[0], path
    [place] = await office.rows(sa.select(register.place))
    assert "unknown" == place.state
    for method, path, body in acts:
        assert (await office.ask(method, path, county, body))[0] in (200, 201), path


def crowd(n: int, status: str, lon: str = "103.04") -> str:
    """So many rows of one list."""
    rows = "".join(f"p{i},30.03,{lon},+86138001{38000 + i},yes,{status}\n" for i in range(n))
    return HEAD + rows


async def test_what_is_to_be_put_right_is_told_to_who_keeps_it(office: Office) -> None:
    """Ids of people, and how few they are, are nobody else's; a superior of the authority sees them."""
    unreached = "w,30.03,103.03,,,active\n"
    county, village = await office.key("County"), await office.key("Village")
    await office.bring(county, HEAD + unreached)
    await office.bring(village, HEAD + unreached, "village")
    mine = person_id_of("town hall", "w")
    for key, here in ((county, True), (village, False)):
        _, found = await office.ask("GET", "/people/findings?kind=no_channel", key)
        (said,) = found["findings"]
        assert (1, here) == (said["count"], mine in [one["id"] for one in said["found"]])
    await name_superior(office.platform.database, "Village", "County", actor="test", reason="test")
    _, found = await office.ask("GET", "/people/findings?kind=no_channel", county)
    assert 2 == found["findings"][0]["count"]


async def test_a_list_silences_so_many_and_no_more(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above so many people those rows wait and the others go in; the key that brought them confirms nothing."""
    monkeypatch.setattr(office.platform.settings, "mass_change", 5)
    first, second, other = await office.key("County"), await office.key("County"), await office.key("Village")
    alive = sa.select(sa.func.count()).select_from(register.person).where(register.IS_WARNED)
    await office.bring(first, crowd(12, "active"))
    _, report = await office.bring(first, crowd(8, "deceased") + "new,30.05,103.05,,,\n", dry_run="1")
    assert 8 == len([i for i in report["issues"] if i["rule"] == "two keys"])
    _, report = await office.bring(first, crowd(8, "deceased") + "new,30.05,103.05,,,\n")
    assert (9, 8) == (report["read"], len([i for i in report["issues"] if i["rule"] == "two keys"]))
    assert 13 == (await office.rows(alive))[0][0], "everybody is warned, and the new one too"
    [held] = (await office.ask("GET", "/people/held", second))[1]["held"]
    assert (8, {"deceased": 8}, "town hall") == (held["people"], held["changes"], held["source"])
    assert [] == (await office.ask("GET", "/people/held", other))[1]["held"]
    _, found = await office.ask("GET", "/people/findings?kind=held", second)
    assert [held["held_id"]] == [one["id"] for one in found["findings"][0]["found"]]

    confirm = f"/people/held/{held['held_id']}/confirm"
    assert [403, 404] == [(await office.ask("POST", confirm, key))[0] for key in (first, other)]
    assert 403 == (await office.ask("POST", confirm, await office.key("County", area=FAR)))[0], "beyond their area"
    assert 13 == (await office.rows(alive))[0][0]
    assert (200, {"state": "confirmed", "people": 8}) == await office.ask("POST", confirm, second)
    assert 5 == (await office.rows(alive))[0][0]
    assert 404 == (await office.ask("POST", confirm, second))[0], "once"
    assert {"people.held", "people.held_confirmed"} <= set(await office.acts())
    assert [] == await office.rows(
        sa.select(register.contact).where(register.contact.c.owner_id == person_id_of("town hall", "p1"))
    )


async def test_a_few_die_without_a_second_key_and_many_small_lists_are_one_large(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an authority's lists did within a day counts; what is rejected changes nobody."""
    monkeypatch.setattr(office.platform.settings, "mass_change", 5)
    first, second = await office.key("County"), await office.key("County")
    await office.bring(first, crowd(12, "active"))
    alive = sa.select(sa.func.count()).select_from(register.person).where(register.IS_WARNED)
    _, report = await office.bring(first, crowd(4, "deceased"))
    assert (4, []) == (report["read"], report["issues"])
    assert 8 == (await office.rows(alive))[0][0]
    assert 4 == (await office.bring(first, crowd(4, "deceased")))[1]["unchanged"]
    split = "id,same_as,lat,lon,status\n" + "".join(f"{i},town hall:p{i},30.03,103.04,moved\n" for i in (5, 6))
    _, report = await office.bring(first, split, "another name")
    assert ["left_out", "left_out"] == [i["outcome"] for i in report["issues"] if i["rule"] == "two keys"]
    assert 8 == (await office.rows(alive))[0][0]
    [held] = (await office.ask("GET", "/people/held", second))[1]["held"]
    assert 200 == (await office.ask("POST", f"/people/held/{held['held_id']}/reject", second))[0]
    assert 8 == (await office.rows(alive))[0][0]
    async with office.platform.database.write() as tx:
        await tx.execute(sa.update(held_change).values(at=held_change.c.at - 86401))
    _, report = await office.bring(first, split, "another name")
    assert [] == [i for i in report["issues"] if i["rule"] == "two keys"], "a day later"


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        (crowd(8, "active", "103.09"), "place"),  # where nobody will look for them
        (crowd(8, "sms;voice").replace("verified,status", "verified,said_no"), "contacts"),
    ],
)  # fmt: skip
async def test_moving_and_unreaching_many_waits_too(
    office: Office, monkeypatch: pytest.MonkeyPatch, rows: str, kind: str
) -> None:
    """Their place and their phones stay as they were until a second key says yes; then it is done."""
    monkeypatch.setattr(office.platform.settings, "mass_change", 5)
    first, second = await office.key("County"), await office.key("County")
    await office.bring(first, crowd(8, "active"))
    _, report = await office.bring(first, rows)
    assert 8 == len([i for i in report["issues"] if i["rule"] == "two keys"]), report
    silent = sa.select(register.contact).where(register.contact.c.why_not != "")
    east = sa.select(register.person).where(register.person.c.lon > 103.05)
    assert ([], []) == (await office.rows(silent), await office.rows(east))
    [held] = (await office.ask("GET", "/people/held", second))[1]["held"]
    assert {kind: 8} == held["changes"]
    assert 200 == (await office.ask("POST", f"/people/held/{held['held_id']}/confirm", second))[0]
    assert (8 if kind == "place" else 0, 16 if kind == "contacts" else 0) == (
        len(await office.rows(east)), len(await office.rows(silent))
    )  # fmt: skip


async def test_counts_of_a_few_are_told_to_nobody(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine are as none; groups too; beyond the key's area nothing; each is in the log, and so many an hour."""
    county = await office.key("County")
    rows = "".join(f"p{i},30.03,103.04,{'cannot' if i < 3 else 'none'}\n" for i in range(12))
    await office.bring(county, "id,lat,lon,see\n" + rows)
    near, none = (
        {"circles": [{"lat": 30.03, "lon": 103.04, "km": 1}]},
        {"circles": [{"lat": 30.08, "lon": 103.08, "km": 1}]},
    )
    nothing: dict[str, Any] = {"total": None, "estimated": 0, "groups": {}, "told_from": 10}
    assert (200, nothing) == await office.ask("POST", "/people/selection", county, none)
    status, found = await office.ask("POST", "/people/selection", county, near)
    assert (200, 12, None) == (status, found["total"], found["groups"]["blind"])
    assert {None} == set(found["groups"].values()) - {12}
    _, found = await office.ask("GET", "/people/summary", county)
    assert (12, None) == (found["people"], found["groups"]["blind"])
    east = await office.key("County", area=EAST)
    assert [403, 200] == [(await office.ask("POST", "/people/selection", east, asked))[0] for asked in (near, none)]
    monkeypatch.setattr(office.platform.settings, "count_quota", 2)
    assert 429 == (await office.ask("POST", "/people/selection", county, near))[0]
    assert 200 == (await office.ask("POST", "/people/selection", await office.key("County"), near))[0]
    assert ["people.count"] * 3 == [act for act in await office.acts() if act == "people.count"][:3]
    assert "people.count_quota" in await office.acts()


async def test_numbers_that_cost_and_languages_that_are_none_do_not_come_in(office: Office) -> None:
    """By hand they are refused; in a list they are told by line and the person goes in without them."""
    key = await office.key("County")
    yes = {"by": "self", "method": "in_person", "notice_version": "1", "purposes": ["warn_me"]}
    for wrong in ("+449098790879", "+19002345678", "+88213123456", "+8821312345678"):
        contact = {"kind": "voice_mobile", "address": wrong, "verified": True}
        entered = {"person": {"lat": 30.05, "lon": 103.05, "contacts": [contact]}, "yes": yes}
        assert 422 == (await office.ask("POST", "/people", key, entered))[0], wrong
        _, report = await office.bring(key, f"id,lat,lon,mobile\n1,30.05,103.05,{wrong}\n", f"list {wrong[1:]}")
        assert (1, ["mobile"]) == (report["read"], [i["field"] for i in report["issues"]]), wrong
    twiml = 'xx"/><Dial>+88213123456</Dial><Say language="en'
    entered = {"person": {"lat": 30.05, "lon": 103.05, "languages": [twiml]}, "yes": yes}
    assert 422 == (await office.ask("POST", "/people", key, entered))[0]
    quoted = twiml.replace('"', '""')
    _, report = await office.bring(key, f'id,lat,lon,languages\n1,30.05,103.05,"{quoted}"\n', "words")
    assert (1, {"languages"}) == (report["read"], {i["field"] for i in report["issues"]})
    assert not any(b"Dial" in row.body for row in await office.rows(sa.select(register.profile.c.body)))
    assert [] == await office.rows(sa.select(register.contact))


async def test_a_column_map_that_stands_for_more_than_it_says_is_refused(office: Office) -> None:
    """An alias, and a map longer than any is."""
    key = await office.key("County")
    bomb = "columns: {a: &a [x,x,x,x], b: &b [*a,*a,*a,*a]}"
    for columns in (bomb, "columns: {" + "a" * 9000 + ": id}"):
        async with office.client.post(
            "/people/import", params={"source": "s", "columns": columns}, data=b"id,lat,lon\n1,30.05,103.05\n",
            headers={"Authorization": f"Bearer {key}"},
        ) as answer:  # fmt: skip
            assert answer.status in (400, 422), await answer.text()
