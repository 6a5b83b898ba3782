"""Wires the registry: what it consumes and serves, and its loop, a page of the most urgent job a turn."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from services.registry.api import RegistryApi
from services.registry.audience import audience
from services.registry.geo.areas import Shape
from services.registry.handlers import RegistryHandlers
from services.registry.held_api import HeldApi
from services.registry.lookup import unlock
from services.registry.lookup.pages import LookupPages
from services.registry.pager_pages import PagerPages
from services.registry.registering.beside import BesidePages
from services.registry.registering.half_filled import forget_old
from services.registry.registering.pages import RegisterPages
from services.registry.resident.access import Access
from services.registry.resident.changes import MeChange
from services.registry.resident.helpers import MeHelpers
from services.registry.resident.pages import MePages
from services.registry.resident.push import MePush
from services.registry.store import register
from services.shared.clock import wall
from services.shared.crypto import channels_keys
from services.shared.database import locks
from services.shared.service import Loop, Platform

LOOK_EVERY_S = 1.0


class RegistryService:
    """Registers people and says, page by page, whom a warning concerns."""

    name = "registry"

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._handlers = RegistryHandlers(platform)
        self._api = RegistryApi(platform)
        self._held = HeldApi(platform)
        self._lookup_pages = LookupPages(platform)
        self._pager_pages = PagerPages(platform)
        self.access = Access(platform)
        self._me = [kind(platform, self.access) for kind in (MePages, MeChange, MeHelpers, MePush)]
        self._registering = (RegisterPages(platform, self.access), BesidePages(platform, self.access))
        self._area: tuple[str, Shape | None] = ("", None)  # of the job under way: preparing it is dear
        self._stopping = False
        self._next_look = 0.0

    def subscribe(self) -> None:
        """Hears WarningIssued."""
        self._platform.bus.subscribe(self.name, "WarningIssued", self._handlers.warning_issued)

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """/people for machines and for who may look, /me and /register for residents."""
        yield from self._api.routes()
        yield from self._held.routes()
        yield from self._pager_pages.routes()
        for register_pages in self._registering:
            yield from register_pages.routes()
        yield from self._lookup_pages.routes()
        for pages in self._me:
            yield from pages.routes()

    async def start(self) -> None:
        """Jobs that a stop or crash left open go on from their cursor."""
        self._platform.wake.registry.set()
        await channels_keys.learn(self._platform.database, self._platform.keys)

    async def stop(self) -> None:
        """No new page; the one under way commits."""
        self._stopping = True

    def loops(self) -> Iterable[Loop]:
        yield Loop("registry", self.run_due, self._platform.wake.registry)

    async def run_due(self) -> bool:
        """Makes one page of the open job of the highest tier; True if there was one."""
        if self._stopping:
            return False
        codes = await self.access.send_due()
        if wall() >= self._next_look:  # the channels key may have been replaced
            await channels_keys.learn(self._platform.database, self._platform.keys)
            await unlock.close_over(self._platform.database, self._platform.clock.now())
            await forget_old(self._platform.database)
            self._next_look = wall() + LOOK_EVERY_S
        async with self._platform.database.read() as db:
            row = await register.next_job(db)
        if row is None:
            return codes
        if self._area[0] != row.warning_id:
            self._area = (row.warning_id, Shape.from_wkb(row.shape) if row.shape else None)
        database = self._platform.database
        async with locks.audience(database, row.warning_id) as mine:
            if not mine:
                return codes
            if await audience.make_page(database, row, self._area[1], self._platform.clock.now()):
                self._platform.bus.wake()
        return True

    async def next_at(self) -> float | None:
        """Now, while a job is open."""
        async with self._platform.database.read() as db:
            return self._platform.clock.now() if await register.any_open(db) else None
