"""The real `tocsin serve`, embedded, in a process of its own: its address, a key that may do all, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tools.servers import commands
from tools.servers.ports import free_port

STARTS_WITHIN_S = 60.0


@dataclass(frozen=True)
class Served:
    """A running process."""

    url: str
    key: str
    process: commands.Started
    log: Path


def environment(data: Path, port: int, **more: str) -> dict[str, str]:
    """Nothing of whoever runs the tests but the path."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "TOCSIN_DATA_DIR": str(data), "TOCSIN_PORT": str(port), "TOCSIN_LOG_LEVEL": "WARNING",
            "TOCSIN_RATE": "1000000", **more}  # fmt: skip


@asynccontextmanager
async def served(data: Path, *, most_files: int = 4096, **more: str) -> AsyncIterator[Served]:
    """Serving, and ready."""
    port = free_port()
    env = environment(data, port, **more)
    words = (
        "key",
        "create",
        "--authority",
        "Qingshui County",
        "--label",
        "duty desk",
        "--max-tier",
        "red",
        "--anywhere",
    )
    made = await commands.run(*words, env=env)
    assert made.code == 0, made.err
    key = made.out.split()[-1]
    log = data.with_name(f"{data.name}.log")
    with log.open("wb") as out:
        process = await commands.start("serve", env=env, out=out, files=most_files)
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(STARTS_WITHIN_S), aiohttp.ClientSession() as session:
            while True:
                assert process.returncode is None, log.read_text()
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"{url}/readyz") as answer:
                        if answer.status == 200:
                            break
                await asyncio.sleep(0.05)
        yield Served(url, key, process, log)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await process.wait()
