"""Runs us and the peers on the same servers, one after the other in rounds, so that a slow minute hits everybody."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench import machine, ours, peer
from bench.ours import BenchFault, Home, Standin, Tocsin
from tools.servers.postgres import Postgres
from tools.servers.rabbit import Rabbit, RabbitFault

OURS = {
    "embedded": "**Tocsin, embedded** (one process, SQLite)",
    "distributed": "**Tocsin, distributed** (four processes, RabbitMQ, PostgreSQL)",
}
OURS_SMPP = {f"{name}-smpp": words.replace("(", "(SMPP, ") for name, words in OURS.items()}
OVER_SMPP = ("celery-smpp",)
SMPP: dict[str, str] = OURS_SMPP | {name: peer.PEERS[name].words for name in OVER_SMPP}
SYSTEMS: dict[str, str] = OURS | {name: p.words for name, p in peer.PEERS.items() if name not in OVER_SMPP}
CONNECTIONS = 100  # at once to the provider, for whoever sends from an event loop; the peers' is in peers/work.py

TABLE = """
CREATE TABLE message (
  id bigint PRIMARY KEY, name text NOT NULL, phone text NOT NULL, language text NOT NULL, state text NOT NULL,
  provider_ref text, created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now()
)
"""


@dataclass(frozen=True)
class Load:
    """How many recipients, and how long the provider takes for each."""

    count: int
    latency_ms: int


@dataclass(frozen=True)
class Run:
    """One run. CPU in seconds; `counted_s` is ours alone: until the coverage page shows all of them."""

    system: str
    count: int
    latency_ms: int
    round: int
    seconds: float
    app_cpu_s: float
    database_cpu_s: float
    broker_cpu_s: float
    steal_s: float
    counted_s: float = 0.0
    peak_mb: tuple[tuple[str, float], ...] = ()
    fault: str = ""

    @property
    def per_second(self) -> float:
        return self.count / self.seconds if self.seconds else 0.0


class Bench:
    """The servers, and the registers made so far."""

    def __init__(self, folder: Path, postgres: Postgres, rabbit: Rabbit) -> None:
        self.folder = folder
        self.postgres = postgres
        self.rabbit = rabbit
        self._homes: dict[tuple[str, int], Home] = {}
        self._runs = 0

    @contextmanager
    def tocsin(
        self, home: Home, provider: Standin, roles: Sequence[str] = ours.ROLES, *, smpp: bool = False
    ) -> Iterator[Tocsin]:
        """Our own system, started on a fresh copy of an installation."""
        self._runs += 1
        vhost = f"run-{self._runs}"
        try:
            amqp = self.rabbit.vhost(vhost) if home.database_url else ""
            mine = ours.copied(home, self.folder / "run", self.postgres, amqp)
            port = provider.smpp_port if smpp else 0
            with Tocsin(mine, provider.port, CONNECTIONS, port, roles=roles) as server:
                yield server
        finally:
            self.rabbit.drop(vhost)

    def kept(self, home: Home, name: str) -> Home:
        """What a run has left, in a place that later runs do not overwrite, to start from again and again."""
        folder = ours.copied(replace(home, database_url=""), self.folder / name).folder
        url = self.postgres.database(name, like="run") if home.database_url else ""
        return Home(folder, home.key, url, name=name if url else "")

    def home(self, system: str, count: int) -> Home:
        """An installation with a register of `count` people, made once."""
        key = (system, count)
        if key not in self._homes:
            where = self.folder / f"{system}-{count}"
            self._homes[key] = ours.make_home(where, count, self.postgres if system == "distributed" else None)
        return self._homes[key]

    def measure(self, system: str, load: Load, turn: int, provider: Standin) -> Run:
        """One run of one system; a run that fails says so and stops no other."""
        provider.reset()
        try:
            mine = system in OURS or system in OURS_SMPP
            return (self._ours if mine else self._peer)(system, load, turn, provider)
        except (BenchFault, RabbitFault, TimeoutError) as problem:
            return Run(system, load.count, load.latency_ms, turn, 0.0, 0.0, 0.0, 0.0, 0.0, fault=str(problem))

    def _ours(self, system: str, load: Load, turn: int, provider: Standin) -> Run:
        kind, smpp = system.removesuffix("-smpp"), system.endswith("-smpp")
        with self.tocsin(self.home(kind, load.count), provider, smpp=smpp) as server, self._costs() as costs:
            before = machine.cpu_s(server.pids)
            sent = ours.send_all(server, provider, load.count, f"bench-{turn}", said=ours.SHORT if smpp else ours.LONG)
            app = machine.cpu_s(server.pids) - before
            peaks = tuple((role, machine.peak_mb(p.pid)) for role, p in server.processes.items())
            database, broker, steal = costs()
        if kind == "embedded":
            database = broker = 0.0
        return Run(
            system, load.count, load.latency_ms, turn, sent.recorded_s, app, database, broker, steal,
            sent.counted_s, peaks,
        )  # fmt: skip

    def _peer(self, system: str, load: Load, turn: int, provider: Standin) -> Run:
        self._runs += 1
        vhost = f"run-{self._runs}"
        url, amqp = self.postgres.database("peer", migrated=False), self.rabbit.vhost(vhost)
        with self.postgres.connect(url) as database:
            database.execute(TABLE)
        environment = peer.environment_of(url, amqp, provider)
        try:
            with peer.Workers(peer.PEERS[system], environment, amqp, self.folder) as workers, self._costs() as costs:
                done = peer.run(workers, url, provider, load.count)
                cost, broker, steal = costs()
        finally:
            self.rabbit.drop(vhost)
        return Run(system, load.count, load.latency_ms, turn, done.seconds, done.app_cpu_s, cost, broker, steal)

    @contextmanager
    def _costs(self) -> Iterator[Callable[[], tuple[float, float, float]]]:
        """Gives a function that says what database, broker and the host have taken since."""
        database, broker, steal = (
            machine.cpu_s([self.postgres.pid]),
            machine.cpu_s([self.rabbit.pid]),
            machine.steal_s(),
        )
        yield lambda: (
            machine.cpu_s([self.postgres.pid]) - database,
            machine.cpu_s([self.rabbit.pid]) - broker,
            machine.steal_s() - steal,
        )


@contextmanager
def opened() -> Iterator[Bench]:
    """Servers of our own, with everything as shipped: fsync on, their own defaults."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tocsin-bench-")))
        postgres = stack.enter_context(Postgres())
        rabbit = stack.enter_context(Rabbit(folder / "rabbit"))
        yield Bench(folder, postgres, rabbit)


def rounds(bench: Bench, systems: Sequence[str], load: Load, turns: int) -> list[Run]:
    """Every system in turn, `turns` times; one that failed is not tried again."""
    found: list[Run] = []
    with Standin(load.latency_ms / 1000) as provider:
        for turn in range(turns):
            for system in systems:
                if any(run.fault for run in found if run.system == system):
                    continue
                begun = time.monotonic()
                run = bench.measure(system, load, turn, provider)
                found.append(run)
                what = f"{run.per_second:,.0f}/s" if not run.fault else f"FAILED: {run.fault.splitlines()[0]}"
                took = time.monotonic() - begun
                say(f"{load.count:,} at {load.latency_ms} ms, round {turn + 1}, {system}: {what} ({took:.0f} s)")
    return found


def say(line: str) -> None:
    """Progress, for whoever waits."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201
