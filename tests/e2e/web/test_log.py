"""The audit log in the console: who may read it, what it shows, that reading and refusals are entries, and what is unusual."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import sqlalchemy as sa

from services.shared import alarms
from services.shared.accounts.tables import account, account_grant
from services.shared.accounts.tables import authority as table
from services.shared.audit import trail
from services.shared.audit.audit_export import verify_export
from services.shared.clock import wall
from services.shared.database.batches import insert_new
from services.shared.operations.unusual import Unusual, unusual
from services.shared.web.opening_order import CALLS_OPENED
from tests.kit import alerts
from tests.kit.town import Town, open_town

AUDITOR = {"label": "the auditor", "actions": ["audit"]}


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with open_town(tmp_path, start=alerts.START) as opened:
        yield opened


async def page(town: Town, key: str, query: str = "", language: str = "en") -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {key}", "Accept": "text/html", "Accept-Language": language}
    async with town.session.get(f"{town.url}/console/log{query}", headers=headers) as response:
        return response.status, await response.text()


async def acts(town: Town) -> list[tuple[str, str, str]]:
    c = trail.audit_log.c
    return [tuple(row) for row in await town.rows(sa.select(c.actor, c.act, c.subject).order_by(c.n))]


async def test_only_who_has_it_reads_the_log_and_reading_is_an_entry(town: Town) -> None:
    """A key with everything else reads nothing; its refusal stands in the log, by name."""
    auditor = await town.new_key(**AUDITOR)
    plain = await town.new_key(
        label="a plain one", actions=["read", "draft", "send", "cancel", "command", "register", "look"]
    )
    status, text = await page(town, plain)
    assert (403, False) == (status, "create_key" in text)
    status, text = await page(town, auditor)
    assert (200, True) == (status, "create_key" in text)
    assert ("a plain one", "refused", "read log") in await acts(town)
    assert ("the auditor", "audit.read", "audit") == (await acts(town))[-1]
    assert "The auditor" not in text
    assert "谁做了什么" in (await page(town, auditor, language="zh"))[1]


async def test_it_is_narrowed_by_person_act_warning_and_day(town: Town) -> None:
    """And what is asked for is written down."""
    auditor = await town.new_key(**AUDITOR)
    warning_id = await town.warn(alerts.flood("R-LOG"), doors="safe")
    for query, there, not_there in (
        (f"?subject={warning_id}", "sent the warning", "made a key"),
        ("?act=create_key", "made a key", f"<bdi>{warning_id}</bdi></td><td><bdi>decided"),
        ("?actor=nobody", "There is no such entry", "made a key</td>"),
        ("?day=1999-01-01", "There is no such entry", "made a key</td>"),
    ):
        status, text = await page(town, auditor, query)
        body = text[text.index("<tbody>") :]
        assert (200, True, False) == (status, there in body, not_there in body), query
    c = trail.audit_log.c
    read = await town.rows(sa.select(c.detail).where(c.act == "audit.read").order_by(c.n))
    assert {"subject": warning_id} == read[0].detail
    for wrong, words in (("?day=yesterday", "give a day like"), ("?before=x", "the number of an entry")):
        status, text = await page(town, auditor, wrong)
        assert (422, True) == (status, words in text)


async def test_older_entries_are_a_page_further_with_the_same_filter(town: Town) -> None:
    auditor = await town.new_key(**AUDITOR)
    async with town.node.platform.database.write() as tx:
        for n in range(120):
            await trail.record(tx, "O'Brien & <co>", "count", str(n), "many")
    _, text = await page(town, auditor, "?act=count")
    assert 100 == text.count("<td>count</td>")
    older = text[text.index("/console/log?before=") :].partition('"')[0].replace("&amp;", "&")
    _, text = await page(town, auditor, older.removeprefix("/console/log"))
    assert 20 == text.count("<td>count</td>")
    assert "<co>" not in text


async def test_the_export_is_signed_and_its_own_last_entry(town: Town) -> None:
    """Whoever may not read gets nothing; the file proves itself."""
    auditor, body = await town.new_key(**AUDITOR), b""
    for key, wanted in ((town.reader, 403), (auditor, 200)):
        headers = {"Authorization": f"Bearer {key}"}
        async with town.session.post(f"{town.url}/console/log/export", headers=headers) as response:
            assert wanted == response.status
            body = await response.read()
    public = json.loads(body.splitlines()[0])["public_key"]
    assert verify_export(io.BytesIO(body), public).n == len(await acts(town))
    assert ("the auditor", "audit.export") == (await acts(town))[-1][:2]


async def test_what_is_unusual_is_an_alarm_and_ends(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many refusals and looks of one caller, a decoy, and a warning sent outside somebody's hours; one less of each is none."""
    database, now = town.node.platform.database, [0.0]
    watch = Unusual(database, source=lambda: now[0])
    person = "p" * 32

    async def write(actor: str, act: str, times: int) -> None:
        async with database.write() as tx:
            for _ in range(times):
                await trail.record(tx, actor, act, "it", "tried")

    async def stand() -> set[str]:
        now[0] += 10.0
        await watch.turn()
        async with database.read() as db:
            return {row.name for row in await alarms.standing(db)}

    await write("on duty", CALLS_OPENED, 200)  # everybody of a flood who asked for help, in one press
    await write("curious", "people.open", 39)
    await write("stubborn", "refused", 9)
    assert set() == await stand()
    await write("curious", "people.search", 1)
    await write("stubborn", "refused", 1)
    await write("browsing", "decoy.seen", 1)
    async with database.write() as tx:
        authority = (await town.rows(sa.select(table.c.authority_id)))[0][0]
        row = {"person": person, "authority_id": authority, "name": "Li Na", "login": "li", "created_at": 0.0}
        await insert_new(tx, account, [row])
        day = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")[int(wall() // 86400 + 3 + 3) % 7]  # three days from now
        grant = {
            "person": person, "roles": [], "max_tier": 4, "alone": 4, "area": "", "senders": [], "events": [], "names": [],
            "hours": f"{day} 08:00-09:00", "zone": "0",
        }  # fmt: skip
        await insert_new(tx, account_grant, [grant])
    await write("Li Na", "release", 1)
    assert {"looks:curious", "refusals:stubborn", "decoy:browsing", "hours:Li Na"} == await stand()
    later = wall() + 2 * 3600.0
    async with database.read() as db:
        assert {"decoy:browsing"} == set(await unusual(db, later))


async def test_a_caller_who_is_refused_again_and_again_fills_no_log(town: Town) -> None:
    """Fifty entries an hour; refused all the same."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {town.reader}"}) as session:
        for _ in range(55):
            async with session.get(f"{town.url}/console/log") as response:
                assert 403 == response.status
    assert 50 == [act for _, act, _ in await acts(town)].count("refused")
