"""Wires the gateway: the acts, the API, the console, the public pages."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from services.gateway.accounts.openid import OpenId, OpenIdSettings
from services.gateway.accounts.proofs import Proofs
from services.gateway.drafting.reading import WritingTexts
from services.gateway.feeds.file import read_feeds
from services.gateway.feeds.poller import Feeds
from services.gateway.public_cache import PublicCache
from services.gateway.warnings.acts import Acts
from services.gateway.warnings.admit import Admission
from services.gateway.warnings.ageing import AT_ONCE, EVERY_S, give_up_old
from services.gateway.web.account import AccountPages
from services.gateway.web.api import WarningsApi
from services.gateway.web.approval_pages import ApprovalPages
from services.gateway.web.feed import CapFeed
from services.gateway.web.join import JoinPages
from services.gateway.web.log_pages import LogPages
from services.gateway.web.pages import ConsolePages
from services.gateway.web.public_pages import PublicPages
from services.gateway.web.return_pages import ReturnPages
from services.gateway.web.sign_in import SignInPages
from services.gateway.web.sketch_check import HeardBefore, SketchCheckPages
from services.gateway.web.sketch_frame import SketchFrame
from services.gateway.web.sketch_pages import SketchPages
from services.gateway.web.sketch_start import SketchStartPages
from services.gateway.web.staff import StaffPages
from services.gateway.webhooks.telling import Webhooks
from services.shared.audit.audit_head import HeadFile, Keeper
from services.shared.audit.checkpoints import Signing
from services.shared.clock import Waker
from services.shared.database import locks
from services.shared.operations.unusual import Unusual
from services.shared.service import Loop, Platform
from services.shared.web.console_origin import console_origin


class GatewayService:
    """Takes warnings in and lets them out."""

    name = "gateway"

    def __init__(self, platform: Platform, texts: WritingTexts, heard: HeardBefore) -> None:
        """`texts`: the words phones get, which a warning that is written begins with; `heard`: how they sound."""
        self._platform = platform
        self._next_ageing = 0.0
        signing = Signing(platform.keys.audit)
        self._keeper = Keeper(platform.database, signing, HeadFile(platform.settings.audit_head, signing))
        self.kept = PublicCache(platform.clock.now)
        machines = [entry.key for entry in read_feeds(platform.settings.cap_feeds)]
        self.acts = Acts(platform, changed=self.kept.forget, machines=machines)
        self.admission = Admission(platform, self.acts)
        self._api = WarningsApi(platform, self.admission, self.acts)
        proofs = Proofs(
            platform.database,
            platform.keys.audit,
            console_origin(platform.public_url, platform.settings.console_origin),
        )
        office = OpenId(platform.settings.part(OpenIdSettings), f"{proofs.passkeys.origin}/console/sign-in/office/back")
        sign_in = SignInPages(platform, proofs, office)
        frame = SketchFrame(platform, texts)
        self._sketches = SketchPages(frame, self.acts, sign_in)
        self._sketch_starts = SketchStartPages(frame, self.acts)
        self._sketch_checks = SketchCheckPages(frame, self.admission, self.acts, heard)
        self._pages = ConsolePages(platform, self.admission, self.acts, self.kept, sign_in, self._sketches)
        self._public = PublicPages(platform, self.kept)
        self._people = (
            sign_in, JoinPages(platform, proofs, office, sign_in), AccountPages(platform, proofs, sign_in),
            StaffPages(platform, proofs.passkeys.origin),
        )  # fmt: skip
        self._approvals = ApprovalPages(platform, self.acts)
        self._returns = ReturnPages(platform, self.acts)
        self._log = LogPages(platform, signing)
        self._unusual = Unusual(platform.database)
        self._cap_feed = CapFeed(platform, self.kept)
        self.feeds = Feeds(platform, self.admission)
        self.webhooks = Webhooks(platform)

    def subscribe(self) -> None:
        """It hears nothing."""

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        yield from self._api.routes()
        yield from self._public.routes()
        yield from self._pages.routes()
        for pages in self._people:
            yield from pages.routes()
        yield from self._sketch_starts.routes()
        yield from self._sketches.routes()
        yield from self._sketch_checks.routes()
        yield from self._approvals.routes()
        yield from self._returns.routes()
        yield from self._log.routes()
        yield from self._cap_feed.routes()

    async def start(self) -> None:
        """Nothing to take up: every act is one transaction."""

    async def stop(self) -> None:
        """What is being told to a department is told again after the next start; nothing else is held in memory."""
        await self.webhooks.stop()

    def loops(self) -> Iterable[Loop]:
        yield Loop("checkpoints", self.checkpoint, Waker(), idle_s=2.0)
        yield Loop("unusual", self._unusual.turn, Waker(), idle_s=5.0)
        yield Loop("ageing", self.age, Waker(), idle_s=2.0)
        yield Loop("reviews", self.acts.preapprovals.run_due, Waker(), idle_s=10.0)
        yield Loop("paging", self.acts.paging.run_due, self._platform.wake.gateway, idle_s=1.0)
        yield Loop("webhooks", self.webhooks.run_due, self._platform.wake.gateway, idle_s=1.0)
        yield from self.feeds.loops()

    async def run_due(self) -> bool:
        """Gives up drafts that nobody decided on; pages who is to decide."""
        paged = await self.acts.paging.run_due()
        reviewed = await self.acts.preapprovals.run_due()
        return await self.age() or paged or reviewed

    async def checkpoint(self) -> bool:
        """Checks that the audit log goes on as it was, and signs it when due; one gateway of several signs."""
        async with locks.audit_checkpoint(self._platform.database) as mine:
            return await self._keeper.inspect(sign=mine)

    async def age(self) -> bool:
        """Gives up drafts nobody decides on, a minute of warning time after it last looked; whether there were any."""
        now = self._platform.clock.now()
        if now < self._next_ageing:
            return False
        done = await give_up_old(self._platform.database, now)
        self._next_ageing = now + EVERY_S if done < AT_ONCE else now
        return done > 0

    async def next_at(self) -> float | None:
        times = (await self.acts.paging.next_at(), await self.acts.preapprovals.next_at())
        return min((at for at in times if at is not None), default=None)
