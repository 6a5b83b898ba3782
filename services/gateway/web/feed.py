"""Serves /cap for everybody: each released warning's CAP document, an Atom and a JSON feed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from typing import Annotated, NamedTuple, TypedDict
from uuid import UUID

import sqlalchemy as sa
from aiohttp import web
from lxml import etree

from services.gateway.cap.text import clean
from services.gateway.public_cache import Made, PublicCache, first_after
from services.gateway.store import Parts, message, names_out
from services.shared.clock import iso
from services.shared.database.engine import Connection
from services.shared.database.rows import columns, rows_of
from services.shared.errors import NotFound
from services.shared.ledger.warnings import in_force, state_at, warning_state, warning_text
from services.shared.service import Platform
from services.shared.tiers import Tier

ATOM = "http://www.w3.org/2005/Atom"
CAP_TYPE = "application/cap+xml"
ATOM_TYPE, FEED_TYPE = "application/atom+xml", "application/feed+json"
RECENT_S = 7 * 86400
MOST = 200
FEED_AGE_S, DOCUMENT_AGE_S = 10, 60
Item = dict[str, str]


class JsonFeedItem(TypedDict):
    """A warning of the feed; what is ours stands in `_tocsin`."""

    id: str
    url: str
    title: str
    content_text: str
    date_published: str
    date_modified: str
    language: str
    authors: list[dict[str, str]]
    tags: list[str]
    attachments: list[dict[str, str]]
    _tocsin: dict[str, str]


class JsonFeed(TypedDict):
    """JSON Feed 1.1."""

    version: str
    title: str
    feed_url: str
    items: list[JsonFeedItem]


class CapFeed:
    """The handlers of /cap. A draft, a held warning and one that never went out are not there for anybody."""

    def __init__(self, platform: Platform, kept: PublicCache) -> None:
        self._platform = platform
        self._kept = kept

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return (
            web.get("/cap/atom.xml", self.atom),
            web.get("/cap/feed.json", self.json),
            web.get("/cap/{warning_id:[0-9a-f]{32}}.xml", self.document),
        )

    async def document(self, request: web.Request) -> Annotated[web.Response, CAP_TYPE]:
        """The very bytes that were signed."""
        warning_id = request.match_info["warning_id"]

        async def make() -> Made:
            async with self._platform.database.read() as db:
                found = await db.scalar(
                    sa.select(warning_text.c.cap_xml)
                    .join(warning_state, warning_state.c.warning_id == warning_text.c.warning_id)
                    .where(warning_text.c.warning_id == warning_id, warning_state.c.released_at.is_not(None))
                )
            return Made(found or b"", CAP_TYPE, DOCUMENT_AGE_S)

        there = warning_id in (await names_out(self._platform, self._kept)).ids
        made = await self._kept.of(("document", warning_id), make) if there else None
        if made is None or not made.body:
            raise NotFound(f"no warning {warning_id} was published", field="warning_id", given=warning_id)
        return made.answer(request)

    async def atom(self, request: web.Request) -> Annotated[web.Response, ATOM_TYPE]:
        async def make() -> Made:
            (items, until), links = await self._items(), self._links()
            return Made(await asyncio.to_thread(atom_of, items, links), ATOM_TYPE, FEED_AGE_S, until)

        return (await self._kept.of("atom", make)).answer(request)

    async def json(self, request: web.Request) -> Annotated[web.Response, FEED_TYPE, JsonFeed]:
        async def make() -> Made:
            (items, until), links = await self._items(), self._links()
            return Made(await asyncio.to_thread(json_of, items, links), FEED_TYPE, FEED_AGE_S, until)

        return (await self._kept.of("json", make)).answer(request)

    def _links(self) -> tuple[str, str]:
        return self._platform.public_url, self._platform.settings.authority or "Tocsin"

    async def _items(self) -> tuple[list[Item], float]:
        """What the feeds list, and the warning time at which the next of it is over."""
        now = self._platform.clock.now()
        async with self._platform.database.read() as db:
            rows = await published(db, now)
        return [_item(row, self._platform.public_url) for row in rows], first_after(
            now, (r.expires_at for r, _ in rows)
        )


class PublishedEntry(NamedTuple):
    """A warning as the feeds need it."""

    warning_id: str
    tier: int
    state: str
    ending: str
    expires_at: float
    released_at: float
    ended_at: float | None
    parts: Parts
    status: str


async def published(db: Connection, now: float) -> list[tuple[PublishedEntry, str]]:
    """Warnings in force, and those that went out or ended in the last seven days, with their state; newest first."""
    changed = sa.func.coalesce(warning_state.c.ended_at, warning_state.c.released_at)
    rows = await rows_of(
        db,
        PublishedEntry,
        sa.select(*columns(PublishedEntry, warning_state, warning_text, message))
        .join(warning_text, warning_text.c.warning_id == warning_state.c.warning_id)
        .join(message, message.c.warning_id == warning_state.c.warning_id)
        .where(
            warning_state.c.released_at.is_not(None),
            warning_text.c.cap_xml != b"",
            sa.or_(in_force(now), changed > now - RECENT_S),
        )
        .order_by(changed.desc(), warning_state.c.warning_id)
        .limit(MOST),
    )
    return [(row, state_at(row.state, row.expires_at, now)) for row in rows]


def _item(found: tuple[PublishedEntry, str], public_url: str) -> Item:
    row, state = found
    language = next(iter(row.parts["languages"]), "en")
    part = row.parts[language]
    drill = "" if row.status == "Actual" else f"[{row.status.upper()}] "
    tier = Tier(row.tier).word
    what = row.ending.replace("_", " ") if row.ending else state
    return {
        "id": UUID(row.warning_id).urn,
        "url": f"{public_url}/cap/{row.warning_id}.xml",
        "title": f"{drill}{part['hazard']} ({what})" if row.ending or state != "active" else f"{drill}{part['hazard']}",
        "text": " ".join(
            t for t in (part["tier"], part["place"], "" if row.ending else part["action"] or part["description"]) if t
        ),
        "author": part["source"],
        "language": language,
        "published": iso(row.released_at),
        "updated": iso(row.ended_at or row.released_at),
        "expires": iso(row.expires_at),
        "tier": tier,
        "state": state,
        "status": row.status,
        "ending": row.ending,
    }


def atom_of(items: Sequence[Item], links: tuple[str, str]) -> bytes:
    """RFC 4287; each entry links to its CAP document and bears tier, state and expiry as categories and elements."""
    public_url, authority = links
    root = etree.Element(f"{{{ATOM}}}feed", nsmap={None: ATOM})
    _add(root, "id", f"{public_url}/cap/atom.xml")
    _add(root, "title", f"{authority}: warnings")
    _add(root, "updated", max((i["updated"] for i in items), default=iso(0)))
    _add(_add(root, "author"), "name", authority)
    _add(root, "link", rel="self", type="application/atom+xml", href=f"{public_url}/cap/atom.xml")
    for item in items:
        entry = _add(root, "entry")
        for tag in ("id", "title", "published", "updated"):
            _add(entry, tag, item[tag])
        _add(_add(entry, "author"), "name", item["author"] or authority)
        _add(entry, "link", rel="alternate", type=CAP_TYPE, href=item["url"])
        for scheme in ("tier", "state", "status", "expires"):
            _add(entry, "category", scheme=f"urn:tocsin:{scheme}", term=item[scheme])
        _add(entry, "summary", item["text"])
    data: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)
    return data


def json_of(items: Sequence[Item], links: tuple[str, str]) -> bytes:
    """JSON Feed 1.1; what is ours stands in `_tocsin`."""
    public_url, authority = links
    feed: JsonFeed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": f"{authority}: warnings",
        "feed_url": f"{public_url}/cap/feed.json",
        "items": [
            {
                "id": i["id"],
                "url": i["url"],
                "title": i["title"],
                "content_text": i["text"],
                "date_published": i["published"],
                "date_modified": i["updated"],
                "language": i["language"],
                "authors": [{"name": i["author"] or authority}],
                "tags": [i["tier"], i["state"]],
                "attachments": [{"url": i["url"], "mime_type": CAP_TYPE}],
                "_tocsin": {key: i[key] for key in ("tier", "state", "status", "ending", "expires")},
            }
            for i in items
        ],
    }
    return json.dumps(feed, ensure_ascii=False).encode()


def _add(parent: etree._Element, tag: str, text: str = "", **attributes: str) -> etree._Element:
    made = etree.SubElement(parent, f"{{{ATOM}}}{tag}", attributes)
    if text:
        made.text = clean(text)
    return made
