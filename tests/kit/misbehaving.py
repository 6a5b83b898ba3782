"""Providers that misbehave on the wire, one connection at a time: over HTTP, SMTP and SMPP. `taken` counts what they took."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

SLOW_S = 0.2
Serve = Callable[["Provider", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Provider:
    """`mode` is what it does next; it may be changed while it runs."""

    mode: str = "well"
    port: int = 0
    taken: int = 0
    asked: int = 0
    good: bytes = b""  # of HTTP: the body of a right answer
    news: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def misbehaving(serve: Serve, mode: str, good: bytes = b"") -> AsyncIterator[Provider]:
    """On a free port of loopback; "refused" leaves a port on which nobody listens."""
    provider, writers = Provider(mode, good=good), set[asyncio.StreamWriter]()
    tasks = set[asyncio.Task[None] | None]()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        tasks.add(asyncio.current_task())
        try:
            if provider.mode == "half_open":  # the line stands, and nobody is at the other end of it
                await asyncio.sleep(60)
            await serve(provider, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    provider.port = server.sockets[0].getsockname()[1]
    if mode == "refused":
        server.close()
    try:
        yield provider
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(t for t in tasks if t is not None), return_exceptions=True)


def reset(writer: asyncio.StreamWriter) -> None:
    """A TCP reset, not a polite end."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


# ---- HTTP

ANSWERS = {
    "429": b"HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
    "401": b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n",
    "403": b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n",
    "500": b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n",
    "503": b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
    "garbled": b"HTTP/1.1 2\xff1 Cre\x00ated\r\n\r\n",
    "redirect": b"HTTP/1.1 307 There\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n",
}


async def http(provider: Provider, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reads each request whole, then does what `mode` says."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        await reader.readexactly(length)
        provider.asked += 1
        mode = provider.mode
        if mode in ("well", "slow", "accept_then_timeout", "accept_then_reset", "malformed"):
            provider.taken += 1
        if mode in ("hang", "accept_then_timeout"):
            await asyncio.sleep(60)
        if mode in ("reset", "accept_then_reset"):
            reset(writer)
            return
        if mode == "slow":
            await asyncio.sleep(SLOW_S)
        body = b'{"sid": 7, "status": [' if mode == "malformed" else provider.good
        created = b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        writer.write(ANSWERS.get(mode, created))
        await writer.drain()


# ---- SMTP


async def smtp(provider: Provider, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A mail server without a name; AUTH is offered, since "401" is a refused password."""

    async def say(text: bytes) -> None:
        if provider.mode == "slow":
            await asyncio.sleep(SLOW_S / 8)
        writer.write(text + b"\r\n")
        await writer.drain()

    await say(b"220 here")
    while command := (await reader.readline()).upper():
        mode = provider.mode
        if command.startswith(b"EHLO"):
            await say(b"250-here\r\n250 AUTH PLAIN")
        elif command.startswith(b"AUTH"):
            await say(b"535 5.7.8 no" if mode == "401" else b"235 yes")
        elif command.startswith(b"RCPT") and mode == "429":
            await say(b"451 4.7.1 too many, try again in 7 s")
        elif command.startswith(b"DATA"):
            await say(b"354 go on")
            await reader.readuntil(b"\r\n.\r\n")
            provider.asked += 1
            if mode in ("well", "slow", "accept_then_timeout", "accept_then_reset", "garbled"):
                provider.taken += 1
            if mode in ("hang", "accept_then_timeout"):
                await asyncio.sleep(60)
            if mode in ("reset", "accept_then_reset"):
                reset(writer)
                return
            await say({"500": b"451 4.3.0 local error", "garbled": b"2\xff0 OK\x00"}.get(mode, b"250 taken"))
        elif command.startswith(b"QUIT"):
            await say(b"221 bye")
            return
        else:
            await say(b"250 OK")


# ---- SMPP 3.4 (issue 1.2: 3.2 the header, 4.1 and 4.4 the operations)

BIND, SUBMIT, UNBIND, ENQUIRE, RESP = 0x09, 0x04, 0x06, 0x15, 0x80000000
REFUSED = {"429": 0x58, "401": 0x0A, "500": 0x08}


async def smpp(provider: Provider, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An SMSC that binds everybody."""

    async def answer(command: int, sequence: int, status: int = 0, body: bytes = b"") -> None:
        writer.write(struct.pack(">IIII", 16 + len(body), command | RESP, status, sequence) + body)
        await writer.drain()

    while True:
        length, command, _, sequence = struct.unpack(">IIII", await reader.readexactly(16))
        await reader.readexactly(length - 16)
        mode = provider.mode
        if command == BIND:
            await answer(command, sequence, body=b"here\0")
        elif command == SUBMIT:
            provider.asked += 1
            if mode in ("well", "slow", "accept_then_timeout", "accept_then_reset", "malformed"):
                provider.taken += 1
            if mode in ("hang", "accept_then_timeout"):
                continue
            if mode in ("reset", "accept_then_reset"):
                reset(writer)
                return
            if mode == "slow":
                await asyncio.sleep(SLOW_S)
            name = b"\0" if mode == "malformed" or mode in REFUSED else b"%x\0" % provider.taken
            await answer(command, sequence, REFUSED.get(mode, 0), name)
        else:
            await answer(command, sequence)
            if command == UNBIND:
                return
