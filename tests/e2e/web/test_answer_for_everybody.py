"""The answer page for whoever reads, hears or sees otherwise: easy words, the words of the sound, the area by its villages."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.async_api import Page

from services.gateway.intake.incoming import from_cap
from services.registry.importing.write import import_areas
from services.registry.model.facilities import AreaIn
from tests.e2e.web.test_accessible import LOOK
from tests.kit import alerts
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = 20
PICTURES = os.environ.get("TOCSIN_PICTURES", "")  # a folder: pages are kept there, to be looked at
FAR = '{"type":"Polygon","coordinates":[[[10,10],[10.1,10],[10.1,10.1],[10,10.1],[10,10]]]}'


async def test_easy_words_villages_and_what_is_said(page: Page, tocsin: Town) -> None:
    """Each by a link, in large letters too; an answer keeps them; what is over says only that."""
    area = from_cap(alerts.flood().encode(), strict=False).area
    some = [AreaIn(value_name="村", code=str(n), name=f"Village {n:02d}", geojson=area) for n in range(32)]
    whole = AreaIn(value_name="村", code="town", name="The whole town", geojson=area)
    child = AreaIn(value_name="村", code="part", name="A part of it", geojson=area, parent="town")
    elsewhere = AreaIn(value_name="村", code="far", name="Far away", geojson=FAR)
    await import_areas(tocsin.node.platform.database, [*some, whole, child, elsewhere])
    warning_id = await tocsin.warn(alerts.flood("EVERYBODY"))
    link = tocsin.answer_link(await tocsin.delivery_of(warning_id, "person"))
    await page.set_viewport_size({"width": 320, "height": 640})

    async def seen(name: str) -> str:
        assert [] == await page.evaluate(LOOK), name
        if PICTURES:
            await page.screenshot(path=str(Path(PICTURES) / f"answer-{name}.png"), full_page=True)
        return str(await page.inner_text("main"))

    await page.goto(f"{link}?lang=en")
    shown = await seen("usual")
    assert "Village 00" in shown
    assert "A part of it" in shown
    assert "The whole town" not in shown, "its parts are named"
    assert "Far away" not in shown
    assert "and 3 more" in shown
    own = await page.inner_text("h1")
    await page.get_by_role("link", name="Easy words").click()
    shown = await seen("easy")
    lines = await page.locator("ul.easy li").all_inner_texts()
    assert lines, shown
    assert own not in shown
    assert all(len(line) < 90 for line in lines), lines
    assert any(line.startswith("No. ") for line in lines), "a number stays with its word"
    assert "reply 2" not in shown, "here one presses a button"
    await page.get_by_role("link", name="Large letters").click()
    await seen("easy and large")
    assert await page.locator("ul.easy li").count()
    await page.get_by_role("button", name="I need help").click()
    assert await page.locator("ul.easy li").count(), "the answer keeps the words"
    await page.get_by_role("link", name="The authority's own words").click()
    assert own == await page.inner_text("h1")
    await page.goto(f"{link}?lang=zh-Hans&easy=1")
    assert await page.locator("ul.easy li").count() > 1
    await seen("easy in Chinese")
    await tocsin.cancel(warning_id, "sent_by_mistake")
    await page.goto(f"{link}?lang=en&easy=1")
    shown = await seen("over")
    assert "Village 00" not in shown
    assert 0 == await page.locator("ul.easy").count()
