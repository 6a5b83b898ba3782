"""The preview while people are counted: with a script it changes in place, and the page is not loaded anew."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from tests.kit import alerts
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = 24


async def test_what_is_focused_stays_so_while_people_are_counted(browser: Browser, tocsin: Town) -> None:
    draft = await tocsin.draft(alerts.flood("COUNTING-1"))
    context = await browser.new_context(java_script_enabled=True)
    page = await context.new_page()
    await context.request.post(f"{tocsin.url}/console/sign-in", form={"key": tocsin.key})
    await page.goto(f"{tocsin.url}/live/{draft}/preview")
    assert "Counting whom it reaches" in await page.inner_text("main")
    assert 0 == await page.locator("head > meta[http-equiv=refresh]").count()
    link = page.get_by_role("link", name="Channels")
    await link.focus()
    await tocsin.settle()
    await expect(page.locator("#whom")).to_contain_text("people in the area", timeout=15_000)
    await expect(link).to_be_focused()
    assert f"{tocsin.url}/live/{draft}/preview" == page.url
    await context.close()
