"""Signs checkpoints of the audit log: the public key shows what was changed or removed before one.

A checkpoint signs (entry number, its hash, time) with the installation's Ed25519 key. The gateway makes one every
1,000 entries or 60 s and writes it to its log too, where logs are kept; an export makes one at its end.
"""

from __future__ import annotations

import json

import sqlalchemy as sa
import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.shared.audit.trail import GENESIS, audit_log
from services.shared.clock import wall
from services.shared.database.batches import insert_new
from services.shared.database.engine import Connection, metadata
from services.shared.errors import Broken, Refused

log = structlog.get_logger("audit")
EVERY_ENTRIES = 1000
EVERY_S = 60.0
audit_checkpoint = sa.Table(
    "audit_checkpoint",
    metadata,
    sa.Column("n", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("hash", sa.String(64), nullable=False, comment="of the entry n"),
    sa.Column("at", sa.Float, nullable=False, comment="wall"),
    sa.Column("signature", sa.String(128), nullable=False, comment="Ed25519, hex"),
)


def canonical(value: object) -> str:
    """JSON in the one form that is hashed and signed."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _signed(what: str, values: tuple[object, ...]) -> bytes:
    return canonical([f"tocsin audit {what} 1", *values]).encode()


class Signing:
    """The installation's private side; `public` is what auditors are given, as 64 hex digits."""

    def __init__(self, private: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(private)
        self.public = self._private.public_key().public_bytes_raw().hex()

    def sign(self, what: str, *values: object) -> str:
        """The signature of a statement `what` over these values, hex."""
        return self._private.sign(_signed(what, values)).hex()


class Checking:
    """An auditor's side: the public key and nothing else. Refused where that is no key."""

    def __init__(self, public: str) -> None:
        try:
            self._public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public.strip()))
        except ValueError as problem:
            raise Refused(
                "that is no public key: give the 64 hex digits that `tocsin audit key` prints, or a file that holds them",
                field="--public-key",
                given=public[:80],
            ) from problem

    def holds(self, signature: object, what: str, *values: object) -> bool:
        """Whether this key's owner signed exactly that."""
        if not isinstance(signature, str):
            return False
        try:
            self._public.verify(bytes.fromhex(signature), _signed(what, values))
        except (InvalidSignature, ValueError, TypeError):
            return False
        return True


async def last_entry(db: Connection) -> tuple[int, str]:
    """(number, hash) of the newest entry; (0, GENESIS) of an empty log."""
    newest = sa.select(audit_log.c.n, audit_log.c.hash).order_by(audit_log.c.n.desc()).limit(1)
    row = (await db.execute(newest)).first()
    return (row.n, row.hash) if row else (0, GENESIS)


async def is_due(db: Connection, now: float) -> bool:
    """Whether there are 1,000 entries after the last checkpoint, or any and it is 60 s old."""
    newest = sa.select(audit_checkpoint).order_by(audit_checkpoint.c.n.desc()).limit(1)
    last, (n, _) = (await db.execute(newest)).first(), await last_entry(db)
    if last is None:
        return n > 0
    return bool(n - last.n >= EVERY_ENTRIES or (n > last.n and now - last.at >= EVERY_S))


async def make_checkpoint(tx: Connection, key: Signing, head: tuple[int, str] | None = None) -> tuple[int, str]:
    """Signs `head`, which somebody saw to follow, or the newest entry, if that was not done; (number, hash) of it."""
    n, found = head or await last_entry(tx)
    at = round(wall(), 6)
    row = {"n": n, "hash": found, "at": at, "signature": key.sign("checkpoint", n, found, at)}
    if n and await insert_new(tx, audit_checkpoint, [row]):
        log.info("audit_checkpoint", **row)
    return n, found


async def verify_checkpoints(db: Connection, public: str) -> int:
    """The number of checkpoints. Broken names the first that we did not sign, or whose entry is another one or
    missing."""
    checking, count = Checking(public), 0
    entry = sa.select(audit_log.c.hash).where(audit_log.c.n == audit_checkpoint.c.n).scalar_subquery()
    for row in await db.execute(sa.select(audit_checkpoint, entry.label("stands")).order_by(audit_checkpoint.c.n)):
        count += 1
        if not checking.holds(row.signature, "checkpoint", row.n, row.hash, row.at):
            raise Broken(f"the checkpoint of audit entry {row.n} was not signed with the audit key here")
        if row.stands is None:
            raise Broken(
                f"the audit log ends before its entry {row.n}, of which there is a checkpoint: its end was cut"
            )
        if row.stands != row.hash:
            raise Broken(f"the audit entry {row.n} is not the one its checkpoint was signed for: it was replaced")
    return count
