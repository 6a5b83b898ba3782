"""Where a warning is, drawn on a map: what is drawn is the GeoJSON of the form, and saves itself like what is typed."""

from __future__ import annotations

import json
import re

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, expect

from tests.e2e.web.test_accessible import LOOK
from tests.e2e.web.test_sketch import Writer, signed_in, with_areas
from tests.kit import alerts
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = 60


async def at_the_map(browser: Browser, tocsin: Town) -> tuple[Writer, list[str]]:
    said: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            said.append(message.text)

    await with_areas(tocsin)
    mine = await signed_in(browser, tocsin, scripts=True)
    mine.page.on("console", note)
    mine.page.on("pageerror", lambda fault: said.append(str(fault)))
    await mine.page.goto(f"{tocsin.url}/send/new?template=flash_flood.red.leave")
    await mine.page.get_by_role("button", name="Several areas").click()
    await mine.page.wait_for_url("**/send/*")
    return mine, said


async def pasted(page: Page) -> list[list[list[list[float]]]]:
    text = await page.input_value("#geojson")
    return [one["geometry"]["coordinates"] for one in json.loads(text)["features"]] if text else []


async def test_an_outline_and_a_circle_are_drawn_and_saved(browser: Browser, tocsin: Town) -> None:
    """Corner by corner, closed by Enter; a circle by its middle and edge; both are there when the page is loaded again."""
    mine, said = await at_the_map(browser, tocsin)
    page = mine.page
    await expect(page.locator("#draw[data-ready=yes]")).to_be_visible(timeout=20_000)
    box = await page.locator("#map canvas").bounding_box()
    assert box is not None
    await page.locator("#map").scroll_into_view_if_needed()
    box = await page.locator("#map canvas").bounding_box()
    assert box is not None
    x, y = box["x"], box["y"]
    await page.get_by_role("button", name="Draw an outline").click()
    await expect(page.locator("#map canvas")).to_be_focused()
    for dx, dy in ((100, 80), (300, 80), (300, 200)):
        await page.mouse.move(x + dx, y + dy)
        await page.mouse.click(x + dx, y + dy)
    await page.keyboard.press("Enter")
    await expect(page.locator("#drawn")).to_contain_text("Drawn: 1.")
    (ring,) = (await pasted(page))[0]
    assert 4 == len(ring)
    assert ring[0] == ring[-1]
    await page.get_by_role("button", name="Draw a circle").click()
    await page.mouse.click(x + 450, y + 150)
    await page.mouse.move(x + 480, y + 150)
    await page.mouse.click(x + 480, y + 150)
    await expect(page.locator("#drawn")).to_contain_text("Drawn: 2.")
    await page.get_by_role("button", name="Save").last.click()
    await page.wait_for_load_state()
    assert 2 == len(await pasted(page))
    assert "km2" in await page.locator("figure figcaption").first.inner_text()
    await expect(page.locator("#draw[data-ready=yes]")).to_be_visible(timeout=20_000)
    assert [] == await page.evaluate(LOOK)
    await page.get_by_role("button", name="Take away what is drawn").click()
    assert [] == await pasted(page)
    assert [] == said


async def test_without_a_map_the_other_ways_stay(browser: Browser, tocsin: Town) -> None:
    """Where a browser cannot draw it is said, and what is typed counts."""
    mine, _ = await at_the_map(browser, tocsin)
    page = mine.page
    await page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null;")
    await page.reload()
    await expect(page.locator("#drawn")).to_contain_text("No map can be drawn on here.", timeout=20_000)
    assert await page.locator("#map").is_hidden()
    await page.locator("summary", has_text="A circle").click()
    await page.fill("#circle", "30.0, 103.0, 4")
    await page.get_by_role("button", name="Save").last.click()
    await page.wait_for_load_state()
    assert 1 == await page.locator("figure svg .sketched").count()


async def test_whoever_decides_sees_where_it_is(desk: Page, tocsin: Town) -> None:
    """The ground of the alert over the register's areas, by name; a code that no table knows has no picture."""
    await with_areas(tocsin)
    shown = await tocsin.draft(alerts.flood("DRAWN-1"))
    unknown = await tocsin.draft(alerts.codes_only("DRAWN-2"))
    await tocsin.settle()
    await desk.goto(f"{tocsin.url}/live/{shown}/preview")
    assert 1 == await desk.locator("figure svg .sketched").count()
    assert "Nanling" in (await desk.locator("figure svg").text_content() or "")
    assert re.search(r"[\d.]+ km2", await desk.locator("figure figcaption").inner_text())
    assert [] == await desk.evaluate(LOOK)
    await desk.goto(f"{tocsin.url}/live/{unknown}/preview")
    assert 0 == await desk.locator("figure svg").count()
