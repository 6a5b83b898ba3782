"""Claims due deliveries and writes intents: found by index, guarded by the warning's state, one statement each.

Statements are built once; queues, tiers and states are written into them, so that the partial index serves.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import TypeVar

import sqlalchemy as sa

from services.channels.model.driver import QueueName
from services.shared.clock import wall
from services.shared.database import locks
from services.shared.database.batches import insert_all, one_of
from services.shared.database.engine import Connection
from services.shared.database.rows import rows_of
from services.shared.ledger.moves import may_be_sent, move, move_all
from services.shared.ledger.states import SendState, can_move
from services.shared.ledger.tables import DOOR_DRIVER, IS_DUE, Delivery, attempt, delivery
from services.shared.tiers import Tier

LEASE_S = 30.0
MAX_CLAIMS = 12
S = SendState
T = TypeVar("T", str, int)
DOOR = sa.literal(DOOR_DRIVER, literal_execute=True)
_now: sa.ColumnElement[float] = sa.bindparam("now", type_=sa.Float)


def _tiers(red: bool) -> tuple[int, ...]:
    """Most urgent first."""
    return (int(Tier.RED),) if red else tuple(range(int(Tier.RED) - 1, -1, -1))


def _waiting(driver: sa.ColumnElement[str], tier: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    listed = sa.or_(driver != DOOR, delivery.c.slot != "")  # a visit nobody has been given yet is not due
    mine = (delivery.c.driver == driver, delivery.c.tier == tier)
    return sa.and_(*mine, IS_DUE, delivery.c.due_at <= _now, listed, may_be_sent(_now))


@cache
def _probes(queues: tuple[QueueName, ...]) -> sa.Select[*tuple[int, ...]]:
    """One look into the index for each call window and tier: a value of its own, which no planner makes a join of everything."""
    columns = (sa.column("n", sa.Integer), sa.column("driver", sa.String), sa.column("tier", sa.SmallInteger))
    asked = [
        f"SELECT {n} AS n, '{driver}' AS driver, {tier} AS tier"
        for n, (driver, red) in enumerate(queues)
        for tier in _tiers(red)
    ]
    queue = sa.text(" UNION ALL ".join(asked)).columns(*columns).cte("send_queue")
    first = sa.select(delivery.c.delivery_id).where(_waiting(queue.c.driver, queue.c.tier))
    # in the index's order, so that no scan seems quicker
    first = first.order_by(delivery.c.due_at, delivery.c.delivery_id).limit(1)
    return sa.select(queue.c.n).where(first.correlate(queue).scalar_subquery().is_not(None))


async def due(db: Connection, queues: tuple[QueueName, ...], now: float) -> set[int]:
    """Places of the call windows that have something to claim at warning time `now`."""
    return set((await db.scalars(_probes(queues), {"now": now})).all()) if queues else set()


def _literal(value: T) -> sa.ColumnElement[T]:
    """Written into the statement, so that the plan is made for it."""
    return sa.literal(value, literal_execute=True)


@cache
def _claim(driver: str, tier: int) -> sa.Update:
    """The next ones by time, none that another process has in hand."""
    found = (
        sa.select(delivery.c.delivery_id)
        .where(_waiting(_literal(driver), _literal(tier)), delivery.c.claims < MAX_CLAIMS)
        .order_by(delivery.c.due_at, delivery.c.delivery_id)
        .limit(sa.bindparam("room", type_=sa.Integer))
        .with_for_update(skip_locked=True)
        .cte("found")  # looked for once: a plan that asked again for each row would skip what it has locked itself
    )
    return (
        sa.update(delivery)
        .where(delivery.c.delivery_id.in_(sa.select(found.c.delivery_id)), IS_DUE)
        .values(
            send_state=S.LEASED,
            state_at=_now,
            token=delivery.c.token + 1,
            claims=delivery.c.claims + 1,
            lease_until=sa.bindparam("until", type_=sa.Float),
            worker=sa.bindparam("by", type_=sa.String),
        )
        .returning(delivery)
    )


async def claim(tx: Connection, queue: QueueName, room: int, now: float, worker: str) -> list[Delivery]:
    """Leases up to `room` deliveries of a queue to `worker`; their rows, by id."""
    driver, red = queue
    rows: list[Delivery] = []
    for tier in _tiers(red):
        values = {"now": now, "room": room - len(rows), "until": wall() + LEASE_S, "by": worker}
        rows += await rows_of(tx, Delivery, _claim(driver, tier), values)
        if len(rows) >= room:
            break
    if not rows:  # due and not to be claimed: what was claimed too often and never sent is given up by name
        spent = (delivery.c.driver == driver, IS_DUE, delivery.c.claims >= MAX_CLAIMS)
        await move_all(tx, S.FAILED, at=now, where=spent, state_reason="claims_exhausted")
    return sorted(rows, key=lambda r: r.delivery_id)


async def tried_by(db: Connection, rows: Sequence[Delivery]) -> dict[str, str]:
    """Delivery > the provider that had it last, for those that were tried before."""
    again = sorted(row.delivery_id for row in rows if row.attempts > 0)
    if not again:
        return {}
    found = sa.select(attempt.c.delivery_id, attempt.c.provider).where(one_of(attempt.c.delivery_id, again))
    return {row.delivery_id: row.provider for row in await db.execute(found.order_by(attempt.c.n))}


async def release(tx: Connection, rows: Sequence[Delivery], now: float) -> None:
    """Claimed, and no call window had room for its channel: due again as if it had never been claimed."""
    tokens = {row.delivery_id: row.token for row in rows}
    mine = one_of(FENCE, fences(tokens))
    await move(
        tx, sorted(tokens), S.PENDING, at=now, only=(S.LEASED,), where=(mine,), lease_until=None,
        claims=delivery.c.claims - 1,
    )  # fmt: skip


FENCE: sa.ColumnElement[str] = delivery.c.delivery_id + ":" + sa.cast(delivery.c.token, sa.Text)


def fences(tokens: Mapping[str, int]) -> list[str]:
    """What FENCE is of these deliveries as long as nobody else has claimed them since."""
    return [f"{delivery_id}:{token}" for delivery_id, token in tokens.items()]


_INTEND = (
    sa.update(delivery)
    .where(
        one_of(delivery.c.delivery_id, "ids"),
        one_of(FENCE, "fences"),
        delivery.c.send_state == S.LEASED,
        may_be_sent(_now),
    )
    .values(
        send_state=S.SENDING,
        state_at=_now,
        attempts=delivery.c.attempts + 1,
        lease_until=sa.bindparam("until", type_=sa.Float),
    )
    .returning(delivery.c.delivery_id, delivery.c.attempts)
)


async def intend(
    tx: Connection, tokens: Mapping[str, int], warnings: Collection[str], provider: str, now: float
) -> set[str]:
    """Writes down, before the call, that these will be sent now; those that may be. `tokens` fences late workers.

    What was cancelled or has expired between claim and intent is given back: nothing of it was sent.
    """
    # a cancel waits until this is written, and what comes after the cancel sees it
    await locks.intents(tx, warnings, shared=True)
    ids = sorted(tokens)
    values = {"ids": ids, "fences": fences(tokens), "now": now, "until": wall() + LEASE_S}
    rows = (await tx.execute(_INTEND, values)).all()
    moved = {r.delivery_id for r in rows}
    if stopped := [i for i in ids if i not in moved]:
        # ours only: who came late must not take back what another has claimed since
        mine = one_of(FENCE, fences({i: tokens[i] for i in stopped}))
        gone = (mine, delivery.c.expires_at <= now, delivery.c.driver != DOOR_DRIVER)
        await move(tx, stopped, S.EXPIRED, at=now, only=(S.LEASED,), where=gone)
        await move(tx, stopped, S.PENDING, at=now, only=(S.LEASED,), where=(mine,), lease_until=None)
    started = [
        {"delivery_id": r.delivery_id, "n": r.attempts, "token": tokens[r.delivery_id], "provider": provider,
         "started_at": wall()}
        for r in rows
    ]  # fmt: skip
    await insert_all(tx, attempt, started)
    return moved


# the moves written out above are moves of the ledger's table
for _before, _after in ((S.PENDING, S.LEASED), (S.RETRY, S.LEASED), (S.LEASED, S.SENDING)):
    if not can_move(_before, _after):
        raise ValueError(f"the ledger does not know {_before} > {_after}")
