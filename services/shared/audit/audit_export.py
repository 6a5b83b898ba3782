"""Exports the audit log as a file that the public key alone verifies.

One JSON line each: the head, entries in order, after an entry its checkpoint, and an end that signs the last entry
and all bytes before it. What is recorded later no file can show: its end says when it was made.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import sqlalchemy as sa

from services.shared.audit import trail
from services.shared.audit.audit_head import HeadFile, advance
from services.shared.audit.checkpoints import (
    Checking,
    Signing,
    audit_checkpoint,
    canonical,
    last_entry,
    make_checkpoint,
)
from services.shared.audit.trail import GENESIS, audit_log, entry_hash
from services.shared.clock import wall
from services.shared.database.engine import Connection, Database
from services.shared.errors import Broken, Conflict, Refused

FORMAT = "tocsin audit export 1"
PAGE = 1000
LONGEST = 1 << 20  # bytes of a line; an entry of ours has at most some thousand
_ENTRY = ("n", "at", "actor", "act", "subject", "reason", "detail", "hash")
_CHECKPOINT = ("n", "hash", "at", "signature")
_END = ("n", "hash", "at", "checkpoints", "sha256", "signature")


@dataclass(frozen=True)
class Verified:
    """What an export proves: entries 1 to `n`, the last with `hash`, stood so at `at` (wall, seconds since 1970)."""

    n: int
    hash: str
    at: float
    checkpoints: int
    broken: str = ""  # why it was not signed for when it was written


async def export(
    database: Database, key: Signing, file: Path, plane: str, actor: str, heads: HeadFile | None = None
) -> Verified:
    """Writes the log up to now, with a checkpoint at its end. Conflict where the file is there already: nothing is
    lost.

    The export is itself an entry, the last one of it. Where the log does not extend the head kept in `heads` no checkpoint
    is made, and the file says so: who verifies it is told.
    """
    draft = await asyncio.to_thread(_Draft, file)
    broken = await _rewritten(database, heads) if heads is not None else ""
    async with database.write() as tx:
        await trail.record(tx, actor, "audit.export", "audit", "written to a file", {})
        n, last = await last_entry(tx) if broken else await make_checkpoint(tx, key)
    count = 0
    try:
        draft.put({"format": FORMAT, "plane": plane, "public_key": key.public})
        async with database.read() as db:
            async for value in _lines(db, n):
                count += "checkpoint" in value
                draft.put(value)
        if broken:
            draft.put({"broken": broken})
        at, sha256 = round(wall(), 6), draft.digest.hexdigest()
        signature = key.sign("end", n, last, at, count, sha256)
        draft.put({"end": dict(zip(_END, (n, last, at, count, sha256, signature), strict=True))})
        await asyncio.to_thread(draft.keep)
    finally:
        draft.drop()
    return Verified(n, last, at, count, broken)


async def _rewritten(database: Database, heads: HeadFile) -> str:
    """How the log does not extend the head kept outside the database; empty where it does, or none was kept here."""
    try:
        head = await asyncio.to_thread(heads.read)
        async with database.read() as db:
            if head is not None:
                await advance(db, head)
    except Broken as fault:
        return fault.message
    return ""


class _Draft:
    """The file while it is written, readable by its owner alone; under its own name only when it is whole."""

    def __init__(self, file: Path) -> None:
        self._file = file
        if file.exists():
            raise Conflict(f"{file} is there already: an earlier export is evidence; give another name", field="FILE")
        try:
            fd, path = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}")  # 0600
        except OSError as problem:
            raise Refused(
                f"{file} cannot be written: {problem.strerror}; give another place", field="FILE"
            ) from problem
        self._path = Path(path)
        self._out = os.fdopen(fd, "wb")
        self.digest = hashlib.sha256()

    def put(self, value: Mapping[str, object]) -> None:
        line = canonical(value).encode() + b"\n"
        self.digest.update(line)
        self._out.write(line)

    def keep(self) -> None:
        self._out.flush()
        os.fsync(self._out.fileno())
        try:
            os.link(self._path, self._file)
        except FileExistsError as problem:
            raise Conflict(f"{self._file} was made meanwhile: give another name", field="FILE") from problem

    def drop(self) -> None:
        self._out.close()
        self._path.unlink()


async def _lines(db: Connection, upto: int) -> AsyncIterator[dict[str, object]]:
    """Entries 1 to `upto`, each followed by its checkpoint if it has one; a page in memory at a time."""
    done = 0
    while done < upto:
        last = min(done + PAGE, upto)
        span = (audit_log.c.n > done, audit_log.c.n <= last)
        entries = (await db.execute(sa.select(audit_log).where(*span).order_by(audit_log.c.n))).all()
        signed = sa.select(audit_checkpoint).where(audit_checkpoint.c.n > done, audit_checkpoint.c.n <= last)
        checkpoints = {row.n: row for row in await db.execute(signed)}
        for row in entries:
            yield {name: row._mapping[name] for name in _ENTRY}
            if (point := checkpoints.get(row.n)) is not None:
                yield {"checkpoint": {name: point._mapping[name] for name in _CHECKPOINT}}
        done = last


def verify_export(file: IO[bytes], public: str, earlier: Verified | None = None) -> Verified:
    """Walks an export; needs no database and no settings. Broken says where it does not hold, and what that means.

    `earlier` is what an older export of the same log proved: its last entry must still stand in this one.
    """
    return _Walk(Checking(public), earlier).through(file)


class _Walk:
    """One pass over a file, a line in memory at a time."""

    def __init__(self, checking: Checking, earlier: Verified | None) -> None:
        self._checking = checking
        self._earlier = earlier
        self._n, self._hash, self._checkpoints = 0, GENESIS, 0
        self._signed_at: int | None = None  # the entry of the last checkpoint
        self._digest = hashlib.sha256()

    def through(self, file: IO[bytes]) -> Verified:
        number, end = 0, None
        while line := file.readline(LONGEST):
            number += 1
            if end is not None:
                raise Broken(f"line {number}: something follows the end: it was added later")
            value = self._read(number, line)
            if number == 1:
                self._head(value)
            elif tuple(value) == ("end",):
                end = self._end(_named(value["end"], _END, number))
            elif tuple(value) == ("broken",):
                raise Broken(f"line {number}: when it was written, it was not signed for: {str(value['broken'])[:400]}")
            elif tuple(value) == ("checkpoint",):
                self._checkpoint(_named(value["checkpoint"], _CHECKPOINT, number), number)
            else:
                self._entry(_named(value, _ENTRY, number), number)
            self._digest.update(line)
        if end is None:
            raise Broken(
                f"the file has no end: it was cut after entry {self._n}, and how much is missing it cannot show; "
                "ask for a whole export"
            )
        return end

    def _read(self, number: int, line: bytes) -> dict[str, object]:
        try:
            value = json.loads(line.decode("utf-8", "strict"), parse_constant=_no_constant)
        except (ValueError, RecursionError) as problem:
            raise Broken(f"line {number} is not one of ours: it was altered or cut") from problem
        try:
            same = isinstance(value, dict) and canonical(value).encode() + b"\n" == line
        except (ValueError, RecursionError):  # lone surrogates, numbers without end
            same = False
        if not same:
            raise Broken(f"line {number} is not written as we write it: it was altered")
        found: dict[str, object] = value
        return found

    def _head(self, value: Mapping[str, object]) -> None:
        if value.get("format") != FORMAT:
            raise Broken(f"this is no audit export of a kind known here: its first line does not say {FORMAT!r}")

    def _entry(self, entry: tuple[object, ...], number: int) -> None:
        n, found = entry[0], entry[-1]
        if type(n) is not int or n != self._n + 1:
            raise Broken(f"line {number}: entry {n} follows entry {self._n}: one is missing, doubled or out of order")
        expected = entry_hash(self._hash, *entry[:-1])
        if found != expected:
            raise Broken(f"line {number}: entry {n} does not follow from the one before: it or that one was altered")
        self._n, self._hash = n, expected
        if self._earlier is not None and n == self._earlier.n and expected != self._earlier.hash:
            raise Broken(f"entry {n} is another one than in the earlier export: the log was written anew")

    def _checkpoint(self, point: tuple[object, ...], number: int) -> None:
        n, found, at, signature = point
        if (n, found) != (self._n, self._hash) or n == self._signed_at:
            raise Broken(
                f"line {number}: the checkpoint is not of the entry it follows: entries are missing or altered"
            )
        if not self._checking.holds(signature, "checkpoint", n, found, at):
            raise Broken(f"line {number}: the checkpoint of entry {n} was not signed by the owner of this public key")
        self._signed_at = self._n
        self._checkpoints += 1

    def _end(self, end: tuple[object, ...]) -> Verified:
        n, found, at, count, sha256, signature = end
        if not self._checking.holds(signature, "end", n, found, at, count, sha256):
            raise Broken(
                "the end was not signed by the owner of this public key: ask again for the key, then for the file"
            )
        if (n, found) != (self._n, self._hash):
            raise Broken(f"the file ends after entry {self._n}, and {n} were signed for: entries are missing")
        if count != self._checkpoints or sha256 != self._digest.hexdigest():
            raise Broken("the lines are not the ones that were signed for at the end: the file was altered")
        if self._n and self._signed_at != self._n:
            raise Broken(f"the last checkpoint does not cover the end, entry {self._n}: ask for a whole export")
        if self._earlier is not None and self._n < self._earlier.n:
            raise Broken(
                f"it ends at entry {self._n}, before the earlier export's entry {self._earlier.n}: entries are missing"
            )
        return Verified(self._n, self._hash, cast(float, at), self._checkpoints)  # the time was signed for


def _named(value: object, names: tuple[str, ...], number: int) -> tuple[object, ...]:
    if not isinstance(value, dict) or set(value) != set(names):
        raise Broken(f"line {number} is neither an entry nor a checkpoint: it was altered")
    return tuple(value[name] for name in names)


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is no number of ours")
