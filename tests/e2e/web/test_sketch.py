"""A duty officer writes a warning with forms alone: four clicks and a time, then whoever decides has it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import shapely
import sqlalchemy as sa
from msgspec.structs import replace
from playwright.async_api import Browser, Page, Route

from services.gateway.drafting import sketch_store
from services.gateway.drafting.sketch import Wording
from services.gateway.drafting.sketch_store import Sketch, sketch
from services.gateway.store import message
from services.registry.importing.write import import_areas
from services.registry.model.facilities import AreaIn, PlaceIn
from services.registry.people.places import import_places
from services.shared.audit import trail
from services.shared.bus.outbox import new_id
from services.shared.database.engine import Connection
from services.shared.ledger.areas import risk_zone
from services.shared.ledger.warnings import warning_preview
from services.shared.powers.who import Who
from services.shared.tiers import Tier
from tests.kit import alerts
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = 60
NANLING = str(shapely.to_geojson(shapely.box(102.95, 29.95, 103.05, 30.05)))
GULLY = str(shapely.to_geojson(shapely.box(103.0, 30.0, 103.01, 30.01)))
HEDONG = str(shapely.to_geojson(shapely.box(103.05, 29.95, 103.12, 30.05)))


class Writer:
    """Somebody who writes, and how often they clicked."""

    def __init__(self, town: Town, page: Page) -> None:
        self.town, self.page, self.clicks = town, page, 0

    async def click(self, role: str, name: str, nth: int = 0) -> None:
        self.clicks += 1
        await self.page.get_by_role(role, name=name).nth(nth).click()  # type: ignore[arg-type]

    async def shown(self) -> str:
        return await self.page.locator("main").inner_text()

    @property
    def sketch_id(self) -> str:
        return self.page.url.split("/send/")[1].split("/")[0].split("?")[0].split("#")[0]

    async def begun(self, template: str = "flash_flood.red.leave") -> None:
        """At the whole sketch of a template, with Nanling chosen."""
        await self.page.goto(f"{self.town.url}/send/new?template={template}")
        await self.page.get_by_role("button", name="Several areas").click()
        await self.page.get_by_label("Nanling").check()
        await self.page.get_by_role("button", name="Save").last.click()


async def signed_in(browser: Browser, town: Town, *, scripts: bool = False, **grant: object) -> Writer:
    context = await browser.new_context(viewport={"width": 1280, "height": 900}, java_script_enabled=scripts)
    context.set_default_timeout(4_000)
    key = await town.new_key(**{"alone": Tier.YELLOW, "names": ["Qingshui County", "清水县"]} | grant)
    page = await context.new_page()
    await page.context.request.post(f"{town.url}/console/sign-in", form={"key": key})
    await page.goto(f"{town.url}/console")
    return Writer(town, page)


@pytest_asyncio.fixture(loop_scope="session")
async def writer(browser: Browser, tocsin: Town) -> AsyncIterator[Writer]:
    await with_areas(tocsin)
    made = await signed_in(browser, tocsin)
    yield made
    await made.page.context.close()


async def with_areas(town: Town) -> None:
    named = (("N1", "Nanling", NANLING), ("N2", "Hedong", HEDONG))
    found = [AreaIn(value_name="zone", code=code, name=name, geojson=geojson) for code, name, geojson in named]
    await import_areas(town.node.platform.database, found, actor="the test")


async def test_four_clicks_and_a_time_from_the_console_to_waiting_for_approval(writer: Writer, tocsin: Town):
    """Start, template, zone, hand in. Nothing is typed but the time of impact."""
    await writer.click("link", "Write a warning")
    await writer.page.locator("#flash_flood").get_by_role("link", name="RED leave").click()
    writer.clicks += 1
    await writer.page.get_by_label("When does it come?").fill("23:50")
    await writer.click("button", "Nanling")
    shown = await writer.shown()
    for said in (
        "Check what you hand in",
        "RED",
        "Nanling",
        "Leave now, on foot",
        "现在离家",
        "Qingshui County",
        "清水县",
    ):
        assert said in shown, said
    await writer.click("button", "Hand in for approval")
    assert 4 == writer.clicks
    warning_id = writer.page.url.split("/live/")[1].split("/")[0]
    assert "draft" == await tocsin.state(warning_id)
    await tocsin.settle()
    await writer.page.goto(f"{tocsin.url}/live/{warning_id}/preview")
    shown = await writer.shown()
    for said in ("takes two persons", "asked for a second person", "people in the area"):
        assert said in shown, said
    await tocsin.call("POST", f"/api/v1/warnings/{warning_id}/release", {"doors": "safe"})
    assert "active" == await tocsin.state(warning_id)


async def test_risk_zones_of_the_hazard_are_chosen_by_one_press(writer: Writer, tocsin: Town):
    """All of a class and above; on the sketch each can be taken away, and a saved one stays."""
    rows = [
        {"zone_id": f"Z{n}", "hazard": "flash_flood", "class": n, "name": f"Gully {n}", "authority": "", "west": 103.0,
         "south": 30.0, "east": 103.01, "north": 30.01, "geojson": GULLY}
        for n in (1, 3, 4)
    ]  # fmt: skip
    async with tocsin.node.platform.database.write() as tx:
        await tx.execute(sa.insert(risk_zone), rows)
    await writer.page.goto(f"{tocsin.url}/send/new?template=flash_flood.red.leave")
    await writer.click("button", "Class 3 and above (2 zones)")
    shown = await writer.shown()
    for said in ("Check what you hand in", "Gully 4", "Gully 3"):
        assert said in shown, said
    assert "Gully 1" not in shown
    await writer.page.goto(f"{tocsin.url}/send/{writer.sketch_id}")
    await writer.page.get_by_label("Gully 4, class 4").uncheck()
    await writer.page.get_by_role("button", name="Save").last.click()
    assert await writer.page.get_by_label("Gully 3, class 3").is_checked()
    assert not await writer.page.get_by_label("Gully 4, class 4").is_checked()
    async with tocsin.node.platform.database.write() as tx:
        await tx.execute(sa.delete(risk_zone))
    await writer.page.goto(f"{tocsin.url}/send/{writer.sketch_id}/check")
    assert "no such risk zone any more" in await writer.shown()


async def test_a_call_is_heard_before_it_is_handed_in(writer: Writer, tocsin: Town):
    """In each language, by a player of the browser; that there is no film in sign language is said."""
    await writer.begun()
    await writer.page.goto(f"{tocsin.url}/send/{writer.sketch_id}/check?waited=99")
    for tag in ("en", "zh-Hans"):
        address = await writer.page.locator(f"audio[src$='lang={tag}']").get_attribute("src")
        answer = await writer.page.context.request.get(f"{tocsin.url}{address}")
        assert ("audio/wav", b"RIFF") == (answer.headers["content-type"], (await answer.body())[:4])
    assert "There is no film in sign language for this warning." in await writer.shown()
    answer = await writer.page.context.request.get(f"{tocsin.url}/send/{writer.sketch_id}/aloud?lang=tlh")
    assert 404 == answer.status


async def test_it_goes_the_way_of_every_alert(writer: Writer, tocsin: Town):
    """Its sketch is kept with what it became, and opening it again leads there; the log says who wrote it."""
    await writer.begun()
    sketch_id = writer.sketch_id
    await writer.page.goto(f"{tocsin.url}/send/{sketch_id}/check")
    await writer.click("button", "Hand in for approval")
    led = writer.page.url
    await writer.page.goto(f"{tocsin.url}/send/{sketch_id}")
    assert led == writer.page.url
    async with tocsin.node.platform.database.read() as db:
        warning_id = await db.scalar(sa.select(sketch.c.warning_id).where(sketch.c.sketch_id == sketch_id))
        acts = set(await db.scalars(sa.select(trail.audit_log.c.act).where(trail.audit_log.c.subject == sketch_id)))
    assert f"/live/{warning_id}/preview" in led
    assert {"sketch_begin", "sketch_hand_in"} <= acts


async def test_what_is_wrong_is_said_above_and_nothing_typed_is_lost(writer: Writer):
    """Each fault links to its field; a half-written sketch is kept as it is."""
    await writer.begun()
    page = writer.page
    await page.get_by_text("Type corners").click()
    await page.get_by_label("Latitude, longitude: one corner a line").fill("30, 103\nhere")
    await page.get_by_label("When does it come?").fill("soon")
    await page.get_by_label("Headline (en)").fill("Water is coming")
    await page.get_by_role("button", name="Check before handing in").click()
    assert "Corner 2: write latitude, longitude" in await writer.shown()
    assert 0 == await page.get_by_role("button", name="Hand in for approval").count()
    await page.get_by_role("link", name="This is no time").click()
    assert "soon" == await page.locator("#impact").input_value()
    assert "true" == await page.locator("#impact").get_attribute("aria-invalid")
    assert "30, 103\nhere" == await page.locator("#corners").input_value()
    assert "Water is coming" == await page.locator("#headline-en").input_value()


async def test_enter_saves_and_hands_nothing_in(writer: Writer, tocsin: Town):
    """In every form of these pages."""
    await writer.page.goto(f"{tocsin.url}/send/new?template=flash_flood.red.leave")
    await writer.page.get_by_label("When does it come?").press("Enter")
    assert "/send/new" in writer.page.url
    await writer.begun()
    await writer.page.locator("#headline-en").fill("Water is coming")
    await writer.page.locator("#headline-en").press("Enter")
    assert "Water is coming" == await writer.page.locator("#headline-en").input_value()
    await writer.page.reload()
    assert "Water is coming" == await writer.page.locator("#headline-en").input_value()


async def test_of_two_who_write_both_are_shown_and_nothing_is_lost(browser: Browser, writer: Writer, tocsin: Town):
    """The second is shown what differs; saving again is their decision."""
    await writer.begun()
    other = await signed_in(browser, tocsin)
    await other.page.goto(writer.page.url)
    await writer.page.locator("#headline-en").fill("Mine")
    await writer.page.get_by_role("button", name="Save").last.click()
    await other.page.locator("#headline-en").fill("Theirs")
    await other.page.get_by_role("button", name="Save").last.click()
    shown = await other.shown()
    for said in ("has changed it while you wrote", "Mine", "Theirs"):
        assert said in shown, said
    assert "Theirs" == await other.page.locator("#headline-en").input_value()
    await writer.page.reload()
    assert "Mine" == await writer.page.locator("#headline-en").input_value()
    await other.page.get_by_role("button", name="Save").last.click()
    await writer.page.reload()
    assert "Theirs" == await writer.page.locator("#headline-en").input_value()
    await other.page.context.close()


async def test_whoever_may_not_draft_does_not_write(browser: Browser, writer: Writer, tocsin: Town):
    """Nor does another authority see that there is something."""
    await writer.begun()
    for grant in ({"actions": ["read"]}, {"name": "Beitan", "names": ["Beitan"]}):
        other = await signed_in(browser, tocsin, **grant)
        await other.page.goto(f"{tocsin.url}/send/{writer.sketch_id}")
        shown = await other.shown()
        assert "This did not work" in shown
        assert "Nanling" not in shown
        await other.page.context.close()


async def test_a_sketch_that_is_given_up_is_listed_no_more(writer: Writer, tocsin: Town):
    await writer.begun("storm.orange.stay_in")
    await writer.page.goto(f"{tocsin.url}/send")
    before = await writer.page.locator('a[href="/send"], a[href^="/send/"]').count()
    await writer.page.locator("section[aria-labelledby=going-on] a").first.click()
    await writer.page.get_by_role("button", name="Give it up").click()
    assert before - 1 == await writer.page.locator('a[href="/send"], a[href^="/send/"]').count()


async def test_the_check_says_whom_it_reaches_and_how_many_doors(writer: Writer, tocsin: Town):
    """By the counts of every preview; the same question is not asked twice."""
    await writer.begun()
    await tocsin.settle()
    await writer.page.goto(f"{tocsin.url}/send/{writer.sketch_id}/check")
    shown = await writer.shown()
    people = await writer.page.locator("#whom + p .huge").inner_text()
    assert 0 < int(people.replace(",", "")) <= PEOPLE + 20
    for said in ("no channel they can use but broadcast", "doors, 3 teams", "By group", "By channel"):
        assert said in shown, said
    async with tocsin.node.platform.database.read() as db:
        asked = await db.scalar(sa.select(sa.func.count()).select_from(warning_preview))
    await writer.page.get_by_role("link", name="Change it").click()
    await writer.page.locator("#headline-en").fill("Water is coming")
    await writer.page.get_by_role("button", name="Save").last.click()
    await tocsin.settle()
    async with tocsin.node.platform.database.read() as db:
        assert asked == await db.scalar(sa.select(sa.func.count()).select_from(warning_preview))


async def test_it_saves_itself_and_says_when(browser: Browser, writer: Writer, tocsin: Town):
    """What was left as suggested follows the time; sizes of texts follow the words; another browser sees it."""
    await writer.begun()
    mine = await signed_in(browser, tocsin, scripts=True)
    page = mine.page
    await page.clock.install()
    await page.goto(f"{tocsin.url}/send/{writer.sketch_id}")
    await page.locator("#impact").fill("23:50")
    await page.locator("#action-en").fill("Leave now, on foot, to Łąka.")
    async with page.expect_response("**/send/*") as answered:
        await page.clock.run_for(5100)
    assert 200 == (await answered.value).status
    await page.wait_for_selector("#saved:text-matches('Saved [0-9:]{8} by')")
    await page.wait_for_selector("dd[data-text='en.sms']:has-text('on foot')")
    assert "ucs-2" in await page.locator("bdi[data-size='en.sms']").inner_text()
    assert "Water may come by 23:50." == await page.locator("#what-en").input_value()
    await writer.page.reload()
    assert "Leave now, on foot, to Łąka." == await writer.page.locator("#action-en").input_value()
    await page.clock.run_for(20_000)  # nothing was typed: nothing is saved
    async with tocsin.node.platform.database.read() as db:
        row = await sketch_store.stored(db, writer.sketch_id)
    assert "" == row.written.words["en"].what
    await page.locator("#headline-en").fill("One more")
    async with page.expect_response("**/send/*"):
        await page.clock.run_for(5100)
    await writer.page.reload()
    assert "One more" == await writer.page.locator("#headline-en").input_value()
    await page.context.close()


async def test_a_page_that_saves_itself_says_what_stands_against_it(browser: Browser, writer: Writer, tocsin: Town):
    """A colleague's change; a server that is away; nothing typed is thrown away."""
    await writer.begun()
    mine = await signed_in(browser, tocsin, scripts=True)
    page = mine.page
    await page.clock.install()
    await page.goto(f"{tocsin.url}/send/{writer.sketch_id}")
    await page.locator("#headline-en").fill("Mine")
    await page.route("**/send/*", lambda route: route.abort())
    await page.clock.run_for(5100)
    await page.wait_for_selector("#unsaved:has-text('the server does not answer')")
    await page.unroute("**/send/*")
    await writer.page.locator("#headline-en").fill("Theirs")
    await writer.page.get_by_role("button", name="Save").last.click()
    async with page.expect_response("**/send/*") as answered:
        await page.clock.run_for(5100)
    assert 409 == (await answered.value).status
    await page.wait_for_selector("#unsaved:has-text('has changed it while you wrote')")
    await page.get_by_role("button", name="Save").last.click()
    await page.wait_for_selector("#clash")
    assert "Mine" == await page.locator("#headline-en").input_value()
    await page.context.close()


async def test_what_was_typed_outlives_the_sign_in(writer: Writer, tocsin: Town):
    """Saving with a sign-in that is over leads through the sign-in and back to what was typed."""
    await writer.begun()
    page, address = writer.page, writer.page.url.split("#")[0]
    await page.locator("#headline-en").fill("Typed before")
    await page.context.clear_cookies()
    await page.get_by_role("button", name="Save").last.click()
    assert "what you typed is kept" in await writer.shown()
    await page.get_by_label("Your key").fill(tocsin.key)
    await page.get_by_role("button", name="Sign in").click()
    assert "is not saved yet: press Save" in await writer.shown()
    assert "Typed before" == await page.locator("#headline-en").input_value()
    await page.get_by_role("button", name="Save").last.click()
    await page.goto(address)
    assert "Typed before" == await page.locator("#headline-en").input_value()


async def test_an_update_says_what_it_changes_to_whoever_writes_and_whoever_sends_it(writer: Writer, tocsin: Town):
    """From the live page: a later end, a wider area, a lower tier, a corrected word; the old one is over once it is sent."""
    await writer.begun()
    await writer.page.get_by_label("Until when does the warning hold?").fill("2026-06-11 04:00")
    await writer.page.get_by_role("button", name="Check before handing in").click()
    await writer.click("button", "Hand in for approval")
    first = writer.page.url.split("/live/")[1].split("/")[0]
    await tocsin.settle()
    assert "active" == (await tocsin.call("POST", f"/api/v1/warnings/{first}/release", {"doors": "safe"}))[1]["state"]
    await tocsin.settle()
    tocsin.clock.advance_to(tocsin.clock.now() + 600)
    await writer.page.goto(f"{tocsin.url}/live/{first}?still=1")
    await writer.page.get_by_role("button", name="Update it").click()
    page = writer.page
    assert "It takes the place of No." in await writer.shown()
    assert await page.get_by_label("Nanling", exact=True).is_checked()
    assert "2026-06-11 04:00" == await page.locator("#ends").input_value()
    assert "Leave now, on foot" in await page.locator("#action-en").input_value()
    await page.get_by_role("button", name="Check before handing in").click()
    assert "It says the same as before." in await writer.shown()
    await page.get_by_role("link", name="Change it").click()
    await page.locator("#ends").fill("2026-06-11 09:00")
    await page.locator("input[name=tier][value=orange]").check()
    await page.get_by_label("Hedong", exact=True).check()
    await page.locator("#headline-en").fill("Flash flood, also in Hedong")
    await page.get_by_role("button", name="Check before handing in").click()
    told = (
        "Thu 11 Jun 04:00",
        "Thu 11 Jun 09:00",
        "RED",
        "ORANGE",
        "75.1 km2 more, 0.0 km2 less",
        "Flash flood, also in Hedong",
    )
    changed = await page.locator("section[aria-labelledby=changes]").inner_text()
    for said in told:
        assert said in changed, (said, changed)
    await writer.click("button", "Hand in for approval")
    second = page.url.split("/live/")[1].split("/")[0]
    await tocsin.settle()
    await page.goto(f"{tocsin.url}/live/{second}/preview")
    approver_sees = await page.locator("section[aria-labelledby=changes]").inner_text()
    for said in told:
        assert said in approver_sees, (said, approver_sees)
    assert "active" == await tocsin.state(first)
    await tocsin.call("POST", f"/api/v1/warnings/{second}/release", {"doors": "safe"})
    await tocsin.settle()
    assert ("superseded", "active") == (await tocsin.state(first), await tocsin.state(second))
    _, document, _ = await tocsin.get(f"/cap/{second}.xml")
    assert b"<msgType>Update</msgType>" in document
    assert f"tocsin-{first}".encode() in document


async def test_a_place_people_go_to_is_confirmed_anew_for_an_update(writer: Writer, tocsin: Town):
    """It was open hours ago: its name stands there, the tick does not."""
    await writer.begun()
    page = writer.page
    for tag in ("en", "zh-Hans"):
        await page.locator(f"[name='place_to.{tag}']").fill("Nanling School")
    await page.locator("[name=place_open]").check()
    school = PlaceIn(place_id=new_id(), name="Nanling School", lat=30.0, lon=103.2, capacity=120)
    await import_places(tocsin.node.platform.database, [school], actor="the test")
    await page.get_by_role("button", name="Check before handing in").click()
    shown = await writer.shown()
    for said in (
        "Nanling School lies 14.5 km east of the area.",
        "does not know whether it is open",
        "takes 120 people",
    ):
        assert said in shown, said
    await writer.click("button", "Hand in for approval")
    first = page.url.split("/live/")[1].split("/")[0]
    await tocsin.settle()
    await tocsin.call("POST", f"/api/v1/warnings/{first}/release", {"doors": "safe"})
    await tocsin.settle()
    await page.goto(f"{tocsin.url}/live/{first}?still=1")
    await page.get_by_role("button", name="Update it").click()
    assert "Nanling School" == await page.locator("[name='place_to.en']").input_value()
    assert not await page.locator("[name=place_open]").is_checked()
    await page.get_by_role("button", name="Check before handing in").click()
    assert "have it confirmed, or leave it out" in await writer.shown()


async def test_a_save_within_the_hand_in_takes_it_back(writer: Writer, tocsin: Town, monkeypatch: pytest.MonkeyPatch):
    """What is handed in is what was looked at: the colleague's words are kept, shown, and in no warning."""
    await writer.begun()
    sketch_id, dated = writer.sketch_id, sketch_store.date_it

    async def then_saved(tx: Connection, row: Sketch, now: float) -> Sketch | None:
        found = await dated(tx, row, now)
        content = replace(row.written, words={"en": Wording(headline="Theirs, within the hand-in")})
        assert await sketch_store.change(tx, Who("li", "Li Na", row.authority, (), 4), row, content, now)
        return found

    await writer.page.goto(f"{tocsin.url}/send/{sketch_id}/check")
    monkeypatch.setattr(sketch_store, "date_it", then_saved)
    await writer.click("button", "Hand in for approval")
    monkeypatch.undo()
    shown = await writer.shown()
    for said in ("Li Na has changed it meanwhile", "Theirs, within the hand-in"):
        assert said in shown, said
    async with tocsin.node.platform.database.read() as db:
        row = await sketch_store.stored(db, sketch_id)
        texts = await db.scalar(
            sa.select(sa.func.count())
            .select_from(message)
            .where(message.c.identifier.startswith(f"sketch-{sketch_id}"))
        )
    assert ("", 0) == (row.warning_id, texts)


async def test_what_did_not_go_out_is_not_updated(writer: Writer, tocsin: Town):
    """Nor by another authority what did."""
    await writer.begun()
    await writer.page.goto(f"{tocsin.url}/send/{writer.sketch_id}/check")
    await writer.click("button", "Hand in for approval")
    draft = writer.page.url.split("/live/")[1].split("/")[0]
    answer = await writer.page.context.request.post(f"{tocsin.url}/send/update/{draft}", headers={"Origin": tocsin.url})
    assert 409 == answer.status
    assert "only a warning that went out is updated" in await answer.text()


async def test_an_own_template_is_listed_first_and_begins_with_its_words_and_place(writer: Writer, tocsin: Town):
    """Four clicks as well; its times are not kept. Another authority does not begin with it."""
    await writer.begun()
    page = writer.page
    await page.locator("#headline-en").fill("The dam of Nanling lets water out")
    await page.locator("#impact").fill("23:50")
    await page.get_by_role("button", name="Save").last.click()
    await page.get_by_text("Keep it as a template").click()
    await page.locator("#template").fill("Dam lets water out")
    await page.get_by_role("button", name="Keep it").click()
    assert page.url.endswith("/send")
    own = page.get_by_role("link", name="Dam lets water out")
    address = await own.get_attribute("href")
    await own.click()
    assert "" == await page.locator("#impact").input_value()
    await page.get_by_role("button", name="Where the template says").click()
    shown = await writer.shown()
    for said in ("Check what you hand in", "The dam of Nanling lets water out", "Nanling"):
        assert said in shown, said
    other = await tocsin.new_key(name="Beitan", names=["Beitan"])
    headers = {"Authorization": f"Bearer {other}", "Accept": "text/html"}
    async with tocsin.session.get(f"{tocsin.url}{address}", headers=headers) as answer:
        assert 404 == answer.status
    await page.goto(f"{tocsin.url}/send")
    await page.get_by_role("button", name="Remove Dam lets water out").click()
    assert 0 == await page.get_by_role("link", name="Dam lets water out").count()


async def test_save_pressed_while_it_saves_itself_is_no_clash_with_oneself(
    browser: Browser, writer: Writer, tocsin: Town
):
    """The save on its way is waited for: its version is the one the press goes on from."""
    await writer.begun()
    mine = await signed_in(browser, tocsin, scripts=True)
    page = mine.page
    await page.clock.install()
    await page.goto(f"{tocsin.url}/send/{writer.sketch_id}")
    held, goes_on = asyncio.Event(), asyncio.Event()

    async def late(route: Route) -> None:
        if route.request.headers.get("accept") == "application/json":
            answer = await route.fetch()
            held.set()
            await goes_on.wait()
            await route.fulfill(response=answer)
        else:
            await route.continue_()

    await page.route("**/send/*", late)
    await page.locator("#headline-en").fill("First")
    await page.clock.run_for(5100)
    await held.wait()
    await page.locator("#headline-en").fill("Second")
    await page.get_by_role("button", name="Save").last.click(no_wait_after=True)
    async with page.expect_navigation(wait_until="load"):
        goes_on.set()
    assert 0 == await page.locator("#clash").count()
    assert "Second" == await page.locator("#headline-en").input_value()
    await page.context.close()


async def test_a_draft_returned_for_edit_is_changed_and_handed_in_anew(browser: Browser, writer: Writer, tocsin: Town):
    """With a reason, which its writer reads on the first page, in the list and on the sketch; the log says who."""
    await writer.begun()
    await writer.page.goto(f"{tocsin.url}/send/{writer.sketch_id}/check")
    sketch_id = writer.sketch_id
    await writer.click("button", "Hand in for approval")
    first = writer.page.url.split("/live/")[1].split("/")[0]
    await tocsin.settle()
    other = await signed_in(browser, tocsin)
    await other.page.goto(f"{tocsin.url}/live/{first}/preview?waited=99")
    await other.click("link", "Return it for edit")
    await other.click("button", "Return it for edit")
    assert f"/console/warnings/{first}/return" in other.page.url  # a reason is asked for
    assert "draft" == await tocsin.state(first)
    await other.page.get_by_label("What is to be changed").fill("Name the bridge")
    await other.page.get_by_label("What is to be changed").press("Enter")
    assert "draft" == await tocsin.state(first)  # Enter returns nothing
    await other.page.goto(f"{tocsin.url}/console/warnings/{first}/return")
    await other.page.get_by_label("What is to be changed").fill("Name the bridge")
    await other.click("button", "Return it for edit")
    assert "withdrawn" == await tocsin.state(first)
    await other.page.context.close()
    for address in ("/console", "/send", f"/send/{sketch_id}", f"/send/{sketch_id}/check"):
        await writer.page.goto(tocsin.url + address)
        assert "Name the bridge" in await writer.shown(), address
    await writer.page.goto(f"{tocsin.url}/send/{sketch_id}")
    await writer.page.locator("#headline-en").fill("Flash flood at Stone Bridge")
    await writer.page.get_by_role("button", name="Check before handing in").click()
    await writer.click("button", "Hand in for approval")
    second = writer.page.url.split("/live/")[1].split("/")[0]
    await tocsin.settle()
    assert ("draft", "withdrawn") == (await tocsin.state(second), await tocsin.state(first))
    await writer.page.goto(f"{tocsin.url}/console")
    assert "Name the bridge" not in await writer.shown()
    async with tocsin.node.platform.database.read() as db:
        said = sa.select(trail.audit_log.c.reason).where(
            trail.audit_log.c.act == "return_draft", trail.audit_log.c.subject == first
        )
        assert ["Name the bridge"] == list(await db.scalars(said))


async def test_what_was_not_written_here_is_not_returned(writer: Writer, tocsin: Town):
    """There is no sketch of it: its page offers no return, and an address typed by hand says why."""
    pasted = await tocsin.draft(alerts.flood("A-PASTED"))
    await writer.page.goto(f"{tocsin.url}/live/{pasted}/preview?waited=99")
    assert 0 == await writer.page.get_by_role("link", name="Return it for edit").count()
    await writer.page.goto(f"{tocsin.url}/console/warnings/{pasted}/return")
    await writer.page.get_by_label("What is to be changed").fill("Name the bridge")
    await writer.click("button", "Return it for edit")
    assert "it was not written here" in await writer.shown()
    assert "draft" == await tocsin.state(pasted)
