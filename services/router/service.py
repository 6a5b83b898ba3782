"""Wires the router: what it consumes, its clockwork, its pages."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from services.router.cases.pages import CasePages
from services.router.clock.alarm_messages import AlarmWord
from services.router.clock.deadlines import Deadlines
from services.router.clock.endings import Endings
from services.router.clock.lookout import Lookout
from services.router.clock.watch import Watch
from services.router.doors.doors import Doors
from services.router.handlers import RouterHandlers
from services.router.planning.contexts import Contexts
from services.router.report.api import CoverageApi
from services.router.report.not_reached import NotReachedPage
from services.router.report.pages import LivePages, PreviewTexts
from services.router.report.policy_api import PolicyApi
from services.router.report.shift_pages import ShiftPages
from services.router.report.team_pages import TeamPages
from services.shared.clock import Waker
from services.shared.service import Loop, Platform

POLICY_S = 5.0  # wall; how soon a policy that was agreed on in another process is in force here


class RouterService:
    """Gives each person a path and walks it until it has ended."""

    name = "router"

    def __init__(self, platform: Platform, say: PreviewTexts | None = None) -> None:
        """`say` makes the texts a preview shows; channels' own, handed in where all are put together."""
        self._platform = platform
        self.contexts = Contexts(platform.settings.policy)
        self._lookout = Lookout(platform.clock)
        self._woken = platform.wake.router.sleeper()
        self._handlers = RouterHandlers(platform, self.contexts, self._lookout)
        self._deadlines = Deadlines(platform, self.contexts)
        self._doors = Doors(platform, self.contexts)
        self._endings = Endings(platform, self.contexts)
        self._watch = Watch(platform, self.contexts)
        self._alarms = AlarmWord(platform, self.contexts)
        self._policy = PolicyApi(platform, self.contexts)
        self._api = CoverageApi(platform, self.contexts)
        self.pages = LivePages(platform, self.contexts, say)
        self._shift = ShiftPages(platform, self.pages.snapshots)
        self._not_reached = NotReachedPage(platform, self.contexts)
        self._teams = TeamPages(platform)
        self._cases = CasePages(platform)

    def subscribe(self) -> None:
        bus = self._platform.bus
        bus.subscribe(self.name, "WarningIssued", self._handlers.warning_issued)
        bus.subscribe(self.name, "AudienceFound", self._handlers.audience_found)
        bus.subscribe(self.name, "EvidenceRecorded", self._handlers.evidence_recorded)

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        yield from self._api.routes()
        yield from self._policy.routes()
        yield from self.pages.routes()
        yield from self._shift.routes()
        yield from self._not_reached.routes()
        yield from self._teams.routes()
        yield from self._cases.routes()

    async def start(self) -> None:
        """The ledger says where every path stands; what an approval is held against is written down."""
        async with self._platform.database.write() as tx:
            await self.contexts.settle(tx, self._platform.settings.plane)

    async def stop(self) -> None:
        """What is held in memory, the ledger says too; open streams end."""
        self.pages.stop()

    def loops(self) -> Iterable[Loop]:
        yield Loop("router", self.turn, self._platform.wake.router)
        yield Loop("policy", self._look_at_policy, Waker(), idle_s=POLICY_S)

    async def turn(self) -> bool:
        """Looks where something is due by what is known, or where a wake says so; True if it did anything."""
        if not self._woken.consume() and not self._lookout.is_due():
            return False
        self._lookout.begin()
        did = await self.run_due()
        self._lookout.lower(self._platform.clock.now() if did else await self.next_at())
        return did

    async def _look_at_policy(self) -> bool:
        async with self._platform.database.read() as db:
            await self.contexts.refresh(db, self._platform.settings.plane)
        return False

    async def run_due(self) -> bool:
        """Due steps and reactions, then looks by the clock and at alarms, then doors, then endings."""
        walked = await self._deadlines.run_due()
        looked = await self._watch.run_due()
        warned = await self._alarms.run_due()
        assigned = await self._doors.run_due()
        told = await self._endings.run_due()
        return walked or looked or warned or assigned or told

    async def next_at(self) -> float | None:
        async with self._platform.database.read() as db:
            times = (await self._deadlines.next_at(db), await self._watch.next_at(db), await self._doors.next_at(db))
        return min((t for t in times if t is not None), default=None)
