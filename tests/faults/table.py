"""The table `make test-faults` ends with: what each point of killing cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.checker import Verdict


@dataclass(frozen=True)
class Line:
    """One run: where it was killed, what the judge found, wall seconds until the server answered again."""

    point: str
    verdict: Verdict
    recovered_s: float


def in_words(lines: Sequence[Line]) -> list[str]:
    """A line for each point, all its runs together; doubled counts only what is beyond the ambiguous attempts."""
    found = [
        f"{'killed at':24} {'runs':>4} {'deliveries':>10} {'lost':>5} {'ambiguous':>9} {'doubled':>8} {'back after':>10}"
    ]
    for point in dict.fromkeys(line.point for line in lines):
        runs = [line for line in lines if line.point == point]
        sums = [sum(getattr(r.verdict, n) for r in runs) for n in ("deliveries", "lost", "ambiguous", "doubled")]
        slowest = max(r.recovered_s for r in runs)
        found.append(f"{point:24} {len(runs):4} {sums[0]:10} {sums[1]:5} {sums[2]:9} {sums[3]:8} {slowest:8.1f} s")
    return found
