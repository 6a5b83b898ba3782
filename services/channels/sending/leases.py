"""Keeps the leases of a process, and decides what becomes of them when process, database or time goes.

A batch that was claimed was surely not sent and waits again; what an open flight holds may have been and is UNKNOWN. A dead
process is known by its lock, a hanging one by its leases.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection
from typing import NamedTuple

import sqlalchemy as sa
import structlog

from services.channels.sending import claims
from services.channels.sending.in_hand import InHand
from services.channels.sending.liveness import Liveness
from services.shared.bus.outbox import new_id, publish
from services.shared.clock import Clock, wall
from services.shared.database.batches import insert_new, one_of
from services.shared.database.engine import Connection, Database
from services.shared.database.rows import columns, rows_of
from services.shared.ledger.flights import CLAIMED, IN_THE_AIR, WAITS, batch, enqueue, flight, parted
from services.shared.ledger.kinds import SAYS_NO_WARNING
from services.shared.ledger.moves import UNSENT, move
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import DOOR_DRIVER, attempt, delivery
from services.shared.ledger.warnings import warning_state
from services.shared.messages import EvidenceRecorded

log = structlog.get_logger("leases")
KEEP_EVERY_S = 10.0  # wall
AT_ONCE = 20
S = SendState
OVER = {
    ("superseded",): S.SUPERSEDED,
    ("cancelled", "withdrawn"): S.CANCELLED,
}  # state of a warning > of what was not sent


class _Stale(NamedTuple):
    flight_id: str
    batch_id: str
    driver: str
    ids: str
    started_at: float


class _Lost(NamedTuple):
    delivery_id: str
    warning_id: str
    tier: int
    kind: str
    attempts: int
    send_state: str


class Leases:
    """Those of one channels process, and everybody's that are over."""

    def __init__(self, database: Database, clock: Clock, plane: str, in_hand: InHand) -> None:
        self._database = database
        self._clock = clock
        self._plane = plane
        self._in_hand = in_hand
        self._kept_at = wall()
        # no two lives of a process share a name, also where every container's is host:1
        self.worker = f"{os.uname().nodename[:20]}:{os.getpid()}:{secrets.token_hex(3)}"
        self.liveness = Liveness(database, self.worker)

    async def reap(self, *, everybodys: bool = False) -> int:
        """Leases that ran out or whose process is dead: a batch waits again, what a flight still holds is UNKNOWN.

        `everybodys`: at the start of the one embedded process, every lease is a dead predecessor's. Returns how many.
        """
        dead = [] if everybodys else await self._dead()
        over = [
            sa.true() if everybodys else sa.or_(table.c.lease_until < wall(), table.c.worker.in_(dead))
            for table in (batch, flight)
        ]
        async with self._database.write() as tx:
            waiting = await tx.execute(sa.update(batch).where(CLAIMED, over[0]).values(worker="", lease_until=None))
            found = sa.select(*columns(_Stale, flight)).where(IN_THE_AIR, over[1]).order_by(flight.c.flight_id)
            stale = await rows_of(tx, _Stale, found.limit(AT_ONCE).with_for_update(skip_locked=True))
            lost = [row for one in stale for row in await self._unknown(tx, one)]
            await tx.execute(
                sa.update(flight)
                .where(one_of(flight.c.flight_id, [one.flight_id for one in stale]))
                .values(open=False, look_at=self._clock.now())
            )
            await publish(
                tx,
                [
                    EvidenceRecorded(
                        msg_id=new_id(), plane=self._plane, warning_id=r.warning_id, tier=r.tier, ids=(r.delivery_id,)
                    )
                    for r in lost
                    if r.kind not in SAYS_NO_WARNING
                ],
            )
        if waiting.rowcount or stale:
            log.warning("leases_over", batches=waiting.rowcount, unknown=len(lost))
        return waiting.rowcount + len(stale)

    async def _unknown(self, tx: Connection, one: _Stale) -> list[_Lost]:
        """What a flight holds whose outcomes nobody will write: it may have been sent, and says who was called.

        A receipt may have come for some of it: that call was made too.
        """
        mine = (one_of(delivery.c.delivery_id, parted(one.ids)), delivery.c.batch_id == one.batch_id)
        noted = sa.exists().where(
            attempt.c.delivery_id == delivery.c.delivery_id, attempt.c.started_at >= one.started_at
        )
        locked = sa.select(*columns(_Lost, delivery)).where(*mine, sa.not_(noted)).order_by(delivery.c.delivery_id)
        rows = await rows_of(tx, _Lost, locked.with_for_update())
        tried = [
            {
                "delivery_id": row.delivery_id,
                "n": row.attempts + 1,
                "provider": one.driver,
                "started_at": one.started_at,
            }
            for row in rows
        ]
        await insert_new(tx, attempt, tried)
        lost = [row for row in rows if row.send_state in UNSENT]
        unknown = {
            "send_state": S.UNKNOWN, "state_at": self._clock.now(), "state_reason": "lease_over",
            "ambiguous": delivery.c.ambiguous + 1,
        }  # fmt: skip
        for some, values in ((lost, unknown), ([row for row in rows if row not in lost], {})):
            which = one_of(delivery.c.delivery_id, [row.delivery_id for row in some])
            await tx.execute(sa.update(delivery).where(which).values(attempts=delivery.c.attempts + 1, **values))
        return lost

    async def recover(self) -> int:
        """What stands under this process's name and is in no hand of it: a transaction's end was lost, and nothing of it
        was called. It is due again; returns how many batches and flights that were."""
        if not self._in_hand.lost or self._in_hand.at_work:
            return 0
        self._in_hand.lost = False
        try:
            async with self._database.write() as tx:
                batches, flights = self._in_hand.batches(), self._in_hand.flights()
                others = sa.not_(one_of(flight.c.flight_id, flights))
                uncalled = await rows_of(
                    tx,
                    _Stale,
                    sa.select(*columns(_Stale, flight)).where(IN_THE_AIR, flight.c.worker == self.worker, others),
                )
                again = [one.flight_id for one in uncalled]
                await tx.execute(sa.delete(flight).where(one_of(flight.c.flight_id, again)))
                for one in uncalled:
                    await enqueue(tx, parted(one.ids))
                mine = sa.select(batch.c.batch_id).where(
                    batch.c.worker == self.worker, sa.not_(one_of(batch.c.batch_id, batches))
                )
                unknown = (await tx.scalars(mine)).all()
                await claims.give_back(tx, unknown, self.worker)
        except BaseException:
            self._in_hand.lost = True
            raise
        return len(uncalled) + len(unknown)

    async def keep(self) -> None:
        """What is in hand for long, since its provider is slow, stays in hand."""
        if wall() - self._kept_at < KEEP_EVERY_S:
            return
        self._kept_at = wall()
        if not (mine := self._in_hand.batches()):
            return
        async with self._database.write() as tx:
            about = (one_of(batch.c.batch_id, mine), batch.c.worker == self.worker)
            await tx.execute(sa.update(batch).where(*about).values(lease_until=wall() + claims.LEASE_S))

    async def give_back(self, batches: Collection[str]) -> None:
        """What this process has claimed and not begun is anybody's again."""
        if batches:
            async with self._database.write() as tx:
                await claims.give_back(tx, batches, self.worker)

    async def close(self) -> None:
        """At the end of this process."""
        await self.give_back(self._in_hand.let_go())
        await self.liveness.close()

    async def _dead(self) -> list[str]:
        """Processes that have something in hand and live no more."""
        await self.liveness.keep()
        claimed = sa.select(batch.c.worker).where(CLAIMED)
        async with self._database.read() as db:
            workers = (await db.scalars(claimed.union(sa.select(flight.c.worker).where(IN_THE_AIR)))).all()
        return await self.liveness.dead(workers)

    async def expire(self) -> int:
        """Unsent messages of expired warnings say so; visits go on. Returns how many batches they were in."""
        over = (batch.c.expires_at <= self._clock.now(), batch.c.driver != DOOR_DRIVER)
        return await self._end(S.EXPIRED, *over)

    async def end(self) -> int:
        """Unsent messages of warnings that are over say so; returns how many batches they were in.

        What was due when a warning ended was ended with it; what was in hand then, and was not sent after all (its call
        began too late, its lease ran out, its process stopped), comes back due and ends here.
        """
        ended = 0
        for over, after in OVER.items():
            mine = sa.exists().where(warning_state.c.warning_id == batch.c.warning_id, warning_state.c.state.in_(over))
            ended += await self._end(after, mine)
        return ended

    async def _end(self, after: SendState, *which: sa.ColumnElement[bool]) -> int:
        """Ends what waits in these batches."""
        async with self._database.write() as tx:
            found = sa.select(batch.c.batch_id, batch.c.ids).where(WAITS, *which).order_by(batch.c.batch_id)
            rows = (await tx.execute(found.limit(AT_ONCE).with_for_update(skip_locked=True))).all()
            names = [row.batch_id for row in rows]
            ids = sorted(one for row in rows for one in parted(row.ids))
            here = (one_of(delivery.c.batch_id, names),)
            await move(tx, ids, after, at=self._clock.now(), only=UNSENT, where=here)
            await tx.execute(sa.delete(batch).where(one_of(batch.c.batch_id, names)))
        return len(rows)
