"""Compares, within a minute, what a recipient costs beside taskiq with what it cost when that was last recorded.

A ratio of two runs on the same servers in the same minute is worth something where seconds are not. Python calls, statements
and commits are held by a test; this notices what they cannot: a costlier statement, a slower library.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.campaign import OURS, Bench, Load, Run, rounds

RECORDED = Path(__file__).with_name("recorded.json")
YARDSTICK = "taskiq"
LOAD = Load(2_000, 0)
MARGIN = 0.25  # so far two runs of the same code are apart on a busy machine


@dataclass(frozen=True)
class Compared:
    """CPU a message in parts of the yardstick's, now and when it was recorded."""

    system: str
    now: float
    before: float

    @property
    def verdict(self) -> str:
        if self.now > self.before * (1 + MARGIN):
            return "WORSE"
        return "better: record it" if self.now < self.before * (1 - MARGIN) else "as before"


def measure(bench: Bench, *, record: bool) -> list[Compared]:
    """One run each; with `record` this run is what later ones are compared with."""
    runs = rounds(bench, (YARDSTICK, *OURS), LOAD, 1)
    now = _ratios(runs)
    if record:
        RECORDED.write_text(json.dumps(now, indent=1) + "\n")
    before: dict[str, float] = json.loads(RECORDED.read_text())
    return [Compared(system, now[system], before[system]) for system in OURS if system in now]


def _ratios(runs: Sequence[Run]) -> Mapping[str, float]:
    cost = {r.system: r.app_cpu_s + r.database_cpu_s + r.broker_cpu_s for r in runs if not r.fault}
    if YARDSTICK not in cost:
        return {}
    return {name: round(cost[name] / cost[YARDSTICK], 3) for name in OURS if name in cost}


def table(found: Sequence[Compared]) -> str:
    """A line a mode."""
    lines = [
        f"**CPU a message, in parts of {YARDSTICK}'s, {LOAD.count:,} recipients** (margin {MARGIN:.0%})",
        "",
        "| Tocsin | now | recorded | |",
        "|---|---|---|---|",
        *(f"| {one.system} | {one.now:.2f} | {one.before:.2f} | {one.verdict} |" for one in found),
    ]
    return "\n".join(lines)
