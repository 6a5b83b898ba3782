"""Keeps the audit log's last head outside the database; nobody signs a log that does not extend it.

Whoever holds the database alone can write another history into it, but not into this file: it lies in
`TOCSIN_DATA_DIR/audit/head.json`, 0600, signed with the audit key and put in place whole. Each gateway looks every two
seconds; several on one machine share the file, those on others keep their own. A database that is put back from a backup
is behind it: `tocsin audit accept` says so in the log, and begins there.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import sqlalchemy as sa
import structlog

from services.shared.alarms import AUDIT_REWRITTEN, AUDIT_UNKEPT, over, sound, standing
from services.shared.audit import trail
from services.shared.audit.checkpoints import Checking, Signing, audit_checkpoint, is_due, last_entry, make_checkpoint
from services.shared.audit.trail import GENESIS, audit_log, entry_hash
from services.shared.clock import iso, wall
from services.shared.database import locks
from services.shared.database.engine import Connection, Database
from services.shared.errors import Broken

PAGE = 1000
PAGES = 10  # in one look: after a long stop the rest comes with the next ones
SAY_AGAIN_S = 60.0  # monotonic
WALK_AGAIN_S = 3600.0  # monotonic
REMEDY = (
    "keep the database and the file, compare with an earlier export; after a backup was put back: tocsin audit accept"
)
log = structlog.get_logger("audit")


@dataclass(frozen=True)
class Head:
    """Entry `n` had this hash when it was looked at (wall); 0 and GENESIS of an empty log."""

    n: int = 0
    hash: str = GENESIS
    at: float = 0.0


def read_head(data: bytes, public: str, name: str) -> Head:
    """What a head file says; Broken where it was not signed by the owner of this key."""
    try:
        found = json.loads(data)
        head = Head(int(found["n"]), str(found["hash"]), float(found["at"]))
        signature = str(found["signature"])
    except (ValueError, TypeError, KeyError, RecursionError) as problem:
        raise Broken(f"{name} is no head of an audit log: it was altered or cut; {REMEDY}") from problem
    if not Checking(public).holds(signature, "head", head.n, head.hash, head.at):
        raise Broken(f"{name} was not signed with the audit key here: it was altered, or is another installation's")
    return head


class HeadFile:
    """The file of this machine."""

    def __init__(self, path: Path, key: Signing) -> None:
        self.path = path
        self._key = key
        self._last: Head | None = None  # should the file be taken away while we run

    def read(self) -> Head | None:
        """The head kept, None where there never was one; Broken where the file is not ours or cannot be read."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return self._last
        except OSError as problem:
            raise Broken(f"{self.path} cannot be read ({problem.strerror}): run Tocsin as its owner") from problem
        self._last = read_head(data, self._key.public, str(self.path))
        return self._last

    def keep(self, head: Head, *, back: bool = False) -> None:
        """Puts it on disk unless a later one lies there; `back`: also then. OSError where that fails."""
        signature = self._key.sign("head", head.n, head.hash, head.at)
        with self._alone():
            there = self.read()
            if there is not None and there.n > head.n and not back:
                return
            fd, draft = tempfile.mkstemp(dir=self.path.parent, prefix=".head")  # 0600
            try:
                with os.fdopen(fd, "w", encoding="ascii") as file:
                    file.write(json.dumps({**asdict(head), "signature": signature}) + "\n")
                    file.flush()
                    os.fsync(file.fileno())
                Path(draft).replace(self.path)
            except BaseException:
                Path(draft).unlink(missing_ok=True)
                raise
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
            self._last = head

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(self.path.parent / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)


async def advance(db: Connection, head: Head, pages: int = 0) -> Head:
    """The newest entry, bound to the head by every one between. Broken where the log does not extend the head.

    At most so many pages of 1,000 entries at once; ten where none is said.
    """
    n, _ = await last_entry(db)
    since = f"entry {head.n} was seen on {iso(head.at)}"
    if n < head.n:
        raise Broken(f"the audit log was rewritten: {since}, and now it ends at entry {n}; {REMEDY}")
    if head.n:
        stands = await db.scalar(sa.select(audit_log.c.hash).where(audit_log.c.n == head.n))
        if stands != head.hash:
            raise Broken(f"the audit log was rewritten: {since}, and another one stands there now; {REMEDY}")
    at, previous = head.n, head.hash
    for _ in range(pages or PAGES):
        page = sa.select(audit_log).where(audit_log.c.n > at).order_by(audit_log.c.n).limit(PAGE)
        rows = (await db.execute(page)).all()
        for row in rows:
            expected = entry_hash(previous, row.n, row.at, row.actor, row.act, row.subject, row.reason, row.detail)
            if row.n != at + 1 or row.hash != expected:
                raise Broken(
                    f"the audit log does not follow at entry {row.n}: it was altered, or one is missing; {REMEDY}"
                )
            at, previous = row.n, row.hash
        if len(rows) < PAGE:
            break
    return Head(at, previous, round(wall(), 6))


async def begun(db: Connection, key: Signing) -> Head:
    """The head from which a machine begins that kept none: the newest checkpoint of ours, else the first entry."""
    row = (await db.execute(sa.select(audit_checkpoint).order_by(audit_checkpoint.c.n.desc()).limit(1))).first()
    if row is None or not Checking(key.public).holds(row.signature, "checkpoint", row.n, row.hash, row.at):
        return Head()
    log.warning("audit_head_begun", n=row.n, reason="no head was kept on this machine: the database is believed once")
    return Head(row.n, row.hash, row.at)


class Keeper:
    """The gateway's watch over the log: looks, keeps the head, and signs it where a checkpoint is due."""

    def __init__(self, database: Database, key: Signing, heads: HeadFile) -> None:
        self._database = database
        self._key = key
        self._heads = heads
        self._said_at = -SAY_AGAIN_S
        self._walked, self._walk_again, self._old_fault = Head(), 0.0, ""

    async def inspect(self, *, sign: bool) -> bool:
        """Whether it signed one. `sign`: this gateway is the one that does; the others look all the same."""
        try:
            kept = await asyncio.to_thread(self._heads.read)
            async with self._database.read() as db:
                head = await advance(db, kept if kept is not None else await begun(db, self._key))
                due = await is_due(db, wall())
                await self._walk(db, head)
            if self._old_fault:
                raise Broken(self._old_fault)
        except Broken as fault:
            await self._alarm(AUDIT_REWRITTEN, fault.message)
            return False
        if kept is None or head.n > kept.n:
            try:
                await asyncio.to_thread(self._heads.keep, head)
            except OSError as problem:
                why = f"the head of the audit log cannot be kept in {self._heads.path} ({problem.strerror})"
                await self._alarm(AUDIT_UNKEPT, f"{why}: nothing of the log is signed until Tocsin may write there.")
                return False
        await self._all_clear()
        if not (sign and due):
            return False
        async with self._database.write() as tx:
            await make_checkpoint(tx, self._key, (head.n, head.hash))
        return True

    async def _walk(self, db: Connection, head: Head) -> None:
        """Looks at the next thousand entries, from the first one on: was one altered without what follows it?"""
        if self._walked.n >= head.n:
            self._old_fault = ""
            if time.monotonic() < self._walk_again:
                return
            self._walked, self._walk_again = Head(), time.monotonic() + WALK_AGAIN_S
        try:
            self._walked = await advance(db, self._walked, 1)
        except Broken as fault:  # it stands until a walk comes through
            self._old_fault, self._walked = fault.message, Head()

    async def _alarm(self, kind: str, why: str) -> None:
        if time.monotonic() - self._said_at < SAY_AGAIN_S:
            return
        self._said_at = time.monotonic()
        log.critical(kind, reason=why)
        async with self._database.write() as tx:
            await sound(tx, kind, why, quiet=kind == AUDIT_UNKEPT)

    async def _all_clear(self) -> None:
        """Ends what this process said, and what nobody has said again: another machine's alarm is its own."""
        mine, old = self._said_at > 0, wall() - 3 * SAY_AGAIN_S
        async with self._database.read() as db:
            found = await standing(db, AUDIT_REWRITTEN, AUDIT_UNKEPT)
        past = [a.name for a in found if mine or a.seen_at < old]
        if past:
            async with self._database.write() as tx:
                for name in past:
                    await over(tx, name)
        self._said_at = -SAY_AGAIN_S


async def accept(database: Database, key: Signing, heads: HeadFile, actor: str, reason: str) -> Head:
    """Makes the log as it stands the one to be extended from now on, and records that in it.

    Broken where it does not hold in itself. For a database that was put back from a backup.
    """
    try:
        kept = heads.read()
    except Broken:
        kept = None
    async with database.read() as db:  # the whole log is walked outside the transaction that writes
        await trail.verify(db)
        walked = Head(*await last_entry(db), wall())
    async with database.write() as tx:
        await locks.audit_head(tx)
        await advance(tx, walked)
        n, found = await last_entry(tx)
        seen = {"seen": kept.n, "seen_hash": kept.hash} if kept is not None else {}
        await trail.record(tx, actor, "audit.accept", "audit", reason, {"stood": n, "stood_hash": found, **seen})
        head = Head(*await last_entry(tx), round(wall(), 6))
        for kind in (AUDIT_REWRITTEN, AUDIT_UNKEPT):
            await over(tx, kind)
    heads.keep(head, back=True)
    return head
