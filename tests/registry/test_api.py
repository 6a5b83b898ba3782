"""The registry's two addresses over HTTP: who may call them, and what they answer."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestClient, TestServer

from services.registry.needs import GROUPS
from services.registry.sample import import_community, mint
from services.shared.auth import create_key
from services.shared.tier import Tier
from services.shared.web import make_app

from .conftest import SQUARE

LIST = "id,name,lat,lon,mobile,see\n1,A,30.05,103.05,+8613800138000,4\n2,B,x,103.05,,\n"


@pytest.fixture
async def client(registry) -> AsyncIterator[TestClient]:
    app = make_app(registry.database, registry.platform.signer)
    app.router.add_routes(registry.service.routes())
    async with TestClient(TestServer(app)) as client:
        yield client


async def key(registry, *actions: str) -> dict[str, str]:
    """The header of a key with these actions."""
    made = await create_key(registry.database, name="County", label="clerk", actions=actions, max_tier=Tier.BLUE)
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
    assert all(summary["groups"].values())
