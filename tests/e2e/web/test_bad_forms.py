"""Wrong input to every form: always a page that names what to do, never a trace, and nothing is changed."""

from __future__ import annotations

from typing import Any, cast

import pytest
from playwright.async_api import APIResponse, FilePayload, Page

from services.shared.web.cookies import COOKIE
from services.shared.web.edge import MAX_BODY
from tests.kit import alerts
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = 24

NOBODY = "0" * 32
Form = dict[str, str | float | bool]


async def words_of(page: Page, response: APIResponse) -> str:
    """The words of an answered page, as the browser shows them."""
    body = await response.text()
    assert response.headers["content-type"].startswith("text/html"), body[:200]
    assert "Traceback" not in body
    await page.set_content(body)
    return await page.inner_text("main")


async def test_a_wrong_key_is_said_over_the_form(page: Page, tocsin: Town) -> None:
    """The message is focused, leads to the field and names the remedy."""
    await page.goto(f"{tocsin.url}/console/sign-in")
    await page.fill("#key", "toc_wrong")
    await page.get_by_role("button", name="Sign in").click()
    assert "This key is not known here, or it has ended. Check that you copied all of it" in await page.inner_text(
        "[role=alert]"
    )
    assert "#key" == await page.locator("[role=alert] a").get_attribute("href")
    assert await page.locator("[role=alert]:focus").count() == 1
    await page.goto(f"{tocsin.url}/console")
    assert page.url.endswith("/console/sign-in")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Paste a CAP alert or choose a file."),
        ("   \n ", "Paste a CAP alert or choose a file."),
        (alerts.GARBAGE, ""),
        (alerts.XXE, ""),
        (alerts.alert("TEST-STATUS", status="Test"), "plane"),
        (alerts.alert("SYSTEM-STATUS", status="System"), "status System is never sent to people"),
        ("<html><body>an error page of a feed</body></html>", ""),
    ],
    ids=["empty", "blank", "garbage", "xxe", "other plane", "status", "html"],
)
async def test_what_is_no_alert_is_refused_over_the_kept_text(desk: Page, tocsin: Town, text: str, said: str) -> None:
    """The console comes back with the text that was pasted and one sentence that is focused; nothing is stored."""
    before = await tocsin.shape()
    await desk.goto(f"{tocsin.url}/console")
    await desk.fill("#text", text)
    await desk.get_by_role("button", name="See whom it reaches").click()
    problem = await desk.inner_text("[role=alert]")
    assert said in problem
    assert 10 < len(problem) < 600
    assert text == await desk.input_value("#text")
    assert await desk.locator("[role=alert]:focus").count() == 1
    assert before == await tocsin.shape()
    assert "root:" not in problem


@pytest.mark.long
async def test_each_wrong_field_is_named_and_changes_nothing(desk: Page, page: Page, tocsin: Town) -> None:
    """Every form of the console, the officers and the residents, each field wrong in turn."""
    held = await _draft(desk, tocsin, alerts.held("HELD-BAD"))
    sent = await tocsin.warn(alerts.flood("FLOOD-BAD"))
    door = await tocsin.warn(alerts.heat("HEAT-BAD"), doors="safe")
    officers = await tocsin.officers_of(door)
    listed = tocsin.list_link(door, officers[0]).removeprefix(tocsin.url)
    other = tocsin.list_link(sent, officers[0]).removeprefix(tocsin.url)
    answer = tocsin.answer_link(await tocsin.delivery_of(door, "person")).removeprefix(tocsin.url)
    helper = tocsin.answer_link(await tocsin.delivery_of(door, "supporter")).removeprefix(tocsin.url)
    for link in (other, listed):
        await tocsin.open_list(desk, f"{tocsin.url}{link}")
    tap = await desk.locator("article form").first.get_attribute("action") or ""
    tail = tap.rsplit("/", 1)[1]
    console = "/console/warnings"
    cases: list[tuple[int, str, Form, str]] = [
        (422, f"{console}/{held}/send", {"tier": "purple", "reason": "why not"}, "tier: use one of blue, yellow"),
        (422, f"{console}/{held}/send", {"reason": "no tier"}, "choose blue, yellow, orange or red"),
        (422, f"{console}/{held}/send", {"tier": "red"}, "reason: say in a few words"),
        (422, f"{console}/{held}/send", {"tier": "red", "reason": " "}, "reason: say in a few words"),
        (422, f"{console}/{held}/send", {"tier": "red", "reason": "ok", "doors": "maybe"}, "doors: choose safe"),
        (404, f"{console}/{NOBODY}/send", {"tier": "red", "reason": "ok"}, "there is no warning"),
        (422, f"{console}/{sent}/end", {"reason": "no kind"}, "Choose how the warning ends."),
        (422, f"{console}/{sent}/end", {"ending": "never_mind", "reason": "why"}, "Choose how the warning ends."),
        (422, f"{console}/{sent}/end", {"ending": "may_return"}, "Say in a few words why it ends"),
        (409, f"{console}/{sent}/end", {"ending": "withdraw", "reason": "stale"}, "gone out meanwhile"),
        (404, f"{console}/{NOBODY}/end", {"ending": "may_return", "reason": "why"}, "there is no warning"),
        (422, f"/live/{sent}/doors", {"word": "perhaps", "commander": "Chen"}, "word: choose safe or unsafe"),
        (422, f"/live/{sent}/doors", {"word": "safe"}, "Enter who says so"),
        (422, f"/live/{sent}/doors", {"word": "safe", "commander": " "}, "Enter who says so"),
        (404, f"/live/{NOBODY}/doors", {"word": "safe", "commander": "Chen"}, "there is no warning"),
        (422, tap, {"outcome": "dancing"}, "outcome: choose one of"),
        (422, tap, {}, "outcome: choose one of"),
        (404, f"{listed}/{NOBODY}", {"outcome": "gone"}, "this door is not on your list"),
        (404, f"{other}/{tail}", {"outcome": "gone"}, "this door is not on your list"),
        (
            403,
            f"{listed[:-1]}{'a' if listed[-1] != 'a' else 'b'}/{tail}",
            {"outcome": "gone"},
            "not complete or not one",
        ),
        (422, answer, {"answer": "fine"}, "answer: choose one of"),
        (422, answer, {}, "answer: choose one of"),
        (422, answer, {"answer": "spoke"}, "answer: choose one of"),
        (422, helper, {"answer": "not_there"}, "answer: choose one of"),
        (403, answer[:-2], {"answer": "help"}, "not complete or not one of ours"),
        (403, listed.replace("/l/", "/a/"), {"answer": "help"}, "not complete or not one of ours"),
    ]
    before = await tocsin.shape()
    for status, path, form, said in cases:
        response = await desk.request.post(f"{tocsin.url}{path}", form=form, headers={"Accept": "text/html"})
        assert (status, path) == (response.status, path), form
        assert said in await words_of(page, response), (path, form)
    assert before == await tocsin.shape()
    for path in (f"/live/{NOBODY}", f"/live/{sent}/path/{NOBODY}", f"/live/{NOBODY}/preview", f"/console/warnings/{NOBODY}/end",
                 f"/live/{NOBODY}/doors", "/nothing/here"):  # fmt: skip
        response = await desk.request.get(f"{tocsin.url}{path}", headers={"Accept": "text/html"})
        assert (404, path) == (response.status, path)
        words = (await words_of(page, response)).lower()
        assert "there is no" in words or "has no path under warning" in words


async def test_a_form_keeps_what_was_typed(desk: Page, tocsin: Town) -> None:
    """The ending's form comes back with the reason in it and the message focused."""
    sent = await tocsin.warn(alerts.flood("FLOOD-KEPT"))
    await desk.goto(f"{tocsin.url}/console/warnings/{sent}/end")
    response = await desk.request.post(
        f"{tocsin.url}/console/warnings/{sent}/end",
        form={"reason": "the gauge was broken"},
        headers={"Accept": "text/html"},
    )
    await desk.set_content(await response.text())
    assert "the gauge was broken" == await desk.input_value("#reason")
    assert "#ending1" == await desk.locator("[role=alert] a").get_attribute("href")
    assert await desk.locator("#ending1").count() == 1


async def test_a_part_without_its_areas_is_asked_for_and_with_them_waits_for_a_second_person(
    desk: Page, tocsin: Town
) -> None:
    """What was typed stays; the message leads to the first name; nothing ends before somebody else confirms it."""
    sent = await tocsin.warn(alerts.flood("FLOOD-PART"))
    await desk.goto(f"{tocsin.url}/console/warnings/{sent}/end")
    await desk.get_by_text("People of a part may go home").click()
    await desk.fill("#reason", "the west bank was walked")
    await desk.get_by_text("Which part may return").click()
    await desk.fill("#place1", "Hedong, west bank")
    await desk.fill("#place2", "河东西岸")
    await desk.get_by_role("button", name="End it and tell everybody").click()
    assert "say which part may return" in await desk.inner_text("[role=alert]")
    assert "#place1" == await desk.locator("[role=alert] a").get_attribute("href")
    assert "河东西岸" == await desk.input_value("#place2")
    await desk.fill("#codes", "grid=nobody-knows")
    await desk.get_by_role("button", name="End it and tell everybody").click()
    assert "does not know all of these areas" in await desk.inner_text("[role=alert]")
    assert "active" == await tocsin.state(sent)


async def test_a_form_of_another_site_is_refused(desk: Page, page: Page, tocsin: Town) -> None:
    """With the cookie and a foreign Origin, or one the browser hides, nothing is done."""
    sent = await tocsin.warn(alerts.flood("FLOOD-ORIGIN"))
    before = await tocsin.shape()
    for origin in (
        "https://evil.example",
        "null",
        tocsin.url.replace("http:", "http://x@").replace("x@//", "evil.example:"),
    ):
        response = await desk.request.post(
            f"{tocsin.url}/console/warnings/{sent}/end",
            form={"ending": "may_return", "reason": "from afar"},
            headers={"Origin": origin, "Accept": "text/html"},
        )
        assert 403 == response.status, origin
        assert "sent from another site" in await words_of(page, response)
        assert "script-src 'self'" in (policy := response.headers["content-security-policy"])
        assert "unsafe" not in policy
    assert before == await tocsin.shape()


async def test_an_altered_cookie_is_nobody(page: Page, tocsin: Town, desk: Page) -> None:
    """A cookie that was changed anywhere leads to the sign-in page."""
    cookie = next(c for c in await desk.context.cookies() if c["name"] == COOKIE)
    assert cookie["httpOnly"]
    for value in (
        cookie["value"][:-3] + "xyz",
        f"e30.{cookie['value']}",
        cookie["value"].swapcase(),
        "x",
        ".",
        "a.b.c",
    ):
        await page.context.clear_cookies()
        await page.context.add_cookies([{"name": COOKIE, "value": value, "url": tocsin.url}])
        await page.goto(f"{tocsin.url}/console")
        assert page.url.endswith("/console/sign-in"), value


async def test_a_key_that_may_only_read_is_told_so(page: Page, tocsin: Town) -> None:
    """It sees the live page; each act says what the key may do."""
    sent = await tocsin.warn(alerts.flood("FLOOD-READER"))
    await page.goto(f"{tocsin.url}/console/sign-in")
    await page.fill("#key", tocsin.reader)
    await page.get_by_role("button", name="Sign in").click()
    before = await tocsin.shape()
    await page.goto(f"{tocsin.url}/live/{sent}?still=1")
    assert "people open" in await page.inner_text("h1")
    acts: list[tuple[str, Form]] = [
        (f"/console/warnings/{sent}/end", {"ending": "may_return", "reason": "why"}),
        (f"/console/warnings/{sent}/send", {"tier": "red", "reason": "why"}),
        (f"/live/{sent}/doors", {"word": "safe", "commander": "Chen"}),
        ("/console/warnings", {"text": alerts.flood("READER")}),
    ]
    for path, form in acts:
        response = await page.request.post(f"{tocsin.url}{path}", form=form, headers={"Accept": "text/html"})
        assert 403 == response.status, path
        assert "but read: ask whoever gives grants" in await response.text()
    assert before == await tocsin.shape()


async def test_a_file_that_is_too_large_is_refused(desk: Page, page: Page, tocsin: Town) -> None:
    """413 with the limit in words; as text in the form and as a file."""
    before = await tocsin.shape()
    large = b"<alert>" + b"x" * (MAX_BODY + 1000)
    file: FilePayload = {"name": "alert.xml", "mimeType": "text/xml", "buffer": large}
    for multipart in ({"file": file}, {"text": large.decode()}):
        response = await desk.request.post(
            f"{tocsin.url}/console/warnings",
            multipart=cast(Any, multipart),
            headers={"Accept": "text/html"},
        )
        assert 413 == response.status
        assert f"larger than {MAX_BODY} bytes" in await words_of(page, response)
    assert before == await tocsin.shape()


async def _draft(desk: Page, tocsin: Town, cap: str) -> str:
    await desk.goto(f"{tocsin.url}/console")
    await desk.fill("#text", cap)
    await desk.get_by_role("button", name="See whom it reaches").click()
    await tocsin.settle()
    return desk.url.split("/")[-2]
