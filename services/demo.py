"""The demo: a fictional community around one alert, simulated phones and officers, the real services, until nobody is open.

Discrete-event time: the clock stands still until everything at this instant is done (requests, callbacks, outbox,
steps), then jumps to the next event. The same alert, people and seed give the same figures to the byte. With a `rate`
the jumps are also paced, so that a person can watch; that promises no bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import sqlalchemy as sa

from services.demo_result import DemoProgress, DemoResult, result_of
from services.gateway.cap import meaning, read
from services.gateway.intake.incoming import PLANES, from_cap
from services.node import Node
from services.registry.sample.sample import import_community, mint
from services.registry.sample.sample import registered as known_to_register
from services.router.report import report
from services.router.store import tables
from services.run import build
from services.shared.clock import StepClock
from services.shared.crypto.sealing import USES, version_file
from services.shared.errors import Broken, Refused
from services.shared.powers.who import ACTIONS
from services.shared.settings import Settings
from services.shared.tiers import Tier
from services.shared.web.auth import create_key
from services.sim.world import World

HORIZON_S = 6 * 3600.0
QUANTUM_S = 20.0
Watch = Callable[[float, DemoProgress], None]


async def run_demo(
    alert: bytes,
    *,
    people: int,
    seed: int,
    tier: Tier | None = None,
    registered: float = 1.0,
    rate: float = 0.0,
    watch: Watch | None = None,
    inspect: Callable[[Node, str], Awaitable[object]] | None = None,
) -> DemoResult:
    """Runs one alert to its end; Refused where the alert cannot be sent (a cancel, a bad file).

    `registered` is the share of households that the register knows; the others live there, and are estimated.
    """
    incoming = from_cap(alert, strict=False)
    first = read(alert).alerts[0]
    offset = first.sent.utcoffset()
    plane = PLANES.get(incoming.status)
    if plane is None or incoming.msg_type not in ("Alert", "Update"):
        raise Refused(
            f"a {incoming.msg_type} of status {incoming.status} warns nobody: give an Alert or Update that is Actual, "
            "Exercise or Test",
            field="alert",
        )
    everybody = mint(incoming.area, incoming.geocodes, people=people, seed=seed)
    community = known_to_register(everybody, registered, seed)
    clock = StepClock(incoming.sent)
    minutes = int(offset.total_seconds() // 60) if offset is not None else 0
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tocsin-demo-"))
        world = World(community, clock, seed, QUANTUM_S, utc_offset_min=minutes)
        await world.start()
        stack.push_async_callback(world.stop)
        stack.enter_context(environment(world.environment))
        _fixed_keys(Path(folder) / "keys", seed)
        settings = Settings(data_dir=Path(folder), port=0, plane=plane, utc_offset_min=minutes)
        embedded = await build(settings, clock=clock, synchronous="OFF")
        stack.push_async_callback(embedded.close)
        world.set_target(embedded.platform.public_url)
        await import_community(embedded.platform.database, embedded.platform.keys, community)
        key, colleague = [
            await create_key(
                embedded.platform.database,
                name="Qingshui County",
                label=label,
                actions=ACTIONS,
                max_tier=Tier.RED,
                alone=Tier.YELLOW,
            )
            for label in ("demo", "colleague")
        ]
        world.duty.sign_in(key)
        warning_id = await _send(embedded, key, colleague, alert, tier)
        run = _Run(embedded, world, clock, warning_id, key, rate, watch)
        await run.until_the_end(min(incoming.expires, incoming.sent + HORIZON_S), incoming.sent)
        unknown = len(everybody.people) - len(community.people)
        result = await result_of(embedded, world, warning_id, meaning(first).hazard, unknown)
        if inspect is not None:
            await inspect(embedded, warning_id)
    return result


def _fixed_keys(folder: Path, seed: int) -> None:
    """Keys made of the seed, for a database that is thrown away: ids that hang on them are the same each time."""
    folder.mkdir(mode=0o700)
    for name in ("channels.key", "index.key", *(version_file(use, 1) for use in USES)):
        path = folder / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_bytes(hashlib.sha256(f"demo {seed} {name}".encode()).digest())
        path.chmod(0o600)


class environment:
    """Sets variables for the drivers and puts the old ones back."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> None:
        self._before = {name: os.environ.get(name) for name in self._values}
        os.environ.update(self._values)

    def __exit__(self, *_: object) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


async def _send(embedded: Node, key: str, colleague: str, alert: bytes, tier: Tier | None) -> str:
    """Through the front door, like an authority: one takes it in, the other decides where it is held, and sends it."""
    base = embedded.platform.public_url
    brings = {"Authorization": f"Bearer {key}", "Content-Type": "application/cap+xml"}
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {colleague}"}) as session:
        url = f"{base}/api/v1/warnings?strict=false&release=false"
        async with session.post(url, data=alert, headers=brings) as response:
            taken = await response.json(content_type=None)
            if response.status != 202:
                raise Refused(taken.get("title", ""), field="alert")
        if taken["state"] not in ("draft", "held"):
            raise Refused(f"the alert is {taken['state']}, not sent: {'; '.join(taken['notes'])}", field="alert")
        decided = tier.word if tier else None if taken["tier"] else Tier.YELLOW.word
        async with session.get(f"{base}/api/v1/warnings/{taken['warning_id']}") as response:
            seen = await response.json(content_type=None)
        reason = "demo: decided on the command line" if decided else ""
        body = {"tier": decided, "reason": reason, "approves": seen["approval"],
                "place": next(iter(seen["places"].values()))}  # fmt: skip
        async with session.post(f"{base}/api/v1/warnings/{taken['warning_id']}/release", json=body) as response:
            released = await response.json(content_type=None)
            if response.status != 202:
                raise Refused(released.get("title", ""), field="tier")
    return str(taken["warning_id"])


class _Run:
    """The loop of discrete-event time."""

    def __init__(
        self,
        embedded: Node,
        world: World,
        clock: StepClock,
        warning_id: str,
        key: str,
        rate: float,
        watch: Watch | None,
    ) -> None:
        self._embedded = embedded
        self._world = world
        self._clock = clock
        self._warning_id = warning_id
        self._key = key
        self._rate = rate
        self._watch = watch
        self._asked = False
        self._complete = False
        self._look_again = 0.0

    async def until_the_end(self, end: float, start: float) -> None:
        """Settles, jumps, settles; stops when no path is open, nothing can happen any more, or time is over."""
        started = time.monotonic()
        shown = 0.0
        self._embedded.bus.wake()
        for service in self._embedded.services:
            self._embedded.platform.wake.of(service.name).set()
        while True:
            await self.settle()
            if not self._asked:
                self._asked = True
                await self._commander()
                continue
            if self._watch is not None and time.monotonic() - shown > 0.25:
                shown = time.monotonic()
                await self._show(self._clock.now() - start)
            if not await self._open():
                break
            following = await self._next()
            if following is None or following > end:
                if self._clock.now() < end:
                    self._clock.advance_to(end)
                    await self.settle()
                break
            self._clock.advance_to(max(following, self._clock.now()))
            if self._rate:
                ahead = (self._clock.now() - start) / self._rate - (time.monotonic() - started)
                await asyncio.sleep(max(0.0, ahead))
        if self._watch is not None:
            await self._show(self._clock.now() - start)

    async def settle(self) -> None:
        """Everything of this instant: first what happens outside and its consequences, then the router's steps."""
        e = self._embedded
        while True:
            did = await self._world.agenda.run_due()
            if e.bus.waker.consume():
                while await e.bus.run_due():
                    did = True
            if e.platform.wake.channels.consume():
                did = await e.channels.run_due() or did
            if self._world.busy or e.channels.busy:
                await asyncio.sleep(0)
                e.platform.wake.channels.set()  # room in a call window may have come free
                continue
            if did or e.bus.waker.is_set:
                e.platform.wake.channels.set()
                continue
            for service in (e.registry, e.router):
                waker = e.platform.wake.of(service.name)
                if waker.consume() and await service.run_due():
                    waker.set()
                    did = True
            if not did:
                return

    async def _next(self) -> float | None:
        """When something happens next; those services whose time that is are woken for it."""
        e = self._embedded
        due = {s.name: t for s in e.services if (t := await s.next_at()) is not None}
        outside = self._world.agenda.next_at()
        times = [*due.values(), *([outside] if outside is not None else [])]
        if not times:
            return None
        first = min(times)
        for name, when in due.items():
            if when <= first:
                e.platform.wake.of(name).set()
        return first

    async def _open(self) -> bool:
        """Whether the audience is still being counted or anybody's path is open."""
        if self._complete and self._clock.now() < self._look_again:
            return True
        self._look_again = self._clock.now() + 60.0
        async with self._embedded.platform.database.read() as db:
            warning = (
                await db.execute(sa.select(tables.warning).where(tables.warning.c.warning_id == self._warning_id))
            ).first()
            self._complete = warning is not None and bool(warning.complete)
            if not self._complete:
                return True
            found = await db.scalar(
                sa.select(sa.func.count()).where(
                    tables.path.c.warning_id == self._warning_id, tables.path.c.state == "open"
                )
            )
        return bool(found)

    async def _commander(self) -> None:
        """The simulated commander says 'safe', except where the hazard forbids doors."""
        base = self._embedded.platform.public_url
        async with self._embedded.platform.database.read() as db:
            figures = await report.coverage(db, self._warning_id, self._embedded.platform.clock.now())
        if figures["doors"] != "ask":
            return
        headers = {"Authorization": f"Bearer {self._key}"}
        body = {"word": "safe", "commander": "Simulated commander"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{base}/report/{self._warning_id}/doors", json=body) as response,
        ):
            if response.status != 200:
                raise Broken(f"the commander's word was not taken: {await response.text()}")

    async def _show(self, elapsed: float) -> None:
        if self._watch is None:
            return
        async with self._embedded.platform.database.read() as db:
            found = await report.coverage(db, self._warning_id, self._embedded.platform.clock.now())
        counted = (found["targeted"], found["announced"] or 0, found["delivered"], found["reached"], found["open"])
        self._watch(elapsed, DemoProgress(*counted))
