"""One warning from the first press to the last: written, sent by another, watched, updated, and over, in two browsers.

By mouse, by keyboard alone, without scripts, and with a finger on a phone. What it takes is counted as it goes: presses, keys and
seconds, from the template to "waiting" and for the second person.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from playwright.async_api import Browser, Locator, Page

from services.gateway.accounts import passwords
from tests.e2e.web.conftest import PHONE
from tests.e2e.web.test_by_keyboard import FOCUSED
from tests.e2e.web.test_cases import texted
from tests.e2e.web.test_sketch import with_areas
from tests.kit.staff import browsing, invited, origin, stale
from tests.kit.town import Phone, Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = 40
WORDS = "river lamp quiet nineteen"
MOST_TABS = 250
WAITING_S, WAITING_PRESSES, WAITING_KEYS = 60.0, 4, 200  # from the first page until it waits for the second person
SENT_PRESSES = 2


class Mouse:
    """How somebody uses a page; `presses` are counted, and `keys` but for what is written."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.presses = self.keys = 0

    async def press(self, wanted: Locator) -> None:
        """A link or a button; another page follows."""
        self.presses += 1
        async with self.page.expect_navigation(wait_until="load"):
            await self.point(wanted)

    async def point(self, wanted: Locator) -> None:
        await wanted.click()

    async def choose(self, wanted: Locator) -> None:
        self.presses += 1
        await self.point(wanted)
        assert await wanted.is_checked()

    async def write(self, wanted: Locator, text: str) -> None:
        await wanted.fill(text)


class Finger(Mouse):
    """On a phone: what is pressed is large enough, and nothing has to be pushed sideways."""

    async def point(self, wanted: Locator) -> None:
        box = await wanted.bounding_box()
        assert box is not None
        kind = await wanted.get_attribute("type")
        assert kind == "radio" or box["height"] >= 24.0, box
        wide = await self.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= PHONE["width"], (self.page.url, wide)
        await wanted.tap()


class Keys(Mouse):
    """By Tab, arrows, Space and Enter alone, with a ring around what is come to."""

    async def come_to(self, wanted: Locator) -> None:
        for _ in range(MOST_TABS):
            if await wanted.evaluate(FOCUSED):
                assert "none" != await wanted.evaluate("e => getComputedStyle(e).outlineStyle")
                return
            await self.hit("Tab")
        pytest.fail(f"{wanted} cannot be come to by keyboard at {self.page.url}")

    async def hit(self, key: str) -> None:
        self.keys += 1
        await self.page.keyboard.press(key)

    async def point(self, wanted: Locator) -> None:
        await self.come_to(wanted)
        await self.hit("Enter")

    async def choose(self, wanted: Locator) -> None:
        """One of several: the first is come to, arrows lead on."""
        self.presses += 1
        name = await wanted.get_attribute("name")
        await self.come_to(self.page.locator(f"[name={name}]").first)
        for _ in range(await self.page.locator(f"[name={name}]").count()):
            if await wanted.is_checked():
                return
            await self.hit("ArrowDown")
        pytest.fail(f"{wanted} cannot be chosen by keyboard")

    async def write(self, wanted: Locator, text: str) -> None:
        await self.come_to(wanted)
        await self.hit("ControlOrMeta+a")
        await self.page.keyboard.type(text)


class Officer:
    """One of two who may send what the other wrote, and how they show that it is them."""

    def __init__(self, town: Town, name: str, hand: Mouse, *, papers: list[str] | None = None) -> None:
        self.town, self.name, self.hand, self.page, self.papers = town, name, hand, hand.page, papers
        self.looked_at = ""  # what stood on the page of what they sent last

    async def goto(self, path: str) -> None:
        await self.page.goto(origin(self.town) + path)

    async def shown(self) -> str:
        return await self.page.locator("main").inner_text()

    def link(self, name: str) -> Locator:
        return self.page.get_by_role("link", name=name)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name)

    async def confirms(self) -> None:
        """By passkey, or where no script runs by password and a code from paper."""
        await self.page.wait_for_url("**/console/confirm**")
        if self.papers is None:
            await self.hand.press(self.button("Use your passkey and go on"))
            return
        await self.hand.write(self.page.get_by_label("Password"), WORDS)
        await self.hand.write(self.page.get_by_label("Code: six digits"), self.papers.pop())
        await self.hand.press(self.button("Go on"))

    async def hands_in(self) -> str:
        """From the page of the sketch or its check; the draft's id."""
        await self.hand.press(self.button("Hand in for approval"))
        found = re.search("/live/([0-9a-f]{32})/preview", self.page.url)
        assert found, self.page.url
        return found[1]

    async def sends(self, warning_id: str) -> int:
        """What the other wrote, from the page they are paged to; how many presses it took."""
        await self.town.settle()
        await stale(self.town)
        await self.goto(f"/live/{warning_id}/preview")
        self.looked_at = await self.shown()
        assert "Nanling" in self.looked_at
        before = self.hand.presses
        await self.hand.press(self.page.locator("form[action$='/send'] button.danger"))
        await self.confirms()
        await self.page.wait_for_url(f"**/live/{warning_id}")
        return self.hand.presses - before


@asynccontextmanager
async def by_passkey(
    browser: Browser, town: Town, kind: type[Mouse], *names: str, phone: bool = False
) -> AsyncIterator[list[Officer]]:
    """Two, each in a browser of their own with an authenticator of its own."""
    async with AsyncExitStack() as opened:
        found = []
        for name in names:
            one = await opened.enter_async_context(browsing(browser, town, phone=phone))
            await one.join(await invited(town, name, "duty officer"))
            found.append(Officer(town, name, kind(one.page)))
        yield found


@asynccontextmanager
async def by_paper(browser: Browser, town: Town, *names: str) -> AsyncIterator[list[Officer]]:
    """Two without scripts: a password, and codes from a sheet of paper."""
    async with AsyncExitStack() as opened:
        found = []
        for name in names:
            one = await opened.enter_async_context(browsing(browser, town, scripts=False))
            page = one.page
            await page.goto(await invited(town, name, "duty officer"))
            await page.locator("summary", has_text="With a password and a code").click()
            await page.locator("#password").fill(WORDS)
            await page.locator("[value=paper]").check()
            await page.get_by_role("button", name="Open my account").click()
            papers = re.findall("[a-z0-9]{4}(?:-[a-z0-9]{4}){3}", await page.locator("main").inner_text())
            assert 10 == len(papers)
            found.append(Officer(town, name, Mouse(page), papers=papers))
        yield found


async def journey(town: Town, author: Officer, approver: Officer) -> None:
    """Every step of it; what stands there at each is looked at."""
    await with_areas(town)
    hand, began = author.hand, time.monotonic()
    await author.goto("/console")
    before = (hand.presses, hand.keys)
    await hand.press(author.link("Write a warning"))
    await hand.press(author.page.locator("#flash_flood").get_by_role("link", name="RED leave").first)
    await hand.write(author.page.get_by_label("When does it come?"), "23:50")
    await hand.press(author.button("Nanling"))
    shown = await author.shown()
    for said in ("Check what you hand in", "Leave now, on foot", "现在离家", "Waits for:", approver.name):
        assert said in shown, said
    first = await author.hands_in()
    took = time.monotonic() - began
    assert WAITING_PRESSES == hand.presses - before[0]
    assert hand.keys - before[1] <= WAITING_KEYS, hand.keys
    assert took < WAITING_S
    assert "draft" == await town.state(first)
    assert SENT_PRESSES == await approver.sends(first)
    assert "active" == await town.state(first)
    phone = await watched(town, author, first)
    second = await updated(town, author, first)
    assert SENT_PRESSES == await approver.sends(second)
    await town.settle()
    assert ("superseded", "active") == (await town.state(first), await town.state(second))
    await cleared(town, author, approver, second, phone)
    assert "cancelled" == await town.state(second)


async def watched(town: Town, author: Officer, warning_id: str) -> Phone:
    """Its page is open while people answer: figures come without a press. The phone of one who answered."""
    await author.goto(f"/live/{warning_id}")
    await town.settle()
    phone = town.phone_of((await texted(town, warning_id))[0])
    await phone.writes("1", f"SM{warning_id[:8]}")
    await town.settle()
    await author.page.get_by_role("link", name=re.compile(r"Who is missing \([1-9]")).wait_for()
    shown = await author.shown()
    for said in ("What waits for a person now", "Time to impact", "(Wed 10 Jun 23:50", "By group, worst first"):
        assert said in shown, said
    return phone


async def updated(town: Town, author: Officer, warning_id: str) -> str:
    """A later end; the id of what was handed in."""
    town.clock.advance_to(town.clock.now() + 600)
    hand = author.hand
    await author.goto(f"/live/{warning_id}?still=1")
    await hand.press(author.button("Update it"))
    await hand.write(author.page.locator("#ends"), "2026-06-11 09:00")
    await hand.press(author.button("Check before handing in"))
    await author.page.get_by_text("Thu 11 Jun 09:00").first.wait_for()
    return await author.hands_in()


async def cleared(town: Town, author: Officer, approver: Officer, warning_id: str, phone: Phone) -> None:
    """People may go home: said by one, who shows that it is them, and confirmed by the other, who reads what phones will get."""
    await stale(town)
    await author.goto(f"/live/{warning_id}?still=1")
    hand = author.hand
    await hand.press(author.link("End or correct this warning"))
    await hand.choose(author.page.locator("[value=may_return]"))
    await hand.write(author.page.locator("#reason"), "the water has gone, the way was looked at")
    await hand.press(author.button("End it and tell everybody"))
    await author.confirms()
    await author.page.wait_for_url("**/preview")
    ending = author.page.url.split("/live/")[1].split("/")[0]
    assert "active" == await town.state(warning_id)
    await town.settle()
    assert SENT_PRESSES == await approver.sends(ending)
    await town.settle()
    for said in ("It ends No.", "may return", "Confirm it and tell everybody"):
        assert said in approver.looked_at, said
    assert "Leave now" not in approver.looked_at
    assert " ".join(phone.texts[-1].split()) in " ".join(approver.looked_at.split())


async def test_by_mouse(browser: Browser, tocsin: Town) -> None:
    async with by_passkey(browser, tocsin, Mouse, "Sun Yu", "Li Na") as (author, approver):
        await journey(tocsin, author, approver)


@pytest.mark.long
async def test_by_keyboard_alone(browser: Browser, tocsin: Town) -> None:
    async with by_passkey(browser, tocsin, Keys, "Qian Lin", "Wang Wu") as (author, approver):
        await journey(tocsin, author, approver)


@pytest.mark.long
async def test_without_scripts(browser: Browser, tocsin: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "MEMORY_KIB", 64)
    monkeypatch.setattr(passwords, "TIMES", 1)
    async with by_paper(browser, tocsin, "Zhao Lei", "Zhou Yi") as (author, approver):
        await journey(tocsin, author, approver)


@pytest.mark.long
async def test_on_a_phone(browser: Browser, tocsin: Town) -> None:
    async with by_passkey(browser, tocsin, Finger, "Wu Fang", "Zheng Hua", phone=True) as (author, approver):
        await journey(tocsin, author, approver)


FREE_S = 120.0  # a draft with words and a place of one's own
SIGNS_A_SECOND, A_PRESS_S = 3.3, 2.0  # of somebody who types with four fingers, and looks before they press


@pytest.mark.long
async def test_a_draft_in_ones_own_words_takes_less_than_two_minutes(browser: Browser, tocsin: Town) -> None:
    """Place typed by its corners, headline and order in both languages: what the machine takes, and what hands would."""
    await with_areas(tocsin)
    own = {
        "headline-en": "The dam of Nanling lets water out", "headline-zh-Hans": "南岭水库放水",
        "action-en": "Leave the river bank now. Go up to the road. Do not come back for things.",
        "action-zh-Hans": "现在离开河岸。往公路上走。不要回去拿东西。",
        "where-en": "River bank below the dam of Nanling", "where-zh-Hans": "南岭水库下游河岸", "impact": "23:50",
        "corners": "29.97, 102.97\n29.97, 103.03\n30.03, 103.03\n30.03, 102.97",
    }  # fmt: skip
    async with by_passkey(browser, tocsin, Mouse, "Feng Jie", "Chen Mo") as (author, _):
        hand, page, began = author.hand, author.page, time.monotonic()
        await author.goto("/console")
        await hand.press(author.link("Write a warning"))
        await hand.press(page.locator("#flash_flood").get_by_role("link", name="RED leave").first)
        await hand.press(author.button("Several areas, or another place"))
        await page.get_by_text("Type corners").click()
        for field, text in own.items():
            await hand.write(page.locator(f"#{field}"), text)
        await hand.press(author.button("Check before handing in"))
        shown = await author.shown()
        for said in (own["headline-en"], "Go up to the road", "往公路上走", own["where-zh-Hans"]):
            assert said in shown, said
        warning_id = await author.hands_in()
        took = time.monotonic() - began
    presses = hand.presses + 1 + len(own)  # one opened the corners, and one led into each field
    by_hand = presses * A_PRESS_S + sum(map(len, own.values())) / SIGNS_A_SECOND
    assert "draft" == await tocsin.state(warning_id)
    assert took + by_hand < FREE_S, (took, by_hand)
