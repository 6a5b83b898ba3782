"""An alert whose texts try to break out of the page: shown as what they say on every page, run nowhere."""

from __future__ import annotations

from urllib.parse import urlsplit

import aiohttp
import pytest
from lxml import html
from playwright.async_api import Browser

from services.shared.web.console_scripts import SCRIPTED_PATHS
from tests.kit import alerts
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = 24

BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"


@pytest.mark.long
async def test_no_page_runs_or_bends_an_alerts_texts(
    browser: Browser, tocsin: Town, client: aiohttp.ClientSession
) -> None:
    """No element, attribute or turned direction comes of the texts; the policy header forbids every script but our own files."""
    sent = await tocsin.warn(alerts.nasty(), doors="safe")
    officer = (await tocsin.officers_of(sent))[0]
    waiting = await _draft(tocsin, client, alerts.nasty("NASTY-DRAFT"))
    number = (await tocsin.warning(sent)).number
    urls = [
        f"{tocsin.url}/console",
        f"{tocsin.url}/live/{waiting}/preview",
        f"{tocsin.url}/live/{sent}?still=1",
        f"{tocsin.url}/live/{sent}/doors",
        f"{tocsin.url}/console/warnings/{sent}/end",
        f"{tocsin.url}/public/check?number={number}",
        f"{tocsin.url}/public/check?number=%22%3E%3Cscript%3E",
        tocsin.list_link(sent, officer),
        tocsin.answer_link(await tocsin.delivery_of(sent, "person")) + "?lang=%22%3E%3Cscript%3E&said=%3Cscript%3E",
        tocsin.answer_link(await tocsin.delivery_of(sent, "supporter")) + "?lang=en",
    ]
    context = await browser.new_context(extra_http_headers={"Authorization": f"Bearer {tocsin.key}"})
    page = await context.new_page()
    await tocsin.open_list(page, tocsin.list_link(sent, officer))
    for url in urls:
        response = await page.goto(url)
        assert response is not None
        assert 200 == response.status, url
        headers = response.headers
        scripts = "'self'" if urlsplit(url).path.startswith(SCRIPTED_PATHS) else "'none'"
        assert f"script-src {scripts};" in headers["content-security-policy"], url
        assert "default-src 'self'" in headers["content-security-policy"], url
        assert "nosniff" == headers["x-content-type-options"]
        assert "same-origin" == headers["referrer-policy"]
        assert await page.title() not in ("owned", "1"), url
        tree = html.document_fromstring(await response.body(), parser=html.HTMLParser(encoding="utf-8"))
        assert [] == tree.xpath("//script[not(@src)] | //img | //@onmouseover | //@onerror"), url
        assert all(str(one).startswith(("/vendor/", "/static/")) for one in tree.xpath("//script/@src")), url
        words = str(tree.text_content())
        assert not set(words) & set(BIDI), url
        assert "7*7" in words or "gnp.exe" not in words, url  # brackets are text, not a template
    await context.close()


async def _draft(tocsin: Town, client: aiohttp.ClientSession, cap: str) -> str:
    headers = {"Authorization": f"Bearer {tocsin.key}", "Content-Type": "application/cap+xml"}
    url = f"{tocsin.url}/api/v1/warnings?strict=false&release=false"
    async with client.post(url, data=cap.encode(), headers=headers) as response:
        taken = await response.json(content_type=None)
    await tocsin.settle()
    return str(taken["warning_id"])
