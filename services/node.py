"""One process at work: the roles it plays, a supervised loop for each, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import sqlalchemy as sa
import structlog
from aiohttp import web

from services.shared.bus.port import Bus
from services.shared.clock import Waker
from services.shared.crypto.house_keys import LOOK_EVERY_S, HouseKeys
from services.shared.database.engine import FileLock, may_be_tried_again
from services.shared.operations import health
from services.shared.operations.clock_watch import ClockWatch
from services.shared.operations.soundness_watch import SoundnessWatch
from services.shared.service import Loop, Platform, Service

if TYPE_CHECKING:  # a process loads the services it plays, at `run._service`: half of a start is loading
    from services.channels.service import ChannelsService
    from services.gateway.service import GatewayService
    from services.registry.service import RegistryService
    from services.router.service import RouterService

log = structlog.get_logger("run")
DRAIN_S = 15.0  # how long a loop's turn may still take when asked to stop
PATIENCE_S = (0.2, 0.5, 1.0, 2.0, 5.0)  # between two tries while the database is away


@dataclass
class Node:
    """One process and the roles it plays; `step` moves it by hand, `serve` lets it run."""

    platform: Platform
    bus: Bus
    services: Sequence[Service]
    lock: FileLock | None
    runner: web.AppRunner
    pulses: health.Pulses
    watch: ClockWatch | None = None  # none where time is moved by hand
    soundness: SoundnessWatch | None = None  # none on PostgreSQL
    house: HouseKeys | None = None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _wakers: list[Waker] = field(default_factory=list)
    _ending: bool = False

    def _role(self, name: str) -> Service:
        for service in self.services:
            if service.name == name:
                return service
        raise LookupError(f"this process plays no {name}")

    @property
    def gateway(self) -> GatewayService:
        return cast("GatewayService", self._role("gateway"))

    @property
    def registry(self) -> RegistryService:
        return cast("RegistryService", self._role("registry"))

    @property
    def router(self) -> RouterService:
        return cast("RouterService", self._role("router"))

    @property
    def channels(self) -> ChannelsService:
        return cast("ChannelsService", self._role("channels"))

    @property
    def draining(self) -> bool:
        return self._ending

    async def step(self) -> bool:
        """Everything that is due by now, once; True if anything was done or is under way."""
        did = await self.bus.run_due()
        for service in self.services:
            did = await service.run_due() or did
        return did or self.channels.busy

    async def next_at(self) -> float | None:
        """The warning time at which something falls due next."""
        times = [t for service in self.services if (t := await service.next_at()) is not None]
        return min(times) if times else None

    def start_loops(self) -> None:
        """One supervised loop for the bus and for each service: one that ends, ends the process."""
        for name in self.bus.loops:
            self.pulses.expect(name)
        self._tasks = [asyncio.create_task(self.bus.run(lambda: self._ending, self.pulses.beat), name="bus")]
        if self.watch is not None:
            self._begin(Loop("clock", self.watch.turn, Waker(), idle_s=1.0))
        if self.soundness is not None:
            self._begin(Loop("soundness", self.soundness.turn, Waker(), idle_s=5.0))
        if self.house is not None:
            self._begin(Loop("house_keys", self.house.turn, Waker(), idle_s=LOOK_EVERY_S))
        for service in self.services:
            for loop in service.loops():
                self._begin(loop)

    def _begin(self, loop: Loop) -> None:
        """Turns as long as there is something to do, else sleeps on its waker; waits while the database is away."""
        waker = loop.waker.sleeper()

        async def run() -> None:
            failed = 0
            while not self._ending:
                self.pulses.beat(loop.name)
                try:
                    did = await loop.turn()
                except (sa.exc.SQLAlchemyError, OSError, TimeoutError) as problem:
                    if not may_be_tried_again(problem):
                        raise
                    log.warning("database_away", loop=loop.name, reason=type(problem).__name__, tries=failed + 1)
                    await asyncio.sleep(PATIENCE_S[min(failed, len(PATIENCE_S) - 1)])
                    failed += 1
                    continue
                failed = 0
                if not did:
                    await waker.wait(loop.idle_s)

        self.pulses.expect(loop.name, loop.within_s)
        self._wakers.append(waker)
        self._tasks.append(asyncio.create_task(run(), name=loop.name))

    def wrong(self) -> Mapping[str, str | None]:
        """What speaks against sending requests here, by check."""
        dead = [t.get_name() for t in self._tasks if t.done()]
        return {
            "loops": f"ended: {', '.join(dead)}" if dead and not self._ending else self.pulses.wrong(),
            "draining": "it is being stopped" if self._ending else None,
        }

    async def wait(self, stop: asyncio.Event) -> None:
        """Until asked to stop, or until a loop dies: then its error ends the process."""
        stopping = asyncio.create_task(stop.wait(), name="stop")
        done, _ = await asyncio.wait([stopping, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        for task in done - {stopping}:
            log.critical("loop_died", loop=task.get_name(), exc_info=None if task.cancelled() else task.exception())
            task.result()

    async def close(self) -> None:
        """Takes nothing new, finishes what is under way, writes it down.

        Loops end after their turn and are not cancelled in it: between intent and call a cancelled one would leave
        deliveries SENDING that nobody sends, to be taken for ambiguous at the next start.
        """
        self._ending = True
        self.bus.wake()
        for waker in self._wakers:
            waker.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=DRAIN_S)
        for task in self._tasks:
            task.cancel()
        await self.bus.close()
        for service in self.services:
            await service.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.runner.cleanup()
        await self.platform.database.close()
        if self.lock is not None:
            self.lock.release()
