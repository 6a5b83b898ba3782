"""Connections that are opened and never used up: without a proxy and with few files, they harm nobody but themselves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from pathlib import Path

import aiohttp

from tests.gateway.office import cap
from tests.servers.serving import served

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


async def test_a_body_that_does_not_come_is_not_waited_for(tmp_path: Path) -> None:
    """It has a minute (here a second); what is whole by then is not touched, a list goes on as long as it grows."""
    from aiohttp import web

    from services.shared.doorkeeper import PROGRESS, Doorkeeper, Site

    door = Doorkeeper(most=50, proxies=(), body_s=0.3)
    app = web.Application(middlewares=[door.attend], client_max_size=10 * PROGRESS)

    async def take(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    app.router.add_post("/", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    sock = socket.create_server(("127.0.0.1", 0))
    await Site(runner, sock, door).start()
    port = sock.getsockname()[1]
    try:
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
            await asyncio.sleep(0.12)
        answer = (await asyncio.wait_for(reader.read(400), 5)).decode()
        assert answer.startswith("HTTP/1.1 200")
        assert whole == json.loads(answer.rpartition("\r\n")[2])
        writer.close()
    finally:
        await runner.cleanup()
