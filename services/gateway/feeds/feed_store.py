"""Stores each feed's position, and every entry with what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from services.gateway.feeds.listing import FeedItem
from services.gateway.store import message
from services.shared.database.batches import chunks, upsert
from services.shared.database.engine import Connection, Id, metadata
from services.shared.database.rows import columns, row_of, rows_of
from services.shared.ledger.warnings import warning_state

feed = sa.Table(
    "gateway_feed",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("etag", sa.String(400), nullable=False),
    sa.Column("modified", sa.String(80), nullable=False, comment="Last-Modified, as its server writes it"),
    sa.Column("read_at", sa.Float, comment="wall; the last time it answered"),
    sa.Column("failures", sa.Integer, nullable=False, comment="in a row"),
    sa.Column("problem", sa.String(400), nullable=False, comment="of the last time, or empty"),
)
entry = sa.Table(
    "gateway_feed_entry",
    metadata,
    sa.Column("feed", sa.String(40), primary_key=True),
    sa.Column("entry_id", sa.String(64), primary_key=True, comment="SHA-256 of its id in the feed"),
    sa.Column("version", sa.String(64), nullable=False, comment="when the feed says it was changed"),
    sa.Column("link", sa.Text, nullable=False, comment="where its alert lies; empty where the feed held it"),
    sa.Column("state", sa.String(8), nullable=False),
    sa.Column("warning_id", Id, nullable=False, comment="empty until taken"),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("tries", sa.SmallInteger, nullable=False),
    sa.Column("missed", sa.SmallInteger, nullable=False, comment="whole listings in a row it was not in"),
    sa.Column("urgent", sa.SmallInteger, nullable=False, server_default="0", comment="as the feed says; larger first"),
    sa.Column("at", sa.Float, nullable=False, server_default="0", comment="wall; when the feed says it was changed"),
    sa.CheckConstraint("state IN ('pending','taken','refused','given_up')", name="state"),
)


class FeedState(NamedTuple):
    """How a feed was read the last time."""

    name: str
    etag: str
    modified: str
    read_at: float | None
    failures: int
    problem: str


class StoredEntry(NamedTuple):
    """An entry of a feed."""

    entry_id: str
    link: str
    warning_id: str
    tries: int
    missed: int


_FEEDS, _ENTRIES = sa.select(*columns(FeedState, feed)), sa.select(*columns(StoredEntry, entry))


async def state_of(db: Connection, name: str) -> FeedState | None:
    """The feed's row, or None where it was never read."""
    return await row_of(db, FeedState, _FEEDS.where(feed.c.name == name))


async def write_state(
    tx: Connection, name: str, *, etag: str = "", modified: str = "", read_at: float | None, failures: int, problem: str
) -> None:
    """How the last reading went; validators stay as they were where it failed."""
    row = {
        "name": name, "etag": etag[:400], "modified": modified[:80], "read_at": read_at, "failures": failures,
        "problem": problem[:400],
    }  # fmt: skip
    told = ["failures", "problem"] if failures else ["etag", "modified", "read_at", "failures", "problem"]
    await upsert(tx, feed, [row], ["name"], replace=told)


async def add_new(tx: Connection, name: str, entries: Iterable[FeedItem]) -> None:
    """Entries not seen before, or not in this version, wait to be taken."""
    known = {
        row.entry_id: row.version
        for row in await tx.execute(sa.select(entry.c.entry_id, entry.c.version).where(entry.c.feed == name))
    }
    rows = [
        {"feed": name, "entry_id": e.key, "version": e.version, "link": e.link, "state": "pending", "warning_id": "",
         "why": "", "tries": 0, "missed": 0, "urgent": e.urgent, "at": e.at}
        for e in entries if known.get(e.key) != e.version
    ]  # fmt: skip
    for some in chunks(rows, 500):
        await upsert(
            tx, entry, some, ["feed", "entry_id"], replace=["version", "link", "state", "tries", "urgent", "at"]
        )


async def pending(db: Connection, name: str, limit: int) -> list[StoredEntry]:
    """Entries still to be fetched: those tried least, of these the most urgent, of these the newest first."""
    return await rows_of(
        db,
        StoredEntry,
        _ENTRIES.where(entry.c.feed == name, entry.c.state == "pending")
        .order_by(entry.c.tries, entry.c.urgent.desc(), entry.c.at.desc(), entry.c.entry_id)
        .limit(limit),
    )


async def settle(
    tx: Connection, name: str, key: str, state: str, *, warning_id: str = "", why: str = "", link: str = ""
) -> None:
    """What became of an entry, and of all that wait with the same link; one more try counted."""
    alike = sa.and_(entry.c.link == link, entry.c.state == "pending") if link else sa.false()
    await tx.execute(
        sa.update(entry)
        .where(entry.c.feed == name, sa.or_(entry.c.entry_id == key, alike))
        .values(state=state, warning_id=warning_id, why=why[:2000], tries=entry.c.tries + 1)
    )


async def seen_and_missed(
    tx: Connection, name: str, keys: Sequence[str]
) -> tuple[list[StoredEntry], list[StoredEntry]]:
    """After a whole listing: (taken entries just missed for the second time, those that came back)."""
    everything = await rows_of(tx, StoredEntry, _ENTRIES.where(entry.c.feed == name, entry.c.state == "taken"))
    there = set(keys)
    back = [row for row in everything if row.entry_id in there and row.missed]
    gone = [row for row in everything if row.entry_id not in there and row.missed < 2]
    for rows, missed in ((back, sa.literal(0)), (gone, entry.c.missed + 1)):
        for some in chunks([row.entry_id for row in rows], 500):
            await tx.execute(
                sa.update(entry).where(entry.c.feed == name, entry.c.entry_id.in_(some)).values(missed=missed)
            )
    return [row for row in gone if row.missed == 1], [row for row in back if row.missed > 1]


async def add_note(tx: Connection, warning_id: str, note: str) -> bool:
    """Adds a sentence to a warning that is not over; False where it is over, or not there."""
    row = (
        await tx.execute(
            sa.select(message.c.sense)
            .join(warning_state, warning_state.c.warning_id == message.c.warning_id)
            .where(message.c.warning_id == warning_id, warning_state.c.state.in_(("active", "held", "draft")))
        )
    ).first()
    if row is None:
        return False
    sense = {**row.sense, "notes": [*row.sense["notes"], note]}
    await tx.execute(sa.update(message).where(message.c.warning_id == warning_id).values(sense=sense))
    return True


async def listed(db: Connection) -> list[FeedState]:
    """Every feed's row, by name."""
    return await rows_of(db, FeedState, _FEEDS.order_by(feed.c.name))
