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
