"""Bounds connections in all and for each address; what is begun must be ended.

Where there are too many the one that has kept us waiting longest goes, never one whose request is whole and being
answered. So whoever opens a thousand and lets them lie closes the door to nobody but themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import structlog
from aiohttp import web

from services.shared.client_address import Network, address_of, counted, is_in

EACH = 128  # connections of one address that is no proxy of ours: a village behind one address has fewer at a time
MOST = 8_000
RESERVE = 256  # descriptors for databases, providers and files; at least a quarter of all
FIRST_S = 30.0  # until the first request's headers are whole
BODY_S = 60.0  # until its body is
PROGRESS = 256 * 1024  # bytes by which a list must have grown in every BODY_S after that
log = structlog.get_logger("web")


def raise_limit() -> int:
    """Lets the process open as many files as it may; how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):  # "unlimited" is more than the kernel gives
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    return soft if soft != resource.RLIM_INFINITY else MOST + RESERVE


def bound(files: int) -> int:
    """How many connections are let in where so many files may be open."""
    return MOST if files < 0 else max(16, min(MOST, files - max(RESERVE, files // 4)))


@dataclass(eq=False)
class _Caller(asyncio.Protocol):
    """One connection: what comes goes on to aiohttp's own protocol; who it is and what it waits for is known here."""

    door: Doorkeeper
    inner: asyncio.Protocol
    address: str = ""
    exempt: bool = False
    request: web.Request | None = None
    transport: asyncio.Transport = field(init=False)
    first: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        here = address_of(str(peer[0])) if peer else None
        self.address = counted(here) if here is not None else "unknown"
        self.exempt = here is not None and is_in(here, self.door.proxies)
        if not self.door.enters(self):
            self.transport.abort()
            return
        self.first = asyncio.get_running_loop().call_later(FIRST_S, self.transport.abort)
        self.inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.first is not None:
            self.first.cancel()
        if self.door.leaves(self):
            self.inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self.inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self.inner.eof_received()

    def pause_writing(self) -> None:
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        self.inner.resume_writing()

    @property
    def waits(self) -> bool:
        """Whether it owes us something: a request, or the rest of one."""
        return self.request is None or not self.request.content.is_eof()


class Doorkeeper:
    """Makes the protocol of each connection of a server, and counts them."""

    def __init__(self, most: int, proxies: Sequence[Network], each: int = EACH, body_s: float = BODY_S) -> None:
        self.most = most
        self.proxies = proxies
        self._each = each
        self._body_s = body_s
        self._all: dict[str, dict[asyncio.BaseTransport, _Caller]] = {}  # by address; first who waits longest
        self.count = 0
        self.turned_out = 0

    def enters(self, one: _Caller) -> bool:
        """Lets it in, for which another may have to go; False where none that is here could."""
        mine = self._all.get(one.address, {})
        if not one.exempt and len(mine) >= self._each and not self._turn_out(mine):
            return False
        if self.count >= self.most:
            most = max(self._all.values(), key=len, default={})
            if not self._turn_out(most) and not any(self._turn_out(callers) for callers in list(self._all.values())):
                return False
        self._all.setdefault(one.address, {})[one.transport] = one
        self.count += 1
        return True

    def leaves(self, one: _Caller) -> bool:
        """Whether it was in."""
        mine = self._all.get(one.address, {})
        if mine.pop(one.transport, None) is None:
            return one.first is not None  # turned out: it was in, and is counted no more
        if not mine:
            del self._all[one.address]
        self.count -= 1
        return True

    def _turn_out(self, callers: dict[asyncio.BaseTransport, _Caller]) -> bool:
        oldest = next((one for one in callers.values() if one.waits), None)
        if oldest is None:
            return False
        self.leaves(oldest)
        oldest.transport.abort()
        self.turned_out += 1
        if self.turned_out in (1, 100) or self.turned_out % 10_000 == 0:
            log.warning("too_many_connections", open=self.count, most=self.most, turned_out=self.turned_out)
        return True

    def _caller(self, transport: asyncio.BaseTransport | None, peer: str) -> _Caller | None:
        here = address_of(peer)
        return self._all.get(counted(here) if here is not None else "unknown", {}).get(transport) if transport else None

    def _back_in_line(self, one: _Caller) -> None:
        """Its request was answered: it has kept us waiting from now on."""
        mine = self._all.get(one.address, {})
        if mine.pop(one.transport, None) is not None:
            mine[one.transport] = one

    @web.middleware
    async def attend(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Notes that a request has come, and sees to it that its body comes too."""
        one = self._caller(request.transport, request.remote or "")
        if one is not None:
            if one.first is not None:
                one.first.cancel()
            one.request = request
        loop = asyncio.get_running_loop()
        watch: list[asyncio.TimerHandle] = []

        def look(before: int) -> None:
            if request.content.is_eof():
                return
            if request.content.total_bytes < before + PROGRESS:
                request.content.set_exception(web.HTTPRequestTimeout())
                return
            watch[:] = [loop.call_later(self._body_s, look, request.content.total_bytes)]

        if not request.content.is_eof():
            watch[:] = [loop.call_later(self._body_s, look, 0)]
        try:
            return await handler(request)
        finally:
            for handle in watch:
                handle.cancel()
            if one is not None:
                one.request = None
                self._back_in_line(one)

    def protocol(self, server: web.Server) -> Callable[[], asyncio.Protocol]:
        """What the loop makes of each connection."""
        return lambda: _Caller(self, cast(asyncio.Protocol, server()))


class Site(web.BaseSite):
    """A socket of a runner whose connections go past a doorkeeper."""

    def __init__(self, runner: web.AppRunner, sock: socket.socket, door: Doorkeeper) -> None:
        super().__init__(runner, backlog=1024)
        self._sock = sock
        self._door = door

    @property
    def name(self) -> str:
        return "http://{}:{}".format(*self._sock.getsockname()[:2])

    async def start(self) -> None:
        await super().start()
        server = cast(web.Server, self._runner.server)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._door.protocol(server), sock=self._sock, backlog=self._backlog)
