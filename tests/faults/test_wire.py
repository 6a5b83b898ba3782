"""What a line may do while people are warned: break, swallow everything for a while, or be dead with nobody saying so.

A proxy of ours lies between the six processes and the broker, the database or the provider. However the line behaves,
no process ends by itself, nobody is lost and nobody gets more than the attempts whose answer never came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from services.shared.clock import wall
from tests.faults.checker import Verdict
from tests.faults.harness import APART, Prepared, Process, Rehearsal
from tests.faults.test_apart import SETTLES_S, over
from tests.faults.test_cancel import until_sending
from tools.servers.proxy import Proxy

BLACKHOLE_S = 8.0  # longer than a connection is waited for, shorter than an answer
RESETS, BETWEEN_S = 6, 0.5
Fault = Callable[[Proxy], Awaitable[None]]


@dataclass
class Wired(Rehearsal):
    """The server whose address is in `variable` is reached over `line`; the judge looks at it directly."""

    variable: str = ""
    line: Proxy | None = None

    def environment_of(self, process: Process, fault: str = "") -> dict[str, str]:
        assert self.line is not None
        found = super().environment_of(process, fault)
        address = urlsplit(found[self.variable])
        assert address.port
        self.line.to = address.port
        user = address.netloc.rpartition("@")[0]
        netloc = f"{user}{'@' if user else ''}127.0.0.1:{self.line.port}"
        return found | {self.variable: address._replace(netloc=netloc).geturl()}


async def resets(line: Proxy) -> None:
    """Every connection is reset, again and again, so that some break in the middle of something."""
    for _ in range(RESETS):
        line.reset()
        await asyncio.sleep(BETWEEN_S)


async def blackhole(line: Proxy) -> None:
    """What is sent arrives nowhere; then every connection breaks, as what is missing from it never comes."""
    line.mode = "blackhole"
    await asyncio.sleep(BLACKHOLE_S)
    line.mode = "pass"
    line.reset()


async def half_open(line: Proxy) -> None:
    """The other ends are gone and nobody says so; whoever connects anew is served."""
    line.half_open()
    await asyncio.sleep(BETWEEN_S)
    line.mode = "pass"


LINES = {"broker": "TOCSIN_AMQP_URL", "database": "TOCSIN_DATABASE_URL", "provider": "TOCSIN_TWILIO_BASE_URL"}
FAULTS: dict[str, Fault] = {"reset": resets, "blackhole": blackhole, "half open": half_open}
CASES = [
    pytest.param(to, how, id=f"{to}_{how.replace(' ', '_')}", marks=pytest.mark.slow)  # `test_bus` has the quick ones
    for to in LINES
    for how in FAULTS
]


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("to", "how"), CASES)
async def test_a_line_may_fail_while_people_are_warned(
    to: str, how: str, county: Prepared, tmp_path: Path, vhost: str, table: Callable[[str, Verdict, float], None]
) -> None:
    """It is made again, what was under way is done again or stands as unknown, and the warning goes on to its end."""
    async with (
        Proxy(0) as line,
        Wired(county, tmp_path, members=APART, amqp_url=vhost, variable=LINES[to], line=line) as run,
    ):
        warning_id = await run.warn()
        await until_sending(run, 20)
        before, began = line.accepted, wall()
        assert before, f"nobody reaches the {to} over the line"
        await FAULTS[how](line)
        was = len(run.arrivals)
        await run.until(lambda: len(run.arrivals) > was or run.quiet(), SETTLES_S)
        back = wall() - began
        # over the broker's line goes nothing that could stay unknown
        verdict = await over(run, county, warning_id, ambiguous=to == "broker")
        assert [] == run.deaths
        assert line.accepted > before, "nobody connected again"
    table(f"F4 {to}: {how}", verdict, back)
