"""Wires channels: drivers, then what needs to know them: recorder, preparer, sender, replies, pages."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial

import aiohttp
import sqlalchemy as sa
from aiohttp import web

from services.channels.drivers.mqtt.link import DeviceSettings
from services.channels.drivers.mqtt.pages import DevicePages
from services.channels.handlers import ChannelsHandlers
from services.channels.key_rotation import Rotation
from services.channels.messages.announcement import read_recordings
from services.channels.messages.hazard_texts import read_ahead
from services.channels.messages.notices import Notices
from services.channels.messages.prepare import Preparer
from services.channels.model.channel import Carried
from services.channels.model.driver import Connected, Receivers, Reports, Tools
from services.channels.model.final_check import traced
from services.channels.outcomes import opted_out
from services.channels.outcomes.multipart import forget_old
from services.channels.outcomes.recorder import OutcomeRecorder
from services.channels.pages.aloud import Aloud
from services.channels.pages.answers import AnswerPages
from services.channels.pages.callouts import CalloutPages
from services.channels.pages.channels import ChannelPages
from services.channels.pages.list_events import ListEvents
from services.channels.pages.list_link_pages import ListLinkPages
from services.channels.pages.officer_lists import OfficerLists
from services.channels.pages.sign_videos import SignVideos
from services.channels.pages.team_signs import TeamSignPages
from services.channels.pages.unseal import FullValues
from services.channels.providers.call_window import AHEAD, call_windows
from services.channels.providers.catalogue import channel_rows, channels_in_use, channels_of
from services.channels.providers.country_limits import load_limits
from services.channels.providers.link_tests import LinkTests
from services.channels.providers.loading import load
from services.channels.providers.weights import ProviderWeights
from services.channels.replies import quoted_text
from services.channels.replies.inbox import ReplyInbox
from services.channels.sending.reconcile import Reconciler, forget_asked
from services.channels.sending.sender import Sender
from services.channels.sending.unknown_outcomes import settle_unknown
from services.shared.clock import Waker
from services.shared.crypto.sealing import Opener
from services.shared.database import locks
from services.shared.database.batches import upsert
from services.shared.ledger.channels import channel
from services.shared.service import Loop, Platform

EXPIRY_EVERY_S = 30.0  # warning time


def outgoing() -> aiohttp.ClientSession:
    """What the drivers call through; whoever makes it closes it, should the service refuse its settings."""
    return aiohttp.ClientSession(
        # call windows bound what is under way; a request that waited here for a connection could start after a cancel
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[traced()],
    )


class ChannelsService:
    """Claims and sends; the only one that opens addresses."""

    name = "channels"

    def __init__(
        self,
        platform: Platform,
        session: aiohttp.ClientSession,
        *,
        sole_process: bool = True,
        recorder_window_s: float = 0.02,
    ) -> None:
        self._platform = p = platform
        self._sole_process = sole_process
        self._next_expiry = 0.0
        self.session = session
        loaded = load(
            Tools(
                session, p.database, p.signer("callbacks"), p.clock, p.public_url, p.settings.plane, settings=p.settings
            )
        )
        self.drivers, self.left_out = loaded.drivers, loaded.broken
        drivers = list(self.drivers.values())
        self.limits = load_limits(self.drivers, p.settings)
        self.link_tests = LinkTests(p.database, p.clock, drivers, self.limits, p.keys.index, p.settings.link_tests)
        self._wakers = {red: p.wake.channels.sleeper() for red in (True, False)}
        self._news = p.wake.channels.sleeper()  # not set where there is only room
        windows = call_windows(drivers, self.limits, lambda red: self._wakers[red].set, AHEAD)
        weights = ProviderWeights(p.database, p.clock, windows, p.settings.resting_weights)
        self.recorder = OutcomeRecorder(p.database, p.bus, p.clock, p.settings.plane, recorder_window_s, weights.scored)
        opener = Opener(*p.keys.privates(), reread=p.keys.privates)
        drill, hotline = p.settings.plane == "drill", p.settings.hotline
        preparer = Preparer(
            p.database,
            p.clock,
            opener,
            p.signer("links"),
            p.public_url,
            hotline,
            drill,
            Notices(p.signer("residents"), p.public_url, p.settings.authority, hotline, drill),
            self.limits,
            channels_in_use(drivers, self.limits),
            channels_of(drivers, self.limits),
            self.link_tests.addresses,
        )
        self.sender = Sender(p.database, p.clock, self.recorder, preparer, windows, weights, p.settings.plane)
        self._receivers = Receivers(self.recorder, ReplyInbox(p, self.recorder, preparer))
        self._reconciler = Reconciler(p.database, p.clock, self.recorder, preparer, self.drivers)
        self.rotation = Rotation(p.database, p.keys, opener, self.sender.leases.worker)
        self._handlers = ChannelsHandlers(p)
        self._channel_pages = ChannelPages(p, self.drivers, self.limits, weights)
        self._full_values = FullValues(p, preparer)
        self._lists = OfficerLists(p, preparer)
        self._team_sign_pages = TeamSignPages(p)
        self._list_events = ListEvents(p)
        self._list_link_pages = ListLinkPages(p)
        self._sign_videos = SignVideos(p.settings.sign_videos)
        self._answers = AnswerPages(
            p, self.recorder, preparer, self._sign_videos,
            Aloud(read_recordings(p.settings.part(DeviceSettings).recordings)),
        )  # fmt: skip
        self._device_pages = DevicePages(p, self.drivers)
        self._callouts = CalloutPages(p, self.recorder, preparer)

    def subscribe(self) -> None:
        self._platform.bus.subscribe(self.name, "DeliveryDue", self._handlers.delivery_due)
        self._platform.bus.subscribe(self.name, "NoticeRequested", self._handlers.notice_requested)

    def carried(self) -> dict[str, Carried]:
        """What each driver's channels can do here; of those that share a channel only those that work, where one does."""
        mine = {d.name: self.limits.channels(d) for d in self.drivers.values()}
        working = {d.name for d in self.drivers.values() if not self.limits.why_not(d)}
        served = {channel.name for name in working for channel in mine[name]}
        return {
            name: Carried(tuple(r for r in channels if name in working or r.name not in served))
            for name, channels in mine.items()
        }

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        yield from self._team_sign_pages.routes()
        yield from self._list_events.routes()  # before the lists: an address with a name in it takes any
        yield from self._lists.routes()
        yield from self._list_link_pages.routes()
        yield from self._sign_videos.routes()
        yield from self._answers.routes()
        yield from self._callouts.routes()
        yield from self._full_values.routes()
        yield from self._channel_pages.routes()
        yield from self._device_pages.routes()
        for driver in self.drivers.values():
            if isinstance(driver, Reports) and not driver.why_not():  # nobody calls back a channel that is not set up
                yield from driver.routes(self._receivers)

    async def start(self) -> None:
        """Says which channels there are and which work, reads the texts, takes back what a dead predecessor had in hand."""
        rows = channel_rows(self.drivers.values(), self.limits)
        async with self._platform.database.write() as tx:
            await locks.channels(tx)
            await tx.execute(sa.delete(channel).where(channel.c.channel.not_in([r["channel"] for r in rows])))
            await upsert(tx, channel, rows, ["channel"], replace=[c.name for c in channel.c if c.name != "channel"])
            await self.link_tests.say(tx)
            await forget_old(tx)
            await forget_asked(tx, self._platform.clock.now())
            await self.sender.provider_weights.begin(tx)
        await self.sender.acceptance.begin()
        await self.sender.leases.liveness.keep()
        read_ahead()
        await asyncio.to_thread(quoted_text.read_ahead)
        for driver in self.drivers.values():
            if isinstance(driver, Connected) and not driver.why_not():
                await driver.start(self._receivers)
        if self._sole_process:
            while await self.sender.leases.reap(everybodys=True):
                pass

    async def stop(self) -> None:
        await self.link_tests.stop()
        await self.sender.drain()
        await self.sender.leases.recover()
        await self.sender.leases.close()
        for driver in self.drivers.values():
            if isinstance(driver, Connected) and not driver.why_not():
                await driver.stop()
        await self.session.close()

    def loops(self) -> Iterable[Loop]:
        """Red has a sending loop of its own: nothing ordinary stands in its way."""
        yield Loop("send:red", partial(self._send, True), self._wakers[True])
        yield Loop("send:rest", partial(self._send, False), self._wakers[False])
        yield Loop("housekeeping", self.tidy, Waker(), idle_s=1.0)

    async def _send(self, red: bool) -> bool:
        """One turn of every queue of one kind that has something due; does not wait for the calls it starts."""
        queues = await self.sender.due_queues(red, news=self._news.consume())
        return sum([await self.sender.turn(queue) for queue in queues]) > 0

    async def run_due(self) -> bool:
        """One turn of every call window that has something due; does not wait for the calls it started."""
        did = 0
        for queue in await self.sender.due_queues():
            did += await self.sender.turn(queue)
        return did > 0

    async def tidy(self) -> bool:
        """Leases that ran out, unknown sends nobody watches, messages whose warning has expired; the channels key."""
        if await self.sender.leases.recover():
            self._platform.wake.channels.set()
        await self.sender.leases.keep()
        await self.sender.let_go()
        reaped = await self.sender.leases.reap()
        settled = await settle_unknown(self._platform.database, self._platform.clock)
        if settled:
            self._platform.wake.channels.set()
        rewrapped = await self.rotation.step()
        await opted_out.settle(self._platform.database)
        await self.sender.provider_weights.review()
        await self.sender.acceptance.step()
        learnt = await self._reconciler.step()
        if await self.link_tests.step():
            self._platform.wake.channels.set()
        now, expired = self._platform.clock.now(), 0
        if now >= self._next_expiry:  # nothing expired is claimed meanwhile: this only says so in the ledger
            expired = await self.sender.leases.expire() + await self.sender.leases.end()
            self._next_expiry = now + EXPIRY_EVERY_S if not expired else now
        return bool(expired) or bool(reaped) or settled or rewrapped or learnt

    @property
    def busy(self) -> bool:
        """Whether a call is under way or a report not yet written."""
        return self.sender.busy or self.recorder.busy

    async def next_at(self) -> float | None:
        return await self.sender.next_at()
