"""Wires the gateway: the acts, the API, the console, the public pages."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from services.gateway.api import Api
from services.gateway.cap_feed import CapFeed
from services.gateway.feeds import Feeds
from services.gateway.pages import Pages
from services.gateway.warnings import Warnings
from services.shared.audit_checkpoints import Signing, keep_checkpoints
from services.shared.service import Platform


class GatewayService:
    """Takes warnings in and lets them out."""

    name = "gateway"

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._signing = Signing(platform.keys.audit)
        self.warnings = Warnings(platform)
        self._api = Api(platform, self.warnings)
        self._pages = Pages(platform, self.warnings)
        self._cap_feed = CapFeed(platform)
        self.feeds = Feeds(platform, self.warnings)

    def subscribe(self) -> None:
        """It hears nothing."""

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        yield from self._api.routes()
        yield from self._pages.routes()
        yield from self._cap_feed.routes()

    async def start(self) -> None:
        """Nothing to take up: every act is one transaction."""

    async def stop(self) -> None:
        """Nothing is held in memory."""

    async def work(self) -> bool:
        return False

    async def checkpoint(self) -> bool:
        """Signs the audit log's newest entry where it is time to; one gateway of several does."""
        async with self._platform.database.alone("audit checkpoint") as mine:
            return mine and await keep_checkpoints(self._platform.database, self._signing)

    async def next_at(self) -> float | None:
        return None
