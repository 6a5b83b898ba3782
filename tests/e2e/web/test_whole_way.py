"""The authority's whole way in a real browser with JavaScript off: from a pasted alert to its ending, and who it meets."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from playwright.async_api import Page

from services.router.report.pages import PREVIEW_PATIENCE_S
from services.shared.ledger.answers import answer_log
from services.shared.ledger.tables import delivery
from tests.kit import alerts
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def paste(desk: Page, tocsin: Town, cap: str) -> str:
    """Pastes an alert and waits until the preview shows its figures; the warning's id."""
    await desk.goto(f"{tocsin.url}/console")
    await desk.fill("#text", cap)
    await desk.get_by_role("button", name="See whom it reaches").click()
    assert "Counting whom it reaches ..." in await desk.inner_text("main")
    await tocsin.settle()
    await desk.wait_for_selector("button.danger")  # the page renews itself
    found = re.search(r"/live/([0-9a-f]{32})/preview(\?waited=\d+)?$", desk.url)
    assert found is not None, desk.url
    return found[1]


async def read(page: Page, url: str) -> str:
    """A page's words; a page that renews itself may cut a visit short, so it is asked to hold still."""
    await page.goto(f"{url}?still=1" if "/live/" in url else url)
    return await page.inner_text("main")


async def test_from_sign_in_to_the_ending(page: Page, tocsin: Town) -> None:
    """Key, paste, preview by group and channel, decide a held tier, send, see the missing, commander's word, end it."""
    desk = page
    await desk.goto(f"{tocsin.url}/console/sign-in")
    await desk.fill("#key", tocsin.key)
    await desk.get_by_role("button", name="Sign in").click()
    await desk.wait_for_url("**/console")
    warning_id = await paste(desk, tocsin, alerts.held())
    shown = await desk.inner_text("main")
    assert "HELD" in shown
    assert "132 people in the area" in shown
    assert re.search(r"deaf, signing\s+1\s+1\s+0", shown), "counts by group"
    assert re.search(r"call to the mobile\s+50", shown), "counts by channel"
    assert "What people will read (as for red, until the tier is decided)" in shown
    said = await desk.inner_text("section[aria-labelledby=said]")
    assert re.search(r"SMS \(\d x (gsm-7|ucs-2)\)\s+\S+", said), "the text of a short message, and its segments"
    assert "SMS, easy read" in said
    red = " ".join((await desk.locator("label", has=desk.locator("[value=red]")).inner_text()).split())
    assert red == "RED Go now tells 132 people, 33 doors at once, 3 without a channel"
    assert "held" == (await tocsin.warning(warning_id)).state

    await desk.check("input[name=tier][value=red]")
    await desk.fill("#reason", "the gauge at Hedong confirms it")
    await desk.get_by_role("button", name="Send at the tier I chose").click()
    await desk.wait_for_url(f"**/live/{warning_id}")
    state = await tocsin.warning(warning_id)
    assert ("active", 4, "ask") == (state.state, state.tier, state.doors)
    await tocsin.settle()
    await tocsin.at("+30 s")

    shown = await read(desk, f"{tocsin.url}/live/{warning_id}")
    assert re.search(r"\d+ people open", shown)
    assert "Doors wait for the commander's word" in shown
    assert 30 == await desk.locator("section[aria-labelledby=missing] tbody tr").count()
    assert 1 == await desk.get_by_role("link", name="All of them, as a file or to print").count()
    path = desk.locator("section[aria-labelledby=missing] a").first
    await path.click()
    assert "Path of person" in await desk.inner_text("h1")
    assert await desk.locator("ol.path li").count() > 2

    await read(desk, f"{tocsin.url}/live/{warning_id}")
    await desk.get_by_role("link", name="Say whether people may be sent to doors").click()
    await desk.fill("#commander", "Chen, commander on duty")
    await desk.get_by_role("button", name="It is safe").click()
    await desk.wait_for_url(f"**/live/{warning_id}")
    state = await tocsin.warning(warning_id)
    assert ("allowed", "Chen, commander on duty") == (state.doors, state.doors_by)
    await tocsin.settle()
    assert [] != await tocsin.officers_of(warning_id)

    await read(desk, f"{tocsin.url}/live/{warning_id}")
    await desk.get_by_role("link", name="End or correct this warning").click()
    await desk.check("input[value=sent_by_mistake]")
    await desk.fill("#reason", "wrong gauge")
    await desk.get_by_role("button", name="End it and tell everybody").click()
    await desk.wait_for_url("**/live/*")
    assert "cancelled" == (await tocsin.warning(warning_id)).state
    await tocsin.settle()
    shown = await read(desk, desk.url)
    assert "Ending: sent by mistake" in shown
    assert re.search(r"[1-9]\d* people are told", shown)
    assert "Go now" not in shown


@pytest.mark.long
async def test_a_draft_is_withdrawn_and_nobody_is_told(desk: Page, tocsin: Town) -> None:
    """Giving up what was never sent asks only why; a form left open never ends a warning that has gone out since."""
    warning_id = await paste(desk, tocsin, alerts.heat("HEAT-DRAFT"))
    await desk.get_by_role("link", name="Do not send: withdraw it").click()
    assert "Do not send this warning" == await desk.inner_text("h1")
    assert 0 == await desk.locator("input[type=radio]").count()
    stale = await desk.context.new_page()
    await stale.goto(desk.url)
    await desk.fill("#reason", "only an exercise of the hand")
    await desk.get_by_role("button", name="Withdraw it").click()
    await desk.wait_for_url("**/console")
    assert "withdrawn" == (await tocsin.warning(warning_id)).state
    await stale.fill("#reason", "again")
    await stale.get_by_role("button", name="Withdraw it").click()
    assert "gone out meanwhile" in await stale.inner_text("main")
    assert [] == await tocsin.rows(sa.select(delivery).where(delivery.c.warning_id == warning_id))


@pytest.mark.long
async def test_an_officer_taps_an_outcome_once(page: Page, tocsin: Town) -> None:
    """The list opens on the phone that opens it first, in walking order; the same form sent twice is one event."""
    warning_id = await tocsin.warn(alerts.flood("FLOOD-OFFICER"), doors="safe")
    link = tocsin.list_link(warning_id, (await tocsin.officers_of(warning_id))[0])
    await tocsin.open_list(page, link)
    doors = await page.locator("article").count()
    assert f"0 of {doors} doors done" == await page.inner_text("h1")
    places = await page.locator("article .where").all_inner_texts()
    first = page.locator("article").first
    event = await first.locator("input[name=event]").input_value()
    target = await first.locator("form").get_attribute("action")
    await first.get_by_role("button", name="Gone or elsewhere").click()
    assert f"1 of {doors} doors done" == await page.inner_text("h1")
    assert "Gone or elsewhere" in await page.locator("article .said").first.inner_text()
    assert places == await page.locator("article .where").all_inner_texts(), "a list that was begun keeps its order"

    again = await page.request.post(f"{tocsin.url}{target}", form={"event": event, "outcome": "gone"})
    assert again.ok
    told = await tocsin.rows(sa.select(answer_log).where(answer_log.c.event_key == f"visit:{event}"))
    assert [("not_there", "officer")] == [(t.answer, t.by) for t in told]

    await page.locator("article").nth(1).get_by_role("button", name="NEEDS HELP").click()
    await tocsin.settle()
    assert "NEEDS HELP" in await page.locator("article").nth(1).inner_text()
    assert f"1 of {doors} doors done" == await page.inner_text("h1")

    await tocsin.cancel(warning_id, "danger_lower_stay_away")
    await page.goto(link)
    assert "STOP. This warning is cancelled. Come back to a safe place." == await page.inner_text("#stopped")
    assert "This list is closed: it names nobody any more." in await page.inner_text("main")
    assert 0 == await page.locator("article").count()


async def test_paper_carries_no_key_place_and_no_note(page: Page, tocsin: Town) -> None:
    """A printed list is a burglar's list: where the key is and the notes stay on the screen; boxes to tick come instead."""
    warning_id = await tocsin.warn(alerts.flood("FLOOD-PAPER"), doors="safe")
    for officer in await tocsin.officers_of(warning_id):
        await tocsin.open_list(page, tocsin.list_link(warning_id, officer))
        secrets = page.locator("article .noprint")
        if await secrets.count():
            break
    else:
        pytest.fail("nobody in this community has a key place or a note")
    hidden = await secrets.first.inner_text()
    assert hidden in await page.inner_text("main")
    await page.emulate_media(media="print")
    paper = await page.inner_text("main")
    assert "wake:" not in paper
    assert hidden not in paper
    assert "☐ No answer" in paper
    assert not await page.locator("article button").first.is_visible()


@pytest.mark.long
async def test_a_resident_answers_and_asks_for_help(page: Page, tocsin: Town, desk: Page) -> None:
    """What to do is the headline, in the person's language; help is one button and reaches the duty officer."""
    warning_id = await tocsin.warn(alerts.flood("FLOOD-RESIDENT"), doors="safe")
    found = await tocsin.rows(
        sa.select(delivery.c.delivery_id, delivery.c.person_id)
        .where(delivery.c.warning_id == warning_id, delivery.c.addressee_kind == "person")
        .order_by(delivery.c.delivery_id)
    )
    link = tocsin.answer_link(found[0].delivery_id)
    await page.goto(f"{link}?lang=en")
    assert alerts.FLOOD == await page.inner_text("h1")
    assert ["leaving", "help", "not_there"] == [
        await b.get_attribute("value") for b in await page.locator("button[name=answer]").all()
    ]
    await page.get_by_role("link", name="中文").click()
    assert "zh-Hans" == await page.locator("html").get_attribute("lang")
    assert "我要帮助" in await page.inner_text("form")
    assert (await page.inner_text("h1")).startswith("现在离家")
    await page.get_by_role("button", name="我要帮助").click()
    thanks = await page.inner_text("[role=status]")
    assert re.fullmatch(r"已收到您的求助,编号H-\d{5}。不要只等,请尽量先让自己安全。生命危险请打12345。", thanks), thanks
    await tocsin.settle()
    assert "call" in await read(desk, f"{tocsin.url}/live/{warning_id}")
    assert found[0].person_id[:8] in await desk.inner_text("section[aria-labelledby=help]")

    await tocsin.cancel(warning_id, "sent_by_mistake")
    await page.goto(f"{link}?lang=en")
    assert "This warning has ended" == await page.inner_text("h1")
    shown = await page.inner_text("main")
    assert "was a mistake. There is no danger" in shown
    assert alerts.FLOOD not in shown, "what has ended no longer tells anybody to leave"


async def test_a_helper_answers_in_her_own_words(page: Page, tocsin: Town) -> None:
    """A supporter's page says who it is about and asks what a supporter can know; never an address."""
    warning_id = await tocsin.warn(alerts.flood("FLOOD-HELPER"), doors="safe")
    await page.goto(tocsin.answer_link(await tocsin.delivery_of(warning_id, "supporter")) + "?lang=en")
    shown = await page.inner_text("main")
    assert "You are the named helper of" in shown
    assert not re.search(r"(Lane|Road|Street|Steps|Row|Terrace)\b", shown)
    await page.get_by_role("button", name="I cannot reach the person").click()
    assert "We will send somebody if we may." in await page.inner_text("[role=status]")


@pytest.mark.long
async def test_the_check_page_knows_what_became_of_a_number(page: Page, tocsin: Town) -> None:
    """Unknown is never "no"; known is yes with what to do; checking, cancelled and over say so first and say no old order."""
    unknown = await read(page, f"{tocsin.url}/public/check?number=0001")
    assert "We cannot confirm this yet." in unknown
    assert "If you see water, smoke, or an officer tells you to go: go. Then call 12345." in unknown
    assert "暂时无法证实" in await read(page, f"{tocsin.url}/public/check?number=0001&lang=zh")
    await read(page, f"{tocsin.url}/public/check?lang=en")

    warning_id = await tocsin.warn(alerts.flood("FLOOD-CHECK"), doors="safe")
    number = (await tocsin.warning(warning_id)).number
    check = f"{tocsin.url}/public/check?number={number}"
    known = await read(page, check)
    assert f"Yes. Message No. {number} is from us." in known
    assert alerts.FLOOD in known
    assert "现在离家" in known

    await tocsin.cancel(warning_id, "checking")
    assert "WE ARE CHECKING" in await read(page, check)
    await tocsin.at("+1 s")
    await tocsin.cancel(warning_id, "sent_by_mistake")
    cancelled = await read(page, check)
    assert cancelled.index("CANCELLED") < cancelled.index(
        "It was our mistake. There is no danger of it. You need not do what it said."
    )
    assert alerts.FLOOD not in cancelled

    draft = await read(page, f"{tocsin.url}/public/check?number=abc")
    assert "We cannot confirm this yet." in draft


@pytest.mark.long
async def test_people_who_shelter_are_not_told_to_go(desk: Page, page: Page, tocsin: Town) -> None:
    """A toxic release at red says "Stay in now"; nobody is sent to doors and the names are the fire service's."""
    await tocsin.warn(alerts.flood("BESIDE-THE-PLUME"), doors="safe")
    warning_id = await paste(desk, tocsin, alerts.plume())
    others = await desk.locator("section[aria-labelledby=overlaps]").inner_text()
    assert "People there are told the opposite" in others, "a flood is in force there, which tells people to go"
    shown = (await desk.inner_text("main")).replace(others, "")
    assert "Stay in now" in shown
    assert "Go now" not in shown
    assert "Nobody is sent to doors for this hazard." in shown
    await desk.get_by_role("button", name="Send RED to about 151 people now").click()
    await desk.wait_for_url(f"**/live/{warning_id}")
    await tocsin.settle()
    assert "Doors are forbidden for this hazard" in await read(desk, f"{tocsin.url}/live/{warning_id}")
    await desk.get_by_role("link", name="Make a link for the fire service").click()
    await desk.wait_for_url(f"**/channels/lists/{warning_id}#fireservice")
    asked = desk.locator("#fireservice")
    await asked.get_by_label("Who gets the link, and what for").fill("Chief Li asked for it by radio")
    await asked.get_by_role("button", name="Make a new link").click()
    link = await desk.locator("#made + p + p a").get_attribute("href")
    await tocsin.open_list(page, str(link))
    assert (await page.inner_text("h1")).startswith("Fire service: 0 of ")
    assert 0 == await page.locator("#stopped").count()


async def test_a_register_that_does_not_answer_stands_in_no_ones_way(desk: Page, tocsin: Town) -> None:
    """The page waits a while by itself, then it is sent without figures; broadcast at once, people when it answers."""
    await desk.goto(f"{tocsin.url}/console")
    await desk.fill("#text", alerts.held("NO-ANSWER"))
    await desk.get_by_role("button", name="See whom it reaches").click()
    await desk.wait_for_url("**/preview?waited=1")  # by itself
    assert "Counting whom it reaches ..." in await desk.inner_text("main")
    assert 0 == await desk.locator("form[action$=send]").count()
    before = desk.url.split("?")[0]
    await desk.goto(f"{before}?waited={PREVIEW_PATIENCE_S}")
    shown = await desk.inner_text("main")
    assert "Whom it reaches is not known: the register does not answer." in shown
    assert 0 == await desk.locator("meta[http-equiv=refresh]").count()  # it would take what is being typed
    warning_id = before.split("/")[-2]
    await desk.check("input[name=tier][value=red]")
    await desk.fill("#reason", "the gauge at Hedong confirms it")
    await desk.get_by_role("button", name="Send at the tier I chose").click()
    await desk.wait_for_url(f"**/live/{warning_id}")
    await tocsin.settle()
    people = sa.select(delivery.c.delivery_id).where(
        delivery.c.warning_id == warning_id, delivery.c.addressee_kind == "person"
    )
    assert 132 <= len(await tocsin.rows(people))


async def test_a_preview_says_where_nobody_is_counted(desk: Page, tocsin: Town) -> None:
    """An unknown code and an empty area are said in words before anything is sent."""
    await paste(desk, tocsin, alerts.codes_only())
    assert "Areas no table of ours knows: PARISH X-999. Nobody is counted there." in await desk.inner_text("main")
    await paste(desk, tocsin, alerts.far_away())
    assert "Nobody registered lives there." in await desk.inner_text("main")
    await desk.goto(f"{tocsin.url}/console")
    assert 2 <= await desk.locator("section[aria-labelledby=waiting] li").count()
