"""The largest size of each process while a warning for many people is planned; sending goes on meanwhile."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench import machine, ours
from bench.campaign import Bench, say
from bench.ours import BenchFault, Look, Standin, wait_until

MUST_MB = 500


@dataclass(frozen=True)
class Planning:
    """MB of each process: before the release, and at most until the last delivery was planned."""

    system: str
    count: int
    seconds: float
    before_mb: dict[str, float]
    peak_mb: dict[str, float]
    fault: str = ""


def measure(bench: Bench, systems: Sequence[str], count: int) -> list[Planning]:
    """One warning a system."""
    found = []
    with Standin(0.05) as provider:
        for system in systems:
            try:
                one = _planned(bench, system, count, provider)
            except BenchFault as problem:
                one = Planning(system, count, 0.0, {}, {}, str(problem))
            found.append(one)
            say(f"planned {count:,}, {system}: {one.fault or one.peak_mb}")
    return found


def _planned(bench: Bench, system: str, count: int, provider: Standin) -> Planning:
    with bench.tocsin(bench.home(system, count), provider) as server:
        for pid in server.pids:
            machine.reset_peak(pid)
        before = {name: machine.peak_mb(process.pid) for name, process in server.processes.items()}
        look = Look(server.home)
        begun = time.perf_counter()
        warning_id = server.release(ours.warning("bench-memory"))
        planned = lambda: look.number("SELECT count(*) FROM delivery WHERE warning_id = ?", warning_id)  # noqa: E731
        wait_until(lambda: planned() >= count, planned, server, every_s=0.5)
        seconds = time.perf_counter() - begun
        peak = {name: machine.peak_mb(process.pid) for name, process in server.processes.items()}
        look.close()
    return Planning(system, count, seconds, before, peak)


def table(runs: Sequence[Planning]) -> str:
    """A line a process."""
    lines = [
        f"**Memory while planning {max(r.count for r in runs):,} people (must: router and channels {MUST_MB} MB each)**",
        "",
        "| Tocsin | process | idle MB | peak MB | planned in s |",
        "|---|---|---|---|---|",
    ]
    for run in runs:
        if run.fault:
            lines.append(f"| {run.system} | failed: {run.fault.splitlines()[0][:120]} |")
        lines += [
            f"| {run.system} | {name} | {run.before_mb[name]:.0f} | {peak:.0f} | {run.seconds:.1f} |"
            for name, peak in run.peak_mb.items()
        ]
    return "\n".join(lines)
