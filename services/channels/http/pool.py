"""Keeps connections to one provider and carries requests over them: without a task, a future or a timer each.

`send` is for a window of calls, `call` for one that is awaited. Nothing is repeated, redirected or kept between calls.
NotSent is said only where no byte of the request left; everything later than its first byte is Ambiguous.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import cast

import aiohttp
from aiohttp.abc import AbstractResolver

from services.channels.http.connecting import Connector
from services.channels.http.connection import TOO_LATE, Called, HttpConnection, PoolCall
from services.channels.http.request import Origin
from services.channels.model import http_call
from services.channels.model.final_check import Overtaken, last_look
from services.channels.model.http_call import NotSent
from services.channels.model.telling import Telling, settle

KEPT_S = 15.0  # a connection unused for so long is let go before its server does
SWEEP_S = 0.25  # between two looks at what took too long
CLOSE_S = 1.0
_CLOSED, _NO_CONNECTION = NotSent("closed"), NotSent("ConnectionTimeoutError")


class Pool:
    """At most `size` connections to the server of `url`. A call beyond them waits for one, as long as connecting may take."""

    def __init__(
        self,
        url: str,
        size: int,
        *,
        times: aiohttp.ClientTimeout | None = None,
        tls: ssl.SSLContext | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        times = times or http_call.TIMEOUT
        self._total_s, self._connect_s = times.total or 10.0, times.connect or times.total or 3.0
        self._sweep_s = min(SWEEP_S, self._connect_s / 4)
        self._connector = Connector(Origin.of(url), tls, resolver)
        self._size = size
        self._all: set[HttpConnection] = set()
        self._idle: list[HttpConnection] = []  # the last used last
        self._waiting: deque[PoolCall] = deque()
        self._connecting: set[asyncio.Task[None]] = set()
        self._telling = Telling(self._room)
        self._sweeping = self._closed = False
        self._under_way = 0
        self._gone = asyncio.Event()
        self.on_room: Callable[[], None] | None = None  # told of answers, once a turn of the loop

    def ready(self) -> None:
        """Does what takes its time before the first call."""
        self._connector.ready()

    @property
    def free(self) -> int:
        """How many calls may begin without waiting for another to end."""
        return self._size - self._under_way

    def send(
        self, request: bytes, answered: Callable[[Called], None], may_go: Callable[[], bool] | None = None
    ) -> None:
        """Sends once there is a connection. `answered` is told exactly once, later than this returns; neither may raise."""
        now = asyncio.get_running_loop().time()
        self._enter(PoolCall(request, answered, may_go, now + self._connect_s, now + self._total_s), now)

    async def call(self, request: bytes) -> Called:
        """Sends and waits for the answer; looks once more whether it is still wanted when the connection stands."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            connection = await self._reserve(loop, began)
            if not isinstance(connection, HttpConnection):
                return connection
            answer: asyncio.Future[Called] = loop.create_future()
            call = PoolCall(request, partial(settle, answer), None, began, began + self._total_s)
            begun = False
            try:
                await last_look()
                if begun := connection.is_open:  # where not, nothing went over it yet: another is looked for
                    connection.begin(call)
                    return await answer
            except Overtaken:
                return TOO_LATE
            finally:
                if not begun or connection.call is call:  # not sent, or nobody waits for the answer any more
                    self._give_back(connection)

    async def _reserve(self, loop: asyncio.AbstractEventLoop, began: float) -> HttpConnection | Called:
        """A connection for one call alone; NotSent where none could be had in time."""
        place = _Place(loop.create_future(), began + self._connect_s)
        self._enter(place, loop.time())
        try:
            return await place.found
        except asyncio.CancelledError:
            if place.connection is not None:
                self._give_back(place.connection)
            elif place in self._waiting:
                self._waiting.remove(place)
                self._under_way -= 1
            raise

    def _give_back(self, connection: HttpConnection) -> None:
        """Of a call that ended without an answer; what was written over it keeps it from everybody else."""
        self._under_way -= 1
        if connection.call is not None:
            connection.drop()
        elif connection.is_open:
            self.free_again(connection)

    def _enter(self, call: PoolCall, now: float) -> None:
        """Takes a free connection, or waits for one."""
        self._under_way += 1
        if self._closed:
            self.answer(call, _CLOSED)
            return
        if not self._sweeping:
            self._sweeping = True
            asyncio.get_running_loop().call_later(self._sweep_s, self._sweep)
        while self._idle:
            connection = self._idle.pop()
            if connection.may_carry(now):
                if not call.go_over(connection):
                    self._idle.append(connection)
                return
        self._waiting.append(call)
        self._connect_more()

    # ---- connections come and go

    def _connect_more(self) -> None:
        """One attempt for each call that waits, up to `size` connections."""
        room = self._size - len(self._all) - len(self._connecting)
        for _ in range(min(room, len(self._waiting) - len(self._connecting))):
            self._connecting.add(asyncio.create_task(self._connect(), name="connecting to a provider"))

    async def _connect(self) -> None:
        """What keeps it from connecting is told to the call that waits longest."""
        try:
            failed = await self._connector.connect(HttpConnection(self), self._connect_s)
        finally:
            self._connecting.remove(cast("asyncio.Task[None]", asyncio.current_task()))
        if failed is not None and self._waiting:
            self.answer(self._waiting.popleft(), failed)
        self._connect_more()

    def up(self, connection: HttpConnection) -> None:
        self._all.add(connection)
        self.free_again(connection)

    def free_again(self, connection: HttpConnection) -> None:
        """The call that waits longest has it, or it is kept."""
        while self._waiting:
            if self._waiting.popleft().go_over(connection):
                return
        connection.idle_since = asyncio.get_running_loop().time()
        self._idle.append(connection)

    def down(self, connection: HttpConnection) -> None:
        self._all.discard(connection)
        if self._closed:
            if not self._all:
                self._gone.set()
        else:
            self._connect_more()

    # ---- answers

    def answer(self, call: PoolCall, called: Called) -> None:
        """Its end; it is told of it soon."""
        self._under_way -= 1
        self._telling.tell(call.answered, called)

    def _room(self) -> None:
        if self.on_room is not None:
            self.on_room()

    def _sweep(self) -> None:
        """Ends what takes too long, and connections that nobody has used for a while."""
        now = asyncio.get_running_loop().time()
        # where every connection stands and is in use, the wait is ours: the provider can be connected to
        why = TOO_LATE if len(self._all) >= self._size else _NO_CONNECTION
        while self._waiting and self._waiting[0].placed_by <= now:
            self.answer(self._waiting.popleft(), why)
        for connection in [one for one in self._all if one.call is not None and one.call.over_at <= now]:
            connection.break_off("TimeoutError")
        idle, self._idle = self._idle, []
        for connection in idle:
            if connection.is_open and now - connection.idle_since < KEPT_S:
                self._idle.append(connection)
            else:
                connection.close()
        self._sweeping = not self._closed and bool(self._all or self._waiting or self._connecting)
        if self._sweeping:
            asyncio.get_running_loop().call_later(self._sweep_s, self._sweep)

    async def close(self) -> None:
        """Every call still under way has its answer before this returns: not sent, or ambiguous."""
        self._closed = True
        while self._waiting:
            self.answer(self._waiting.popleft(), _CLOSED)
        for task in self._connecting:
            task.cancel()
        for connection in list(self._all):
            if connection.call is not None:
                connection.break_off("closed")
            else:
                connection.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                while self._all:
                    self._gone.clear()
                    await self._gone.wait()
        for connection in self._all:
            connection.drop()
        await self._connector.close()
        self._telling.now()


class _Place(PoolCall):
    """Waits for a connection to look at before the request goes over it."""

    __slots__ = ("connection", "found")

    def __init__(self, found: asyncio.Future[HttpConnection | Called], placed_by: float) -> None:
        super().__init__(b"", partial(settle, found), None, placed_by, placed_by)
        self.found = found
        self.connection: HttpConnection | None = None

    def go_over(self, connection: HttpConnection) -> bool:
        self.connection = connection
        settle(self.found, connection)
        return True
