"""Stoplight's prism on the provider's published document: it refuses what the document does not allow."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from tools.servers.ports import free_port

COMMAND = Path(__file__).parent / "heavy" / "node_modules" / ".bin" / "prism"
WAIT_S = 60.0
LISTS = ("StatusCallbackEvent",)  # prism cannot read a list in a form: it takes each for a single text


@dataclass
class Prism:
    """`url` stands before prism and takes from each form the lists that prism cannot read; `said` is what it answered."""

    url: str = ""
    said: list[tuple[int, Any]] = field(default_factory=list)

    @property
    def faults(self) -> list[Any]:
        """What the last request was refused for."""
        return [v.get("location") for v in self.said[-1][1].get("validation", [])] if self.said[-1][0] == 422 else []


@asynccontextmanager
async def prism(folder: Path) -> AsyncIterator[Prism]:
    """On free ports of loopback; it ends with the block."""
    assert COMMAND.exists(), "prism is not here: `make test-peers` fetches it (tools/setup.sh peers)"
    port = free_port()
    made = Prism()

    async def forward(request: web.Request) -> web.Response:
        form = [(k, v) for k, v in parse_qsl(await request.text(), keep_blank_values=True) if k not in LISTS]
        headers = {name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers}
        async with session.post(
            f"http://127.0.0.1:{port}{request.path_qs}", data=urlencode(form), headers=headers
        ) as answer:
            made.said.append((answer.status, json.loads(await answer.text())))
            return web.json_response(made.said[-1][1], status=answer.status)

    with (folder / "prism.log").open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            str(COMMAND), "mock", "-d", "-h", "127.0.0.1", "-p", str(port), os.environ["TOCSIN_TWILIO_SPEC"],
            stdout=out, stderr=out,
        )  # fmt: skip
    try:
        async with asyncio.timeout(WAIT_S):
            while b"Prism is listening" not in (folder / "prism.log").read_bytes():
                assert process.returncode is None, (folder / "prism.log").read_bytes()[-2000:]
                await asyncio.sleep(0.1)
        app = web.Application()
        app.router.add_post("/{tail:.*}", forward)
        async with aiohttp.ClientSession() as session, TestServer(app) as server:
            made.url = str(server.make_url("")).rstrip("/")
            yield made
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
