"""Fetches one address with care: public, never redirected, bounded in size and time."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from services.shared.errors import Fault
from services.shared.web.outgoing_addresses import CheckedResolver, OutOfReach, literal, may_reach

_REMEDY = "where that is meant, say private: true in the feed file"
TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5, sock_read=10)
_ACCEPT = (
    "application/cap+xml, application/atom+xml, application/rss+xml, application/xml;q=0.9, application/json;q=0.8"
)


class Unfetched(Fault):
    """Nothing usable came back; `retry_after` seconds where the server said so."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True)
class Fetched:
    """`body` None: unchanged since the validators that were given."""

    body: bytes | None
    etag: str = ""
    modified: str = ""


def session(*, private: bool) -> aiohttp.ClientSession:
    """A session that reaches public addresses only, takes no proxy from the environment and keeps no cookies."""
    connector = aiohttp.TCPConnector(
        resolver=CheckedResolver(private=private, remedy=_REMEDY), use_dns_cache=False, limit_per_host=2
    )
    return aiohttp.ClientSession(
        connector=connector, timeout=TIMEOUT, trust_env=False, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False,
        headers={"Accept": _ACCEPT, "Accept-Encoding": "identity", "User-Agent": "tocsin"},
    )  # fmt: skip


async def fetch(
    client: aiohttp.ClientSession, url: str, *, private: bool, most: int, etag: str = "", modified: str = ""
) -> Fetched:
    """The body, at most `most` bytes; Unfetched says in a sentence why not."""
    host = urlsplit(url).hostname or ""
    if literal(host) and not may_reach(host, private=private):
        raise Unfetched(f"{host} is no public address: {_REMEDY}")
    headers = {k: v for k, v in (("If-None-Match", etag), ("If-Modified-Since", modified)) if v}
    try:
        async with client.get(url, headers=headers, allow_redirects=False) as response:
            return await _take(response, most)
    except OutOfReach as problem:
        raise Unfetched(problem.message) from problem
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as problem:
        if isinstance(problem.__cause__, OutOfReach):
            raise Unfetched(problem.__cause__.message) from problem
        raise Unfetched(f"{host} does not answer: {type(problem).__name__} {problem}"[:300]) from problem


async def _take(response: aiohttp.ClientResponse, most: int) -> Fetched:
    if response.status == 304:
        return Fetched(None)
    if 300 <= response.status < 400:
        to = response.headers.get("Location", "")[:200]
        raise Unfetched(f"it redirects to {to}, which is not followed: put the address that is meant in the feed file")
    if response.status != 200:
        wait = response.headers.get("Retry-After", "")
        raise Unfetched(f"it answers {response.status}", float(wait) if wait.isascii() and wait.isdigit() else 0.0)
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Unfetched("it compresses what was asked for plain: a bomb could hide in it")
    body = bytearray()
    async for chunk in response.content.iter_chunked(65536):
        body += chunk
        if len(body) > most:
            raise Unfetched(f"it is larger than {most} bytes")
    return Fetched(bytes(body), response.headers.get("ETag", ""), response.headers.get("Last-Modified", ""))
