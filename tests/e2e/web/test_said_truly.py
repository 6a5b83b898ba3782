"""What is said now is true now: on the check page, on an officer's list, of cases after an update, of what was done; and
Enter presses nothing that sends.
"""

from __future__ import annotations

from datetime import datetime

import aiohttp
import pytest
import sqlalchemy as sa
from playwright.async_api import Page

from services.router.store import tables
from services.router.store.cases import case, event
from services.shared import alarms
from services.shared.ledger.answers import answer_log
from services.shared.ledger.tables import delivery
from services.shared.ledger.warnings import warning_state
from tests.e2e.web.test_accessible import LOOK
from tests.e2e.web.test_cases import texted, writes
from tests.kit import alerts
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = 60
LOOKS_AT_ONCE = True
NEXT = "Go up now, to the second floor or the roof. Do not go outside."


def update(identifier: str, of: str, sent: str) -> str:
    """Replaces the flood `of` with other words."""
    refers = f"alerts@qingshui.example,{of},2026-06-10T11:59:00+08:00"
    words = alerts.info(instruction=NEXT, response="Shelter")
    return alerts.alert(identifier, words, kind="Update", sent=sent, references=refers)


async def number_of(tocsin: Town, warning_id: str) -> str:
    return str((await tocsin.warning(warning_id)).number)


async def looked_up(page: Page, tocsin: Town, number: str) -> str:
    await page.goto(f"{tocsin.url}/public/check")
    await page.fill("#number", number)
    await page.get_by_role("button", name="Check").click()
    await page.wait_for_url("**/public/check?number=*")
    return await page.inner_text("section[role=status]")


@pytest.mark.long
async def test_the_check_page_says_the_newest_word_whichever_number_is_typed(page: Page, tocsin: Town) -> None:
    """A notice that it is being checked, then an update in force: the update, whole; also in full-width digits."""
    first = await tocsin.warn(alerts.flood("CHECK-1"))
    number = await number_of(tocsin, first)
    await tocsin.cancel(first, "checking")
    said = await looked_up(page, tocsin, number)
    assert "WE ARE CHECKING IT" in said
    assert alerts.FLOOD in said, "what goes on meanwhile is shown with it"
    await tocsin.at("+1 s")
    second = await tocsin.warn(update("CHECK-2", "CHECK-1", "2026-06-10T11:59:30+08:00"))
    newer = await number_of(tocsin, second)
    for typed in (number, newer, "".join(chr(0xFEE0 + ord(c)) for c in number)):
        said = await looked_up(page, tocsin, typed)
        assert NEXT in said, typed
        assert "CHECKING" not in said, typed
        assert alerts.FLOOD not in said, typed
    await tocsin.at("+1 s")
    await tocsin.cancel(second, "sent_by_mistake")
    for typed in (number, newer):
        said = await looked_up(page, tocsin, typed)
        assert "It was our mistake" in said, typed
        assert NEXT not in said


async def test_enter_sends_nothing_and_says_nothing_is_safe(desk: Page, tocsin: Town) -> None:
    """On the radio that waits for the commander, in the commander's name, in the reason of an ending."""
    drafted = await tocsin.draft(alerts.flood("ENTER-1"))
    await tocsin.settle()
    await desk.goto(f"{tocsin.url}/live/{drafted}/preview")
    assert not await desk.locator("button[hidden]").first.is_visible()
    await desk.get_by_label("Ask the commander: doors wait for the word").focus()
    await desk.keyboard.press("Enter")
    await desk.wait_for_url("**/preview?*")
    assert "Enter sends nothing." in await desk.inner_text("#pressed")
    assert await desk.get_by_label("Ask the commander: doors wait for the word").is_checked()
    await tocsin.settle()
    assert "draft" == (await tocsin.warning(drafted)).state
    await desk.get_by_role("button", name="Send RED").click(no_wait_after=True)
    await desk.wait_for_url(f"**/live/{drafted}", wait_until="commit")
    assert "active" == (await tocsin.warning(drafted)).state
    await desk.goto(f"{tocsin.url}/live/{drafted}/doors")
    await desk.fill("#commander", "Wang, commander")
    await desk.press("#commander", "Enter")
    assert "ask" == (await tocsin.warning(drafted)).doors
    await desk.goto(f"{tocsin.url}/console/warnings/{drafted}/end")
    await desk.get_by_label("People may go home").check()
    await desk.fill("#reason", "all is well")
    await desk.press("#reason", "Enter")
    await desk.wait_for_url("**/end?*")
    assert await desk.get_by_label("People may go home").is_checked()
    assert "all is well" == await desk.input_value("#reason")
    await tocsin.settle()
    assert "active" == (await tocsin.warning(drafted)).state
    await tocsin.cancel(drafted, "sent_by_mistake")


async def test_an_officers_list_waits_goes_on_and_stops_by_what_is_so(page: Page, tocsin: Town) -> None:
    """The commander has not spoken: WAIT. An update: the link to the list under it. Nobody may be sent: STOP."""
    first = await tocsin.warn(alerts.flood("LIST-1"))
    (worker, *_) = [r.worker_id for r in await tocsin.rows(sa.select(tables.worker.c.worker_id).distinct())]
    await tocsin.open_list(page, tocsin.list_link(first, worker))
    said = await page.inner_text("main")
    assert "WAIT. The commander has not said yet" in said
    assert "STOP" not in said
    assert "Come back" not in said
    second = await tocsin.warn(update("LIST-2", "LIST-1", "2026-06-10T11:59:30+08:00"))
    await tocsin.open_list(page, tocsin.list_link(first, worker))
    assert "STOP" not in await page.inner_text("main")
    await page.get_by_role("link", name="Open your list under the update").click()
    await page.wait_for_url(tocsin.list_link(second, worker))
    assert 0 == await page.locator("#open").count(), "the phone that had the older list has the newer"
    async with tocsin.node.platform.database.write() as tx:
        await tx.execute(
            sa.update(warning_state).where(warning_state.c.warning_id == second).values(doors="unsafe", doors_by="W")
        )
    await page.reload()
    assert "STOP. Nobody may be sent to doors now. Come back to a safe place." in await page.inner_text("main")
    await tocsin.cancel(second, "sent_by_mistake")


async def test_a_list_counts_down_to_the_time_to_turn_back_and_then_calls_everybody_back(
    page: Page, tocsin: Town
) -> None:
    """Water in an hour: twenty minutes before it nobody is at a door. What was done can still be written down."""
    water = "<onset>2026-06-10T13:00:00+08:00</onset><expires>"
    warning_id = await tocsin.warn(alerts.flood("TURN-1").replace("<expires>", water), doors="safe")
    now = tocsin.clock.now()
    officer = (await tocsin.officers_of(warning_id))[0]
    await tocsin.open_list(page, tocsin.list_link(warning_id, officer))
    (visit, *_) = await tocsin.rows(
        sa.select(delivery.c.params, delivery.c.delivery_id).where(
            delivery.c.warning_id == warning_id, delivery.c.slot == officer
        )
    )
    impact = datetime.fromisoformat("2026-06-10T13:00:00+08:00").timestamp()
    assert impact - 1200 == visit.params.turn_back
    left = int((impact - 1200 - now) // 60)
    assert f"Turn back by Wed 10 Jun 12:40 (UTC+08:00): {left} minutes left." in await page.inner_text("#back")
    assert [] == await page.evaluate(LOOK)
    await page.locator("article").first.get_by_role("button", name="No answer").click()
    await tocsin.at(f"+{left + 1} min")
    await page.goto(tocsin.list_link(warning_id, officer))
    said = await page.inner_text("#back")
    assert "COME BACK NOW. The time to turn back was Wed 10 Jun 12:40 (UTC+08:00)." in said
    assert "Next:" not in await page.inner_text("main")
    open_doors = sa.select(delivery.c.delivery_id).where(
        delivery.c.warning_id == warning_id, delivery.c.driver == "door", delivery.c.kind == "visit",
        delivery.c.answer == "", delivery.c.send_state.in_(("pending", "retry", "accepted")), delivery.c.slot != "",
    )  # fmt: skip
    assert [] == await tocsin.rows(open_doors), "nobody has a door to go to"
    await page.locator("article").first.locator("summary, button").first.wait_for()
    await tocsin.cancel(warning_id, "danger_lower_stay_away")


async def path_of(tocsin: Town, warning_id: str, person_id: str) -> tuple[str, str]:
    path = tables.path.c
    mine = sa.select(path.state, path.ending).where(path.warning_id == warning_id, path.person_id == person_id)
    return tuple((await tocsin.rows(mine))[0])


@pytest.mark.long
async def test_a_door_shows_what_was_tapped_last_and_a_slip_is_undone_in_one_tap(page: Page, tocsin: Town) -> None:
    """No answer, then seen; gone by a slip, undone: the path is open again. A call for help by a slip: its case is closed."""
    warning_id = await tocsin.warn(alerts.flood("DOORS-1"), doors="safe")
    await tocsin.at("+1 min")
    phones = sa.select(delivery.c.person_id).where(delivery.c.warning_id == warning_id, delivery.c.driver != "door")
    reached = {row.person_id for row in await tocsin.rows(phones)}  # they may call for help by themselves
    visits = sa.select(delivery.c.slot, delivery.c.person_id).where(
        delivery.c.warning_id == warning_id, delivery.c.channel == "door", delivery.c.slot != ""
    )
    theirs = {row.slot for row in await tocsin.rows(visits) if row.person_id not in reached}
    officer = next(one for one in await tocsin.officers_of(warning_id) if one in theirs)
    await tocsin.open_list(page, tocsin.list_link(warning_id, officer))
    doors = page.locator("article")
    ids = [str(await doors.nth(n).get_attribute("id"))[1:] for n in range(await doors.count())]
    about = sa.select(delivery.c.delivery_id, delivery.c.person_id).where(delivery.c.delivery_id.in_(ids))
    person = {row.delivery_id: row.person_id for row in await tocsin.rows(about)}
    ids = sorted(ids, key=lambda one: person[one] in reached)
    assert person[ids[0]] not in reached

    async def tap(door: str, words: str) -> str:
        article = page.locator(f"#v{door}")
        if await article.locator("details").count() and words != "Undo":
            await article.locator("summary").click()
        tocsin.clock.advance_to(tocsin.clock.now() + 1.0)  # nobody taps twice within one instant
        async with page.expect_navigation(url=f"**#v{door}"):  # its address may stand there already
            await article.get_by_role("button", name=words).click(no_wait_after=True)
        await tocsin.settle()
        await page.reload()
        return await page.inner_text(f"#v{door}")

    third, first, second = ids[:3]
    assert "No answer" in await tap(first, "No answer")
    seen = await page.locator(f"#v{first} .buttons button").first.inner_text()
    noted = await tap(first, seen)
    assert "Noted" in noted
    assert seen in noted.split("Noted")[1].splitlines()[0]
    assert "1" == await page.get_attribute(f"#v{first}", "data-done")

    await tap(second, "Gone or elsewhere")
    assert ("ended", "closed") == await path_of(tocsin, warning_id, person[second])
    assert "Noted" not in await tap(second, "Undo")
    assert ("open", "") == await path_of(tocsin, warning_id, person[second])
    assert "0" == await page.get_attribute(f"#v{second}", "data-done")

    await tap(third, "No answer")
    await tap(third, "NEEDS HELP")
    mine = sa.select(case.c.closed_at, case.c.close_reason).where(
        case.c.person_id == person[third], case.c.warning_id == warning_id
    )
    assert [None] == [row.closed_at for row in await tocsin.rows(mine)]
    noted = await tap(third, "Undo")
    assert "No answer" in noted.split("Noted")[1]
    assert ["taken back at the door"] == [row.close_reason for row in await tocsin.rows(mine)]
    undone = await tocsin.rows(sa.select(answer_log.c.undone).where(answer_log.c.undone != "").order_by("undone"))
    assert ["help", "not_there"] == [row.undone for row in undone]
    link = f"{tocsin.list_link(warning_id, officer)}/{second}"
    async with aiohttp.ClientSession() as stranger, stranger.post(link, data={"outcome": "undo"}) as response:
        assert 403 == response.status, "whoever has the link and not the phone"
    noted_nothing = await page.request.post(link, form={"outcome": "undo"})
    assert 409 == noted_nothing.status, "nothing is noted there: nothing is taken back"
    await tocsin.cancel(warning_id, "sent_by_mistake")


@pytest.mark.long
async def test_calls_for_help_stand_on_the_newest_page_and_on_the_consoles_home(desk: Page, tocsin: Town) -> None:
    """After an update, and under an ending, until they are closed; whoever answers an ending is told of to somebody."""
    await tocsin.at(
        "+1 s"
    )  # a phone's reply goes to its newest message: those of the test before lie in the same instant
    first = await tocsin.warn(alerts.flood("CASES-9"))
    phone = (await texted(tocsin, first))[0]
    await writes(tocsin, phone, "help, water in the kitchen", "SMkitchen")
    second = await tocsin.warn(update("CASES-10", "CASES-9", "2026-06-10T11:59:30+08:00"))
    await desk.goto(f"{tocsin.url}/live/{second}?still=1")
    assert "call for help is open" in await desk.inner_text("section[aria-labelledby=help]")
    await tocsin.at("+1 s")
    ending = await tocsin.cancel(second, "may_return")
    await tocsin.at("+30 s")
    told = sa.select(delivery.c.delivery_id).where(
        delivery.c.warning_id == ending, delivery.c.channel == "sms", delivery.c.attempts > 0, delivery.c.covers == 1,
        delivery.c.addressee_kind == "person",
    )  # fmt: skip
    answered = str((await tocsin.rows(told.order_by(delivery.c.delivery_id)))[0].delivery_id)
    await writes(tocsin, answered, "2", "SMending")
    await tocsin.at("+200 s")
    late = sa.select(event.c.note).join(case, case.c.case_id == event.c.case_id)
    notes = await tocsin.rows(late.where(event.c.what == "told", case.c.warning_id == ending))
    assert notes, "nobody was told of a call for help under an ending"
    assert all(row.note.startswith("nobody has it: told ") for row in notes)
    for page in (f"/live/{ending}?still=1", f"/live/{first}?still=1"):
        await desk.goto(tocsin.url + page)
        assert "for help" in await desk.inner_text("section[aria-labelledby=help] h2"), page
    number = await number_of(tocsin, ending)
    await desk.goto(f"{tocsin.url}/console")
    assert f"No. {number}: " in await desk.inner_text("section[aria-label=Alarms]")
    mine = desk.get_by_role("alert").filter(has_text=f"No. {number}: ")
    await mine.get_by_role("link", name="Take, answer or close them").click()
    assert await desk.locator("article", has_text="water in the kitchen").count()
    chain = sa.select(case.c.warning_id, case.c.case_id).where(
        case.c.closed_at.is_(None), case.c.warning_id.in_([first, second, ending])
    )
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {tocsin.key}"}) as session:
        while standing := await tocsin.rows(chain):  # while some are closed others may call
            for row in standing:
                about = f"{tocsin.url}/report/{row.warning_id}/cases/{row.case_id}"
                async with session.post(about, json={"act": "close", "reason": "met"}) as response:
                    assert response.status in (200, 409), await response.text()
            await tocsin.settle()
    await tocsin.settle()
    async with tocsin.node.platform.database.read() as db:
        assert f"help:{ending}" not in {row.name for row in await alarms.standing(db, "help")}


async def test_the_past_tells_only_what_happened(tocsin: Town) -> None:
    """What falls due in two minutes was not done two minutes ago; a door nobody has on a list was not asked for."""
    warning_id = await tocsin.warn(alerts.flood("PAST-1"))
    waiting = sa.select(delivery).where(
        delivery.c.warning_id == warning_id, delivery.c.send_state == "pending", delivery.c.addressee_kind == "person"
    )
    rows = [r for r in await tocsin.rows(waiting) if r.channel == "voice_landline"] or await tocsin.rows(waiting)
    assert rows
    headers = {"Authorization": f"Bearer {tocsin.key}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for row in rows[:5]:
            sent = sa.select(delivery.c.channel).where(
                delivery.c.warning_id == warning_id,
                delivery.c.person_id == row.person_id,
                delivery.c.sent_at.is_not(None),
            )
            channels = {r.channel for r in await tocsin.rows(sent)}
            async with session.get(f"{tocsin.url}/report/{warning_id}/path/{row.person_id}") as response:
                plain = " ".join((await response.json())["plain"])
            if not channels & {"voice_landline", "voice_mobile"}:
                assert "we called" not in plain, plain
            assert "we asked officers" not in plain, plain
    await tocsin.cancel(warning_id, "sent_by_mistake")
