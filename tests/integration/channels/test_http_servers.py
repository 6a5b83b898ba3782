"""A pool of connections at servers of others, plain and over TLS: node's own, and nginx and Caddy in front of it.

What it says of a call is held to what the provider counted: accepted is one request, not sent is none, and nobody has two.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from services.channels.http.connection import Called
from services.channels.http.pool import Pool
from services.channels.http.request import RequestHead
from services.channels.model.http_call import Ambiguous, NotSent, Response
from tests.kit.cap_keys import pair
from tools.servers import caddy, nginx
from tools.servers.ports import free_port

SCRIPT = Path(__file__).parents[3] / "tools" / "peers" / "provider.js"
WAYS = ("plain", "chunked", "early", "continue", "gzip", "until-end", "close", "late")
KINDS = ("node", "node tls", "nginx", "nginx tls", "caddy", "caddy tls")
PATIENCE = aiohttp.ClientTimeout(total=30, connect=30)  # the machine may be busy, and many wait for a place
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Peer:
    """`direct` is the provider itself, whom `url` may stand before; `process` is who listens at `url`."""

    url: str
    direct: str
    tls: ssl.SSLContext | None
    process: Process

    async def counted(self) -> dict[str, int]:
        """Number > requests."""
        one = Pool(self.direct, 1, tls=self.tls)
        called = await one.call(RequestHead("GET", f"{self.direct}/count", {}).request())
        await one.close()
        assert isinstance(called, Response)
        return dict(json.loads(called.body))

    def request(self, number: int, way: str) -> bytes:
        return RequestHead("POST", f"{self.url}/{way}", FORM).request(f"To={number}")


@asynccontextmanager
async def node(folder: Path, tls: bool, kept: float) -> AsyncIterator[tuple[str, Process]]:
    files = (str(folder / "key.pem"), str(folder / "cert.pem")) if tls else ()
    process = await asyncio.create_subprocess_exec(
        "node", str(SCRIPT), str(kept), *files, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    port = json.loads(await process.stdout.readline())["port"]
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{port}", process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@asynccontextmanager
async def peer(kind: str, folder: Path, kept: float = 5.0) -> AsyncIterator[Peer]:
    """A server of that kind with our certificate; behind a proxy the provider keeps its connections long."""
    name, _, tls = kind.partition(" ")
    key, cert = folder / "key.pem", folder / "cert.pem"
    for file, octets in zip((key, cert), pair("provider", host="127.0.0.1"), strict=True):
        file.write_bytes(octets)
    known = ssl.create_default_context(cafile=str(cert)) if tls else None
    async with AsyncExitStack() as stack:
        direct, process = await stack.enter_async_context(node(folder, bool(tls) and name == "node", kept))
        url, port = direct, free_port()
        if name == "nginx":
            secure = f"ssl_certificate {cert}; ssl_certificate_key {key};" if tls else ""
            block = (
                f"server {{ listen 127.0.0.1:{port} {'ssl' if tls else ''}; {secure} keepalive_requests 7; location / {{\n"
                f"proxy_pass {direct}; proxy_http_version 1.1; proxy_buffering off; proxy_next_upstream off; }} }}"
            )
            process = await stack.enter_async_context(nginx.serving(block, port, folder))
        elif name == "caddy":
            options = "{\n\tadmin off\n\tauto_https off\n\tskip_install_trust\n\tdefault_sni 127.0.0.1\n}\n"
            secure = f"\ttls {cert} {key}\n" if tls else ""
            site = f"http{'s' if tls else ''}://127.0.0.1:{port} {{\n{secure}\treverse_proxy {direct}\n}}\n"
            process = (await stack.enter_async_context(caddy.serving(options + site, port, folder))).process
        if name != "node":
            url = f"http{'s' if tls else ''}://127.0.0.1:{port}"
        yield Peer(url, direct, known, process)


class Ends:
    """What came of each number's call; nobody is told twice."""

    def __init__(self) -> None:
        self.found: dict[int, Called] = {}
        self.news = asyncio.Event()

    def of(self, number: int) -> Any:
        def answered(called: Called) -> None:
            assert number not in self.found
            self.found[number] = called
            self.news.set()

        return answered

    async def until(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.found) < count:
                self.news.clear()
                await self.news.wait()


@pytest.mark.parametrize("kind", KINDS)
async def test_every_way_of_answering_is_read_and_counted_once(kind: str, tmp_path: Path) -> None:
    """Ten connections, some of which the server ends after each answer, or after a few."""
    async with peer(kind, tmp_path) as one:
        pool, ends, count = Pool(one.url, 10, times=PATIENCE, tls=one.tls), Ends(), 200
        for n in range(count):
            pool.send(one.request(n, WAYS[n % len(WAYS)]), ends.of(n))
        await ends.until(count)
        assert {n: Response(201, None, b'{"sid":"SM%d"}' % n) for n in range(count)} == ends.found
        assert dict.fromkeys(map(str, range(count)), 1) == await one.counted()
        await pool.close()


@pytest.mark.parametrize("kind", ["node", "node tls"])
async def test_connections_a_server_ends_while_they_are_idle_cost_no_call(kind: str, tmp_path: Path) -> None:
    """It keeps them for 20 ms, and each call comes about then: whatever is not answered is said to be so."""
    async with peer(kind, tmp_path, kept=0.02) as one:
        pool, found = Pool(one.url, 1, tls=one.tls), dict[int, Called]()
        for n in range(30):
            found[n] = await pool.call(one.request(n, "plain"))
            await asyncio.sleep(0.015 + n % 10 / 1000)
        counted = await one.counted()
        await pool.close()
    true_to(found, counted)
    assert sum(isinstance(called, Response) for called in found.values()) > 20


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.long
async def test_a_server_that_is_killed_leaves_no_false_word(kind: str, tmp_path: Path) -> None:
    """Every call has its end; who was not sent to was not, and who was accepted was once."""
    async with peer(kind, tmp_path) as one:
        pool, ends, count = Pool(one.url, 10, times=PATIENCE, tls=one.tls), Ends(), 200
        for n in range(count):
            pool.send(one.request(n, "late"), ends.of(n))
        async with asyncio.timeout(20):
            while len(ends.found) < 40:
                ends.news.clear()
                await ends.news.wait()
        one.process.kill()
        await ends.until(count)
        kinds = Counter(type(called) for called in ends.found.values())
        assert kinds[NotSent]
        assert kinds[Response] >= 40
        if not kind.startswith("node"):
            await asyncio.sleep(0.1)  # for what the proxy had passed on
            true_to(ends.found, await one.counted())
        assert 10 == pool.free
        await pool.close()


def true_to(found: dict[int, Called], counted: dict[str, int]) -> None:
    for number, called in found.items():
        requests = counted.get(str(number), 0)
        if isinstance(called, Response):
            assert (201, 1) == (called.status, requests) or called.status in (502, 504)
        elif isinstance(called, NotSent):
            assert 0 == requests
        else:
            assert isinstance(called, Ambiguous)
            assert requests <= 1


@pytest.mark.parametrize("kind", ["node tls", "nginx tls", "caddy tls"])
async def test_a_server_whose_certificate_is_not_known_is_told_nothing(kind: str, tmp_path: Path) -> None:
    async with peer(kind, tmp_path) as one:
        pool = Pool(one.url, 1)
        assert NotSent("ClientConnectorCertificateError"[:24], "no tls") == await pool.call(one.request(1, "plain"))
        await pool.close()
        assert {} == await one.counted()
