"""A real Caddy on a free port of the loopback, run from a given Caddyfile and ended by its process id."""

from __future__ import annotations

import asyncio
import os
import shutil
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path


def program() -> str:
    """Debian's caddy; a missing one fails the test."""
    found = shutil.which("caddy")
    assert found, "please run tools/setup.sh test: caddy is missing"
    return found


def environment(home: Path) -> dict[str, str]:
    """Caddy keeps its state under `home` and nowhere else."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home)}


@dataclass
class Caddy:
    """One that listens."""

    url: str
    process: Process
    log: Path


@asynccontextmanager
async def serving(text: str, port: int, folder: Path) -> AsyncIterator[Caddy]:
    """Caddy with this Caddyfile, whose site listens on `port`."""
    file, log = folder / "Caddyfile", folder / "caddy.log"
    file.write_text(text, "utf-8")
    with log.open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            program(), "run", "--adapter", "caddyfile", "--config", str(file),
            stdin=asyncio.subprocess.DEVNULL, stdout=said, stderr=said, env=environment(folder),
        )  # fmt: skip
    try:
        assert await listens(process, port), log.read_text("utf-8")
        yield Caddy(f"http://127.0.0.1:{port}", process, log)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def listens(process: Process, port: int) -> bool:
    """Waits until it does; False where it ended instead."""
    async with asyncio.timeout(20):
        while process.returncode is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            await writer.wait_closed()
            return True
    return False
