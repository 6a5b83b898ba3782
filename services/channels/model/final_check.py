"""Checks a message once more before it leaves: connecting may take seconds, and a cancel may come meanwhile.

The sender says what is to be looked at (`checking`); a driver looks (`last_look`) once it is connected and before it hands
over. Over HTTP every session that is `traced` does so by itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import aiohttp

FinalCheck = Callable[[], Awaitable[None]]
_look: ContextVar[FinalCheck | None] = ContextVar("last_look", default=None)


class Overtaken(Exception):
    """It must not be sent any more, or nobody can say now whether it may: nothing of it went out."""


@contextmanager
def checking(look: FinalCheck) -> Iterator[None]:
    """What `last_look` asks within; it raises Overtaken."""
    before = _look.set(look)
    try:
        yield
    finally:
        _look.reset(before)


async def last_look() -> None:
    """Raises Overtaken where the message must not go out any more."""
    if (look := _look.get()) is not None:
        await look()


def traced() -> aiohttp.TraceConfig:
    """For a session: looks when the connection stands, before the first byte of a request is written."""

    async def about_to_write(*_: object) -> None:
        await last_look()

    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(about_to_write)  # named for what follows it at once
    return config
