"""A changed policy file is in force once two persons said yes to it; until then warnings are walked by the old one."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.router.planning.contexts import SHIPPED
from services.router.store import tables
from services.shared.alarms import standing
from tests.kit.town import Town, open_town
from tools.servers import commands

NAME = "ours version 1"


def ours(folder: Path) -> Path:
    """The shipped policy under another name."""
    own = folder / "policy.yaml"
    own.write_text(SHIPPED.read_text(encoding="utf-8").replace("{id: default,", "{id: ours,"), encoding="utf-8")
    return own


@pytest.fixture
async def changed(tmp_path: Path) -> AsyncIterator[Town]:
    """An installation that was begun with the shipped policy and is started again with another file."""
    async with open_town(tmp_path / "data"):
        pass
    own = ours(tmp_path)
    async with open_town(tmp_path / "data", policy=own) as made:
        yield made


async def asked(town: Town, key: str = "") -> Any:
    status, said = await town.call("GET", "/api/v1/policy", key=key)
    assert 200 == status
    return said


async def sounding(town: Town) -> list[str]:
    async with town.node.platform.database.read() as db:
        return [one.said for one in await standing(db, "policy")]


async def test_the_first_policy_is_in_force_at_once(tmp_path: Path) -> None:
    async with open_town(tmp_path / "data") as town:
        found = await asked(town)
        assert (town.node.router.contexts.current_key, None) == (found["in_force"], found["proposed"])
        assert [] == await sounding(town)


async def test_two_persons_put_another_in_force(changed: Town) -> None:
    """It waits, and the alarm says so; one yes is not enough, the same person's second one neither."""
    found = await asked(changed)
    waits = found["proposed"]["policy"]
    assert (NAME, []) == (found["proposed"]["name"], found["proposed"]["agreed"])
    assert NAME != changed.node.router.contexts.current.name
    assert [
        "a policy (ours version 1) waits for two persons and is not in force: look at it, then tocsin policy agree"
    ] == await sounding(changed)
    agree = {"policy": waits[:12]}
    one = await changed.new_key(label="one", owner="Li Na")
    again = await changed.new_key(label="again", owner="Li Na")
    assert 200 == (await changed.call("POST", "/api/v1/policy/agree", agree, key=one))[0]
    assert 403 == (await changed.call("POST", "/api/v1/policy/agree", agree, key=again))[0]
    assert ["Li Na"] == (await asked(changed))["proposed"]["agreed"]
    assert waits != changed.node.router.contexts.current_key
    other = await changed.new_key(label="other", owner="Wu Lan")
    status, said = await changed.call("POST", "/api/v1/policy/agree", agree, key=other)
    assert (200, waits, NAME, None) == (status, said["in_force"], said["name"], said["proposed"])
    assert (waits, []) == (changed.node.router.contexts.current_key, await sounding(changed))
    assert 404 == (await changed.call("POST", "/api/v1/policy/agree", agree, key=other))[0]


async def test_another_process_takes_it_up(changed: Town) -> None:
    """By its look every few seconds."""
    router = changed.node.router
    waits = (await asked(changed))["proposed"]["policy"]
    async with changed.node.platform.database.write() as tx:
        await router.contexts.take_force(tx, "live", waits)
    assert waits != router.contexts.current_key
    (look,) = [one for one in router.loops() if one.name == "policy"]
    await look.turn()
    assert NAME == router.contexts.current.name


async def test_who_may_not_administer_sets_no_policy(changed: Town) -> None:
    waits = (await asked(changed, changed.reader))["proposed"]["policy"]
    status, said = await changed.call("POST", "/api/v1/policy/agree", {"policy": waits}, key=changed.reader)
    assert (403, "grant.actions") == (status, said["rule"])
    status, said = await changed.call("POST", "/api/v1/policy/agree", {"policy": "ours"})
    assert (422, "policy") == (status, said["field"])


async def test_what_cannot_be_read_any_more_is_not_waited_for(tmp_path: Path) -> None:
    """After an upgrade that knows another form: the file's policy is used, and the alarm says why."""
    async with open_town(tmp_path / "data") as town:
        old = town.node.router.contexts.current_key
        async with town.node.platform.database.write() as tx:
            await tx.execute(sa.update(tables.policy_text).where(tables.policy_text.c.policy == old).values(text="{}"))
    own = ours(tmp_path)
    async with open_town(tmp_path / "data", policy=own) as town:
        assert NAME == town.node.router.contexts.current.name
        (said,) = await sounding(town)
        assert "cannot be read" in said


async def test_from_the_command_line(changed: Town) -> None:
    waits = (await asked(changed))["proposed"]["policy"]
    keys = [await changed.new_key(label=name, owner=name) for name in ("Li Na", "Wu Lan")]
    for key, words in zip(keys, ("said yes: Li Na", "in force: ours version 1"), strict=True):
        done = await commands.run("policy", "agree", waits[:10], "--url", changed.url, "--key", key, env=os.environ)
        assert 0 == done.code, done.err
        assert words in done.out
