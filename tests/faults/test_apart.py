"""Six processes, a broker, a database and a proxy, and what may happen to any of them while people are being warned.

Each run ends with the judge: nobody lost, nothing doubled beyond what was truly in hand, everybody's path ended.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from services.shared.clock import wall
from services.shared.fault_points import BROKER_POINTS, POINTS
from tests.faults.checker import Case, Verdict, judge
from tests.faults.harness import APART, Prepared, Rehearsal, rehearsal
from tests.faults.test_cancel import SLOW_CLOCK, exactly_those_are_told, late, until_sending
from tools.servers.postgres import Postgres
from tools.servers.rabbit import Rabbit

SETTLES_S = 110.0
# who passes a point, and which time he dies at it
PASSES = {
    "after_ingest_commit": ("gateway", 1), "after_cancel_commit": ("gateway", 1),
    "before_page_commit": ("registry", 1), "after_page_commit": ("registry", 1),
    "before_plan_commit": ("router-1 router-2", 1), "after_plan_commit": ("router-1 router-2", 1),
    "before_evidence_commit": ("router-1", 4), "after_evidence_commit": ("router-1", 4),
    "before_deadline_commit": ("router-1", 2), "after_deadline_commit": ("router-1", 2),
    "after_batch_claim": ("channels-1", 3), "after_flight": ("channels-1", 3), "mid_window": ("channels-1", 9),
    "after_provider_accept": ("channels-1", 9),
    "after_outcome_commit": ("channels-1", 4), "before_callback_commit": ("channels-1", 4),
    "after_callback_commit": ("channels-1", 4),
    "after_hint_claim": ("router-1", 2), "after_publish": ("router-1", 2), "after_confirm_noted": ("router-1", 2),
    "before_ack": ("channels-1", 2), "after_ack": ("channels-1", 2),
}  # fmt: skip
QUICK = ("after_provider_accept",)


@asynccontextmanager
async def apart(county: Prepared, folder: Path, vhost: str, **more: Any) -> Any:
    """All six processes on fresh ground."""
    async with rehearsal(county, folder, members=APART, amqp_url=vhost, **more) as run:
        yield run


async def over(run: Rehearsal, county: Prepared, warning_id: str, *, ambiguous: bool = True) -> Verdict:
    """Everything ended and quiet, the processes stopped in order, the judge content."""
    found = await run.until_over(warning_id, SETTLES_S)
    await run.settled(SETTLES_S)
    words = run.in_words()
    assert 0 == await run.stop(), run.log()[-3000:]
    dead = frozenset[str]().union(*(d.sending for d in run.deaths))
    verdict = await judge(
        Case(
            run.ground, run.world.sandbox.accepts_per_delivery(), {warning_id: county.everybody}, run.promised,
            dead if ambiguous else None, county.numbers, run.log().encode(),
        )
    )  # fmt: skip
    assert [] == verdict.findings, words
    assert (0, 0) == (found["open"], found["unexplained"]), words
    return verdict


def test_every_point_has_somebody_who_passes_it() -> None:
    assert {*POINTS, *BROKER_POINTS} == set(PASSES)


@pytest.mark.parametrize(
    "point", [pytest.param(p, marks=(pytest.mark.long if p in QUICK else pytest.mark.slow,)) for p in PASSES]
)  # fmt: skip
async def test_any_process_may_be_killed_at_any_point(
    point: str, county: Prepared, tmp_path: Path, vhost: str, table: Callable[[str, Verdict, float], None]
) -> None:
    """The others go on, the dead one comes back, and what it had in hand is not waited for."""
    whom, times = PASSES[point]
    async with apart(county, tmp_path, vhost, fault=f"{point}:{times}", where=whom) as run:
        warning_id = await run.warn()
        if point == "after_cancel_commit":
            await asyncio.sleep(0.5)
            await run.cancel(warning_id)
        verdict = await over(run, county, warning_id)
    assert run.deaths, f"nobody passed {point}"
    assert {-9} == {d.code for d in run.deaths}
    table(f"F1 {point}", verdict, max(run.recovered_s))


async def _broker_dies(run: Rehearsal, rabbit: Rabbit, _postgres: Postgres) -> None:
    await asyncio.to_thread(rabbit.kill)
    await asyncio.sleep(1.0)
    await asyncio.to_thread(rabbit.start)


def _broker_freezes(seconds: float) -> Callable[[Rehearsal, Rabbit, Postgres], Awaitable[None]]:
    async def freeze(run: Rehearsal, rabbit: Rabbit, _postgres: Postgres) -> None:
        rabbit.freeze()
        try:
            await asyncio.sleep(seconds)
        finally:
            rabbit.thaw()

    return freeze


async def _broker_alarms(run: Rehearsal, rabbit: Rabbit, _postgres: Postgres) -> None:
    """Out of memory it takes nothing; a red warning is taken all the same."""
    await asyncio.to_thread(rabbit.ctl, "set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        await asyncio.sleep(6.0)
        assert isinstance(await run.call("GET", "/api/v1/warnings"), list)
    finally:
        await asyncio.to_thread(rabbit.ctl, "set_vm_memory_high_watermark", "absolute", "1GB")


async def _broker_is_wiped(run: Rehearsal, rabbit: Rabbit, _postgres: Postgres) -> None:
    await asyncio.to_thread(rabbit.wipe)


async def _database_restarts(run: Rehearsal, _rabbit: Rabbit, postgres: Postgres) -> None:
    await asyncio.to_thread(postgres.restart)


async def _database_freezes(run: Rehearsal, _rabbit: Rabbit, postgres: Postgres) -> None:
    postgres.hold()
    try:
        await asyncio.sleep(12.0)
    finally:
        postgres.release()


async def _table_is_locked(run: Rehearsal, _rabbit: Rabbit, postgres: Postgres) -> None:
    def lock() -> None:
        with postgres.connect(run.ground.url) as other, other.transaction():
            other.execute("LOCK TABLE delivery IN ACCESS EXCLUSIVE MODE")
            other.execute("SELECT pg_sleep(20)")

    await asyncio.to_thread(lock)


async def _worker_sleeps(run: Rehearsal, _rabbit: Rabbit, _postgres: Postgres) -> None:
    """Stopped in the middle of its calls for longer than a lease, then it goes on as if nothing were."""
    process = run.processes["channels-1"].process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    await asyncio.sleep(40.0)
    os.kill(process.pid, signal.SIGCONT)


SERVERS = [
    pytest.param("F2 broker killed", _broker_dies, id="broker_dies", marks=pytest.mark.slow),
    pytest.param("F3 broker frozen 5 s", _broker_freezes(5), id="broker_frozen_5", marks=pytest.mark.slow),
    pytest.param("F3 broker frozen 25 s", _broker_freezes(25), id="broker_frozen_25", marks=pytest.mark.slow),
    pytest.param("F3 broker frozen 60 s", _broker_freezes(60), id="broker_frozen_60", marks=pytest.mark.slow),
    pytest.param("F5 broker out of memory", _broker_alarms, id="broker_alarms", marks=pytest.mark.slow),
    pytest.param("F6 broker wiped", _broker_is_wiped, id="broker_wiped", marks=pytest.mark.slow),
    pytest.param("F8 database restarted", _database_restarts, id="database_restarts", marks=pytest.mark.long),
    pytest.param("F8 database frozen", _database_freezes, id="database_frozen", marks=pytest.mark.slow),
    pytest.param("F8 ledger locked 20 s", _table_is_locked, id="table_locked", marks=pytest.mark.slow),
    pytest.param("F18 worker stopped 40 s", _worker_sleeps, id="worker_sleeps", marks=pytest.mark.slow),
]


@pytest.fixture
def own(rabbit: Rabbit) -> Iterator[Rabbit]:
    """The node, well again afterwards whatever the test did to it."""
    yield rabbit
    if not rabbit.alive:
        rabbit.start()


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("name", "fault"), SERVERS)
async def test_broker_and_database_may_fail_while_people_are_warned(
    name: str,
    fault: Callable[[Rehearsal, Rabbit, Postgres], Awaitable[None]],
    county: Prepared,
    tmp_path: Path,
    vhost: str,
    own: Rabbit,
    postgres: Postgres,
    table: Callable[[str, Verdict, float], None],
) -> None:
    """No process ends by itself, nothing is lost, and the warning goes on to its end."""
    async with apart(county, tmp_path, vhost) as run:
        warning_id = await run.warn()
        await until_sending(run, 20)
        began = wall()
        await fault(run, own, postgres)
        was = len(run.arrivals)
        await run.until(lambda: len(run.arrivals) > was or run.quiet(), SETTLES_S)
        back = wall() - began
        # an answer that could not be written in time, or whose connection broke in the commit, is unknown
        verdict = await over(run, county, warning_id, ambiguous=False)
        assert [] == run.deaths
    table(name, verdict, back)


@pytest.mark.slow  # to the second: six processes, two servers and another worker on two cores leave it no second
@pytest.mark.timeout(240)
async def test_a_cancel_holds_with_the_broker_stopped(
    county: Prepared, tmp_path: Path, vhost: str, own: Rabbit
) -> None:
    """No request starts a second after the 2xx; the ending reaches exactly those who may have got the warning."""
    async with apart(county, tmp_path, vhost, rate=SLOW_CLOCK) as run:
        warning_id = await run.warn()
        await until_sending(run, 30)
        await asyncio.to_thread(own.kill)
        ending_id = await run.cancel(warning_id)
        answered = wall()
        await asyncio.sleep(1.5)
        await run.settled(SETTLES_S)
        assert [] == late(run, warning_id, answered + 1.0)
        exactly_those_are_told(run, warning_id, ending_id)
        await asyncio.to_thread(own.start)
        assert 0 == await run.stop()
