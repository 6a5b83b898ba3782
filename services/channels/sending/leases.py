"""Keeps the leases of a process, and decides what becomes of them when process, database or time goes.

LEASED was surely not sent and is due again; SENDING may have been and is UNKNOWN. A dead process is known by its lock,
a hanging one by its leases.
"""

from __future__ import annotations

import os
import secrets

import sqlalchemy as sa
import structlog

from services.channels.sending.claims import FENCE, fences
from services.channels.sending.liveness import Liveness
from services.shared.bus.outbox import new_id, publish
from services.shared.clock import Clock, wall
from services.shared.database.batches import one_of
from services.shared.database.engine import Database
from services.shared.ledger.kinds import SAYS_NO_WARNING
from services.shared.ledger.moves import move, move_all
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import DOOR_DRIVER, IS_DUE, IS_OPEN, delivery
from services.shared.ledger.warnings import warning_state
from services.shared.messages import EvidenceRecorded

log = structlog.get_logger("leases")
S = SendState
OVER = {
    ("superseded",): S.SUPERSEDED,
    ("cancelled", "withdrawn"): S.CANCELLED,
}  # state of a warning > of what was not sent


class Leases:
    """Those of one channels process, and everybody's that are over."""

    def __init__(self, database: Database, clock: Clock, plane: str) -> None:
        self._database = database
        self._clock = clock
        self._plane = plane
        # no two lives of a process share a name, also where every container's is host:1
        self.worker = f"{os.uname().nodename[:20]}:{os.getpid()}:{secrets.token_hex(3)}"
        self.liveness = Liveness(database, self.worker)
        self._uncalled: dict[str, int] = {}  # delivery > token: claimed, and the database went before any call

    def not_called(self, tokens: dict[str, int]) -> None:
        """These were claimed, and nothing was sent: `recover` gives them back."""
        self._uncalled |= tokens

    async def reap(self, *, everybodys: bool = False) -> int:
        """Leases that ran out or whose process is dead: LEASED was not sent (RETRY), SENDING may have been (UNKNOWN).

        `everybodys`: at the start of the one embedded process, every lease is a dead predecessor's. Returns how many.
        """
        now = self._clock.now()
        over = (
            sa.true()
            if everybodys
            else sa.or_(delivery.c.lease_until < wall(), delivery.c.worker.in_(await self._dead()))
        )
        async with self._database.write() as tx:
            stale = (
                await tx.execute(
                    sa.select(
                        delivery.c.delivery_id,
                        delivery.c.send_state,
                        delivery.c.warning_id,
                        delivery.c.tier,
                        delivery.c.kind,
                    )
                    .where(IS_OPEN, delivery.c.send_state != S.UNKNOWN, over)
                    .limit(500)
                )
            ).all()
            leased = [r.delivery_id for r in stale if r.send_state == S.LEASED]
            sending = [r.delivery_id for r in stale if r.send_state == S.SENDING]
            await move(tx, leased, S.RETRY, at=now, only=(S.LEASED,), where=(over,), state_reason="lease_over")
            unknown = set(
                await move(
                    tx,
                    sending,
                    S.UNKNOWN,
                    at=now,
                    only=(S.SENDING,),
                    where=(over,),
                    state_reason="lease_over",
                    ambiguous=delivery.c.ambiguous + 1,
                )
            )
            await publish(
                tx,
                [
                    EvidenceRecorded(
                        msg_id=new_id(), plane=self._plane, warning_id=r.warning_id, tier=r.tier, ids=(r.delivery_id,)
                    )
                    for r in stale
                    if r.delivery_id in unknown and r.kind not in SAYS_NO_WARNING
                ],
            )
        if stale:
            log.warning("leases_over", retried=len(leased), unknown=len(unknown))
        return len(stale)

    async def recover(self) -> int:
        """What this process claimed and surely did not send, since the database went in between, is due again."""
        if not self._uncalled:
            return 0
        tokens = dict(self._uncalled)
        mine = one_of(FENCE, fences(tokens))
        async with self._database.write() as tx:
            again = await move(
                tx, sorted(tokens), S.RETRY, at=self._clock.now(), only=(S.LEASED, S.SENDING), where=(mine,),
                lease_until=None, state_reason="not_called",
            )  # fmt: skip
        self._uncalled = {i: t for i, t in self._uncalled.items() if tokens.get(i) != t}
        return len(again)

    async def _dead(self) -> list[str]:
        """Processes that have deliveries in hand and live no more."""
        await self.liveness.keep()
        in_hand = sa.and_(IS_OPEN, delivery.c.send_state != S.UNKNOWN)
        async with self._database.read() as db:
            workers = (await db.scalars(sa.select(delivery.c.worker).where(in_hand).distinct())).all()
        return await self.liveness.dead(workers)

    async def give_back(self) -> None:
        """At the end of this process: what it has claimed and not sent is anybody's again."""
        now = self._clock.now()
        async with self._database.write() as tx:
            await move_all(
                tx, S.PENDING, at=now, where=(IS_OPEN, delivery.c.send_state == S.LEASED, delivery.c.worker == self.worker),
                lease_until=None, state_reason="drained",
            )  # fmt: skip
        await self.liveness.close()

    async def expire(self) -> int:
        """Unsent messages of expired warnings say so; visits go on. Returns how many."""
        now = self._clock.now()
        async with self._database.write() as tx:
            ids = (
                await tx.scalars(
                    sa.select(delivery.c.delivery_id)
                    .where(
                        IS_DUE,
                        delivery.c.expires_at <= now,
                        delivery.c.driver != DOOR_DRIVER,
                    )
                    .limit(500)
                )
            ).all()
            return len(await move(tx, ids, S.EXPIRED, at=now, only=(S.PENDING, S.RETRY)))

    async def end(self) -> int:
        """Unsent messages of warnings that are over say so; returns how many.

        What was due when a warning ended was ended with it; what was in hand then, and was not sent after all (its call
        began too late, its lease ran out, its process stopped), comes back due and ends here.
        """
        now, ended = self._clock.now(), 0
        async with self._database.write() as tx:
            for over, after in OVER.items():
                mine = sa.exists().where(
                    warning_state.c.warning_id == delivery.c.warning_id, warning_state.c.state.in_(over)
                )
                ids = (await tx.scalars(sa.select(delivery.c.delivery_id).where(IS_DUE, mine).limit(500))).all()
                ended += len(await move(tx, ids, after, at=now, only=(S.PENDING, S.RETRY)))
        return ended
