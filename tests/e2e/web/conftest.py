"""Fixtures: a running Tocsin with a small community, one for each module, and a real browser without JavaScript."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.kit.town import Town, open_town

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Debian's Chromium as root and on a closed network: no sandbox, no calls home.
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
DESK = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tocsin(request: pytest.FixtureRequest) -> AsyncIterator[Town]:
    """With 150 people, or as many as the module's PEOPLE says; LOOKS_AT_ONCE there is open_town's."""
    at_once = getattr(request.module, "LOOKS_AT_ONCE", False)
    async with open_town(people=getattr(request.module, "PEOPLE", 150), looks_at_once=at_once) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """The browser the machine has; without one these tests fail, they are not left out."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.fail("no Chromium here: `make setup` (tools/setup.sh test) installs it")
    async with async_playwright() as playwright:
        made = await playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield made
        await made.close()


@pytest_asyncio.fixture(loop_scope="module")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """Without JavaScript: every page has to work as plain forms."""
    made = await browser.new_context(viewport=DESK, java_script_enabled=False)  # type: ignore[arg-type]
    made.set_default_timeout(10_000)
    yield made
    await made.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(context: BrowserContext) -> Page:
    return await context.new_page()


@pytest_asyncio.fixture(loop_scope="module")
async def desk(browser: Browser, tocsin: Town) -> AsyncIterator[Page]:
    """The duty officer's page, signed in; another browser than the residents'."""
    own = await browser.new_context(viewport=DESK, java_script_enabled=False)  # type: ignore[arg-type]
    own.set_default_timeout(10_000)
    page = await own.new_page()
    await page.goto(f"{tocsin.url}/console/sign-in")
    await page.fill("#key", tocsin.key)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/console")
    yield page
    await own.close()


@pytest_asyncio.fixture(loop_scope="module")
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """A program, without cookies of its own."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as made:
        yield made
