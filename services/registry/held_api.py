"""Serves what lists would do to many people at once: what waits, and a second key's yes or no."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TypedDict

from aiohttp import web

from services.registry.people import mass_changes
from services.registry.people.mass_changes import HeldChange, HeldSettled
from services.registry.people.update import hand_of
from services.shared.powers.power import Power
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.web.answers import Json
from services.shared.web.asking import asks, what_is_found


class HeldChanges(TypedDict):
    """What waits."""

    held: list[HeldChange]


class HeldApi:
    """The addresses under /people/held."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """The list, and both answers to one of it."""
        return (
            web.get("/people/held", self.held),
            web.post("/people/held/{held_id}/confirm", self.confirm),
            web.post("/people/held/{held_id}/reject", self.reject),
        )

    @asks(Power.BRING, what_is_found)
    async def held(self, request: web.Request, who: Who) -> Json[HeldChanges]:
        """What lists would do to many people at once and waits for a second key, by list; nobody by id."""
        async with self._platform.database.read() as db:
            return Json({"held": await mass_changes.waiting(db, who)})

    @asks(Power.BRING, what_is_found)
    async def confirm(self, request: web.Request, who: Who) -> Json[HeldSettled]:
        """Does what waits; not by the key that brought the list."""
        return await self._settle(request, who, confirmed=True)

    @asks(Power.BRING, what_is_found)
    async def reject(self, request: web.Request, who: Who) -> Json[HeldSettled]:
        """Drops what waits: everybody stays as they are."""
        return await self._settle(request, who, confirmed=False)

    async def _settle(self, request: web.Request, who: Who, *, confirmed: bool) -> Json[HeldSettled]:
        platform = self._platform
        year = datetime.fromtimestamp(platform.clock.now(), UTC).year
        async with platform.database.write() as tx:
            done = await mass_changes.settle(
                tx, lambda: hand_of(platform.keys, year=year), who, request.match_info["held_id"], confirmed=confirmed
            )
        return Json(done)
