"""Where a recipient's microseconds go: CPU of each stage of one warning, all services in this process.

The loop is sampled by its own CPU time, through the greenlets SQLAlchemy runs in; SQLite's threads are timed a statement;
PostgreSQL and RabbitMQ are whole. Sampling itself takes a few in a hundred.
"""

from __future__ import annotations

import asyncio
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import aiosqlite
import greenlet

from bench import machine, ours
from bench.campaign import CONNECTIONS, Bench, say
from bench.counts import served, told, until_counted
from bench.ours import Home, Look, Standin

EVERY_S = 0.001
QUIET_S = 0.5

# The first of these that the innermost of our own frames lies in; what all share is looked through, to its caller.
STAGES = (
    ("services/gateway/", "gateway"),
    ("services/registry/", "registry: a page"),
    ("services/router/clock/", "router: clock, evidence"),
    ("services/router/doors/", "router: clock, evidence"),
    ("services/router/", "router: a page"),
    ("services/channels/sending/claims", "claim and intent"),
    ("services/channels/messages/", "open and render"),
    ("services/channels/outcomes/", "outcome, attempt, tally"),
    ("services/channels/http/", "provider's call"),
    ("services/channels/drivers/", "provider's call"),
    ("services/channels/", "sender and call window"),
    ("services/shared/bus/", "bus"),
    ("services/shared/web/", "gateway"),
)
LOOP = "event loop, sockets, whatever is nobody's"
TABLES = (  # a table > the stage whose statements in SQLite's thread it names; the first that stands in the statement
    ("attempt", "outcome, attempt, tally"),
    ("UPDATE delivery", "outcome, attempt, tally"),
    ("tally", "outcome, attempt, tally"),
    ("UPDATE flight", "outcome, attempt, tally"),
    ("registry_", "registry: a page"),
    ("router_path", "router: a page"),
    ("INSERT INTO delivery", "router: a page"),
    ("INSERT INTO batch", "router: a page"),
    ("router_", "router: a page"),
    ("batch", "claim and intent"),
    ("flight", "claim and intent"),
    ("channels_opted_out", "claim and intent"),
    ("outbox", "bus"),
    ("inbox", "bus"),
)
COMMITS, OTHERS = "commits", "other statements"


@dataclass
class Stages:
    """CPU seconds by stage: of the loop, of SQLite's threads, and of the servers beside us."""

    system: str
    count: int
    loop: dict[str, float] = field(default_factory=dict)
    threads: dict[str, float] = field(default_factory=dict)
    servers: dict[str, float] = field(default_factory=dict)

    def table(self) -> str:
        """In microseconds a recipient, the dearest first."""
        us, loop = 1e6 / self.count, sum(self.loop.values()) + sum(self.servers.values())
        names = sorted(
            self.loop.keys() | self.threads.keys(), key=lambda n: -(self.loop.get(n, 0.0) + self.threads.get(n, 0.0))
        )
        lines = [
            f"**Tocsin, {self.system}: CPU microseconds a recipient, of {self.count:,}**",
            "",
            "| stage | loop | SQLite's threads |",
            "|---|---|---|",
            *(
                f"| {name} | {self.loop.get(name, 0.0) * us:.1f} | {self.threads.get(name, 0.0) * us:.1f} |"
                for name in names
            ),
            *(f"| {name} | {seconds * us:.1f} | |" for name, seconds in self.servers.items()),
            f"| all | {loop * us:.0f} | {sum(self.threads.values()) * us:.0f} |",
        ]
        return "\n".join(lines)


def measure(bench: Bench, systems: list[str], count: int) -> list[Stages]:
    """One warning a system; in this process, which takes more for it than four would."""
    found = []
    with Standin(0.0) as provider:
        for system in systems:
            provider.reset()
            distributed = system == "distributed"
            amqp = bench.rabbit.vhost("stages") if distributed else ""
            home = ours.copied(bench.home(system, count), bench.folder / "stages", bench.postgres, amqp)
            servers = {"PostgreSQL": bench.postgres.pid, "RabbitMQ": bench.rabbit.pid} if distributed else {}
            before = {name: machine.cpu_s([pid]) for name, pid in servers.items()}
            one = Stages(system, count)
            with asyncio.Runner(loop_factory=machine.loop_factory()) as runner:
                runner.run(_one(one, home, provider))
            one.servers = {name: machine.cpu_s([pid]) - before[name] for name, pid in servers.items()}
            if distributed:
                bench.rabbit.drop("stages")
            found.append(one)
            say(f"stages of {count:,}, {system}: done")
    return found


async def _one(into: Stages, home: Home, provider: Standin) -> None:
    with told(ours.environment_of(home, provider.port, CONNECTIONS)), _timed(into.threads):
        async with served(home) as port:
            look = Look(home)
            await asyncio.sleep(QUIET_S)
            into.threads.clear()
            with _sampled(into.loop):
                warning_id = await asyncio.to_thread(ours.release, port, home.key, ours.warning("stages"))
                await until_counted(lambda: look.counted(warning_id), into.count)
            look.close()


@contextmanager
def _sampled(into: dict[str, float]) -> Iterator[None]:
    """Every sample weighs what this thread has used since the one before."""
    last = time.thread_time()

    def sample(_signum: int, frame: FrameType | None) -> None:
        nonlocal last
        now = time.thread_time()
        stage = stage_of(frame, greenlet.getcurrent())
        into[stage] = into.get(stage, 0.0) + now - last
        last = now

    before = signal.signal(signal.SIGPROF, sample)
    signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


def stage_of(frame: FrameType | None, inside: greenlet.greenlet | None) -> str:
    """Of the innermost frame that is some stage's, through the greenlets it was called from."""
    while frame is not None or inside is not None:
        while frame is not None:
            name = frame.f_code.co_filename
            if found := next((stage for place, stage in STAGES if place in name), None):
                return found
            frame = frame.f_back
        inside = inside.parent if inside is not None else None
        frame = inside.gr_frame if inside is not None else None
    return LOOP


@contextmanager
def _timed(into: dict[str, float]) -> Iterator[None]:
    """CPU seconds of what SQLite's threads do, by the tables they do it to."""
    execute: Any = aiosqlite.Connection._execute

    async def timed(self: Any, function: Callable[..., Any], *args: Any, **words: Any) -> Any:
        def run(*args: Any, **words: Any) -> Any:
            begun = time.thread_time()
            try:
                return function(*args, **words)
            finally:
                statement = args[1] if function == self.run else ""
                stage = _of_statement(statement) if statement else COMMITS
                into[stage] = into.get(stage, 0.0) + time.thread_time() - begun

        return await execute(self, run, *args, **words)

    setattr(aiosqlite.Connection, "_execute", timed)  # noqa: B010  a method that is not ours
    try:
        yield
    finally:
        setattr(aiosqlite.Connection, "_execute", execute)  # noqa: B010


def _of_statement(text: str) -> str:
    known = _known.get(text)
    if known is None:
        known = next((stage for table, stage in TABLES if re.search(rf"\b{table}", text)), OTHERS)
        _known[text] = known
    return known


_known: dict[str, str] = {}
