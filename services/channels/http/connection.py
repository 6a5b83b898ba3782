"""Carries one request at a time over a connection, and says what came of it: an answer, or that it may have been taken."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import Protocol, cast

from services.channels.http.answer import AnswerReader, NoAnswer
from services.channels.model.http_call import Ambiguous, NotSent, Response
from services.channels.model.outcome import LATE

LOOK_S = 0.5  # after so long unused, a connection is asked whether anything lies unread on it
Called = Response | NotSent | Ambiguous
TOO_LATE = NotSent(LATE, "late")


class PoolCall:
    """A request on its way. `answered` is told once what came of it; `may_go` is asked just before its first byte."""

    __slots__ = ("answered", "may_go", "over_at", "placed_by", "request")

    def __init__(
        self,
        request: bytes,
        answered: Callable[[Called], None],
        may_go: Callable[[], bool] | None,
        placed_by: float,
        over_at: float,
    ) -> None:
        self.request = request
        self.answered = answered
        self.may_go = may_go
        self.placed_by = placed_by
        self.over_at = over_at

    def go_over(self, connection: HttpConnection) -> bool:
        """Goes out over it; False where it must not go any more."""
        if self.may_go is not None and not self.may_go():
            connection.owner.answer(self, TOO_LATE)
            return False
        connection.begin(self)
        return True


class Owner(Protocol):
    """Whom a connection tells what becomes of it."""

    def up(self, connection: HttpConnection) -> None: ...
    def free_again(self, connection: HttpConnection) -> None: ...
    def down(self, connection: HttpConnection) -> None: ...
    def answer(self, call: PoolCall, called: Called) -> None: ...


class HttpConnection(asyncio.Protocol):
    """`call` is the request under way over it, or None."""

    __slots__ = ("_is_up", "_reader", "_transport", "call", "idle_since", "owner")
    _transport: asyncio.Transport

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self._reader = AnswerReader()
        self._is_up = False
        self.call: PoolCall | None = None
        self.idle_since = 0.0

    @property
    def is_open(self) -> bool:
        return self._is_up and not self._transport.is_closing()

    def may_carry(self, now: float) -> bool:
        """Whether a request may go over it. What lies unread where nothing was asked is a good-bye, or belongs to nobody."""
        if not self.is_open:
            return False
        if now - self.idle_since < LOOK_S or not self._has_unread():
            return True
        self.drop()
        return False

    def _has_unread(self) -> bool:
        look = select.poll()
        look.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(look.poll(0))

    def begin(self, call: PoolCall) -> None:
        """Writes the request. From here on it may have been taken."""
        self.call = call
        self._reader.next()
        self._transport.write(call.request)

    def break_off(self, code: str) -> None:
        """Gives up waiting for the answer, and the connection with it: what comes later would be another's."""
        self._over(Ambiguous(code))
        self.drop()

    def drop(self) -> None:
        self.call = None
        if self._is_up:
            self._transport.abort()

    def close(self) -> None:
        """Says good-bye, as TLS has it."""
        if self._is_up:
            self._transport.close()

    def _over(self, called: Called) -> None:
        call, self.call = self.call, None
        if call is not None:
            self.owner.answer(call, called)

    # ---- called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._is_up = cast(asyncio.Transport, transport), True
        self.owner.up(self)

    def data_received(self, data: bytes) -> None:
        if self.call is None:
            self.drop()
            return
        try:
            found = self._reader.feed(data)
        except NoAnswer as problem:
            self.break_off(str(problem))
            return
        if found is None:
            return
        # an answer that came before the request was read whole: the rest of it would be read as another
        keeps = self._reader.keeps and not self._transport.get_write_buffer_size()
        self._over(found)
        if keeps:
            self.owner.free_again(self)
        else:
            self.drop()

    def eof_received(self) -> None:
        if self.call is None:
            return
        try:
            found = self._reader.end()
        except NoAnswer as problem:
            self._over(Ambiguous(str(problem)))
        else:
            self._over(found or Ambiguous("ServerDisconnectedError"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_up = False
        self._over(Ambiguous("ClientOSError" if exc else "ServerDisconnectedError"))
        self.owner.down(self)
