"""Carries submits over one bound connection: many at once, without a task each, the writes of a turn joined.

Whatever was submitted and not answered in time, or before the line is lost, may have been taken.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, cast

import smpp34
import structlog

from services.channels.drivers.smpp.pdu import (
    ALERT,
    BIND,
    BROKEN,
    DELIVER,
    ENQUIRE,
    GENERIC_NACK,
    HEADER,
    LAST,
    LONGEST,
    NOT_KNOWN,
    OUTBIND,
    RESPONSE,
    SUBMIT,
    UNBIND,
    c_string,
    pdu,
)
from services.channels.model.telling import settle

log = structlog.get_logger("smpp")
ENQUIRE_S = 30.0  # a line on which nothing came for so long is asked whether it stands
SWEEP_S = 0.25
BIND_S = 5.0  # to connect, and to be bound


class Submitted(NamedTuple):
    """The SMSC's answer to a submit: its status, and its name of the message."""

    status: int
    message_id: str


class Unanswered(NamedTuple):
    """There is none, and why."""

    code: str


Answered = Callable[[Submitted | Unanswered], None]


class NotBound(Exception):
    """The SMSC binds us not, and says why."""


class SmppLine(asyncio.Protocol):
    """One bound connection. `heard` takes each deliver_sm that was answered; `ended` is set once it is lost."""

    def __init__(self, heard: Callable[[smpp34.DeliverSm], None], call_s: float) -> None:
        self._heard = heard
        self._call_s = call_s
        self._loop = asyncio.get_running_loop()
        self._open: dict[
            int, tuple[float, Answered]
        ] = {}  # sequence number > until when, whom to tell; the oldest first
        self._asked: dict[int, asyncio.Future[int]] = {}  # of bind and unbind
        self._buffer = bytearray()
        self._out: list[bytes] = []
        self._sequence = 0
        self._came = self._loop.time()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self.ended = asyncio.Event()

    @classmethod
    async def bound(
        cls, host: str, port: int, tls: ssl.SSLContext | None, body: bytes, heard: Callable[[smpp34.DeliverSm], None],
        call_s: float,
    ) -> SmppLine:  # fmt: skip
        """Connects and binds. OSError, TimeoutError, or NotBound."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(BIND_S):
            _, line = await loop.create_connection(lambda: cls(heard, call_s), host, port, ssl=tls)
        try:
            async with asyncio.timeout(BIND_S):
                status = await line._ask(BIND, body)
        except BaseException:
            line.abort()
            raise
        if status:
            line.abort()
            raise NotBound(
                f"bind refused with command_status 0x{status:08x}: check system_id, password and system_type"
            )
        line._enquire()
        return line

    @property
    def is_open(self) -> bool:
        return not self._transport.is_closing() and not self.ended.is_set()

    def submit(self, body: bytes, answered: Answered) -> None:
        """`answered` is told once; where the line is lost already, at once."""
        if not self.is_open:
            answered(Unanswered("line lost"))
            return
        until = self._loop.time() + self._call_s
        self._open[self._put(SUBMIT, body)] = (until, answered)
        if "sweep" not in self._timers:
            self._after("sweep", min(SWEEP_S, self._call_s / 4), self._sweep)

    async def call(self, body: bytes) -> Submitted | Unanswered:
        """The same, waited for."""
        answer: asyncio.Future[Submitted | Unanswered] = self._loop.create_future()
        self.submit(body, partial(settle, answer))
        return await answer

    async def unbind(self) -> None:
        """Says good-bye and waits for the answer; ConnectionError where the line is lost meanwhile."""
        await self._ask(UNBIND)

    def abort(self) -> None:
        self._transport.abort()

    # ---- written

    def _put(self, command: int, body: bytes = b"") -> int:
        self._sequence = sequence = self._sequence % LAST + 1
        self._write(HEADER.pack(16 + len(body), command, 0, sequence) + body)
        return sequence

    def _write(self, octets: bytes) -> None:
        """With whatever else is written in this turn of the loop."""
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(octets)

    def _flush(self) -> None:
        out, self._out = self._out, []
        if out and not self._transport.is_closing():
            self._transport.write(b"".join(out))

    async def _ask(self, command: int, body: bytes = b"") -> int:
        answer: asyncio.Future[int] = self._loop.create_future()
        if not self.is_open:
            raise ConnectionError("line lost")
        sequence = self._put(command, body)
        self._asked[sequence] = answer
        try:
            return await answer
        finally:
            self._asked.pop(sequence, None)

    # ---- time

    def _after(self, name: str, seconds: float, do: Callable[[], None]) -> None:
        self._timers[name] = self._loop.call_later(seconds, do)

    def _sweep(self) -> None:
        """Ends the submits that took too long."""
        del self._timers["sweep"]
        now = self._loop.time()
        for sequence, (until, answered) in list(self._open.items()):
            if until > now:
                break
            del self._open[sequence]
            answered(Unanswered("TimeoutError"))
        if self._open and "sweep" not in self._timers:
            self._after("sweep", min(SWEEP_S, self._call_s / 4), self._sweep)

    def _enquire(self) -> None:
        """Asks whether the line stands where nothing came for a while."""
        silent = self._loop.time() - self._came
        if silent < ENQUIRE_S:
            self._after("enquire", ENQUIRE_S - silent, self._enquire)
        else:
            self._put(ENQUIRE)
            self._after("enquire", self._call_s, partial(self._still, self._came))

    def _still(self, came: float) -> None:
        if self._came != came:
            self._enquire()
            return
        log.warning("smpp_silent", seconds=round(self._loop.time() - came))
        self.abort()

    # ---- called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()
        for timer in self._timers.values():
            timer.cancel()
        for asked in self._asked.values():
            if not asked.done():
                asked.set_exception(ConnectionError("line lost"))
        lost, self._open = self._open, {}
        for _, answered in lost.values():
            answered(Unanswered("line lost"))

    def data_received(self, data: bytes) -> None:
        self._came = self._loop.time()
        buffer = self._buffer
        buffer += data
        at, end = 0, len(buffer)
        while end - at >= 16:
            length, command, status, sequence = HEADER.unpack_from(buffer, at)
            if not 16 <= length <= LONGEST:
                log.error("smpp_garbled", length=length)
                self.abort()
                break
            if end - at < length:
                break
            self._read(command, status, sequence, bytes(buffer[at : at + length]))
            at += length
        del buffer[:at]

    def _read(self, command: int, status: int, sequence: int, whole: bytes) -> None:
        if command == SUBMIT | RESPONSE:
            if (found := self._open.pop(sequence, None)) is not None:
                found[1](Submitted(status, c_string(whole[16:])))
        elif command == DELIVER:
            self._delivered(sequence, whole)
        elif command == GENERIC_NACK and (found := self._open.pop(sequence, None)) is not None:
            found[1](Unanswered(f"generic_nack 0x{status:08x}"))
        elif command & RESPONSE:
            if (asked := self._asked.get(sequence)) is not None:
                settle(asked, status)
        elif command in (ENQUIRE, UNBIND):
            self._write(pdu(command | RESPONSE, sequence))
            if command == UNBIND:
                self._flush()
                self._transport.close()
        elif command not in (OUTBIND, ALERT):  # which have no response
            self._write(pdu(GENERIC_NACK, sequence, status=NOT_KNOWN))

    def _delivered(self, sequence: int, whole: bytes) -> None:
        """Answered before it is on disk: an SMSC may send no other part of a text before this one is answered."""
        try:
            event = smpp34.decode(whole)
        except smpp34.SmppError as problem:
            log.warning("smpp_not_read", reason=str(problem))
            self._write(pdu(DELIVER | RESPONSE, sequence, b"\0", BROKEN))
            return
        self._write(pdu(DELIVER | RESPONSE, sequence, b"\0"))
        self._heard(cast(smpp34.DeliverSm, event))
