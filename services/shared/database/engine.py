"""Opens the one database: one writer at a time on SQLite, many on PostgreSQL, the same calls on both.

SQLite: WAL, synchronous=FULL, BEGIN IMMEDIATE, one writer at a time in this process, and a lock file that a second
serving process meets at start. PostgreSQL: READ COMMITTED; what must not be done by two at once takes one of `locks`;
a batch is one statement over arrays (`unnest`), rows that are surely new come by COPY.
A commit is shielded: a cancelled task cannot leave one half known.
"""

from __future__ import annotations

import asyncio
import fcntl
import math
import os
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_connection
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from services.shared.database import sqlite_thread
from services.shared.errors import Broken, Conflict

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = sa.String(32)  # uuid5 or uuid4 as 32 hex digits: one form in database, messages, URLs and logs
Connection = AsyncConnection
T = TypeVar("T")

# The database is away, overloaded or took the other one of two that waited in a circle: the same work may be tried again.
AWAY = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError, OSError, TimeoutError)
_TRY_AGAIN = frozenset({"40001", "40P01", "55P03", "57014", "57P01", "57P02", "57P03", "53300", "25P03"})


def may_be_tried_again(problem: BaseException) -> bool:
    """Whether the fault was the database's and passes: nothing was committed, or nobody can know."""
    if isinstance(problem, AWAY):
        return True
    if isinstance(problem, sa.exc.DBAPIError):
        state = str(getattr(problem.orig, "sqlstate", None) or "")
        return problem.connection_invalidated or state in _TRY_AGAIN or state.startswith("08")  # the connection broke
    return False


class Database:
    """Opens transactions; knows nothing of tables."""

    def __init__(self, url: str, *, synchronous: str = "FULL", readers: int = 4, name: str = "tocsin") -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self._write_lock = asyncio.Lock()
        if self.is_sqlite:
            self._writer = _sqlite_engine(url, "BEGIN IMMEDIATE", synchronous, 1)
            self._reader = _sqlite_engine(url, "BEGIN", synchronous, readers)
        else:
            self._writer = _postgres_engine(url, name)
            # a look at several tables sees them all at one moment, as on SQLite
            self._reader = self._writer.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Connection]:
        """A transaction that commits when the block ends and rolls back when it raises."""
        if self.is_sqlite:
            async with self._write_lock, self._transaction() as connection:
                yield connection
        else:
            async with self._transaction() as connection:
                yield connection

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        async with self._writer.connect() as connection:
            transaction = await connection.begin()
            try:
                yield connection
            except BaseException:
                await _to_its_end(transaction.rollback())
                raise
            await _to_its_end(transaction.commit())

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """A transaction that only looks."""
        async with self._reader.connect() as connection:
            yield connection

    async def lasting(self) -> Connection:
        """A connection of one's own, outside any transaction, to be closed by who took it."""
        connection = await self._writer.connect()
        return await connection.execution_options(isolation_level="AUTOCOMMIT")

    async def close(self) -> None:
        await self._writer.dispose()
        if self.is_sqlite:
            await self._reader.dispose()


async def _to_its_end(work: Awaitable[None]) -> None:
    """Waits for a commit or rollback also where the caller is cancelled meanwhile: the connection is in use till then."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _sqlite_engine(url: str, begin: str, synchronous: str, size: int) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=size,
        max_overflow=0,
        pool_timeout=60,
        hide_parameters=True,
        connect_args={"async_creator_fn": sqlite_thread.connect},
    )

    @sa.event.listens_for(engine.sync_engine, "connect")
    def _pragmas(dbapi_connection: AsyncAdapt_aiosqlite_connection, _record: ConnectionPoolEntry) -> None:
        dbapi_connection.isolation_level = None  # we begin transactions ourselves
        cursor = dbapi_connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            f"synchronous={synchronous}",
            "busy_timeout=5000",
            "foreign_keys=ON",
            "cache_size=-65536",
            "wal_autocheckpoint=8000",  # 32 MB: a page is written back once for many batches, not for each few
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        driver = cast(sqlite_thread.Connection, connection.connection.driver_connection)
        driver.begin_with = begin

    return engine


RESTED_S = 1.0


def _postgres_engine(url: str, name: str) -> AsyncEngine:
    """Every wait has an end: a frozen server costs seconds, never a loop that stands still."""
    engine = create_async_engine(
        url,
        hide_parameters=True,  # a statement's values may be of people, and an error is logged
        pool_size=8,
        max_overflow=8,
        pool_timeout=10,
        connect_args={
            "timeout": 5,
            "command_timeout": 20,
            "server_settings": {
                "application_name": name,
                "jit": "off",  # range queries over the ledger take 1 ms and 70 ms of compiling
                # a plan made while a table was empty is not kept: a list's import by it took half as long again
                "plan_cache_mode": "force_custom_plan",
                "statement_timeout": "15000",
                "idle_in_transaction_session_timeout": "15000",
            },
        },
    )
    asked = engine.sync_engine.dialect

    @sa.event.listens_for(engine.sync_engine, "checkin")
    def _used(_connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        record.info["used"] = time.monotonic()

    @sa.event.listens_for(engine.sync_engine, "checkout")
    def _ask(connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
        """Whether the server is still there is asked of a connection that has rested, not before every transaction."""
        if time.monotonic() - record.info.get("used", math.inf) < RESTED_S:
            return
        try:
            asked.do_ping(connection)
        except asked.loaded_dbapi.Error as problem:
            raise sa.exc.InvalidatePoolError from problem  # the others, as old, are as dead

    return engine


class FileLock:
    """Held by the one process that serves a data directory; a second one is told who holds it."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "lock"
        self._file: int | None = None

    def acquire(self) -> None:
        """Conflict where another process holds it, Broken where the directory cannot be used."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as problem:
            raise Broken(
                f"{self._path.parent} cannot be used ({problem.strerror}): give a TOCSIN_DATA_DIR that Tocsin may write to"
            ) from problem
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            holder = os.pread(file, 40, 0).decode() or "another process"
            os.close(file)
            raise Conflict(
                f"{self._path.parent} is in use by process {holder}: stop it first, or give another TOCSIN_DATA_DIR",
                field="TOCSIN_DATA_DIR",
            ) from problem
        os.ftruncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
