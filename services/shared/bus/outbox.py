"""Keeps outbox and inbox: a message commits with what it tells, and its handling with its effects.

An outbox row goes when every subscriber has handled it; until then the bus shows it again. So a message may be
shown twice and takes effect once, whatever dies in between. What a bus carries beside it is a hint and proves nothing.

A message with one subscriber needs no inbox row: its handling deletes the outbox row in the transaction of its effects.
Whoever dies before the commit leaves the row, and it is shown again; whoever dies after it leaves none, and a hint that comes
again finds nothing. Two who are shown it at once both delete: one waits for the other, and then finds the row gone or, where
the other rolled back, there. A message with several keeps the row till the last of them, and one inbox row for each.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from services.shared.audit import trail
from services.shared.clock import wall
from services.shared.database.batches import insert_new, one_of
from services.shared.database.engine import Connection, Database, Id, metadata
from services.shared.errors import AlreadyHandled, NotFound, Refused
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
    sa.Column("tries", sa.JSON, nullable=False, server_default="{}", comment="consumer > how it fared, see Attempts"),
    sa.Column(
        "not_before", sa.Float, nullable=False, server_default="0", comment="wall; after a failed try, or leased"
    ),
    sa.Column("published_at", sa.Float, comment="wall; when a broker confirmed the hint to it"),
)
_unpublished = outbox.c.published_at.is_(None)
sa.Index("ix_outbox_unpublished", outbox.c.tier, outbox.c.id, sqlite_where=_unpublished, postgresql_where=_unpublished)


class OutboxRow(NamedTuple):
    """A message as its consumers are shown it; `tries` by consumer, each the fields of Attempts."""

    id: int
    msg_id: str
    topic: str
    tier: int
    body: bytes
    tries: dict[str, list[float]]


inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("consumer", sa.String(20), primary_key=True),
    sa.Column("msg_id", Id, primary_key=True, index=True),
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
_NAMESPACE = NAMESPACE.bytes
_VERSION_5 = 5 << 76 | 2 << 62  # version and variant, as RFC 9562 places them
_FREE = ~(15 << 76 | 3 << 62)


def id_of(*parts: object) -> str:
    """The same parts give the same id, in every process and after every restart.

    It is `uuid.uuid5(NAMESPACE, ...).hex`, without a UUID made for each of a page's deliveries.
    """
    found = hashlib.sha1(_NAMESPACE + "\x1f".join([str(p) for p in parts]).encode(), usedforsecurity=False).digest()
    return f"{int.from_bytes(found[:16]) & _FREE | _VERSION_5:032x}"


def new_id() -> str:
    """An id of its own."""
    return uuid.uuid4().hex


# Who hears what, in every deployment: an outbox row goes when all of these have handled it.
SUBSCRIBERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "WarningIssued": ("registry", "router"),
        "AudienceFound": ("router",),
        "DeliveryDue": ("channels",),
        "NoticeRequested": ("channels",),
        "EvidenceRecorded": ("router",),
    }
)

# Consumer > topics nobody else hears: the outbox row is all that is kept of their messages.
ALONE_WITH = {
    one: tuple(topic for topic, consumers in SUBSCRIBERS.items() if consumers == (one,))
    for one in sorted({consumer for consumers in SUBSCRIBERS.values() for consumer in consumers})
}


async def publish(tx: Connection, messages: Iterable[Message]) -> None:
    """Puts messages into the outbox in the caller's transaction; a message id said before is said once.

    Refused where nobody hears the topic: the row would lie there for ever.
    """
    now = wall()
    rows = [
        {
            "msg_id": m.msg_id,
            "topic": type(m).__name__,
            "tier": m.urgency,
            "body": encode(m),
            "created_at": now,
        }
        for m in messages
    ]
    for topic in {str(row["topic"]) for row in rows} - SUBSCRIBERS.keys():
        raise Refused(
            f"nobody hears {topic}: name its subscribers in SUBSCRIBERS",
            field="topic",
            rule="a topic has subscribers",
            given=topic,
            remedy="name its subscribers in SUBSCRIBERS",
        )
    await insert_new(tx, outbox, rows)


_ALONE = sa.delete(outbox).where(
    outbox.c.msg_id == sa.bindparam("one"), outbox.c.topic.in_(sa.bindparam("topics", expanding=True))
)
_SAID = (
    sa.select(sa.bindparam("by", type_=inbox.c.consumer.type), outbox.c.msg_id)
    .where(outbox.c.msg_id == sa.bindparam("one"))
    .with_for_update(read=True, key_share=True)
)
_RECEIPT = {
    name: dialect.insert(inbox).from_select(["consumer", "msg_id"], _SAID).on_conflict_do_nothing()
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))
}


class Receipt:
    """A consumer's proof that it handled one message, written in the transaction of the effects."""

    def __init__(self, database: Database, consumer: str, msg_id: str) -> None:
        self.database = database
        self.consumer = consumer
        self.msg_id = msg_id

    async def record(self, tx: Connection) -> None:
        """Raises AlreadyHandled where the effects are on disk already, or where no such message was ever said.

        The outbox row goes where nobody else hears of it. Else it is held against its deletion while the receipt is
        written: no row means that everybody is done with the message, and a late or forged hint of it finds nothing to do.
        """
        topics = sorted(ALONE_WITH.get(self.consumer, ()))
        if topics and (await tx.execute(_ALONE, {"one": self.msg_id, "topics": topics})).rowcount:
            return
        receipt = await tx.execute(_RECEIPT[tx.dialect.name], {"by": self.consumer, "one": self.msg_id})
        if receipt.rowcount == 0:
            raise AlreadyHandled(f"{self.consumer} has handled {self.msg_id}")


async def forget_handled(database: Database, limit: int = 500) -> int:
    """Deletes what all subscribers have handled, outbox row and receipts together; how many messages that were."""
    one, all_of = inbox.alias("one"), []
    for topic, consumers in SUBSCRIBERS.items():
        others = [
            sa.exists().where(inbox.c.consumer == other, inbox.c.msg_id == outbox.c.msg_id) for other in consumers[1:]
        ]
        all_of.append(sa.and_(outbox.c.topic == topic, one.c.consumer == consumers[0], *others))
    done = (
        sa.select(outbox.c.msg_id)
        .join(one, one.c.msg_id == outbox.c.msg_id)
        .where(sa.or_(*all_of))
        .limit(limit)
        .with_for_update(of=outbox, skip_locked=True)
    )
    async with database.read() as db:
        if (await db.scalar(sa.select(inbox.c.msg_id).limit(1))) is None:
            return 0  # nothing to write: a look costs nobody a turn
    async with database.write() as tx:
        ids = (await tx.scalars(done)).all()
        await forget(tx, ids)
    return len(ids)


async def forget(tx: Connection, ids: Sequence[str]) -> None:
    """Deletes messages with their receipts."""
    if ids:
        await tx.execute(sa.delete(outbox).where(one_of(outbox.c.msg_id, ids)))
        await tx.execute(sa.delete(inbox).where(one_of(inbox.c.msg_id, ids)))


async def replay(database: Database, msg_id: str, consumer: str, *, actor: str, reason: str) -> None:
    """Gives a message put aside to its consumer again, from the first try; audited.

    Resets rows: the bus then finds the message in the outbox like any other. Consumers who had it have it still.
    NotFound where no such dead letter lies there, Refused where it was never a message of ours.
    """
    async with database.write() as tx:
        mine = sa.and_(dead_letter.c.msg_id == msg_id, dead_letter.c.consumer == consumer)
        dead = (await tx.execute(sa.select(dead_letter).where(mine))).first()
        if dead is None:
            raise NotFound(f"no dead letter {msg_id} of {consumer}: list them first", field="msg_id", given=msg_id)
        if consumer not in SUBSCRIBERS.get(dead.topic, ()):
            raise Refused(
                f"{msg_id} was no message of ours: it can be looked at, not replayed", field="msg_id", given=msg_id
            )
        added = await insert_new(
            tx,
            outbox,
            [{"msg_id": msg_id, "topic": dead.topic, "tier": dead.tier, "body": dead.body, "created_at": wall()}],
        )
        if added:  # everybody else was done with it
            others = [c for c in SUBSCRIBERS[dead.topic] if c != consumer]
            await insert_new(tx, inbox, [{"consumer": c, "msg_id": msg_id} for c in others])
        else:
            await note_try(tx, msg_id, consumer, Attempts(), event=True)
        await tx.execute(sa.delete(inbox).where(inbox.c.consumer == consumer, inbox.c.msg_id == msg_id))
        await tx.execute(sa.delete(dead_letter).where(mine))
        await trail.record(tx, actor, "bus.replay", msg_id, reason, {"consumer": consumer, "topic": dead.topic})


class Attempts(NamedTuple):
    """How a consumer fared with one message so far."""

    tries: int = 0  # that failed
    again: float = 0.0  # wall; not shown before
    chances: int = -1  # after the broker gave up on it: how many of its last ones were used; -1 where it did not


async def tried(tx: Connection, msg_id: str, consumer: str) -> Attempts | None:
    """None where the message is gone. The row is held until the end of `tx`."""
    held = sa.select(outbox.c.tries).where(outbox.c.msg_id == msg_id).with_for_update(key_share=True)
    known = await tx.scalar(held)
    return None if known is None else Attempts(*known.get(consumer, ()))


async def note_try(tx: Connection, msg_id: str, consumer: str, note: Attempts, *, event: bool) -> None:
    """Writes it down; where `event`, the relay shows the message again from `note.again` on."""
    held = sa.select(outbox.c.tries).where(outbox.c.msg_id == msg_id).with_for_update(key_share=True)
    known = await tx.scalar(held)
    if known is not None:
        values: dict[str, object] = {"tries": known | {consumer: list(note)}}
        values |= {"not_before": note.again, "published_at": None} if event else {"published_at": wall()}
        await tx.execute(sa.update(outbox).where(outbox.c.msg_id == msg_id).values(values))


def digest_of(ids: Iterable[str]) -> str:
    """Order-free digest over ids, to compare a whole audience with what arrived of it: XOR of SHA-256, hex."""
    value = 0
    for one in ids:
        value ^= int.from_bytes(hashlib.sha256(one.encode()).digest()[:16])
    return f"{value:032x}"
