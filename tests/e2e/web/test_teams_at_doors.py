"""Teams at doors say that they are all right: by a tap on their list and by text, and the command sees who has not."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from playwright.async_api import Page

from services.shared import alarms
from services.shared.audit import trail
from services.shared.ledger import team_signs
from services.shared.ledger.tables import delivery
from services.shared.ledger.team_signs import SignKind, TeamStanding, team_sign
from tests.e2e.web.test_accessible import LOOK
from tests.kit import alerts
from tests.kit.town import Phone, Town

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def stands(tocsin: Town, officer: str) -> TeamStanding:
    async with tocsin.node.platform.database.read() as db:
        return (await team_signs.of_slots(db, [officer], tocsin.clock.now()))[officer]


async def with_doors(tocsin: Town, warning_id: str) -> str:
    """A team that has been given doors."""
    found = sa.select(delivery.c.slot).where(
        delivery.c.warning_id == warning_id, delivery.c.channel == "door", delivery.c.slot != ""
    )
    theirs = {row.slot for row in await tocsin.rows(found)}
    return next(one for one in await tocsin.officers_of(warning_id) if one in theirs)


async def until_late(tocsin: Town, officer: str) -> None:
    """They answer texts about people for a while: that is a sign of life too. Then nothing more is heard of them."""
    for _ in range(12):
        team = await stands(tocsin, officer)
        if team.asked_at is not None:
            return
        assert team.due is not None
        await tocsin.at(f"+{max(0, int((team.due - tocsin.clock.now()) // 60)) + 6} min")
    pytest.fail("the team gives signs without end")


async def phone_of(tocsin: Town, warning_id: str, officer: str) -> Phone:
    mine = sa.select(delivery.c.delivery_id).where(
        delivery.c.warning_id == warning_id, delivery.c.kind == "notice", delivery.c.addressee_id == officer,
        delivery.c.channel == "officer_sms",
    )  # fmt: skip
    return tocsin.phone_of((await tocsin.rows(mine))[0].delivery_id)


async def writes(tocsin: Town, phone: Phone, text: str, key: str) -> str:
    """What comes back to a text."""
    thanks = await tocsin.outside.sandbox.inbound(sender=phone.number, to="+15550100", body=text, key=key)
    await tocsin.settle()
    return thanks or ""


async def alarm_of(tocsin: Town, officer: str) -> list[str]:
    async with tocsin.node.platform.database.read() as db:
        return [row.said for row in await alarms.standing(db, team_signs.ALARM) if row.name.endswith(officer)]


async def test_a_tap_on_the_list_is_a_sign_of_life_and_shows_when_the_next_is_due(page: Page, tocsin: Town) -> None:
    """Half an hour from the first door. Opening the list, a tap and an answer at a door move it; loading the page does not."""
    warning_id = await tocsin.warn(alerts.flood("TEAM-1"), doors="safe")
    officer = await with_doors(tocsin, warning_id)
    await tocsin.open_list(page, tocsin.list_link(warning_id, officer))
    assert re.search(r"Your next sign of life: by Wed 10 Jun \d\d:\d\d", await page.inner_text("#team"))
    assert [] == await page.evaluate(LOOK)
    opened = await stands(tocsin, officer)
    assert opened.heard_at is not None
    assert ("list", opened.heard_at + 1800) == (opened.heard_by, opened.due)
    await tocsin.at("+10 min")
    await page.reload()
    signs = sa.select(team_sign.c.at).where(team_sign.c.slot == officer, team_sign.c.by == "list")
    assert [opened.heard_at] == [row.at for row in await tocsin.rows(signs)], "a browser loads pages by itself"
    await page.get_by_role("button", name="We are all right").click()
    tapped = await stands(tocsin, officer)
    assert (SignKind.HERE, tocsin.clock.now()) == (tapped.heard, tapped.heard_at)
    await tocsin.at("+10 min")
    await page.locator("article").first.get_by_role("button", name="No answer").click()
    assert ("door", tocsin.clock.now() + 1800) == ((seen := await stands(tocsin, officer)).heard_by, seen.due)
    await tocsin.cancel(warning_id, "danger_lower_stay_away")


async def test_who_is_late_is_asked_by_text_and_answers_by_text(page: Page, tocsin: Town) -> None:
    """The text says what to write. Once the command was told, HERE ends the alarm, and BACK ends the asking."""
    warning_id = await tocsin.warn(alerts.flood("TEAM-2"), doors="safe")
    officer = await with_doors(tocsin, warning_id)
    await tocsin.open_list(page, tocsin.list_link(warning_id, officer))
    await until_late(tocsin, officer)
    phone = await phone_of(tocsin, warning_id, officer)
    phone.expect_sms("没有收到您的平安报告", "请回“在”", "请回“回来了”")
    await page.reload()
    assert "No sign of life from you since" in await page.inner_text("#team")
    assert [] == await page.evaluate(LOOK)
    await tocsin.at("+11 min")
    (said,) = await alarm_of(tocsin, officer)
    assert f"team {officer[:8]} at the doors gives no sign of life" in said
    thanks = await writes(tocsin, phone, "We are here!", "SMteam1")
    assert re.search(r"已记录:您平安。请在\d\d:\d\d前再报一次", thanks)
    assert [] == await alarm_of(tocsin, officer)
    assert "已记录:您已回到安全处" in await writes(tocsin, phone, "回来了", "SMteam2")
    assert (await stands(tocsin, officer)).is_back
    await page.reload()
    assert "You said at" in await page.inner_text("#team")
    await page.get_by_role("button", name="We go out again").click()
    assert pytest.approx(tocsin.clock.now() + 1800, abs=1) == (await stands(tocsin, officer)).due
    await tocsin.cancel(warning_id, "danger_lower_stay_away")


async def test_a_list_takes_signs_of_its_own_team_alone(page: Page, tocsin: Town) -> None:
    """Another phone, another word: each is told why, and nothing is kept."""
    warning_id = await tocsin.warn(alerts.flood("TEAM-3"), doors="safe")
    officer = await with_doors(tocsin, warning_id)
    link = tocsin.list_link(warning_id, officer)
    mine = team_sign.c.slot == officer, team_sign.c.warning_id == warning_id, team_sign.c.by == "list"
    async with tocsin.session.post(f"{link}/sign", data={"sign": "here"}, allow_redirects=False) as answer:
        assert 403 == answer.status
    async with tocsin.session.post(f"{link}/sign", data={"sign": "asked"}, allow_redirects=False) as answer:
        assert 422 == answer.status
        assert "choose one of here, back, out" in await answer.text()
    assert [] == await tocsin.rows(sa.select(team_sign.c.sign_id).where(*mine))
    await tocsin.open_list(page, link)
    before = len(await tocsin.rows(sa.select(team_sign.c.sign_id).where(*mine)))
    await page.get_by_role("button", name="We are all right").click()
    assert before + 1 == len(await tocsin.rows(sa.select(team_sign.c.sign_id).where(*mine)))
    await tocsin.cancel(warning_id, "danger_lower_stay_away")


async def test_the_desk_sees_who_is_late_and_presses_who_was_heard_by_radio(
    page: Page, desk: Page, tocsin: Town
) -> None:
    """A table of teams; the commander's word puts a count of who is back before everything else."""
    warning_id = await tocsin.warn(alerts.flood("TEAM-4"), doors="safe")
    officer = await with_doors(tocsin, warning_id)
    await tocsin.open_list(page, tocsin.list_link(warning_id, officer))
    live = f"{tocsin.url}/live/{warning_id}"
    await desk.goto(live)
    row = desk.locator("tr", has=desk.get_by_role("rowheader", name=officer[:8], exact=True)).last
    assert re.search("on its list|by text", await row.inner_text())
    tocsin.clock.advance_to(tocsin.clock.now() + 60)
    assert [] == await desk.evaluate(LOOK)
    await row.get_by_role("button", name="all right").click()
    await desk.wait_for_url("**#teams")
    heard = await stands(tocsin, officer)
    assert ("here", tocsin.clock.now()) == (heard.heard, heard.heard_at)
    assert heard.heard_by not in ("list", "text", "door")
    acts = await tocsin.rows(sa.select(trail.audit_log.c.n).where(trail.audit_log.c.act == "team_heard"))
    assert 1 == len(acts)
    await desk.goto(f"{live}/doors")
    await desk.locator("#commander").fill("Wu, commander")
    await desk.locator("button[value=unsafe]").click()
    await tocsin.settle()
    await desk.goto(live)
    first = await desk.inner_text("#live section >> nth=0")
    assert re.search(r"^\d+ of \d+ teams? confirmed that (it is|they are) back", first)
    assert f"team {officer[:8]}" in first
    assert [] == await desk.evaluate(LOOK)
    await page.reload()
    await page.get_by_role("button", name="We are back in safety").click()
    await desk.reload()
    assert f"team {officer[:8]}" not in await desk.inner_text("#live section >> nth=0")
    await tocsin.cancel(warning_id, "danger_lower_stay_away")


async def test_i_cannot_is_asked_once_again_and_for_no_reason(page: Page, tocsin: Town) -> None:
    """The doors are gone from the list with the second tap."""
    warning_id = await tocsin.warn(alerts.flood("TEAM-5"), doors="safe")
    officer = await with_doors(tocsin, warning_id)
    link = tocsin.list_link(warning_id, officer)
    await tocsin.open_list(page, link)
    assert await page.locator("article").count()
    tocsin.clock.advance_to(tocsin.clock.now() + 1.0)  # nobody taps within the instant their list was made
    await page.get_by_role("button", name="I cannot: my family is affected").click()
    assert [] == await page.evaluate(LOOK)
    await page.get_by_role("link", name="No, back to my list").click()
    assert not (await stands(tocsin, officer)).cannot
    await page.get_by_role("button", name="I cannot: my family is affected").click()
    await page.get_by_role("button", name="Yes, give my doors to the others").click()
    assert (await stands(tocsin, officer)).cannot
    await tocsin.settle()
    await page.goto(link)
    assert 0 == await page.locator("article[data-answer='']").count()
    assert "nobody holds it against you" in await page.inner_text("#team")
    await page.get_by_role("button", name="We go out again").click()
    assert not (await stands(tocsin, officer)).rests
    await tocsin.cancel(warning_id, "danger_lower_stay_away")


async def test_the_fire_service_says_by_name_that_it_has_the_names(page: Page, desk: Page, tocsin: Town) -> None:
    """Its list asks for it; the live page says until then that they are nobody's. The desk may write it down as well."""
    warning_id = await tocsin.warn(alerts.flood("TEAM-6"), doors="unsafe")
    await tocsin.settle()
    await desk.goto(f"{tocsin.url}/live/{warning_id}")
    assert "on the fire service's list are nobody's" in await desk.inner_text("#unacknowledged")
    assert [] == await desk.evaluate(LOOK)
    await desk.get_by_role("link", name="Call it, and write down who has them").click()
    assert "Nobody there has said that they have the names." in await desk.inner_text("#fireservice")
    assert [] == await desk.evaluate(LOOK)
    status, made = await tocsin.call(
        "POST", f"/channels/lists/{warning_id}/fireservice/link", {"reason": "for fire station 3, by radio"}
    )
    assert 201 == status
    await tocsin.open_list(page, made["link"])
    assert "names here are nobody's yet" in await page.inner_text("#taken")
    assert [] == await page.evaluate(LOOK)
    await page.fill("#name", "Sgt Wu, fire station 3")
    await page.get_by_role("button", name="We have these names").click()
    assert "Sgt Wu, fire station 3 has the names on this list" in await page.inner_text("#taken")
    await desk.goto(f"{tocsin.url}/live/{warning_id}")
    assert 0 == await desk.locator("#unacknowledged").count()
    assert "The fire service has the names on its list: Sgt Wu, fire station 3" in await desk.inner_text("#live")
    await desk.goto(f"{tocsin.url}/channels/lists/{warning_id}")
    await desk.fill("#taken", "Lt Qian, by telephone")
    tocsin.clock.advance_to(tocsin.clock.now() + 1.0)
    await desk.get_by_role("button", name="They have these names").click()
    assert "Lt Qian, by telephone" in await desk.inner_text("#fireservice")
    headers = {"Authorization": f"Bearer {tocsin.key}"}
    address = f"{tocsin.url}/channels/lists/{warning_id}/taken"
    async with tocsin.session.post(address, data={"name": " "}, headers=headers) as answer:
        assert 422 == answer.status
        assert "write who has the names, by name and office" in await answer.text()
    await tocsin.cancel(warning_id, "danger_lower_stay_away")
