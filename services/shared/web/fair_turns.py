"""Takes strangers in turns, so many a second, one address after the other; nobody known waits for them.

Whoever has no key, cookie or link of ours is answered at a rate that leaves the loop to those who send and decide. A
crowd of residents gets the whole of it; one laptop with 500 connections has one turn where each neighbour has one too.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from functools import lru_cache

import structlog
from aiohttp import web

from services.shared.client_address import Network, address_of, is_in, origin_of
from services.shared.errors import Busy

BESIDE_SENDING = 200.0  # a second: an answer kept in memory takes half a millisecond of the loop, so a tenth of it
ALONE = 1_000.0  # of a process that sends nothing
AT_ONCE = 30.0  # turns that are there after a rest
MOST = 5_000  # who wait
MOST_EACH = 1_000  # of one address
log = structlog.get_logger("web")


class Turns:
    """A bucket of turns that fills by time, and those who wait for one, by origin.

    While somebody waits one is let in at a time, and later by as much as the loop is late: where it is busy, strangers
    are the first who notice.
    """

    def __init__(self, per_second: float = BESIDE_SENDING, at_once: float = AT_ONCE) -> None:
        self.per_second = per_second
        self._at_once = at_once
        self._left = at_once
        self._at = 0.0  # of the loop's clock, when `_left` was right
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._count = 0
        self._handle: asyncio.TimerHandle | None = None
        self._due = 0.0  # when the next is to be let in

    async def mine(self, origin: str) -> None:
        """Returns when it is this caller's turn. Busy where too many wait already."""
        self._fill()
        if not self._count and self._left >= 1.0:
            self._left -= 1.0
            return
        waiting = self._waiting.setdefault(origin, deque())
        if self._count >= MOST or len(waiting) >= MOST_EACH:
            raise Busy("too many ask at this moment: ask again in a few seconds")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        self._count += 1
        self._wait()
        await turn

    def _fill(self) -> None:
        now = asyncio.get_running_loop().time()
        self._left = min(self._at_once, self._left + (now - self._at) * self.per_second)
        self._at = now

    def _wait(self, late: float = 0.0) -> None:
        if self._handle is None:
            loop = asyncio.get_running_loop()
            self._due = loop.time() + 1.0 / self.per_second + late
            self._handle = loop.call_at(self._due, self._let_in)

    def _let_in(self) -> None:
        self._handle = None
        late = max(0.0, asyncio.get_running_loop().time() - self._due)
        self._fill()
        self._left = 0.0
        while self._count:
            origin, waiting = next(iter(self._waiting.items()))
            turn = waiting.popleft()
            self._count -= 1
            if waiting:
                self._waiting.move_to_end(origin)
            else:
                del self._waiting[origin]
            if not turn.done():  # whoever went away gave its turn back
                turn.set_result(None)
                break
        if self._count:
            self._wait(late)


TURNS = web.AppKey("turns", Turns)
PROXIES = web.AppKey("proxies", tuple[Network, ...])


async def in_turn(request: web.Request) -> None:
    """Waits until it is this stranger's turn; Busy where too many wait."""
    proxies = request.app[PROXIES]
    if "X-Forwarded-For" in request.headers:
        _told_of_proxy(request.remote or "", proxies)
    await request.app[TURNS].mine(origin_of(request, proxies))


def from_beside(request: web.Request) -> bool:
    """Whether this machine or a proxy of ours asks for itself."""
    here, proxies = address_of(request.remote or ""), request.app[PROXIES]
    return "X-Forwarded-For" not in request.headers and here is not None and is_in(here, proxies)


@lru_cache(maxsize=64)
def _told_of_proxy(peer: str, proxies: tuple[Network, ...]) -> None:
    """Says once in the log that a proxy beside us is not believed: everybody behind it counts as one caller."""
    here = address_of(peer)
    if here is not None and here.is_private and not is_in(here, proxies):
        log.warning("proxy_not_trusted", peer=str(here), do=f"if it is your proxy: TOCSIN_TRUSTED_PROXIES={here}")
