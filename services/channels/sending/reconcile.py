"""Asks a provider for the outcome of messages that stayed silent or unknown.

A receipt may be lost on its way to us, and an answer to our call may be. A few at a time, first after minutes, then
ever less often; what is learnt goes the way of a receipt. Nothing is sent again from here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa
import structlog

from services.channels.messages.prepare import Preparer
from services.channels.model.driver import Asks, Driver, StatusQuestion
from services.channels.model.report import Report
from services.channels.outcomes.recorder import OutcomeRecorder
from services.shared.clock import Clock
from services.shared.database.batches import one_of, upsert
from services.shared.database.engine import Connection, Database, Id, metadata
from services.shared.errors import Fault
from services.shared.ledger.deliveries import with_more
from services.shared.ledger.flights import LANDED, flight, parted
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import IS_UNKNOWN, Delivery, attempt, delivery

log = structlog.get_logger("reconcile")
EVERY_S, AT_ONCE, LIMIT_S = 5.0, 10, 5.0
FLIGHTS = 20
OLDEST_S = 86400.0
UNKNOWN_S = 15.0  # before red goes out on another channel
AGAIN_S = (300.0, 900.0, 3600.0, 14400.0)
UNKNOWN_AGAIN_S = (20.0, 120.0, 600.0)

asked = sa.Table(
    "channels_asked",
    metadata,
    sa.Column("delivery_id", Id, primary_key=True),
    sa.Column("times", sa.SmallInteger, nullable=False),
    sa.Column("next_at", sa.Float, nullable=False, comment="warning time; not asked again before"),
)
_NOW: sa.BindParameter[float] = sa.bindparam("now", type_=sa.Float)
_FREE = sa.or_(asked.c.next_at.is_(None), asked.c.next_at <= _NOW)
_LAST = sa.and_(attempt.c.delivery_id == delivery.c.delivery_id, attempt.c.n == delivery.c.attempts)
_ROWS = (
    sa.select(delivery, asked.c.times, attempt.c.provider, attempt.c.started_at)
    .join(attempt, _LAST)
    .outerjoin(asked, asked.c.delivery_id == delivery.c.delivery_id)
)
_SILENT = (delivery.c.send_state == SendState.ACCEPTED, delivery.c.provider_ref != "")
_ACCEPTED = _ROWS.where(one_of(delivery.c.delivery_id, "ids"), *_SILENT, _FREE).order_by(delivery.c.sent_at)
_UNKNOWN = _ROWS.where(IS_UNKNOWN, delivery.c.state_at <= _NOW - UNKNOWN_S, _FREE).order_by(
    delivery.c.tier.desc(), delivery.c.state_at
)


class _Last(NamedTuple):
    """How often a delivery was asked about, and who had it last."""

    times: int | None
    provider: str
    started_at: float


class _Open(NamedTuple):
    delivery: Delivery
    last: _Last


class Reconciler:
    """One per process; two that ask the same do no harm."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        recorder: OutcomeRecorder,
        preparer: Preparer,
        drivers: Mapping[str, Driver],
    ) -> None:
        self._database = database
        self._clock = clock
        self._recorder = recorder
        self._preparer = preparer
        self._able: dict[str, Asks] = {n: d for n, d in drivers.items() if isinstance(d, Asks) and not d.why_not()}
        self._next = 0.0

    async def step(self) -> bool:
        """Asks about a few, once in five seconds of warning time; whether anything was learnt."""
        now = self._clock.now()
        if now < self._next:
            return False
        self._next = now + EVERY_S
        async with self._database.write() as tx:  # before the call: a provider that hangs is not asked at every turn
            await _forget_landed(tx, now, sorted(self._able))
            rows = await _waiting(tx, now, sorted(self._able))
            await upsert(tx, asked, [_noted(row, now) for row in rows], ["delivery_id"], replace=["times", "next_at"])
        return any(await asyncio.gather(*(self._one(row) for row in rows)))  # a provider that hangs holds up seconds

    async def _one(self, row: _Open) -> bool:
        try:
            question = await self._question(row)
        except Fault as problem:
            log.warning("cannot_ask", delivery_id=row.delivery.delivery_id, reason=str(problem))
            return False
        try:
            async with asyncio.timeout(LIMIT_S):
                told = await self._able[row.last.provider].ask(question)
        except Exception as problem:  # noqa: BLE001  whatever a driver makes of an odd answer must not end the process
            one, provider = row.delivery.delivery_id, row.last.provider
            log.warning("cannot_ask", delivery_id=one, provider=provider, reason=repr(problem)[:200])
            return False
        if told is None or told.state == row.delivery.send_state or await self._another_has(row, told.ref):
            return False
        log.info("asked", delivery_id=row.delivery.delivery_id, provider=row.last.provider, said=told.said)
        await self._recorder.report(
            Report(
                row.delivery.delivery_id, event_key=f"asked:{told.ref}:{told.said}"[:64], state=told.state,
                evidence=told.evidence, ref=told.ref, reason=told.said, code=told.code, provider=row.last.provider,
            )
        )  # fmt: skip
        return True

    async def _question(self, row: _Open) -> StatusQuestion:
        message = await self._preparer.prepare(row.delivery)
        since = (
            min(row.last.started_at, row.delivery.state_at) - 60.0
        )  # a rehearsal's provider has the rehearsal's time
        return StatusQuestion(ref=row.delivery.provider_ref, to=message.to, text=message.text, since=since)

    async def _another_has(self, row: _Open, ref: str) -> bool:
        """The provider's name belongs to another message to the same phone."""
        other = sa.select(delivery.c.delivery_id).where(
            delivery.c.address_key == row.delivery.address_key, delivery.c.provider_ref == ref,
            delivery.c.delivery_id != row.delivery.delivery_id,
        )  # fmt: skip
        async with self._database.read() as db:
            return (await db.scalar(other)) is not None


async def _waiting(tx: Connection, now: float, able: Sequence[str]) -> list[_Open]:
    """Those to ask about, each with the provider that had it last; the unknown first, then the silent by flight."""
    theirs = attempt.c.provider.in_(able)
    found = await with_more(tx, _Last, _UNKNOWN.where(theirs).limit(AT_ONCE), {"now": now})
    room = AT_ONCE - len(found)
    due = sa.select(flight.c.flight_id, flight.c.ids).where(LANDED, flight.c.look_at <= now).order_by(flight.c.look_at)
    flights = (await tx.execute(due.limit(FLIGHTS))).all() if room else []
    silent = await with_more(
        tx,
        _Last,
        _ACCEPTED.where(theirs).limit(room),
        {"now": now, "ids": [i for one in flights for i in parted(one.ids)]},
    )
    if len(silent) < room:  # all of these flights that may be asked about now
        await _look_later(tx, now, {one.flight_id: parted(one.ids) for one in flights})
    return [_Open(*one) for one in (*found, *silent)]


async def _look_later(tx: Connection, now: float, flights: Mapping[str, Sequence[str]]) -> None:
    """Flights that were looked at are looked at again in some minutes, and forgotten when nothing of them is silent."""
    ids = [one for some in flights.values() for one in some]
    silent = set(
        await tx.scalars(sa.select(delivery.c.delivery_id).where(one_of(delivery.c.delivery_id, ids), *_SILENT))
    )
    done = sorted(name for name, some in flights.items() if not silent & set(some))
    await tx.execute(sa.delete(flight).where(one_of(flight.c.flight_id, done)))
    await tx.execute(
        sa.update(flight)
        .where(one_of(flight.c.flight_id, sorted(flights.keys() - set(done))))
        .values(look_at=now + AGAIN_S[0])
    )


async def _forget_landed(tx: Connection, now: float, able: Sequence[str]) -> None:
    """Flights nobody is asked about: their provider cannot be, or they are a day old."""
    over = sa.or_(flight.c.driver.not_in(able), flight.c.begun_at < now - OLDEST_S)
    await tx.execute(sa.delete(flight).where(LANDED, over))


def _noted(row: _Open, now: float) -> dict[str, object]:
    times = row.last.times or 0
    waits = AGAIN_S if row.delivery.send_state == SendState.ACCEPTED else UNKNOWN_AGAIN_S
    wait = waits[min(times, len(waits) - 1)]
    return {"delivery_id": row.delivery.delivery_id, "times": times + 1, "next_at": now + wait}


async def forget_asked(tx: Connection, now: float) -> None:
    """Drops what is not asked about any more."""
    await tx.execute(sa.delete(asked).where(asked.c.next_at < now - OLDEST_S))
