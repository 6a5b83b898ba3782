"""A machine's clock is set while a red warning runs: nothing stops, nothing is hurried, and everybody who looks is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from services.shared.clock import wall
from tests.faults.checker import Case, Verdict, judge
from tests.faults.harness import ALONE, APART, Member, Prepared, Rehearsal, rehearsal

RATE = 30.0  # slow enough that the first step is still under way after each step
FAKETIME = sorted(str(found) for found in Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
STEPS = ("-2h", "+2h", "+6h", "+0")
SEEN_WITHIN_S = 10.0


async def _told_of_the_clock(run: Rehearsal) -> bool:
    """People call for help meanwhile, which is an alarm too."""
    return any(one["name"].startswith("clock:") for one in await run.call("GET", "/report/alarms"))


async def steps(run: Rehearsal, dial: Path) -> None:
    """Sets the clock of all processes, again and again; each time it is told, and sending goes on."""
    for step in STEPS:
        sent, begun = len(run.arrivals), wall()
        await asyncio.to_thread(dial.write_text, step)
        stands = step != "+0"
        while await _told_of_the_clock(run) is not stands:
            assert wall() - begun < SEEN_WITHIN_S, f"after {step} nobody is told"
        await run.until(lambda sent=sent: len(run.arrivals) > sent + 2, seconds=15)  # type: ignore[misc]
        assert not run.on_disk("expired"), f"after {step} messages expired"
        ended = run.rows("SELECT ending FROM router_path WHERE ending IN ('unconfirmed', 'no_capacity')")
        assert not ended, f"after {step} {len(ended)} paths had been ended by a clock"


@pytest.mark.slow
async def test_a_step_stops_hurries_and_ends_nothing(
    town: Prepared, tmp_path: Path, table: Callable[[str, Verdict, float], None]
) -> None:
    """Two hours back, two and six ahead, and right again, beside a provider that takes a few a second."""
    table("clock set by -2, +2, +6 h", await stepped(town, tmp_path, ALONE), 0.0)


@pytest.mark.slow
async def test_a_step_of_six_processes_is_none_of_the_databases(
    county: Prepared, tmp_path: Path, vhost: str, table: Callable[[str, Verdict, float], None]
) -> None:
    """Their machine's clock is set, PostgreSQL's is not: they go on by its time."""
    table("clock set by -2, +2, +6 h, apart", await stepped(county, tmp_path, APART, vhost), 0.0)


async def stepped(town: Prepared, tmp_path: Path, members: tuple[Member, ...], amqp: str = "") -> Verdict:
    """A warning, the steps, its cancel; the judge's verdict, without findings."""
    dial = tmp_path / "clock"
    await asyncio.to_thread(dial.write_text, "+0")
    faked = {
        "LD_PRELOAD": FAKETIME[0], "FAKETIME_TIMESTAMP_FILE": str(dial), "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "TOCSIN_TWILIO_CONCURRENCY": "4",
    }  # fmt: skip
    async with rehearsal(
        town, tmp_path / "run", members=members, amqp_url=amqp, rate=RATE, limit_per_second=3.0, environment=faked
    ) as run:
        warning_id = await run.warn()
        await run.until(lambda: len(run.arrivals) >= 5)
        await steps(run, dial)
        run.world.sandbox.behaviour.limit_per_second = 50.0
        await run.cancel(warning_id)
        await run.settled(60.0)
        words = run.in_words()
        assert 0 == await run.stop(), run.log()[-3000:]
        case = Case(
            run.ground, run.world.sandbox.accepts_per_delivery(), {warning_id: town.everybody}, run.promised[:1],
            frozenset(), town.numbers, run.log().encode(),
        )  # fmt: skip
        verdict = await judge(case)
    assert [] == verdict.findings, words
    return verdict
