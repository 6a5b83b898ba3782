"""Connects to RabbitMQ: events and their form, a connection that is made again, the plane's stamp, the queues.

Plain connections with a loop of ours around instead of robust ones: what a robust one restores is what it has seen, and
what is needed after a wiped broker, a deleted queue or a database that was away is everything, in one known order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Annotated

import aio_pika
import msgspec
import structlog
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, ChannelClosed, ChannelNotFoundEntity
from pamqp.common import FieldTable

from services.shared.bus.outbox import SUBSCRIBERS
from services.shared.errors import Broken, Fault
from services.shared.tiers import TIER_WORDS, Tier

log = structlog.get_logger("bus")
EXCHANGE, DEAD = "tocsin", "tocsin.dead"
VERSION = 1
PLANES = ("live", "drill")
LOST = (*CONNECTION_EXCEPTIONS, TimeoutError)  # what a call to the broker raises where it is away
CONNECT_S, CLOSE_S = 5.0, 2.0
HANG_UP_S = 5.0  # aiormq waits two of them for the broker's good-bye
RECONNECT_S = 1.0
HEARTBEAT_S = 10  # a connection counts as stuck after three of them and a bit
EVENT_BYTES = 1000


class BrokerLost(Fault):
    """The connection went while something was being published: nobody knows whether it arrived."""


class Event(msgspec.Struct, frozen=True):
    """What lies on the broker: which message of which topic waits in the outbox of which plane."""

    v: int
    plane: str
    topic: str
    msg_id: Annotated[str, msgspec.Meta(pattern="^[0-9A-Za-z]{1,32}$")]


def tier_word(tier: int) -> str:
    """The tier's part of queue names and routing keys."""
    return TIER_WORDS[min(max(tier, Tier.BLUE), Tier.RED) - 1]


def read_event(body: bytes, plane: str) -> Event:
    """The hint, or ValueError that says why it is none of ours."""
    if len(body) > EVENT_BYTES:
        raise ValueError(f"{len(body)} bytes are no hint")
    event = msgspec.json.decode(body, type=Event)  # its errors are ValueErrors
    if event.v != VERSION:
        raise ValueError(f"version {event.v} is not known here")
    if event.plane != plane:
        raise ValueError("of another plane")
    return event


Session = Callable[[AbstractConnection, asyncio.Event], Awaitable[None]]


class BrokerLink:
    """One connection to the broker, made again for ever; `session` prepares it each time and gets the event that ends it."""

    def __init__(self, url: str, plane: str, name: str, session: Session, own: Callable[[], Collection[str]]) -> None:
        self._url, self._plane, self._name = url, plane, name
        self._session, self._own = session, own
        self._lost = asyncio.Event()
        self._said = ""
        self.up = asyncio.Event()

    def renew(self) -> None:
        """Leaves this connection and makes another."""
        self._lost.set()

    async def run(self) -> None:
        """Ends with Broken where the broker is the other plane's, else never."""
        while True:
            try:
                await self._once()
            except LOST as problem:
                self._away(problem)
            except asyncio.CancelledError as stray:  # aiormq ends waiting calls with it when a connection is stuck
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise
                self._away(stray)
            await asyncio.sleep(RECONNECT_S)

    def _away(self, problem: BaseException) -> None:
        said = f"{type(problem).__name__}: {problem}"[:300]
        if said != self._said:  # once for each reason, not once a second
            log.warning("broker_away", link=self._name, reason=said)
        self._said = said

    async def _once(self) -> None:
        lost = self._lost = asyncio.Event()
        connection = await aio_pika.connect(
            self._url,
            timeout=CONNECT_S,
            heartbeat=HEARTBEAT_S,
            client_properties={"connection_name": f"tocsin {self._plane} {self._name}"},
        )
        try:
            connection.close_callbacks.add(lambda *_: lost.set())
            async with asyncio.timeout(6 * CONNECT_S):
                await check_plane(connection, self._plane)
                await declare(connection, self._own())
                await self._session(connection, lost)
            self._said = ""
            self.up.set()
            log.info("broker_connected", link=self._name)
            await lost.wait()
        finally:
            self.up.clear()
            await _close(connection)


async def _close(connection: AbstractConnection) -> None:
    """Closes it within five seconds, also where the broker says nothing any more or we are cancelled meanwhile."""
    closing = asyncio.ensure_future(connection.close())
    waiting = asyncio.ensure_future(asyncio.wait([closing], timeout=HANG_UP_S))
    try:
        await asyncio.shield(waiting)
    except asyncio.CancelledError:
        await waiting  # cut short, it would leave a socket open
        raise
    finally:
        closing.cancel()
        await asyncio.wait([closing], timeout=CLOSE_S)
        if closing.done() and not closing.cancelled():
            closing.exception()  # looked at: it is no news that the broker is away


async def check_plane(connection: AbstractConnection, plane: str) -> None:
    """A vhost belongs to one plane: its stamp is an exchange. Broken where the other plane's is there."""
    others = [other for other in PLANES if other != plane]
    for turn in range(2):  # again after our own stamp: two who come first together both see it
        for other in others:
            if await _is_there(connection, f"plane.{other}"):
                raise Broken(
                    f"this broker's vhost is for the {other} plane and TOCSIN_PLANE is {plane}: give another vhost"
                )
        if turn == 0 and not await _is_there(connection, f"plane.{plane}"):
            async with connection.channel() as channel:
                await channel.declare_exchange(f"plane.{plane}", "fanout", durable=True, timeout=CONNECT_S)


async def _is_there(connection: AbstractConnection, exchange: str = "", queue: str = "") -> bool:
    channel = connection.channel(publisher_confirms=False)
    try:
        await channel.initialize(timeout=CONNECT_S)
        if exchange:
            await channel.declare_exchange(exchange, passive=True, timeout=CONNECT_S)
        else:
            await channel.declare_queue(queue, passive=True, timeout=CONNECT_S)
    except ChannelNotFoundEntity:
        return False
    await channel.close()
    return True


async def declare(connection: AbstractConnection, own: Collection[str]) -> None:
    """Exchanges and queues of a plane, by whoever comes; what is there already stays. `own`: consumers of this process.

    Where each service signs in as a user of its own, the exchanges come with the users, and a consumer makes its queues: what
    another must make is left to it.
    """
    if not (await _is_there(connection, EXCHANGE) and await _is_there(connection, DEAD)):
        async with connection.channel() as channel:
            await channel.declare_exchange(EXCHANGE, "topic", durable=True, timeout=CONNECT_S)
            await channel.declare_exchange(DEAD, "fanout", durable=True, timeout=CONNECT_S)
    quorum: FieldTable = {"x-queue-type": "quorum", "x-quorum-initial-group-size": 3}
    if not await _is_there(connection, queue=DEAD):
        async with connection.channel() as channel:
            kept = await channel.declare_queue(
                DEAD, durable=True, timeout=CONNECT_S, arguments=quorum | {"x-max-length": 100_000}
            )
            await kept.bind(DEAD, "", timeout=CONNECT_S)
    arguments = quorum | {
        "x-delivery-limit": 5,
        "x-dead-letter-exchange": DEAD,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-max-length": 200_000,
    }
    for consumer in sorted({c for consumers in SUBSCRIBERS.values() for c in consumers}):
        if consumer not in own and await _is_there(connection, queue=f"{consumer}.{TIER_WORDS[-1]}"):
            continue
        try:
            await _declare_queues(connection, consumer, arguments)
        except ChannelClosed as refused:
            if consumer in own or "ACCESS_REFUSED" not in str(refused):
                raise
            log.info("queues_of_another", consumer=consumer, do="they are there when it has started")


async def _declare_queues(connection: AbstractConnection, consumer: str, arguments: FieldTable) -> None:
    topics = [topic for topic, consumers in SUBSCRIBERS.items() if consumer in consumers]
    async with connection.channel() as channel:
        for word in TIER_WORDS:
            queue = await channel.declare_queue(
                f"{consumer}.{word}", durable=True, timeout=CONNECT_S, arguments=arguments
            )
            for topic in topics:
                await queue.bind(EXCHANGE, f"{topic}.{word}", timeout=CONNECT_S)
