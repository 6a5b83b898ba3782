"""A real SMSC (npm's smpp in a process of its own), what it decoded, and what it is told to do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parents[2] / "tools" / "peers" / "smsc.js"
WAIT_S = 20.0
Said = dict[str, Any]


class Smsc:
    """`said` is everything it printed, in order."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())
        self.said: list[Said] = []
        self.port = 0

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            self.said.append(json.loads(line))
            self._news.set()

    async def until(self, holds: Callable[[list[Said]], object]) -> None:
        """Waits until it has said that."""
        async with asyncio.timeout(WAIT_S):
            while not holds(self.said):
                self._news.clear()
                await self._news.wait()

    async def took(self, parts: int) -> list[Said]:
        """The parts it decoded, once there are so many: what it says arrives after what it answers."""
        await self.until(lambda _: len(self.messages) >= parts)
        return self.messages

    def tell(self, **what: Any) -> None:
        """reply, receipt, drop."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")

    @property
    def messages(self) -> list[Said]:
        """Parts as it decoded them."""
        return [one for one in self.said if "to" in one]

    async def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        await self._reading


@asynccontextmanager
async def smsc(system_id: str, password: str) -> AsyncIterator[Smsc]:
    """On a free port of loopback; it ends with the block."""
    process = await asyncio.create_subprocess_exec(
        "node", str(SCRIPT), system_id, password, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    one = Smsc(process)
    try:
        await one.until(lambda said: said)
        one.port = one.said[0]["port"]
        yield one
    finally:
        await one.end()
