"""Keeps one bound SMPP 3.4 session: reconnects when it is lost and hands everything received to its driver.

The library answers what comes in by itself, before we have it on disk: a receipt that is lost with this process leaves
its delivery ACCEPTED, never DELIVERED. It does not reconnect and gives no reason for a refused bind: both are said here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import smpp34
import structlog

from services.channels.outcomes.recorder import PATIENCE_S
from services.shared.clock import wall
from services.shared.database.engine import may_be_tried_again

log = structlog.get_logger("smpp")
WAITS_S = (1.0, 2.0, 5.0, 15.0, 30.0)
CLOSE_S = 3.0
# what came in, and when in wall time: the same however often tried
Heard = Callable[[smpp34.DeliverSmEvent, float], Awaitable[None]]


class SmppSession:
    """`session` is the bound one, or None while there is none."""

    def __init__(self, make: Callable[[], smpp34.Client], *, waits: tuple[float, ...] = WAITS_S) -> None:
        self._make = make
        self._waits = waits
        self._running: asyncio.Task[None] | None = None
        self._handing: set[asyncio.Task[None]] = set()
        self._ending = False
        self.session: smpp34.Smsc | None = None

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
            with contextlib.suppress(smpp34.SmppError, TimeoutError):
                await asyncio.wait_for(asyncio.ensure_future(self.session.unbind()), CLOSE_S)
        self._running.cancel()
        await asyncio.gather(self._running, *self._handing, return_exceptions=True)

    async def _run(self, heard: Heard) -> None:
        failed = 0
        while not self._ending:
            client = None
            try:
                client = self._make()
                self.session = await asyncio.ensure_future(client.connect())
            except (smpp34.SmppError, OSError, ValueError) as problem:
                wait = self._waits[min(failed, len(self._waits) - 1)]
                failed += 1
                log.warning("smpp_not_bound", reason=str(problem), tries=failed, again_s=wait)
                await self._stopped(client)
                await asyncio.sleep(wait)
                continue
            log.info("smpp_bound", tries=failed + 1)
            failed = 0
            try:
                await self._listen(heard, self.session)
            finally:
                self.session = None
                await self._stopped(client)
            if not self._ending:
                log.warning("smpp_lost")

    async def _listen(self, heard: Heard, session: smpp34.Smsc) -> None:
        while not isinstance(event := await asyncio.ensure_future(session.next()), smpp34.Disconnected):
            task = asyncio.create_task(self._hand_on(heard, event))
            self._handing.add(task)
            task.add_done_callback(self._handing.discard)

    async def _hand_on(self, heard: Heard, event: smpp34.DeliverSmEvent) -> None:
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

    @staticmethod
    async def _stopped(client: smpp34.Client | None) -> None:
        if client is None:
            return
        with contextlib.suppress(smpp34.SmppError, TimeoutError):
            await asyncio.wait_for(asyncio.ensure_future(client.stop()), CLOSE_S)
