"""The registry's addresses over HTTP, and its commands: who may call them, and what they answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from aiohttp.test_utils import TestClient, TestServer

from services.__main__ import app
from services.registry.lookup.view import person_view
from services.registry.model.needs import GROUPS
from services.registry.sample.sample import import_community, mint
from services.shared.audit import trail
from services.shared.bus.outbox import new_id
from services.shared.errors import Refused
from services.shared.tiers import Tier
from services.shared.web.auth import create_key
from services.shared.web.edge import make_app
from tests.integration.registry.conftest import SQUARE

LIST = "id,name,lat,lon,mobile,see\n1,A,30.05,103.05,+8613800138000,4\n2,B,x,103.05,,\n"


@pytest.fixture
async def client(registry) -> AsyncIterator[TestClient]:
    app = make_app(registry.database)
    app.router.add_routes(registry.service.routes())
    async with TestClient(TestServer(app)) as client:
        yield client


async def key(registry, *actions: str) -> dict[str, str]:
    """The header of a key with these actions."""
    made = await create_key(
        registry.database,
        name="County",
        label=f"clerk {new_id()[:8]}",
        actions=actions,
        max_tier=Tier.BLUE,
        alone=Tier.BLUE,
    )
    return {"Authorization": f"Bearer {made}"}


async def test_import_answers_row_by_row(registry, client):
    """The report is the answer: counts, and each fault with line, field, rule, what was given and what to do."""
    header = await key(registry, "register")
    answer = await client.post("/people/import?source=town&region=cn", data=LIST.encode(), headers=header)
    assert 200 == answer.status
    report = await answer.json()
    assert (1, 0, 1) == (report["read"], report["repaired"], report["refused"])
    (issue,) = report["issues"]
    assert (3, "refused", "lat", "x") == (issue["line"], issue["outcome"], issue["field"], issue["given"])
    assert issue["rule"]
    assert issue["remedy"]


@pytest.mark.parametrize(("actions", "status"), [((), 403), (("read",), 403), (None, 401)])
async def test_import_needs_the_register_action(registry, client, actions, status):
    """No key, or a key for something else: nothing goes in."""
    header = {} if actions is None else await key(registry, *actions)
    answer = await client.post("/people/import?source=town", data=LIST.encode(), headers=header)
    assert status == answer.status
    found = await client.get("/people/summary", headers=await key(registry, "read"))
    assert 0 == (await found.json())["people"]


async def test_import_needs_a_source_and_a_list(registry, client):
    """Without a source ids would not survive; a body that is no CSV is answered with a problem document."""
    header = await key(registry, "register")
    for path, body, field in (("/people/import", LIST, "source"), ("/people/import?source=t", "\n", "body")):
        answer = await client.post(path, data=body.encode(), headers=header)
        assert 422 == answer.status
        assert "application/problem+json" == answer.content_type
        assert field == (await answer.json())["field"]


async def test_unknown_region_is_refused(registry, client):
    """A region that is no country would make every number wrong."""
    header = await key(registry, "register")
    answer = await client.post("/people/import?source=t&region=ZZ", data=LIST.encode(), headers=header)
    assert 422 == answer.status
    assert "region" == (await answer.json())["field"]


async def test_summary_counts_by_group(registry, client):
    """People, kinds, and every group by its name; a facility is an addressee, no person."""
    await import_community(registry.database, registry.keys, mint(SQUARE, people=600, seed=1))
    answer = await client.get("/people/summary", headers=await key(registry, "read"))
    summary = await answer.json()
    assert 600 == summary["people"]
    assert 600 == summary["kinds"]["resident"] + summary["kinds"]["subscriber"]
    assert 1 == summary["kinds"]["facility"]
    assert list(GROUPS) == list(summary["groups"])
    assert all(n is None or n >= 10 for n in summary["groups"].values())
    assert any(summary["groups"].values())


YES = {
    "by": "self",
    "method": "in_person",
    "notice_version": "2026-1",
    "purposes": ["warn_me", "drill"],
    "refused": ["statistics"],
}
ANNA = {"call_name": "Ms Anna", "lat": 30.05, "lon": 103.05, "wg": {"hear": 4}, "birth_year": 1950}


async def test_a_worker_enters_somebody_with_her_own_yes(registry, client):
    """They are in at once, with their decisions, the worker's name as who recorded it, and an entry in the audit log."""
    header = await key(registry, "register")
    answer = await client.post("/people", json={"person": ANNA, "yes": YES}, headers=header)
    assert 201 == answer.status
    made = await answer.json()
    assert (["deaf_text", "older_not_alone", "no_phone"], []) == (made["groups"], made["channels"])
    async with registry.database.read() as db:
        view = await person_view(db, made["person_id"])
        acts = list(await db.scalars(sa.select(trail.audit_log.c.act)))
    assert {("warn_me", "given"), ("drill", "given"), ("statistics", "refused")} == {
        (c["purpose"], c["decision"]) for c in view["consents"]
    }
    assert {("self", "clerk")} == {(fact["source"], fact["by"].split()[0]) for fact in view["facts"]}
    assert "person.enter" in acts


@pytest.mark.parametrize(
    ("yes", "field"),
    [
        (None, "yes"),
        (YES | {"by": "officer Li"}, "yes.by"),
        (YES | {"by": "guardian"}, "yes.by"),  # an adult decides alone
        (YES | {"notice_version": ""}, "yes.notice_version"),
        (YES | {"purposes": ["police"]}, "yes.purposes.0"),
    ],
)
async def test_nobody_ticks_it_for_her(registry, client, yes, field):
    """Without their own yes, to a notice, for a purpose that exists, they are not entered."""
    body = {"person": ANNA} | ({"yes": yes} if yes else {})
    answer = await client.post("/people", json=body, headers=await key(registry, "register"))
    assert 422 == answer.status
    assert field == (await answer.json())["field"]
    found = await client.get("/people/summary", headers=await key(registry, "read"))
    assert 0 == (await found.json())["people"]


async def test_a_guardian_says_yes_for_a_minor(registry, client):
    """Below 18, and noted as theirs."""
    child = ANNA | {"birth_year": 2016}
    body = {"person": child, "yes": YES | {"by": "guardian"}}
    answer = await client.post("/people", json=body, headers=await key(registry, "register"))
    assert 201 == answer.status
    async with registry.database.read() as db:
        view = await person_view(db, (await answer.json())["person_id"])
    assert {"guardian_consent"} == {c["basis"] for c in view["consents"]}


async def test_an_import_that_tells_as_it_goes(registry, client):
    """Lines of JSON: shares of the file, each issue, the report last; a fault is a line too; dry run and map work."""
    header = await key(registry, "register") | {"Accept": "application/x-ndjson"}
    asked = {"source": "town", "dry_run": "1", "columns": "columns: {Nr: id}"}
    answer = await client.post("/people/import", params=asked, data=LIST.replace("id,", "Nr,").encode(), headers=header)
    lines = [json.loads(line) for line in (await answer.text()).splitlines()]
    assert {"share", "issue", "report"} == {name for line in lines for name in line} - {"read"}
    assert (1, True) == (lines[-1]["report"]["read"], lines[-1]["report"]["dry_run"])
    answer = await client.post("/people/import?source=town", data=b"no,header\n1,2\n", headers=header)
    assert "id" in json.loads((await answer.text()).splitlines()[-1])["fault"]
    for wrong in ("kind=gossip", "datum=bd09", "region=ZZ", "columns=["):
        answer = await client.post(
            f"/people/import?source=town&{wrong}", data=LIST.encode(), headers=await key(registry, "register")
        )
        assert 422 == answer.status, wrong


async def test_areas_selection_findings_and_places_over_http(registry, client):
    """Each by its address; findings are a page for a browser, in two languages."""
    header = await key(registry, "register", "read")
    await client.post("/people/import?source=town", data=LIST.encode(), headers=header)
    square = {"type": "Feature", "properties": {"code": "1"}, "geometry": json.loads(SQUARE)}
    body = json.dumps({"type": "FeatureCollection", "features": [square]}).encode()
    answer = await client.post("/people/areas?value_name=GB2260", data=body, headers=header)
    assert 1 == (await answer.json())["read"]
    answer = await client.post("/people/selection", json={"areas": [["GB2260", "1"]]}, headers=header)
    assert {"total": None, "estimated": 0, "groups": {}, "told_from": 10} == await answer.json(), "one person alone"
    found = await (await client.get("/people/findings", headers=header)).json()
    assert {"no_channel": 0, "one_channel": 0} == {f["kind"]: f["count"] for f in found["findings"][:2]}
    for lang, word in (("en", "What to put right"), ("zh", "登记册中需要处理")):
        for kind in ("", "no_channel"):
            asked = f"/people/findings?lang={lang}&kind={kind}"
            answer = await client.get(asked, headers=header | {"Accept": "text/html"})
            assert word in await answer.text()
    hall = "kind,id,name,lat,lon,step_free,capacity\nplace,h,Hall,30.5,103.5,yes,100\n"
    await client.post("/people/import?source=halls", data=hall.encode(), headers=header)
    (place,) = (await (await client.get("/people/places", headers=header)).json())["places"]
    assert [] == (await (await client.get("/people/places?open=1", headers=header)).json())["places"]
    at = f"/people/places/{place['place_id']}"
    assert 200 == (await client.post(f"{at}/state", json={"state": "open"}, headers=header)).status
    assert 1 == len((await (await client.get("/people/places?open=1&step_free=1", headers=header)).json())["places"])
    assert 201 == (await client.post(f"{at}/roll", json={"heads": 7}, headers=header)).status
    assert 7 == (await (await client.get(f"{at}/roll", headers=header)).json())["heads"]


async def test_the_command_line(registry, client, tmp_path, monkeypatch, capsys):
    """import with a report file and a bar, and findings, through a running server; import offline too."""
    monkeypatch.setenv("TOCSIN_KEY", (await key(registry, "register", "read"))["Authorization"].split()[1])
    monkeypatch.setenv("TOCSIN_URL", str(client.make_url("")))
    people, told = tmp_path / "people.csv", tmp_path / "told.jsonl"
    people.write_text(LIST)

    async def run(*words: str) -> tuple[str, str]:
        assert not await asyncio.to_thread(app, ["registry", *words], standalone_mode=False)
        said = capsys.readouterr()
        return said.out, said.err

    out, err = await run("import", str(people), "--report", str(told), "--progress")
    assert out.startswith("1 read, 0 unchanged, 1 refused")
    assert "100%" in err
    assert [3] == [json.loads(line)["line"] for line in told.read_text().splitlines()]
    with pytest.raises(Refused, match="can be read"):
        await run("import", str(tmp_path / "none.csv"))
    out, _ = await run("findings")
    assert "What to do" in out
    out, _ = await run("held", "list")
    assert "Brought by" in out
    for word in ("confirm", "reject"):
        with pytest.raises(AssertionError):
            await run("held", word, "0" * 32)
        assert "nothing waits under" in capsys.readouterr().err
    monkeypatch.setenv("TOCSIN_DATA_DIR", str(tmp_path / "other"))
    out, _ = await run("import", str(people), "--offline", "--dry-run", "--authority", "County")
    assert out.startswith("dry run, nothing written: 1 read")
