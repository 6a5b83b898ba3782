"""One data directory, one server: a second one is told who holds it; SIGTERM lets the first finish what it began."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from tests.faults.harness import Prepared, rehearsal
from tools.servers import commands
from tools.servers.ports import free_port


async def test_a_second_server_on_the_same_data_says_who_holds_it_and_goes(town: Prepared, tmp_path: Path) -> None:
    """It exits with an error and one sentence, and the first goes on."""
    async with rehearsal(town, tmp_path) as run:
        environment = run.environment_of(run.processes["all"]) | {"TOCSIN_PORT": str(free_port())}
        async with asyncio.timeout(30):
            second = await commands.run("serve", env=environment)
        said = second.out + second.err
        lines = said.strip().splitlines()
        assert run.process is not None
        assert 0 != second.code
        assert 1 == len(lines), said
        assert f"in use by process {run.process.pid}" in lines[0]
        assert (await run.call("GET", "/api/v1/warnings")) == []


@pytest.mark.parametrize(
    "wait", [pytest.param(0.0, marks=pytest.mark.long), 0.15, pytest.param(0.4, marks=pytest.mark.long)]
)
async def test_sigterm_in_the_middle_of_sending_leaves_nothing_in_hand(
    town: Prepared, tmp_path: Path, wait: float
) -> None:
    """Exit 0, no delivery left in the air, no batch in hand, none made ambiguous by stopping."""
    async with rehearsal(town, tmp_path, rate=60.0) as run:
        await run.warn()
        await run.until(lambda: bool(run.arrivals))
        await asyncio.sleep(wait)
        code = await run.stop(signal.SIGTERM)
        in_hand = run.rows(
            "SELECT (SELECT count(*) FROM flight WHERE open), (SELECT count(*) FROM batch WHERE worker <> '')"
        )
        ambiguous = run.rows("SELECT count(*) FROM delivery WHERE ambiguous > 0")[0][0]
        accepted = set(run.world.sandbox.accepts_per_delivery())
        written = {r[0] for r in run.rows("SELECT delivery_id FROM attempt WHERE outcome = 'accepted'")}
    assert 0 == code, run.log()[-3000:]
    assert (0, 0, 0) == (*in_hand[0], ambiguous)
    assert accepted <= written
