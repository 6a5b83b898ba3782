"""Replaces the channels key while sends go on: adopts the new, rewraps page keys in batches, retires the old.

What is in flight is not touched: a delivery names its page key, and that stays the same under another wrapping.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import sqlalchemy as sa
import structlog

from services.shared.audit import trail
from services.shared.clock import wall
from services.shared.crypto.channels_keys import SealingKey, known, move_key, sealing_key
from services.shared.crypto.sealing import Keys, Opener, page_key
from services.shared.database import locks
from services.shared.database.batches import upsert
from services.shared.database.engine import Connection, Database, metadata
from services.shared.database.instance import instance
from services.shared.errors import Broken

log = structlog.get_logger("rotation")
BATCH = 100  # page keys a transaction: some 20 ms, between two sends
LOOK_EVERY_S = 1.0
SEEN_EVERY_S = 10.0
DEAD_AFTER_S = 60.0
GRACE_S = 60.0  # a sealer may commit, within this, a page it began before it learnt of the new key

channels_process = sa.Table(
    "channels_process",
    metadata,
    sa.Column("worker", sa.String(40), primary_key=True),
    sa.Column("holds", sa.JSON, nullable=False, comment="ids of the channels keys it can open with"),
    sa.Column("seen_at", sa.Float, nullable=False, comment="wall"),
    comment="a new channels key is used when all of these hold it",
)


class Rotation:
    """One channels process's part in it."""

    def __init__(
        self, database: Database, keys: Keys, opener: Opener, worker: str, source: Callable[[], float] = wall
    ) -> None:
        self._database = database
        self._keys = keys
        self._opener = opener
        self._worker = worker
        self._source = source
        self._next_look = self._next_seen = 0.0
        self._told: frozenset[str] = frozenset()
        self._tidied = ""  # the current key whose files are in order, or said not to be

    async def step(self) -> bool:
        """One turn, at most one batch; True where there is more to do at once."""
        now = self._source()
        if now < self._next_look:
            return False
        self._next_look = now + LOOK_EVERY_S
        await self._tell(now)
        async with self._database.read() as db:
            if await db.scalar(sa.select(sealing_key.c.public_id).limit(1)) is None:
                return False
            try:
                found = await known(db, self._keys.signer("orders"))
            except Broken as fault:  # sends go on with the keys that are held
                log.warning("channels_keys_not_ours", reason=fault.message)
                return False
        if (new := found.get("next")) is not None:
            return await self._take_up(new, found["current"], now)
        if (old := found.get("leaving")) is not None:
            more = await self._wrap_anew(old, found["current"], now)
            self._next_look = now if more else self._next_look
            return more
        if "current" in found:
            self._tidy(found["current"], [row for row in found.values() if row.state == "gone"])
        return False

    async def _tell(self, now: float) -> None:
        """Says that it lives and which keys it holds."""
        if now < self._next_seen and self._told == self._opener.public_ids:
            return
        self._told, self._next_seen = self._opener.public_ids, now + SEEN_EVERY_S
        row = {"worker": self._worker, "holds": sorted(self._told), "seen_at": now}
        async with self._database.write() as tx:
            await upsert(tx, channels_process, [row], ["worker"], replace=["holds", "seen_at"])
            await tx.execute(sa.delete(channels_process).where(channels_process.c.seen_at < now - DEAD_AFTER_S))

    async def _take_up(self, new: SealingKey, old: SealingKey, now: float) -> bool:
        if new.public_id not in self._opener.public_ids:
            self._opener.hold(self._keys.privates())
            if new.public_id not in self._opener.public_ids:
                log.warning("channels_key_missing", key=new.public_id, do="put it beside channels.key")
                return False
            await self._tell(now)
        async with self._database.write() as tx:
            await locks.sealing_keys(tx)
            if (await known(tx, self._keys.signer("orders"))).get("next") != new:
                return True
            lacking = [
                row.worker
                for row in await tx.execute(sa.select(channels_process).order_by(channels_process.c.worker))
                if new.public_id not in row.holds
            ]
            if lacking:
                log.info("channels_key_waits", key=new.public_id, workers=lacking)
                return False
            await move_key(tx, self._keys.signer("orders"), old, "leaving")
            await move_key(tx, self._keys.signer("orders"), new, "current")
            await trail.record(tx, f"channels {self._worker}", "keys.current", new.public_id, "every process holds it")
        self._keys.announce(new.public)
        self._next_look = now
        return True

    async def _wrap_anew(self, old: SealingKey, new: SealingKey, now: float) -> bool:
        """One batch; where nothing is left and no sealer can come late, the old key is gone."""
        if not {old.public_id, new.public_id} <= self._opener.public_ids:
            self._opener.hold(self._keys.privates())
        async with self._database.write() as tx:
            theirs = page_key.c.public_id == old.public_id
            some = sa.select(page_key).where(theirs).order_by(page_key.c.key_id).limit(BATCH)
            rows = (await tx.execute(some.with_for_update(skip_locked=True))).all()
            for row in rows:
                wrapped = self._opener.rewrap(row.key_id, row.wrapped, new.public)
                values = {"wrapped": wrapped, "public_id": new.public_id}
                await tx.execute(sa.update(page_key).where(page_key.c.key_id == row.key_id).values(**values))
            if rows:
                return True
            left = await tx.scalar(sa.select(sa.func.count()).select_from(page_key).where(theirs))
            if left or now - new.since < GRACE_S:
                return False
            await locks.sealing_keys(tx)
            if (await known(tx, self._keys.signer("orders"))).get("leaving") != old:
                return True
            await move_key(tx, self._keys.signer("orders"), old, "gone")
            await _stamp_public(tx, new.public)
            await trail.record(tx, f"channels {self._worker}", "keys.gone", old.public_id, "nothing is wrapped for it")
        return True

    def _tidy(self, current: SealingKey, gone: list[SealingKey]) -> None:
        """The files say what the database says: one key, the current one. A gone one is kept nowhere."""
        for row in gone:
            self._opener.forget(row.public_id)
        if current.public_id == self._tidied:
            return
        try:
            self._keys.settle(current.public_id, {row.public_id for row in gone})
        except (OSError, Broken) as problem:
            do = f"put the file of {current.public_id} in place of channels.key and delete the old one"
            log.warning("channels_key_to_replace", reason=str(problem), do=do)
        self._tidied = current.public_id


async def _stamp_public(tx: Connection, public: bytes) -> None:
    """What a start compares its own key with, see run.check_keys."""
    mark = hashlib.sha256(b"tocsin public key" + public).hexdigest()[:32]
    await tx.execute(sa.update(instance).where(instance.c.name == "key_public").values(value=mark))
