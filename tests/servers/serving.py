"""The real `tocsin serve`, embedded, in a process of its own: its address, a key that may do all, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tests.servers.ports import free_port

STARTS_WITHIN_S = 60.0


@dataclass(frozen=True)
class Served:
    """A running process."""

    url: str
    key: str
    process: asyncio.subprocess.Process
    log: Path


def environment(data: Path, port: int, **more: str) -> dict[str, str]:
    """Nothing of whoever runs the tests but the path."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "TOCSIN_DATA_DIR": str(data), "TOCSIN_PORT": str(port), "TOCSIN_LOG_LEVEL": "WARNING", **more}


def command(*words: str) -> list[str]:
    """One of Tocsin's commands, by this interpreter."""
    return [sys.executable, "-m", "services", *words]


def files(most: int) -> Callable[[], None]:
    """So many may be open in a child."""
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@asynccontextmanager
async def served(data: Path, *, most_files: int = 4096, **more: str) -> AsyncIterator[Served]:
    """Serving, and ready."""
    port = free_port()
    env = environment(data, port, **more)
    made = await asyncio.to_thread(
        subprocess.run, command("key", "create", "--authority", "Qingshui County", "--label", "duty desk"), env=env,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    key = made.stdout.split()[-1] if made.stdout.split() else ""
    log = data.with_name(f"{data.name}.log")
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *command("serve"), env=env, stdout=out, stderr=out, preexec_fn=files(most_files)
        )
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
