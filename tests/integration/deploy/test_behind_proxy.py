"""Six processes behind the Caddy we ship, walked through as people and machines do: one address, every page, no way past.

One rehearsal serves all of it: a warning goes out through the console, the stand-ins answer it, and meanwhile each page
of the table of paths is opened through the proxy. What the processes log says which of them answered.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit

import aiohttp
import pytest
from lxml import html

from services.shared.crypto.sealing import Keys
from services.shared.web.edge import MAX_BODY, PREFIXES
from tests.faults.harness import ALERT, APART, Rehearsal, build_town, rehearsal
from tools.servers.postgres import Postgres

RATE = 300.0  # the warning outlives the walk
PEOPLE = 30
PAGES_OF_A_KIND = 3  # of the many pages that differ by a person alone
INSIDE = ("/livez", "/readyz", "/metrics")
OUTSIDE = (*INSIDE, "/nothing", "/.env", "/api/v1", "/console/../metrics", "//readyz", "/lx/1")


@dataclass
class Page:
    """One answer that a browser shows."""

    url: str
    status: int
    headers: aiohttp.typedefs.LooseHeaders
    node: html.HtmlElement

    def links(self) -> Iterator[str]:
        """Where it leads by a click, and what it loads."""
        for node in self.node.iter("a", "link", "img", "script"):
            if target := node.get("href") or node.get("src"):
                yield urldefrag(urljoin(self.url, target)).url

    def form(self, action: str) -> dict[str, str]:
        """What the form that goes to `action` sends when nothing is changed, its first button pressed."""
        for form in self.node.iter("form"):
            if form.get("action") == action:
                sent = {i.get("name", ""): i.get("value", "") for i in form.iter("input") if i.get("type") == "hidden"}
                named = [b for b in form.iter("button") if b.get("name")]
                return sent | ({named[0].get("name", ""): named[0].get("value", "")} if named else {})
        raise AssertionError(f"{self.url} has no form to {action}")


@dataclass
class Browser:
    """A person at the public address: follows redirects, keeps cookies, says where its forms come from."""

    site: str
    session: aiohttp.ClientSession
    seen: dict[str, int] = field(default_factory=dict)

    async def get(self, path: str, expected: int = 200) -> Page:
        """Opens an address."""
        async with self.session.get(urljoin(self.site, path), headers={"Accept": "text/html"}) as response:
            return await self._page(response, expected)

    async def press(self, action: str, form: dict[str, str], expected: int = 200) -> Page:
        """Sends a form."""
        headers = {"Accept": "text/html", "Origin": self.site}
        async with self.session.post(urljoin(self.site, action), data=form, headers=headers) as response:
            return await self._page(response, expected)

    async def _page(self, response: aiohttp.ClientResponse, expected: int) -> Page:
        text = await response.text()
        assert expected == response.status, f"{response.method} {response.url}: {response.status} {text[:400]}"
        assert self.site == str(response.url.origin()), f"led away to {response.url}"
        assert "text/html" == response.content_type, response.url
        self.seen[response.url.path] = response.status
        return Page(str(response.url), response.status, response.headers, html.document_fromstring(text))

    async def crawl(self, page: Page) -> int:
        """Every link and stylesheet there is to be reached from a page, a few of each kind; how many were opened."""
        to_do, opened, kinds = [page], set[str](), dict[str, int]()
        while to_do:
            for url in to_do.pop().links():
                kind = "/".join(p for p in urlsplit(url).path.split("/") if len(p) < 32)
                if url in opened or url.startswith("data:") or kinds.get(kind, 0) >= PAGES_OF_A_KIND:
                    continue
                opened.add(url)
                kinds[kind] = kinds.get(kind, 0) + 1
                assert self.site == "{0.scheme}://{0.netloc}".format(urlsplit(url)), f"{url} leads away"
                async with self.session.get(url, headers={"Accept": "text/html"}) as response:
                    text = await response.text()
                    assert 200 == response.status, f"{url}: {response.status} {text[:300]}"
                    if response.content_type == "text/html":
                        to_do.append(Page(url, 200, response.headers, html.document_fromstring(text)))
                    elif url.endswith(".css"):
                        assert "text/css" == response.content_type
        return len(opened)


def requests_of(run: Rehearsal) -> Iterator[tuple[str, str, int]]:
    """Who answered what: the service, the route, the status, of every request a process logged."""
    for member in APART:
        for line in (run.folder / f"{member.name}.log").read_text().splitlines():
            said = json.loads(line) if line.startswith("{") else {}
            if said.get("event") == "request":
                yield member.roles[0], said["route"], said["status"]


async def status_of(
    session: aiohttp.ClientSession, method: str, url: str, body: bytes | None = None
) -> tuple[int, bytes]:
    async with session.request(method, url, data=io.BytesIO(body) if body else None) as response:
        return response.status, await response.read()


@pytest.mark.long
async def test_every_page_through_the_proxy(postgres: Postgres, tmp_path: Path, vhost: str) -> None:
    """Console, live page, lists, answers, checks, feeds, machines' addresses; outside, what is inside is not there."""
    county = await build_town(tmp_path / "county", people=PEOPLE, server=postgres, judged=False)
    async with (
        rehearsal(county, tmp_path, members=APART, amqp_url=vhost, rate=RATE) as run,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as duty,  # the site is an IP address here
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as resident,
    ):
        warning_id = await at_the_duty_desk(run, Browser(run.url, duty), county.key)
        delivered = "SELECT DISTINCT driver FROM delivery WHERE send_state = 'delivered' AND driver LIKE '%%_twilio'"
        await run.until(lambda: len(run.rows(delivered)) == 2)  # by what the provider called back
        await as_people_do(run, Browser(run.url, resident), warning_id)
        await as_machines_do(run, warning_id)
        async with aiohttp.ClientSession() as stranger:
            await from_outside(run, stranger)
        who_answered(run)
        await with_one_killed(run, Browser(run.url, duty), Browser(run.url, resident), warning_id)
        assert 0 == await run.stop(), run.log()[-3000:]


async def at_the_duty_desk(run: Rehearsal, duty: Browser, key: str) -> str:
    """Signs in, pastes an alert, looks whom it reaches, sends it, says doors are safe, and follows every link."""
    assert "Is this message real?" in (await duty.get("/")).node.text_content()
    assert "/console/sign-in" == urlsplit((await duty.get("/console")).url).path
    await duty.press("/console/sign-in", {"key": "toc_wrong"}, expected=403)
    console = await duty.press("/console/sign-in", {"key": key})
    assert "/console" == urlsplit(console.url).path

    preview = await duty.press("/console/warnings", {"text": ALERT.decode()})
    warning_id = urlsplit(preview.url).path.split("/")[2]
    assert f"/live/{warning_id}/preview" == urlsplit(preview.url).path
    async with asyncio.timeout(60):
        while preview.node.find(".//meta[@http-equiv='refresh']") is not None:  # it counts, and renews itself
            await asyncio.sleep(0.2)
            preview = await duty.get(f"/live/{warning_id}/preview")
    send = f"/console/warnings/{warning_id}/send"
    live = await duty.press(send, preview.form(send))
    assert f"/live/{warning_id}" == urlsplit(live.url).path

    doors = f"/live/{warning_id}/doors"
    (await duty.get(doors)).form(doors)
    await duty.press(doors, {"word": "safe", "commander": ""}, expected=422)
    await duty.press(doors, {"word": "safe", "commander": "Li, county command"})
    await run.until(lambda: bool(run.rows("SELECT 1 FROM router_path WHERE state = 'open'")))
    (await duty.get(f"/console/warnings/{warning_id}/end")).form(f"/console/warnings/{warning_id}/end")
    assert await duty.crawl(await duty.get("/console")) > 7
    foreign = {"Accept": "text/html", "Origin": "https://elsewhere.example"}
    async with duty.session.post(f"{run.url}{doors}", data={"word": "unsafe"}, headers=foreign) as response:
        assert 403 == response.status  # the host it compares with is the one people ask for
    return warning_id


async def as_people_do(run: Rehearsal, browser: Browser, warning_id: str) -> None:
    """A helper answers by the link in the message, an officer taps a door on his list, anybody checks a number."""
    signer = Keys(run.data / "keys", make=False).signer("links")
    found = (
        "SELECT delivery_id FROM delivery WHERE warning_id = ? AND addressee_kind = 'supporter' ORDER BY delivery_id"
    )
    await run.until(lambda: bool(run.rows(found, warning_id)))
    answer = f"/a/{signer.token('answer', run.rows(found, warning_id)[0][0])}"
    page = await browser.get(answer)
    thanks = await browser.press(answer, page.form(answer))
    assert thanks.node.find_class("said")
    assert await browser.crawl(page) > 3
    await browser.get(answer[:-1] + ("y" if answer.endswith("x") else "x"), expected=403)

    doors = (
        "SELECT delivery_id, slot FROM delivery "
        "WHERE warning_id = ? AND driver = 'door' AND slot <> '' AND send_state = 'accepted'"
    )
    await run.until(lambda: bool(run.rows(doors, warning_id)))
    door = run.rows(doors, warning_id)[0]
    # the simulated team has opened its list on a phone of its own: the command post makes a new link
    made = await run.call(
        "POST", f"/channels/lists/{warning_id}/{door['slot']}/link", {"reason": "their phone is lost"}
    )
    officer = urlsplit(made["link"]).path
    closed = await browser.get(officer)
    page = await browser.press(f"{officer}/open", closed.form(f"{officer}/open"))
    tap = f"{officer}/{door['delivery_id']}"
    after = await browser.press(tap, page.form(tap))
    assert officer == urlsplit(after.url).path
    assert await browser.crawl(after) > 1

    number = run.rows("SELECT number FROM warning_state WHERE warning_id = ?", warning_id)[0][0]
    check = await browser.get(f"/public/check?number={number}")
    assert str(number) in check.node.text_content()
    assert await browser.crawl(check) > 1


async def as_machines_do(run: Rehearsal, warning_id: str) -> None:
    """The API with a key, the feeds without one, a register as CSV; a body that is too large for us, and for the proxy."""
    for path in ("/api/v1/warnings", f"/api/v1/warnings/{warning_id}", "/people/summary", f"/report/{warning_id}/coverage",
                 f"/report/{warning_id}/people"):  # fmt: skip
        assert await run.call("GET", path), path
    person = run.rows("SELECT person_id FROM router_path WHERE warning_id = ?", warning_id)[0][0]
    assert (await run.call("GET", f"/report/{warning_id}/path/{person}"))["lines"]
    header = b"id,call_name,lat,lon\n"
    taken = await run.call("POST", "/people/import?source=walk", header, {"Content-Type": "text/csv"})
    assert 0 == taken["read"]
    async with aiohttp.ClientSession() as anybody:
        status, atom = await status_of(anybody, "GET", f"{run.url}/cap/atom.xml")
        assert (200, True) == (status, f"{run.url}/cap/{warning_id}.xml".encode() in atom)
        status, feed = await status_of(anybody, "GET", f"{run.url}/cap/feed.json")
        assert (200, True) == (status, warning_id.encode() in feed)
        status, document = await status_of(anybody, "GET", f"{run.url}/cap/{warning_id}.xml")
        assert (200, True) == (status, b"urn:oasis:names:tc:emergency:cap:1.2" in document)
        for path in ("/api/v1/warnings", "/people/summary", f"/report/{warning_id}/coverage"):
            assert 401 == (await status_of(anybody, "GET", run.url + path))[0]
        forged = await status_of(
            anybody, "POST", f"{run.url}/callbacks/sms_twilio/inbound", b"From=%2B99970000001&Body=1"
        )
        assert 403 == forged[0]
    for path in ("/me", "/me/start", "/people"):
        assert 200 == (await status_of(run.session, "GET", run.url + path))[0]
    opened = await status_of(run.session, "POST", f"{run.url}/open", b"order=none&reason=the+walk+tries")
    assert 403 == opened[0]
    for octets in (MAX_BODY + 1, 6 * MAX_BODY):
        assert 413 == (await status_of(run.session, "POST", f"{run.url}/api/v1/warnings", b"x" * octets))[0]


async def from_outside(run: Rehearsal, anybody: aiohttp.ClientSession) -> None:
    """What a process says of itself it says on its own port; the proxy knows nothing of it, nor of what nobody serves."""
    told, said = await status_of(anybody, "GET", f"{run.url}/register")
    assert 422 == told, said[:300]  # answered by the registry: its register names no village here
    for process in run.processes.values():
        for path in INSIDE:
            assert 200 == (await status_of(anybody, "GET", process.url + path))[0]
    for path in OUTSIDE:
        assert (404, b"") == await status_of(anybody, "GET", run.url + path), path
    for prefix, _ in PREFIXES:  # named in the table, and the service says itself that there is no such page
        status, body = await status_of(anybody, "GET", f"{run.url}{prefix}/no/such/page")
        assert (404, "there is nothing at this address") == (status, json.loads(body)["title"]), prefix


async def with_one_killed(run: Rehearsal, duty: Browser, resident: Browser, warning_id: str) -> None:
    """A router and a channels process die by SIGKILL: the others answer, and nobody who looks notices."""
    signer = Keys(run.data / "keys", make=False).signer("links")
    delivery_id = run.rows("SELECT delivery_id FROM delivery WHERE warning_id = ?", warning_id)[0][0]
    answer = f"/a/{signer.token('answer', delivery_id)}"
    for name in ("router-1", "channels-1"):
        process = run.processes[name].process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
    for _ in range(8):
        await duty.get(f"/live/{warning_id}")
        await resident.get(answer)
    assert {-signal.SIGKILL} == {death.code for death in run.deaths}
    await run.ready()


def who_answered(run: Rehearsal) -> None:
    """Each service answered its own paths and nobody else's; no page failed, and no callback's signature was wrong."""
    told = list(requests_of(run))
    owners = dict(PREFIXES)
    answered = set()
    for service, route, status in told:
        if route in INSIDE:
            continue  # asked by the proxy and by us, also of a process that is just starting
        assert status < 500, (service, route, status)
        prefix = next((p for p in owners if route == p or route.startswith(f"{p}/")), "")
        if prefix:
            assert owners[prefix] == service, (service, route)
            answered.add(prefix)
        else:
            assert route == "-" or service == "gateway", (service, route)
    assert set(owners) == answered
    callbacks = [(route, status) for _, route, status in told if route.startswith("/callbacks")]
    assert {"/callbacks/sms_twilio/status/{token}", "/callbacks/voice_twilio/status/{token}"} <= {
        r for r, _ in callbacks
    }
    assert [403] == [status for _, status in callbacks if status >= 400]  # the one we forged
