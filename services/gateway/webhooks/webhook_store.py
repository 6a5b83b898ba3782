"""Stores who subscribed, and each event until they have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

import sqlalchemy as sa

from services.shared.audit import trail
from services.shared.bus.outbox import new_id
from services.shared.clock import iso, wall
from services.shared.database.engine import Connection, Database, Id, metadata
from services.shared.database.rows import columns, rows_of
from services.shared.errors import Conflict, NotFound, Refused
from services.shared.web.outgoing_addresses import literal, may_reach

EVENTS = ("released", "updated", "ended")
KEPT_S = 7 * 86_400.0  # an event that was delivered, or given up, is forgotten after it
webhook = sa.Table(
    "gateway_webhook",
    metadata,
    sa.Column("webhook_id", Id, primary_key=True),
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("url", sa.String(1000), nullable=False),
    sa.Column("events", sa.JSON, nullable=False, comment="words of EVENTS"),
    sa.Column(
        "private", sa.Boolean, nullable=False, comment="it may lie at an address that is not public, and speak http"
    ),
    sa.Column("made_at", sa.Float, nullable=False, comment="wall"),
    sa.Column("ended_at", sa.Float, comment="wall; null: it is told"),
    sa.Column("told_at", sa.Float, comment="wall; the last time it took an event"),
    sa.Column("failures", sa.Integer, nullable=False, comment="in a row"),
    sa.Column("problem", sa.String(300), nullable=False, comment="of the last time, or empty"),
)
webhook_event = sa.Table(
    "gateway_webhook_event",
    metadata,
    sa.Column("event_id", Id, primary_key=True),
    sa.Column("webhook_id", Id, primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False, comment="they are told in this order"),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="JSON, as it is signed"),
    sa.Column("made_at", sa.Float, nullable=False, comment="wall"),
    sa.Column("next_at", sa.Float, nullable=False, comment="wall; not before"),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("state", sa.String(8), nullable=False),
    sa.CheckConstraint("state IN ('waiting','told','given_up')", name="state"),
    sa.Index(None, "state", "webhook_id", "position"),
)


class Webhook(NamedTuple):
    """Somebody who subscribed; times are wall."""

    webhook_id: str
    name: str
    url: str
    events: list[str]
    private: bool
    made_at: float
    ended_at: float | None
    told_at: float | None
    failures: int
    problem: str

    @property
    def host(self) -> str:
        """Where it lies, without what may stand behind it as a secret."""
        return urlsplit(self.url).netloc.rpartition("@")[2]


class WaitingEvent(NamedTuple):
    """An event that a webhook does not have yet."""

    event_id: str
    webhook_id: str
    body: bytes
    made_at: float
    next_at: float
    tries: int


async def add(database: Database, name: str, url: str, events: Sequence[str], *, private: bool, actor: str) -> str:
    """A new subscription's id. Refused where the address is none we tell; Conflict where the name is taken."""
    _must_be_an_address(url, private=private)
    if not name.strip() or len(name) > 80:
        raise Refused("name: give it one of 1 to 80 characters", field="name", rule="length", given=name[:80])
    if unknown := [one for one in events if one not in EVENTS]:
        raise Refused(
            f"events: there is no {unknown[0]!r}", field="events", rule="closed_list", given=unknown[0],
            remedy=f"use {', '.join(EVENTS)}",
        )  # fmt: skip
    row = {
        "webhook_id": new_id(), "name": name.strip(), "url": url, "events": [one for one in EVENTS if one in events] or [*EVENTS],
        "private": private, "made_at": wall(), "ended_at": None, "told_at": None, "failures": 0, "problem": "",
    }  # fmt: skip
    async with database.write() as tx:
        if any(one.name == row["name"] for one in await subscribed(tx)):
            raise Conflict(f"there is a webhook {name!r} already: remove it first", field="name", given=name[:80])
        await tx.execute(sa.insert(webhook).values(**row))
        detail = {"host": urlsplit(url).netloc, "events": row["events"], "private": private}
        await trail.record(tx, actor, "add_webhook", str(row["webhook_id"]), name[:80], detail)
    return str(row["webhook_id"])


def _must_be_an_address(url: str, *, private: bool) -> None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if len(url) > 1000 or not host or parts.scheme not in ("https", "http") or parts.username or parts.fragment:
        raise Refused(
            "url: it is no address we tell", field="url", rule="https", given=url[:80],
            remedy="give it as https://department.example.org/tocsin, without a name or password in it",
        )  # fmt: skip
    if private:
        return
    if parts.scheme != "https":
        raise Refused(
            "url: it does not speak https", field="url", rule="https", given=url[:80],
            remedy="give an https address, or say --private where it lies in your own network",
        )  # fmt: skip
    if host == "localhost" or (literal(host) and not may_reach(host, private=False)):
        raise Refused(
            "url: it is no public address", field="url", rule="public address", given=url[:80],
            remedy="say --private where it lies in your own network",
        )  # fmt: skip


async def remove(database: Database, name: str, *, actor: str, reason: str) -> None:
    """It is told nothing any more, what waits included. NotFound where there is none of that name."""
    async with database.write() as tx:
        found = next((one for one in await subscribed(tx) if one.name == name), None)
        if found is None:
            raise NotFound(f"there is no webhook {name}: see tocsin webhook list", field="name", given=name[:80])
        mine = webhook.c.webhook_id == found.webhook_id
        await tx.execute(sa.update(webhook).where(mine).values(ended_at=wall()))
        await tx.execute(sa.delete(webhook_event).where(webhook_event.c.webhook_id == found.webhook_id))
        await trail.record(tx, actor, "remove_webhook", found.webhook_id, reason, {"name": name})


async def subscribed(db: Connection) -> list[Webhook]:
    """Who is told, by name."""
    found = sa.select(*columns(Webhook, webhook)).where(webhook.c.ended_at.is_(None))
    return await rows_of(db, Webhook, found.order_by(webhook.c.name))


async def put(tx: Connection, event: str, event_id: str, body: bytes) -> int:
    """An event for everybody who wants it, within the transaction of what happened; how many."""
    wants = [one for one in await subscribed(tx) if event in one.events]
    if not wants:
        return 0
    last = await tx.scalar(sa.select(sa.func.coalesce(sa.func.max(webhook_event.c.position), 0)))
    now = wall()
    rows = [
        {
            "event_id": event_id, "webhook_id": one.webhook_id, "position": int(last or 0) + 1, "body": body, "made_at": now,
            "next_at": now, "tries": 0, "state": "waiting",
        }
        for one in wants
    ]  # fmt: skip
    await tx.execute(sa.insert(webhook_event), rows)
    return len(rows)


async def heads(db: Connection) -> dict[str, WaitingEvent]:
    """webhook > the oldest event it does not have."""
    first = sa.select(webhook_event.c.webhook_id, sa.func.min(webhook_event.c.position).label("position"))
    first_of = first.where(webhook_event.c.state == "waiting").group_by(webhook_event.c.webhook_id).subquery()
    found = sa.select(*columns(WaitingEvent, webhook_event)).join(
        first_of,
        sa.and_(
            first_of.c.webhook_id == webhook_event.c.webhook_id, first_of.c.position == webhook_event.c.position
        ),
    )  # fmt: skip
    return {row.webhook_id: row for row in await rows_of(db, WaitingEvent, found)}


async def told(tx: Connection, event: WaitingEvent) -> None:
    """It has it."""
    await _settle(tx, event, "told")
    mine = sa.update(webhook).where(webhook.c.webhook_id == event.webhook_id)
    await tx.execute(mine.values(told_at=wall(), failures=0, problem=""))


async def failed(tx: Connection, event: WaitingEvent, problem: str, next_at: float | None) -> None:
    """It does not have it: again at `next_at` (wall), or never, where that is None."""
    if next_at is None:
        await _settle(tx, event, "given_up")
    else:
        mine = _of(event)
        await tx.execute(sa.update(webhook_event).where(mine).values(tries=event.tries + 1, next_at=next_at))
    its = sa.update(webhook).where(webhook.c.webhook_id == event.webhook_id)
    await tx.execute(its.values(failures=webhook.c.failures + 1, problem=problem[:300]))


def _of(event: WaitingEvent) -> sa.ColumnElement[bool]:
    return sa.and_(webhook_event.c.event_id == event.event_id, webhook_event.c.webhook_id == event.webhook_id)


async def _settle(tx: Connection, event: WaitingEvent, state: str) -> None:
    await tx.execute(sa.update(webhook_event).where(_of(event)).values(state=state, tries=event.tries + 1))
    over = (webhook_event.c.state != "waiting", webhook_event.c.made_at < wall() - KEPT_S)
    await tx.execute(sa.delete(webhook_event).where(*over))


async def webhook_lines(database: Database) -> list[str]:
    """How each stands, one line each."""
    async with database.read() as db:
        counted = sa.select(webhook_event.c.webhook_id, webhook_event.c.state, sa.func.count())
        grouped = counted.group_by(webhook_event.c.webhook_id, webhook_event.c.state)
        counts = {(row[0], row[1]): int(row[2]) for row in await db.execute(grouped)}
        found = await subscribed(db)
    lines = []
    for one in found:
        last = f"last told {iso(one.told_at)}" if one.told_at else "never told"
        waiting, lost = counts.get((one.webhook_id, "waiting"), 0), counts.get((one.webhook_id, "given_up"), 0)
        waits = f", {waiting} events wait" if waiting else ""
        gone = f", {lost} given up after a day" if lost else ""
        trouble = f", failed {one.failures} times since: {one.problem}" if one.failures else ""
        lines.append(f"webhook {one.name} at {one.host}: {last}{waits}{gone}{trouble}")
    return lines
