"""Fixtures: a running Tocsin with a small community, one for each module, and one real browser for all of them."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

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


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tocsin(request: pytest.FixtureRequest) -> AsyncIterator[Town]:
    """With 150 people, or as many as the module's PEOPLE says; LOOKS_AT_ONCE there is open_town's."""
    at_once = getattr(request.module, "LOOKS_AT_ONCE", False)
    async with open_town(people=getattr(request.module, "PEOPLE", 150), looks_at_once=at_once) as made:
        yield made


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The browser the machine has; without one these tests fail, they are not left out."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.fail("no Chromium here: `make setup` (tools/setup.sh test) installs it")
    async with async_playwright() as playwright:
        made = await playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield made
        await made.close()


@asynccontextmanager
async def _window(browser: Browser) -> AsyncIterator[Page]:
    """A browser's only page, without JavaScript: every page has to work as plain forms."""
    made = await browser.new_context(viewport=DESK, java_script_enabled=False)  # type: ignore[arg-type]
    made.set_default_timeout(10_000)
    yield await made.new_page()
    await made.close()


async def _as_new(page: Page) -> None:
    """Nothing of an earlier test: no cookie, no other page, a screen. Without JavaScript a site can keep nothing else."""
    for other in page.context.pages:
        if other is not page:
            await other.close()
    await page.context.clear_cookies()
    await page.emulate_media(media="null")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def _residents_page(browser: Browser) -> AsyncIterator[Page]:
    async with _window(browser) as page:
        yield page


@pytest_asyncio.fixture(loop_scope="session")
async def page(_residents_page: Page) -> Page:
    """An empty page; its process is begun once a module."""
    await _as_new(_residents_page)
    await _residents_page.goto("about:blank")
    return _residents_page


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def _officers_page(browser: Browser) -> AsyncIterator[Page]:
    async with _window(browser) as page:
        yield page


@pytest_asyncio.fixture(loop_scope="session")
async def desk(_officers_page: Page, tocsin: Town) -> Page:
    """The duty officer's page, signed in; another browser than the residents'."""
    page = _officers_page
    await _as_new(page)
    # the form itself is walked in test_sign_in, and at the beginning of the whole way
    await page.context.request.post(f"{tocsin.url}/console/sign-in", form={"key": tocsin.key})
    await page.goto(f"{tocsin.url}/console")
    assert page.url.endswith("/console"), page.url
    return page


@pytest_asyncio.fixture(loop_scope="session")
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """A program, without cookies of its own."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as made:
        yield made
