"""Fixtures of the gateway's tests."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.kit.publisher import Publisher
from tests.kit.town import Town, open_town


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Town]:
    """An office without any setting of its own."""
    async with open_town(tmp_path / "data") as made:
        yield made


@pytest.fixture
async def publisher() -> AsyncIterator[Publisher]:
    made = Publisher()
    app = web.Application()
    app.router.add_get("/{tail:.*}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    await web.SockSite(runner, sock).start()
    made.url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    yield made
    await runner.cleanup()
