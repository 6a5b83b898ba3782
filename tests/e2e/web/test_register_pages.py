"""Residents' own pages and those of who looks people up, in a real browser without JavaScript: walked and looked at."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page

from services.registry.importing.write import import_people
from services.registry.model.given import PersonIn, SupporterIn, Wg, mobile
from services.registry.people import repository
from services.registry.store.resident_tables import challenge
from services.shared.crypto.one_time_codes import one_time_code
from tests.e2e.web.conftest import DESK
from tests.e2e.web.test_accessible import LOOK
from tests.kit import alerts
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = 10
NUMBER, HELPER = "+99970001234", "+99970004321"
SMALL = {"width": 320, "height": 640}
PHONE = {"width": 360, "height": 760}
PICTURES = os.environ.get("TOCSIN_PICTURES", "")  # a folder: every page is kept there as a picture, to be looked at


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def person(tocsin: Town) -> PersonIn:
    """With needs, two channels and two helpers, of whom one has agreed."""
    helpers = (
        SupporterIn(name="Mei", contacts=mobile(HELPER), accepted=True, relation="neighbour", can=("relay", "wake")),
        SupporterIn(name="Guo", contacts=mobile("+99970004322")),
    )
    one = PersonIn(
        person_id="5" * 32, call_name="Zhao Lan", address="3 Willow Yard", lat=30.02, lon=103.02, grid_id="G-1",
        zone_id="Z-1", birth_year=1951, wg=Wg(hear=4, walk=3), modes=("plain_text", "sign"), sign_lang="csl",
        moves="wheelchair", carriers_needed=2, lives_alone=True, contacts=mobile(NUMBER), supporters=helpers,
    )  # fmt: skip
    platform = tocsin.node.platform
    await import_people(platform.database, platform.keys, [one], year=2026, fictional=True)
    return one


async def sign_in(page: Page, tocsin: Town, number: str) -> None:
    """As a resident does: number, code, and they are in."""
    async with tocsin.node.platform.database.write() as tx:
        await tx.execute(challenge.delete())  # three an hour, and these tests are one after the other
    await page.goto(f"{tocsin.url}/me")
    await page.get_by_role("link").filter(has_text="phone").first.click()
    await page.fill("#number", number)
    await page.get_by_role("button").click()
    await page.wait_for_url("**/me/code*")
    challenge_id = page.url.partition("c=")[2]
    await page.fill("#code", one_time_code(tocsin.node.platform.signer("residents"), challenge_id))
    await page.get_by_role("button").click()


@pytest_asyncio.fixture(loop_scope="session")
async def phone(browser: Browser) -> AsyncIterator[BrowserContext]:
    made = await browser.new_context(viewport=PHONE, java_script_enabled=False)  # type: ignore[arg-type]
    made.set_default_timeout(10_000)
    yield made
    await made.close()


@pytest.mark.long
async def test_a_resident_walks_through_her_pages(tocsin: Town, person: PersonIn, phone: BrowserContext) -> None:
    """On a small phone, with nothing but links and buttons: a fact, a channel, a day away, a purpose, the way out."""
    page = await phone.new_page()
    await sign_in(page, tocsin, NUMBER)
    await page.wait_for_url("**/me/home")
    await page.get_by_role("link", name="See all that is stored about me").click()
    await page.get_by_role("link", name=re.compile("^Change.*: How you move")).click()
    assert await page.get_by_label("In a wheelchair").is_checked()
    await page.get_by_label("With a stick or a frame").check()
    await page.get_by_role("button", name="Save").click()
    assert "Saved." in await page.inner_text("main")
    assert "With a stick or a frame" in await page.inner_text("main")
    await page.goto(f"{tocsin.url}/me/away")
    await page.fill("#until", "2026-06-15")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("link", name="Choose how I am warned").click()
    await page.get_by_role("button", name="Try it earlier").first.click()
    assert "Call to the mobile" in await page.locator("ol h2").first.inner_text()
    await page.goto(f"{tocsin.url}/me/purposes")
    await page.get_by_role("link", name="I take part in drills").click()
    await page.get_by_label("No").check()
    await page.get_by_role("button", name="Save").click()
    assert "I take part in drills: No" in " ".join((await page.inner_text("main")).split())
    await page.goto(f"{tocsin.url}/me/home")
    await page.get_by_role("button", name="Sign out").click()
    await page.goto(f"{tocsin.url}/me/stored")
    assert page.url.endswith("/me")


async def test_whoever_looks_walks_from_the_search_to_the_locked_values(
    tocsin: Town, person: PersonIn, desk: Page
) -> None:
    """Search, reason, the masked page, a second reason, and only then the name."""
    await desk.goto(f"{tocsin.url}/people")
    await desk.get_by_label("Grid").check()
    await desk.fill("#value", "G-1")
    await desk.fill("#reason", "case 12: new door code")
    await desk.get_by_role("button", name="Search").click()
    await desk.get_by_role("link", name="Z…").click()
    await desk.fill("#reason", "case 12: new door code")
    await desk.get_by_role("button", name="Look, and write it down").click()
    assert person.call_name not in await desk.inner_text("main")
    await desk.fill("#reason", "case 12: phone her about it")
    await desk.get_by_role("button", name="Open them").click()
    shown = await desk.inner_text("main")
    assert [] == [value for value in (person.call_name, person.address, NUMBER, HELPER) if value not in shown]


@pytest.mark.parametrize(
    ("language", "size"),
    [
        ("zh", SMALL),
        pytest.param("en", PHONE, marks=pytest.mark.slow),
        pytest.param("en", DESK, marks=pytest.mark.slow),
    ],
)
@pytest.mark.long
async def test_every_page_can_be_used_by_everybody(
    tocsin: Town, person: PersonIn, browser: Browser, language: str, size: dict[str, int]
) -> None:
    """No finding on any of them, with an error too."""
    warning_id = await tocsin.warn(alerts.flood("R-FLOOD"), doors="safe")
    assert warning_id
    signer = tocsin.node.platform.signer("residents")
    async with tocsin.node.platform.database.read() as db:
        record = await repository.load_one(db, person.person_id)
    invitation = signer.token("helper", next(k for k, row in record.supporters.items() if not row["accepted_on"]))
    own = [
        "/me/home", "/me/stored", "/me/stored?saved=1", "/me/looks", "/me/plan", "/me/channels", "/me/channels?said=test_sent",
        "/me/device",
        "/me/helpers", "/me/helpers/add", "/me/purposes", "/me/purposes/drill", "/me/away", "/me/not-mine", "/me/withdraw",
        "/me/answer/hear", "/me/answer/modes", "/me/answer/floor", "/me/answer/lives_alone", "/me/text/wake",
    ]  # fmt: skip
    found: dict[str, list[str]] = {}

    async def look(page: Page, name: str) -> None:
        if problems := await page.evaluate(LOOK):
            found[name] = problems
        if PICTURES:
            await page.screenshot(path=str(Path(PICTURES) / f"{name.strip('/').replace('/', '-')}.png"), full_page=True)

    context = await browser.new_context(viewport=size)  # type: ignore[arg-type]
    page, mark = await context.new_page(), f"{language}-{size['width']}"
    for path in ("/me", "/me/start", "/me/code?c=1"):
        await page.goto(f"{tocsin.url}{path}{'&' if '?' in path else '?'}lang={language}")
        await look(page, f"{path.partition('?')[0]}-{mark}")
    await page.goto(f"{tocsin.url}/me/start?lang={language}")
    await page.fill("#number", "12")
    await page.locator("main button").click()
    await look(page, f"/me/start-wrong-{mark}")
    if language == "zh":
        await page.goto(f"{tocsin.url}/me/helper/{invitation}?lang={language}")
        await look(page, f"/me/helper-{mark}")
    await page.goto(f"{tocsin.url}/me?lang=en")
    await sign_in(page, tocsin, NUMBER)
    await page.goto(f"{tocsin.url}/me/home?lang={language}")
    for path in own if language == "en" else own[1::3]:
        await page.goto(tocsin.url + path)
        await look(page, f"{path.replace('?', '-')}-{mark}")
    await page.goto(f"{tocsin.url}/me/answer/hear")
    await context.close()
    context = await browser.new_context(viewport=size)  # type: ignore[arg-type]
    page, mark = await context.new_page(), str(size["width"])
    await page.goto(f"{tocsin.url}/console/sign-in")
    await page.fill("#key", tocsin.key)
    await page.get_by_role("button", name="Sign in").click()
    for path in ("/people", "/people/unlock", f"/people/{person.person_id}"):
        await page.goto(tocsin.url + path)
        await look(page, f"{path.replace(person.person_id, 'ask')}-{mark}")
    await page.fill("#reason", "case 12: new door code")
    await page.locator("main button").first.click()
    await look(page, f"/people-person-{mark}")
    await page.fill("#reason", "case 12: phone her about it")
    await page.locator("main button").first.click()
    await look(page, f"/open-{mark}")
    await page.goto(f"{tocsin.url}/people")
    await page.check("input[value=grid]")
    await page.fill("#value", "G-1")
    await page.fill("#reason", "case 12: new door code")
    await page.locator("main button").first.click()
    await look(page, f"/people-found-{mark}")
    await context.close()
    assert {} == found
