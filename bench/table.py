"""Runs as a Markdown table: medians, CPU split in app, database and broker, and the ratios that survive the machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from bench.campaign import CONNECTIONS, OURS, SYSTEMS, Run

ONE_BY_ONE = ("taskiq", "faststream")  # the best of those that hand over one message a recipient
BEYOND = """\
What the rows hold. The peers: a row a recipient is written, one message a recipient goes through the durable broker,
a worker reads the row, renders, calls the provider and updates the row. Tocsin does beyond that, in the same time: it
takes the warning by HTTP and answers after it is on disk; finds who lives in the area in a register with sealed
addresses; gives each person a path by the policy, with its reason; writes every delivery into a ledger that cannot
send twice; opens each address for the one call; writes down the intent before the call and the attempt after it;
looks for a cancel before every send; keeps a provider's contracted rate and leaves room for red; moves each
person's path by the outcome and counts coverage by need group. CPU is until all of that is done. With SQLite,
database and bus lie in the process of the app."""


def per_thousand(runs: Sequence[Run], what: str) -> float:
    """Median CPU seconds a thousand recipients."""
    return median(float(getattr(run, what)) / run.count * 1000 for run in runs)


def comparison(
    runs: Sequence[Run], count: int, latency_ms: int, systems: Mapping[str, str] = SYSTEMS,
    base: str = "celery-prefork",
) -> str:  # fmt: skip
    """One table: all systems at one load, each beside `base`."""
    chosen = {
        name: [r for r in runs if (r.system, r.count, r.latency_ms) == (name, count, latency_ms)] for name in systems
    }
    good = {name: mine for name, mine in chosen.items() if mine and not any(r.fault for r in mine)}
    speed = {name: median(r.per_second for r in mine) for name, mine in good.items()}
    cpu = {
        name: sum(per_thousand(mine, what) for what in ("app_cpu_s", "database_cpu_s", "broker_cpu_s"))
        for name, mine in good.items()
    }
    best = max((name for name in ONE_BY_ONE if name in speed), key=lambda name: speed[name], default="")
    lines = [
        f"**{count:,} recipients, provider answers in {latency_ms} ms**",
        "",
        "| | recipients/s | x Celery | x best one-by-one | CPU s per 1,000: app | database | broker | all "
        + "| of connections / latency |" * bool(latency_ms)
        + "|" * (not latency_ms),
        "|---|---|---|---|---|---|---|---|" + "---|" * bool(latency_ms),
    ]
    for name, mine in chosen.items():
        if not mine:
            continue
        if name not in good:
            lines.append(
                f"| {systems[name]} | failed: {next(r.fault for r in mine if r.fault).splitlines()[0][:120]} |"
            )
            continue
        app, database, broker = (per_thousand(mine, w) for w in ("app_cpu_s", "database_cpu_s", "broker_cpu_s"))
        split = (
            f"{app:.2f} | {database:.2f} | {broker:.2f}"
            if not name.startswith("embedded")
            else f"{app:.2f} | in it | in it"
        )
        cells = [systems[name], f"{speed[name]:,.0f}", _times(speed, name, base), _times(speed, name, best)]
        line = f"| {' | '.join(cells)} | {split} | {cpu[name]:.2f} |"
        if latency_ms:
            at_once = dict.fromkeys(("celery-prefork", "celery-smpp"), 4) | {
                "celery-threads": 10, "apprise": 1, "taskiq": 200, "faststream": 200,
            }  # fmt: skip
            line += f" {speed[name] / (at_once.get(name, CONNECTIONS) / latency_ms * 1000):.2f} |"
        lines.append(line)
    return "\n".join(lines)


def growth(runs: Sequence[Run]) -> str:
    """Ours alone at every size."""
    mine = [r for r in runs if r.system in OURS and not r.fault]
    lines = [
        "| Tocsin | recipients | provider ms | runs | recipients/s | counted after | CPU s per 1,000 | largest process |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for system, count, latency in sorted({(r.system, r.count, r.latency_ms) for r in mine}):
        some = [r for r in mine if (r.system, r.count, r.latency_ms) == (system, count, latency)]
        cpu = sum(per_thousand(some, what) for what in ("app_cpu_s", "database_cpu_s", "broker_cpu_s"))
        late = median(r.counted_s - r.seconds for r in some)
        role, size = max(((role, mb) for r in some for role, mb in r.peak_mb), key=lambda found: found[1])
        lines.append(
            f"| {system} | {count:,} | {latency} | {len(some)} | {median(r.per_second for r in some):,.0f} | +{late:.1f} s "
            f"| {cpu:.2f} | {role} {size:.0f} MB |"
        )
    return "\n".join(lines)


def _times(speed: dict[str, float], name: str, other: str) -> str:
    return f"{speed[name] / speed[other]:.1f}" if other in speed else "-"
