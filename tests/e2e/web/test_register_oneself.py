"""The pages on which residents register, in a real browser: walked without JavaScript, and looked at in both languages."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page

from services.gateway.intake.incoming import from_cap
from services.registry.importing.write import import_areas
from services.registry.model.facilities import AreaIn
from services.registry.store.resident_tables import challenge
from services.shared.crypto.one_time_codes import one_time_code
from tests.e2e.web.conftest import DESK
from tests.e2e.web.test_accessible import LOOK
from tests.kit import alerts
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = 10
SMALL = {"width": 320, "height": 640}


async def villages(tocsin: Town) -> None:
    area = from_cap(alerts.flood().encode(), strict=False).area
    names = ("Hedong", "Xiawan", "Hedong")
    some = [AreaIn(value_name="村", code=f"51010{n}", name=name, geojson=area) for n, name in enumerate(names)]
    await import_areas(tocsin.node.platform.database, some)


async def on(page: Page, *, skip: bool = False) -> None:
    """Presses the page's first button, or the one beside it."""
    await page.locator("main form[method=post] button").nth(1 if skip else 0).click()


@pytest.mark.parametrize(("language", "size"), [("zh", SMALL), ("en", DESK)])
@pytest.mark.long
async def test_a_resident_registers_with_links_and_buttons_alone(
    tocsin: Town, browser: Browser, language: str, size: dict[str, int]
) -> None:
    """From the first page to the end; nothing on any page keeps anybody out; letters may be twice as large."""
    await villages(tocsin)
    async with tocsin.node.platform.database.write() as tx:
        await tx.execute(challenge.delete())
    context = await browser.new_context(viewport=size)  # type: ignore[arg-type]
    context.set_default_timeout(10_000)
    page, found = await context.new_page(), dict[str, list[str]]()

    async def look(name: str) -> None:
        for letters in ("", "200%"):
            await page.evaluate(f"document.documentElement.style.fontSize = '{letters}'")
            if problems := await page.evaluate(LOOK):
                found[f"{name} {letters}"] = problems

    await page.goto(f"{tocsin.url}/?lang={language}")
    await page.locator("main a[href='/register']").click()
    await look("first")
    await page.locator("main a.button").click()
    await on(page)
    await look("whom, wrong")
    await page.check("#whom-self")
    await on(page)
    await page.fill("#name", "Zhao Lan")
    await on(page)
    await look("where")
    await on(page)
    await look("where, wrong")
    await page.select_option("#village", index=2)
    await page.fill("#address", "3 Willow Yard")
    await on(page)
    await page.fill("#born", "１９５０")
    await on(page)
    await look("needs")
    await page.check("#needs-wheelchair")
    await on(page)
    await on(page, skip=True)
    await page.check("#reach-mobile")
    await on(page)
    await page.fill("#number", f"+99981{size['width']:06d}")
    await look("number")
    await on(page)
    await look("helper")
    await on(page, skip=True)
    await look("agree")
    await page.check("#agree-yes")
    await on(page)
    await look("check")
    said = await page.inner_text("dl")
    assert "1950" in said
    assert "3 Willow Yard" in said
    await page.locator("dl a").nth(1).click()  # changes the name, and comes back
    await page.fill("#name", "Zhao Li")
    await on(page)
    assert "Zhao Li" in await page.inner_text("dl")
    await on(page)
    await look("code")
    [row] = await tocsin.rows(challenge.select())
    await page.fill("#code", one_time_code(tocsin.node.platform.signer("residents"), row.challenge_id))
    await on(page)
    assert page.url.endswith("/register/done?how=self")
    await look("done")
    await page.locator("a.button").click()
    assert page.url.endswith("/me/home")
    await context.close()
    assert {} == found


@pytest.mark.long
async def test_a_worker_and_whoever_goes_to_see_people(tocsin: Town, desk: Page) -> None:
    """The same questions at the desk, and the list of whom to visit, found from the page where people are looked up."""
    await villages(tocsin)
    await desk.goto(f"{tocsin.url}/people")
    await desk.get_by_role("link", name="Register somebody who sits beside you").click()
    await desk.locator("main a.button").click()
    for _ in range(7):
        await on(desk, skip=True)
    await desk.check("#agree-yes")
    await desk.check("#method-in_person")
    await on(desk)
    await on(desk)
    assert "stands on the list of whom to go and see" in await desk.inner_text("main")
    await desk.goto(f"{tocsin.url}/people")
    await desk.get_by_role("link", name="Whom to go and see").click()
    await desk.get_by_label("Their village").select_option(label="Xiawan")
    await desk.get_by_role("button", name="Visited: they are to be warned").click()
    assert "Nobody waits for a visit." in await desk.inner_text("main")
