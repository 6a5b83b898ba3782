"""`tocsin cap feed`: reads a feed once, as carefully as the poller, and gives a verdict on each alert."""

from __future__ import annotations

import asyncio

import aiohttp

from services.gateway.cap import FEED, geometry, meaning
from services.gateway.cap.model import verdict_of
from services.gateway.cli.cap_check import FileVerdict, check
from services.gateway.feeds.fetch import Unfetched, fetch, session
from services.gateway.feeds.listing import LISTING, FeedItem, Listing, listing, same_host
from services.shared.errors import Refused
from services.shared.i18n import t, told

MOST = 50


async def look_at(source: str, data: bytes | None, *, private: bool) -> list[FileVerdict]:
    """`cap check`'s verdicts, one an alert. Of a file (`data`) only what lies in it is read; its links are named.

    Refused where it is no feed, or does not come.
    """
    if data is not None:
        found = listing(data, source)
        return [*_inside(found), *(_unread(e.link, t("a link, not followed from a file")) for e in _links(found))]
    try:
        async with session(private=private) as client:
            got = await fetch(client, source, private=private, most=LISTING.bytes)
            found = await asyncio.to_thread(listing, got.body or b"", source)
            out = _inside(found)
            for entry in _links(found)[:MOST]:
                if not entry.link:
                    out.append(_unread(source, t("an entry without a link to a CAP file")))
                elif not same_host(entry.link, source):
                    out.append(_unread(entry.link, t("on another host: never followed")))
                else:
                    out.append(await _one(client, entry.link, private=private))
    except Unfetched as problem:
        raise Refused(f"{source}: {problem.message}", field="URL") from problem
    return out


def _links(found: Listing) -> list[FeedItem]:
    return [] if found.reading is not None else list(found.entries)


async def _one(client: aiohttp.ClientSession, link: str, *, private: bool) -> FileVerdict:
    try:
        got = await fetch(client, link, private=private, most=FEED.bytes)
    except Unfetched as problem:
        return _unread(link, told(problem.message))
    return await asyncio.to_thread(check, link, got.body or b"")


def _inside(found: Listing) -> list[FileVerdict]:
    """A verdict on each alert that lies in the feed itself: a bad neighbour changes nothing."""
    out: list[FileVerdict] = []
    for alert in found.reading.alerts if found.reading is not None else ():
        findings = list(
            dict.fromkeys((*(found.reading.findings_of(alert) if found.reading else ()), *geometry(alert).findings))
        )
        sense = meaning(alert)
        out.append(
            {
                "file": alert.identifier,
                "verdict": verdict_of(findings),
                "tier": sense.tier.word if sense.tier is not None else None,
                "hazard": sense.hazard,
                "findings": [
                    {"rule": f.rule, "grade": f.grade, "where": f.where,
                     "message": told(f.message)}
                    for f in findings
                ],
            }
        )  # fmt: skip
    return out


def _unread(name: str, why: str) -> FileVerdict:
    return {
        "file": name, "verdict": "reject", "tier": None, "hazard": None,
        "findings": [{"rule": 0, "grade": "reject", "where": "", "message": t("not read: {why}", why=why)}],
    }  # fmt: skip
