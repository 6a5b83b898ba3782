"""Fixtures of the gateway's tests."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.gateway.office import Office, office
from tests.gateway.publisher import Publisher


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Office]:
    """An office without any setting of its own."""
    async with office(tmp_path / "data") as made:
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
