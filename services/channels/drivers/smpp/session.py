"""Keeps one bound SMPP 3.4 line: makes it again when it is lost, and hands everything received to its driver.

What comes in is answered before we have it on disk: a receipt that is lost with this process leaves its delivery
ACCEPTED, never DELIVERED.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial

import smpp34
import structlog

from services.channels.drivers.smpp.line import NotBound, SmppLine
from services.channels.outcomes.recorder import PATIENCE_S
from services.shared.clock import wall
from services.shared.database.engine import may_be_tried_again

log = structlog.get_logger("smpp")
WAITS_S = (1.0, 2.0, 5.0, 15.0, 30.0)
CLOSE_S = 3.0
# what came in, and when in wall time: the same however often tried
Heard = Callable[[smpp34.DeliverSm, float], Awaitable[None]]
Bind = Callable[[Callable[[smpp34.DeliverSm], None]], Awaitable[SmppLine]]


class SmppSession:
    """`session` is the bound line, or None while there is none."""

    def __init__(self, bind: Bind, *, waits: tuple[float, ...] = WAITS_S) -> None:
        self._bind = bind
        self._waits = waits
        self._running: asyncio.Task[None] | None = None
        self._handing: set[asyncio.Task[None]] = set()
        self._ending = False
        self.session: SmppLine | None = None

    def start(self, heard: Heard) -> None:
        """Begins to connect; hands what comes in to `heard`."""
        self._running = asyncio.create_task(self._run(heard), name="smpp")
        self._running.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (problem := task.exception()) is not None:
            log.critical("smpp_ended", reason=repr(problem))

    async def stop(self) -> None:
        """Hands on what has come in, unbinds, ends."""
        self._ending = True
        if self._running is None:
            return
        if self.session is not None:
            with contextlib.suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await self.session.unbind()
        self._running.cancel()
        await asyncio.gather(self._running, *self._handing, return_exceptions=True)

    async def _run(self, heard: Heard) -> None:
        failed = 0
        while not self._ending:
            try:
                line = await self._bind(partial(self._came, heard))
            except (NotBound, OSError, TimeoutError, ValueError) as problem:
                wait = self._waits[min(failed, len(self._waits) - 1)]
                failed += 1
                reason = str(problem) or "no answer in time"
                log.warning("smpp_not_bound", reason=reason, tries=failed, again_s=wait)
                await asyncio.sleep(wait)
                continue
            log.info("smpp_bound", tries=failed + 1)
            failed = 0
            self.session = line
            try:
                await line.ended.wait()
            finally:
                self.session = None
                line.abort()
            if not self._ending:
                log.warning("smpp_lost")

    def _came(self, heard: Heard, event: smpp34.DeliverSm) -> None:
        task = asyncio.create_task(self._hand_on(heard, event))
        self._handing.add(task)
        task.add_done_callback(self._handing.discard)

    async def _hand_on(self, heard: Heard, event: smpp34.DeliverSm) -> None:
        """The SMSC has its answer and sends nothing twice: what the database cannot take now is tried again for a while."""
        came = wall()
        for wait in (*PATIENCE_S, None):
            try:
                await heard(event, came)
            except Exception as problem:
                if wait is None or self._ending or not may_be_tried_again(problem):
                    log.exception("smpp_not_taken")  # one receipt or reply that cannot be taken stops no other
                    return
                log.warning("smpp_waits", reason=type(problem).__name__, again_s=wait)
                await asyncio.sleep(wait)
            else:
                return
