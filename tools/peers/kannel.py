"""Debian's Kannel as the phone's side: an ESME that gets our parts as a network delivers them, and what it made of them.

Ours > smpp34's server, which hands each part on byte for byte as a deliver_sm > bearerbox > smsbox, which puts the parts
together and asks an address of the test's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote_to_bytes

from aiohttp import web
from aiohttp.test_utils import TestServer
from smpp34 import Esme, Server, SubmitSmEvent, Unbound

from tools.servers.ports import free_ports

WAIT_S = 30.0
CONFIG = """
group = core
admin-port = {admin}
admin-password = test
smsbox-port = {box}
box-allow-ip = 127.0.0.1
log-level = 1
sms-combine-concatenated-mo = true
sms-combine-concatenated-mo-timeout = 60

group = smsc
smsc = smpp
smsc-id = tocsin
host = 127.0.0.1
port = {smsc}
transceiver-mode = true
smsc-username = kannel
smsc-password = test
system-type = ""
reconnect-delay = 1

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {box}
sendsms-port = {send}

group = sms-service
keyword = default
max-messages = 0
get-url = "{url}?text=%b&coding=%c&charset=%C&from=%p"
"""


@dataclass
class Kannel:
    """`port` is where our driver binds; `texts` what Kannel read, whole, with who sent it."""

    port: int
    texts: list[tuple[str, str]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(WAIT_S):
            while len(self.texts) < count:
                self.news.clear()
                await self.news.wait()


async def relay(server: Server, ready: asyncio.Event) -> None:
    """What ours hands over goes to Kannel as it came."""
    phone: Esme | None = None
    count = 0
    while True:
        event = await server.next()
        if isinstance(event, Esme):
            if event.system_id == "kannel":
                phone = event
                ready.set()
        elif isinstance(event, SubmitSmEvent):
            assert phone is not None
            count += 1
            event.accept(f"{count:x}")
            answer = await phone.deliver_sm(
                event.destination_addr, event.short_message, source_addr=event.source_addr, esm_class=event.esm_class,
                source_addr_ton=event.source_addr_ton, source_addr_npi=event.source_addr_npi,
                dest_addr_ton=event.dest_addr_ton, dest_addr_npi=event.dest_addr_npi, data_coding=event.data_coding,
            )  # fmt: skip
            assert answer.is_success
        else:
            assert isinstance(event, Unbound)


@asynccontextmanager
async def kannel(folder: Path) -> AsyncIterator[Kannel]:
    """On free ports of loopback; everything ends with the block."""
    smsc, admin, box, send = free_ports(4)
    made = Kannel(smsc)

    async def read(request: web.Request) -> web.Response:
        # what a form's parser would take for UTF-8 may be UTF-16: its bytes come percent-encoded
        query = dict(part.split(b"=", 1) for part in request.rel_url.raw_query_string.encode().split(b"&"))
        body = _unquoted(query[b"text"])
        charset = "utf-16-be" if query[b"coding"] == b"2" else _unquoted(query[b"charset"]).decode() or "utf-8"
        made.texts.append((_unquoted(query[b"from"]).decode(), body.decode(charset)))
        made.news.set()
        return web.Response()

    app = web.Application()
    app.router.add_get("/", read)
    async with TestServer(app) as web_server:
        file = folder / "kannel.conf"
        url = str(web_server.make_url("/"))
        file.write_text(CONFIG.format(smsc=smsc, admin=admin, box=box, send=send, url=url), "utf-8")
        server, ready = Server("127.0.0.1", smsc), asyncio.Event()
        await server.start()
        relaying = asyncio.create_task(relay(server, ready))
        boxes: list[asyncio.subprocess.Process] = []
        try:
            for program, port in (("bearerbox", box), ("smsbox", send)):
                boxes.append(await _started(program, file, port, folder))
            await asyncio.wait_for(ready.wait(), WAIT_S)
            yield made
            if relaying.done():
                relaying.result()
        finally:
            for one in reversed(boxes):
                if one.returncode is None:
                    one.terminate()
                    try:
                        await asyncio.wait_for(one.wait(), 5)
                    except TimeoutError:
                        one.kill()
                        await one.wait()
            relaying.cancel()
            await asyncio.gather(relaying, return_exceptions=True)
            await server.stop()


async def _started(program: str, config: Path, port: int, folder: Path) -> asyncio.subprocess.Process:
    """A box that listens."""
    with (folder / f"{program}.log").open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            f"/usr/sbin/{program}", "-v", "1", str(config), stdout=out, stderr=out
        )
    async with asyncio.timeout(WAIT_S):
        while True:
            assert process.returncode is None, (folder / f"{program}.log").read_bytes()[-2000:]
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                await writer.wait_closed()
                return process


def _unquoted(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))
