"""People join by a link, sign in by a passkey, and show it again before what is dangerous: in a real browser."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa
from playwright.async_api import Browser

from services.shared.accounts.tables import person_id
from services.shared.audit.trail import audit_log
from tests.e2e.web.test_accessible import LOOK
from tests.kit import alerts
from tests.kit.staff import browsing, invited, origin, stale
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = 20


async def test_invited_with_a_passkey_and_a_second_browser_sends(browser: Browser, tocsin: Town) -> None:
    """One drafts and cannot send; another sends, after showing again that it is them; the log names both."""
    wang, li = await invited(tocsin, "Wang Fang", "author"), await invited(tocsin, "Li Na", "approver")
    async with browsing(browser, tocsin) as author, browsing(browser, tocsin) as approver:
        await author.join(wang)
        await approver.join(li)
        await author.goto("/console")
        await author.page.fill("#text", alerts.flood("BY-WANG"))
        await author.page.get_by_role("button", name="See whom it reaches").click()
        await author.page.wait_for_url("**/preview")
        warning_id = author.page.url.split("/live/")[1].split("/")[0]
        await tocsin.settle()
        await approver.page.get_by_role("button", name="Sign out").click()
        await approver.page.wait_for_url("**/console/sign-in")
        await approver.sign_in(f"/live/{warning_id}/preview")
        await stale(tocsin)
        await approver.page.locator("form[action$='/send'] button.danger").click()
        await approver.confirm()
        assert approver.page.url == f"{origin(tocsin)}/live/{warning_id}"
    rows = await tocsin.rows(sa.select(audit_log.c.act, audit_log.c.actor).where(audit_log.c.subject == warning_id))
    assert {("take", "Wang Fang"), ("release", "Li Na")} <= {(r.act, r.actor) for r in rows}


@pytest.mark.long
async def test_every_page_of_people_can_be_used_by_everybody(browser: Browser, tocsin: Town) -> None:
    """No finding on a desk's screen and on a phone 320 px wide; where something is wrong, too."""
    found: dict[str, list[str]] = {}
    async with browsing(browser, tocsin, bypass_csp=True) as she:

        async def look(name: str) -> None:
            for width in (1280, 320):
                await she.page.set_viewport_size({"width": width, "height": 800})
                found[f"{width} {name}"] = await she.page.evaluate(LOOK)

        link = await invited(tocsin, "Zhou Yi", "administrator", "auditor")
        await invited(tocsin, "Sun Li", "author", hours="Mo-Fr 08:00-18:00")
        await she.page.goto(link)
        await she.page.click("summary")
        await look("invited")
        await she.join(link)
        sun = f"/console/people/{person_id('Sun Li')}"
        paths = ["/console/account", "/console/account/ways", "/console/people", "/console/people/new", sun,
                 f"/console/people/{person_id('Zhou Yi')}", "/console/log", link.removeprefix(origin(tocsin))]  # fmt: skip
        for path in paths:
            await she.goto(path)
            await look(path)
        await she.goto("/console/people/new")
        await she.page.fill("#name", "Zhao Lei")
        await she.page.fill("#login", "zhaolei")
        await she.page.check("#role1")
        for name, value in (("max_tier", "red"), ("alone", "none"), ("where", "anywhere")):
            await she.page.locator(f"[name={name}][value={value}]").check()
        for hours, shown in (("nine", "problem"), ("", "link")):
            await she.page.fill("#hours", hours)
            await she.page.click("main button")
            await look(shown)
        assert "/console/invited/" in await she.page.inner_text("main code")
        await stale(tocsin)
        await she.goto("/console/people/new")
        await look("confirm")
        await she.page.get_by_role("button", name="Sign out").click()
        await she.page.wait_for_url("**/console/sign-in")
        await she.page.click("summary")
        await look("sign-in")
    assert {} == {page: what for page, what in found.items() if what}


@pytest.mark.long
async def test_without_scripts_and_by_number_it_says_what_to_do(browser: Browser, tocsin: Town) -> None:
    """A passkey needs a script and a name of a host: both are said, and a password works."""
    link = await invited(tocsin, "Ma Hui", "observer")
    async with browsing(browser, tocsin, scripts=False) as he:
        await he.page.goto(link)
        assert "This browser runs no scripts here" in await he.page.inner_text("main")
        await he.page.goto(link.replace("localhost", "127.0.0.1"))
        assert f"Passkeys work at {link}" in await he.page.inner_text("main")
        await he.page.fill("#password", "river lamp quiet nineteen")
        await he.page.locator("[name=beside][value=paper]").check()
        await he.page.get_by_role("button", name="Open my account").click()
        assert "Your codes on paper" == await he.page.inner_text("h1")
        code = (await he.page.locator("ol code").all_inner_texts())[0]
        await he.page.click("text=I have them: go on")
        await he.page.get_by_role("button", name="Sign out").click()
        await he.page.fill("#login", "mahui")
        await he.page.fill("#password", "river lamp quiet nineteen")
        await he.page.fill("#code", code)
        await he.page.click("main details button")
        assert "Warnings" == await he.page.inner_text("h1")


@pytest.mark.long
async def test_a_passkey_of_somebody_else_shows_nobody(browser: Browser, tocsin: Town) -> None:
    """A colleague's passkey, though it answers the very question that was put to the administrator."""
    async with browsing(browser, tocsin) as wu, browsing(browser, tocsin) as he:
        await wu.join(await invited(tocsin, "Wu Jun", "administrator"))
        await he.join(await invited(tocsin, "He Ping", "observer"))
        await stale(tocsin)
        await wu.goto("/console/people/new")
        theirs = await he.cdp.send("WebAuthn.getCredentials", {"authenticatorId": he.authenticator})
        mine = await wu.cdp.send("WebAuthn.getCredentials", {"authenticatorId": wu.authenticator})
        which = {"authenticatorId": wu.authenticator}
        await wu.cdp.send("WebAuthn.removeCredential", which | {"credentialId": mine["credentials"][0]["credentialId"]})
        await wu.cdp.send("WebAuthn.addCredential", which | {"credential": theirs["credentials"][0]})
        form = wu.page.locator("form[data-passkey]")
        options = json.loads(await form.get_attribute("data-options") or "")
        await form.evaluate("(e, said) => e.dataset.options = said", json.dumps(options | {"allowCredentials": []}))
        await wu.page.get_by_role("button", name="Use your passkey and go on").click()
        await wu.page.wait_for_selector("#problem")
        assert "This passkey is not known here" in (await wu.page.inner_text("#problem")).capitalize()
        assert "/console/confirm" in wu.page.url
