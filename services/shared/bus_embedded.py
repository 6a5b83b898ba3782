"""The in-process bus: the outbox poller and an event, nothing else."""

from __future__ import annotations

import hashlib
from collections import defaultdict

import sqlalchemy as sa
import structlog

from services.shared.bus import Handler
from services.shared.clock import Waker, wall
from services.shared.db import Database, insert_new
from services.shared.errors import AlreadyHandled
from services.shared.messages import decode
from services.shared.outbox import Receipt, dead_letter, inbox, outbox

log = structlog.get_logger("bus")
BATCH = 20
MAX_TRIES = 5
BACKOFF_S = (0.2, 1.0, 5.0, 15.0)


class EmbeddedBus:
    """Urgent tiers first, oldest first; a message that fails five times is put aside with its reason and stops nobody."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._handlers: dict[str, dict[str, Handler]] = defaultdict(dict)
        self.waker = Waker()

    def subscribe(self, consumer: str, topic: str, handler: Handler) -> None:
        self._handlers[topic][consumer] = handler

    def wake(self) -> None:
        self.waker.set()

    async def work(self) -> bool:
        async with self._database.read() as db:
            rows = (
                await db.execute(
                    sa.select(outbox)
                    .where(outbox.c.not_before <= wall())
                    .order_by(outbox.c.tier.desc(), outbox.c.id)
                    .limit(BATCH)
                )
            ).all()
            if not rows:
                return False
            heard = {
                (r.consumer, r.msg_id)
                for r in await db.execute(sa.select(inbox).where(inbox.c.msg_id.in_([r.msg_id for r in rows])))
            }
        finished: list[str] = []
        for row in rows:
            waiting = [c for c in self._handlers.get(row.topic, {}) if (c, row.msg_id) not in heard]
            outcomes = [await self._show(consumer, row) for consumer in waiting]
            if all(outcomes):
                finished.append(row.msg_id)
        if finished:
            async with self._database.write() as tx:
                await tx.execute(sa.delete(outbox).where(outbox.c.msg_id.in_(finished)))
                await tx.execute(sa.delete(inbox).where(inbox.c.msg_id.in_(finished)))
        return True

    async def _show(self, consumer: str, row: sa.Row[tuple[object, ...]]) -> bool:
        """True when the consumer is done with the message, by effect, by having had it, or by putting it aside."""
        msg_id: str = row.msg_id
        try:
            message = decode(row.body)
            await self._handlers[row.topic][consumer](message, Receipt(self._database, consumer, msg_id))
        except AlreadyHandled:
            return True
        except Exception as problem:
            reason = f"{type(problem).__name__}: {problem}"
            log.exception("message_failed", consumer=consumer, topic=row.topic, msg_id=msg_id, tries=row.tries + 1)
            return await self._set_back(consumer, row, reason)
        return True

    async def _set_back(self, consumer: str, row: sa.Row[tuple[object, ...]], reason: str) -> bool:
        tries = row.tries + 1
        async with self._database.write() as tx:
            if tries < MAX_TRIES:
                again = wall() + BACKOFF_S[min(row.tries, len(BACKOFF_S) - 1)]
                await tx.execute(
                    sa.update(outbox).where(outbox.c.msg_id == row.msg_id).values(tries=tries, not_before=again)
                )
                return False
            await insert_new(
                tx,
                dead_letter,
                [
                    {
                        "msg_id": row.msg_id,
                        "consumer": consumer,
                        "topic": row.topic,
                        "tier": row.tier,
                        "reason": reason,
                        "sha256": hashlib.sha256(row.body).hexdigest(),
                        "body": row.body,
                        "at": wall(),
                    }
                ],
            )
            await insert_new(tx, inbox, [{"consumer": consumer, "msg_id": row.msg_id}])
        log.critical(
            "message_put_aside", consumer=consumer, topic=row.topic, msg_id=row.msg_id, tier=row.tier, reason=reason
        )
        return True
