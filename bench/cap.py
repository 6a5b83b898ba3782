"""How fast alerts are read, against lxml's parser alone on the same bytes, in turns: `make bench-cap`.

The files of TOCSIN_CAP_CORPUS, or our own fixture where it is unset. CPU time; the best of the rounds.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from lxml import etree

from services.gateway.cap import read
from services.gateway.cli.cap_check import check
from services.gateway.intake.incoming import from_cap
from services.shared.errors import Refused

ROUNDS = 5


def main() -> int:
    """Prints a table; always 0."""
    folder = os.environ.get("TOCSIN_CAP_CORPUS")
    where = Path(folder) / "alerts" if folder else Path(__file__).parents[1] / "tests" / "kit" / "cap"
    paths = sorted(where.glob("*.xml"))
    files = {path.name: path.read_bytes() for path in paths}
    steps: dict[str, Callable[[bytes], object]] = {
        "lxml parse alone": _parse,
        "read": read,
        "read, join areas, meaning (cap check)": lambda data: check("x", data),
        "read to stored warning (from_cap)": _take,
    }
    best = {step: dict.fromkeys(files, float("inf")) for step in steps}
    for _ in range(ROUNDS):
        for name, data in files.items():
            for step, work in steps.items():
                begun = time.process_time()
                work(data)
                best[step][name] = min(best[step][name], time.process_time() - begun)
    floor = sum(best["lxml parse alone"].values())
    size = sum(map(len, files.values()))
    _say(f"bench-cap: {len(files)} files, {size / 1e6:.1f} MB, best of {ROUNDS} rounds in turns, CPU time")
    for step, times in best.items():
        total = sum(times.values())
        worst = max(times, key=times.__getitem__)
        middle = statistics.median(times[name] / best["lxml parse alone"][name] for name in files)
        ratio = times[worst] / best["lxml parse alone"][worst]
        _say(
            f"  {step:38} {len(files) / total:8.0f} alerts/s  {total / floor:6.1f} x lxml, the middle file {middle:5.1f} x"
        )
        _say(f"  {'':38} worst {times[worst] * 1000:.1f} ms ({ratio:.0f} x): {worst}, {len(files[worst]) / 1e3:.0f} kB")
    return 0


def _parse(data: bytes) -> object:
    return etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, recover=True))


def _take(data: bytes) -> object:
    try:
        return from_cap(data, strict=False)
    except Refused as fault:
        return fault


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
