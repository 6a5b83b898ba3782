"""The table that runs with faults end with: what each fault cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One run: which fault, what the judge counted, wall seconds until somebody answered again."""

    fault: str
    deliveries: int
    lost: int
    ambiguous: int
    doubled: int
    recovered_s: float


@dataclass(frozen=True)
class Beside:
    """What something takes alone and beside a load, in seconds, and how many times as long it may take."""

    load: str
    what: str
    idle_s: float
    beside_s: float
    most: float


def beside_in_words(lines: Sequence[Beside]) -> list[str]:
    """A line for each."""
    found = [f"{'beside':28} {'what':24} {'idle':>8} {'beside':>8} {'times':>6} {'most':>5}"]
    found += [
        f"{one.load:28} {one.what:24} {one.idle_s:6.3f} s {one.beside_s:6.3f} s {one.beside_s / one.idle_s:6.2f} {one.most:5.1f}"
        for one in lines
    ]
    return found


def in_words(lines: Sequence[Line]) -> list[str]:
    """A line for each fault, all its runs together; doubled counts only what is beyond the ambiguous attempts."""
    found = [
        f"{'fault':28} {'runs':>4} {'deliveries':>10} {'lost':>5} {'ambiguous':>9} {'doubled':>8} {'back after':>10}"
    ]
    for fault in dict.fromkeys(line.fault for line in lines):
        runs = [line for line in lines if line.fault == fault]
        sums = [sum(getattr(r, n) for r in runs) for n in ("deliveries", "lost", "ambiguous", "doubled")]
        slowest = max(r.recovered_s for r in runs)
        found.append(f"{fault:28} {len(runs):4} {sums[0]:10} {sums[1]:5} {sums[2]:9} {sums[3]:8} {slowest:8.1f} s")
    return found
