"""The same lists, ends, sign-ins and alarms over PostgreSQL, with two gateways beside each other."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import aiohttp
import sqlalchemy as sa

from services.channels.outcomes import opted_out
from services.shared.alarms import standing
from services.shared.clock import wall
from services.shared.database.batches import insert_all
from tests.kit.audit_rewriting import rewrite
from tests.kit.square import SENT, cap
from tests.kit.town import open_town
from tests.kit.warning_rows import drafts
from tools.servers.postgres import Postgres


async def test_lists_sign_ins_and_alarms(tmp_path: Path, postgres: Postgres) -> None:
    """Live first, held before drafts, expired, given up; a cookie that ends; STOP counted and bounded; one head, two gateways."""
    url = postgres.database()
    async with (
        open_town(tmp_path / "one", database_url=url) as desk,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser,
    ):
        database = desk.node.platform.database
        _, red = await desk.post(cap("RED", severity="Extreme", expires=60))
        _, held = await desk.post(cap("HELD", severity="Unknown", expires=60))
        await drafts(desk, 120)
        _, index = await desk.call("GET", "/api/v1/warnings")
        assert (red["warning_id"], "active", 51) == (index[0]["warning_id"], index[0]["state"], len(index))
        async with browser.post(f"{desk.url}/console/sign-in", data={"key": desk.key}) as answer:
            page = await answer.text()
        assert "Live now (1)" in page
        assert "Waiting for your decision (121)" in page
        assert page.index(held["warning_id"]) < page.index("Draft")
        desk.clock.advance_to(SENT + 3600 + 86400)
        assert "expired" == await desk.state(red["warning_id"])
        while await desk.node.gateway.run_due():
            pass
        async with browser.get(f"{desk.url}/console") as answer:
            page = await answer.text()
        assert "Time is over, not ended (1)" in page
        assert "1 message that this key brought was given up" in page
        rows = [{"address_key": f"s{n}", "at": SENT - 9e5 + n, "said_by": "phone", "known": False}
                for n in range(opted_out.STRANGERS)]  # fmt: skip
        async with database.write() as tx:
            await insert_all(tx, opted_out.opted_out_table, rows)
            for n in range(opted_out.FLOOD):
                await opted_out.stop(tx, [f"new{n}"], "phone", SENT, "live")
            count = sa.select(sa.func.count()).select_from(opted_out.opted_out_table)
            assert opted_out.STRANGERS == await tx.scalar(count)
        async with database.read() as db:
            assert ["stop_flood"] == [a.name for a in await standing(db)]
        for _ in range(2):
            assert 200 == await desk_alarm(browser, desk.url)
        shutil.copytree(tmp_path / "one" / "keys", tmp_path / "two" / "keys")
        async with open_town(tmp_path / "two", database_url=url) as beside:
            for one in (desk, beside, desk, beside):
                await one.node.gateway.checkpoint()
                status, taken = await one.post(cap(f"B-{wall()}", minutes=1500))
                assert 202 == status, taken
            await asyncio.gather(*(one.node.gateway.checkpoint() for one in (desk, beside, desk, beside)))
            async with database.read() as db:
                assert ["stop_flood"] == [a.name for a in await standing(db)]
            await rewrite(database, 2)
            assert [False, False] == [await one.node.gateway.checkpoint() for one in (desk, beside)]
            async with database.read() as db:
                assert {"stop_flood", "audit_rewritten"} == {a.name for a in await standing(db)}


async def desk_alarm(browser: aiohttp.ClientSession, url: str) -> int:
    async with browser.get(f"{url}/console") as answer:
        assert "numbers said STOP" in await answer.text()
        return answer.status
