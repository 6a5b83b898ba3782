"""A warning watched, a call taken and handed over, and the end of it: on a phone, without scripts, by keyboard alone."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from playwright.async_api import Locator, Page

from services.router.store.cases import case
from tests.e2e.web.conftest import PHONE
from tests.e2e.web.test_cases import texted, writes
from tests.kit import alerts
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = 40
FOCUSED = "e => e === document.activeElement"
MOST_STEPS = 120


async def tab_to(page: Page, wanted: Locator) -> None:
    """Steps on until it is focused, as whoever sees the ring does."""
    for _ in range(MOST_STEPS):
        if await wanted.evaluate(FOCUSED):
            ring = await wanted.evaluate("e => getComputedStyle(e).outlineStyle")
            assert "none" != ring
            return
        await page.keyboard.press("Tab")
    pytest.fail(f"{wanted} cannot be come to by keyboard")


async def press(page: Page, wanted: Locator, key: str = "Enter") -> None:
    """Goes there and presses; a page follows."""
    await tab_to(page, wanted)
    async with page.expect_navigation(wait_until="load"):
        await page.keyboard.press(key)


async def write(page: Page, label: str, text: str) -> None:
    """Goes to the field, writes, and presses Enter: nothing is sent."""
    await tab_to(page, page.get_by_label(label))
    await page.keyboard.type(text)
    before = page.url
    await page.keyboard.press("Enter")
    assert before == page.url
    assert text == await page.get_by_label(label).input_value()


async def calls(tocsin: Town, warning_id: str, n: int) -> None:
    for one, delivery_id in enumerate((await texted(tocsin, warning_id))[:n]):
        await writes(tocsin, delivery_id, "help please", f"SM{warning_id[:8]}{one}")
    await tocsin.settle()


async def owner(tocsin: Town, warning_id: str) -> str:
    rows = await tocsin.rows(sa.select(case.c.taken_by).where(case.c.warning_id == warning_id))
    return str(rows[0].taken_by)


async def test_from_the_sign_in_to_the_end(page: Page, tocsin: Town) -> None:
    warning_id = await tocsin.warn(alerts.flood("KEYS-1"))
    await calls(tocsin, warning_id, 1)
    await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    await page.goto(f"{tocsin.url}/console/sign-in")
    await tab_to(page, page.locator("#key"))
    await page.keyboard.type(tocsin.key)
    async with page.expect_navigation(wait_until="load"):
        await page.keyboard.press("Enter")
    await press(page, page.locator(f"main a[href='/live/{warning_id}']").first)
    await press(page, page.get_by_role("link", name="Hold still to read"))
    await press(page, page.locator("section[aria-labelledby=help] a.button"))

    await press(page, page.get_by_role("button", name="I have it"))
    assert "duty officer" == await owner(tocsin, warning_id)
    await tab_to(page, page.locator("summary", has_text="Hand over or close"))
    await page.keyboard.press("Enter")
    await write(page, "Hand over to (name)", "Li, fire service")
    assert "duty officer" == await owner(tocsin, warning_id)
    await press(page, page.get_by_role("button", name="Hand over"), "Space")
    assert "Li, fire service" == await owner(tocsin, warning_id)

    await page.goto(f"{tocsin.url}/live/{warning_id}/doors")
    await write(page, "Commander (name and office)", "Chen, county command")
    assert "ask" == (await tocsin.warning(warning_id)).doors
    await press(page, page.get_by_role("button", name="It is safe: send people to doors"))
    assert "allowed" == (await tocsin.warning(warning_id)).doors

    await page.goto(f"{tocsin.url}/live/{warning_id}?still=1")
    await press(page, page.get_by_role("link", name="End or correct this warning"))
    await tab_to(page, page.locator("[name=ending]").first)
    for _ in range(2):
        await page.keyboard.press("ArrowDown")
    assert await page.locator("[value=danger_lower_stay_away]").is_checked()
    await tab_to(page, page.locator("#reason"))
    await page.keyboard.type("the water falls")
    async with page.expect_navigation(wait_until="load"):
        await page.keyboard.press("Enter")  # shows the form again, with what was chosen
    assert "active" == (await tocsin.warning(warning_id)).state
    assert await page.locator("[value=danger_lower_stay_away]").is_checked()
    assert "the water falls" == await page.locator("#reason").input_value()
    await press(page, page.get_by_role("button", name="End it and tell everybody"))
    await tocsin.settle()
    assert "cancelled" == (await tocsin.warning(warning_id)).state


async def test_a_sign_in_that_ended_leads_back_to_what_was_being_done(desk: Page, tocsin: Town) -> None:
    """What was pressed meanwhile did nothing, and the list says so."""
    warning_id = await tocsin.warn(alerts.flood("KEYS-2"))
    await calls(tocsin, warning_id, 1)
    await desk.goto(f"{tocsin.url}/live/{warning_id}/cases?kind=help")
    await desk.context.clear_cookies()
    await desk.get_by_role("button", name="I have it").click()
    assert "/console/sign-in?to=" in desk.url
    await desk.fill("#key", tocsin.key)
    await desk.click("main button")
    assert f"{tocsin.url}/live/{warning_id}/cases?kind=help" == desk.url
    assert "NO OWNER" in await desk.inner_text("article")
    assert "" == await owner(tocsin, warning_id)
