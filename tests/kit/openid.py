"""A real OpenID provider (npm's oidc-provider in a process of its own), and a browser that goes through it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import aiohttp

SCRIPT = Path(__file__).parents[2] / "tools" / "peers" / "oidc.js"
ORIGIN = "http://localhost:9"  # of the console, as the provider knows it; nobody connects to it
BACK = f"{ORIGIN}/console/sign-in/office/back"
Change = Callable[[str], str]


@asynccontextmanager
async def provider(client: str = "tocsin", secret: str = "our secret") -> AsyncIterator[str]:
    """Its issuer."""
    process = await asyncio.create_subprocess_exec(
        "node", str(SCRIPT), client, secret, BACK,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        async with asyncio.timeout(20):
            yield str(json.loads(await process.stdout.readline())["issuer"])
    finally:
        process.stdin.close()
        await process.wait()


async def through(
    http: aiohttp.ClientSession, town_url: str, start: str, name: str, change: Change = lambda url: url
) -> tuple[int, str, str]:
    """From a page of ours to the provider, signing in there as `name`, and back; (status, where to, page).

    `change` alters the address the browser is sent to at the provider, as somebody on the way would.
    """
    async with http.get(town_url + start, allow_redirects=False) as answer:
        assert 303 == answer.status, await answer.text()
        url = change(answer.headers["Location"])
    while not url.startswith(ORIGIN):
        async with http.get(url, allow_redirects=False) as answer:
            page = await answer.text()
        if answer.status == 200:  # it asks who they are, then whether they agree
            form = re.findall(r'<form[^>]*action="([^"]+)"', page)[0]
            hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))
            given = {"login": name, "password": "any"} | hidden
            async with http.post(urljoin(url, form), data=given, allow_redirects=False) as answer:
                await answer.read()
        assert "Location" in answer.headers, (answer.status, page[:500])
        url = urljoin(url, answer.headers["Location"])
    back = urlsplit(url)
    async with http.get(f"{town_url}{back.path}?{back.query}", allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location", ""), await answer.text()
