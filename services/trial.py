"""`tocsin try`: a console in one process to look at, with people, phones and an alert of today.

It is a drill on a database of its own that goes when it ends; the only provider it knows is the stand-in beside it.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
import shapely

from services.demo import environment
from services.demo_view import example_alert
from services.gateway.intake.incoming import from_cap
from services.registry.model.facilities import AreaIn
from services.registry.sample.sample import Community, import_community, mint
from services.run import build
from services.shared.clock import LinearClock, wall
from services.shared.powers.who import ACTIONS
from services.shared.settings import Settings
from services.shared.tiers import Tier
from services.shared.web.auth import create_key
from services.sim.world import World

PORT, PHONES_PORT = 8080, 8090
OFFSET_MIN = 480  # where the fictional county lies
VILLAGES = ("Hedong", "Xiawan", "Shangcun", "Zhongzhou", "Beitan", "Xikou")
AROUND = 0.002  # degrees
_WHEN = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")
_IMPACT = datetime.fromisoformat("2026-06-10T12:00:00+08:00")  # of the example


@dataclass(frozen=True)
class Trial:
    """Where everything is: addresses, the key, and the alert that waits in the console."""

    console: str
    phones: str
    key: str
    warning_id: str
    people: int


async def run_trial(people: int, seed: int, ready: Callable[[Trial], None], stop: asyncio.Event | None = None) -> None:
    """Runs until `stop`, SIGINT or SIGTERM; `ready` is told once everything is there."""
    stop = stop or asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    alert = of_today(example_alert(), wall())
    incoming = from_cap(alert, strict=False)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tocsin-try-"))
        community = mint(incoming.area, incoming.geocodes, people=people, seed=seed)
        world = World(community, LinearClock(), seed, utc_offset_min=OFFSET_MIN)
        await world.start(port=free(PHONES_PORT))
        stack.push_async_callback(world.stop)
        own = {name: "" for name in os.environ if name.startswith("TOCSIN_")}  # a trial knows no real provider
        stack.enter_context(environment(own | world.environment))
        settings = Settings(
            data_dir=Path(folder), port=free(PORT), plane="drill", utc_offset_min=OFFSET_MIN, hotline="12345"
        )
        node = await build(settings, synchronous="OFF")
        stack.push_async_callback(node.close)
        database, url = node.platform.database, node.platform.public_url
        world.set_target(url)
        community.areas += villages(community)
        await import_community(database, node.platform.keys, community)
        key = await create_key(
            database, name="Qingshui County", label="duty desk", actions=ACTIONS, max_tier=Tier.RED, alone=Tier.RED
        )
        world.duty.sign_in(key)
        node.start_loops()
        warning_id = await _drafted(url, key, alert)
        ready(Trial(f"{url}/console", world.url, key, warning_id, people))
        await asyncio.gather(world.agenda.run_live(stop), node.wait(stop))


def villages(community: Community) -> list[AreaIn]:
    """The zones of the register as areas with names, so that a warning can be written for one of them: around who lives there."""
    homes: dict[str, list[tuple[float, float]]] = {}
    for one in community.people:
        if one.zone_id:
            homes.setdefault(one.zone_id, []).append((one.lon, one.lat))
    return [
        AreaIn(
            value_name="zone", code=zone, name=VILLAGES[n] if n < len(VILLAGES) else zone,
            geojson=str(shapely.to_geojson(shapely.MultiPoint(points).convex_hull.buffer(AROUND, quad_segs=2))),
        )
        for n, (zone, points) in enumerate(sorted(homes.items()))
    ]  # fmt: skip


def of_today(alert: bytes, now: float) -> bytes:
    """The example as if written a minute ago; the water is due on the full hour after three hours."""
    tz = _IMPACT.tzinfo
    soon = datetime.fromtimestamp(now, tz) + timedelta(hours=3)
    impact = soon.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1 if soon.minute else 0)
    moved = impact - _IMPACT
    sent = datetime.fromtimestamp(now - 60, tz).isoformat(timespec="seconds").encode()
    alert = _WHEN.sub(lambda m: (datetime.fromisoformat(m[0].decode()) + moved).isoformat().encode(), alert)
    alert = re.sub(rb"(?<=<sent>)[^<]+", sent, alert)
    alert = re.sub(rb"(?<=<identifier>)[^<]+", f"QINGSHUI-TRY-{now:.0f}".encode(), alert)
    hour = f"{impact:%H:%M}"
    return alert.replace(b"12:00.", f"{hour}.".encode()).replace("12时前".encode(), f"{impact.hour}时前".encode())


def free(port: int) -> int:
    """That port where nobody listens on it, else any."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port


async def _drafted(url: str, key: str, alert: bytes) -> str:
    """Takes the alert in through the front door, as a draft that waits for a person."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/cap+xml"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{url}/api/v1/warnings?release=false", data=alert) as response,
    ):
        taken = await response.json(content_type=None)
        response.raise_for_status()
    return str(taken["warning_id"])
