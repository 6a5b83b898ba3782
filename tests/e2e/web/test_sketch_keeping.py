"""Saving the form of a sketch takes nothing away that its page does not show to whoever saves it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from msgspec.structs import replace
from playwright.async_api import Browser

from services.gateway.drafting import sketch_store
from services.gateway.drafting.sketch import SketchContent, Wording
from services.shared.powers.who import ACTIONS, Who
from services.shared.tiers import Tier
from tests.e2e.web.test_sketch import NANLING, Writer, signed_in, with_areas
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
FLOOD = SketchContent(hazard="flash_flood", tier="red", instruction="leave", areas=("zone=N1",))


@pytest_asyncio.fixture(loop_scope="session")
async def writer(browser: Browser, tocsin: Town) -> AsyncIterator[Writer]:
    await with_areas(tocsin)
    made = await signed_in(browser, tocsin)
    yield made
    await made.page.context.close()


async def begun(town: Town, content: SketchContent) -> str:
    who = Who("k", "Li Na", town.authority, ACTIONS, int(Tier.RED))
    async with town.node.platform.database.write() as tx:
        return await sketch_store.begin(tx, who, content, town.clock.now())


async def written(town: Town, sketch_id: str) -> SketchContent:
    async with town.node.platform.database.read() as db:
        return (await sketch_store.stored(db, sketch_id)).written


async def saved(writer: Writer, sketch_id: str) -> SketchContent:
    """After another headline was typed and saved."""
    await writer.page.goto(f"{writer.town.url}/send/{sketch_id}")
    await writer.page.locator("#headline-en").fill("Water")
    await writer.page.get_by_role("button", name="Save").last.click()
    found = await written(writer.town, sketch_id)
    assert "Water" == found.words["en"].headline
    return found


async def test_every_area_that_was_chosen_stays_chosen(writer: Writer, tocsin: Town):
    """Also a code the register has no area of, as an update brings it."""
    sketch_id = await begun(tocsin, replace(FLOOD, areas=("zone=N1", "SAME=006021")))
    assert ("zone=N1", "SAME=006021") == (await saved(writer, sketch_id)).areas
    assert await writer.page.get_by_label("SAME 006021").is_checked()


async def test_a_colleague_with_a_smaller_grant_takes_nothing_away(browser: Browser, writer: Writer, tocsin: Town):
    """Neither the tier above theirs nor the area beyond theirs: the page says that they may not hand it in."""
    sketch_id = await begun(tocsin, replace(FLOOD, areas=("zone=N1", "zone=N2")))
    other = await signed_in(browser, tocsin, area=NANLING, max_tier=Tier.ORANGE)
    found = await saved(other, sketch_id)
    assert ("red", ("zone=N1", "zone=N2")) == (found.tier, found.areas)
    assert "may go up to orange, not red" in await other.shown()
    await other.page.context.close()


async def test_words_of_a_language_that_is_left_out_are_kept(writer: Writer, tocsin: Town):
    """A further language can be taken away again; chosen once more, what was typed in it stands there."""
    sketch_id = await begun(tocsin, replace(FLOOD, languages=("es",), words={"es": Wording(headline="Crecida")}))
    page = writer.page
    await page.goto(f"{tocsin.url}/send/{sketch_id}")
    assert "Crecida" == await page.locator("#headline-es").input_value()
    await page.locator("input[name=languages][value=es]").uncheck()
    await page.get_by_role("button", name="Save").last.click()
    assert 0 == await page.locator("#headline-es").count()
    assert () == (await saved(writer, sketch_id)).languages
    await page.locator("input[name=languages][value=es]").check()
    await page.get_by_role("button", name="Save").last.click()
    assert "Crecida" == await page.locator("#headline-es").input_value()


async def test_a_template_does_not_say_that_a_place_is_open(writer: Writer, tocsin: Town):
    """Whoever begins with it has that confirmed anew."""
    to = {"en": "Nanling School", "zh-Hans": "南岭学校"}
    sketch_id = await begun(tocsin, replace(FLOOD, place_to=to, place_open=True))
    page = writer.page
    await page.goto(f"{tocsin.url}/send/{sketch_id}")
    await page.get_by_text("Keep it as a template").click()
    await page.locator("#template").fill("To the school")
    await page.get_by_role("button", name="Keep it").click()
    await page.get_by_role("link", name="To the school").click()
    await page.get_by_role("button", name="Where the template says").click()
    assert "not confirmed open" in await writer.shown()
    assert 0 == await page.get_by_role("button", name="Hand in for approval").count()
