"""What a provider's receipt costs us, against a bare handler that makes one UPDATE of each, on the same database.

One warning is sent and its database kept; each run is told the receipts of the same messages on a copy of it. The router
stands still while they are taken, so that channels and database are seen alone, and its share is measured after that.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bench import machine, ours
from bench.campaign import CONNECTIONS, Bench, say
from bench.ours import ROOT, BenchFault, Home, Look, Standin, wait_until

SYSTEMS = ("tocsin", "one update")
SETTLE_S = 1.0


@dataclass(frozen=True)
class Receipts:
    """CPU seconds of one run; `after_*` is the router and its database, once it may go on (ours alone)."""

    system: str
    count: int
    round: int
    seconds: float
    app_cpu_s: float
    database_cpu_s: float
    after_cpu_s: float = 0.0
    after_database_cpu_s: float = 0.0
    fault: str = ""

    @property
    def each_us(self) -> float:
        return (self.app_cpu_s + self.database_cpu_s) / self.count * 1e6


def measure(bench: Bench, count: int, turns: int) -> list[Receipts]:
    """Both in turn."""
    found: list[Receipts] = []
    with Standin(0.0) as provider:
        sent = _sent(bench, count, provider)
        for turn in range(turns):
            for system, run in ((SYSTEMS[0], _tocsin), (SYSTEMS[1], _one_update)):
                try:
                    one = run(bench, sent, provider, count, turn)
                except BenchFault as problem:
                    one = Receipts(system, count, turn, 0.0, 0.0, 0.0, fault=str(problem))
                found.append(one)
                say(f"{count:,} receipts, {system}, round {turn + 1}: {one.fault or f'{one.each_us:.0f} us each'}")
    return found


def table(runs: Sequence[Receipts]) -> str:
    """Medians, and the ratio."""
    lines = [
        f"**Receipts: CPU us each, {runs[0].count:,} over {CONNECTIONS} connections, signatures checked by both**",
        "",
        "| | receipts/s | app | database | both | x one UPDATE each (must 0.5) | router's share after | its database |",
        "|---|---|---|---|---|---|---|---|",
    ]
    good = {name: [r for r in runs if r.system == name and not r.fault] for name in SYSTEMS}
    both = {name: statistics.median(r.each_us for r in some) for name, some in good.items() if some}
    for name, some in good.items():
        if not some:
            why = next(r.fault for r in runs if r.system == name)
            lines.append(f"| {name} | failed: {why.splitlines()[0][:120]} |")
            continue
        app, database, after, after_database = (
            statistics.median(getattr(r, what) / r.count * 1e6 for r in some)
            for what in ("app_cpu_s", "database_cpu_s", "after_cpu_s", "after_database_cpu_s")
        )
        speed = statistics.median(r.count / r.seconds for r in some)
        ratio = f"{both[name] / both[SYSTEMS[1]]:.2f}" if SYSTEMS[1] in both else "-"
        line = f"| {name} | {speed:,.0f} | {app:.0f} | {database:.0f} | {both[name]:.0f} | {ratio} |"
        lines.append(line + (f" {after:.0f} | {after_database:.0f} |" if name == SYSTEMS[0] else " - | - |"))
    return "\n".join(lines)


def _sent(bench: Bench, count: int, provider: Standin) -> Home:
    """An installation whose messages are all accepted and counted; the provider knows them."""
    with bench.tocsin(bench.home("distributed", count), provider) as server:
        ours.send_all(server, provider, count, "bench-callbacks")
    home = bench.kept(server.home, "told")
    with bench.postgres.connect(home.database_url) as database:
        database.execute("VACUUM ANALYZE")
    return home


def _tocsin(bench: Bench, sent: Home, provider: Standin, count: int, turn: int) -> Receipts:
    with bench.tocsin(sent, provider) as server:
        look = Look(server.home)
        time.sleep(SETTLE_S)
        router, channels = (server.processes[name].pid for name in ("router", "channels"))
        with _held(router), _cpu(bench, channels) as cost:
            told = provider.call_back("delivered", CONNECTIONS, f"http://127.0.0.1:{server.ports['channels']}")
            app, database = cost()
        with _cpu(bench, router) as after:
            counted = lambda: look.number(  # noqa: E731
                "SELECT sum(n) FROM tally WHERE channel = 'sms' AND milestone = 'delivered'"
            )
            wait_until(lambda: counted() >= count, counted, server)
            after_app, after_database = after()
        _check(look, told, count)
    return Receipts(SYSTEMS[0], count, turn, told["seconds"], app, database, after_app, after_database)


def _one_update(bench: Bench, sent: Home, provider: Standin, count: int, turn: int) -> Receipts:
    home = ours.copied(sent, bench.folder / "run", bench.postgres)
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.one_update", home.database_url.replace("+asyncpg", "")],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        time.sleep(SETTLE_S)
        with _cpu(bench, process.pid) as cost:
            told = provider.call_back("delivered", CONNECTIONS, f"http://127.0.0.1:{port}")
            app, database = cost()
        process.kill()
    _check(Look(home), told, count)
    return Receipts(SYSTEMS[1], count, turn, told["seconds"], app, database)


def _check(look: Look, told: dict[str, float], count: int) -> None:
    """Every receipt was taken and stands in the ledger."""
    rows = look.number("SELECT count(*) FROM delivery WHERE send_state = 'delivered' AND evidence = 2")
    look.close()
    if told["told"] != count or told["bad"] or rows != count:
        raise BenchFault(f"{count} receipts, but {told} and {rows} rows are delivered")


@contextmanager
def _held(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def _cpu(bench: Bench, pid: int) -> Iterator[Callable[[], tuple[float, float]]]:
    """Gives a function that says what a process and the database have taken since."""
    app, database = machine.cpu_s([pid]), machine.cpu_s([bench.postgres.pid])
    yield lambda: (machine.cpu_s([pid]) - app, machine.cpu_s([bench.postgres.pid]) - database)
