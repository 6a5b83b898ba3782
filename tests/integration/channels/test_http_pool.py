"""A pool of connections on real sockets: each call has one end, and no byte is written twice or for somebody else."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from services.channels.http import connection, pool
from services.channels.http.connection import Called
from services.channels.http.pool import Pool
from services.channels.http.request import RequestHead
from services.channels.model.final_check import Overtaken, checking
from services.channels.model.http_call import Ambiguous, NotSent, Response
from services.channels.model.outcome import LATE
from tests.kit.bus import until
from tests.kit.misbehaving import reset
from tests.unit.channels.test_http_answer import ANSWERS, Told

PATIENCE = aiohttp.ClientTimeout(total=0.4, connect=0.2)
OK = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"
MADE = Response(201, None, b"{}")
CLOSED = Ambiguous("ServerDisconnectedError")


class Server:
    """`requests` is every request's body in order, with the number of its connection."""

    def __init__(self) -> None:
        self.requests: list[tuple[int, str]] = []
        self.connections = 0
        self.news = asyncio.Event()
        self.go_on = asyncio.Event()  # for those who wait to be told
        self.url = ""
        self.writers: list[asyncio.StreamWriter] = []

    async def request(self, reader: asyncio.StreamReader, number: int) -> str:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.rpartition(b"Content-Length: ")[2])
        body = (await reader.readexactly(length)).decode()
        self.requests.append((number, body))
        self.news.set()
        return body

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.requests) < count:
                self.news.clear()
                await self.news.wait()


Serve = Callable[[Server, asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]]


async def well(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
    while True:
        await server.request(reader, number)
        writer.write(OK)


async def told(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
    """Answers once it is let."""
    while True:
        await server.request(reader, number)
        await server.go_on.wait()
        writer.write(OK)


def says(*octets: bytes, ends: bool = False) -> Serve:
    """Answers the first request so, and waits for another; or ends. Whoever comes next is served well."""

    async def serve(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        if number == 1:
            await server.request(reader, number)
            for one in octets:
                writer.write(one)
                await writer.drain()
                await asyncio.sleep(0)
        if not ends:
            await well(server, reader, writer, number)

    return serve


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[Server]:
    one, tasks = Server(), list[asyncio.Task[None] | None]()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        one.connections += 1
        one.writers.append(writer)
        tasks.append(asyncio.current_task())
        try:
            await serve(one, reader, writer, one.connections)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
    try:
        yield one
    finally:
        server.close()
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(t for t in tasks if t is not None), return_exceptions=True)


@asynccontextmanager
async def pooled(url: str, size: int = 4, **more: Any) -> AsyncIterator[Pool]:
    one = Pool(url, size, times=PATIENCE, **more)
    yield one
    await one.close()


def request(url: str, body: str = "hi") -> bytes:
    return RequestHead("POST", url, {}).request(body)


class Ends:
    """What came of each call by its number; nobody is told twice."""

    def __init__(self) -> None:
        self.found: dict[int, Called] = {}
        self.news = asyncio.Event()

    def of(self, number: int) -> Callable[[Called], None]:
        def answered(called: Called) -> None:
            assert number not in self.found
            self.found[number] = called
            self.news.set()

        return answered

    async def until(self, count: int) -> dict[int, Called]:
        async with asyncio.timeout(5):
            while len(self.found) < count:
                self.news.clear()
                await self.news.wait()
        return self.found


# ---- answers on the wire


@pytest.mark.parametrize("name", ANSWERS)
async def test_each_answer_has_its_end_octet_by_octet(name: str) -> None:
    """And the connection is used again only where the server keeps it."""
    data, ends, (meant, keeps) = ANSWERS[name]
    async with (
        serving(says(*(data[n : n + 1] for n in range(len(data))), ends=ends)) as server,
        pooled(server.url) as one,
    ):
        assert called(meant) == await one.call(request(server.url))
        assert 0 == len(server.requests) - 1
        if not ends:
            assert MADE == await one.call(request(server.url, "again"))
            assert [1, 1 if keeps else 2] == [number for number, _ in server.requests]


def called(meant: Told | Response | str) -> Called:
    if isinstance(meant, Response):
        return meant
    return Ambiguous(str(meant) or "ServerDisconnectedError")


async def test_an_answer_before_the_request_is_read_counts() -> None:
    """It was refused by its head; what is left of the request is not written before another."""

    async def early(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n")
        await server.go_on.wait()

    async with serving(early) as server, pooled(server.url) as one:
        assert Response(413) == await one.call(request(server.url, "x" * 8_000_000))
        assert Response(413) == await one.call(request(server.url))
        assert 2 == server.connections


async def test_what_nobody_asked_for_is_nobodys_answer() -> None:
    """A second answer, in the same piece or later: whoever asks next gets their own."""
    for first in (says(OK + OK.replace(b"201", b"429")), says(OK, OK.replace(b"201", b"429"))):
        async with serving(first) as server, pooled(server.url) as one:
            assert MADE == await one.call(request(server.url))
            await asyncio.sleep(0.01)
            assert MADE == await one.call(request(server.url, "again"))
            assert [(1, "hi"), (2, "again")] == server.requests


# ---- connections


async def test_a_kept_connection_that_the_server_ended_is_not_written_to() -> None:
    """Its end came in while nobody asked for anything."""
    async with serving(well) as server, pooled(server.url) as one:
        assert MADE == await one.call(request(server.url))
        server.writers[0].close()
        await asyncio.sleep(0.01)
        assert MADE == await one.call(request(server.url))
        assert [1, 2] == [number for number, _ in server.requests]


async def test_the_end_of_a_kept_connection_is_seen_though_the_loop_was_held_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The loop has not read it yet: the socket is asked before the first byte."""
    monkeypatch.setattr(connection, "LOOK_S", 0.0)
    async with serving(well) as server, pooled(server.url) as one:
        assert MADE == await one.call(request(server.url))
        raw = server.writers[0].get_extra_info("socket")
        with socket.socket(fileno=socket.dup(raw.fileno())) as theirs:
            theirs.shutdown(socket.SHUT_WR)
        ends = Ends()
        one.send(request(server.url, "next"), ends.of(1))  # in this very turn
        assert {1: MADE} == await ends.until(1)
        assert [(1, "hi"), (2, "next")] == server.requests


async def test_a_kept_connection_that_is_cut_under_a_request_is_ambiguous() -> None:
    """Whether the request or the reset came first nobody can tell: it is not written again."""

    async def once(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await server.request(reader, number)
        writer.write(OK)
        await reader.readexactly(1)
        reset(writer)

    async with serving(once) as server, pooled(server.url) as one:
        assert MADE == await one.call(request(server.url))
        assert isinstance(await one.call(request(server.url)), Ambiguous)
        assert (1, 1) == (server.connections, len(server.requests))


async def test_an_idle_connection_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "KEPT_S", 0.0)
    async with serving(well) as server, pooled(server.url) as one:
        assert MADE == await one.call(request(server.url))
        async with asyncio.timeout(5):
            await server.writers[0].wait_closed()


async def test_a_name_is_asked_for_once_by_all_and_every_address_is_tried() -> None:
    """The first address takes no connection; the second is tried beside it."""

    class Names(AbstractResolver):
        asked = 0

        async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> list[ResolveResult]:
            self.asked += 1
            found = [("127.9.9.9", socket.AF_INET), ("::1", socket.AF_INET6), ("127.0.0.1", socket.AF_INET)]
            return [ResolveResult(hostname=host, host=h, port=port, family=f, proto=0, flags=0) for h, f in found]

        async def close(self) -> None: ...

    names, ends = Names(), Ends()
    async with (
        serving(well) as server,
        pooled(url := server.url.replace("127.0.0.1", "provider.test"), resolver=names) as one,
    ):
        for n in range(4):
            one.send(request(url, str(n)), ends.of(n))
        assert {MADE} == set((await ends.until(4)).values())
    assert (1, 4) == (names.asked, len(server.requests))


async def test_a_name_that_was_not_there_is_asked_for_again() -> None:
    class Names(AbstractResolver):
        there = False

        async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> list[ResolveResult]:
            if not self.there:
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)]

        async def close(self) -> None: ...

    names = Names()
    async with (
        serving(well) as server,
        pooled(url := server.url.replace("127.0.0.1", "provider.test"), resolver=names) as one,
    ):
        assert NotSent("ClientConnectorDNSError") == await one.call(request(url))
        names.there = True
        assert MADE == await one.call(request(url))


# ---- a window of calls


async def test_a_window_has_so_many_places_and_tells_of_room_once_a_turn() -> None:
    """What begins beyond them waits for a place; each call has one end, over `size` connections."""
    rooms: list[int] = []
    ends = Ends()
    async with serving(told) as server, pooled(server.url, 3) as one:
        one.on_room = lambda: rooms.append(one.free)
        for n in range(5):
            one.send(request(server.url, str(n)), ends.of(n))
        assert -2 == one.free
        await server.until(3)
        assert {} == ends.found
        server.go_on.set()
        assert dict.fromkeys(range(5), MADE) == await ends.until(5)
        assert ["0", "1", "2", "3", "4"] == sorted(body for _, body in server.requests)
        assert (3, 3) == (server.connections, one.free)
        assert 3 == rooms[-1]
        assert len(rooms) <= 5


async def test_what_is_not_wanted_any_more_leaves_nothing() -> None:
    """Asked at the instant of the write; the connection carries the next."""
    ends, asked = Ends(), list[int]()

    def may_go(number: int) -> bool:
        asked.append(number)
        return number != 1

    async with serving(well) as server, pooled(server.url, 1) as one:
        for n in range(3):
            one.send(request(server.url, str(n)), ends.of(n), partial(may_go, n))
        assert [] == asked
        assert {0: MADE, 1: NotSent(LATE, "late"), 2: MADE} == await ends.until(3)
        one.send(request(server.url, "3"), ends.of(3), lambda: False)  # over a connection that is free
        assert NotSent(LATE, "late") == (await ends.until(4))[3]
        assert ([0, 1, 2], [(1, "0"), (1, "2")], 1) == (asked, server.requests, one.free)


async def test_what_finds_no_place_in_time_was_not_sent() -> None:
    """And what was written and not answered is ambiguous; its connection is nobody's any more."""
    ends = Ends()
    async with serving(told) as server, pooled(server.url, 1) as one:
        for n in range(3):
            one.send(request(server.url, str(n)), ends.of(n))
        ours = NotSent(LATE, "late")  # the provider took the connection: that it is in use is no fault of its
        assert {0: Ambiguous("TimeoutError"), 1: ours, 2: ours} == await ends.until(3)
        server.go_on.set()
        assert MADE == await one.call(request(server.url, "again"))
        assert [(1, "0"), (2, "again")] == server.requests


async def test_a_refused_connection_costs_one_call() -> None:
    ends = Ends()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        async with pooled(url, 2) as one:
            for n in range(5):
                one.send(request(url), ends.of(n))
            assert {NotSent("ClientConnectorError")} == set((await ends.until(5)).values())
            assert 2 == one.free


async def test_who_raises_harms_no_other_call() -> None:
    """The loop is told of it, and the window goes on."""
    ends, wrong = Ends(), list[str]()
    asyncio.get_running_loop().set_exception_handler(lambda _, said: wrong.append(repr(said["exception"])))

    def fails(_: Called) -> None:
        raise ZeroDivisionError

    async with serving(well) as server, pooled(server.url, 2) as one:
        for n in range(6):
            one.send(request(server.url), fails if n == 1 else ends.of(n))
        assert {MADE} == set((await ends.until(5)).values())

        async def both_stand() -> bool:  # the first may have served all before the second stood
            return server.connections == 2

        await until(both_stand, "two connections", 5)
        assert (["ZeroDivisionError()"], 2, 2) == (wrong, one.free, server.connections)


async def test_nothing_is_told_while_it_is_begun() -> None:
    """Neither an answer nor a refusal: whoever begins is not called back in the middle of it."""
    ends = Ends()
    async with serving(well) as server:
        async with pooled(server.url) as one:
            one.send(request(server.url), ends.of(0), lambda: False)
            assert MADE == await one.call(request(server.url))
            one.send(request(server.url), ends.of(1), lambda: False)
            assert 1 not in ends.found
        one.send(request(server.url), ends.of(2))
        assert 2 not in ends.found
        assert {0: NotSent(LATE, "late"), 1: NotSent(LATE, "late"), 2: NotSent("closed")} == await ends.until(3)


async def test_every_call_has_its_end_when_the_pool_is_closed() -> None:
    """What waited was not sent, what is under way may have been taken."""
    ends = Ends()
    async with serving(told) as server:
        one = Pool(server.url, 2)
        for n in range(4):
            one.send(request(server.url, str(n)), ends.of(n))
        await server.until(2)
        await one.close()
        assert {
            0: Ambiguous("closed"),
            1: Ambiguous("closed"),
            2: NotSent("closed"),
            3: NotSent("closed"),
        } == ends.found


# ---- a call that is awaited


async def test_a_look_that_says_no_gives_the_connection_back() -> None:
    async def cancelled() -> None:
        raise Overtaken

    async with serving(well) as server, pooled(server.url, 1) as one:
        with checking(cancelled):
            assert NotSent(LATE, "late") == await one.call(request(server.url))
        assert MADE == await one.call(request(server.url, "next"))
        assert ([(1, "next")], 1) == (server.requests, one.free)


async def test_a_connection_that_ends_during_the_look_is_replaced() -> None:
    """Nothing went over it yet."""
    looked = 0
    async with serving(well) as server, pooled(server.url, 1) as one:

        async def slow() -> None:
            nonlocal looked
            looked += 1
            if looked == 1:
                server.writers[0].close()
                await asyncio.sleep(0.01)

        with checking(slow):
            assert MADE == await one.call(request(server.url))
        assert (2, [(2, "hi")], 1) == (looked, server.requests, one.free)


async def test_a_caller_who_goes_away_leaves_place_and_order() -> None:
    """While it waits for a connection, while it looks, and while it waits for the answer."""
    looking = asyncio.Event()

    async def forever() -> None:
        looking.set()
        await asyncio.sleep(60)

    async with serving(told) as server, pooled(server.url, 1) as one:
        sent = asyncio.create_task(one.call(request(server.url, "sent")))
        await server.until(1)
        waits = asyncio.create_task(one.call(request(server.url, "waits")))
        await asyncio.sleep(0)
        for task in (waits, sent):
            task.cancel()
        await asyncio.gather(sent, waits, return_exceptions=True)
        with checking(forever):
            looks = asyncio.create_task(one.call(request(server.url, "looks")))
            await looking.wait()
        looks.cancel()
        await asyncio.gather(looks, return_exceptions=True)
        assert 1 == one.free
        server.go_on.set()
        assert MADE == await one.call(request(server.url, "next"))
        assert ["sent", "next"] == [body for _, body in server.requests]
        assert 1 == one.free


async def test_calls_and_sends_share_the_places() -> None:
    """Many at once, of both kinds: each has its own answer."""

    async def echo(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        while True:
            body = (await server.request(reader, number)).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    ends = Ends()
    async with serving(echo) as server, pooled(server.url, 5) as one:
        for n in range(100):
            one.send(request(server.url, f"s{n}"), ends.of(n))
        found = await asyncio.gather(*(one.call(request(server.url, f"c{n}")) for n in range(100)))
        assert [Response(200, None, f"c{n}".encode()) for n in range(100)] == found
        assert {n: Response(200, None, f"s{n}".encode()) for n in range(100)} == await ends.until(100)
        assert (5, 5, 200) == (one.free, server.connections, len(server.requests))
