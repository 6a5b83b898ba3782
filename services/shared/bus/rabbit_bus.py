"""Runs the bus over RabbitMQ: the broker carries ids alone; the outbox is the truth, and enough without a broker.

A broker message is a hint {v, plane, topic, msg_id}: its consumer reads the message from the outbox. So a hint that is
forged, doubled, lost or replayed does nothing, and no person, sealed or not, lies on the broker's disk. Every process
relays what was said, shows its own consumers what a hint names, shows them by itself what has waited too long (2 s for
red and orange or without a broker, 60 s else), and deletes what all have handled.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import aio_pika
import msgspec
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import DeliveryError, PublishError

from services.shared.bus import rabbit_turns
from services.shared.bus.dispatch import AWAY_S, Dispatcher, Handling, in_words, letter_of
from services.shared.bus.outbox import OutboxRow, forget_handled
from services.shared.bus.rabbit_link import (
    CLOSE_S,
    CONNECT_S,
    DEAD,
    EXCHANGE,
    LOST,
    RECONNECT_S,
    VERSION,
    BrokerLink,
    BrokerLost,
    Event,
    read_event,
    tier_word,
)
from services.shared.clock import Waker, wall
from services.shared.database.batches import chunks
from services.shared.database.engine import AWAY, Database, may_be_tried_again
from services.shared.errors import Broken
from services.shared.fault_points import fault_at
from services.shared.tiers import TIER_WORDS, Tier

log = structlog.get_logger("bus")
PUBLISH_S, DRAIN_S = 5.0, 15.0
START_S = 3.0  # how long a start waits for the broker before it goes on without
RELAY_S, RELAY_BATCH = 0.2, 200
URGENT_S, ORDINARY_S = 2.0, 60.0  # how long the fallback leaves a message to the broker
FALLBACK_BATCH, FALLBACK_AT_ONCE = 20, 4
JANITOR_S = 1.0
END_TRIES = 8  # a second each; closing a connection to a silent broker takes five
EVENT_EXPIRES_S = 6 * 3600  # a safety: by then the fallback has had it many times over
PREFETCH = {Tier.RED: 4}
PREFETCH_REST = 2


class RabbitBus(Dispatcher):
    """Relay, consumers, fallback and janitor of one process; see the module."""

    loops = ("bus:relay", "bus:urgent", "bus:ordinary", "bus:janitor")

    def __init__(self, database: Database, amqp_url: str, plane: str) -> None:
        super().__init__(database)
        self._plane = plane
        # two connections: an alarm of the broker blocks the one that publishes, and what is heard meanwhile frees it
        self._publisher = BrokerLink(amqp_url, plane, "publish", self._publishing, self.topics_of)
        self._consumer = BrokerLink(amqp_url, plane, "consume", self._consuming, self.topics_of)
        self._exchange: AbstractExchange | None = None
        # channel, queue, consumer tag: the library holds channels weakly
        self._consuming_on: list[tuple[AbstractChannel, AbstractQueue, str]] = []
        self._links: list[asyncio.Task[None]] = []
        self._handling: set[asyncio.Task[None]] = set()
        self._doubtful = 0  # turns in a row in which a publish was not answered in time
        self._unanswered = self._was_full = False
        self._confirmed_at: float | None = None  # monotonic
        self._confirmed: dict[int, float] = {}  # outbox row > lease, not noted yet
        self._next_relay = 0.0
        self._moved = asyncio.Event()

    # ---- its life

    async def start(self) -> None:
        """Waits for the broker three seconds and goes on without; Broken where the vhost is the other plane's."""
        for link, name in ((self._publisher, "publish"), (self._consumer, "consume")):
            self._links.append(asyncio.create_task(link.run(), name=f"bus:{name}"))
        both = asyncio.create_task(self._both_up())
        await asyncio.wait([both, *self._links], timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
        both.cancel()
        await asyncio.wait([both])
        for task in self._links:
            if task.done():
                await self.close()
                task.result()

    async def _both_up(self) -> None:
        await self._publisher.up.wait()
        await self._consumer.up.wait()

    async def run(self, ending: Callable[[], bool], beat: Callable[[str], None]) -> None:
        wakers = [self.waker, Waker(), Waker(), Waker()]
        turns = (
            (self._relay_more, RELAY_S),
            (lambda: self._fallback(urgent=True), URGENT_S / 4),
            (lambda: self._fallback(urgent=False), URGENT_S),
            (self._janitor, JANITOR_S),
        )
        tasks = [
            asyncio.create_task(self.loop(turn, ending, waker, tick, partial(beat, name)), name=name)
            for name, (turn, tick), waker in zip(self.loops, turns, wakers, strict=True)
        ]
        try:
            while not ending():
                done, _ = await asyncio.wait(
                    [*tasks, *self._links], timeout=RELAY_S, return_when=asyncio.FIRST_COMPLETED
                )
                if task := next((one for one in done if one in self._links or not ending()), None):
                    log.critical("bus_task_died", task=task.get_name())
                    task.result()
                    raise Broken(f"{task.get_name()} ended by itself")
            for waker in wakers:
                waker.set()
            await asyncio.wait(tasks, timeout=DRAIN_S)
            with suppress(*AWAY):
                await self._note_confirmed()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def run_due(self) -> bool:
        did = await self._relay()
        did = await self._fallback(urgent=True) or did
        did = await self._fallback(urgent=False) or did
        did = await self._janitor() or did
        if did:
            return True
        if not self._handling and not await rabbit_turns.waits(self.database, self.topics_of()):
            return False
        self._moved.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(0.02):  # a hint is under way, or its time has not come
                await self._moved.wait()
        return True

    async def close(self) -> None:
        for channel, queue, tag in self._consuming_on:
            if not channel.is_closed:
                with suppress(*LOST, asyncio.CancelledError):
                    await queue.cancel(tag, timeout=CLOSE_S)
        if self._handling:
            await asyncio.wait(self._handling, timeout=DRAIN_S)
        # a client that is just connecting may swallow a cancellation: it is told until it has heard
        for _ in range(END_TRIES):
            left = [task for task in (*self._handling, *self._links) if not task.done()]
            if not left:
                break
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=1.0)
        ended = [task for task in (*self._handling, *self._links) if task.done()]
        await asyncio.gather(*ended, return_exceptions=True)

    def health(self) -> Mapping[str, Any]:
        age = None if self._confirmed_at is None else round(time.monotonic() - self._confirmed_at, 1)
        return {
            "connected": self._publisher.up.is_set() and self._consumer.up.is_set(),
            "blocked": self._doubtful > 0,
            "last_confirm_age_s": age,
            "in_hand": len(self.in_hand),
        }

    # ---- saying

    async def _publishing(self, connection: AbstractConnection, lost: asyncio.Event) -> None:
        channel = connection.channel(on_return_raises=True)
        await channel.initialize(timeout=CONNECT_S)
        channel.close_callbacks.add(lambda *_: lost.set())
        self._exchange = await channel.get_exchange(EXCHANGE, ensure=False)
        self._next_relay = 0.0

    async def _relay_more(self) -> bool:
        """Whether more may wait than was hinted at once; what is said meanwhile wakes this again."""
        return await self._relay() and self._was_full

    async def _relay(self) -> bool:
        """Hints what was said and not hinted yet, urgent first. What the broker confirmed is noted while the lease holds."""
        if not self._publisher.up.is_set() or self._exchange is None or time.monotonic() < self._next_relay:
            return False
        exchange = self._exchange
        claim = await rabbit_turns.claim(self.database, 1 if self._doubtful else RELAY_BATCH)
        self._was_full = len(claim.rows) >= (1 if self._doubtful else RELAY_BATCH)
        if not claim.rows:
            return False
        fault_at("after_hint_claim")
        self._unanswered = False
        told = await asyncio.gather(*(self._publish(exchange, row) for row in claim.rows))
        fault_at("after_publish")
        confirmed = [row.id for row, yes in zip(claim.rows, told, strict=True) if yes]
        left = [row.id for row, yes in zip(claim.rows, told, strict=True) if not yes]
        self._confirmed |= dict.fromkeys(confirmed, claim.lease)
        if left:
            await rabbit_turns.give_back(self.database, claim.lease, left, wall() + RECONNECT_S)
        if self._unanswered:
            self._doubtful += 1
            if self._doubtful > 1:
                self._publisher.renew()  # a new line helps where the old one is dead
        elif confirmed:
            self._doubtful = 0
        if left:
            self._next_relay = time.monotonic() + RECONNECT_S
            log.warning("hints_not_confirmed", confirmed=len(confirmed), left=len(left))
        return bool(confirmed)

    async def _publish(self, exchange: AbstractExchange, row: rabbit_turns.ClaimedRow) -> bool:
        """Whether the broker has it for sure."""
        event = Event(VERSION, self._plane, row.topic, row.msg_id)
        try:
            await _tell(exchange, msgspec.json.encode(event), f"{row.topic}.{tier_word(row.tier)}")
        except TimeoutError:  # blocked by an alarm, frozen, or the line is dead
            self._unanswered = True
            return False
        except (PublishError, BrokerLost, *LOST) as problem:  # the queues are gone, or the connection
            log.warning("hint_came_back", topic=row.topic, msg_id=row.msg_id, reason=type(problem).__name__)
            self._publisher.renew()
            return False
        except DeliveryError:  # the queue is full
            return False
        self._confirmed_at = time.monotonic()
        return True

    # ---- hearing

    async def _consuming(self, connection: AbstractConnection, lost: asyncio.Event) -> None:
        await self._database_answers()
        self._consuming_on.clear()
        for consumer in self.topics_of():
            for word in TIER_WORDS:
                prefetch = PREFETCH.get(Tier.of(word), PREFETCH_REST)
                await self._hear(
                    connection, lost, f"{consumer}.{word}", prefetch, partial(self._announced, consumer, word)
                )
        if self._consuming_on:  # who hears nothing is no judge of what died
            await self._hear(connection, lost, DEAD, 1, self._died)

    async def _database_answers(self) -> None:
        """Nothing is heard while nobody could look it up: the broker would count it as delivered too often."""
        while True:
            try:
                await rabbit_turns.answers(self.database)
                return
            except Exception as problem:
                if not may_be_tried_again(problem):
                    raise
                log.warning("database_away", reason=in_words(problem))
            await asyncio.sleep(AWAY_S)

    async def _hear(
        self,
        connection: AbstractConnection,
        lost: asyncio.Event,
        name: str,
        prefetch: int,
        heard: Callable[[AbstractIncomingMessage], Awaitable[None]],
    ) -> None:
        channel = connection.channel(publisher_confirms=False)
        await channel.initialize(timeout=CONNECT_S)
        await channel.set_qos(prefetch_count=prefetch, timeout=CONNECT_S)
        channel.close_callbacks.add(lambda *_: lost.set())
        (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(lambda _: lost.set())

        async def take(message: AbstractIncomingMessage) -> None:
            # In a task of our own: a channel that closes cancels its consumers' tasks, in the middle of a commit.
            task = asyncio.create_task(self._supervised(heard(message), lost), name=f"hint:{name}")
            self._handling.add(task)
            task.add_done_callback(self._put_down)

        queue = await channel.get_queue(name, ensure=False)
        self._consuming_on.append((channel, queue, await queue.consume(take, timeout=CONNECT_S)))

    def _put_down(self, task: asyncio.Task[None]) -> None:
        self._handling.discard(task)
        self._moved.set()

    async def _supervised(self, work: Awaitable[None], lost: asyncio.Event) -> None:
        """A hint whose handling failed is not acknowledged: its connection is left, and the broker gives it again."""
        try:
            await work
        except LOST as problem:  # the acknowledgement did not get through, or the database's own connection was refused
            log.debug("hint_not_acknowledged", reason=in_words(problem))
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
        except Exception as problem:
            if not may_be_tried_again(problem):
                log.exception("hint_failed")
        else:
            return
        lost.set()

    async def _announced(self, consumer: str, word: str, message: AbstractIncomingMessage) -> None:
        """Shows the consumer the message an event names; what names none of its own becomes a dead letter."""
        try:
            event = read_event(message.body, self._plane)
            row = await rabbit_turns.look_up(self.database, consumer, event.msg_id)
            if row is not None and consumer not in self.handlers[row.topic]:
                raise ValueError(f"an event {consumer} does not hear, of {row.topic}")
        except ValueError as problem:
            topic = (message.routing_key or "").partition(".")[0]
            await self._refuse(consumer, topic, Tier.of(word), str(problem), message.body)
        else:
            if row is not None and await self.show(consumer, row) is Handling.AWAY:
                self._consumer.renew()  # not acknowledged: it comes again when the database answers
                return
        fault_at("before_ack")
        await message.ack()
        fault_at("after_ack")

    async def _refuse(self, consumer: str, topic: str, tier: Tier, reason: str, body: bytes) -> None:
        """Keeps what is no event of ours, once however often it comes."""
        msg_id, reason = hashlib.sha256(body).hexdigest()[:32], f"rejected: {reason}".replace("\0", "")
        topic = topic.replace("\0", "")[:40]
        letter = letter_of(msg_id, consumer, topic, int(tier), reason, body[: rabbit_turns.RAW_BYTES])
        if await rabbit_turns.keep_raw(self.database, letter):
            _dead_letter(consumer, tier, msg_id, reason[:200])

    async def _died(self, message: AbstractIncomingMessage) -> None:
        """What the broker delivered too often gets its last chance; whatever else lies there goes on by the fallback."""
        match message.headers.get("x-death"):
            case [{"reason": "delivery_limit", "queue": str(queue)}, *_]:
                consumer, _, word = queue.partition(".")
                with suppress(ValueError, KeyError):  # neither an event of ours nor a queue
                    event, tier = read_event(message.body, self._plane), Tier.of(word)
                    if await rabbit_turns.gave_up(self.database, consumer, event.msg_id) is not None:
                        _dead_letter(consumer, tier, event.msg_id, "delivery_limit")
        await message.ack()

    # ---- without the broker

    async def _fallback(self, *, urgent: bool) -> bool:
        """Shows our own consumers what has waited too long, a few at once; True if any of it moved."""
        well = self._publisher.up.is_set() and self._consumer.up.is_set() and not self._doubtful
        since = wall() - (URGENT_S if urgent or not well else ORDINARY_S)
        moved = False
        for consumer, topics in self.topics_of().items():
            rows = await rabbit_turns.overdue(
                self.database, consumer, topics, urgent=urgent, since=since, limit=FALLBACK_BATCH
            )
            for some in chunks(rows, FALLBACK_AT_ONCE):
                outcomes = await asyncio.gather(*(self._show_overdue(consumer, row) for row in some))
                if Handling.AWAY in outcomes:
                    return False
                moved = moved or any(outcome.finished for outcome in outcomes)
        return moved

    async def _show_overdue(self, consumer: str, row: OutboxRow) -> Handling:
        if (consumer, row.msg_id) in self.in_hand:
            return Handling.IN_HAND
        if await rabbit_turns.look_up(self.database, consumer, row.msg_id) is None:
            return Handling.ALREADY  # by another process, since we looked
        if not await rabbit_turns.last_chance(self.database, consumer, row):
            log.critical("message_put_aside", consumer=consumer, topic=row.topic, msg_id=row.msg_id, tier=row.tier)
            return Handling.ASIDE
        outcome = await self.show(consumer, row)
        if outcome is Handling.HANDLED and rabbit_turns.given_up(row, consumer):
            await rabbit_turns.revived(self.database, consumer, row.msg_id)
        return outcome

    async def _janitor(self) -> bool:
        await self._note_confirmed()
        return await forget_handled(self.database) > 0

    async def _note_confirmed(self) -> None:
        """Hints whose messages still wait are not repeated. Whoever dies before leaves a lease that ends: they are, once."""
        confirmed, self._confirmed = self._confirmed, {}
        if confirmed:
            await rabbit_turns.note_confirmed(self.database, confirmed)
            fault_at("after_confirm_noted")


async def _tell(exchange: AbstractExchange, body: bytes, key: str) -> None:
    """Returns when the broker confirmed; BrokerLost, or what aio_pika raises, where it did not."""
    message = aio_pika.Message(
        body,
        content_type="application/json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        expiration=EVENT_EXPIRES_S,
    )
    try:
        await exchange.publish(message, key, mandatory=True, timeout=PUBLISH_S)
    except asyncio.CancelledError:
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise
        raise BrokerLost("the connection went while publishing") from None


def _dead_letter(consumer: str, tier: Tier, msg_id: str, reason: str) -> None:
    say = log.critical if tier >= Tier.RED else log.error
    say("dead_letter", consumer=consumer, tier=int(tier), msg_id=msg_id, reason=reason)
