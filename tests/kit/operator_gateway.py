"""A mobile operator's gateway as we imagine it: takes CAP over HTTPS, keeps what came, and misbehaves when it is told to."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer
from lxml import etree


@dataclass
class Gateway:
    """`how` is a status to answer with, or: hang, close, slow, html. It knows a document again by its identifier: 409."""

    url: str = ""
    how: str | int = 200
    knows_again: bool = False
    headers: dict[str, str] = field(default_factory=dict)  # of its answers
    came: list[bytes] = field(default_factory=list)
    said: list[dict[str, list[str]]] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        known = [name(one) for one in self.came]
        self.came.append(body)
        self.said.append({key: request.headers.getall(key) for key in set(request.headers)})
        if self.how == "hang":
            await self.released.wait()
        if self.how == "close":
            assert request.transport is not None
            request.transport.close()
        if self.how == "slow":
            await asyncio.sleep(0.2)
        if self.knows_again and name(body) in known:
            return web.Response(status=409)
        status = self.how if isinstance(self.how, int) else 200
        return web.Response(status=status, headers=self.headers, text="<html>" if self.how == "html" else "")


def name(document: bytes) -> str:
    """The identifier in it."""
    return etree.fromstring(document).findtext("{urn:oasis:names:tc:emergency:cap:1.2}identifier") or ""


@asynccontextmanager
async def gateway(tls: ssl.SSLContext | None = None, **how: object) -> AsyncIterator[Gateway]:
    """On a free port of loopback."""
    one = Gateway(**how)  # type: ignore[arg-type]
    app = web.Application()
    app.router.add_post("/cap", one.take)
    server = TestServer(app, scheme="https" if tls else "http")
    await server.start_server(ssl=tls)
    try:
        one.url = str(server.make_url("/cap"))
        yield one
    finally:
        one.released.set()
        await server.close()
