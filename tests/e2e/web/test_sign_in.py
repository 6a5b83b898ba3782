"""Signing in, in a real browser: with any grant, ended at once by sign-out, idleness and revocation, never from another site."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
import sqlalchemy as sa
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from playwright.async_api import Browser, Page

from services.registry.resident.access import Session
from services.shared.clock import wall
from services.shared.powers.who import ACTIONS
from services.shared.tiers import Tier
from services.shared.web.auth import all_keys, create_key, revoke_key
from services.shared.web.cookies import COOKIE, ME_COOKIE
from tests.e2e.web.conftest import DESK
from tests.kit import alerts
from tests.kit.square import cap
from tests.kit.town import Town, open_town

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = 20
LARGEST = 4096  # what a browser keeps of one cookie, name and attributes included


def county(corners: int = 10_000) -> str:
    """A county's border of so many corners, around the town of the tests."""
    turn = 2 * math.pi / corners
    ring = [[103.02 + 0.9 * math.cos(n * turn), 30.02 + 0.9 * math.sin(n * turn)] for n in range(corners)]
    return json.dumps({"type": "Polygon", "coordinates": [[*ring, ring[0]]]})


async def key_for(tocsin: Town, label: str, area: str = "") -> str:
    database = tocsin.node.platform.database
    return await create_key(
        database, name="Qingshui County", label=label, actions=ACTIONS, max_tier=Tier.RED, alone=Tier.RED, area=area,
        senders=["alerts@qingshui.example", *(f"desk-{n}@qingshui.example" for n in range(50))] if area else (),
        names=["Qingshui County", "清水县"],
    )  # fmt: skip


async def sign(page: Page, tocsin: Town, key: str) -> str:
    """Signs in by the form; the cookie's value."""
    await page.goto(f"{tocsin.url}/console/sign-in")
    await page.fill("#key", key)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/console")
    assert "Warnings" == await page.inner_text("h1")
    return next(c["value"] for c in await page.context.cookies() if c["name"] == COOKIE)


async def opens(tocsin: Town, cookie: str, name: str = COOKIE, path: str = "/console") -> bool:
    """Whether a copy of the cookie still opens the page, from another machine."""
    headers = {"Cookie": f"{name}={cookie}", "Accept": "text/html"}
    async with (
        aiohttp.ClientSession() as session,
        session.get(tocsin.url + path, headers=headers, allow_redirects=False) as answer,
    ):
        assert answer.status in (200, 303), answer.status
        return answer.status == 200


async def test_a_key_bound_to_a_county_signs_in_and_its_grant_is_kept(page: Page, tocsin: Town) -> None:
    """10,000 corners and fifty senders: a cookie below 500 bytes, and what lies outside the county is refused."""
    cookie = await sign(page, tocsin, await key_for(tocsin, "county desk", county()))
    assert len(COOKIE) + 1 + len(cookie) < 500
    await page.fill("#text", alerts.flood("COUNTY-FAR").replace(alerts.POLYGON, alerts.FAR_CIRCLE))
    await page.get_by_role("button", name="See whom it reaches").click()
    assert "reaches beyond the jurisdiction of Qingshui County" in await page.inner_text("[role=alert]")
    await page.fill("#text", alerts.flood("COUNTY-NEAR"))
    await page.get_by_role("button", name="See whom it reaches").click()
    assert "/preview" in page.url


async def test_signing_out_ends_every_copy_of_the_cookie(page: Page, tocsin: Town) -> None:
    """Not only the browser's."""
    cookie = await sign(page, tocsin, tocsin.key)
    assert await opens(tocsin, cookie)
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url("**/console/sign-in")
    assert not await opens(tocsin, cookie)
    assert not [c for c in await page.context.cookies() if c["name"] == COOKIE]


async def test_a_new_sign_in_takes_the_place_of_the_old_one(page: Page, tocsin: Town) -> None:
    first = await sign(page, tocsin, tocsin.key)
    second = await sign(page, tocsin, tocsin.key)
    assert first != second
    assert (False, True) == (await opens(tocsin, first), await opens(tocsin, second))


@pytest.mark.parametrize(
    ("seen", "began", "open_"),
    [(59, 59, True), (1790, 1790, True), (1801, 1801, False), (30, 43_190, True), (30, 43_201, False)],
)
async def test_a_sign_in_ends_by_idleness_and_by_age(
    page: Page, tocsin: Town, seen: float, began: float, open_: bool
) -> None:
    """After half an hour without a request, or twelve hours."""
    from services.shared.web import sessions

    cookie = await sign(page, tocsin, tocsin.key)
    now = wall()
    async with tocsin.node.platform.database.write() as tx:
        await tx.execute(sa.update(sessions.sign_in).values(seen_at=now - seen, began_at=now - began))
    assert open_ is await opens(tocsin, cookie)
    if open_:  # and that it was used is written down
        written = max(row.seen_at for row in await tocsin.rows(sa.select(sessions.sign_in)))
        assert seen < sessions.SEEN_EVERY_S or written >= now


async def test_a_revoked_key_is_out_at_once(page: Page, tocsin: Town) -> None:
    cookie = await sign(page, tocsin, await key_for(tocsin, "to be lost"))
    database = tocsin.node.platform.database
    async with database.read() as db:
        key_id = next(row.key_id for row in await all_keys(db) if row.label == "to be lost")
    await revoke_key(database, key_id, actor="test", reason="lost")
    assert not await opens(tocsin, cookie)


async def test_another_site_signs_nobody_in(tocsin: Town, client: aiohttp.ClientSession) -> None:
    """Neither by its name nor from a file; on /console as on /me. Our own forms and programs may."""
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
        for path, form in (("/console/sign-in", {"key": tocsin.key}), ("/me/start", {"number": "+8613800000000"})):
            async with client.post(
                tocsin.url + path, data=form, headers={"Origin": origin}, allow_redirects=False
            ) as answer:
                assert 403 == answer.status, (origin, path)
                assert "Set-Cookie" not in answer.headers
    async with client.post(
        f"{tocsin.url}/console/sign-in", data={"key": tocsin.key}, headers={"Sec-Fetch-Site": "cross-site"}
    ) as answer:
        assert 403 == answer.status
    for headers in ({}, {"Origin": tocsin.url}):
        async with client.post(
            f"{tocsin.url}/console/sign-in", data={"key": tocsin.key}, headers=headers, allow_redirects=False
        ) as answer:
            assert 303 == answer.status


async def test_a_form_in_a_file_cannot_sign_a_browser_in(page: Page, tocsin: Town, tmp_path: Path) -> None:
    """As an attacker's page would, with the attacker's own key."""
    trap = tmp_path / "trap.html"
    trap.write_text(
        f'<form method="post" action="{tocsin.url}/console/sign-in"><input name="key" value="{tocsin.key}">'
        "<button>Win</button></form>"
    )
    await page.goto(trap.as_uri())
    await page.get_by_role("button", name="Win").click()
    assert "another site" in await page.inner_text("main")
    assert [] == [c for c in await page.context.cookies() if c["name"] == COOKIE]


async def test_what_was_pasted_outlives_the_sign_in(page: Page, tocsin: Town) -> None:
    """Signed out while typing: the alert waits in the sign-in form, also over a wrong key, and is back in its place."""
    await sign(page, tocsin, tocsin.key)
    text = alerts.flood("PASTED-LATE")
    await page.fill("#text", text)
    await page.context.clear_cookies()
    await page.get_by_role("button", name="See whom it reaches").click()
    assert "signed out" in await page.inner_text("[role=alert]")
    for key in ("toc_wrong", tocsin.key):
        await page.fill("#key", key)
        await page.get_by_role("button", name="Sign in").click()
    assert "Warnings" == await page.inner_text("h1")
    assert text.strip() == (await page.input_value("#text")).strip()
    before = await tocsin.shape()
    await page.get_by_role("button", name="See whom it reaches").click()
    assert "/preview" in page.url
    assert before != await tocsin.shape()


async def test_a_residents_sign_in_ends_when_she_signs_out(tocsin: Town) -> None:
    """Every copy of their cookie; another cookie of theirs goes on."""
    from services.shared.web import sessions
    from services.shared.web.cookies import PLATFORM_HTTPS

    access = tocsin.node.registry.access
    app = web.Application()
    app[PLATFORM_HTTPS] = False

    def asked(cookie: str = "") -> web.Request:
        return make_mocked_request("GET", "/me/home", {"Cookie": f"{ME_COOKIE}={cookie}"} if cookie else {}, app=app)

    async def given() -> str:
        response = web.Response()
        await access.give(asked(), response, Session("a" * 64, "p" * 32, "self"))
        return str(response.cookies[ME_COOKIE].value)

    one, two = await given(), await given()
    assert len(one) < 500
    assert (await access.session(asked(one)), await access.session(asked(two))) == (
        Session("a" * 64, "p" * 32, "self"),
    ) * 2
    left = web.Response()
    await access.leave(asked(one), left)
    assert "" == left.cookies[ME_COOKIE].value
    assert await access.session(asked(one)) is None
    assert await access.session(asked(two)) is not None
    for altered in (two[:-1], two.replace("self", "helper"), "", "x.y"):
        assert await access.session(asked(altered)) is None
    async with tocsin.node.platform.database.write() as tx:
        await tx.execute(sa.update(sessions.sign_in).values(seen_at=wall(), began_at=wall() - 3601))
    assert await access.session(asked(two)) is None


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def secure(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """One that people reach by https."""
    async with open_town(tmp_path_factory.mktemp("https") / "data", public_url="https://warn.example.org") as made:
        made.url = f"http://127.0.0.1:{made.node.runner.addresses[0][1]}"
        yield made


async def test_by_https_no_other_host_can_lay_the_cookie(secure: Town, client: aiohttp.ClientSession) -> None:
    """__Host-, Secure, for every path, without a domain; one without the prefix is not looked at."""
    form = {"key": secure.key}
    async with client.post(f"{secure.url}/console/sign-in", data=form, allow_redirects=False) as answer:
        assert 303 == answer.status
        laid = answer.headers["Set-Cookie"]
    assert laid.startswith("__Host-tocsin=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= {part.strip() for part in laid.split(";")}
    assert "domain" not in laid.lower()
    value = laid.partition("=")[2].partition(";")[0]
    for name, status in (("__Host-tocsin", 200), ("tocsin", 303)):
        headers = {"Cookie": f"{name}={value}", "Accept": "text/html"}
        async with client.get(f"{secure.url}/console", headers=headers, allow_redirects=False) as answer:
            assert status == answer.status, name


async def test_a_browser_keeps_the_cookie_by_https(secure: Town, browser: Browser) -> None:
    """Chromium takes it and sends it again; https is the browser's word for an address that a proxy of the test answers."""
    own = await browser.new_context(viewport=DESK, java_script_enabled=False)  # type: ignore[arg-type]
    try:
        page = await own.new_page()

        async def through(route: object) -> None:
            request = route.request  # type: ignore[attr-defined]
            headers = {**await request.all_headers(), "host": "warn.example.org"}
            body = request.post_data_buffer
            async with (
                aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=True) as session,
                session.request(
                    request.method, secure.url + request.url.partition("warn.example.org")[2], headers=headers, data=body,
                    allow_redirects=False,
                ) as answer,
            ):  # fmt: skip
                # a redirect that a route answers with is followed past it: the page is asked for below
                status = 200 if answer.status == 303 else answer.status
                await route.fulfill(  # type: ignore[attr-defined]
                    status=status, headers=dict(answer.headers), body=await answer.read()
                )

        await page.route("https://warn.example.org/**", through)
        await page.goto("https://warn.example.org/console/sign-in")
        await page.fill("#key", secure.key)
        await page.get_by_role("button", name="Sign in").click()
        kept = [c for c in await own.cookies() if c["name"] == "__Host-tocsin"]
        assert [True] == [c["secure"] for c in kept]
        await page.goto("https://warn.example.org/console")
        assert "Warnings" == await page.inner_text("h1")
        status, _ = await secure.post(cap("A-1"))
        assert 202 == status
    finally:
        await own.close()
