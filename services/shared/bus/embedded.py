"""Runs the bus inside the process: the outbox poller and an event, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import sqlalchemy as sa

from services.shared.bus.dispatch import MAX_TRIES, Dispatcher, Handling
from services.shared.bus.outbox import ALONE_WITH, SUBSCRIBERS, OutboxRow, forget, inbox, outbox
from services.shared.clock import wall
from services.shared.database.rows import columns, rows_of

__all__ = ["MAX_TRIES", "EmbeddedBus"]

BATCH = 20
TICK_S = 0.25
_WAITING = (
    sa.select(*columns(OutboxRow, outbox))
    .where(
        outbox.c.not_before <= sa.bindparam("now", type_=sa.Float),
        outbox.c.topic.in_(sa.bindparam("topics", expanding=True)),
    )
    .order_by(outbox.c.tier.desc(), outbox.c.id)
    .limit(BATCH)
)
_RECEIPTS = sa.select(inbox).where(inbox.c.msg_id.in_(sa.bindparam("ids", expanding=True)))


class EmbeddedBus(Dispatcher):
    """Urgent tiers first, oldest first; a message that fails five times is put aside with its reason and stops nobody."""

    loops = ("bus",)

    async def start(self) -> None:
        """Nothing to connect to."""

    async def run_due(self) -> bool:
        mine = [topic for topic, handlers in self.handlers.items() if handlers]
        async with self.database.read() as db:
            rows = await rows_of(db, OutboxRow, _WAITING, {"now": wall(), "topics": mine})
            if not rows:
                return False
            several = [r.msg_id for r in rows if len(SUBSCRIBERS[r.topic]) > 1]  # others have no receipts
            receipts = await db.execute(_RECEIPTS, {"ids": several}) if several else ()
            heard = {(r.consumer, r.msg_id) for r in receipts}
        shown, finished = 0, []
        for row in rows:
            done = {consumer for consumer, msg_id in heard if msg_id == row.msg_id}
            is_gone = False
            for consumer in self.handlers[row.topic]:
                if consumer in done:
                    continue
                outcome = await self.show(consumer, row)
                if outcome is Handling.AWAY:
                    return False
                shown += 1
                if outcome.finished:
                    done.add(consumer)
                is_gone = outcome is Handling.HANDLED and row.topic in ALONE_WITH[consumer]
            if done.issuperset(SUBSCRIBERS[row.topic]) and not is_gone:
                finished.append(row.msg_id)
        if finished:
            async with self.database.write() as tx:
                await forget(tx, finished)
        return bool(shown or finished)

    async def run(self, ending: Callable[[], bool], beat: Callable[[str], None]) -> None:
        await self.loop(self.run_due, ending, self.waker, TICK_S, partial(beat, "bus"))

    async def close(self) -> None:
        """Nothing to let go of: `run` ends after its turn."""

    def health(self) -> Mapping[str, Any]:
        return {"connected": True, "blocked": False, "last_confirm_age_s": None, "in_hand": len(self.in_hand)}
