"""Reads what a feed lists, alerts or links to them: Atom, RSS, EDXL-DE, JSON. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

from lxml import etree

from services.gateway.cap import FEED, Alert, Reading, read
from services.gateway.cap.envelope import local, root_of
from services.gateway.cap.rules import Notes
from services.shared.errors import Refused
from services.shared.input.untrusted import json_of

LISTING = replace(FEED, bytes=8 * 1024 * 1024, nodes=300_000)
MOST = 2_000
_CAP_TYPES = ("application/cap+xml", "application/common-alerting-protocol+xml")
_XML_TYPES = ("application/xml", "text/xml", "")


@dataclass(frozen=True)
class FeedItem:
    """One alert as the feed names it. `key` is SHA-256 of its id, `version` changes when it does, `link` is absolute.

    `urgent` is what the feed says of it in CAP's words, larger first; `at` when it was changed (seconds, 0: unknown).
    """

    key: str
    version: str
    link: str = ""
    urgent: int = 0
    at: float = 0.0


@dataclass(frozen=True)
class Listing:
    """`entries` in the feed's order; `reading` holds the alerts that lie in the feed itself.

    `whole`: everything there is stands here, so that what is missing is gone.
    """

    entries: tuple[FeedItem, ...]
    reading: Reading | None
    whole: bool


def listing(data: bytes, url: str) -> Listing:
    """Refused where it is no feed, or cannot be read without guessing."""
    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return _json(data, url)
    reading = read(data, limits=LISTING)
    if reading.alerts:
        entries = tuple(FeedItem(key_of(alert), "") for alert in reading.alerts)
        return Listing(entries, reading, reading.verdict != "reject")
    notes = Notes(strict=False)
    root = root_of(data, LISTING, notes)
    if root is None or local(root) not in ("feed", "rss", "RDF", "EDXLDistribution", "alerts"):
        why = notes.found[-1].message if notes.found else "its root is no feed's"
        raise Refused(f"this is no feed of alerts: {why}", field="url", rule="feed", given=url)
    items = [e for e in root.iter("{*}entry", "{*}item") if e.getparent() is not None]
    paged = any(link.get("rel") == "next" for link in root.iterfind("{*}link"))
    return Listing(tuple(_entries(items[:MOST], url)), None, not paged and len(items) <= MOST)


def key_of(alert: Alert) -> str:
    """The key of an alert that lies in the feed itself: its name."""
    return _hash(f"{alert.sender},{alert.identifier},{alert.sent.timestamp():.0f}")


def same_host(link: str, url: str) -> bool:
    """Whether a link leads to where its feed lies: scheme, host and port."""
    try:
        a, b = urlsplit(link), urlsplit(url)
        return (a.scheme, a.hostname, a.port) == (b.scheme, b.hostname, b.port)
    except ValueError:
        return False


def _entries(items: Iterable[etree._Element], url: str) -> Iterator[FeedItem]:
    for item in items:
        link = _link(item)
        name = _text(item, "id") or _text(item, "guid") or link
        if name:
            version = _text(item, "updated") or _text(item, "pubDate") or _text(item, "date")
            changed = version or _text(item, "published")
            yield FeedItem(
                _hash(name), _hash(version), urljoin(url, link) if link else "", _urgent(item), _when(changed)
            )


def _link(item: etree._Element) -> str:
    """The link to the CAP file: one that says so, else one to XML, else the entry's own where it is no page.

    Taken from where the element says it stands (xml:base, RFC 4287 2). An RSS guid that is a permanent link is one.
    """
    found: list[tuple[int, str]] = []
    for element in item.iter("{*}link", "{*}enclosure", "{*}guid"):
        href = (element.get("href") or element.get("url") or element.text or "").strip()
        kind = (element.get("type") or "").split(";")[0].strip().lower()
        if local(element) == "guid" and (element.get("isPermaLink") == "false" or "://" not in href):
            continue
        if href and element.get("rel", "alternate") in ("alternate", "enclosure", "related", "via"):
            href = urljoin(element.base or "", href)
            is_file = urlsplit(href).path.endswith((".xml", ".cap"))
            if kind in _CAP_TYPES:
                found.append((0, href))
            elif kind in _XML_TYPES or (kind == "application/octet-stream" and is_file):
                found.append((1 if is_file else 2, href))
    return min(found, key=lambda pair: pair[0])[1] if found else ""


_GRADES = (
    ("severity", ("Unknown", "Minor", "Moderate", "Severe", "Extreme")),
    ("urgency", ("Unknown", "Past", "Future", "Expected", "Immediate")),
)


def _urgent(item: etree._Element) -> int:
    """Severity before urgency, where the entry carries them; 0 where it does not."""
    found = 0
    for tag, grades in _GRADES:
        word = _text(item, tag)
        found = found * 10 + (grades.index(word) if word in grades else 0)
    return found


def _when(text: str) -> float:
    """A time as Atom or RSS writes it, in seconds; 0 where it cannot be read."""
    for reads in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = reads(text)
        except ValueError:
            continue
        return moment.timestamp() if moment.tzinfo is not None else moment.replace(tzinfo=UTC).timestamp()
    return 0.0


def _text(item: etree._Element, tag: str) -> str:
    return " ".join((item.findtext(f"{{*}}{tag}") or "").split())


def _json(data: bytes, url: str) -> Listing:
    """A JSON Feed, or a list of addresses or of objects with one."""
    if len(data) > LISTING.bytes:
        raise Refused("the index is larger than 8 MiB", field="url", rule="feed", given=url)
    try:
        given = json_of(data.decode("utf-8-sig"))
    except ValueError as wrong:
        raise Refused(f"this is no index of alerts: {wrong}", field="url", rule="feed", given=url) from wrong
    items = given.get("items", given.get("alerts")) if isinstance(given, dict) else given
    if not isinstance(items, list):
        raise Refused(
            "this is no index of alerts: give a list, or an object with items or alerts", field="url", rule="feed",
            given=url,
        )  # fmt: skip
    entries = []
    for item in items[:MOST]:
        one = {"url": item} if isinstance(item, str) else item if isinstance(item, dict) else {}
        link = _json_link(one)
        name = str(one.get("id") or link)
        if name:
            version = str(one.get("date_modified") or one.get("updated") or "")
            at = _when(version or str(one.get("date_published") or one.get("published") or ""))
            entries.append(FeedItem(_hash(name), _hash(version), urljoin(url, link) if link else "", at=at))
    return Listing(tuple(entries), None, len(items) <= MOST and not (isinstance(given, dict) and given.get("next_url")))


def _json_link(item: dict[str, object]) -> str:
    attachments = item.get("attachments")
    for one in attachments if isinstance(attachments, list) else []:
        if isinstance(one, dict) and one.get("mime_type") in _CAP_TYPES and isinstance(one.get("url"), str):
            return str(one["url"])
    return next((str(item[key]) for key in ("cap", "url", "link", "href") if isinstance(item.get(key), str)), "")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
