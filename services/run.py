"""The composition root: settings > telemetry > database > bus > services > one application; drains on SIGTERM.

A node is one process. With no names it plays all four roles (the embedded mode, or all in one on PostgreSQL); with
names it plays those, beside others on the same database and broker.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import sqlalchemy as sa
import structlog
from aiohttp import web

from services import migrations
from services.registry.figures import FIGURES as LOOKS
from services.router.figures import FIGURES as PATHS
from services.shared import health, sealing_keys, telemetry
from services.shared.auth import Signer, api_key
from services.shared.bus import Bus
from services.shared.bus_embedded import EmbeddedBus
from services.shared.clock import Clock, LinearClock, Waker, wall
from services.shared.db import Database, FileLock, may_be_tried_again
from services.shared.errors import Broken, Refused
from services.shared.figures import LEDGER
from services.shared.instance import check_plane, stamp
from services.shared.sealing import Keys
from services.shared.service import Platform, Service
from services.shared.settings import Settings
from services.shared.web import make_app

if TYPE_CHECKING:  # a process loads the services it plays, at `_service`: half of a start is loading
    from services.channels.service import ChannelsService
    from services.gateway.service import GatewayService
    from services.registry.service import RegistryService
    from services.router.service import RouterService

log = structlog.get_logger("run")
ROLES = ("gateway", "registry", "router", "channels")
START_ORDER = ("channels", "gateway", "registry", "router")  # channels first: it says which roads there are
TICK_S = 0.25
DRAIN_S = 15.0  # how long a loop's turn may still take when asked to stop
PATIENCE_S = (0.2, 0.5, 1.0, 2.0, 5.0)  # between two tries while the database is away
Turn = Callable[[], Awaitable[bool]]


@dataclass
class Node:
    """One process and the roles it plays; `step` moves it by hand, `serve` lets it run."""

    platform: Platform
    bus: Bus
    services: Sequence[Service]
    lock: FileLock | None
    runner: web.AppRunner
    pulses: health.Pulses
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
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
        for name in self.bus.loops:
            self.pulses.expect(name)
        self._tasks = [asyncio.create_task(self.bus.run(lambda: self._ending, self.pulses.beat), name="bus")]
        for service in self.services:
            if service.name == "channels":
                for red in (True, False):  # red has a loop of its own: nothing ordinary stands in its way
                    self._sending(self.channels, red)
                self._loop("housekeeping", self.channels.tidy, self.platform.waker("housekeeping"), idle=1.0)
            elif service.name == "gateway":
                self._loop("checkpoints", self.gateway.checkpoint, self.platform.waker("checkpoints"), idle=2.0)
                if self.gateway.feeds.entries:
                    feeds = self.gateway.feeds.run(lambda: self._ending)
                    self._tasks.append(asyncio.create_task(feeds, name="feeds"))
            else:
                self._loop(service.name, service.work, self.platform.waker(service.name))

    def _sending(self, channels: ChannelsService, red: bool) -> None:
        sender = channels.sender

        async def turn() -> bool:
            return sum([await sender.turn(queue) for queue in await sender.due_queues(red)]) > 0

        waker = self.platform.waker(f"channels:{red}")
        for lane in sender.lanes:
            if lane.red is red:
                lane.on_room = waker.set
        self._loop(f"send:{'red' if red else 'rest'}", turn, waker)

    def _loop(self, name: str, turn: Turn, waker: Waker, idle: float = TICK_S) -> None:
        """Turns as long as there is something to do, else sleeps on its waker; waits while the database is away."""

        async def run() -> None:
            failed = 0
            while not self._ending:
                self.pulses.beat(name)
                try:
                    did = await turn()
                except (sa.exc.SQLAlchemyError, OSError, TimeoutError) as problem:
                    if not may_be_tried_again(problem):
                        raise
                    log.warning("database_away", loop=name, reason=type(problem).__name__, tries=failed + 1)
                    await asyncio.sleep(PATIENCE_S[min(failed, len(PATIENCE_S) - 1)])
                    failed += 1
                    continue
                failed = 0
                if not did:
                    await waker.wait(idle)

        self.pulses.expect(name)
        self._tasks.append(asyncio.create_task(run(), name=name))

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
        for waker in self.platform.wakers.values():
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


async def start_clock(database: Database, settings: Settings) -> Clock:
    """The live clock; a rehearsal's anchor and rate are kept in the database, so that it goes on after a restart."""
    if settings.clock_rate == 1.0 and settings.clock_anchor is None:
        return LinearClock()
    started = float(await stamp(database, "clock_started", repr(wall())))
    anchor = float(await stamp(database, "clock_anchor", repr(settings.clock_anchor or started)))
    rate = float(await stamp(database, "clock_rate", repr(settings.clock_rate)))
    return LinearClock(anchor, rate, started)


def check_roles(roles: Sequence[str], settings: Settings) -> tuple[str, ...]:
    """The roles in one order; Refused where one is unknown or others could not be reached."""
    unknown = sorted(set(roles) - set(ROLES))
    if unknown:
        raise Refused(f"there is no service {unknown[0]!r}: use {', '.join(ROLES)}", field="service", given=unknown[0])
    chosen = tuple(r for r in ROLES if not roles or r in roles)
    sqlite = settings.resolved_database_url.startswith("sqlite")
    if sqlite and chosen != ROLES:
        raise Refused(
            "SQLite serves one process that plays all four: set TOCSIN_DATABASE_URL to a PostgreSQL, or name no service",
            field="TOCSIN_DATABASE_URL",
        )
    if chosen != ROLES and not settings.amqp_url:
        raise Refused("several processes need a broker between them: set TOCSIN_AMQP_URL", field="TOCSIN_AMQP_URL")
    return chosen


def _keys(settings: Settings, roles: Sequence[str]) -> Keys:
    """The keys these roles use, read now: a missing or foreign one is told at start, not at the first warning.

    Only a process that is alone, or plays all roles, makes what is missing; the others are to be given the same keys.
    """
    alone = settings.resolved_database_url.startswith("sqlite") or tuple(roles) == ROLES
    keys = Keys(settings.keys_dir, make=alone)
    _ = keys.mac
    if "gateway" in roles:
        _ = keys.audit
    if "channels" in roles:
        _ = keys.private, keys.index, keys.public
    if "registry" in roles:
        _ = keys.public, keys.index
    return keys


async def check_keys(database: Database, keys: Keys, roles: Sequence[str]) -> None:
    """Every process of an installation holds the same keys: with others, links and addresses would open nowhere."""
    held = {"mac": keys.mac}
    if "gateway" in roles:
        held["audit"] = keys.audit
    if {"channels", "registry"} & set(roles):
        held["index"] = keys.index
        if not await sealing_keys.check(database, keys, opens="channels" in roles):
            held["public"] = keys.public
    for name, key in held.items():
        mark = hashlib.sha256(f"tocsin {name} key".encode() + key).hexdigest()[:32]
        if await stamp(database, f"key_{name}", mark) != mark:
            raise Broken(
                f"the {name} key here is not the one this database was begun with: give this process the same keys "
                "as the others, or restore them from your key backup"
            )


def _bus(database: Database, settings: Settings) -> Bus:
    if not settings.amqp_url:
        return EmbeddedBus(database)
    from services.shared.bus_rabbit import RabbitBus  # the embedded mode never loads a broker's client

    return RabbitBus(database, settings.amqp_url, settings.plane)


def _listening(settings: Settings) -> socket.socket:
    """The socket requests will come to."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((settings.host, settings.port))
    except OSError as problem:
        sock.close()
        raise Refused(
            f"nobody can listen on {settings.host}:{settings.port} ({problem.strerror}): "
            "stop who does, or give another TOCSIN_HOST and TOCSIN_PORT",
            field="TOCSIN_PORT",
        ) from problem
    return sock


def _service(undo: AsyncExitStack, role: str, platform: Platform, sole: bool, desk_window_s: float) -> Service:
    """The service of that name, loaded now."""
    if role == "gateway":
        from services.gateway.service import GatewayService

        return GatewayService(platform)
    if role == "registry":
        from services.registry.service import RegistryService

        return RegistryService(platform)
    if role == "router":
        from services.router.service import RouterService

        return RouterService(platform)
    from services.channels.service import ChannelsService, outgoing

    session = outgoing()
    undo.push_async_callback(session.close)
    return ChannelsService(platform, session, sole_process=sole, desk_window_s=desk_window_s)


async def build(
    settings: Settings,
    roles: Sequence[str] = (),
    *,
    clock: Clock | None = None,
    synchronous: str = "FULL",
    desk_window_s: float = 0.02,
) -> Node:
    """A node, listening, with nothing running yet; what refuses to start leaves nothing open behind it."""
    roles = check_roles(roles, settings)
    async with AsyncExitStack() as undo:
        node = await _build(undo, settings, roles, clock, synchronous, desk_window_s)
        undo.pop_all()  # from here on the node closes what it has
    return node


async def _build(
    undo: AsyncExitStack,
    settings: Settings,
    roles: tuple[str, ...],
    clock: Clock | None,
    synchronous: str,
    desk_window_s: float,
) -> Node:
    url = settings.resolved_database_url
    lock = None
    if url.startswith("sqlite"):
        lock = FileLock(settings.data_dir)
        lock.take()
        undo.callback(lock.release)
    sock = undo.enter_context(_listening(settings))
    port = sock.getsockname()[1]
    await asyncio.to_thread(migrations.upgrade, url)
    database = Database(url, synchronous=synchronous, name=f"tocsin-{'-'.join(roles) if roles != ROLES else 'all'}")
    undo.push_async_callback(database.close)
    await check_plane(database, settings.plane)
    keys = _keys(settings, roles)
    await check_keys(database, keys, roles)
    signer = Signer(keys.mac)
    bus = _bus(database, settings)
    platform = Platform(
        settings=settings,
        database=database,
        bus=bus,
        clock=clock or await start_clock(database, settings),
        keys=keys,
        signer=signer,
        public_url=settings.public_url or f"http://{settings.host}:{port}",
    )
    made = {role: _service(undo, role, platform, lock is not None, desk_window_s) for role in roles}
    app = make_app(database, signer)
    app.middlewares.insert(0, telemetry.canonical_line)
    for service in made.values():
        undo.push_async_callback(service.stop)
        service.subscribe()
        app.router.add_routes(list(service.routes()))
    for role in START_ORDER:
        if role in made:
            await made[role].start()
    undo.push_async_callback(bus.close)
    await bus.start()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=10, keepalive_timeout=60)
    node = Node(platform, bus, list(made.values()), lock, runner, health.Pulses())
    app.router.add_routes(
        health.routes(
            database,
            platform.clock,
            node.wrong,
            plane=settings.plane,
            revisions=migrations.revisions(),
            figures=[*LEDGER, *PATHS, *LOOKS],  # any process tells all of them: one alive is enough
            bus=bus.health,
        )
    )
    undo.push_async_callback(runner.cleanup)
    await runner.setup()
    await web.SockSite(runner, sock, backlog=1024).start()
    return node


def _leave_the_loaded_alone() -> None:
    """What is loaded by now lives as long as the process: looking through it again and again held every loop up by 0.1 s."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


async def serve(settings: Settings, roles: Sequence[str] = ()) -> None:
    """`tocsin serve`: runs until SIGTERM or SIGINT."""
    node = await build(settings, roles)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    names = [service.name for service in node.services]
    telemetry.configure_tracing("-".join(names) if len(names) < len(ROLES) else "all")
    node.start_loops()
    _leave_the_loaded_alone()
    async with node.platform.database.read() as db:
        if not await db.scalar(sa.select(sa.func.count()).select_from(api_key)):
            log.warning("no_key_yet", do='tocsin key create --authority "Your County" --label "duty desk"')
    log.info("serving", url=node.platform.public_url, roles=names, plane=settings.plane, data=str(settings.data_dir))
    try:
        await node.wait(stop)
    finally:
        await node.close()
        log.info("stopped")
