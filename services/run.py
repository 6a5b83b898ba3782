"""The composition root: settings > telemetry > database > bus > services > one application; drains on SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
import structlog
from aiohttp import web

from services import migrations
from services.channels.service import ChannelsService
from services.gateway.service import GatewayService
from services.registry.service import RegistryService
from services.router.service import RouterService
from services.shared.auth import Signer, api_key
from services.shared.bus_embedded import EmbeddedBus
from services.shared.clock import Clock, LinearClock, wall
from services.shared.db import Database, FileLock, check_plane, stamp
from services.shared.sealing import Keys
from services.shared.service import Platform, Service
from services.shared.settings import Settings
from services.shared.web import make_app

log = structlog.get_logger("run")
TICK_S = 0.25
DRAIN_S = 15.0  # how long a loop's turn may still take when asked to stop


@dataclass
class Embedded:
    """All four services in one process on one database; `step` moves them by hand, `serve` lets them run."""

    platform: Platform
    bus: EmbeddedBus
    gateway: GatewayService
    registry: RegistryService
    router: RouterService
    channels: ChannelsService
    lock: FileLock
    runner: web.AppRunner
    site: web.SockSite
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _ending: bool = False

    @property
    def services(self) -> Sequence[Service]:
        return (self.gateway, self.registry, self.router, self.channels)

    async def step(self) -> bool:
        """Everything that is due by now, once; True if anything was done or is under way."""
        did = await self.bus.work()
        for service in self.services:
            did = await service.work() or did
        return did or self.channels.busy

    async def next_at(self) -> float | None:
        """The warning time at which something falls due next."""
        times = [t for service in self.services if (t := await service.next_at()) is not None]
        return min(times) if times else None

    def start_loops(self) -> None:
        """One supervised loop for the bus and for each service: one that ends, ends the process."""
        self._tasks = [asyncio.create_task(self._bus_loop(), name="bus")]
        self._tasks += [asyncio.create_task(self._loop(s), name=s.name) for s in self.services[1:3]]
        for red in (True, False):  # red has a loop of its own: nothing ordinary stands in its way
            name = "red" if red else "rest"
            self._tasks.append(asyncio.create_task(self._send_loop(red), name=f"send:{name}"))
        self._tasks.append(asyncio.create_task(self._housekeeping(), name="housekeeping"))
        if self.gateway.feeds.entries:
            self._tasks.append(asyncio.create_task(self.gateway.feeds.run(lambda: self._ending), name="feeds"))

    async def _bus_loop(self) -> None:
        while not self._ending:
            if not await self.bus.work():
                await self.bus.waker.wait(TICK_S)

    async def _loop(self, service: Service) -> None:
        waker = self.platform.waker(service.name)
        while not self._ending:
            if not await service.work():
                await waker.wait(TICK_S)

    async def _send_loop(self, red: bool) -> None:
        sender, waker = self.channels.sender, self.platform.waker(f"channels:{red}")
        while not self._ending:
            lanes = [lane for lane in await sender.due_lanes() if lane.red is red]
            claimed = sum([await sender.turn(lane) for lane in lanes])
            if not claimed:
                await waker.wait(0.05 if sender.busy else TICK_S)

    async def _housekeeping(self) -> None:
        while not self._ending:
            await self.channels.tidy()
            await self.platform.waker("housekeeping").wait(1.0)

    async def wait(self, stop: asyncio.Event) -> None:
        """Until asked to stop, or until a loop dies: then its error ends the process."""
        stopping = asyncio.create_task(stop.wait(), name="stop")
        done, _ = await asyncio.wait([stopping, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        for task in done - {stopping}:
            log.critical("loop_died", loop=task.get_name())
            task.result()

    async def close(self) -> None:
        """Takes nothing new, finishes what is under way, writes it down.

        Loops end after their turn and are not cancelled in it: between intent and call a cancelled one would leave
        deliveries SENDING that nobody sends, to be taken for ambiguous at the next start.
        """
        self._ending = True
        self.bus.wake()
        for waker in self.platform.wakers.values():
            waker.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=DRAIN_S)
        for task in self._tasks:
            task.cancel()
        for service in self.services:
            await service.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.runner.cleanup()
        await self.platform.database.close()
        self.lock.release()


async def start_clock(database: Database, settings: Settings) -> Clock:
    """The live clock; a rehearsal's anchor and rate are kept in the database, so that it goes on after a restart."""
    if settings.clock_rate == 1.0 and settings.clock_anchor is None:
        return LinearClock()
    started = float(await stamp(database, "clock_started", repr(wall())))
    anchor = float(await stamp(database, "clock_anchor", repr(settings.clock_anchor or started)))
    rate = float(await stamp(database, "clock_rate", repr(settings.clock_rate)))
    return LinearClock(anchor, rate, started)


async def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    synchronous: str = "FULL",
    desk_window_s: float = 0.02,
) -> Embedded:
    """An embedded Tocsin, listening, with nothing running yet."""
    lock = FileLock(settings.data_dir)
    lock.take()
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((settings.host, settings.port))
    port = sock.getsockname()[1]
    url = settings.resolved_database_url
    await asyncio.to_thread(migrations.upgrade, url)
    database = Database(url, synchronous=synchronous)
    await check_plane(database, settings.plane)
    keys = Keys(settings.keys_dir)
    signer = Signer(keys.mac)
    bus = EmbeddedBus(database)
    platform = Platform(
        settings=settings,
        database=database,
        bus=bus,
        clock=clock or await start_clock(database, settings),
        keys=keys,
        signer=signer,
        public_url=settings.public_url or f"http://{settings.host}:{port}",
    )
    gateway, registry = GatewayService(platform), RegistryService(platform)
    router, channels = RouterService(platform), ChannelsService(platform, desk_window_s=desk_window_s)
    app = make_app(database, signer)
    for service in (gateway, registry, router, channels):
        service.subscribe()
        app.router.add_routes(list(service.routes()))
    for service in (channels, gateway, registry, router):  # channels first: it says which roads there are
        await service.start()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=10, keepalive_timeout=60)
    await runner.setup()
    site = web.SockSite(runner, sock, backlog=1024)
    await site.start()
    return Embedded(platform, bus, gateway, registry, router, channels, lock, runner, site)


async def serve(settings: Settings) -> None:
    """`tocsin serve`: runs until SIGTERM or SIGINT."""
    embedded = await build(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    embedded.start_loops()
    async with embedded.platform.database.read() as db:
        if not await db.scalar(sa.select(sa.func.count()).select_from(api_key)):
            log.warning("no_key_yet", do='tocsin key create --authority "Your County" --label "duty desk"')
    log.info("serving", url=embedded.platform.public_url, plane=settings.plane, data=str(settings.data_dir))
    try:
        await embedded.wait(stop)
    finally:
        await embedded.close()
        log.info("stopped")
