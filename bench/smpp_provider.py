"""The stand-in's second door: SMPP 3.4 with nothing more than binds, submits and link checks, so that it is never what
is measured. What it takes goes into the same book as what comes by HTTP."""

from __future__ import annotations

import asyncio
import struct
from typing import Protocol, cast

SUBMIT_SM, UNBIND, ENQUIRE_LINK = 0x04, 0x06, 0x15
BINDS = (0x01, 0x02, 0x09)
RESPONSE = 0x80000000
_HEAD = struct.Struct(">IIII")  # length, command, status, sequence


class Takes(Protocol):
    """Whoever counts."""

    def accepted(self, to: str, *, smpp: bool) -> int: ...


class Smsc(asyncio.Protocol):
    """One ESME's connection; every submit is accepted after `latency` seconds."""

    def __init__(self, book: Takes, latency: float) -> None:
        self._book = book
        self._latency = latency
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not say that it is one

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        answers = bytearray()
        while len(self._buffer) >= _HEAD.size:
            length, command, _, sequence = _HEAD.unpack_from(self._buffer)
            if len(self._buffer) < length:
                break
            body = bytes(self._buffer[_HEAD.size : length])
            del self._buffer[:length]
            if command == SUBMIT_SM:
                name = f"{self._book.accepted(_destination(body), smpp=True):x}".encode() + b"\0"
                answers += _pdu(command, sequence, name)
            elif command in BINDS:
                answers += _pdu(command, sequence, b"bench\0")
            elif command in (UNBIND, ENQUIRE_LINK):
                answers += _pdu(command, sequence, b"")
        if answers and self._latency:
            asyncio.get_running_loop().call_later(self._latency, self._write, bytes(answers))
        elif answers:
            self._write(bytes(answers))

    def _write(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


def _destination(body: bytes) -> str:
    """destination_addr of a submit_sm: service_type, ton, npi, source_addr, ton, npi, destination_addr."""
    at = body.index(b"\0") + 3
    at = body.index(b"\0", at) + 3
    return "+" + body[at : body.index(b"\0", at)].decode()


def _pdu(command: int, sequence: int, body: bytes) -> bytes:
    return _HEAD.pack(_HEAD.size + len(body), command | RESPONSE, 0, sequence) + body
