"""A real nginx on a free port of the loopback, run from a given server block and ended by its process id."""

from __future__ import annotations

import asyncio
import shutil
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tools.servers.caddy import listens


def program() -> str:
    """Debian's nginx; a missing one fails the test."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    assert found, "please run tools/setup.sh test: nginx is missing"
    return found


@asynccontextmanager
async def serving(server: str, port: int, folder: Path) -> AsyncIterator[Process]:
    """One process with this server block, which listens on `port`; all it writes lies in `folder`."""
    file, log = folder / "nginx.conf", folder / "nginx.log"
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = " ".join(f"{kind}_temp_path {folder / kind};" for kind in kinds)
    file.write_text(
        f"daemon off; master_process off; pid {folder / 'nginx.pid'}; error_log stderr;\n"
        f"events {{}}\nhttp {{ access_log off; {places}\n{server} }}\n"
    )
    with log.open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            program(), "-p", str(folder), "-c", str(file), stdin=asyncio.subprocess.DEVNULL, stdout=said, stderr=said
        )
    try:
        assert await listens(process, port), log.read_text("utf-8")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
