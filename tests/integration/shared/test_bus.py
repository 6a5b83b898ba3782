"""One behaviour, four ways: the bus inside the process and over a broker, each on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from services import migrations
from services.shared.audit import trail
from services.shared.bus import rabbit_turns
from services.shared.bus.embedded import MAX_TRIES, EmbeddedBus
from services.shared.bus.outbox import (
    Receipt,
    dead_letter,
    inbox,
    new_id,
    outbox,
    publish,
    replay,
)
from services.shared.bus.port import SUBSCRIBERS, Bus
from services.shared.bus.rabbit_bus import RabbitBus
from services.shared.database.engine import Database
from services.shared.errors import AlreadyHandled, NotFound, Refused
from services.shared.messages import TOPICS, Message
from tests.kit.bus import Died, Doer, due, effects, empty, evidence, issued, move_time, put, rows, until, work_off
from tools.servers.postgres import Postgres


class Rig:
    """A database, and buses on it that end with the test."""

    def __init__(self, kind: str, database: Database, amqp_url: str) -> None:
        self.kind = kind
        self.database = database
        self._amqp_url = amqp_url
        self._made: list[Bus] = []

    def bus(self) -> Bus:
        """Another process's worth of bus; start it after subscribing."""
        made: Bus = (
            EmbeddedBus(self.database) if self.kind == "embedded" else RabbitBus(self.database, self._amqp_url, "drill")
        )
        self._made.append(made)
        return made

    async def hearing(self, consumer: str, topic: str, doer: Doer) -> Bus:
        """A started bus with one subscriber."""
        bus = self.bus()
        bus.subscribe(consumer, topic, doer.handle)
        await bus.start()
        return bus

    async def close(self) -> None:
        for bus in self._made:
            await bus.close()
        await self.database.close()


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("empty") / "tocsin.db"
    migrations.upgrade(f"sqlite+aiosqlite:///{path}")
    return path


@contextmanager
def open_database(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Database]:
    """An empty one."""
    if kind == "sqlite":
        path = shutil.copy(request.getfixturevalue("empty_file"), folder / "tocsin.db")
        yield Database(f"sqlite+aiosqlite:///{path}", synchronous="OFF")
        return
    with request.getfixturevalue("postgres").borrowed() as url:
        yield Database(url)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with open_database(request.param, request, tmp_path) as made:
        yield made


WAYS = [
    pytest.param(("embedded", "sqlite"), id="embedded-sqlite"),
    pytest.param(("embedded", "postgres"), id="embedded-postgres"),
    pytest.param(("rabbit", "sqlite"), id="rabbit-sqlite", marks=pytest.mark.slow),
    pytest.param(("rabbit", "postgres"), id="rabbit-postgres"),
]


@pytest.fixture(params=WAYS)
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    kind, store = request.param
    url = request.getfixturevalue("shared_vhost") if kind == "rabbit" else ""
    with open_database(store, request, tmp_path) as database:
        made = Rig(kind, database, url)
        yield made
        await made.close()


async def test_each_subscriber_has_its_effect_once_and_then_it_is_forgotten(rig: Rig) -> None:
    """Two hear the warning, one the hint; nothing stays in outbox and inbox."""
    registry, router, channels = (Doer(rig.database) for _ in range(3))
    bus = rig.bus()
    bus.subscribe("registry", "WarningIssued", registry.handle)
    bus.subscribe("router", "WarningIssued", router.handle)
    bus.subscribe("channels", "DeliveryDue", channels.handle)
    await bus.start()
    warning, events = issued(4), [due(tier) for tier in (1, 2, 3, 4)]
    await put(rig.database, warning, *events)
    await work_off(rig.database, bus)
    expected = {("registry", warning.msg_id): 1, ("router", warning.msg_id): 1}
    expected |= {("channels", event.msg_id): 1 for event in events}
    assert expected == await effects(rig.database)
    assert ([], []) == (await rows(rig.database, outbox), await rows(rig.database, inbox))


async def test_a_message_is_kept_for_a_subscriber_who_is_away(rig: Rig) -> None:
    """The router's process runs, the registry's does not yet: when it comes, it hears it, and the router not again."""
    router, registry = Doer(rig.database), Doer(rig.database)
    first = await rig.hearing("router", "WarningIssued", router)
    warning = issued()
    await put(rig.database, warning)
    await work_off(rig.database, first)
    assert [warning.msg_id] == [row.msg_id for row in await rows(rig.database, outbox)]
    second = await rig.hearing("registry", "WarningIssued", registry)
    await work_off(rig.database, second, rounds=2)
    assert ([warning.msg_id], [warning.msg_id]) == (router.seen, registry.seen)
    assert [] == await rows(rig.database, outbox)


async def test_two_processes_on_one_database_do_everything_once(rig: Rig) -> None:
    """Both look at the same outbox at the same time; each effect is there once."""
    doers = [Doer(rig.database), Doer(rig.database)]
    buses = [await rig.hearing("channels", "DeliveryDue", doer) for doer in doers]
    events = [due(1 + n % 4) for n in range(40)]
    await put(rig.database, *events)
    await asyncio.gather(*(work_off(rig.database, bus) for bus in buses))
    assert {("channels", event.msg_id): 1 for event in events} == await effects(rig.database)
    assert [] == await rows(rig.database, outbox)


async def test_a_message_said_twice_is_said_once(rig: Rig) -> None:
    """The same id, in two transactions."""
    doer, event = Doer(rig.database), due()
    bus = await rig.hearing("channels", "DeliveryDue", doer)
    await put(rig.database, event)
    await put(rig.database, event, event)
    await work_off(rig.database, bus)
    assert [event.msg_id] == doer.seen


async def test_urgent_first(rig: Rig) -> None:
    """What is red is done before what is blue and was said before."""
    doer = Doer(rig.database)
    bus = rig.bus()
    bus.subscribe("channels", "DeliveryDue", doer.handle)
    events = [due(1) for _ in range(30)] + [due(4)]
    await put(rig.database, *events)
    await bus.start()
    await work_off(rig.database, bus)
    place = doer.seen.index(events[-1].msg_id)
    assert place <= (0 if rig.kind == "embedded" else 4), f"red came after {place} blue ones"  # two are in hand at most


@pytest.mark.parametrize("error", [ValueError("bad figure"), OSError("disk")], ids=lambda e: type(e).__name__)
async def test_a_poison_message_is_put_aside_after_five_tries_and_its_neighbours_go_on(
    rig: Rig, error: Exception
) -> None:
    """It lies in dead_letter with its reason, did nothing, and what came before and after it was done once."""
    before, poison, after = due(1), due(4), due(1)
    doer = Doer(rig.database, poison.msg_id, error)
    bus = await rig.hearing("channels", "DeliveryDue", doer)
    await put(rig.database, before, poison, after)
    await work_off(rig.database, bus)
    neighbours = {("channels", before.msg_id): 1, ("channels", after.msg_id): 1}
    assert neighbours == await effects(rig.database)
    await work_off(rig.database, bus, MAX_TRIES + 2)
    dead = await rows(rig.database, dead_letter)
    assert [(poison.msg_id, "channels", "DeliveryDue", 4)] == [(d.msg_id, d.consumer, d.topic, d.tier) for d in dead]
    assert f"{type(error).__name__}: {error}" == dead[0].reason
    assert MAX_TRIES == doer.seen.count(poison.msg_id)
    assert neighbours == await effects(rig.database)
    assert ([], []) == (await rows(rig.database, outbox), await rows(rig.database, inbox))


async def test_bytes_that_are_no_message_are_put_aside(rig: Rig) -> None:
    """Not a message of ours, of any version: kept with its bytes, neighbours unharmed."""
    good, doer = due(), Doer(rig.database)
    bus = await rig.hearing("channels", "DeliveryDue", doer)
    async with rig.database.write() as tx:
        bad = {"msg_id": "bad", "topic": "DeliveryDue", "tier": 4, "body": b"\x93nonsense", "created_at": 0.0}
        await tx.execute(sa.insert(outbox).values(bad))
    await put(rig.database, good)
    await work_off(rig.database, bus, MAX_TRIES + 2)
    assert [("bad", b"\x93nonsense")] == [(d.msg_id, d.body) for d in await rows(rig.database, dead_letter)]
    assert [good.msg_id] == doer.seen


async def test_poison_for_one_consumer_is_none_for_another(rig: Rig) -> None:
    """The other has its effect, once, and is not shown the message at each of the first one's tries."""
    one = issued(4)
    sick, well = Doer(rig.database, one.msg_id, RuntimeError("sick")), Doer(rig.database)
    bus = rig.bus()
    bus.subscribe("router", "WarningIssued", sick.handle)
    bus.subscribe("registry", "WarningIssued", well.handle)
    await bus.start()
    await put(rig.database, one)
    await work_off(rig.database, bus, MAX_TRIES + 2)
    assert {("registry", one.msg_id): 1} == await effects(rig.database)
    assert (1, MAX_TRIES) == (len(well.seen), len(sick.seen))
    assert ["router"] == [d.consumer for d in await rows(rig.database, dead_letter)]


async def test_each_consumer_has_its_own_five_tries(rig: Rig) -> None:
    """Two for whom it is poison: neither uses up the other's."""
    one = issued()
    doers = [Doer(rig.database, one.msg_id, RuntimeError("sick")) for _ in range(2)]
    bus = rig.bus()
    bus.subscribe("router", "WarningIssued", doers[0].handle)
    bus.subscribe("registry", "WarningIssued", doers[1].handle)
    await bus.start()
    await put(rig.database, one)
    await work_off(rig.database, bus, 2 * MAX_TRIES + 2)
    assert [MAX_TRIES, MAX_TRIES] == [len(doer.seen) for doer in doers]
    assert {"registry", "router"} == {d.consumer for d in await rows(rig.database, dead_letter)}
    assert [] == await rows(rig.database, outbox)


async def test_a_handler_that_fails_once_is_shown_it_again(rig: Rig) -> None:
    """Its half-done effect was rolled back with its receipt; the second time both stay."""
    event = due(3)
    doer = Doer(rig.database, event.msg_id, RuntimeError("once"))
    bus = await rig.hearing("channels", "DeliveryDue", doer)
    await put(rig.database, event)
    await work_off(rig.database, bus)
    assert {} == await effects(rig.database)
    doer.error = None
    await work_off(rig.database, bus, rounds=2)
    assert {("channels", event.msg_id): 1} == await effects(rig.database)
    assert ([], []) == (await rows(rig.database, outbox), await rows(rig.database, dead_letter))


async def test_a_death_after_the_commit_does_nothing_twice(rig: Rig) -> None:
    """Effects are there and the message is gone: it is shown to nobody again."""
    event = due()
    await put(rig.database, event)
    doer = Doer(rig.database)
    await doer.handle(event, Receipt(rig.database, "channels", event.msg_id))
    bus = await rig.hearing("channels", "DeliveryDue", doer)
    await work_off(rig.database, bus, rounds=2)
    assert [event.msg_id] == doer.seen
    assert [] == await rows(rig.database, outbox)


async def test_a_death_before_the_commit_leaves_nothing_and_the_next_process_does_it(rig: Rig) -> None:
    """Effects and receipt are one transaction: after the death neither is there, after the restart both are."""
    event = due()
    await put(rig.database, event)
    with pytest.raises(Died):
        await Doer(rig.database, event.msg_id, Died()).handle(event, Receipt(rig.database, "channels", event.msg_id))
    assert ({}, []) == (await effects(rig.database), await rows(rig.database, inbox))
    bus = await rig.hearing("channels", "DeliveryDue", Doer(rig.database))
    await work_off(rig.database, bus, rounds=2)
    assert {("channels", event.msg_id): 1} == await effects(rig.database)


async def test_what_is_said_in_a_transaction_that_rolls_back_is_not_said(rig: Rig) -> None:
    """A message goes with the effects it tells of."""
    doer = Doer(rig.database)
    bus = await rig.hearing("channels", "DeliveryDue", doer)

    async def dies() -> None:
        async with rig.database.write() as tx:
            await publish(tx, [due()])
            raise Died

    with pytest.raises(Died):
        await dies()
    await work_off(rig.database, bus)
    assert [] == doer.seen


async def test_a_dead_letter_can_be_given_again(rig: Rig) -> None:
    """Only to the consumer who could not; audited; the others have had it and are left alone."""
    one = issued(2)
    sick, well = Doer(rig.database, one.msg_id, RuntimeError("sick")), Doer(rig.database)
    bus = rig.bus()
    bus.subscribe("router", "WarningIssued", sick.handle)
    bus.subscribe("registry", "WarningIssued", well.handle)
    await bus.start()
    await put(rig.database, one)
    await work_off(rig.database, bus, MAX_TRIES + 2)
    assert [] == await rows(rig.database, outbox)
    sick.error = None
    with pytest.raises(NotFound):
        await replay(rig.database, one.msg_id, "registry", actor="desk", reason="mended")
    await replay(rig.database, one.msg_id, "router", actor="desk", reason="mended")
    await work_off(rig.database, bus, rounds=2)
    assert {("registry", one.msg_id): 1, ("router", one.msg_id): 1} == await effects(rig.database)
    assert 1 == len(well.seen)
    assert ([], []) == (await rows(rig.database, dead_letter), await rows(rig.database, outbox))
    acts = [(a.act, a.subject, a.reason, a.actor) for a in await rows(rig.database, trail.audit_log)]
    assert [("bus.replay", one.msg_id, "mended", "desk")] == acts


async def test_it_runs_by_itself_until_asked_to_end(rig: Rig) -> None:
    """`run` works without anybody stepping it, and ends when it is to."""
    doer, ending = Doer(rig.database), asyncio.Event()
    bus = await rig.hearing("channels", "DeliveryDue", doer)
    beats: set[str] = set()
    running = asyncio.create_task(bus.run(ending.is_set, beats.add))
    events = [due(4), due(1)]
    await put(rig.database, *events)
    bus.wake()
    await until(lambda: empty(rig.database), "the outbox is empty")
    ending.set()
    bus.wake()
    await asyncio.wait_for(running, 10)
    assert sorted(event.msg_id for event in events) == sorted(doer.seen)
    assert 0 == bus.health()["in_hand"]
    assert set(bus.loops) == beats


async def test_handling_a_message_for_one_deletes_it_and_writes_no_receipt(database: Database) -> None:
    """In the transaction of the effects; one that somebody else hears too stays till they have."""
    alone, shared = due(), issued()
    await put(database, alone, shared)
    async with database.write() as tx:
        await Receipt(database, "channels", alone.msg_id).record(tx)
        await Receipt(database, "router", shared.msg_id).record(tx)
    assert [shared.msg_id] == [row.msg_id for row in await rows(database, outbox)]
    assert [("router", shared.msg_id)] == [tuple(row) for row in await rows(database, inbox)]
    await database.close()


@pytest.mark.parametrize("first_dies", [False, True])
async def test_of_two_who_are_shown_a_message_at_once_one_handles_it(database: Database, first_dies: bool) -> None:
    """The second waits for the first, and handles it only where that one's transaction did not stay."""
    event = due()
    await put(database, event)
    holds, may_end = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with database.write() as tx:
            await Receipt(database, "channels", event.msg_id).record(tx)
            holds.set()
            await may_end.wait()
            if first_dies:
                raise Died

    async def second() -> None:
        async with database.write() as tx:
            await Receipt(database, "channels", event.msg_id).record(tx)

    one = asyncio.create_task(first())
    await holds.wait()
    other = asyncio.create_task(second())
    await asyncio.sleep(0.02)
    assert not other.done()
    may_end.set()
    outcomes = await asyncio.gather(one, other, return_exceptions=True)
    expected = [Died, type(None)] if first_dies else [type(None), AlreadyHandled]
    assert expected == [type(outcome) for outcome in outcomes]
    assert ([], []) == (await rows(database, outbox), await rows(database, inbox))
    await database.close()


async def test_the_relay_waits_for_no_handler(postgres: Postgres) -> None:
    """A row that its handler is deleting is not noted as hinted; where that fails, the lease ends and it is hinted again."""
    name = new_id()
    database = Database(postgres.database(name))
    held, other = due(), due()
    await put(database, held, other)
    claim = await rabbit_turns.claim(database, 10)
    ids = {row.msg_id: row.id for row in claim.rows}

    async def dies() -> None:
        async with database.write() as tx:
            await Receipt(database, "channels", held.msg_id).record(tx)
            async with asyncio.timeout(5):
                await rabbit_turns.note_confirmed(database, dict.fromkeys(ids.values(), claim.lease))
            raise Died

    with pytest.raises(Died):
        await dies()
    left = {
        row.msg_id: (row.published_at is None, row.not_before == claim.lease) for row in await rows(database, outbox)
    }
    assert {held.msg_id: (True, True), other.msg_id: (False, False)} == left
    await database.close()
    postgres.drop(name)


async def test_a_receipt_needs_its_message(database: Database) -> None:
    """A forged or late hint of a message nobody has in the outbox can have no effect."""
    with pytest.raises(AlreadyHandled):
        async with database.write() as tx:
            await Receipt(database, "channels", new_id()).record(tx)
    assert [] == await rows(database, inbox)
    event = due()
    await put(database, event)
    async with database.write() as tx:
        await Receipt(database, "channels", event.msg_id).record(tx)
    with pytest.raises(AlreadyHandled):
        async with database.write() as tx:
            await Receipt(database, "channels", event.msg_id).record(tx)
    await database.close()


class Unheard(Message, frozen=True, kw_only=True, array_like=True, tag="Unheard"):
    """A message nobody is to hear."""


async def test_the_table_of_subscribers_holds_for_both_ends(rig: Rig) -> None:
    """Who is not in it cannot subscribe, what is not in it cannot be said; every topic is in it."""
    bus = rig.bus()
    for consumer, topic in (("watcher", "EvidenceRecorded"), ("channels", "WarningIssued"), ("channels", "Nothing")):
        with pytest.raises(Refused, match=f"{consumer} is no subscriber of {topic}"):
            bus.subscribe(consumer, topic, Doer(rig.database).handle)
    async with rig.database.write() as tx:
        with pytest.raises(Refused, match="nobody hears Unheard"):
            await publish(tx, [Unheard(msg_id=new_id(), plane="drill", warning_id="w", tier=1)])
    assert TOPICS.keys() == SUBSCRIBERS.keys()


async def test_neighbours_wait_for_nothing_while_a_message_rests(rig: Rig) -> None:
    """One that failed waits its time; what is said meanwhile goes at once."""
    poison, doer = evidence(4), Doer(rig.database)
    doer.poison, doer.error = poison.msg_id, RuntimeError("sick")
    bus = await rig.hearing("router", "EvidenceRecorded", doer)
    await put(rig.database, poison)
    await work_off(rig.database, bus)
    later = evidence(1)
    await put(rig.database, later)
    await work_off(rig.database, bus)
    assert later.msg_id in doer.seen
    await move_time(rig.database, 0.0)
    assert [poison.msg_id] == [row.msg_id for row in await rows(rig.database, outbox)]
