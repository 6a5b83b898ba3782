"""Records every privileged act and every look at a person, each entry bound to the one before it.

entry hash = SHA-256(previous hash || canonical JSON of the entry). People appear by id only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import sqlalchemy as sa

from services.shared.clock import wall
from services.shared.database import locks
from services.shared.database.engine import Connection, metadata
from services.shared.errors import Broken

audit_log = sa.Table(
    "audit_log",
    metadata,
    sa.Column("n", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("at", sa.Float, nullable=False, comment="wall"),
    sa.Column("actor", sa.String(80), nullable=False),
    sa.Column("act", sa.String(40), nullable=False),
    sa.Column("subject", sa.String(80), nullable=False),
    sa.Column("reason", sa.String(400), nullable=False),
    sa.Column("detail", sa.JSON, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)
sa.Index("ix_audit_log_subject", audit_log.c.subject)
GENESIS = "0" * 64
_LAST = sa.select(audit_log.c.n, audit_log.c.hash).order_by(audit_log.c.n.desc()).limit(1)
_APPEND = sa.insert(audit_log)


def entry_hash(
    previous: str, n: object, at: object, actor: object, act: object, subject: object, reason: object, detail: object
) -> str:
    """The link of one entry to the one before."""
    body = json.dumps(
        [n, at, actor, act, subject, reason, detail], sort_keys=True, ensure_ascii=False, separators=(",", ":")
    )
    return hashlib.sha256(previous.encode() + body.encode()).hexdigest()


async def record(
    tx: Connection, actor: str, act: str, subject: str, reason: str, detail: Mapping[str, object] | None = None
) -> None:
    """Appends one entry in the caller's transaction: what is not audited did not happen."""
    await locks.audit_log(tx)
    last = (await tx.execute(_LAST)).first()
    n, previous = (last.n + 1, last.hash) if last else (1, GENESIS)
    at, detail = round(wall(), 6), detail or {}
    entry = {
        "n": n, "at": at, "actor": actor, "act": act, "subject": subject, "reason": reason, "detail": detail,
        "hash": entry_hash(previous, n, at, actor, act, subject, reason, detail),
    }  # fmt: skip
    await tx.execute(_APPEND, entry)


async def verify(db: Connection) -> int:
    """Walks the chain and returns its length; Broken names the first entry that does not follow."""
    previous, count = GENESIS, 0
    for row in await db.execute(sa.select(audit_log).order_by(audit_log.c.n)):
        count += 1
        expected = entry_hash(previous, row.n, row.at, row.actor, row.act, row.subject, row.reason, row.detail)
        if row.n != count or row.hash != expected:
            raise Broken(f"the audit log does not follow at entry {row.n}: it was altered, or an entry is missing")
        previous = row.hash
    return count
