"""A line between a client and a server that can be cut, swallowed, slowed or left half open, in this process's loop."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Literal, Self

Mode = Literal["pass", "blackhole", "trickle", "half_open"]


class Proxy:
    """Listens on a free port of loopback and passes bytes on to `port`, as `mode` says, for old and new connections.

    blackhole: taken and never delivered, either way. trickle: one byte a second, either way. half_open: the server's
    end is closed, the client is not told.
    """

    def __init__(self, port: int) -> None:
        self.to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.mode: Mode = "pass"
        self.accepted = 0
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, sock=self._listener)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.reset()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def reset(self) -> None:
        """A TCP RST to both ends of every connection."""
        for pair in list(self._pairs):
            for end in pair:
                _abort(end)
        self._pairs.clear()

    def half_open(self) -> None:
        """The server's ends are closed and nobody tells the clients."""
        self.mode = "half_open"
        for _, there in self._pairs:
            _abort(there)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            there_reader, there = await asyncio.open_connection("127.0.0.1", self.to)
        except OSError:
            _abort(writer)
            return
        self._pairs.add((writer, there))
        for source, sink in ((reader, there), (there_reader, writer)):
            pump = asyncio.create_task(self._pump(source, sink))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                if self.mode in ("blackhole", "half_open"):
                    continue
                for piece in [data[i : i + 1] for i in range(len(data))] if self.mode == "trickle" else [data]:
                    sink.write(piece)
                    await sink.drain()
                    if self.mode == "trickle":
                        await asyncio.sleep(1.0)
        except OSError:
            pass  # cut: the other end is told below
        if self.mode != "half_open":
            _abort(sink)


def _abort(end: asyncio.StreamWriter) -> None:
    link = end.get_extra_info("socket")
    if link is not None and link.fileno() >= 0:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.transport.abort()
