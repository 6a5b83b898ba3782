"""Fetches one address, carefully: only to public addresses, never redirected, never more than asked for, never for long.

The address that was checked is the address that is connected to: a name that changes its mind in between changes nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from services.shared.errors import Fault

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


def may_reach(address: str, *, private: bool) -> bool:
    """Whether an IP address may be connected to: a public one, or any where the feed's entry says so."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if private:
        return True
    inner = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
    if inner is not None:
        ip = inner
    if isinstance(ip, ipaddress.IPv6Address) and (ip.teredo is not None or ip in ipaddress.ip_network("64:ff9b::/32")):
        return False  # addresses that hide another one
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


class _Checked(AbstractResolver):
    """Resolves a name and keeps what may be reached; where that is nothing, nothing is connected to."""

    def __init__(self, *, private: bool) -> None:
        self._inner = ThreadedResolver()
        self._private = private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        good = [one for one in found if may_reach(one["host"], private=self._private)]
        if not good:
            raise Unfetched(
                f"{host} lies at no public address: where that is meant, say private: true in the feed file"
            )
        return good

    async def close(self) -> None:
        await self._inner.close()


def session(*, private: bool) -> aiohttp.ClientSession:
    """A session that reaches public addresses only, takes no proxy from the environment and keeps no cookies."""
    connector = aiohttp.TCPConnector(resolver=_Checked(private=private), use_dns_cache=False, limit_per_host=2)
    return aiohttp.ClientSession(
        connector=connector, timeout=TIMEOUT, trust_env=False, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False,
        headers={"Accept": _ACCEPT, "Accept-Encoding": "identity", "User-Agent": "tocsin"},
    )  # fmt: skip


async def fetch(
    client: aiohttp.ClientSession, url: str, *, private: bool, most: int, etag: str = "", modified: str = ""
) -> Fetched:
    """The body, at most `most` bytes; Unfetched says in a sentence why not."""
    host = urlsplit(url).hostname or ""
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        literal = None
    if literal is not None and not may_reach(host, private=private):
        raise Unfetched(f"{host} is no public address: where that is meant, say private: true in the feed file")
    headers = {k: v for k, v in (("If-None-Match", etag), ("If-Modified-Since", modified)) if v}
    try:
        async with client.get(url, headers=headers, allow_redirects=False) as response:
            return await _take(response, most)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as problem:
        if isinstance(problem.__cause__, Unfetched):
            raise problem.__cause__ from problem
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
