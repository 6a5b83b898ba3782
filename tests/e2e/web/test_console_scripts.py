"""With a script the console's pages have htmx, and the map loads; the policy is broken nowhere. Without, nothing is missing."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page

from services.shared.web.console_scripts import SCRIPTS
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = 24


@pytest_asyncio.fixture(loop_scope="session")
async def scripted(browser: Browser, tocsin: Town) -> AsyncIterator[Page]:
    """The duty officer's console in a browser that runs scripts."""
    context = await browser.new_context(java_script_enabled=True)
    page = await context.new_page()
    await context.request.post(f"{tocsin.url}/console/sign-in", form={"key": tocsin.key})
    yield page
    await context.close()


async def test_scripts_run_and_nothing_is_refused(scripted: Page, tocsin: Town) -> None:
    said: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            said.append(message.text)

    scripted.on("console", note)
    scripted.on("pageerror", lambda fault: said.append(str(fault)))
    await scripted.goto(f"{tocsin.url}/console")
    assert "object" == await scripted.evaluate("typeof htmx")
    names = await scripted.evaluate(
        """async ([map, draw, adapter]) => [
            typeof (await import(map)).Map, typeof (await import(draw)).TerraDraw,
            typeof (await import(adapter)).TerraDrawMapLibreGLAdapter]""",
        [SCRIPTS.address(name) for name in ("maplibre-gl.mjs", "terra-draw.module.js",
                                            "terra-draw-maplibre-gl-adapter.module.js")],
    )  # fmt: skip
    assert ["function"] * 3 == names
    assert [] == said


async def test_a_script_inside_a_page_is_refused(scripted: Page, tocsin: Town) -> None:
    await scripted.goto(f"{tocsin.url}/console")
    await scripted.evaluate(
        """() => { const one = document.createElement('script'); one.textContent = 'window.ran = 1';
                   document.body.append(one); }"""
    )
    assert await scripted.evaluate("window.ran === undefined")


async def test_residents_pages_run_none(browser: Browser, tocsin: Town) -> None:
    page = await browser.new_page()
    await page.goto(f"{tocsin.url}/public/check")
    assert 0 == await page.locator("script").count()
    await page.close()
