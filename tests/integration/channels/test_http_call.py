"""A driver's HTTP call on real sockets: NotSent is said only where the server saw no byte of a request.

Both ways are held to it: a call through the shared session, and one over a pool of connections of its own.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from services.channels.http.pool import Pool
from services.channels.http.request import RequestHead
from services.channels.model.final_check import Overtaken, checking, traced
from services.channels.model.http_call import Ambiguous, NotSent, Response, http_call
from services.channels.model.outcome import LATE, Outcome
from tests.kit.cap_keys import pair
from tests.kit.misbehaving import reset

PATIENCE = aiohttp.ClientTimeout(total=0.6, connect=0.3)
Serve = Callable[["Seen", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Seen:
    """What came in at the server: connections, and bytes above TCP and TLS."""

    url: str = ""
    connections: int = 0
    bytes: int = 0

    async def request(self, reader: asyncio.StreamReader) -> None:
        """One request of two bytes of body, read whole."""
        self.bytes += len(await reader.readuntil(b"\r\n\r\nhi"))


@asynccontextmanager
async def serving(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[Seen]:
    seen, tasks = Seen(), set[asyncio.Task[None] | None]()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        seen.connections += 1
        try:
            await serve(seen, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    seen.url = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        yield seen
    finally:
        server.close()
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(t for t in tasks if t is not None), return_exceptions=True)


class Session:
    """Through aiohttp."""

    def __init__(self, resolver: AbstractResolver | None = None) -> None:
        connector = aiohttp.TCPConnector(resolver=resolver)
        self._session = aiohttp.ClientSession(connector=connector, trace_configs=[traced()])

    async def call(self, url: str, **more: Any) -> Response | NotSent | Ambiguous:
        return await http_call(self._session, "POST", url, headers={}, data=b"hi", timeout=PATIENCE, **more)

    async def close(self) -> None:
        await self._session.close()


class Pools:
    """Over a pool for each server; the body is read whether it is asked for or not."""

    def __init__(self, resolver: AbstractResolver | None = None) -> None:
        self._resolver = resolver
        self._pools: dict[Any, Pool] = {}

    async def call(
        self, url: str, *, read_body: bool = False, tls: ssl.SSLContext | None = None
    ) -> Response | NotSent | Ambiguous:
        if (url, tls) not in self._pools:
            self._pools[url, tls] = Pool(url, 4, times=PATIENCE, tls=tls, resolver=self._resolver)
        found = await self._pools[url, tls].call(RequestHead("POST", url, {}).request("hi"))
        return replace(found, body=found.body if read_body else b"") if isinstance(found, Response) else found

    async def close(self) -> None:
        for pool in self._pools.values():
            await pool.close()


Way = Session | Pools


@pytest.fixture(params=[Session, Pools])
async def session(request: pytest.FixtureRequest) -> AsyncIterator[Way]:
    one: Way = request.param()
    yield one
    await one.close()


async def call(session: Way, url: str, **more: Any) -> Response | NotSent | Ambiguous:
    return await session.call(url, **more)


# ---- nothing can have left


async def test_nobody_listens(session: Way) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets this port meanwhile
        found = await call(session, f"http://127.0.0.1:{taken.getsockname()[1]}/")
    assert NotSent("ClientConnectorError") == found
    assert isinstance(found, NotSent)
    assert (Outcome.NOT_SENT, "ClientConnectorError") == (found.result.outcome, found.result.code)


async def test_a_connection_that_is_never_answered(session: Way) -> None:
    """A queue of connections that is full: the system drops what knocks."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for one in (first, second):
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        found = await call(session, f"http://127.0.0.1:{full.getsockname()[1]}/")
    assert NotSent("ConnectionTimeoutError") == found


@pytest.mark.parametrize("way", [Session, Pools])
async def test_a_name_that_is_not_there(way: Any) -> None:
    class Nowhere(AbstractResolver):
        async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> list[ResolveResult]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        async def close(self) -> None: ...

    session: Way = way(Nowhere())
    assert NotSent("ClientConnectorDNSError") == await call(session, "http://warn.invalid/")
    await session.close()


NO_ADDRESS = ["http://", "https:///path", "gopher://host/", "no address"]


@pytest.mark.parametrize("url", NO_ADDRESS)
async def test_what_is_no_address(url: str) -> None:
    """A session says so at each call, a pool when it is made: whoever wrote the setting is there to read it."""
    session = Session()
    found = await call(session, url)
    await session.close()
    assert isinstance(found, NotSent)
    assert "no address" == found.because
    with pytest.raises(ValueError, match="base address"):
        Pool(url, 1)


async def cut(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    reset(writer)


async def plain(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(5)  # the beginning of a TLS handshake
    writer.write(b"HTTP/1.1 400 What\r\n\r\n")
    await writer.drain()


@pytest.mark.parametrize(("serve", "because"), [(plain, "no tls"), (cut, "no connection")])
async def test_tls_that_is_not_agreed(session: Way, serve: Serve, because: str) -> None:
    """A server without TLS, and one that resets in the handshake: the request comes after it."""
    async with serving(serve) as seen:
        found = await call(session, seen.url.replace("http:", "https:"))
    assert isinstance(found, NotSent)
    assert (because, 1) == (found.because, seen.connections)


async def test_a_certificate_that_is_not_known(session: Way, tmp_path: Path) -> None:
    """Nothing of the request is told to it; with its certificate known it is asked."""
    key, cert = pair("gateway", host="127.0.0.1")
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "cert.pem").write_bytes(cert)
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    async with serving(well, theirs) as seen:
        found = await call(session, seen.url)
        assert isinstance(found, NotSent)
        assert ("no tls", 0) == (found.because, seen.bytes)
        known = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        assert Response(201) == await call(session, seen.url, tls=known)


async def test_what_is_overtaken_while_it_connects(session: Way) -> None:
    """The connection stands, and no byte went over it."""

    async def cancelled() -> None:
        raise Overtaken

    async with serving(well) as seen:
        with checking(cancelled):
            found = await call(session, seen.url)
        assert NotSent(LATE, "late") == found
        assert (1, 0) == (seen.connections, seen.bytes)


# ---- it may have been taken


async def silent(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await seen.request(reader)
    await asyncio.sleep(30)


async def deaf(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def lost(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await seen.request(reader)
    reset(writer)


async def gone(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await seen.request(reader)


async def half_head(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await seen.request(reader)
    writer.write(b"HTTP/1.1 201 Crea")
    await writer.drain()


async def garbled(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await seen.request(reader)
    writer.write(b"HTTP/1.1 2\xff1 Cre\x00ated\r\n\r\n")
    await writer.drain()


async def half_body(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await seen.request(reader)
    writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 20\r\n\r\n{")
    await writer.drain()


CODES: dict[str, set[str]] = {}


@pytest.mark.parametrize("serve", [silent, deaf, cut, lost, gone, half_head, garbled])
async def test_whatever_goes_wrong_once_it_is_connected_is_ambiguous(session: Way, serve: Serve) -> None:
    """Also where the server read nothing: what we wrote may have been read for all we know."""
    async with serving(serve) as seen:
        found = await call(session, seen.url)
    assert isinstance(found, Ambiguous)
    assert (Outcome.AMBIGUOUS, found.code) == (found.result.outcome, found.result.code)
    assert 0 < len(found.code) <= 24
    assert 1 == seen.connections  # never repeated
    CODES.setdefault(serve.__name__, set()).add(found.code)
    assert 1 == len(CODES[serve.__name__]), "both ways call it by one name"


async def test_half_an_answer(session: Way) -> None:
    """Of a body that is read half is none; its status is an answer for a session's caller who needs no more."""
    async with serving(half_body) as seen:
        if isinstance(session, Session):
            assert Response(201) == await call(session, seen.url)
        assert Ambiguous("ClientPayloadError") == await call(session, seen.url, read_body=True)


async def test_a_kept_connection_that_is_cut(session: Way) -> None:
    """The first call was answered, the second went over the same connection, and nothing is sent by a third of its own."""
    twice = 0

    async def once(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal twice
        await well(seen, reader, writer)
        await seen.request(reader)
        twice += 1
        reset(writer)

    async with serving(once) as seen:
        assert Response(201) == await call(session, seen.url)
        assert isinstance(await call(session, seen.url), Ambiguous)
    assert (1, 1) == (seen.connections, twice)


# ---- an answer


async def well(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await seen.request(reader)
    writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}")
    await writer.drain()


async def moved(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await seen.request(reader)
    writer.write(b"HTTP/1.1 307 There\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


async def test_an_answer_is_handed_on_with_its_body_where_that_is_asked_for(session: Way) -> None:
    async with serving(well) as seen:
        assert Response(201, None, b"{}") == await call(session, seen.url, read_body=True)
    async with serving(moved) as seen:
        assert Response(307) == await call(session, seen.url)  # not followed


@pytest.mark.parametrize(
    ("said", "seconds"), [("7", 7.0), ("0", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None), ("²", None)]
)
async def test_when_it_may_be_tried_again(session: Way, said: str, seconds: float | None) -> None:
    async def busy(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await seen.request(reader)
        writer.write(f"HTTP/1.1 429 Busy\r\nRetry-After: {said}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()

    async with serving(busy) as seen:
        assert Response(429, seconds) == await call(session, seen.url)
