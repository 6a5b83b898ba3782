"""Keeps each key that signs through its versions: next, current, leaving, ended.

`tocsin keys rotate USE` announces a new version. When every process that holds the use has it on its disk, it signs; the
old one is leaving: what it signed is taken as before, until `tocsin keys end USE VERSION` takes it all back at once. The
database says where each version stands and its mark, and nothing that could sign.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import sqlalchemy as sa
import structlog

from services.shared.audit import trail
from services.shared.clock import wall
from services.shared.crypto.channels_keys import sign_anew
from services.shared.crypto.sealing import Keys, Use, load_secret, version_file, write_secret
from services.shared.crypto.signing import SIGNS, sign_of
from services.shared.database import locks
from services.shared.database.batches import insert_new, upsert
from services.shared.database.engine import Connection, Database, metadata
from services.shared.database.rows import columns, rows_of
from services.shared.errors import Broken, Conflict, NotFound, Refused

log = structlog.get_logger("keys")
STATES = ("next", "current", "leaving", "ended")
LOOK_EVERY_S = 2.0
ANSWER_S = 10.0  # within it every process that lives has said whether it holds a new version
SILENT_S = 60.0  # who lacks one and said so no later than this ago is gone

house_key = sa.Table(
    "house_key",
    metadata,
    sa.Column("use", sa.String(12), primary_key=True),
    sa.Column("version", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("mark", sa.String(32), nullable=False, comment="SHA-256 of the key, cut: who has another is told so"),
    sa.Column("state", sa.String(8), nullable=False),
    sa.Column("since", sa.Float, nullable=False, comment="wall"),
    sa.CheckConstraint("state IN ({})".format(",".join(f"'{s}'" for s in STATES)), name="state"),
)
house_key_process = sa.Table(
    "house_key_process",
    metadata,
    sa.Column("use", sa.String(12), primary_key=True),
    sa.Column("process", sa.String(80), primary_key=True),
    sa.Column("version", sa.SmallInteger, nullable=False),
    sa.Column("holds", sa.Boolean, nullable=False),
    sa.Column("seen_at", sa.Float, nullable=False, comment="wall"),
    comment="written only while a version is next",
)


class HouseKey(NamedTuple):
    """A version of a key that signs, and where it is in its life."""

    use: Use
    version: int
    mark: str
    state: str
    since: float


def mark_of(use: Use, key: bytes) -> str:
    """What tells one key from another and gives neither away."""
    return hashlib.sha256(f"tocsin {use} key".encode() + key).hexdigest()[:32]


async def versions_of(db: Connection, *uses: Use) -> dict[Use, list[HouseKey]]:
    """The versions of these keys, the oldest first."""
    query = sa.select(*columns(HouseKey, house_key)).where(house_key.c.use.in_(uses))
    found: dict[Use, list[HouseKey]] = defaultdict(list)
    for row in await rows_of(db, HouseKey, query.order_by(house_key.c.use, house_key.c.version)):
        found[row.use].append(row)
    return found


async def begin(database: Database, keys: Keys, uses: Collection[Use]) -> None:
    """Learns which versions sign and are accepted; the first process of an installation writes its own down.

    Broken where this one holds other keys than the others, or lacks one.
    """
    if not uses:
        return
    async with database.read() as db:
        found = await versions_of(db, *uses)
    if new := [use for use in uses if use not in found]:
        rows = []
        for use in new:
            version, key = next(iter(keys.ring(use).held.items()))
            rows.append(_row(use, version, key, "current"))
        async with database.write() as tx:
            await insert_new(tx, house_key, rows)
            found = await versions_of(tx, *uses)
    for use in uses:
        _settle(keys, use, found[use])
        for row in found[use]:
            if row.state in ("current", "leaving"):
                _must_hold(keys, row)


def _row(use: Use, version: int, key: bytes, state: str) -> dict[str, object]:
    return {"use": use, "version": version, "mark": mark_of(use, key), "state": state, "since": wall()}


def _settle(keys: Keys, use: Use, rows: Sequence[HouseKey]) -> None:
    current = next(row.version for row in rows if row.state == "current")
    keys.ring(use).settle(current, [row.version for row in rows if row.state == "ended"])


def _must_hold(keys: Keys, row: HouseKey) -> None:
    name, key = version_file(row.use, row.version), keys.ring(row.use).held.get(row.version)
    if key is None:
        raise Broken(
            f"the key {keys.directory / name} is missing: copy it from a process that has it, or from your key backup"
        )
    if mark_of(row.use, key) != row.mark:
        raise Broken(
            f"the key {name} here is not the one this database knows: give this process the same keys as the others, "
            "or restore them from your key backup"
        )


async def rotate(database: Database, keys: Keys, use: Use, *, actor: str, reason: str) -> int:
    """Announces a new version; its number. It is made here as <use>/<number>.key, unless it lies there already.

    Conflict while another waits to be held everywhere; Refused where the folder cannot be written.
    """
    async with database.write() as tx:
        await locks.house_keys(tx)
        rows = (await versions_of(tx, use))[use]
        if any(row.state == "next" for row in rows):
            raise Conflict(
                f"version {rows[-1].version} of {use} waits until every process holds it: see tocsin keys list"
            )
        new = max([row.version for row in rows] or keys.versions(use) or [0]) + 1
        if same := [row.version for row in rows if row.state != "ended" and sign_of(row.version) == sign_of(new)]:
            raise Conflict(
                f"{len(SIGNS)} versions of {use} are accepted, and more cannot be told apart: end version {same[0]}"
            )
        key = _made(keys, use, new)
        if any(row.mark == mark_of(use, key) for row in rows):
            raise Refused("that key was in use before: put 32 other random bytes there", field=version_file(use, new))
        await tx.execute(sa.delete(house_key_process).where(house_key_process.c.use == use))
        await tx.execute(sa.insert(house_key).values(**_row(use, new, key, "next")))
        await trail.record(tx, actor, "keys.rotate", f"{use} {new}", reason)
    return new


def _made(keys: Keys, use: Use, version: int) -> bytes:
    path = keys.directory / version_file(use, version)
    if not path.exists():
        try:
            write_secret(path, os.urandom(32))
        except OSError as problem:
            raise Refused(
                f"{path} cannot be made ({problem.strerror}): put 32 random bytes there yourself, for every process that "
                f"has a folder {use}, and run this again",
                field="TOCSIN_DATA_DIR",
            ) from problem
    return load_secret(path)


async def end(database: Database, keys: Keys, use: Use, version: int, *, actor: str, reason: str) -> None:
    """From now on what that version signed is not accepted. NotFound, or Conflict where it signs still or ended before."""
    async with database.write() as tx:
        await locks.house_keys(tx)
        rows = (await versions_of(tx, use))[use]
        row = next((one for one in rows if one.version == version), None)
        if row is None:
            raise NotFound(f"there is no version {version} of {use}: see tocsin keys list", field="version")
        if row.state == "current":
            raise Conflict(f"version {version} of {use} signs: begin a new one first, tocsin keys rotate {use}")
        if row.state == "ended":
            raise Conflict(f"version {version} of {use} has ended already")
        if use == "orders":  # what stands in the database must be signed by one that goes on
            _settle(keys, use, [one for one in rows if one.state != "ended"])
            await sign_anew(tx, keys.signer("orders"))
        await _move(tx, row, "ended")
        await trail.record(tx, actor, "keys.ended", f"{use} {version}", reason)
    _forget_files(keys, use, [version])


async def _move(tx: Connection, row: HouseKey, state: str) -> None:
    mine = (house_key.c.use == row.use, house_key.c.version == row.version)
    await tx.execute(sa.update(house_key).where(*mine).values(state=state, since=wall()))


def _forget_files(keys: Keys, use: Use, ended: Sequence[int]) -> None:
    for version in ended:
        path = keys.directory / version_file(use, version)
        try:
            path.unlink(missing_ok=True)
        except OSError as problem:
            log.warning("ended_key_to_delete", key=version_file(use, version), reason=type(problem).__name__)


class KeyStanding(NamedTuple):
    """A version as the operator sees it; `lacking` names processes that do not hold it yet."""

    key: HouseKey
    lacking: tuple[str, ...]


async def standing(database: Database, *uses: Use) -> list[KeyStanding]:
    """Every version of these keys there was."""
    async with database.read() as db:
        found = await versions_of(db, *uses)
        lacking = await _lacking(db)
    return [
        KeyStanding(row, lacking.get((row.use, row.version), ()) if row.state == "next" else ())
        for use in uses
        for row in found[use]
    ]


async def _lacking(db: Connection) -> dict[tuple[str, int], tuple[str, ...]]:
    one = house_key_process.c
    query = sa.select(one.use, one.version, one.process).where(sa.not_(one.holds), one.seen_at > wall() - SILENT_S)
    found: dict[tuple[str, int], tuple[str, ...]] = {}
    for row in await db.execute(query.order_by(one.process)):
        found[row.use, row.version] = (*found.get((row.use, row.version), ()), row.process)
    return found


class HouseKeys:
    """One process's part: it looks every two seconds, says what it holds while a version is new, and lets ended ones go."""

    def __init__(
        self,
        database: Database,
        keys: Keys,
        process: str,
        *,
        sole: bool = False,
        source: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._keys = keys
        self._process = process
        self._sole = sole
        self._source = source
        self._first_seen: dict[tuple[Use, int], float] = {}  # by our own clock: those of others may be wrong
        self._let_go: set[tuple[Use, int]] = set()

    async def turn(self) -> bool:
        """Learns what changed; True where a version of ours has just begun to sign."""
        if not self._keys.uses:
            return False
        async with self._database.read() as db:
            found = await versions_of(db, *self._keys.uses)
        did = False
        for use, rows in found.items():
            _settle(self._keys, use, rows)
            gone = [row.version for row in rows if row.state == "ended" and (use, row.version) not in self._let_go]
            _forget_files(self._keys, use, gone)
            self._let_go.update((use, version) for version in gone)
            for row in rows:
                if row.state == "next":
                    did = await self._take_up(row) or did
        return did

    async def _take_up(self, row: HouseKey) -> bool:
        ring = self._keys.ring(row.use)
        if row.version not in ring.held:
            ring.look_again()
        key = ring.held.get(row.version)
        holds = key is not None and mark_of(row.use, key) == row.mark
        if not holds:
            name = version_file(row.use, row.version)
            log.warning("house_key_missing" if key is None else "house_key_differs", key=name, do="copy it here")
        since = self._first_seen.setdefault((row.use, row.version), self._source())
        async with self._database.write() as tx:
            mine = {"use": row.use, "process": self._process, "version": row.version, "holds": holds, "seen_at": wall()}
            await upsert(tx, house_key_process, [mine], ["use", "process"], replace=["version", "holds", "seen_at"])
        if not holds or not (self._sole or self._source() - since >= ANSWER_S):
            return False
        return await self._promote(row)

    async def _promote(self, row: HouseKey) -> bool:
        async with self._database.write() as tx:
            await locks.house_keys(tx)
            rows = (await versions_of(tx, row.use))[row.use]
            if row not in rows or (row.use, row.version) in await _lacking(tx):
                return False
            for old in rows:
                if old.state == "current":
                    await _move(tx, old, "leaving")
            await _move(tx, row, "current")
            await trail.record(tx, self._process, "keys.current", f"{row.use} {row.version}", "every process holds it")
            rows = (await versions_of(tx, row.use))[row.use]
        _settle(self._keys, row.use, rows)
        return True
