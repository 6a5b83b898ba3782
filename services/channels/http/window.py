"""Hands a driver's messages over through a pool: encoded, sent, and their answers read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from services.channels.http.connection import Called
from services.channels.http.pool import Pool
from services.channels.model.driver import Result
from services.channels.model.outbound import Outbound
from services.channels.model.window import Done, MayGo
from services.shared.tiers import Tier

Encode = Callable[[Outbound], bytes | Result]  # a request, or why there is none to make
Read = Callable[[Called], Result]


class HttpWindow:
    """`encode` and `read` are the driver's; both are pure."""

    def __init__(self, pool: Pool, encode: Encode, read: Read) -> None:
        self.pool = pool
        self._encode = encode
        self._read = read

    @property
    def free(self) -> int:
        return self.pool.free

    @property
    def on_room(self) -> Callable[[], None] | None:
        return self.pool.on_room

    @on_room.setter
    def on_room(self, told: Callable[[], None] | None) -> None:
        self.pool.on_room = told

    def begin(self, message: Outbound, done: Done, may_go: MayGo) -> None:
        request = self._encode(message)
        if isinstance(request, Result):
            asyncio.get_running_loop().call_soon(done, request)
        else:
            self.pool.send(request, partial(self._answered, done), may_go)

    def _answered(self, done: Done, called: Called) -> None:
        done(self._read(called))

    async def send(self, message: Outbound) -> Result:
        """The same, waited for."""
        request = self._encode(message)
        return request if isinstance(request, Result) else self._read(await self.pool.call(request))


class HttpWindows:
    """A driver's two windows at one provider: red's, and that of all others. Each has connections of its own."""

    def __init__(self, url: str, size: int, encode: Encode, read: Read) -> None:
        self._of = {red: HttpWindow(Pool(url, size), encode, read) for red in (True, False)}

    def of(self, red: bool) -> HttpWindow:
        return self._of[red]

    async def send(self, message: Outbound) -> Result:
        return await self._of[message.tier == Tier.RED].send(message)

    def ready(self) -> None:
        for window in self._of.values():
            window.pool.ready()

    async def close(self) -> None:
        for window in self._of.values():
            await window.pool.close()
