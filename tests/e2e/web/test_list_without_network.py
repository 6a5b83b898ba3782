"""A list of doors on a phone whose network is gone: taps are kept, the list comes back after a reload, all goes out later."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
import sqlalchemy as sa
from playwright.async_api import Browser, BrowserContext, Error, Page, expect

from services.channels.messages import list_links
from services.shared.ledger.answers import answer_log
from services.shared.ledger.opened_lists import list_link
from services.shared.ledger.tables import delivery
from services.shared.ledger.team_signs import team_sign
from tests.e2e.web.conftest import PHONE
from tests.e2e.web.test_accessible import LOOK
from tests.kit import alerts
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = 40
ONSET = "2026-06-10T14:00:00+08:00"


class Line:
    """The way from a phone to the server, which can be cut: then nobody answers at the address, as when a server is dead."""

    def __init__(self, to: int) -> None:
        self._to, self.port = to, 0
        self.answers = b""  # what stands between says instead, if anything
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for one in self._open:
            one.transport.abort()
        self._open.clear()

    async def _carry(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        if self.answers:
            await near.read(65536)
            back.write(self.answers)
            return back.close()
        far, there = await asyncio.open_connection("127.0.0.1", self._to)
        self._open |= {back, there}
        await asyncio.gather(self._one_way(near, there), self._one_way(far, back))

    @staticmethod
    async def _one_way(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        except OSError:
            pass
        finally:
            target.close()


class Officer:
    """A phone with a list that was opened on it, behind a line."""

    def __init__(self, town: Town, context: BrowserContext, line: Line, warning_id: str, slot: str) -> None:
        self.town, self.context, self.line, self.warning_id, self.slot = town, context, line, warning_id, slot
        path = urlsplit(town.list_link(warning_id, slot)).path
        self.link = f"http://localhost:{line.port}{path}"
        self.page: Page

    async def opens(self) -> None:
        self.page = await self.context.new_page()
        await self.page.goto(self.link)
        await self.page.click("#open button")
        await self.page.wait_for_url(self.link)
        await expect(self.page.locator("#phone")).to_be_visible()
        await self.page.evaluate("() => navigator.serviceWorker.ready.then(() => null)")
        await expect(self.page.locator("#phone-waiting")).to_have_text("All is sent.")

    async def tap(self, door: str, words: str) -> None:
        await self.page.locator(f"#{door}").get_by_role("button", name=words).click()

    async def doors(self) -> list[str]:
        found = await self.page.eval_on_selector_all("article.visit", "found => found.map(one => one.id)")
        return [str(one) for one in found]

    async def answers(self, door: str) -> list[tuple[str, str]]:
        found = sa.select(answer_log.c.answer, answer_log.c.undone).where(answer_log.c.delivery_id == door[1:])
        return [tuple(row) for row in await self.town.rows(found.order_by(answer_log.c.at))]


@asynccontextmanager
async def officer(browser: Browser, town: Town, number: str) -> AsyncIterator[Officer]:
    impact = f"<onset>{ONSET}</onset><expires>"
    warning_id = await town.warn(alerts.flood(number).replace("<expires>", impact), doors="safe")
    line = Line(urlsplit(town.url).port or 0)
    await line.mend()
    context = await browser.new_context(viewport=PHONE)  # type: ignore[arg-type]
    context.set_default_timeout(20_000)
    try:
        one = Officer(town, context, line, warning_id, (await town.officers_of(warning_id))[0])
        await one.opens()
        yield one
    finally:
        await context.close()
        await line.cut()
    if "active" == await town.state(warning_id):
        await town.cancel(warning_id, "sent_by_mistake")


@pytest_asyncio.fixture(loop_scope="session")
async def phone(browser: Browser, tocsin: Town, request: pytest.FixtureRequest) -> AsyncIterator[Officer]:
    async with officer(browser, tocsin, request.node.name[-12:].upper()) as one:
        yield one


async def test_taps_are_kept_shown_and_sent(phone: Officer) -> None:
    """Tapped, reloaded, seen in a second tab, undone, and sent when the network is back: once each, at its own time."""
    first, second, third, *_ = await phone.doors()
    await phone.line.cut()
    await phone.tap(first, "No answer")
    said = phone.page.locator(f"#{first} .said")
    await expect(said).to_contain_text("No answer · kept on this phone, not sent yet")
    await expect(phone.page.locator(f"#{first} button", has_text="No answer")).to_be_focused()
    await phone.tap(second, "Gone or elsewhere")
    await phone.tap(third, "NEEDS HELP")
    await phone.tap(third, "Undo")
    await expect(phone.page.locator("#phone-waiting")).to_contain_text("Not sent yet: 4.")
    assert [] == await phone.page.evaluate(LOOK)

    await phone.page.reload()
    await expect(said).to_contain_text("kept on this phone, not sent yet")
    await expect(phone.page.locator("#count")).to_contain_text("1 of ")
    tab = await phone.context.new_page()
    await tab.goto(phone.link)
    await expect(tab.locator("#phone-waiting")).to_contain_text("Not sent yet: 4.")
    await tab.locator("#phone-show summary").click()
    left = (await tab.input_value("#phone-left")).splitlines()
    assert [f"No. {n}: {words}" for n, words in ((1, "No answer"), (2, "Gone or elsewhere"), (3, "NEEDS HELP"))] == [
        one.rsplit(",", 1)[0] for one in left[:3]
    ]
    await tab.close()
    assert [] == await phone.answers(first)

    await phone.line.mend()
    await phone.page.locator("#phone-send").click()
    await expect(phone.page.locator("#phone-waiting")).to_have_text("All is sent.")
    await expect(said).not_to_contain_text("not sent")
    await phone.town.settle()
    assert [("no_answer", "")] == await phone.answers(first)
    assert [("not_there", "")] == await phone.answers(second)
    assert [("", "help")] == await phone.answers(third)
    await phone.page.reload()
    await expect(said).to_contain_text("No answer")
    await phone.tap(first, "Undo")  # said before, on the server's own page
    await expect(said).to_have_text(re.compile(r"taken back$"))
    assert [("", "no_answer")] == await phone.answers(first)


async def test_it_goes_out_by_itself(phone: Officer) -> None:
    first, *_ = await phone.doors()
    await phone.line.cut()
    await phone.tap(first, "Won't go")
    await expect(phone.page.locator("#phone-waiting")).to_contain_text("Not sent yet: 1.")
    await phone.line.mend()
    await expect(phone.page.locator("#phone-waiting")).to_have_text("All is sent.", timeout=40_000)
    assert [("refused", "")] == await phone.answers(first)


async def test_without_a_network_too_it_says_come_back(browser: Browser, tocsin: Town) -> None:
    async with officer(browser, tocsin, "OFF-BACK") as phone:
        await phone.page.clock.install()
        await phone.page.reload()
        await expect(phone.page.locator("#back")).to_contain_text("left.")
        await phone.line.cut()
        impact = datetime.fromisoformat(ONSET).timestamp()
        await phone.page.clock.fast_forward(int((impact - 1200 - tocsin.clock.now() - 600) * 1000))
        await expect(phone.page.locator("#back")).to_contain_text("min left")
        await expect(phone.page.locator("#back-now")).to_be_hidden()
        await phone.page.clock.fast_forward(11 * 60_000)
        await expect(phone.page.locator("#back-now")).to_contain_text("COME BACK NOW")
        await expect(phone.page.locator("#back")).to_be_hidden()
        assert 0 == await phone.page.locator("a.next:visible").count()
        assert [] == await phone.page.evaluate(LOOK)


async def test_a_list_that_was_taken_back_is_on_no_phone_any_more(phone: Officer) -> None:
    """What was not sent stays to be read out; the names do not."""
    first, *_ = await phone.doors()
    async with phone.town.node.platform.database.write() as tx:
        await list_links.recall(tx, phone.warning_id, phone.slot, phone.town.clock.now())
    await phone.tap(first, "No answer")
    await expect(phone.page.locator("#phone-changed")).to_contain_text("not open on this phone any more")
    await expect(phone.page.locator("#phone-waiting")).to_contain_text("Not sent yet: 1.")
    await phone.line.cut()
    with pytest.raises(Error, match=r"ERR_FAILED|ERR_CONNECTION"):
        await phone.page.goto(phone.link)
    assert [] == await phone.answers(first)


async def test_a_sign_of_life_waits_for_the_network_too(phone: Officer) -> None:
    kept = sa.select(team_sign.c.at).where(
        team_sign.c.slot == phone.slot, team_sign.c.kind == "here", team_sign.c.by == "list"
    )
    await phone.line.cut()
    await phone.page.get_by_role("button", name="We are all right").click()
    await expect(phone.page.locator("#team .said")).to_contain_text("kept on this phone, not sent yet")
    before, tapped_at = len(await phone.town.rows(kept)), phone.town.clock.now()
    await phone.line.mend()
    await phone.page.evaluate("dispatchEvent(new Event('online'))")
    await expect(phone.page.locator("#phone-waiting")).to_have_text("All is sent.")
    assert before + 1 == len(await phone.town.rows(kept))
    assert pytest.approx(tapped_at, abs=60) == max(row.at for row in await phone.town.rows(kept))
    phone.town.clock.advance_to(phone.town.clock.now() + 60)
    async with phone.page.expect_navigation():
        await phone.page.get_by_role("button", name="We are all right").click()
    await expect(phone.page.locator("#team .said")).to_have_count(0)
    assert before + 2 == len(await phone.town.rows(kept))


async def test_what_was_tapped_before_the_end_goes_out_after_it(browser: Browser, tocsin: Town) -> None:
    """The list names nobody any more, and what its phone had kept is not lost."""
    async with officer(browser, tocsin, "OFF-OVER") as phone:
        first, *_ = await phone.doors()
        await phone.line.cut()
        await phone.tap(first, "NEEDS HELP")
        await expect(phone.page.locator("#phone-waiting")).to_contain_text("Not sent yet: 1.")
        await tocsin.cancel(phone.warning_id, "danger_lower_stay_away")
        await phone.line.mend()
        await phone.page.reload()
        assert 0 == await phone.page.locator("article.visit").count()
        await expect(phone.page.locator("#phone-waiting")).to_have_text("All is sent.")
        assert [("help", "")] == await phone.answers(first)
        await phone.line.cut()
        with pytest.raises(Error, match=r"ERR_FAILED|ERR_CONNECTION"):
            await phone.page.goto(phone.link)


async def test_what_was_tapped_on_another_list_goes_out_from_the_one_that_is_open(
    browser: Browser, tocsin: Town, phone: Officer
) -> None:
    """An update brings another list, and nobody opens the older one again: what it had kept is sent all the same, or told."""
    async with officer(browser, tocsin, "OFF-OTHER") as beside:
        other = await phone.context.new_page()
        path = urlsplit(tocsin.list_link(beside.warning_id, beside.slot)).path
        async with tocsin.node.platform.database.write() as tx:
            await tx.execute(sa.delete(list_link).where(list_link.c.warning_id == beside.warning_id))
        first, second, *_ = await phone.doors()
        await phone.context.route("**/events", lambda route: route.abort())
        await phone.tap(first, "No answer")
        await expect(phone.page.locator("#phone-waiting")).to_contain_text("Not sent yet: 1.")
        await phone.page.close()
        await other.goto(f"http://localhost:{phone.line.port}{path}")
        await other.click("#open button")
        await expect(other.locator("#phone-waiting")).to_contain_text("Not sent yet: 1.")
        assert [] == await phone.answers(first)
        await phone.context.unroute("**/events")
        await other.locator("#phone-send").click()
        await expect(other.locator("#phone-waiting")).to_have_text("All is sent.")
        assert [("no_answer", "")] == await phone.answers(first)

        await phone.line.cut()
        phone.page = await phone.context.new_page()
        await phone.page.goto(phone.link)
        await phone.tap(second, "NEEDS HELP")
        await expect(other.locator("#phone-waiting")).to_contain_text("Not sent yet: 1.")
        await phone.page.close()
        async with tocsin.node.platform.database.write() as tx:
            await list_links.recall(tx, phone.warning_id, phone.slot, tocsin.clock.now())
        await phone.line.mend()
        await other.locator("#phone-send").click()
        await expect(other.locator("#phone-waiting")).to_have_text("Not taken: 1. Read them to your command post.")
        await other.locator("#phone-show summary").click()
        assert (await other.input_value("#phone-left")).startswith("No. ?: NEEDS HELP")


async def test_a_server_that_answers_with_a_fault_loses_nothing(phone: Officer) -> None:
    first, *_ = await phone.doors()
    await phone.context.route("**/events", lambda route: route.fulfill(status=503, body="{}"))
    await phone.tap(first, "No answer")
    await expect(phone.page.locator("#phone-waiting")).to_contain_text("Not sent yet: 1.")
    await phone.context.unroute("**/events")
    await phone.page.evaluate("dispatchEvent(new Event('online'))")
    await expect(phone.page.locator("#phone-waiting")).to_have_text("All is sent.", timeout=40_000)
    assert [("no_answer", "")] == await phone.answers(first)


@pytest.mark.parametrize("status", [404, 429, 502])
async def test_what_stands_between_takes_no_list_away(browser: Browser, tocsin: Town, status: int) -> None:
    """A proxy without the service behind it, a limit that was reached: the list and the taps stay on the phone."""
    async with officer(browser, tocsin, f"OFF-{status}") as phone:
        first, *_ = await phone.doors()
        await phone.line.cut()
        phone.line.answers = f"HTTP/1.1 {status} No\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nno".encode()
        await phone.line.mend()
        await phone.tap(first, "No answer")
        await phone.page.reload()
        await expect(phone.page.locator(f"#{first} .said")).to_contain_text("kept on this phone, not sent yet")
        assert "" == await phone.page.inner_text("#phone-changed")
        phone.line.answers = b""
        await phone.page.evaluate("dispatchEvent(new Event('online'))")
        await expect(phone.page.locator("#phone-waiting")).to_have_text("All is sent.", timeout=40_000)
        assert [("no_answer", "")] == await phone.answers(first)


async def test_what_was_looked_at_stands_beside_what_others_said(phone: Officer) -> None:
    """A tap of another device of the team is not covered by an older one that this phone had sent before."""
    first, *_ = await phone.doors()
    await phone.tap(first, "No answer")
    await expect(phone.page.locator("#phone-waiting")).to_have_text("All is sent.")
    phone.town.clock.advance_to(phone.town.clock.now() + 60)
    mine = sa.select(delivery.c.person_id).where(delivery.c.delivery_id == first[1:])
    assert await phone.town.rows(mine)
    path = urlsplit(phone.link).path
    cookies = {str(one["name"]): str(one["value"]) for one in await phone.context.cookies()}
    other = phone.town.session.post(f"{phone.town.url}{path}/{first[1:]}", data={"outcome": "gone"}, cookies=cookies)
    async with other as answer:
        assert 200 == answer.status
    await phone.page.reload()
    await expect(phone.page.locator(f"#{first} .said")).to_contain_text("Gone or elsewhere")
