"""Others' libraries on Node that judge what we make: one process, a question and an answer a line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_name("judge.js")
WAIT_S = 20.0


class Judge:
    """Asked one after the other."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, what: str, **question: Any) -> dict[str, Any]:
        """Its answer; {"problem": ...} where its library refused."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"what": what, **question}).encode() + b"\n")
        async with asyncio.timeout(WAIT_S):
            line = await self._process.stdout.readline()
        assert line, "the judge has gone: see its complaint above"
        found = json.loads(line)
        assert isinstance(found, dict)
        return found


@asynccontextmanager
async def judge() -> AsyncIterator[Judge]:
    """It ends with the block."""
    process = await asyncio.create_subprocess_exec(
        "node", str(SCRIPT), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Judge(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
