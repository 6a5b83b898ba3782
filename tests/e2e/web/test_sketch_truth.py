"""What the check of a sketch says is what will be handed in, and what it does to the warning that is out."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.e2e.web.test_sketch import Writer, signed_in, with_areas
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def writer(browser: Browser, tocsin: Town) -> AsyncIterator[Writer]:
    await with_areas(tocsin)
    made = await signed_in(browser, tocsin)
    yield made
    await made.page.context.close()


async def handed_in_and_sent(writer: Writer) -> str:
    """From the sketch that is open; its id."""
    town = writer.town
    await writer.page.get_by_role("button", name="Check before handing in").click()
    await writer.click("button", "Hand in for approval")
    warning_id = writer.page.url.split("/live/")[1].split("/")[0]
    await town.settle()
    answer = await town.call("POST", f"/api/v1/warnings/{warning_id}/release", {"doors": "safe"})
    assert "active" == answer[1]["state"]
    await town.settle()
    town.clock.advance_to(town.clock.now() + 600)
    return warning_id


async def test_a_link_that_nobody_gets_is_not_shown_as_said(writer: Writer):
    """Links to strange hosts are taken out when a warning comes in, so the check shows the words without them."""
    await writer.begun()
    await writer.page.locator("#action-en").fill("Leave now, on foot. See http://evil.example/now and go uphill.")
    await writer.page.get_by_role("button", name="Check before handing in").click()
    said = " ".join(await writer.page.locator("dd.bubble").all_inner_texts())
    assert "Leave now, on foot." in said
    assert "evil.example" not in said
    assert "links are taken out of what people get (http://evil.example/now)" in await writer.shown()


async def test_an_update_of_what_a_colleague_updated_meanwhile_says_so(writer: Writer, tocsin: Town):
    """It takes the place of the newer one, and what it changes is said of that one."""
    await writer.begun()
    first = await handed_in_and_sent(writer)
    addresses = []
    for _ in range(2):
        await writer.page.goto(f"{tocsin.url}/live/{first}?still=1")
        await writer.page.get_by_role("button", name="Update it").click()
        addresses.append(writer.page.url)
    await writer.page.locator("#headline-en").fill("The newer word")
    second = await handed_in_and_sent(writer)
    await writer.page.goto(addresses[0])
    await writer.page.get_by_role("button", name="Check before handing in").click()
    shown = await writer.shown()
    assert "was updated meanwhile: this takes the place of" in shown
    assert "goes out as a new warning" not in shown
    assert "The newer word" in await writer.page.locator("section[aria-labelledby=changes]").inner_text()
    third = await handed_in_and_sent_from_check(writer)
    assert ("superseded", "active") == (await tocsin.state(second), await tocsin.state(third))


async def handed_in_and_sent_from_check(writer: Writer) -> str:
    await writer.click("link", "Change it")
    return await handed_in_and_sent(writer)


async def test_whoever_lowers_a_red_is_not_told_that_they_send_it_alone(writer: Writer, tocsin: Town):
    """They may send yellow alone; a word about a red that went out takes two."""
    await writer.begun()
    first = await handed_in_and_sent(writer)
    await writer.page.goto(f"{tocsin.url}/live/{first}?still=1")
    await writer.page.get_by_role("button", name="Update it").click()
    await writer.page.locator("input[name=tier][value=yellow]").check()
    await writer.page.get_by_role("button", name="Check before handing in").click()
    shown = await writer.shown()
    assert "Another person decides, and is paged now" in shown
    assert (
        "Leave now, on foot" in shown
    )  # the words of an update are those that went out, whatever the template of another tier
