"""Doors against teams, told before sending and while it runs: how many are not reached, who they are, what would help."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from playwright.async_api import Page

from services.router.store.tables import path
from services.shared.powers.who import ACTIONS
from tests.e2e.web.test_accessible import LOOK
from tests.kit import alerts
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = 300
LATE = re.compile(
    r"(\d+) doors, \d+ teams?, [\d,]+ minutes more than the lead: (\d+) homes will not be reached before "
)


def soon(identifier: str) -> str:
    """A flood whose water comes in forty minutes: twenty are left to whoever goes to doors."""
    return alerts.flood(identifier).replace("<expires>", "<onset>2026-06-10T12:40:00+08:00</onset><expires>")


async def test_who_will_not_be_reached_is_told_and_named(desk: Page, tocsin: Town) -> None:
    """The preview says it by counts, the live page and its own page by the plan; each person leads to their path."""
    draft = await tocsin.draft(soon("AGAINST-0"))
    await tocsin.settle()
    await desk.goto(f"{tocsin.url}/live/{draft}/preview")
    before = await desk.inner_text("section[aria-labelledby=whom]")
    assert LATE.search(before), before
    assert "While nobody answers a telephone" in before
    warning_id = await tocsin.warn(soon("AGAINST-1"), doors="safe")
    await tocsin.at("+5 min")
    await desk.goto(f"{tocsin.url}/live/{warning_id}")
    said = LATE.search(await desk.inner_text("section[aria-labelledby=now]"))
    assert said
    await desk.get_by_role("link", name="Who they are, and what would help").click()
    assert said[0] in await desk.inner_text("main")
    helps = await desk.inner_text("section[aria-labelledby=helps]")
    assert re.search(r"\d+ more teams? would reach|No further team is done there in time", helps), helps
    people = await desk.locator("section[aria-labelledby=who] tbody tr th a").evaluate_all(
        "found => found.map(a => a.href)"
    )
    homes = {
        row.household_id
        for row in await tocsin.rows(sa.select(path).where(path.c.warning_id == warning_id))
        if any(url.endswith(row.person_id) for url in people)
    }
    assert int(said[2]) == len(homes)
    assert [] == await desk.evaluate(LOOK)
    await desk.locator("section[aria-labelledby=who] tbody tr th a").first.click()
    assert "/path/" in desk.url


async def test_who_they_are_is_for_whoever_may_look(tocsin: Town) -> None:
    """The figures are for everybody who watches; no person and no path."""
    warning_id = await tocsin.warn(soon("AGAINST-2"), doors="safe")
    watcher = await tocsin.new_key(label="a watcher", actions=[a for a in ACTIONS if a not in ("look", "command")])
    headers = {"Authorization": f"Bearer {watcher}", "Accept": "text/html"}
    status, body, _ = await tocsin.get(f"/live/{warning_id}/not-reached", headers)
    assert 200 == status
    assert b"will not be reached" in body
    assert b"/path/" not in body
    status, _, _ = await tocsin.get("/live/nowhere/not-reached", headers)
    assert 404 == status
