"""Counts what one warning takes that does not hang on the machine: statements, commits and Python calls.

All services run in this process with their own loops, on the database and the broker they have in service, and send through
the stand-in. Looks by the clock alone are put off while it is counted: how many they are says how long a machine took.
"""

from __future__ import annotations

import asyncio
import cProfile
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import asyncpg
import structlog
from asyncpg.prepared_stmt import PreparedStatement

from bench import ours
from bench.campaign import CONNECTIONS
from bench.ours import STALL_S, BenchFault, Home, Look, Standin
from services.run import START_ORDER, build, leave_the_loaded_alone
from services.shared.clock import Waker
from services.shared.database import sqlite_thread
from services.shared.settings import Settings

PUT_OFF = 1000.0  # a look by the clock alone comes so many times later
QUIET_S = 0.5  # what start has set going has come to its end
EVERY_S = 0.1
INTRODUCTIONS = ("typeinfo_tree", "set_config('jit'")  # what a connection asks once, however many are warned over it
PING = ";"  # asked of a connection that has rested for a second: how many do says how slow a machine is
EXECUTE = "_PreparedStatement__bind_execute"
ENDS = ("BEGIN", "START", "COMMIT", "ROLLBACK")


class Most(NamedTuple):
    """What a warning to 2,000 may take: statements and commits per 1,000 recipients, Python calls for each."""

    statements: float
    commits: float
    calls: float


# Distributed or not. Lower them with whatever makes a recipient cheaper. On a quiet machine the first two are 170 and 22, 200
# and 31: on one that has five others' work to do, flights are smaller and transactions a fifth more.
MOST = {False: Most(220, 30, 240), True: Most(265, 38, 260)}


@dataclass
class Counted:
    """What `count` recipients took."""

    count: int
    statements: Counter[str] = field(default_factory=Counter)  # by their text
    commits: int = 0  # transactions that wrote
    calls: Counter[str] = field(default_factory=Counter)  # by the function's file, line and name
    cpu_s: float = 0.0  # of this process, the counting included

    @property
    def statements_per_1000(self) -> float:
        return self.statements.total() * 1000 / self.count

    @property
    def commits_per_1000(self) -> float:
        return self.commits * 1000 / self.count

    @property
    def calls_each(self) -> float:
        return self.calls.total() / self.count

    def told(self, most: int = 40) -> str:
        """The three figures, then the largest of what they are made of."""
        per_1000 = f"{self.statements_per_1000:.0f} statements and {self.commits_per_1000:.1f} commits per 1,000"
        lines = [f"{self.count:,} recipients: {per_1000}, {self.calls_each:.0f} Python calls each"]
        lines += [f"{n * 1000 / self.count:8.1f}  {text[:150]}" for text, n in self.statements.most_common(most)]
        lines += [f"{n / self.count:8.2f}  {name}" for name, n in self.calls.most_common(most)]
        return "\n".join(lines)


class _Counter:
    """What is counted now; nothing while it is not `on`."""

    def __init__(self) -> None:
        self.on = False
        self.statements: Counter[str] = Counter()
        self.commits = 0
        self.in_threads = 0
        self._writing = False

    def statement(self, text: str) -> None:
        if self.on and not text.startswith(ENDS):
            self.statements[" ".join(text.split())] += 1

    def commit(self) -> None:
        self.commits += self.on

    def thread(self, _frame: FrameType, event: str, _arg: object) -> None:
        self.in_threads += self.on and event == "call"


@contextmanager
def _hooked(counter: _Counter) -> Iterator[None]:
    """At the drivers, so that it counts whoever speaks to them: SQLite's thread, asyncpg's connections."""
    run, commit = sqlite_thread.Connection.run, sqlite_thread.Connection.commit
    connect, copy, wait = asyncpg.connect, asyncpg.Connection.copy_records_to_table, Waker.wait
    prepared = getattr(PreparedStatement, EXECUTE)  # no logger hears of what was prepared

    def run_and_count(self: Any, begin: str, statement: str, *rest: Any) -> Any:
        counter.statement(statement)
        return run(self, begin, statement, *rest)

    async def commit_and_count(self: Any) -> None:
        if self._conn.in_transaction:
            counter.commit()
        await commit(self)

    async def connect_and_listen(*args: Any, **words: Any) -> Any:
        connection = await connect(*args, **words)
        connection.add_query_logger(heard)
        return connection

    def heard(record: Any) -> None:
        if record.query.startswith("COMMIT"):
            counter.commit()
        elif record.query != PING and not any(word in record.query for word in INTRODUCTIONS):
            counter.statement(record.query)

    async def prepared_and_count(self: Any, *args: Any) -> Any:
        counter.statement(self._query)
        return await prepared(self, *args)

    async def copy_and_count(self: Any, table: str, **words: Any) -> Any:
        counter.statement(f"COPY {table}")
        return await copy(self, table, **words)

    async def wait_longer(self: Waker, seconds: float) -> None:
        await wait(self, seconds * (PUT_OFF if counter.on else 1.0))

    replaced: tuple[tuple[Any, str, Any], ...] = (
        (sqlite_thread.Connection, "run", run_and_count),
        (sqlite_thread.Connection, "commit", commit_and_count),
        (asyncpg, "connect", connect_and_listen),
        (PreparedStatement, EXECUTE, prepared_and_count),
        (asyncpg.Connection, "copy_records_to_table", copy_and_count),
        (Waker, "wait", wait_longer),
    )
    before = [(where, name, getattr(where, name)) for where, name, _ in replaced]
    threading.setprofile(counter.thread)
    for where, name, instead in replaced:
        setattr(where, name, instead)
    try:
        yield
    finally:
        for where, name, was in before:
            setattr(where, name, was)
        threading.setprofile(None)


async def count(home: Home, provider: Standin, people: int) -> Counted:
    """One warning to the `people` of an installation nobody serves, until all of them are in the tallies.

    It is the second one: what the first of a process compiles and reads is no cost of a recipient, and hangs on what else
    the process has done.
    """
    counter, profile = _Counter(), cProfile.Profile()
    with _hooked(counter), told(ours.environment_of(home, provider.port, CONNECTIONS)):
        async with served(home) as port:
            look = Look(home)
            first = await asyncio.to_thread(ours.release, port, home.key, ours.warning("first"))
            await until_counted(lambda: look.counted(first), people)
            await asyncio.to_thread(provider.reset)
            await asyncio.sleep(QUIET_S)
            counter.on, begun = True, time.process_time()
            profile.enable(subcalls=False, builtins=False)
            try:
                warning_id = await asyncio.to_thread(ours.release, port, home.key, ours.warning("counted"))
                await until_counted(lambda: look.counted(warning_id), people)
            finally:
                profile.disable()
                counter.on = False
                cpu_s = time.process_time() - begun
                look.close()
    calls = Counter({_name(entry.code): entry.callcount for entry in profile.getstats()})
    calls["in the database's threads"] += counter.in_threads
    return Counted(people, counter.statements, counter.commits, calls, cpu_s)


async def until_counted(progress: Callable[[], int], people: int) -> None:
    """BenchFault where it stands still."""
    last, since = progress(), time.monotonic()
    while last < people:
        await asyncio.sleep(EVERY_S)
        if (now := progress()) != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > STALL_S:
            raise BenchFault(f"nothing has moved for {STALL_S:.0f} s at {last} of {people}")


@asynccontextmanager
async def served(home: Home) -> AsyncIterator[int]:
    """All services on an installation, each a node of its own where there is a broker; the gateway's port."""
    roles: list[tuple[str, ...]] = [(role,) for role in START_ORDER] if home.distributed else [()]
    async with AsyncExitStack() as undo:
        port = 0
        for some in roles:
            node = await build(Settings(port=0), some)
            undo.push_async_callback(node.close)
            node.start_loops()
            while not node.bus.health()["connected"]:  # noqa: ASYNC110  nobody is told
                await asyncio.sleep(0.05)
            if not some or "gateway" in some:
                port = urlsplit(node.platform.public_url).port or 0
        leave_the_loaded_alone()
        yield port


@contextmanager
def told(environment: Mapping[str, str]) -> Iterator[None]:
    """The environment, for as long as it is served."""
    before = dict(os.environ)
    for name in [name for name in before if name.startswith("TOCSIN_")]:
        del os.environ[name]
    os.environ.update(environment)
    words = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    try:
        yield
    finally:
        structlog.configure(**words)
        os.environ.clear()
        os.environ.update(before)


def _name(code: CodeType | str) -> str:
    if isinstance(code, str):
        return code
    return f"{'/'.join(code.co_filename.split('/')[-3:])}:{code.co_firstlineno} {code.co_name}"
