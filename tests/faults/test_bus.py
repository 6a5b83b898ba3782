"""The bus over a broker that is killed, frozen, cut off, full, wiped, lied to: nothing lost, nothing done twice."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import aio_pika
import pytest
import sqlalchemy as sa
import structlog

from services.shared.bus import rabbit_bus, rabbit_turns
from services.shared.bus.dispatch import set_back
from services.shared.bus.outbox import Receipt, dead_letter, new_id, outbox
from services.shared.bus.rabbit_bus import RabbitBus
from services.shared.bus.rabbit_link import DEAD, EXCHANGE, BrokerLost, check_plane
from services.shared.database.engine import Database
from services.shared.errors import Broken
from services.shared.fault_points import BROKER_POINTS
from services.shared.messages import Message
from tests.kit.bus import Doer, due, effects, empty, issued, move_time, put, rows, until, work_off
from tools.servers.postgres import Postgres
from tools.servers.proxy import Proxy
from tools.servers.rabbit import Rabbit


class Testbed:
    """A database and running buses, which the end of the test stops; a task of theirs that dies fails the test."""

    __test__ = False

    def __init__(self, database: Database) -> None:
        self.database = database
        self._ending = False
        self._running: list[tuple[RabbitBus, asyncio.Task[None]]] = []

    async def running(self, url: str, *doers: tuple[str, str, Doer], plane: str = "drill") -> RabbitBus:
        """A process's worth of bus with these (consumer, topic, doer)."""
        bus = RabbitBus(self.database, url, plane)
        for consumer, topic, doer in doers:
            bus.subscribe(consumer, topic, doer.handle)
        await bus.start()
        self._running.append((bus, asyncio.create_task(bus.run(lambda: self._ending, lambda _: None))))
        return bus

    def all_alive(self) -> bool:
        """I10: no task dead while health says ready."""
        return not any(task.done() for _, task in self._running)

    async def done(self, seconds: float = 25.0) -> None:
        """Everything said was handled by all and forgotten."""
        await until(lambda: empty(self.database), "everything is handled", seconds)

    async def close(self) -> None:
        alive = self.all_alive()
        self._ending = True
        for bus, task in self._running:
            bus.wake()
            await task
            await bus.close()
        await self.database.close()
        assert alive


@pytest.fixture
async def bed(postgres: Postgres) -> AsyncIterator[Testbed]:
    name = new_id()
    made = Testbed(Database(postgres.database(name)))
    yield made
    await made.close()
    postgres.drop(name)  # some thirty of them would be half a gigabyte to remove at the end


def cut(url: str, proxy: Proxy) -> str:
    """The same vhost through the proxy."""
    return f"amqp://guest:guest@127.0.0.1:{proxy.port}/{url.rpartition('/')[2]}"


def once(*messages: Message) -> dict[tuple[str, str], int]:
    """Each of the channels' messages done once."""
    return {("channels", message.msg_id): 1 for message in messages}


async def say_for(bed: Testbed, seconds: float, tier: int = 4, pause: float = 0.05) -> list[Message]:
    """Goes on saying things for a while, as a service does that does not know of the broker."""
    said: list[Message] = []
    until_then = time.monotonic() + seconds
    while time.monotonic() < until_then:
        said.append(due(tier))
        await put(bed.database, said[-1])
        await asyncio.sleep(pause)
    return said


async def raw(url: str, body: bytes, key: str, exchange: str = EXCHANGE) -> None:
    """Publishes what an attacker, or a version to come, might."""
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        target = await channel.get_exchange(exchange, ensure=False)
        await target.publish(aio_pika.Message(body), key)


# ---- the way of a hint


@pytest.mark.long
async def test_the_broker_carries_ids_alone_and_at_once(bed: Testbed, vhost: str) -> None:
    """One process says, another hears, within a second, and what crossed the broker is four words."""
    doer, seen = Doer(bed.database), []
    sayer = await bed.running(vhost)
    await bed.running(vhost, ("channels", "DeliveryDue", doer))
    async with await aio_pika.connect(vhost) as connection, connection.channel() as channel:
        spy = await channel.declare_queue(exclusive=True)
        await spy.bind(EXCHANGE, "#")
        event = due(4)
        begun = time.monotonic()
        await put(bed.database, event)
        sayer.wake()
        await until(lambda: empty(bed.database), "handled and forgotten")
        assert time.monotonic() - begun < 1.9, "not by the broker: the fallback comes after two seconds"
        message = await spy.get()
        assert message is not None
        seen = [message.routing_key, message.delivery_mode, json.loads(message.body)]
    expected = {"v": 1, "plane": "drill", "topic": "DeliveryDue", "msg_id": event.msg_id}
    assert ["DeliveryDue.red", aio_pika.DeliveryMode.PERSISTENT, expected] == seen
    assert once(event) == await effects(bed.database)
    await until(lambda: _is(sayer.health()["last_confirm_age_s"] is not None), "the broker's word came back too")
    health = sayer.health()
    assert (True, False, 0) == (health["connected"], health["blocked"], health["in_hand"])
    assert health["last_confirm_age_s"] < 10


async def test_a_vhost_belongs_to_one_plane(bed: Testbed, vhost: str) -> None:
    """A drill that opens the live broker refuses to start; two that come first together cannot both stay."""
    live = RabbitBus(bed.database, vhost, "live")
    await live.start()
    drill = RabbitBus(bed.database, vhost, "drill")
    with pytest.raises(Broken, match="this broker's vhost is for the live plane and TOCSIN_PLANE is drill"):
        await drill.start()
    assert live.health()["connected"]
    async with await aio_pika.connect(vhost) as connection:
        await check_plane(connection, "live")
    await live.close()


async def test_a_start_does_not_wait_for_the_broker(
    bed: Testbed, rabbit: Rabbit, vhost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started with no broker it serves by the fallback; when there is one it is used."""
    monkeypatch.setattr(rabbit_bus, "START_S", 0.3)
    doer, event = Doer(bed.database), due(4)
    async with Proxy(1) as proxy:  # nothing answers there
        begun = time.monotonic()
        bus = await bed.running(cut(vhost, proxy), ("channels", "DeliveryDue", doer))
        assert time.monotonic() - begun < rabbit_bus.START_S + 1
        await put(bed.database, event)
        await bed.done(6)
        assert not bus.health()["connected"]
        proxy.to = rabbit.port
        await until(lambda: _is(bus.health()["connected"]), "connected")
    assert once(event) == await effects(bed.database)


async def _is(value: Any) -> bool:
    return bool(value)


# ---- F2-F6: a broker in trouble


async def test_kill_9_of_the_broker_loses_nothing(bed: Testbed, rabbit: Rabbit, vhost: str) -> None:
    """F2: killed and started again under traffic; every message once, connected again within 15 s of its start."""
    doer = Doer(bed.database)
    bus = await bed.running(vhost, ("channels", "DeliveryDue", doer))
    saying = asyncio.create_task(say_for(bed, 4))
    await asyncio.sleep(0.5)
    await asyncio.to_thread(rabbit.restart)
    await until(lambda: _is(bus.health()["connected"]), "connected", 15)
    said = await saying
    await bed.done()
    assert once(*said) == await effects(bed.database)
    assert [] == await rows(bed.database, dead_letter)


@pytest.mark.parametrize(
    "seconds", [5, pytest.param(25, marks=pytest.mark.slow), pytest.param(60, marks=pytest.mark.slow)]
)
@pytest.mark.long
async def test_a_frozen_broker_costs_red_seconds(bed: Testbed, rabbit: Rabbit, vhost: str, seconds: int) -> None:
    """F3: what is red goes on without it within five seconds, no task dies, and it is used again afterwards."""
    doer = Doer(bed.database)
    bus = await bed.running(vhost, ("channels", "DeliveryDue", doer))
    rabbit.freeze()
    try:
        saying = asyncio.create_task(say_for(bed, seconds, pause=0.1))
        first = due(4)
        await put(bed.database, first)
        begun = time.monotonic()
        await until(lambda: _is(first.msg_id in doer.seen), "red is shown by the fallback", 5)
        assert time.monotonic() - begun > 1.5, "that was the broker"
        said = [first, *await saying]
        assert bed.all_alive()
    finally:
        rabbit.thaw()
    await bed.done(40)
    await until(lambda: _is(bus.health()["connected"]), "connected", 60)
    last = due(4)
    await put(bed.database, last)
    await until(lambda: _is(not bus.health()["blocked"]), "confirms again", 30)
    await bed.done()
    assert once(*said, last) == await effects(bed.database)
    assert [] == await rows(bed.database, dead_letter)


@pytest.mark.slow
async def test_cut_lines_lose_nothing(bed: Testbed, rabbit: Rabbit, vhost: str) -> None:
    """F4: reset six times under traffic: more hints than messages, each effect once, no dead letter."""
    doer = Doer(bed.database)
    async with Proxy(rabbit.port) as proxy:
        bus = await bed.running(cut(vhost, proxy), ("channels", "DeliveryDue", doer))
        saying = asyncio.create_task(say_for(bed, 4, pause=0.01))
        for _ in range(3):
            await asyncio.sleep(1.2)
            proxy.reset()
        said = await saying
        await until(lambda: _is(bus.health()["connected"]), "connected")
        await bed.done()
    assert once(*said) == await effects(bed.database)
    assert [] == await rows(bed.database, dead_letter)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["blackhole", "trickle", "half_open"])
async def test_a_dead_line_costs_seconds(bed: Testbed, rabbit: Rabbit, vhost: str, how: Any) -> None:
    """F4: bytes go nowhere, or one a second, or the far end is gone unsaid: red goes on by itself."""
    doer = Doer(bed.database)
    async with Proxy(rabbit.port) as proxy:
        bus = await bed.running(cut(vhost, proxy), ("channels", "DeliveryDue", doer))
        if how == "half_open":
            proxy.half_open()
        else:
            proxy.mode = how
        said = await say_for(bed, 2, pause=0.1)
        await bed.done(12)
        proxy.mode = "pass"
        proxy.reset()
        await until(lambda: _is(bus.health()["connected"]), "connected", 60)
        said.append(due(4))
        await put(bed.database, said[-1])
        await bed.done()
    assert once(*said) == await effects(bed.database)


@pytest.mark.slow
@pytest.mark.parametrize("alarm", ["memory", "disk"])
async def test_an_alarm_of_the_broker_is_waited_out(bed: Testbed, rabbit: Rabbit, vhost: str, alarm: str) -> None:
    """F5: no confirm comes; what is said stays unpublished in the outbox, red is shown, and all of it drains after."""
    set_to = {
        "memory": (
            ["set_vm_memory_high_watermark", "absolute", "1MB"],
            ["set_vm_memory_high_watermark", "absolute", "1GB"],
        ),
        "disk": (["set_disk_free_limit", "999999GB"], ["set_disk_free_limit", "10MB"]),
    }[alarm]
    doer = Doer(bed.database)
    bus = await bed.running(vhost, ("channels", "DeliveryDue", doer))
    await asyncio.to_thread(rabbit.ctl, *set_to[0])
    try:
        await asyncio.sleep(0.5)
        said: list[Message] = [due(4), *(due(1) for _ in range(30))]
        await put(bed.database, *said)
        await until(lambda: _is(said[0].msg_id in doer.seen), "red is shown", 6)
        await until(lambda: _is(bus.health()["blocked"]), "known to be blocked", 8)
        assert bed.all_alive()
    finally:
        await asyncio.to_thread(rabbit.ctl, *set_to[1])
    await bed.done()
    said.append(due(1))
    await put(bed.database, said[-1])
    await until(lambda: _is(not bus.health()["blocked"]), "confirms again", 15)
    await bed.done()
    assert once(*said) == await effects(bed.database)


@pytest.mark.slow
async def test_a_wiped_broker_is_furnished_again(bed: Testbed, rabbit: Rabbit, vhost: str) -> None:
    """F6: queues, stamps and all hints are gone; the outbox is not."""
    doer = Doer(bed.database)
    bus = await bed.running(vhost, ("channels", "DeliveryDue", doer))
    said = await say_for(bed, 0.3)
    saying = asyncio.create_task(say_for(bed, 8))
    await asyncio.to_thread(rabbit.wipe)
    await until(lambda: _is(bus.health()["connected"]), "connected", 15)
    said += await saying
    await bed.done()
    assert once(*said) == await effects(bed.database)
    listed = await asyncio.to_thread(rabbit.ctl, "list_queues", "-p", vhost.rpartition("/")[2], "name")
    assert {"channels.red", "router.blue", DEAD} <= set(listed.split())


@pytest.mark.slow
async def test_a_full_queue_refuses_and_the_outbox_keeps(bed: Testbed, rabbit: Rabbit, vhost: str) -> None:
    """x-overflow reject-publish: a refused hint is no lost message, and is hinted again when there is room."""
    name = vhost.rpartition("/")[2]
    sayer = await bed.running(vhost)
    await asyncio.to_thread(
        rabbit.ctl, "set_policy", "-p", name, "small", "^channels", '{"max-length": 2}', "--apply-to", "queues"
    )
    said: list[Message] = []

    async def refused() -> bool:
        said.append(due(1))
        await put(bed.database, said[-1])
        sayer.wake()
        return any(event["event"] == "hints_not_confirmed" for event in logs)

    with structlog.testing.capture_logs() as logs:
        await until(refused, "the broker refuses")

    async def some_are_noted() -> bool:
        return 0 < len([row for row in await rows(bed.database, outbox) if row.published_at is None]) < len(said)

    await until(some_are_noted, "what the broker took is noted")
    await asyncio.to_thread(rabbit.ctl, "clear_policy", "-p", name, "small")
    doer = Doer(bed.database)
    await bed.running(vhost, ("channels", "DeliveryDue", doer))
    await bed.done()
    assert once(*said) == await effects(bed.database)


async def test_a_event_that_met_a_refusing_database_comes_again_at_once(
    bed: Testbed, vhost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal by the database is not taken for one by the broker: no hint stays in hand until the fallback comes."""
    refused, look = iter(range(6)), rabbit_turns.look_up
    monkeypatch.setattr(rabbit_bus, "URGENT_S", 120.0)  # on a busy machine the fallback came before the sixth refusal

    async def refusing(*given: Any) -> Any:
        task = asyncio.current_task()
        if task is not None and task.get_name().startswith("hint:") and next(refused, None) is not None:
            raise ConnectionRefusedError(111, "Connect call failed")
        return await look(*given)

    monkeypatch.setattr(rabbit_turns, "look_up", refusing)
    bus = await bed.running(vhost, ("channels", "DeliveryDue", Doer(bed.database)))
    await until(lambda: _is(bus.health()["connected"]), "connected", 15)
    said = [due(1 + n % 2) for n in range(30)]  # ordinary ones: the fallback leaves them to the broker for a minute
    await put(bed.database, *said)
    bus.wake()
    await bed.done()
    assert next(refused, None) is None
    assert once(*said) == await effects(bed.database)


async def test_the_database_away_is_waited_for_without_counting(bed: Testbed, postgres: Postgres, vhost: str) -> None:
    """The server dies and comes again while hints are in hand: nothing is a failed try, nothing a dead letter."""
    doer = Doer(bed.database)
    bus = await bed.running(vhost, ("channels", "DeliveryDue", doer))
    said = [due(1 + n % 4) for n in range(30)]
    await put(bed.database, *said)
    bus.wake()
    await asyncio.to_thread(postgres.kill)
    try:
        await asyncio.sleep(1.0)
        assert bed.all_alive()
    finally:
        await asyncio.to_thread(postgres.start)
    await until(lambda: _is(bus.health()["connected"]), "connected", 15)
    await bed.done()
    assert once(*said) == await effects(bed.database)
    assert [] == await rows(bed.database, dead_letter)


@pytest.mark.parametrize(
    "point", [pytest.param(p, marks=() if p == "after_publish" else (pytest.mark.slow,)) for p in BROKER_POINTS]
)
async def test_a_process_killed_on_the_way_of_a_event(bed: Testbed, vhost: str, point: str) -> None:
    """F1: dead between claim, publish, note and acknowledgement; the next process finds it all, and does it once."""
    said = [due(1 + n % 4) for n in range(20)]
    await put(bed.database, *said)
    command = [sys.executable, "-m", "tests.faults.bus_process", bed.database.url, vhost]
    first = await asyncio.create_subprocess_exec(*command, env=os.environ | {"TOCSIN_FAULT_AT": point})
    assert -signal.SIGKILL == await first.wait()
    await move_time(bed.database)
    second = await asyncio.create_subprocess_exec(*command)
    assert 0 == await second.wait()
    assert once(*said) == await effects(bed.database)
    assert [] == await rows(bed.database, dead_letter)


# ---- F21: lies


POISON = {
    "no JSON": b"{nonsense",
    "not text": b"\x93\x00\xff",
    "10 MB": b"x" * 10_000_000,
    "unknown major": b'{"v":2,"plane":"drill","topic":"DeliveryDue","msg_id":"aa"}',
    "other plane": b'{"v":1,"plane":"live","topic":"DeliveryDue","msg_id":"aa"}',
    "no id": b'{"v":1,"plane":"drill","topic":"DeliveryDue","msg_id":"a\\u0000b"}',
}


async def test_poison_from_the_broker_is_put_aside_and_neighbours_go_on(bed: Testbed, vhost: str) -> None:
    """Each becomes a dead letter once, with a reason and its digest; a red one is logged as critical."""
    doer = Doer(bed.database)
    await bed.running(vhost, ("channels", "DeliveryDue", doer))
    said = [due(4)]
    with structlog.testing.capture_logs() as logs:
        for body in (*POISON.values(), *POISON.values()):
            await raw(vhost, body, "DeliveryDue.red")
        await put(bed.database, *said)
        await until(lambda: _count(bed.database, dead_letter, len(POISON)), "all are dead letters")
        await bed.done()
    letters = await rows(bed.database, dead_letter)
    assert {("channels", "DeliveryDue", 4)} == {(d.consumer, d.topic, d.tier) for d in letters}
    assert rabbit_turns.RAW_BYTES == max(len(d.body) for d in letters)
    reasons = " ".join(d.reason for d in letters)
    for words in ("rejected", "10000000 bytes are no hint", "version 2 is not known", "of another plane"):
        assert words in reasons
    assert len(POISON) == len([e for e in logs if e["event"] == "dead_letter" and e["log_level"] == "critical"])
    assert "nonsense" not in str(logs)
    assert once(*said) == await effects(bed.database)


async def _count(database: Database, table: sa.Table, number: int) -> bool:
    return len(await rows(database, table)) == number


async def test_forged_events_do_nothing(bed: Testbed, vhost: str) -> None:
    """An id nobody said, one of somebody else's topic, one of a message that was handled: no effect, no harm."""
    doer = Doer(bed.database)
    await bed.running(vhost, ("channels", "DeliveryDue", doer))
    handled, others = due(), issued()
    await put(bed.database, handled)
    await bed.done()
    await put(bed.database, others)
    for msg_id in (new_id(), handled.msg_id, others.msg_id):
        event = {"v": 1, "plane": "drill", "topic": "DeliveryDue", "msg_id": msg_id}
        await raw(vhost, json.dumps(event).encode(), "DeliveryDue.red")
    await until(lambda: _count(bed.database, dead_letter, 1), "the misdirected one is put aside")
    assert once(handled) == await effects(bed.database)
    assert [handled.msg_id] == doer.seen
    assert [others.msg_id] == [row.msg_id for row in await rows(bed.database, outbox)]


async def test_what_the_broker_gave_up_on_has_one_more_chance(bed: Testbed, vhost: str) -> None:
    """A hint delivered too often, as by processes that die of it: a dead letter, then handled by the fallback after all."""
    event, doer = due(4), Doer(bed.database)
    sayer = RabbitBus(bed.database, vhost, "drill")
    sayer.subscribe("router", "EvidenceRecorded", doer.handle)  # who hears nothing is no judge of what died
    await sayer.start()
    await put(bed.database, event)
    await sayer._relay()
    await _give_back(vhost, "channels.red")
    await until(lambda: _count(bed.database, dead_letter, 1), "a dead letter")
    letter = (await rows(bed.database, dead_letter))[0]
    assert (event.msg_id, "channels", 4) == (letter.msg_id, letter.consumer, letter.tier)
    assert letter.reason.startswith("delivery limit")
    await sayer.close()
    await bed.running(vhost, ("channels", "DeliveryDue", doer))
    await bed.done()
    assert once(event) == await effects(bed.database)
    await until(lambda: _count(bed.database, dead_letter, 0), "no dead letter any more")


async def test_what_ends_processes_is_put_aside_after_its_last_chance(bed: Testbed, vhost: str) -> None:
    """The last chance is counted before it is taken: after the death it counts as used."""
    event, doer = due(4), Doer(bed.database)
    await put(bed.database, event)
    await rabbit_turns.gave_up(bed.database, "channels", event.msg_id)
    row = (await rows(bed.database, outbox))[0]
    assert await rabbit_turns.last_chance(bed.database, "channels", row)  # and here the process died
    await move_time(bed.database)
    await bed.running(vhost, ("channels", "DeliveryDue", doer))
    await bed.done()
    assert [] == doer.seen
    letters = await rows(bed.database, dead_letter)
    assert [(event.msg_id, True)] == [(d.msg_id, "processes ended" in d.reason) for d in letters]


async def _give_back(vhost: str, queue: str) -> None:
    """Takes a message and gives it back until the broker gives it up."""
    async with await aio_pika.connect(vhost) as connection, connection.channel() as channel:
        taken = await channel.get_queue(queue, ensure=False)
        misses = 0
        while misses < 5:
            message = await taken.get(fail=False)
            if message is None:
                misses += 1
                await asyncio.sleep(0.1)
            else:
                misses = 0
                await message.nack(requeue=True)


# ---- what the library does


async def test_a_cancellation_that_nobody_asked_for_is_a_lost_broker(
    bed: Testbed, vhost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiormq ends a publish with CancelledError when a connection is stuck: the relay goes on, the row stays."""
    sayer = await bed.running(vhost)
    event, real = due(), aio_pika.Exchange.publish
    stuck = [True]

    async def publish(self: aio_pika.Exchange, *args: Any, **kwargs: Any) -> Any:
        if stuck and stuck.pop():
            raise asyncio.CancelledError
        return await real(self, *args, **kwargs)

    monkeypatch.setattr(aio_pika.Exchange, "publish", publish)
    await put(bed.database, event)
    sayer.wake()
    await until(lambda: _published(bed.database), "hinted after all")
    assert not stuck


async def _published(database: Database) -> bool:
    return all(row.published_at is not None for row in await rows(database, outbox))


async def test_a_cancellation_that_was_asked_for_is_one(vhost: str) -> None:
    """And is not turned into anything else."""
    async with await aio_pika.connect(vhost) as connection, connection.channel() as channel:
        exchange = await channel.declare_exchange("slow")

        async def never(*_: Any, **__: Any) -> None:
            await asyncio.sleep(60)

        exchange.publish = never  # type: ignore[method-assign]
        task = asyncio.create_task(rabbit_bus._tell(exchange, b"", "key"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        async def stray(*_: Any, **__: Any) -> None:
            raise asyncio.CancelledError

        exchange.publish = stray  # type: ignore[method-assign]
        with pytest.raises(BrokerLost):
            await rabbit_bus._tell(exchange, b"", "key")


async def test_what_was_set_back_while_its_event_was_confirmed_is_announced_again(bed: Testbed) -> None:
    """The handler may fail before the relay has noted the confirm: the note must not undo the setting back."""
    event = due()
    await put(bed.database, event)
    claim = await rabbit_turns.claim(bed.database, 10)
    assert [] == list((await rabbit_turns.claim(bed.database, 10)).rows), "leased twice"
    row = (await rows(bed.database, outbox))[0]
    async with bed.database.write() as tx:
        assert not await set_back(tx, "channels", row, "failed")
    await rabbit_turns.note_confirmed(bed.database, {claim.rows[0].id: claim.lease})
    assert [None] == [row.published_at for row in await rows(bed.database, outbox)]
    await move_time(bed.database)
    assert [event.msg_id] == [row.msg_id for row in (await rabbit_turns.claim(bed.database, 10)).rows]


@pytest.mark.long
async def test_deleted_queues_come_back(bed: Testbed, rabbit: Rabbit, vhost: str) -> None:
    """Consumers are cancelled by the broker, hints come back unroutable: everything is declared again and goes on."""
    doer = Doer(bed.database)
    bus = await bed.running(vhost, ("channels", "DeliveryDue", doer))
    async with await aio_pika.connect(vhost) as connection, connection.channel() as channel:
        for word in ("red", "blue"):
            await channel.queue_delete(f"channels.{word}")
    said = [due(4), due(1)]
    await put(bed.database, *said)
    bus.wake()
    await bed.done()
    assert once(*said) == await effects(bed.database)
    listed = await asyncio.to_thread(rabbit.ctl, "list_consumers", "-p", vhost.rpartition("/")[2])
    assert "channels.red" in listed
    assert "channels.blue" in listed


async def test_channels_are_not_collected_as_garbage_and_beats_are_short(bed: Testbed, vhost: str) -> None:
    """The library holds channels weakly; we hold them. A stuck line is noticed after half a minute, not three."""
    doer = Doer(bed.database)
    bus = await bed.running(vhost, ("channels", "DeliveryDue", doer))
    gc.collect()
    event = due(4)
    begun = time.monotonic()
    await put(bed.database, event)
    bus.wake()
    await bed.done()
    assert time.monotonic() - begun < 1.9
    channel = bus._consuming_on[0][0]
    tune: Any = (await channel.get_underlay_channel()).connection.connection_tune
    assert 10 == tune.heartbeat


async def test_a_handler_in_hand_outlives_its_connection(bed: Testbed, rabbit: Rabbit, vhost: str) -> None:
    """A channel that closes cancels its consumers' tasks: ours go on, and what they did is done once."""
    begun, go_on, starts = asyncio.Event(), asyncio.Event(), []

    class Slow(Doer):
        async def handle(self, message: Message, receipt: Receipt) -> None:
            starts.append(message.msg_id)
            begun.set()
            await go_on.wait()
            await super().handle(message, receipt)

    async with Proxy(rabbit.port) as proxy:
        slow = Slow(bed.database)
        bus = await bed.running(cut(vhost, proxy), ("channels", "DeliveryDue", slow))
        event = due(1)
        await put(bed.database, event)
        bus.wake()
        await asyncio.wait_for(begun.wait(), 5)
        proxy.reset()
        await asyncio.sleep(0.2)
        go_on.set()
        await bed.done()
    assert once(event) == await effects(bed.database)
    assert [event.msg_id] == starts == slow.seen


async def test_closing_waits_for_what_is_in_hand_and_takes_nothing_new(bed: Testbed, vhost: str) -> None:
    """The handler ends and its hint is acknowledged; the next is left to others."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    class Slow(Doer):
        async def handle(self, message: Message, receipt: Receipt) -> None:
            begun.set()
            await go_on.wait()
            await super().handle(message, receipt)

    slow, bus = Slow(bed.database), RabbitBus(bed.database, vhost, "drill")
    bus.subscribe("channels", "DeliveryDue", slow.handle)
    await bus.start()
    first = due(1)
    await put(bed.database, first)
    await bus._relay()
    await asyncio.wait_for(begun.wait(), 5)
    closing = asyncio.create_task(bus.close())
    await asyncio.sleep(0.2)
    assert not closing.done()
    go_on.set()
    await asyncio.wait_for(closing, 5)
    assert once(first) == await effects(bed.database)
    other = Doer(bed.database)
    heir = await bed.running(vhost, ("channels", "DeliveryDue", other))
    second = due(1)
    await put(bed.database, second)
    heir.wake()
    await bed.done()
    assert ([first.msg_id], [second.msg_id]) == (slow.seen, other.seen)


async def test_stepping_over_a_broker_comes_to_rest(bed: Testbed, vhost: str) -> None:
    """`while await bus.run_due()` ends when all is handled, not before: a simulation may run over it."""
    doer = Doer(bed.database)
    bus = RabbitBus(bed.database, vhost, "drill")
    bus.subscribe("channels", "DeliveryDue", doer.handle)
    await bus.start()
    said = [due(1 + n % 4) for n in range(300)]
    await put(bed.database, *said)
    await work_off(bed.database, bus)
    assert once(*said) == await effects(bed.database)
    assert await empty(bed.database)
    await bus.close()
