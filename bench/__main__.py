"""`python -m bench [PART ...]`: Tocsin measured; prints Markdown, and writes it and JSON.

Parts: peers (Tocsin beside Celery, taskiq, FastStream and Apprise), smpp (beside Celery, over SMPP), red (under queued
blue), watched (while the public reads and consoles watch), memory (while planning), receipts (against one UPDATE each),
fifty (50,000 people, two routers, three channels processes: right or not), stages (CPU microseconds of each), scale (a
million people in both modes: right or not), plan (ten million planned in memory), smoke (beside what was recorded, a
minute). Without a part all but fifty, scale, plan and smoke.
`--quick` is small and once each, peers and smpp (5 minutes); the whole takes most of an hour.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import callbacks, machine, memory, peer, plan, red, scale, smoke, stages, table, watched
from bench.campaign import OURS, SMPP, SYSTEMS, Bench, Load, Run, opened, rounds, say
from bench.ours import BenchFault
from tools.servers.rabbit import RabbitFault

OUT = Path("var/bench")
PARTS = ("peers", "smpp", "red", "watched", "memory", "receipts", "stages")
FIFTY = ("gateway", "registry", "router", "router", "channels", "channels", "channels")
BIG = 100_000  # ours alone, one round: three would take the rest of the hour


@dataclass(frozen=True)
class Asked:
    """What is to be measured; `count` and `rounds` of 0 are each part's own."""

    systems: Sequence[str]
    quick: bool
    count: int
    rounds: int
    record: bool = False

    @property
    def ours(self) -> list[str]:
        return [name for name in self.systems if name in OURS]

    def of(self, quick: int, whole: int) -> int:
        """How many people, messages, receipts."""
        return self.count or (quick if self.quick else whole)

    def turns(self, whole: int = 3) -> int:
        return self.rounds or (1 if self.quick else whole)


@dataclass(frozen=True)
class Found:
    """A part's page, its runs for the JSON file, and whether each did the whole work."""

    page: str
    runs: list[Any]
    right: bool


def peers(bench: Bench, asked: Asked) -> Found:
    """All systems at two loads; ours alone at a large one."""
    loads = [Load(asked.of(2_000, 20_000), 0), Load(asked.of(500, 2_000) if asked.quick else 2_000, 50)]
    runs: list[Run] = []
    for load in loads:
        runs += rounds(bench, asked.systems, load, asked.turns())
    if not asked.quick and asked.ours:
        runs += rounds(bench, asked.ours, Load(BIG, 0), 1)
    parts = [table.comparison(runs, load.count, load.latency_ms) for load in loads]
    if any(r.system in OURS and not r.fault for r in runs):
        parts.append(table.growth(runs))
    parts.append(table.BEYOND)
    return Found("\n\n".join(parts), runs, not any(run.fault for run in runs))


def over_smpp(bench: Bench, asked: Asked) -> Found:
    """The same work with an operator's SMSC at the end."""
    load = Load(asked.of(2_000, 20_000), 0)
    runs = rounds(bench, list(SMPP), load, asked.turns())
    page = "Over SMPP 3.4\n\n" + table.comparison(runs, load.count, load.latency_ms, SMPP, "celery-smpp")
    return Found(page, runs, not any(run.fault for run in runs))


def overtaking(bench: Bench, asked: Asked) -> Found:
    """Red under queued blue."""
    runs = red.measure(bench, asked.ours, asked.of(20_000, 500_000), asked.turns())
    return Found(red.table(runs), runs, not any(run.fault for run in runs))


def looked_at(bench: Bench, asked: Asked) -> Found:
    """While others read."""
    runs = watched.measure(bench, asked.ours, asked.of(20_000, BIG), asked.turns(1))
    return Found(watched.table(runs), runs, watched.right(runs))


def planning(bench: Bench, asked: Asked) -> Found:
    """Memory."""
    runs = memory.measure(bench, asked.ours, asked.of(2_000, 20_000))
    return Found(memory.table(runs), runs, not any(run.fault for run in runs))


def receipts(bench: Bench, asked: Asked) -> Found:
    """Callbacks."""
    runs = callbacks.measure(bench, asked.of(2_000, 10_000), asked.turns())
    return Found(callbacks.table(runs), runs, not any(run.fault for run in runs))


def fifty_thousand(bench: Bench, asked: Asked) -> Found:
    """Nobody left out, nobody twice."""
    found = scale.one(bench, "distributed", asked.of(5_000, 50_000), FIFTY)
    return Found(scale.table([found]), [found], found.right)


def a_million(bench: Bench, asked: Asked) -> Found:
    """The same for many, in both modes."""
    found = scale.measure(bench, asked.ours, asked.of(20_000, 1_000_000))
    return Found(scale.table(found), found, all(one.right for one in found))


def planned(bench: Bench, asked: Asked) -> Found:
    """Ten million, without a database."""
    found = plan.measure(asked.of(100_000, 10_000_000))
    return Found(found.told(), [found], found.deliveries >= found.people)


def by_stage(bench: Bench, asked: Asked) -> Found:
    """Where the microseconds go."""
    found = stages.measure(bench, asked.ours, asked.of(2_000, 20_000))
    return Found("\n\n".join(one.table() for one in found), found, True)


def compared(bench: Bench, asked: Asked) -> Found:
    """Beside what was recorded."""
    found = smoke.measure(bench, record=asked.record)
    right = len(found) == len(OURS) and not any(one.verdict == "WORSE" for one in found)
    return Found(smoke.table(found), found, right)


MEASURES: dict[str, Callable[[Bench, Asked], Found]] = {
    "peers": peers,
    "smpp": over_smpp,
    "red": overtaking,
    "watched": looked_at,
    "memory": planning,
    "receipts": receipts,
    "stages": by_stage,
    "fifty": fifty_thousand,
    "scale": a_million,
    "plan": planned,
    "smoke": compared,
}


def main() -> int:
    """0 where every run did the whole work."""
    words = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    words.add_argument(
        "parts", nargs="*", metavar="PART", help=f"{', '.join(MEASURES)}; none for the first {len(PARTS)}"
    )
    words.add_argument("--quick", action="store_true", help="small, and one run each")
    words.add_argument("--only", default=",".join(SYSTEMS), help="systems, joined by commas")
    words.add_argument("--count", type=int, default=0, help="this many recipients, messages or receipts instead")
    words.add_argument("--rounds", type=int, default=0, help="this many runs of each instead of three")
    words.add_argument("--record", action="store_true", help="smoke: later runs are compared with this one")
    words.add_argument("--out", type=Path, default=OUT, help="folder for bench.md and bench.json")
    given = words.parse_args()
    parts = given.parts or list(PARTS[:2] if given.quick else PARTS)
    for kind, names, known in (("part", parts, MEASURES), ("system", given.only.split(","), SYSTEMS)):
        if wrong := set(names) - set(known):
            words.error(f"no {kind} {', '.join(sorted(wrong))}: use {', '.join(known)}")
    asked = Asked(given.only.split(","), given.quick, given.count, given.rounds, given.record)
    begun, stolen = time.monotonic(), machine.steal_s()
    found: dict[str, Found] = {}
    with opened() as bench:
        facts = {
            "command": " ".join(["python", "-m", "bench", *sys.argv[1:]]),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            **machine.described(),
            "versions": versions(bench),
        }
        for part in parts:
            try:
                found[part] = MEASURES[part](bench, asked)
            except (BenchFault, RabbitFault, TimeoutError) as problem:  # what was measured so far is kept
                found[part] = Found(f"**{part}** failed: {problem}", [], False)
            say(f"after {part}: {(time.monotonic() - begun) / 60:.1f} minutes")
    facts["steal"] = f"{machine.steal_s() - stolen:.0f} s meanwhile"
    told = "; ".join(f"{name}: {value}" for name, value in facts.items())
    page = "\n\n".join([*(f.page for f in found.values()), told]) + "\n"
    runs = {part: [asdict(run) for run in f.runs] for part, f in found.items()}
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "bench.md").write_text(page)
    (given.out / "bench.json").write_text(json.dumps({**facts, **runs}, indent=1) + "\n")
    sys.stdout.write(page)
    say(f"took {(time.monotonic() - begun) / 60:.1f} minutes; {given.out / 'bench.md'}, {given.out / 'bench.json'}")
    return 0 if all(f.right for f in found.values()) else 1


def versions(bench: Bench) -> str:
    """Who was measured, on what; the peers only where they are installed."""
    names = ("celery", "smpplib", "taskiq", "taskiq-aio-pika", "faststream", "apprise", "aio-pika", "aiohttp", "twilio")
    code = f"import importlib.metadata as m; print(', '.join(n + ' ' + m.version(n) for n in {names}))"
    python = peer.VENV / "python"
    with bench.postgres.connect(bench.postgres.database("versions", migrated=False)) as database:
        row = database.execute("SHOW server_version").fetchone()
    return ", ".join(
        (
            machine.version_of(str(python), "-c", code) if python.exists() else "no peers",
            f"PostgreSQL {row[0] if row else ''}",
            f"RabbitMQ {bench.rabbit.ctl('version').strip()}",
        )
    )


if __name__ == "__main__":
    sys.exit(main())
