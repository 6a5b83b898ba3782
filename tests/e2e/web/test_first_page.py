"""The console's first page says how far each warning has come and for whom a draft waits, and keeps what is being typed."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, Page, expect

from services.gateway.web import pages
from services.shared.ledger.channels import channel
from services.shared.ledger.tally import progress
from services.shared.powers.who import ACTIONS
from tests.e2e.web.test_accessible import LOOK
from tests.kit import alerts
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = 24


async def open_on(page: Page, number: str) -> int:
    card = page.locator(".cards li", has_text=f"No. {number}")
    found = re.search(r"([\d,]+) people open", await card.inner_text())
    assert found is not None
    return int(found[1].replace(",", ""))


async def test_each_warning_says_what_its_live_page_says(desk: Page, tocsin: Town) -> None:
    warning_id = await tocsin.warn(alerts.flood("FIRST-1"))
    _, shown = await tocsin.call("GET", f"/api/v1/warnings/{warning_id}")
    await desk.goto(f"{tocsin.url}/live/{warning_id}?still=1")
    headline = await desk.inner_text("h1 .huge")
    await desk.goto(f"{tocsin.url}/console")
    assert int(headline.replace(",", "")) == await open_on(desk, shown["number"]) > 0
    assert [] == await desk.evaluate(LOOK)


async def test_what_nobody_was_planned_for_has_no_figures(tocsin: Town) -> None:
    async with tocsin.node.platform.database.read() as db:
        assert {} == await progress(db, ["f" * 32])
        assert {} == await progress(db, [])


async def test_a_draft_says_for_whom_it_waits(desk: Page, tocsin: Town) -> None:
    """Who may not send sees that another person has to; who asked stands beside it."""
    brings = await tocsin.new_key(label="brings", actions=[a for a in ACTIONS if a != "send"])
    status, taken = await tocsin.post(alerts.flood("FIRST-2").encode(), key=brings, release="false", strict="false")
    assert 202 == status, taken
    draft = taken["warning_id"]
    card = desk.locator(f"#standing .cards li:has(a[href='/live/{draft}/preview'])")
    await desk.goto(f"{tocsin.url}/console")
    assert "You may send it." in await card.inner_text()
    await desk.context.request.post(f"{tocsin.url}/console/sign-in", form={"key": brings})
    await desk.context.request.post(f"{tocsin.url}/console/warnings/{draft}/ask", form={})
    await desk.goto(f"{tocsin.url}/console")
    said = await card.inner_text()
    assert "Another person has to send it." in said
    assert "brings asked for a second person" in said


async def test_it_names_the_channels_that_fail(desk: Page, tocsin: Town) -> None:
    sms = channel.c.channel == "sms"
    async with tocsin.node.platform.database.write() as tx:
        await tx.execute(channel.update().where(sms).values(why="link test failed twice", test_said="refused"))
    try:
        await desk.goto(f"{tocsin.url}/console")
        assert "Channels that fail their test: SMS." in await desk.inner_text("#standing")
    finally:
        async with tocsin.node.platform.database.write() as tx:
            await tx.execute(channel.update().where(sms).values(why="", test_said=""))


async def test_the_other_plane_is_one_press_away(desk: Page, tocsin: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tocsin.node.platform.settings, "other_plane", "https://drill.example/console")
    await desk.goto(f"{tocsin.url}/console")
    link = desk.get_by_role("link", name="To the drill system, another site")
    assert "https://drill.example/console" == await link.get_attribute("href")


async def test_it_renews_itself_and_keeps_what_is_typed(
    browser: Browser, tocsin: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new warning comes by itself; the alert that is being pasted, and the focus, stay."""
    monkeypatch.setattr(pages, "RENEWED_S", 1)
    context = await browser.new_context(java_script_enabled=True)
    page = await context.new_page()
    await context.request.post(f"{tocsin.url}/console/sign-in", form={"key": tocsin.key})
    await page.goto(f"{tocsin.url}/console")
    await page.fill("#text", "<alert>half a")
    warning_id = await tocsin.warn(alerts.flood("FIRST-3"))
    came = page.locator(f"#standing a[href='/live/{warning_id}']")
    await expect(came).to_be_visible(timeout=10_000)
    await expect(page.locator("#text")).to_be_focused()
    assert "<alert>half a" == await page.input_value("#text")
    await came.focus()
    newer = await tocsin.warn(alerts.flood("FIRST-4"))
    await expect(page.locator(f"#standing a[href='/live/{newer}']")).to_be_visible(timeout=10_000)
    await expect(came).to_be_focused()
    await context.close()
