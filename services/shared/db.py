"""The one database: a write transaction at a time on SQLite, many on PostgreSQL, the same SQL on both.

SQLite: WAL, synchronous=FULL, BEGIN IMMEDIATE, one writer at a time in this process, and a lock file that a second
serving process meets at start. A commit is shielded: a cancelled task cannot leave one half known.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

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

instance = sa.Table(
    "instance",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.String(200), nullable=False),
    comment="what this database is: its plane and its clock",
)


class Database:
    """Opens transactions; knows nothing of tables."""

    def __init__(self, url: str, *, synchronous: str = "FULL", readers: int = 4) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self._write_lock = asyncio.Lock()
        if self.is_sqlite:
            self._writer = _sqlite_engine(url, "BEGIN IMMEDIATE", synchronous, 1)
            self._reader = _sqlite_engine(url, "BEGIN", synchronous, readers)
        else:
            self._writer = self._reader = create_async_engine(url, pool_pre_ping=True)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Connection]:
        """A transaction that commits when the block ends and rolls back when it raises."""
        if not self.is_sqlite:
            async with self._writer.begin() as connection:
                yield connection
            return
        async with self._write_lock, self._writer.connect() as connection:
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

    async def close(self) -> None:
        await self._writer.dispose()
        if self._reader is not self._writer:
            await self._reader.dispose()


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Waits for a commit or rollback also where the caller is cancelled meanwhile: the connection is in use till then."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _sqlite_engine(url: str, begin: str, synchronous: str, size: int) -> AsyncEngine:
    engine = create_async_engine(url, pool_size=size, max_overflow=0, pool_timeout=60)

    @sa.event.listens_for(engine.sync_engine, "connect")
    def _pragmas(dbapi_connection: Any, _record: Any) -> None:
        dbapi_connection.isolation_level = None  # we begin transactions ourselves
        cursor = dbapi_connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            f"synchronous={synchronous}",
            "busy_timeout=5000",
            "foreign_keys=ON",
            "cache_size=-65536",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


async def insert_new(tx: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """Inserts the rows that clash with no key or unique index; returns how many went in (-1 where the driver cannot say)."""
    if not rows:
        return 0
    result = await tx.execute(_insert(tx, table).on_conflict_do_nothing(), list(rows))
    return result.rowcount


async def upsert(
    tx: Connection,
    table: sa.Table,
    rows: Sequence[Mapping[str, Any]],
    key: Iterable[str],
    *,
    replace: Iterable[str] = (),
    add: Iterable[str] = (),
) -> None:
    """Inserts rows; where `key` is there already, replaces the `replace` columns and adds to the `add` columns."""
    if not rows:
        return
    statement = _insert(tx, table)
    new = statement.excluded
    changes = {name: new[name] for name in replace} | {name: table.c[name] + new[name] for name in add}
    await tx.execute(statement.on_conflict_do_update(index_elements=list(key), set_=changes), list(rows))


def _insert(tx: Connection, table: sa.Table) -> Any:
    return sqlite.insert(table) if tx.dialect.name == "sqlite" else postgresql.insert(table)


def chunks(items: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    """The items in runs of at most `size`: a statement's parameters are bounded (32,766 in SQLite)."""
    return (items[i : i + size] for i in range(0, len(items), size))


class FileLock:
    """Held by the one process that serves a data directory; a second one is told who holds it."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "lock"
        self._file: int | None = None

    def take(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
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


async def stamp(database: Database, name: str, value: str) -> str:
    """Writes `value` under `name` if nothing stands there, and returns what stands there now."""
    async with database.write() as tx:
        await insert_new(tx, instance, [{"name": name, "value": value}])
        found = await tx.scalar(sa.select(instance.c.value).where(instance.c.name == name))
    return str(found)


async def check_plane(database: Database, plane: str) -> None:
    """A database belongs to one plane for ever: a drill that opens the live one refuses to start."""
    found = await stamp(database, "plane", plane)
    if found != plane:
        raise Broken(f"this database is for the {found} plane and TOCSIN_PLANE is {plane}: give another database")
