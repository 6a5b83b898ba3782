"""Polls the allowed feeds. A new alert becomes a draft or, by grant, a held warning; one that vanishes is noted.

Nothing a feed says sends anything by itself, and a feed that fails harms no other. Wall time: a feed's server does not
know that we are playing.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic

import aiohttp
import sqlalchemy as sa
import structlog

from services.gateway.cap import FEED, Alert, Reading, read
from services.gateway.feeds import feed_store
from services.gateway.feeds.fetch import Unfetched, fetch, session
from services.gateway.feeds.file import FeedEntry, read_feeds
from services.gateway.feeds.listing import LISTING, Listing, key_of, listing, same_host
from services.gateway.intake import quarantine
from services.gateway.intake.incoming import from_alert
from services.gateway.intake.trust import certificates
from services.gateway.warnings.admit import Admission
from services.shared.audit import trail
from services.shared.clock import iso, wall
from services.shared.database import locks
from services.shared.database.engine import Connection, Database
from services.shared.errors import Refused
from services.shared.powers.who import Who
from services.shared.service import Loop, Platform
from services.shared.web.auth import who_has

log = structlog.get_logger("feeds")
AT_ONCE = 40
TRIES = 5
BACKLOG_S = 2.0  # between two readings while more wait than one takes
LONGEST_S = 3600.0
GONE = "withdrawn, unconfirmed: the feed {} does not list it any more; it goes on until a person ends it"
BACK = "the feed {} lists it again"
READ_S = 900.0  # a reading fetches a list and many documents, each with a limit of its own


@dataclass(frozen=True)
class Read:
    """How a reading went: seconds until the next, what was taken and refused, and the problem, if one."""

    wait_s: float
    taken: int = 0
    refused: int = 0
    problem: str = ""


class Feeds:
    """The feeds of TOCSIN_CAP_FEEDS; none is a fine number."""

    def __init__(self, platform: Platform, admission: Admission) -> None:
        self._platform = platform
        self._admission = admission
        self.entries = read_feeds(platform.settings.cap_feeds)
        self._next: dict[str, float] = {}  # monotonic seconds of the next reading
        self._certs = {e.name: certificates(e.certs) for e in self.entries if e.certs is not None}

    def loops(self) -> Iterable[Loop]:
        """A loop for each feed, which reads it at its own pace: the gateway's waker does not hurry it."""
        for entry in self.entries:
            self._next[entry.name] = monotonic() + _jitter(min(5.0, entry.interval))
            yield Loop(f"feed:{entry.name}", partial(self._follow, entry), self._platform.wake.gateway, within_s=READ_S)

    async def _follow(self, entry: FeedEntry) -> bool:
        """Reads one feed where its time has come; False, as the next reading is due later."""
        if monotonic() < self._next[entry.name]:
            return False
        try:
            async with locks.feed(self._platform.database, entry.name) as mine:
                # one gateway reads a feed, the others wait for their turn of it
                done = await self.poll(entry) if mine else Read(_jitter(entry.interval))
        except Exception as problem:  # one feed's trouble, whatever it is, must not stop the warnings of all others
            log.exception("feed_failed", feed=entry.name)
            try:
                done = await self._failed(entry, f"{type(problem).__name__}: {problem}")
            except (sa.exc.SQLAlchemyError, OSError) as away:  # nor that it cannot be written down just now
                log.warning("feed_state_not_written", feed=entry.name, reason=type(away).__name__)
                done = Read(_jitter(entry.interval), problem=str(problem))
        self._next[entry.name] = monotonic() + done.wait_s
        return False

    async def poll(self, entry: FeedEntry) -> Read:
        """One reading: the list, what vanished from it, what is new in it."""
        async with self._platform.database.read() as db:
            who = await who_has(db, entry.key)
            state = await feed_store.state_of(db, entry.name)
        if who is None:
            return await self._failed(entry, f"no valid key is labelled {entry.key}: make one with tocsin key create")
        try:
            async with session(private=entry.private) as client:
                return await self._poll(client, entry, who, state)
        except Unfetched as problem:
            return await self._failed(entry, problem.message, problem.retry_after)
        except Refused as problem:
            return await self._failed(entry, problem.message)

    async def _poll(
        self, client: aiohttp.ClientSession, entry: FeedEntry, who: Who, state: feed_store.FeedState | None
    ) -> Read:
        etag, modified = (state.etag, state.modified) if state is not None else ("", "")
        got = await fetch(client, entry.url, private=entry.private, most=LISTING.bytes, etag=etag, modified=modified)
        found = None
        if got.body is not None:
            etag, modified = got.etag, got.modified
            found = await asyncio.to_thread(listing, got.body, entry.url)
            await self._note(entry, found)
        taken = refused = 0
        if found is not None and found.reading is not None:
            inside = {key_of(alert): alert for alert in found.reading.alerts}
        else:
            inside = {}
        async with self._platform.database.read() as db:
            waiting = await feed_store.pending(db, entry.name, AT_ONCE + len(inside) + 1)
        done: set[str] = set()  # a document that several entries link to is fetched and taken once
        for row in waiting:
            good: bool | None
            if row.link and row.link in done:
                continue
            done.add(row.link)
            if row.entry_id in inside and found is not None and found.reading is not None:
                good = await self._take(entry, who, row.entry_id, found.reading, (inside[row.entry_id],))
            else:
                good = await self._fetch_one(client, entry, who, row)
            taken, refused = taken + (good is True), refused + (good is False)
        async with self._platform.database.write() as tx:
            await feed_store.write_state(
                tx, entry.name, etag=etag, modified=modified, read_at=wall(), failures=0, problem=""
            )
        # a backlog is worked off at once: what is urgent may stand behind hundreds of entries
        wait = min(entry.interval, BACKLOG_S) if len(waiting) > AT_ONCE else entry.interval
        return Read(_jitter(wait), taken, refused)

    async def _note(self, entry: FeedEntry, found: Listing) -> None:
        """Writes down what is new and, after two whole listings without it, what is gone."""
        async with self._platform.database.write() as tx:
            await feed_store.add_new(tx, entry.name, found.entries)
            if not found.whole:
                return
            gone, back = await feed_store.seen_and_missed(tx, entry.name, [e.key for e in found.entries])
            await self._tell(tx, entry, gone, GONE)
            await self._tell(tx, entry, back, BACK)

    @staticmethod
    async def _tell(tx: Connection, entry: FeedEntry, rows: Sequence[feed_store.StoredEntry], sentence: str) -> None:
        for row in rows:
            note = sentence.format(entry.name)
            if await feed_store.add_note(tx, row.warning_id, note):
                await trail.record(tx, f"feed {entry.name}", "note", row.warning_id, note)

    async def _fetch_one(
        self, client: aiohttp.ClientSession, entry: FeedEntry, who: Who, row: feed_store.StoredEntry
    ) -> bool | None:
        """Fetches the alert an entry links to; None where it is to be tried again."""
        if not row.link:
            return await self._settled(entry, row.entry_id, "refused", "the entry links to no CAP file")
        if not same_host(row.link, entry.url):
            return await self._settled(entry, row.entry_id, "refused", f"it links to another host: {row.link[:200]}")
        try:
            got = await fetch(client, row.link, private=entry.private, most=FEED.bytes)
        except Unfetched as problem:
            last = row.tries + 1 >= TRIES
            await self._settled(entry, row.entry_id, "given_up" if last else "pending", problem.message, link=row.link)
            return False if last else None
        body = got.body or b""
        reading = await asyncio.to_thread(read, body)
        if not reading.alerts:
            why = next((f.message for f in reading.findings if f.grade == "reject"), "there is no alert in it")
            await self._keep(entry, body, why)
            return await self._settled(entry, row.entry_id, "refused", why, link=row.link)
        return await self._take(entry, who, row.entry_id, reading, reading.alerts, row.link)

    async def _take(
        self, entry: FeedEntry, who: Who, key: str, reading: Reading, alerts: Sequence[Alert], link: str = ""
    ) -> bool:
        """Takes the alerts of one entry in, each for itself."""
        warning_id, whys = "", []
        for alert in alerts:
            try:
                if entry.senders and alert.sender not in entry.senders:
                    raise Refused(f"{alert.sender} is none of the senders this feed may carry", field="sender")
                incoming = from_alert(reading, alert, via="feed")
                release = entry.mode == "held" and "send" in who.actions
                if release:
                    why = f"it came by the feed {entry.name}, and a person lets it out"
                    incoming = replace(incoming, hold=(*incoming.hold, why))
                pins = self._certs.get(entry.name, ())
                taken = await self._admission.admit(who, incoming, release=release, pins=pins)
                warning_id = warning_id or taken.warning_id
            except Refused as fault:
                whys.append(f"{alert.identifier}: {fault.message}")
                if fault.rule not in ("plane", "cap.7"):  # a test on a public feed is no news
                    await self._keep(entry, alert.raw, fault.message)
        state = "taken" if warning_id else "refused"
        await self._settled(entry, key, state, "; ".join(whys), warning_id, link)
        return bool(warning_id)

    async def _settled(
        self, entry: FeedEntry, key: str, state: str, why: str, warning_id: str = "", link: str = ""
    ) -> bool:
        async with self._platform.database.write() as tx:
            await feed_store.settle(tx, entry.name, key, state, warning_id=warning_id, why=why, link=link)
        return False

    async def _keep(self, entry: FeedEntry, raw: bytes, why: str) -> None:
        async with self._platform.database.write() as tx:
            await quarantine.keep(tx, raw, why, f"feed {entry.name}", wall())

    async def _failed(self, entry: FeedEntry, problem: str, retry_after: float = 0.0) -> Read:
        """Twice as long after each failure, at most an hour, never all at the same second."""
        async with self._platform.database.write() as tx:
            state = await feed_store.state_of(tx, entry.name)
            failures = (state.failures if state is not None else 0) + 1
            await feed_store.write_state(tx, entry.name, read_at=None, failures=failures, problem=problem)
        log.warning("feed_not_read", feed=entry.name, failures=failures, problem=problem)
        return Read(_jitter(backoff(entry.interval, failures, retry_after)), problem=problem)


async def feed_lines(database: Database, entries: Sequence[FeedEntry]) -> list[str]:
    """How each feed stands, one line each; a certificate file that cannot be read is Broken."""
    async with database.read() as db:
        known = {row.name: row for row in await feed_store.listed(db)}
    lines = []
    for entry in entries:
        if entry.certs is not None:
            certificates(entry.certs)
        row = known.get(entry.name)
        last = f"last read {iso(row.read_at)}" if row is not None and row.read_at else "never read"
        trouble = f", failed {row.failures} times since: {row.problem}" if row is not None and row.failures else ""
        lines.append(f"feed {entry.name}: {last}{trouble}")
    return lines


def backoff(interval: float, failures: int, retry_after: float = 0.0) -> float:
    """Seconds to wait after so many failures in a row."""
    longest = max(LONGEST_S, interval)
    return min(longest, max(interval * 2.0 ** min(failures, 20), retry_after))


def _jitter(seconds: float) -> float:
    """Within a tenth of it, so that many readers do not come at once."""
    return seconds * (0.9 + secrets.randbelow(2001) / 10_000)
