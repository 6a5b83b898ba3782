"""What a line may do while people are warned: break, swallow everything for a while, or be dead with nobody saying so.

A proxy of ours lies between the six processes and the broker, the database or the provider. However the line behaves,
no process ends by itself, nobody is lost and nobody gets more than the attempts whose answer never came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from services.shared.clock import wall
from tests.faults.checker import Verdict
from tests.faults.harness import Rehearsal, Town
from tests.faults.test_apart import SETTLES_S, apart, over
from tests.faults.test_cancel import until_sending
from tests.servers.proxy import Proxy

BLACKHOLE_S = 8.0  # longer than a call waits for the provider's connection, shorter than it waits for an answer
RESETS, BETWEEN_S = 6, 0.5
Fault = Callable[[Proxy], Awaitable[None]]


async def resets(line: Proxy) -> None:
    """Every connection is reset, again and again, so that some break in the middle of something."""
    for _ in range(RESETS):
        line.reset()
        await asyncio.sleep(BETWEEN_S)


async def blackhole(line: Proxy) -> None:
    """What is sent arrives nowhere; then what is still open is reset, as the bytes between are gone for good."""
    line.mode = "blackhole"
    await asyncio.sleep(BLACKHOLE_S)
    line.mode = "pass"
    line.reset()


async def half_open(line: Proxy) -> None:
    """The other end is gone and nobody says so; new connections are good."""
    old = list(line.pairs)
    line.half_open()
    await asyncio.sleep(0.05)
    line.mode = "pass"
    assert old


def at(url: str, line: Proxy) -> str:
    """The same address by way of the line."""
    parts = urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{line.port}" if user else f"127.0.0.1:{line.port}"))


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port
