"""Many at once on the public pages, in a process of their own that ends with its input: `crowd PORT CONNECTIONS`."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from types import TracebackType
from typing import Self

ALL_ANSWERED_S = 60.0  # strangers are let in so many a second: a crowd is answered one after the other
PATHS = ("/cap/atom.xml", "/public/check", "/cap/feed.json", "/public/check?number={n}", "/static/tocsin.css", "/")


class Crowd:
    """So many connections, each asking again as soon as it is answered, until every one has an answer and the block is over.

    `answers` in all, once it is.
    """

    def __init__(self, port: int, connections: int) -> None:
        self._command = [sys.executable, "-m", "tools.servers.crowd", str(port), str(connections)]
        self.answers = 0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert "all in\n" == self._process.stdout.readline()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        out, _ = self._process.communicate("", timeout=ALL_ANSWERED_S)
        self.answers = int(out.split()[-1])


async def _ask(port: int, n: int, counts: list[int], ended: asyncio.Event) -> None:
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None
    while not ended.is_set():
        try:
            if reader is None or writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            path = PATHS[(n + counts[n]) % len(PATHS)].format(n=1000 + (n * 7919 + counts[n]) % 9000)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: warn.example.org\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n")[0] or 0))
            counts[n] += 1
        except (OSError, asyncio.IncompleteReadError):
            writer = None
            await asyncio.sleep(0.5)


async def _main(port: int, connections: int) -> None:
    counts, ended = [0] * connections, asyncio.Event()
    tasks = [asyncio.create_task(_ask(port, n, counts, ended)) for n in range(connections)]
    await asyncio.sleep(1.0)
    sys.stdout.write("all in\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    while not all(counts):  # noqa: ASYNC110  whoever is answered tells nobody
        await asyncio.sleep(0.05)
    ended.set()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    sys.stdout.write(f"{sum(counts)}\n")


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), int(sys.argv[2])))
