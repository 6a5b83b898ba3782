"""Claims batches and writes flights: found by index, guarded by the warning's state, a row each.

A claim takes batches by time, the most urgent tier first, and reads what of them is still to be sent. An intent locks its
batches, looks once more at the warning, at each delivery and at the numbers that said STOP, and opens a flight.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import NamedTuple, TypeVar

import sqlalchemy as sa

from services.channels.model.channel import SMS_CHANNELS
from services.channels.model.driver import QueueName
from services.channels.model.flight import Flight
from services.channels.outcomes.opted_out import STOPPED_NUMBER, leave_out
from services.shared.bus.outbox import new_id
from services.shared.clock import wall
from services.shared.database import locks
from services.shared.database.batches import insert_all, one_of
from services.shared.database.engine import Connection
from services.shared.database.rows import rows_of
from services.shared.ledger.flights import IN_THE_AIR, WAITS, batch, enqueue, flight, joined, parted
from services.shared.ledger.moves import UNSENT, may_be_sent, move
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import IS_DUE, Delivery, attempt, delivery
from services.shared.ledger.warnings import warning_state
from services.shared.tiers import Tier

LEASE_S = 30.0
MAX_CLAIMS = 12
SUSPECT_AT, HALVED_AT = 2, 3  # claims that led nowhere: one of its deliveries may be why, and must not keep the others
AT_ONCE = 16
T = TypeVar("T", str, int)
_now: sa.ColumnElement[float] = sa.bindparam("now", type_=sa.Float)


class Claimed(NamedTuple):
    """A batch this process has in hand, and what of it is to be sent, by id."""

    batch_id: str
    tier: int
    due_at: float
    rows: list[Delivery]


class Intended(NamedTuple):
    """A flight that is open now, and what may be called of it."""

    flight: Flight
    rows: list[Delivery]


class _Found(NamedTuple):
    batch_id: str
    tier: int
    due_at: float
    ids: str
    n: int
    claims: int


def _tiers(red: bool) -> tuple[int, ...]:
    """Most urgent first."""
    return (int(Tier.RED),) if red else tuple(range(int(Tier.RED) - 1, -1, -1))


def _waiting(driver: sa.ColumnElement[str], tier: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    return sa.and_(
        batch.c.driver == driver, batch.c.tier == tier, WAITS, batch.c.due_at <= _now, may_be_sent(_now, batch)
    )


@cache
def _probes(queues: tuple[QueueName, ...]) -> sa.Select[*tuple[int, ...]]:
    """One look into the index for each call window and tier: a value of its own, which no planner makes a join of everything."""
    columns = (sa.column("n", sa.Integer), sa.column("driver", sa.String), sa.column("tier", sa.SmallInteger))
    asked = [f"({n}, '{driver}', {tier})" for n, (driver, red) in enumerate(queues) for tier in _tiers(red)]
    # values, and no union: PostgreSQL plans each part of one by itself
    every = f"SELECT column1 AS n, column2 AS driver, column3 AS tier FROM (VALUES {', '.join(asked)}) AS every"  # noqa: S608
    queue = sa.text(every).columns(*columns).cte("send_queue")
    first = sa.select(batch.c.batch_id).where(_waiting(queue.c.driver, queue.c.tier))
    # in the index's order, so that no scan seems quicker
    first = first.order_by(batch.c.due_at, batch.c.batch_id).limit(1)
    return sa.select(queue.c.n, queue.c.tier).where(first.correlate(queue).scalar_subquery().is_not(None))


async def due(db: Connection, queues: tuple[QueueName, ...], now: float) -> dict[int, list[int]]:
    """Places of the send queues that have something to claim at warning time `now`, and its tiers, most urgent first."""
    found: dict[int, list[int]] = defaultdict(list)
    if queues:
        for n, tier in (await db.execute(_probes(queues), {"now": now})).all():
            found[n].append(tier)
    return {n: sorted(tiers, reverse=True) for n, tiers in found.items()}


def _literal(value: T) -> sa.ColumnElement[T]:
    """Written into the statement, so that the plan is made for it."""
    return sa.literal(value, literal_execute=True)


@cache
def _next(driver: str, tier: int) -> sa.Select[*tuple[object, ...]]:
    """The next ones by time, none that another process has in hand."""
    return (
        sa.select(*(batch.c[name] for name in _Found._fields))
        .where(_waiting(_literal(driver), _literal(tier)))
        .order_by(batch.c.due_at, batch.c.batch_id)
        .limit(sa.bindparam("most", type_=sa.Integer))
        .with_for_update(skip_locked=True)
    )


_CLAIM = (
    sa.update(batch)
    .where(one_of(batch.c.batch_id, "batches"))
    .values(
        worker=sa.bindparam("by", type_=sa.String),
        lease_until=sa.bindparam("until", type_=sa.Float),
        claims=batch.c.claims + 1,
    )
)
_UNSENT = (
    sa.select(delivery)
    .where(one_of(delivery.c.delivery_id, "ids"), one_of(delivery.c.batch_id, "batches"), IS_DUE)
    .order_by(delivery.c.delivery_id)
)


async def claim(tx: Connection, driver: str, tiers: Sequence[int], room: int, now: float, worker: str) -> list[Claimed]:
    """Leases to `worker` the next batches of these tiers, as many as `room` deliveries need; what of them is to be sent."""
    found: list[_Found] = []
    for tier in tiers:
        for one in await rows_of(tx, _Found, _next(driver, tier), {"now": now, "most": max(1, min(room, AT_ONCE))}):
            # what was claimed for nothing is claimed alone: it may end this process, and nothing else is to go with it
            if room <= 0 or (found and one.claims >= SUSPECT_AT):
                break
            found.append(one)
            room = 0 if one.claims >= SUSPECT_AT else room - one.n
    spent = [one for one in found if one.claims >= (MAX_CLAIMS if one.n == 1 else HALVED_AT)]
    await _led_nowhere(tx, spent, now)
    known = {one.batch_id: one for one in found if one not in spent}
    if not known:
        return []
    await tx.execute(_CLAIM, {"batches": list(known), "by": worker, "until": wall() + LEASE_S})
    ids = [i for one in known.values() for i in parted(one.ids)]
    by_batch: dict[str, list[Delivery]] = {name: [] for name in known}
    for row in await rows_of(tx, Delivery, _UNSENT, {"ids": ids, "batches": list(known)}):
        by_batch[row.batch_id].append(row)
    if done := [name for name, rows in by_batch.items() if not rows]:
        await tx.execute(sa.delete(batch).where(one_of(batch.c.batch_id, done)))
    return [Claimed(name, known[name].tier, known[name].due_at, rows) for name, rows in by_batch.items() if rows]


async def _led_nowhere(tx: Connection, found: Sequence[_Found], now: float) -> None:
    """Batches whose claims led nowhere are halved; what stands alone and did so too often is given up by name."""
    for one in found:
        ids = parted(one.ids)
        if one.n == 1:
            await move(tx, ids, SendState.FAILED, at=now, only=UNSENT, state_reason="claims_exhausted")
        else:
            for half in (ids[: len(ids) // 2], ids[len(ids) // 2 :]):
                await enqueue(tx, half, claims=SUSPECT_AT)
    if found:
        await tx.execute(sa.delete(batch).where(one_of(batch.c.batch_id, [one.batch_id for one in found])))


class Intents(NamedTuple):
    """What was written down before the calls: the flights, and batches that may not be sent now and were given back."""

    flights: list[Intended]
    given_back: set[str]


_LIVE = (
    sa.select(
        batch.c.batch_id,
        sa.select(warning_state.c.accepted_reaches)
        .where(warning_state.c.warning_id == batch.c.warning_id)
        .scalar_subquery()
        .label("tells"),
        sa.select(sa.func.aggregate_strings(flight.c.ids, ","))
        .where(flight.c.batch_id == batch.c.batch_id, IN_THE_AIR)
        .scalar_subquery()
        .label("flying"),
    )
    .where(one_of(batch.c.batch_id, "batches"), batch.c.worker == sa.bindparam("by"), may_be_sent(_now, batch))
    .order_by(batch.c.batch_id)
    .with_for_update(of=batch)
)
_STILL = sa.select(delivery.c.delivery_id, STOPPED_NUMBER.label("stopped")).where(
    one_of(delivery.c.delivery_id, "ids"), one_of(delivery.c.batch_id, "batches"), IS_DUE
)

_TRIED = (
    sa.select(delivery.c.delivery_id)
    .where(one_of(delivery.c.delivery_id, "ids"))
    .order_by(delivery.c.delivery_id)
    .with_for_update()
)


async def intend(
    tx: Connection, wanted: Mapping[str, Sequence[Delivery]], done: Collection[str], worker: str, now: float, plane: str
) -> Intents:
    """Opens, before the calls, a flight for each provider and batch of what is `wanted` (provider > deliveries).

    `done`: batches of which nothing is left in hand. What was taken back since the claim, or is not to be sent any more,
    is in no flight.
    """
    rows = [row for some in wanted.values() for row in some]
    batches = sorted({row.batch_id for row in rows} | set(done))
    # a cancel waits until this is written, and what comes after the cancel sees it
    await locks.intents(tx, {row.warning_id for row in rows if row.warning_id}, shared=True)
    found = await tx.execute(_LIVE, {"batches": batches, "by": worker, "now": now})
    live: dict[str, bool] = {}
    flying: set[str] = set()  # a part of the batch, begun before
    for name, tells, ids in found.all():
        live[name] = bool(tells)
        flying.update(parted(ids or ""))
    # of what was called before a late report may come at any moment: it waits until this is written, or is seen
    if tried := sorted(row.delivery_id for row in rows if row.attempts > 0):
        await tx.execute(_TRIED, {"ids": tried})
    # first who is in the air, then who is due: an outcome written in between is seen
    asked = {"ids": sorted(row.delivery_id for row in rows), "batches": sorted(live)}
    still = {one: bool(stopped) for one, stopped in (await tx.execute(_STILL, asked)).all() if one not in flying}
    shut = [row for row in rows if still.get(row.delivery_id) and row.channel in SMS_CHANNELS]
    may_go = still.keys() - {row.delivery_id for row in shut}
    if shut:
        may_go |= {row.delivery_id for row in await leave_out(tx, shut, now, plane)}
    flights: list[Intended] = []
    for driver, some in wanted.items():
        groups: dict[str, list[Delivery]] = defaultdict(list)
        for row in some:
            if row.delivery_id in may_go:
                groups[row.batch_id].append(row)
        for name, group in groups.items():
            opened = Flight(new_id(), name, driver, wall(), tells=live[name], left=len(group))
            flights.append(Intended(opened, group))
    await insert_all(tx, flight, [_written(one, worker, now) for one in flights])
    gone = set(batches) - live.keys()
    await give_back(tx, gone, worker)
    await tx.execute(sa.delete(batch).where(one_of(batch.c.batch_id, sorted(live.keys() & set(done)))))
    return Intents(flights, gone)


def _written(one: Intended, worker: str, now: float) -> dict[str, object]:
    first = one.rows[0]
    return {
        "flight_id": one.flight.flight_id, "batch_id": one.flight.batch_id, "warning_id": first.warning_id,
        "tier": first.tier, "driver": one.flight.driver, "worker": worker,
        "ids": joined(row.delivery_id for row in one.rows), "begun_at": now, "started_at": one.flight.started_at,
        "lease_until": one.flight.started_at + LEASE_S,
    }  # fmt: skip


async def give_back(tx: Connection, batches: Collection[str], worker: str) -> None:
    """What this process has in hand and does not send waits again, as if it had never been claimed."""
    if batches:
        await tx.execute(
            sa.update(batch)
            .where(one_of(batch.c.batch_id, sorted(batches)), batch.c.worker == worker)
            .values(worker="", lease_until=None, claims=batch.c.claims - 1)
        )


async def tried_by(db: Connection, rows: Sequence[Delivery]) -> dict[str, str]:
    """Delivery > the provider that had it last, for those that were tried before."""
    again = sorted(row.delivery_id for row in rows if row.attempts > 0)
    if not again:
        return {}
    found = sa.select(attempt.c.delivery_id, attempt.c.provider).where(one_of(attempt.c.delivery_id, again))
    return {row.delivery_id: row.provider for row in await db.execute(found.order_by(attempt.c.n))}
