"""Outbox and inbox: what a handler says is committed with what it did, and what it heard with its effects.

An outbox row goes when every subscriber has its inbox row; until then the bus shows it again. So a message may be
shown twice and takes effect once, whatever dies in between.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable

import sqlalchemy as sa

from services.shared.clock import wall
from services.shared.db import Connection, Database, Id, insert_new, metadata
from services.shared.errors import AlreadyHandled
from services.shared.messages import Message, encode

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("msg_id", Id, nullable=False, unique=True),
    sa.Column("topic", sa.String(40), nullable=False),
    sa.Column("tier", sa.SmallInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False, comment="wall"),
    sa.Column("tries", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("not_before", sa.Float, nullable=False, server_default="0", comment="wall; after a failed try"),
)
inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("consumer", sa.String(20), primary_key=True),
    sa.Column("msg_id", Id, primary_key=True),
)
dead_letter = sa.Table(
    "dead_letter",
    metadata,
    sa.Column("msg_id", Id, primary_key=True),
    sa.Column("consumer", sa.String(20), primary_key=True),
    sa.Column("topic", sa.String(40), nullable=False),
    sa.Column("tier", sa.SmallInteger, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("at", sa.Float, nullable=False, comment="wall"),
)

NAMESPACE = uuid.UUID("8f5a4b1e-6f0d-5c8e-9d36-7f4b6f1c2a10")


def id_of(*parts: object) -> str:
    """The same parts give the same id, in every process and after every restart."""
    return uuid.uuid5(NAMESPACE, "\x1f".join(str(p) for p in parts)).hex


def new_id() -> str:
    """An id of its own."""
    return uuid.uuid4().hex


async def say(tx: Connection, messages: Iterable[Message]) -> None:
    """Puts messages into the outbox in the caller's transaction; a message id said before is said once."""
    now = wall()
    rows = [
        {
            "msg_id": m.msg_id,
            "topic": type(m).__name__,
            "tier": m.tier,
            "body": encode(m),
            "created_at": now,
        }
        for m in messages
    ]
    await insert_new(tx, outbox, rows)


class Receipt:
    """A consumer's proof that it handled one message, written in the transaction of the effects."""

    def __init__(self, database: Database, consumer: str, msg_id: str) -> None:
        self.database = database
        self.consumer = consumer
        self.msg_id = msg_id

    async def record(self, tx: Connection) -> None:
        """Raises AlreadyHandled where the effects are on disk already."""
        added = await insert_new(tx, inbox, [{"consumer": self.consumer, "msg_id": self.msg_id}])
        if added == 0:
            raise AlreadyHandled(f"{self.consumer} has handled {self.msg_id}")


def digest_of(ids: Iterable[str]) -> str:
    """Order-free digest over ids, to compare a whole audience with what arrived of it: XOR of SHA-256, hex."""
    value = 0
    for one in ids:
        value ^= int.from_bytes(hashlib.sha256(one.encode()).digest()[:16])
    return f"{value:032x}"
