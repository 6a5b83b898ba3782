"""Stores devices: when each last reported, its state, the outcome of each command, and recorded announcements.

Each word means only itself: received is not playing, playing is not played, and none of them is a person. All times wall.
A shaker's id is somebody's address: it stands here as a code that only the index key can make of it, and no table joins it to a
delivery. What it did for somebody is told to the recorder, which knows the delivery and no id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa

from services.shared.clock import wall
from services.shared.database.batches import insert_new, upsert
from services.shared.database.engine import Connection, Id, metadata
from services.shared.database.rows import columns, rows_of

device = sa.Table(
    "channels_device",
    metadata,
    sa.Column("kind", sa.String(8), primary_key=True),
    sa.Column("device_id", sa.String(40), primary_key=True),
    sa.Column("seen_at", sa.Float, nullable=False, comment="wall; any report"),
    sa.Column("battery", sa.SmallInteger, comment="percent"),
    sa.Column("trouble", sa.String(80), nullable=False, server_default="", comment="its own word for what ails it"),
    sa.Column("tested_at", sa.Float, comment="wall; a test it played to the end"),
    sa.CheckConstraint("kind IN ('speaker','shaker')", name="kind"),
    sa.CheckConstraint("battery BETWEEN 0 AND 100", name="battery"),
)
command = sa.Table(
    "channels_device_command",
    metadata,
    sa.Column("delivery_id", Id, primary_key=True),
    sa.Column("word", sa.String(8), primary_key=True),
    sa.Column("device_id", sa.String(40), primary_key=True, index=True),
    sa.Column("sent_at", sa.Float, nullable=False, comment="the broker had it"),
    sa.Column("received_at", sa.Float),
    sa.Column("playing_at", sa.Float),
    sa.Column("played_at", sa.Float),
    sa.Column("failed_at", sa.Float),
    sa.Column("reason", sa.String(80), nullable=False, server_default=""),
    sa.CheckConstraint("word IN ('siren','speak','stop','test')", name="word"),
)
announcement = sa.Table(
    "channels_announcement",
    metadata,
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("wav", sa.LargeBinary, nullable=False),
    sa.Column("made_at", sa.Float, nullable=False, comment="wall"),
)
FACTS = {"received": "received_at", "playing": "playing_at", "played": "played_at", "failed": "failed_at"}
KEPT_S, SOUND_KEPT_S = 90 * 86400.0, 7 * 86400.0


class DeviceRow(NamedTuple):
    """When a device was heard last, and what it said of itself."""

    device_id: str
    seen_at: float
    battery: int | None
    trouble: str
    tested_at: float | None


class CommandRow(NamedTuple):
    """A command to a device, and when each fact of it was reported."""

    delivery_id: str
    device_id: str
    word: str
    sent_at: float
    received_at: float | None
    playing_at: float | None
    played_at: float | None
    failed_at: float | None
    reason: str


@dataclass(frozen=True)
class Health:
    """What a device says of itself; None: it says nothing about that now."""

    battery: int | None = None
    trouble: str | None = None
    tested: bool = False

    @classmethod
    def of(cls, report: Mapping[str, object], *, tested: bool = False) -> Health:
        """From a report; a value that cannot be is left out, for the device is there all the same."""
        battery, trouble = report.get("battery"), report.get("trouble")
        if not isinstance(battery, int) or isinstance(battery, bool) or not 0 <= battery <= 100:
            battery = None
        return cls(battery, trouble[:80] if isinstance(trouble, str) else None, tested)


async def heard(tx: Connection, kind: str, device_id: str, health: Health) -> None:
    """It is there; what it says of itself replaces what it said before."""
    row: dict[str, object] = {"kind": kind, "device_id": device_id, "seen_at": wall()}
    row |= {"battery": health.battery} if health.battery is not None else {}
    row |= {"trouble": health.trouble} if health.trouble is not None else {}
    row |= {"tested_at": wall()} if health.tested else {}
    replaced = [name for name in row if name not in ("kind", "device_id")]
    await upsert(tx, device, [row], ["kind", "device_id"], replace=replaced)


async def commanded(tx: Connection, delivery_id: str, sent: Sequence[tuple[str, str]]) -> None:
    """The broker has these commands: (device, word). A report may have come before this is written."""
    rows = [{"delivery_id": delivery_id, "word": w, "device_id": d, "sent_at": wall()} for d, w in sent]
    await insert_new(tx, command, rows)


async def became(tx: Connection, delivery_id: str, word: str, device_id: str, fact: str, reason: str) -> None:
    """One fact of one command; the first of its kind stands."""
    await insert_new(
        tx, command, [{"delivery_id": delivery_id, "word": word, "device_id": device_id, "sent_at": wall()}]
    )
    column = command.c[FACTS[fact]]
    mine = (command.c.delivery_id == delivery_id, command.c.word == word, command.c.device_id == device_id)
    values: dict[str, object] = {column.name: wall()} | ({"reason": reason[:80]} if fact == "failed" else {})
    await tx.execute(sa.update(command).where(*mine, column.is_(None)).values(values))


async def keep_sound(tx: Connection, wav: bytes) -> str:
    """Puts an announcement where every channels process can serve it; returns its SHA-256."""
    digest = hashlib.sha256(wav).hexdigest()
    await upsert(tx, announcement, [{"sha256": digest, "wav": wav, "made_at": wall()}], ["sha256"], replace=["made_at"])
    return digest


async def sound(db: Connection, sha256: str) -> bytes | None:
    """An announcement's file."""
    found: bytes | None = await db.scalar(sa.select(announcement.c.wav).where(announcement.c.sha256 == sha256))
    return found


async def forget_old(tx: Connection) -> None:
    """Sounds after a week, what became of commands after a season."""
    await tx.execute(sa.delete(announcement).where(announcement.c.made_at < wall() - SOUND_KEPT_S))
    await tx.execute(sa.delete(command).where(command.c.sent_at < wall() - KEPT_S))


async def devices(db: Connection, kind: str) -> dict[str, DeviceRow]:
    """Every device of a kind that was ever heard, by id."""
    query = sa.select(*columns(DeviceRow, device)).where(device.c.kind == kind).order_by(device.c.device_id)
    return {row.device_id: row for row in await rows_of(db, DeviceRow, query)}


async def last_commands(db: Connection) -> dict[tuple[str, str], CommandRow]:
    """The newest command of each word to each device."""
    newest = (
        sa.select(command.c.device_id, command.c.word, sa.func.max(command.c.sent_at).label("at"))
        .group_by(command.c.device_id, command.c.word)
        .subquery()
    )
    same = sa.and_(
        newest.c.device_id == command.c.device_id, newest.c.word == command.c.word, newest.c.at == command.c.sent_at
    )
    query = sa.select(*columns(CommandRow, command)).join(newest, same)
    return {(row.device_id, row.word): row for row in await rows_of(db, CommandRow, query)}
