"""Connections that are opened and never used up: without a proxy and with few files, they harm nobody but themselves."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from services.shared.client_address import Network, networks_of
from services.shared.web.connection_limits import MOST, PROGRESS, Doorkeeper, Site, bound
from tests.kit.square import cap
from tools.servers.serving import served

SLOW = 1_400
FILES = 1_024  # what Debian gives a process
BODY = b"POST /callbacks/sms_twilio/inbound HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\na=1"
HEAD = b"GET /public/check HTTP/1.1\r\nHost: x\r\nX-Slow: "


async def lie_there(port: int, address: str, said: bytes) -> asyncio.StreamWriter | None:
    """A connection from an address of this machine that begins to say something; None where it is closed at once."""
    with contextlib.suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
        writer.write(said)
        return writer
    return None


@pytest.mark.slow
async def test_slow_ones_harm_nobody(tmp_path: Path) -> None:
    """1,400 bodies and headers that never end, from one address and from fifty: the authority's call is taken beside them."""
    async with served(tmp_path / "data", most_files=FILES) as tocsin, aiohttp.ClientSession() as session:
        port = int(tocsin.url.rpartition(":")[2])
        slow: list[asyncio.StreamWriter | None] = []
        for n in range(0, SLOW, 50):
            addresses = ["127.0.0.1" if n % 100 else f"127.0.1.{i + 1}" for i in range(50)]
            some = (lie_there(port, a, BODY if i % 2 else HEAD) for i, a in enumerate(addresses))
            slow += await asyncio.gather(*some)
        assert SLOW == len(slow)
        begun = time.monotonic()
        headers = {"Authorization": f"Bearer {tocsin.key}", "Content-Type": "application/cap+xml"}
        async with asyncio.timeout(10):
            async with session.get(f"{tocsin.url}/readyz") as ready:
                assert 200 == ready.status
            url = f"{tocsin.url}/api/v1/warnings?strict=false&release=false"
            async with session.post(url, data=cap(), headers=headers) as taken:
                assert 202 == taken.status, await taken.text()
        assert time.monotonic() - begun < 5.0
        for writer in slow:
            if writer is not None:
                writer.transport.abort()
        assert "too_many_connections" in tocsin.log.read_text()


@asynccontextmanager
async def behind(door: Doorkeeper) -> AsyncIterator[tuple[int, asyncio.Event]]:
    """A server of ours behind that doorkeeper: `/` says how long the body was, `/long` answers once the event is set."""
    free = asyncio.Event()
    app = web.Application(middlewares=[door.attend], client_max_size=10 * PROGRESS)

    async def take(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    async def long(request: web.Request) -> web.Response:
        await free.wait()
        return web.Response(text="done")

    app.router.add_post("/", take)
    app.router.add_get("/long", long)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    sock = socket.create_server(("127.0.0.1", 0))
    await Site(runner, sock, door).start()
    try:
        yield sock.getsockname()[1], free
    finally:
        free.set()
        await runner.cleanup()


@pytest.mark.parametrize("proxies", [(), networks_of("127.0.0.0/8")])
async def test_who_waits_longest_goes_and_who_is_being_answered_never(proxies: tuple[Network, ...]) -> None:
    """Of one address, and of all together; a proxy of ours has no bound of its own. And the count is right afterwards."""
    door = Doorkeeper(most=30, proxies=proxies, each=8)
    async with behind(door) as (port, free), aiohttp.ClientSession() as session:
        answered = asyncio.create_task(session.get(f"http://127.0.0.1:{port}/long"))
        await asyncio.sleep(0.05)
        slow = [await lie_there(port, "127.0.0.1", BODY if n % 2 else HEAD) for n in range(20)]
        await asyncio.sleep(0.1)
        assert (21 if proxies else 8) == door.count
        slow += [await lie_there(port, f"127.0.2.{n // 4 + 1}", HEAD) for n in range(60)]
        await asyncio.sleep(0.1)
        assert 30 == door.count
        async with session.post(f"http://127.0.0.1:{port}/", data=b"x" * 1000) as response:
            assert "1000" == await response.text()
        free.set()
        async with await answered as response:
            assert "done" == await response.text()
        for writer in slow:
            if writer is not None:
                writer.transport.abort()
        await session.close()
        await asyncio.sleep(0.1)
        assert (0, {}) == (door.count, door._all)


async def test_nobody_is_turned_out_for_one_more_where_all_are_being_answered() -> None:
    door = Doorkeeper(most=3, proxies=(), each=8)
    async with behind(door) as (port, free), aiohttp.ClientSession() as session:
        busy = [asyncio.create_task(session.get(f"http://127.0.0.1:{port}/long")) for _ in range(3)]
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(ConnectionResetError):
            assert b"" == await asyncio.wait_for(reader.read(), 2)
        writer.close()
        free.set()
        assert [200] * 3 == [(await one).status for one in busy]


@given(st.integers(-1, 2**31))
def test_connections_stay_below_the_files_there_are(files: int) -> None:
    """With room for databases, providers and lists."""
    most = bound(files)
    assert 16 <= most <= MOST
    assert files < 64 or files - most >= min(256, files // 4)


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    """It has a minute (here a moment); a list goes on as long as it grows."""
    async with behind(Doorkeeper(most=50, proxies=(), body_s=0.3)) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        assert b"408" in await asyncio.wait_for(reader.readline(), 5)
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        whole = 4 * PROGRESS
        writer.write(f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {whole}\r\n\r\n".encode())
        for _ in range(8):  # twice as fast as it must
            writer.write(b"x" * (whole // 8))
            await writer.drain()
            await asyncio.sleep(0.1)
        answer = (await asyncio.wait_for(reader.read(400), 5)).decode()
        assert answer.startswith("HTTP/1.1 200")
        assert str(whole) == answer.rpartition("\r\n")[2]
        writer.close()
