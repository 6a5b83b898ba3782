"""A resident's page in large print: from the first look for who reads so, and for anybody who asks."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from playwright.async_api import Page

from services.shared.ledger.tables import delivery
from tests.kit import alerts
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = 24
LARGE_PX = 18 * 4 / 3  # 18 points, the lower bound of large print


async def smallest(page: Page) -> float:
    """The smallest letters on the page, in pixels."""
    found: float = await page.evaluate(
        """() => Math.min(...[...document.querySelectorAll('main *')].filter(e => e.innerText && e.offsetParent)
               .map(e => parseFloat(getComputedStyle(e).fontSize)))"""
    )
    return found


async def test_who_reads_large_print_gets_a_page_in_it_and_stays_in_it(page: Page, tocsin: Town) -> None:
    """The buttons too; an answer leads back to the same letters; smaller ones are a tap away."""
    sent = await tocsin.warn(alerts.flood("FLOOD-LARGE"), doors="safe")
    one = await tocsin.delivery_of(sent, "person")
    async with tocsin.node.platform.database.write() as tx:
        await tx.execute(sa.update(delivery).where(delivery.c.delivery_id == one).values(form="large_print"))
    await page.set_viewport_size({"width": 360, "height": 780})
    await page.goto(tocsin.answer_link(one) + "?lang=en")
    assert await smallest(page) >= LARGE_PX
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.get_by_role("button", name="I need help").click()
    assert await page.get_by_role("status").count() == 1
    assert await smallest(page) >= LARGE_PX
    await page.get_by_role("link", name="Usual letters").click()
    assert await smallest(page) < LARGE_PX


async def test_anybody_may_ask_for_large_letters(page: Page, tocsin: Town) -> None:
    sent = await tocsin.warn(alerts.flood("FLOOD-LARGER"), doors="safe")
    one = await tocsin.delivery_of(sent, "person")
    await page.goto(tocsin.answer_link(one) + "?lang=en")
    assert await smallest(page) < LARGE_PX
    await page.get_by_role("link", name="Large letters").click()
    assert await smallest(page) >= LARGE_PX
    await page.get_by_role("button", name="I need help").click()
    assert await smallest(page) >= LARGE_PX
