"""Keeps what is to be sent together: a batch waits and is claimed, a flight is what of it was intended at once.

A batch is up to 200 deliveries of one warning, kind, driver, tier and time; its row goes when all of it was intended or
came to nothing. A flight is written before its first call and is open until the last of its outcomes is on disk. So a
claim and an intent are one row each, whatever they hold.

A delivery that is pending or due again inside an open flight is SENDING: `in_flight` says so, and nobody takes it back.
Whoever takes back what was not sent locks its batches first (`moves`): they come before the intent, which then does not
find the delivery, or after it, and see the flight. Locks are taken in this order: batches, flights, deliveries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol
from uuid import uuid4

import sqlalchemy as sa

from services.shared.database.batches import Each, insert_all, one_of
from services.shared.database.engine import Connection, Id, metadata
from services.shared.database.rows import columns, rows_of
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import DOOR_DRIVER, IS_DUE, delivery

MOST = 200  # deliveries of a batch
TOGETHER_S = 0.25  # what falls due within this time goes together, at the last one's

batch = sa.Table(
    "batch",
    metadata,
    sa.Column("batch_id", Id, primary_key=True),
    sa.Column("warning_id", Id, nullable=False),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("driver", sa.String(24), nullable=False),
    sa.Column("tier", sa.SmallInteger, nullable=False),
    sa.Column("due_at", sa.Float, nullable=False, comment="warning time"),
    sa.Column("expires_at", sa.Float, nullable=False, comment="warning time"),
    sa.Column("ids", sa.Text, nullable=False, comment="deliveries, each between commas"),
    sa.Column("n", sa.SmallInteger, nullable=False),
    sa.Column("claims", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("worker", sa.String(40), nullable=False, server_default="", comment="who has claimed it; empty: waits"),
    sa.Column("lease_until", sa.Float, comment="wall"),
)
WAITS = batch.c.worker == sa.literal_column("''")
CLAIMED = batch.c.worker != sa.literal_column("''")
sa.Index(
    "ix_batch_due", batch.c.driver, batch.c.tier, batch.c.due_at, batch.c.batch_id, sqlite_where=WAITS,
    postgresql_where=WAITS,
)  # fmt: skip
sa.Index("ix_batch_claimed", batch.c.worker, sqlite_where=CLAIMED, postgresql_where=CLAIMED)
sa.Index("ix_batch_expires", batch.c.expires_at)
sa.Index("ix_batch_warning", batch.c.warning_id)

flight = sa.Table(
    "flight",
    metadata,
    sa.Column("flight_id", Id, primary_key=True),
    sa.Column("batch_id", Id, nullable=False, index=True),
    sa.Column("warning_id", Id, nullable=False),
    sa.Column("tier", sa.SmallInteger, nullable=False),
    sa.Column("driver", sa.String(24), nullable=False, comment="who is called: a driver beside the batch's may be"),
    sa.Column("worker", sa.String(40), nullable=False),
    sa.Column("ids", sa.Text, nullable=False, comment="deliveries, each between commas"),
    sa.Column("begun_at", sa.Float, nullable=False, comment="warning time"),
    sa.Column("started_at", sa.Float, nullable=False, comment="wall"),
    sa.Column("lease_until", sa.Float, nullable=False, comment="wall"),
    sa.Column("open", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("look_at", sa.Float, comment="warning time to ask about what stayed silent, once it is not open"),
)
IN_THE_AIR = flight.c.open == sa.true()
LANDED = flight.c.open == sa.false()
sa.Index("ix_flight_open", flight.c.warning_id, sqlite_where=IN_THE_AIR, postgresql_where=IN_THE_AIR)
sa.Index("ix_flight_landed", flight.c.look_at, sqlite_where=LANDED, postgresql_where=LANDED)


def joined(ids: Iterable[str]) -> str:
    """Deliveries as a batch and a flight keep them."""
    return f",{','.join(ids)},"


def parted(ids: str) -> list[str]:
    """The deliveries of a batch or a flight."""
    return [one for one in ids.split(",") if one]


def in_flight(row: sa.FromClause = delivery) -> sa.ColumnElement[bool]:
    """Whether an open flight holds the delivery. `row`: `delivery`, or an alias of it."""
    here = (flight.c.batch_id == row.c.batch_id, IN_THE_AIR, flight.c.ids.contains("," + row.c.delivery_id + ","))
    return sa.exists().where(*here).correlate(row)


def state_now() -> sa.ColumnElement[str]:
    """The state of a delivery as everybody is shown it."""
    sending = sa.and_(IS_DUE, in_flight())
    return sa.case((sending, sa.literal(SendState.SENDING.value)), else_=delivery.c.send_state)


def calls_now() -> sa.ColumnElement[int]:
    """How often a delivery was handed to a provider, or may have been: with the call that is under way."""
    return delivery.c.attempts + sa.case((sa.and_(IS_DUE, in_flight()), 1), else_=0)


class ToBeSent(Protocol):
    """A delivery that is to be sent."""

    @property
    def delivery_id(self) -> str: ...
    @property
    def warning_id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def driver(self) -> str: ...
    @property
    def tier(self) -> int: ...
    @property
    def due_at(self) -> float: ...
    @property
    def expires_at(self) -> float: ...
    @property
    def slot(self) -> str: ...


class _Row(NamedTuple):
    delivery_id: str
    warning_id: str
    kind: str
    driver: str
    tier: int
    due_at: float
    expires_at: float
    slot: str


def batched(rows: Iterable[ToBeSent]) -> tuple[list[dict[str, object]], dict[str, str]]:
    """Rows of `batch` for these deliveries, and the batch of each; a visit nobody has been given yet is in none."""
    groups: dict[tuple[str, str, str, int, float], list[ToBeSent]] = defaultdict(list)
    for row in rows:
        if row.driver != DOOR_DRIVER or row.slot:
            groups[row.warning_id, row.kind, row.driver, row.tier, row.expires_at].append(row)
    made: list[dict[str, object]] = []
    batch_of: dict[str, str] = {}
    for (warning_id, kind, driver, tier, expires_at), group in groups.items():
        for some in _together(sorted(group, key=lambda row: (row.due_at, row.delivery_id))):
            one = uuid4().hex
            ids = sorted(row.delivery_id for row in some)
            batch_of |= dict.fromkeys(ids, one)
            made.append(
                {"batch_id": one, "warning_id": warning_id, "kind": kind, "driver": driver, "tier": tier,
                 "due_at": some[-1].due_at, "expires_at": expires_at, "ids": joined(ids), "n": len(ids)}
            )  # fmt: skip
    return made, batch_of


def _together(rows: Sequence[ToBeSent]) -> Iterable[Sequence[ToBeSent]]:
    """Runs of what falls due at about the same time, in the order of their times."""
    begin = 0
    for i, row in enumerate(rows):
        if i - begin >= MOST or row.due_at - rows[begin].due_at > TOGETHER_S:
            yield rows[begin:i]
            begin = i
    if rows:
        yield rows[begin:]


async def add_batches(tx: Connection, made: Sequence[Mapping[str, object]]) -> None:
    """Puts batches where the channels look for them."""
    await insert_all(tx, batch, sorted(made, key=lambda one: str(one["batch_id"])))


_JOINS = Each(lambda v: sa.update(delivery).where(delivery.c.delivery_id == v("d")).values(batch_id=v("b")), d=Id, b=Id)


_TO_BE_SENT = sa.select(*columns(_Row, delivery)).where(one_of(delivery.c.delivery_id, "ids"), IS_DUE)


async def enqueue(tx: Connection, ids: Iterable[str], *, claims: int = 0) -> None:
    """Those of `ids` that are to be sent stand in batches of their own from now on, due at their own time.

    A batch they stood in before finds them no more: it holds only what names it. `claims`: how often they were claimed
    for nothing.
    """
    made, batch_of = batched(await rows_of(tx, _Row, _TO_BE_SENT, {"ids": sorted(set(ids))}))
    await add_batches(tx, [one | {"claims": claims} for one in made])
    await _JOINS.run(tx, [{"d": one, "b": name} for one, name in sorted(batch_of.items())])


async def lock_batches(tx: Connection, *where: sa.ColumnElement[bool]) -> list[str]:
    """Nobody writes an intent for deliveries that match, as long as they stand in these batches, until the end of the
    transaction. Returns the batches, those that are gone among them."""
    names = sorted((await tx.scalars(sa.select(delivery.c.batch_id).where(*where).distinct())).all())
    mine = sa.select(batch.c.batch_id).where(one_of(batch.c.batch_id, names)).order_by(batch.c.batch_id)
    locked = mine.with_for_update(read=True)
    await tx.execute(sa.select(sa.func.count()).select_from(locked.subquery()))
    return names
