"""Dispatches one message to one consumer and notes what became of it: what both buses are.

Done, or set back to be tried again, or put aside with its reason after five tries (sixty where it came too early or the database was at fault); or the database is away, and then
nothing is known and nothing is counted.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from enum import Enum

import sqlalchemy as sa
import structlog

from services.shared.bus.outbox import (
    SUBSCRIBERS,
    Attempts,
    OutboxRow,
    Receipt,
    dead_letter,
    inbox,
    note_try,
    tried,
)  # fmt: skip
from services.shared.bus.port import Handler
from services.shared.clock import Waker, wall
from services.shared.database.batches import insert_new
from services.shared.database.engine import Connection, Database, may_be_tried_again
from services.shared.errors import AlreadyHandled, Busy, Refused
from services.shared.messages import decode
from services.shared.tiers import Tier

log = structlog.get_logger("bus")
MAX_TRIES = 5
EARLY_S = 1.0  # a message that came before the one it follows is looked at again soon
PATIENT_TRIES = 60  # where it came early, or the database was at fault, it is hardly the message
BACKOFF_S = (0.2, 1.0, 5.0, 15.0)
SLOW_S = 1.0
AWAY_S = 0.5  # until the database is looked for again


class Handling(Enum):
    """What became of showing a message."""

    HANDLED = "handled"
    ALREADY = "already"  # it had been, before
    IN_HAND = "in_hand"  # it is, just now, in this process
    SET_BACK = "set_back"  # failed: it is shown again later
    ASIDE = "aside"  # failed too often: a dead letter now
    AWAY = "away"  # the database does not answer: nothing is known

    @property
    def finished(self) -> bool:
        """Whether the consumer needs it no more."""
        return self in (Handling.HANDLED, Handling.ALREADY, Handling.ASIDE)


class Dispatcher:
    """The handlers of this process, and what they have in hand."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.waker = Waker()
        self.handlers: dict[str, dict[str, Handler]] = defaultdict(dict)  # topic > consumer > handler
        self.in_hand: set[tuple[str, str]] = set()  # (consumer, msg_id)

    def subscribe(self, consumer: str, topic: str, handler: Handler) -> None:
        """Refused where SUBSCRIBERS does not name it."""
        if consumer not in SUBSCRIBERS.get(topic, ()):
            raise Refused(
                f"{consumer} is no subscriber of {topic}: put it into SUBSCRIBERS, or its messages would not be kept for it",
                field="consumer", rule="subscribers are known beforehand", given=f"{consumer} of {topic}",
                remedy="put it into SUBSCRIBERS",
            )  # fmt: skip
        self.handlers[topic][consumer] = handler

    def wake(self) -> None:
        self.waker.set()

    async def loop(
        self,
        turn: Callable[[], Awaitable[bool]],
        ending: Callable[[], bool],
        waker: Waker,
        tick: float,
        beat: Callable[[], None],
    ) -> None:
        """Turns while there is something to do, else waits `tick` s or for `waker`; waits for a database that is away."""
        while not ending():
            beat()
            try:
                if not await turn():
                    await waker.wait(tick)
            except Exception as problem:
                if not may_be_tried_again(problem):
                    raise
                log.warning("database_away", reason=in_words(problem))
                await waker.wait(AWAY_S)

    def topics_of(self) -> dict[str, list[str]]:
        """consumer > its topics, of this process."""
        consumers = {consumer for handlers in self.handlers.values() for consumer in handlers}
        return {
            one: [topic for topic, handlers in self.handlers.items() if one in handlers] for one in sorted(consumers)
        }

    async def show(self, consumer: str, row: OutboxRow) -> Handling:
        """Shows an outbox row (msg_id, topic, tier, body) to one of its consumers; says so in one line."""
        key = (consumer, row.msg_id)
        if key in self.in_hand:
            return Handling.IN_HAND
        self.in_hand.add(key)
        begun = time.monotonic()
        fields: dict[str, object] = {"consumer": consumer, "topic": row.topic, "msg_id": row.msg_id}
        try:
            outcome, reason = await self._show(consumer, row)
        finally:
            self.in_hand.discard(key)
        seconds = round(time.monotonic() - begun, 4)
        fields |= {"tier": row.tier, "seconds": seconds, "outcome": outcome.value}
        if reason:
            fields["reason"] = reason
            say = log.critical if outcome is Handling.ASIDE and row.tier >= Tier.RED else log.error
        else:
            say = log.info if seconds > SLOW_S else log.debug
        say("message", **fields)
        return outcome

    async def _show(self, consumer: str, row: OutboxRow) -> tuple[Handling, str]:
        try:
            message = decode(row.body)
            await self.handlers[row.topic][consumer](message, Receipt(self.database, consumer, row.msg_id))
        except AlreadyHandled:
            return Handling.ALREADY, ""
        except asyncio.CancelledError as stray:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            return await self._failed(consumer, row, stray)
        except Exception as problem:  # noqa: BLE001  whatever a handler raises sets one message back and stops no other
            return await self._failed(consumer, row, problem)
        return Handling.HANDLED, ""

    async def _failed(self, consumer: str, row: OutboxRow, problem: BaseException) -> tuple[Handling, str]:
        reason = in_words(problem)
        try:
            async with self.database.write() as tx:
                patient = _the_databases(problem) or isinstance(problem, Busy)  # what it waits for is on its way
                limit = PATIENT_TRIES if patient else MAX_TRIES
                soon = EARLY_S if isinstance(problem, Busy) else BACKOFF_S[-1]
                aside = await set_back(tx, consumer, row, reason, limit, soon)
        except Exception as trouble:
            if may_be_tried_again(trouble):
                return Handling.AWAY, in_words(trouble)
            raise
        return (Handling.ASIDE if aside else Handling.SET_BACK), reason


async def set_back(
    tx: Connection, consumer: str, row: OutboxRow, reason: str, limit: int = MAX_TRIES, at_most: float = BACKOFF_S[-1]
) -> bool:
    """Counts a failed try; True where it was the last and the message lies aside now. `at_most` s until the next."""
    known = await tried(tx, row.msg_id, consumer)
    if known is None:
        return False
    tries = known.tries + 1
    if tries < limit:
        again = wall() + min(at_most, BACKOFF_S[min(tries, len(BACKOFF_S)) - 1])
        await note_try(tx, row.msg_id, consumer, Attempts(tries, again, known.chances), event=True)
        return False
    await put_aside(tx, consumer, row, reason)
    await insert_new(tx, inbox, [{"consumer": consumer, "msg_id": row.msg_id}])
    return True


async def put_aside(tx: Connection, consumer: str, row: OutboxRow, reason: str) -> None:
    """Writes the dead letter, or the newest reason where it is there."""
    letter = letter_of(row.msg_id, consumer, row.topic, row.tier, reason, bytes(row.body))
    if not await insert_new(tx, dead_letter, [letter]):
        mine = sa.and_(dead_letter.c.msg_id == row.msg_id, dead_letter.c.consumer == consumer)
        await tx.execute(sa.update(dead_letter).where(mine).values(reason=reason, at=wall()))


def letter_of(msg_id: str, consumer: str, topic: str, tier: int, reason: str, body: bytes) -> dict[str, object]:
    """A row of dead_letter."""
    return {
        "msg_id": msg_id, "consumer": consumer, "topic": topic, "tier": tier, "reason": reason[:2000],
        "sha256": hashlib.sha256(body).hexdigest(), "body": body, "at": wall(),
    }  # fmt: skip


def in_words(problem: BaseException) -> str:
    """The fault's name and words; of a statement that failed not its parameters, which may be of people."""
    words = problem.orig if isinstance(problem, sa.exc.DBAPIError) else problem
    return f"{type(problem).__name__}: {words}"[:2000]


def _the_databases(problem: BaseException) -> bool:
    return isinstance(problem, sa.exc.SQLAlchemyError) and may_be_tried_again(problem)
