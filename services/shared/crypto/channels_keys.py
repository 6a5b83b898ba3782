"""Keeps the channels key through its lives: next, current, leaving, gone.

`tocsin keys rotate` lays a new key beside the old one and writes it here as next. When every channels process holds it,
it is current: sealers wrap for it from then on, channels wrap what there is anew, and when nothing is wrapped for the
old one any more its file is replaced. Rows carry a MAC: a database that is not ours cannot have pages sealed for it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
import structlog

from services.shared.audit import trail
from services.shared.clock import wall
from services.shared.crypto.sealing import Keys, load_secret, page_key, public_half, public_id, write_secret
from services.shared.crypto.signing import Signer
from services.shared.database import locks
from services.shared.database.engine import Connection, Database, metadata
from services.shared.database.rows import columns, rows_of
from services.shared.errors import Broken, Conflict, NotAllowed, Refused

log = structlog.get_logger("keys")
STATES = ("next", "current", "leaving", "gone")
_USE = "channels key"
sealing_key = sa.Table(
    "sealing_key",
    metadata,
    sa.Column("public_id", sa.String(16), primary_key=True),
    sa.Column("public", sa.LargeBinary, nullable=False),
    sa.Column("state", sa.String(8), nullable=False),
    sa.Column("since", sa.Float, nullable=False, comment="wall"),
    sa.Column("mac", sa.String(64), nullable=False, comment="by the key orders, over the other columns"),
    sa.CheckConstraint("state IN ({})".format(",".join(f"'{s}'" for s in STATES)), name="state"),
    comment="empty until a channels key is replaced for the first time",
)


class SealingKey(NamedTuple):
    """A channels key and where it is in its life."""

    public_id: str
    public: bytes
    state: str
    since: float
    mac: str


def _row(signer: Signer, public: bytes, state: str) -> dict[str, object]:
    since = round(wall(), 6)
    return {
        "public_id": public_id(public), "public": public, "state": state, "since": since,
        "mac": signer.mac(_USE, _subject(public, state, since)),
    }  # fmt: skip


def _subject(public: bytes, state: str, since: float) -> str:
    return f"{public.hex()} {state} {since!r}"


def _is_ours(signer: Signer, row: SealingKey) -> bool:
    try:
        return signer.vouches(_USE, _subject(row.public, row.state, row.since), row.mac)
    except NotAllowed:  # by a version that has ended: nothing of ours stands under one
        return False


async def sign_anew(tx: Connection, signer: Signer) -> None:
    """Every row that is ours, under the version that signs now."""
    for row in await rows_of(tx, SealingKey, sa.select(*columns(SealingKey, sealing_key))):
        if _is_ours(signer, row):
            mac = signer.mac(_USE, _subject(row.public, row.state, row.since))
            await tx.execute(sa.update(sealing_key).where(sealing_key.c.public_id == row.public_id).values(mac=mac))


async def known(db: Connection, signer: Signer) -> Mapping[str, SealingKey]:
    """State > row of the keys in use (and every gone one under its id); Broken where a row is not ours."""
    found: dict[str, SealingKey] = {}
    query = sa.select(*columns(SealingKey, sealing_key)).order_by(sealing_key.c.since)
    for row in await rows_of(db, SealingKey, query):
        if not _is_ours(signer, row):
            raise Broken(
                f"the channels key {row.public_id} was not announced by this installation: somebody else wrote into "
                "sealing_key; nothing is sealed until its row is taken out"
            )
        found[row.public_id if row.state == "gone" else row.state] = row
    return found


async def learn(database: Database, keys: Keys) -> None:
    """Sealers wrap for the key that is current now; where somebody else wrote there, for the one they know."""
    try:
        async with database.read() as db:
            found = await known(db, keys.signer("orders"))
    except Broken as fault:
        log.warning("channels_keys_not_ours", reason=fault.message)
        return
    if (now := found.get("current")) is not None:
        keys.announce(now.public)


async def check(database: Database, keys: Keys, *, opens: bool) -> bool:
    """Whether a key was ever replaced here; if so, Broken where this process has neither the current nor an older one.

    Who opens must hold the current one; who seals learns it.
    """
    async with database.read() as db:
        found = await known(db, keys.signer("orders"))
    if (now := found.get("current")) is None:
        return False
    ours = {public_id(public_half(private)) for private in keys.privates()} if opens else {public_id(keys.public)}
    if opens and now.public_id not in ours:
        raise Broken(
            f"the channels key {now.public_id} is missing here: copy channels.key (while it is being replaced also "
            "channels-*.key) from a process that has it, or from your key backup"
        )
    if not ours & {row.public_id for row in found.values()}:
        raise Broken(
            "the public key here is not one this database was sealed with: give this process channels.pub again"
        )
    keys.announce(now.public)
    return True


async def rotate(database: Database, keys: Keys, *, actor: str, reason: str) -> tuple[str, str]:
    """Begins the replacement; (id of the old key, id of the new). What follows the running channels processes do.

    A new key is made here as channels-<id>.key; where the folder cannot be written, one that lies there already as
    channels-*.key is taken. Conflict while another replacement is under way.
    """
    private, made = _new_private(keys.directory)
    try:
        async with database.write() as tx:
            await locks.sealing_keys(tx)
            found = await known(tx, keys.signer("orders"))
            if {"next", "leaving"} & found.keys():
                raise Conflict("a channels key is being replaced already: wait until `tocsin keys list` shows one key")
            old = found["current"].public if "current" in found else public_half(keys.private)
            new = public_half(private)
            if public_id(new) in {public_id(old), *found}:
                raise Refused("that key was in use before: give a new one", field="channels-*.key")
            rows = [] if "current" in found else [_row(keys.signer("orders"), old, "current")]
            rows.append(_row(keys.signer("orders"), new, "next"))
            for row in rows:
                await tx.execute(sa.insert(sealing_key).values(**row))
            await trail.record(tx, actor, "keys.rotate", public_id(new), reason, {"old": public_id(old)})
    except BaseException:
        if made is not None:
            made.unlink(missing_ok=True)
        raise
    return public_id(old), public_id(new)


def _new_private(directory: Path) -> tuple[bytes, Path | None]:
    """(the new key, its file if it was made here)."""
    waiting = sorted(directory.glob("channels-*.key"))
    if waiting:
        return load_secret(waiting[0]), None
    private = os.urandom(32)
    path = directory / f"channels-{public_id(public_half(private))}.key"
    try:
        write_secret(path, private)
    except OSError as problem:
        raise Refused(
            f"{path} cannot be made ({problem.strerror}): put 32 random bytes there yourself, beside channels.key of every "
            "channels process, and run this again",
            field="TOCSIN_DATA_DIR",
        ) from problem
    return private, path


async def move_key(tx: Connection, signer: Signer, row: SealingKey, state: str) -> None:
    """One step of a key's life, in the caller's transaction."""
    new = _row(signer, row.public, state)
    await tx.execute(sa.update(sealing_key).where(sealing_key.c.public_id == row.public_id).values(**new))


async def wrapped_for(db: Connection) -> dict[str, int]:
    """Key id > page keys wrapped for it."""
    rows = await db.execute(sa.select(page_key.c.public_id, sa.func.count()).group_by(page_key.c.public_id))
    return {row[0]: row[1] for row in rows}


async def list_keys(database: Database, keys: Keys) -> Sequence[tuple[str, str, float, int]]:
    """(id, state, since, page keys wrapped for it) of each channels key there was: those that are gone first, the next last."""
    async with database.read() as db:
        found, counts = await known(db, keys.signer("orders")), await wrapped_for(db)
    if not found:
        only = public_id(keys.public)
        return [(only, "current", 0.0, counts.get(only, 0))]
    rows = sorted(found.values(), key=lambda row: (-STATES.index(row.state), row.since))
    return [(row.public_id, row.state, row.since, counts.get(row.public_id, 0)) for row in rows]
