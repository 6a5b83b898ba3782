"""One warning to a million people for real, in both modes: every row looked at, and what a person costs beside a smaller one.

Distributed: two routers, four channels processes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from bench import machine, ours
from bench.campaign import Bench, say
from bench.ours import BenchFault, Look, Standin, wait_until

ROLES = ("gateway", "registry", "router", "router", "channels", "channels", "channels", "channels")
QUIET_S = 3.0  # waits so long for a message that must not come
BESIDE = 20_000  # people of the warning it is compared with


@dataclass(frozen=True)
class Looked:
    """What there is after one warning to `count` people; `right` where each has one of everything, and no more."""

    system: str
    count: int
    channels: int  # processes that send
    paths: int
    rows: int
    accepted_rows: int
    attempts: int  # that the provider accepted
    not_made: int  # begun too long after their intent was written (a busy machine), and so not made; tried again
    counted: int  # by the tallies
    accepts: int
    numbers: int
    most: int
    workers: int
    seconds: float
    cpu_s: dict[str, float]  # of app, database, broker
    peak_mb: tuple[str, float]  # the largest process
    fault: str = ""

    @property
    def right(self) -> bool:
        each = (self.paths, self.rows, self.accepted_rows, self.attempts, self.counted, self.accepts, self.numbers)
        return not self.fault and {*each} == {self.count} and self.most == 1 and self.workers == self.channels

    @property
    def us(self) -> float:
        """CPU microseconds a person."""
        return sum(self.cpu_s.values()) * 1e6 / self.count

    @property
    def verdict(self) -> str:
        return "right" if self.right else f"WRONG {self.fault}".rstrip()


def one(bench: Bench, system: str, count: int, roles: Sequence[str] = ROLES) -> Looked:
    """Sends one warning; waits a little longer than it takes, for what is sent twice."""
    home = bench.home(system, count)
    with Standin(0.0) as provider, bench.tocsin(home, provider, roles) as server:
        before = _cpu_s(bench, server)
        look, fault, begun = Look(server.home), "", time.perf_counter()
        seconds = 0.0
        warning_id = server.release(ours.warning("bench-scale"))
        try:
            counted = partial(look.counted, warning_id)  # a few rows: looking at all of them would be what is measured
            wait_until(lambda: counted() >= count, counted, server, every_s=0.2)
            seconds = time.perf_counter() - begun
            cpu_s = {name: after - before[name] for name, after in _cpu_s(bench, server).items()}
            time.sleep(QUIET_S)
        except BenchFault as problem:
            seconds, fault = time.perf_counter() - begun, str(problem)
            cpu_s = {name: after - before[name] for name, after in _cpu_s(bench, server).items()}
        peaks = {name: machine.peak_mb(process.pid) for name, process in server.processes.items()}
        largest = max(peaks, key=lambda name: peaks[name])
        n = look.number
        found, looked = provider.count(), (
            n("SELECT count(*) FROM router_path"),
            n("SELECT count(*) FROM delivery"),
            look.accepted(warning_id),
            n("SELECT count(*) FROM attempt WHERE outcome = 'accepted'"),
            n("SELECT count(*) FROM attempt WHERE code = 'late_start'"),
            look.counted(warning_id),
        )  # fmt: skip
        workers = n("SELECT count(DISTINCT worker) FROM flight")
        look.close()
    if system == "embedded":
        cpu_s = {"app": cpu_s["app"]}
    return Looked(
        system, count, roles.count("channels") if system == "distributed" else 1, *looked, found["accepts"],
        found["numbers"], found["most"], workers, seconds, cpu_s, (largest, peaks[largest]), fault,
    )  # fmt: skip


def _cpu_s(bench: Bench, server: ours.Tocsin) -> dict[str, float]:
    return {
        "app": machine.cpu_s(server.pids),
        "database": machine.cpu_s([bench.postgres.pid]),
        "broker": machine.cpu_s([bench.rabbit.pid]),
    }


def measure(bench: Bench, systems: Sequence[str], count: int) -> list[Looked]:
    """Each system with few people and with all of them."""
    found = []
    for system in systems:
        for people in sorted({min(BESIDE, count), count}):
            found.append(one(bench, system, people))
            say(
                f"{people:,} people, {system}: {found[-1].seconds:.0f} s, {found[-1].us:.0f} us each, {found[-1].verdict}"
            )
    return found


def table(runs: Sequence[Looked]) -> str:
    """A line a warning."""
    few = {run.system: run for run in runs if run.count == min(r.count for r in runs)}
    lines = [
        "**One warning, every row looked at** (distributed: two routers, four channels processes)",
        "",
        "| Tocsin | people | s | a second | CPU us each | of the fewest's | largest process | nobody missed, nobody doubled |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for run in runs:
        speed = run.count / run.seconds if run.seconds else 0.0
        times = run.us / few[run.system].us if few[run.system].us else 0.0
        lines.append(
            f"| {run.system} | {run.count:,} | {run.seconds:.0f} | {speed:,.0f} | {run.us:.0f} | {times:.2f} "
            f"| {run.peak_mb[0]} {run.peak_mb[1]:.0f} MB | {run.verdict} |"
        )
    return "\n".join(lines)
