"""The composition root: settings > telemetry > database > bus > services > one application; drains on SIGTERM.

A node is one process. With no names it plays all four roles (the embedded mode, or all in one on PostgreSQL); with
names it plays those, beside others on the same database and broker.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack

import sqlalchemy as sa
import structlog
from aiohttp import web

from services import migrations
from services.node import Node
from services.registry.figures import FIGURES as LOOKS
from services.roles import ROLES, check_keys, check_roles, read_keys
from services.router.figures import FIGURES as PATHS
from services.shared import draft_languages, i18n, telemetry
from services.shared.alarms import FIGURES as ALARMS
from services.shared.bus.embedded import EmbeddedBus
from services.shared.bus.port import Bus
from services.shared.clock import Clock, LinearClock, wall
from services.shared.crypto.house_keys import HouseKeys
from services.shared.crypto.private_files import must_be_private, of_database
from services.shared.database.engine import Database, FileLock
from services.shared.database.instance import check_plane, stamp
from services.shared.database.soundness import file_of, must_be_sound
from services.shared.errors import Refused
from services.shared.operations import health
from services.shared.operations.clock_watch import ClockWatch
from services.shared.operations.ledger_figures import LEDGER
from services.shared.operations.soundness_watch import SoundnessWatch
from services.shared.service import Platform, Service
from services.shared.settings import Settings
from services.shared.web.auth import api_key
from services.shared.web.connection_limits import Doorkeeper, Site, bound, raise_limit
from services.shared.web.edge import make_app

log = structlog.get_logger("run")
START_ORDER = ("channels", "gateway", "registry", "router")  # channels first: it says which channels there are


async def start_clock(database: Database, settings: Settings) -> Clock:
    """The live clock, or a rehearsal's. The database keeps its anchor and rate, so that it goes on after a restart."""
    if settings.clock_rate == 1.0 and settings.clock_anchor is None:
        return LinearClock()
    started = float(await stamp(database, "clock_started", repr(wall())))
    anchor = float(await stamp(database, "clock_anchor", repr(settings.clock_anchor or started)))
    rate = float(await stamp(database, "clock_rate", repr(settings.clock_rate)))
    return LinearClock(anchor, rate, started)


def _bus(database: Database, settings: Settings) -> Bus:
    if not settings.amqp_url:
        return EmbeddedBus(database)
    from services.shared.bus.rabbit_bus import RabbitBus  # the embedded mode never loads a broker's client

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


def _service(undo: AsyncExitStack, role: str, platform: Platform, sole: bool, recorder_window_s: float) -> Service:
    """The service of that name, loaded now."""
    if role == "gateway":
        from services.channels.messages.suggested import OwnTexts
        from services.channels.pages.beforehand import Beforehand
        from services.gateway.service import GatewayService

        return GatewayService(platform, OwnTexts(), Beforehand(platform.settings.sign_videos))
    if role == "registry":
        from services.registry.service import RegistryService

        return RegistryService(platform)
    if role == "router":
        from services.channels.messages.forms import every_channel
        from services.router.service import RouterService

        return RouterService(platform, every_channel)
    from services.channels.service import ChannelsService, outgoing

    session = outgoing()
    undo.push_async_callback(session.close)
    return ChannelsService(platform, session, sole_process=sole, recorder_window_s=recorder_window_s)


async def build(
    settings: Settings,
    roles: Sequence[str] = (),
    *,
    clock: Clock | None = None,
    synchronous: str = "FULL",
    recorder_window_s: float = 0.02,
) -> Node:
    """A node, listening, with nothing running yet; what refuses to start leaves nothing open behind it."""
    roles = check_roles(roles, settings)
    async with AsyncExitStack() as undo:
        node = await _build(undo, settings, roles, clock, synchronous, recorder_window_s)
        undo.pop_all()  # from here on the node closes what it has
    return node


async def _build(
    undo: AsyncExitStack,
    settings: Settings,
    roles: tuple[str, ...],
    clock: Clock | None,
    synchronous: str,
    recorder_window_s: float,
) -> Node:
    draft_languages.use(settings.drafts)
    url = settings.resolved_database_url
    lock = None
    if url.startswith("sqlite"):
        lock = FileLock(settings.data_dir)
        lock.acquire()
        undo.callback(lock.release)
    file = file_of(url)
    if file is not None:
        must_be_private(of_database(file))
    sock = undo.enter_context(_listening(settings))
    port = sock.getsockname()[1]
    await asyncio.to_thread(migrations.upgrade, url)
    if file is not None:
        await asyncio.to_thread(must_be_sound, file)
    database = Database(url, synchronous=synchronous, name=f"tocsin-{'-'.join(roles) if roles != ROLES else 'all'}")
    undo.push_async_callback(database.close)
    await check_plane(database, settings.plane)
    keys = read_keys(settings, roles)
    await check_keys(database, keys, roles)
    bus = _bus(database, settings)
    watch = ClockWatch(database) if clock is None else None
    if watch is not None:
        await watch.begin()
    platform = Platform(
        settings=settings,
        database=database,
        bus=bus,
        clock=clock or await start_clock(database, settings),
        keys=keys,
        public_url=settings.public_url or f"http://{settings.host}:{port}",
    )
    made = {role: _service(undo, role, platform, lock is not None, recorder_window_s) for role in roles}
    app = make_app(database, https=platform.https, proxies=settings.proxies, sends="channels" in roles)
    door = Doorkeeper(bound(resource.getrlimit(resource.RLIMIT_NOFILE)[0]), settings.proxies)
    app.middlewares[:0] = [telemetry.canonical_line, door.attend]
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
    soundness = SoundnessWatch(database, file) if file is not None else None
    process = f"{'-'.join(roles) if roles != ROLES else 'all'} on {socket.gethostname()}, {port}"[:80]
    house = HouseKeys(database, keys, process, sole=lock is not None)
    node = Node(platform, bus, list(made.values()), lock, runner, health.Pulses(), watch, soundness, house)
    app.router.add_routes(
        health.routes(
            database,
            platform.clock,
            node.wrong,
            plane=settings.plane,
            revisions=migrations.revisions(),
            figures=[
                *LEDGER,  # any process tells these: one alive is enough
                *ALARMS,
                *(PATHS if "router" in roles else ()),  # their tables are read by their service alone
                *(LOOKS if "registry" in roles else ()),
            ],
            bus=bus.health,
        )
    )
    undo.push_async_callback(runner.cleanup)
    await runner.setup()
    await Site(runner, sock, door).start()
    return node


def leave_the_loaded_alone() -> None:
    """Takes what is loaded by now out of garbage collection. It lives as long as the process, and looking through it
    held every loop up by 0.1 s. What the first warning would have to wait for is loaded first."""
    i18n.offered()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


async def serve(settings: Settings, roles: Sequence[str] = ()) -> None:
    """`tocsin serve`: runs until SIGTERM or SIGINT."""
    raise_limit()
    node = await build(settings, roles)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    names = [service.name for service in node.services]
    telemetry.configure_tracing("-".join(names) if len(names) < len(ROLES) else "all")
    node.start_loops()
    leave_the_loaded_alone()
    async with node.platform.database.read() as db:
        if not await db.scalar(sa.select(sa.func.count()).select_from(api_key)):
            log.warning(
                "no_key_yet",
                do='tocsin key create --authority "Your County" --label "duty desk" --max-tier red --area FILE',
            )
    log.info("serving", url=node.platform.public_url, roles=names, plane=settings.plane, data=str(settings.data_dir))
    try:
        await node.wait(stop)
    finally:
        await node.close()
        log.info("stopped")
