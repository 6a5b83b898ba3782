"""The live page follows its stream: what is focused stays so, a stream that stops is said, and a sign-in that ends ends it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
import sqlalchemy as sa
from playwright.async_api import Browser, Page, expect

from services.router.report import snapshot, stream
from services.router.store.cases import case
from services.shared.database.engine import Connection
from services.shared.ledger.tables import delivery
from services.shared.powers.warnings import warning_thing
from services.shared.powers.who import ACTIONS, Who
from services.shared.tiers import Tier
from tests.e2e.web.test_accessible import LOOK
from tests.kit import alerts
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = 40


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def warned(tocsin: Town) -> str:
    return await tocsin.warn(alerts.flood("STREAM-1"))


@pytest_asyncio.fixture(loop_scope="session")
async def scripted(browser: Browser, tocsin: Town, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Page]:
    """The duty officer's browser, with scripts, in front of streams that look often."""
    monkeypatch.setattr(stream, "LOOK_S", 0.2)
    context = await browser.new_context(java_script_enabled=True, viewport={"width": 390, "height": 844})
    page = await context.new_page()
    await context.request.post(f"{tocsin.url}/console/sign-in", form={"key": tocsin.key})
    yield page
    await context.close()


async def writes_help(tocsin: Town, warning_id: str, n: int) -> None:
    """The n-th call for help (from 0): by somebody who has not called, from a phone that is theirs alone."""
    mine = delivery.c.warning_id == warning_id
    alone = (
        sa.select(delivery.c.address_key)
        .where(mine)
        .group_by(delivery.c.address_key)
        .having(sa.func.count(delivery.c.person_id.distinct()) == 1)
    )
    found = await tocsin.rows(
        sa.select(delivery.c.delivery_id).where(
            mine, delivery.c.channel == "sms", delivery.c.covers == 1, delivery.c.addressee_kind == "person",
            delivery.c.attempts > 0, delivery.c.address_key.in_(alone),
            delivery.c.person_id.not_in(sa.select(case.c.person_id)),
        ).order_by(delivery.c.delivery_id)
    )  # fmt: skip
    await tocsin.phone_of(found[0].delivery_id).writes("help please", f"SMstream{n}")
    await tocsin.settle()
    assert n + 1 == len(await tocsin.rows(sa.select(case.c.case_id).where(case.c.warning_id == warning_id)))


# The heading that stands highest on the screen, and where.
PLACE = """() => [...document.querySelectorAll('h2')].map(h => [h.textContent, Math.round(h.getBoundingClientRect().top)])
  .find(([, top]) => top >= 0)"""


async def test_focus_and_place_stay_over_three_renewals(scripted: Page, tocsin: Town, warned: str) -> None:
    await scripted.goto(f"{tocsin.url}/live/{warned}")
    link = scripted.locator("#part-acts a", has_text="Lists of doors")
    await link.focus()
    await scripted.evaluate("scrollTo(0, 500)")
    place = await scripted.evaluate(PLACE)
    for n in range(3):
        before = await scripted.inner_html("#part-help")
        await writes_help(tocsin, warned, n)
        await scripted.wait_for_function(
            "before => document.querySelector('#part-help').innerHTML !== before", arg=before
        )
        await expect(link).to_be_focused()
        assert place == await scripted.evaluate(PLACE), "what grows above it moves nothing that is read"
    assert "3 calls for help are open" in await scripted.inner_text("#part-help")
    assert [] == await scripted.evaluate(LOOK)


async def test_a_stream_that_stops_is_said_and_comes_back(scripted: Page, tocsin: Town, warned: str) -> None:
    await scripted.goto(f"{tocsin.url}/live/{warned}")
    await expect(scripted.locator("#spoken")).to_contain_text("people open", timeout=15_000)
    await scripted.route("**/stream*", lambda route: route.abort())
    live = tocsin.node.router.pages.live_stream
    live.stop()
    await expect(scripted.locator("#stopped")).to_contain_text(re.compile(r"Figures stopped at .*\(UTC"))
    await expect(scripted.locator("#stopped")).to_be_visible()
    live.over = asyncio.Event()
    await scripted.unroute("**/stream*")
    await expect(scripted.locator("#stopped")).to_be_hidden(timeout=15_000)


async def test_signing_out_ends_it(scripted: Page, tocsin: Town, warned: str) -> None:
    await scripted.goto(f"{tocsin.url}/live/{warned}")
    await expect(scripted.locator("#spoken")).to_contain_text("people open", timeout=15_000)
    await scripted.context.request.post(f"{tocsin.url}/console/sign-out")
    await expect(scripted.locator("#stopped")).to_contain_text("You are signed out here")


async def test_a_stream_that_did_not_come_at_first_comes_later(scripted: Page, tocsin: Town, warned: str) -> None:
    """The server was busy in the instant the page was opened: what says that it reconnects does so."""
    await scripted.route("**/stream*", lambda route: route.fulfill(status=503, body=""))
    await scripted.goto(f"{tocsin.url}/live/{warned}")
    await expect(scripted.locator("#stopped")).to_contain_text("Reconnecting", timeout=20_000)
    await scripted.unroute("**/stream*")
    await expect(scripted.locator("#spoken")).to_contain_text("people open", timeout=30_000)
    await expect(scripted.locator("#stopped")).to_be_hidden()
    assert (await scripted.title()).endswith("- Tocsin")
    assert not (await scripted.title()).startswith("\u23f8")


async def test_a_sign_in_that_ended_while_the_server_was_away_is_said(
    scripted: Page, tocsin: Town, warned: str
) -> None:
    """And whoever signs in again in another tab has their figures back."""
    await scripted.goto(f"{tocsin.url}/live/{warned}")
    await expect(scripted.locator("#spoken")).to_contain_text("people open", timeout=15_000)
    await scripted.route("**/stream*", lambda route: route.abort())
    live = tocsin.node.router.pages.live_stream
    live.stop()
    await expect(scripted.locator("#stopped")).to_contain_text("Reconnecting")
    await scripted.context.request.post(f"{tocsin.url}/console/sign-out")
    live.over = asyncio.Event()
    await scripted.unroute("**/stream*")
    await expect(scripted.locator("#stopped")).to_contain_text("You are signed out here", timeout=30_000)
    await scripted.context.request.post(f"{tocsin.url}/console/sign-in", form={"key": tocsin.key})
    await expect(scripted.locator("#stopped")).to_be_hidden(timeout=30_000)


async def test_a_clock_that_is_set_back_hides_no_silence(
    scripted: Page, tocsin: Town, warned: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "LOOK_S", 1000.0)
    await scripted.clock.install(time=1_800_000_000)
    await scripted.goto(f"{tocsin.url}/live/{warned}")
    await expect(scripted.locator("#spoken")).to_contain_text("people open", timeout=15_000)
    await scripted.clock.set_system_time(1_800_000_000 - 3600)
    await scripted.clock.fast_forward(20_000)
    await expect(scripted.locator("#stopped")).to_contain_text("Reconnecting")


async def test_a_hidden_tab_keeps_no_connection(scripted: Page, tocsin: Town, warned: str) -> None:
    """A browser has six to a host: the seventh tab of a desk would have opened nothing."""
    hide = """hidden => {
      Object.defineProperty(document, 'hidden', { get: () => hidden, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }"""
    tabs = []
    for _ in range(8):
        tab = await scripted.context.new_page()
        await tab.goto(f"{tocsin.url}/live/{warned}", timeout=20_000)
        await expect(tab.locator("#spoken")).to_contain_text("people open", timeout=15_000)
        await tab.evaluate(hide, True)
        tabs.append(tab)
    before = await tabs[0].title()
    await tabs[0].evaluate(hide, False)
    await writes_help(tocsin, warned, 3)
    await expect(tabs[0].locator("#part-help")).to_contain_text("4 calls for help are open", timeout=15_000)
    assert before.endswith("- Tocsin")
    for tab in tabs:
        await tab.close()


async def test_without_a_script_it_renews_itself(desk: Page, tocsin: Town, warned: str) -> None:
    await desk.goto(f"{tocsin.url}/live/{warned}")
    assert (
        1
        == await desk.locator("noscript meta[http-equiv=refresh]").count()
        + await desk.locator("head > meta[http-equiv=refresh]").count()
    )
    await desk.goto(f"{tocsin.url}/live/{warned}?still=1")
    assert 0 == await desk.locator("meta[http-equiv=refresh]").count()
    assert "What waits for a person now" not in await desk.inner_text("main")  # held still it asks for nothing


async def _read(response: aiohttp.ClientResponse, until: bytes) -> bytes:
    found = b""
    while until not in found:
        part = await asyncio.wait_for(response.content.readany(), 5)
        if not part:
            break
        found += part
    return found


async def test_who_has_everything_is_sent_nothing_and_resumes(
    client: aiohttp.ClientSession, tocsin: Town, warned: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole comes once; its id brings what changed since alone; shutting down ends it at once."""
    monkeypatch.setattr(stream, "LOOK_S", 0.2)
    monkeypatch.setattr(stream, "BYTES_A_MINUTE", 10_000_000)
    headers = {"Authorization": f"Bearer {tocsin.key}", "Accept": "text/event-stream"}
    address = f"{tocsin.url}/live/{warned}/stream"
    async with client.get(address, headers=headers) as response:
        assert (200, "text/event-stream", "no", "no-store") == (
            response.status, response.headers["Content-Type"], response.headers["X-Accel-Buffering"],
            response.headers["Cache-Control"],
        )  # fmt: skip
        whole = await _read(response, b"event: beat")
    for part in ("top", "now", "missing", "zones"):
        assert f'hx-target="#part-{part}"'.encode() in whole
    mark = next(line for line in whole.decode().split("\n") if line.startswith("id: ")).removeprefix("id: ")
    async with client.get(address, headers={**headers, "Last-Event-ID": mark}) as response:
        assert b"hx-partial" not in await _read(response, b"event: beat")
        live = tocsin.node.router.pages.live_stream
        began = time.monotonic()
        live.stop()
        await asyncio.wait_for(response.content.read(), 2)
        assert time.monotonic() - began < 0.5
        live.over = asyncio.Event()


async def test_so_many_and_no_more(
    client: aiohttp.ClientSession, tocsin: Town, warned: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MOST_EACH", 0)
    headers = {"Authorization": f"Bearer {tocsin.key}", "Accept": "text/event-stream"}
    async with client.get(f"{tocsin.url}/live/{warned}/stream", headers=headers) as response:
        assert 429 == response.status


async def test_another_authority_is_told_nothing(client: aiohttp.ClientSession, tocsin: Town, warned: str) -> None:
    key = await tocsin.new_key(name="Beitan Village", label="beitan")
    headers = {"Authorization": f"Bearer {key}", "Accept": "text/event-stream"}
    async with client.get(f"{tocsin.url}/live/{warned}/stream", headers=headers) as response:
        assert response.status in (403, 404)
        assert b"hx-partial" not in await response.read()


async def test_villages_are_counted_anew_once_people_have_come_in(
    client: aiohttp.ClientSession, tocsin: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who looks at once sees that people are being counted; a look after it sees them, and no village called unwarned."""
    monkeypatch.setattr(snapshot, "COMING_IN_S", 0.0)
    draft = await tocsin.draft(alerts.flood("STREAM-EARLY"))
    await tocsin.settle()
    assert 202 == (await tocsin.call("POST", f"/api/v1/warnings/{draft}/release", {"reason": "the test"}))[0]
    headers = {"Authorization": f"Bearer {tocsin.key}", "Accept": "text/html"}

    async def shown() -> str:
        async with client.get(f"{tocsin.url}/live/{draft}", headers=headers) as response:
            return await response.text()

    assert 'id="villages"' not in await shown()
    await tocsin.settle()
    assert 'id="villages"' in (page := await shown())
    assert "send somebody" not in page


async def test_twenty_consoles_cost_what_one_does(tocsin: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads the same is shown the same; who may do less is shown their own, and an old one is taken anew."""
    warned = await tocsin.warn(alerts.flood("STREAM-TWENTY"))  # nobody has looked at it yet
    snapshots = tocsin.node.router.pages.snapshots
    taken: list[str] = []
    taking = snapshots.of

    async def counted(db: Connection, warning_id: str, who: Who) -> snapshot.Values:
        taken.append(who.label)
        return await taking(db, warning_id, who)

    monkeypatch.setattr(snapshots, "of", counted)
    people = [
        Who(f"key{n}", f"console {n}", tocsin.authority, tuple(ACTIONS) if n < 20 else ("read",), int(Tier.RED))
        for n in range(21)
    ]

    async def shown(who: Who, age_s: float) -> snapshot.Glance:
        async with tocsin.node.platform.database.read() as db:
            thing = await warning_thing(db, who, warned)
        return await snapshots.shown(warned, who, thing, age_s)

    found = await asyncio.gather(*(shown(who, 60.0) for who in people))
    assert 2 == len(taken)
    assert 1 == len({id(one) for one in found[:20]})
    assert found[20].parts["missing"] != found[0].parts["missing"]  # it may not look at people
    await shown(people[0], 0.0)
    assert 3 == len(taken)
