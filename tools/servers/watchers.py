"""Consoles that watch one warning, in a process of their own that ends with its input: `watchers PORT PATH`.

Their keys stand in TOCSIN_KEYS: an argument can be read by everybody on the machine.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import aiohttp

FIRST_S = 30.0  # until every console has something to show
READ = 65_536


class Watchers:
    """An event stream of `path` on `port` a key, read as they come. `read`: bytes in all, once the block is over."""

    def __init__(self, port: int, path: str, keys: Sequence[str]) -> None:
        self._command = [sys.executable, "-m", "tools.servers.watchers", str(port), path]
        self._environment = os.environ | {"TOCSIN_KEYS": " ".join(keys)}
        self.read = 0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        if "all in\n" != (said := self._process.stdout.readline()):
            raise RuntimeError(f"a console sees nothing: {said}")
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        out, _ = self._process.communicate("", timeout=FIRST_S)
        self.read = int(out.split()[-1])


async def _watch(session: aiohttp.ClientSession, url: str, key: str, n: int, counts: list[int]) -> None:
    headers = {"Authorization": f"Bearer {key}", "Accept": "text/event-stream"}
    async with session.get(url, headers=headers) as response:
        response.raise_for_status()
        async for part in response.content.iter_chunked(READ):
            counts[n] += len(part)


async def _main(port: int, path: str, keys: Sequence[str]) -> None:
    counts = [0] * len(keys)
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=None), connector=aiohttp.TCPConnector(limit=0)
    ) as session:
        url = f"http://127.0.0.1:{port}{path}"
        tasks = [asyncio.create_task(_watch(session, url, key, n, counts)) for n, key in enumerate(keys)]
        async with asyncio.timeout(FIRST_S):
            while not all(counts):
                await asyncio.sleep(0.05)
                for task in tasks:
                    if task.done():
                        await task
        sys.stdout.write("all in\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    sys.stdout.write(f"{sum(counts)}\n")


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), sys.argv[2], os.environ["TOCSIN_KEYS"].split()))
