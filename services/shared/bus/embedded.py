"""Runs the bus inside the process: the outbox poller and an event, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
import structlog

from services.shared.bus.dispatch import MAX_TRIES, Dispatcher, Handling, in_words
from services.shared.bus.outbox import SUBSCRIBERS, OutboxRow, forget, inbox, outbox
from services.shared.bus.port import Handler
from services.shared.clock import Waker, wall
from services.shared.database.engine import Database, may_be_tried_again
from services.shared.database.rows import columns, rows_of

__all__ = ["MAX_TRIES", "EmbeddedBus"]

log = structlog.get_logger("bus")
BATCH = 20
TICK_S = 0.25
AWAY_S = 0.5


class EmbeddedBus:
    """Urgent tiers first, oldest first; a message that fails five times is put aside with its reason and stops nobody."""

    loops = ("bus",)

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dispatcher = Dispatcher(database)
        self.waker = Waker()

    def subscribe(self, consumer: str, topic: str, handler: Handler) -> None:
        self._dispatcher.subscribe(consumer, topic, handler)

    async def start(self) -> None:
        """Nothing to connect to."""

    def wake(self) -> None:
        self.waker.set()

    async def run_due(self) -> bool:
        mine = [topic for topic, handlers in self._dispatcher.handlers.items() if handlers]
        async with self._database.read() as db:
            rows = await rows_of(
                db,
                OutboxRow,
                sa.select(*columns(OutboxRow, outbox))
                .where(outbox.c.not_before <= wall(), outbox.c.topic.in_(mine))
                .order_by(outbox.c.tier.desc(), outbox.c.id)
                .limit(BATCH),
            )
            if not rows:
                return False
            heard = {
                (r.consumer, r.msg_id)
                for r in await db.execute(sa.select(inbox).where(inbox.c.msg_id.in_([r.msg_id for r in rows])))
            }
        shown, finished = 0, []
        for row in rows:
            done = {consumer for consumer, msg_id in heard if msg_id == row.msg_id}
            for consumer in self._dispatcher.handlers[row.topic]:
                if consumer in done:
                    continue
                outcome = await self._dispatcher.show(consumer, row)
                if outcome is Handling.AWAY:
                    return False
                shown += 1
                if outcome.finished:
                    done.add(consumer)
            if done.issuperset(SUBSCRIBERS[row.topic]):
                finished.append(row.msg_id)
        if finished:
            async with self._database.write() as tx:
                await forget(tx, finished)
        return bool(shown or finished)

    async def run(self, ending: Callable[[], bool], beat: Callable[[str], None]) -> None:
        while not ending():
            beat("bus")
            try:
                if not await self.run_due():
                    await self.waker.wait(TICK_S)
            except Exception as problem:
                if not may_be_tried_again(problem):
                    raise
                log.warning("database_away", reason=in_words(problem))
                await self.waker.wait(AWAY_S)

    async def close(self) -> None:
        """Nothing to let go of: `run` ends after its turn."""

    def health(self) -> Mapping[str, Any]:
        return {
            "connected": True,
            "blocked": False,
            "last_confirm_age_s": None,
            "in_hand": len(self._dispatcher.in_hand),
        }
