"""`python -m tests.bench`: Tocsin beside Celery, taskiq, FastStream and Apprise; prints Markdown, writes it and JSON.

`--quick` is one run of 2,000 each (under 5 minutes); the whole takes most of an hour. `--only` names systems.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import machine, peer, table
from tests.bench.campaign import OURS, SYSTEMS, Bench, Load, Run, opened, rounds, say

OUT = Path("var/bench")


def main() -> int:
    """0 where every run did the whole work."""
    asked = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    asked.add_argument("--quick", action="store_true", help="2,000 recipients, one run each")
    asked.add_argument("--only", default=",".join(SYSTEMS), help="systems, joined by commas")
    asked.add_argument("--count", type=int, default=0, help="this many recipients instead")
    asked.add_argument("--rounds", type=int, default=0, help="this many runs of each instead of three")
    asked.add_argument("--out", type=Path, default=OUT, help="folder for bench.md and bench.json")
    words = asked.parse_args()
    systems = words.only.split(",")
    if wrong := set(systems) - set(SYSTEMS):
        asked.error(f"no system {', '.join(sorted(wrong))}: use {', '.join(SYSTEMS)}")
    turns = words.rounds or (1 if words.quick else 3)
    loads = [Load(words.count or (2_000 if words.quick else 20_000), 0), Load(500 if words.quick else 2_000, 50)]
    begun = time.monotonic()
    runs: list[Run] = []
    with opened() as bench:
        facts = {
            "command": " ".join(["python", "-m", "tests.bench", *sys.argv[1:]]),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            **machine.described(),
            "versions": versions(bench),
        }
        for load in loads:
            runs += rounds(bench, systems, load, turns)
        if not words.quick and (mine := [s for s in systems if s in OURS]):
            runs += rounds(bench, mine, Load(100_000, 0), turns)
    parts = [table.comparison(runs, load.count, load.latency_ms) for load in loads]
    if any(r.system in OURS and not r.fault for r in runs):
        parts.append(table.growth(runs))
    parts.append(table.BEYOND)
    parts.append("; ".join(f"{name}: {value}" for name, value in facts.items()))
    page = "\n\n".join(parts) + "\n"
    words.out.mkdir(parents=True, exist_ok=True)
    (words.out / "bench.md").write_text(page)
    (words.out / "bench.json").write_text(json.dumps({**facts, "runs": [asdict(run) for run in runs]}, indent=1) + "\n")
    sys.stdout.write(page)
    say(f"took {(time.monotonic() - begun) / 60:.1f} minutes; {words.out / 'bench.md'}, {words.out / 'bench.json'}")
    return 1 if any(run.fault for run in runs) else 0


def versions(bench: Bench) -> str:
    """Who was measured, on what."""
    names = ("celery", "taskiq", "taskiq-aio-pika", "faststream", "apprise", "aio-pika", "aiohttp", "twilio")
    code = f"import importlib.metadata as m; print(', '.join(n + ' ' + m.version(n) for n in {names}))"
    with bench.postgres.connect(bench.postgres.database("versions", migrated=False)) as database:
        row = database.execute("SHOW server_version").fetchone()
    return ", ".join(
        (
            machine.version_of(str(peer.VENV / "python"), "-c", code),
            f"PostgreSQL {row[0] if row else ''}",
            f"RabbitMQ {bench.rabbit.ctl('version').strip()}",
        )
    )


if __name__ == "__main__":
    sys.exit(main())
