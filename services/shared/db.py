"""The one database: a write transaction at a time on SQLite, many on PostgreSQL, the same calls on both.

SQLite: WAL, synchronous=FULL, BEGIN IMMEDIATE, one writer at a time in this process, and a lock file that a second
serving process meets at start. PostgreSQL: READ COMMITTED; what must not be done by two at once says so by `hold`;
a batch is one statement over arrays (`unnest`), rows that are surely new come by COPY.
A commit is shielded: a cancelled task cannot leave one half known.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import math
import os
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

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

    @asynccontextmanager
    async def alone(self, name: str) -> AsyncIterator[bool]:
        """Whether no other process is at `name` just now; if so none begins it before the block ends.

        Spares work and guards nothing: the lock goes with its connection.
        """
        if self.is_sqlite:
            yield True
            return
        async with self._transaction() as connection:
            await connection.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            yield await try_hold(connection, name)

    async def lasting(self) -> Connection:
        """A connection of one's own, outside any transaction, to be closed by who took it."""
        connection = await self._writer.connect()
        return await connection.execution_options(isolation_level="AUTOCOMMIT")

    async def close(self) -> None:
        await self._writer.dispose()
        if self.is_sqlite:
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
    engine = create_async_engine(url, pool_size=size, max_overflow=0, pool_timeout=60, hide_parameters=True)

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
                "statement_timeout": "15000",
                "idle_in_transaction_session_timeout": "15000",
            },
        },
    )
    asked: Any = engine.sync_engine.dialect

    @sa.event.listens_for(engine.sync_engine, "checkin")
    def _used(_connection: Any, record: Any) -> None:
        record.info["used"] = time.monotonic()

    @sa.event.listens_for(engine.sync_engine, "checkout")
    def _ask(connection: Any, record: Any, _proxy: Any) -> None:
        """Whether the server is still there is asked of a connection that has rested, not before every transaction."""
        if time.monotonic() - record.info.get("used", math.inf) < RESTED_S:
            return
        try:
            asked.do_ping(connection)
        except asked.loaded_dbapi.Error as problem:
            raise sa.exc.InvalidatePoolError from problem  # the others, as old, are as dead

    return engine


def _hashed(name: Any) -> sa.ColumnElement[int]:
    return sa.func.hashtextextended(name, 0)


async def hold(tx: Connection, *names: str, shared: bool = False) -> None:
    """Until the end of the transaction nobody else holds any of `names` (or only others who share them).

    Nothing on SQLite, which has one writer. Names are taken in one order, so that two never wait in a circle.
    """
    if tx.dialect.name == "sqlite" or not names:
        return
    await tx.execute(_HOLD_SHARED if shared else _HOLD, {"names": sorted(set(names))})


async def try_hold(tx: Connection, name: str) -> bool:
    """Holds `name` to the end of the transaction if nobody does; whether it could. Always on SQLite."""
    if tx.dialect.name == "sqlite":
        return True
    return bool(await tx.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_hashed(sa.literal(name))))))


async def hold_while_connected(connection: Connection, name: str) -> bool:
    """Holds `name` until this connection ends, however it ends, if nobody does; whether it could. PostgreSQL only."""
    return bool(await connection.scalar(sa.select(sa.func.pg_try_advisory_lock(_hashed(sa.literal(name))))))


_names = sa.func.unnest(sa.bindparam("names", type_=postgresql.ARRAY(sa.Text))).table_valued("name").render_derived()
_HOLD = sa.select(sa.func.pg_advisory_xact_lock(_hashed(_names.c.name))).select_from(_names)
_HOLD_SHARED = sa.select(sa.func.pg_advisory_xact_lock_shared(_hashed(_names.c.name))).select_from(_names)


async def insert_new(tx: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """Inserts the rows that clash with no key or unique index; returns how many went in."""
    if not rows:
        return 0
    if tx.dialect.name == "sqlite":
        result = await tx.execute(sqlite.insert(table).on_conflict_do_nothing(), list(rows))
    else:
        statement = _given_insert(table, tuple(rows[0])).on_conflict_do_nothing()
        result = await tx.execute(statement, _arrays(_types(table, rows), rows))
    return result.rowcount


async def insert_all(tx: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts rows that clash with nothing, by COPY where there is one: a clash is an error."""
    if not rows:
        return
    if tx.dialect.name == "sqlite":
        await tx.execute(sa.insert(table), list(rows))
        return
    names = tuple(rows[0])
    raw = await tx.get_raw_connection()
    if raw.driver_connection is None:
        raise Broken("COPY needs a connection")
    await tx.execute(sa.text("SELECT 1"))  # the transaction begins with the first statement, and COPY is none to it
    bind = [_stored(table.c[name].type) for name in names]
    records = [tuple(b(row[n]) if b else row[n] for n, b in zip(names, bind, strict=True)) for row in rows]
    await raw.driver_connection.copy_records_to_table(table.name, records=records, columns=names)


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
    key, replace, add = tuple(key), tuple(replace), tuple(add)
    names = tuple(rows[0])
    statement: Any = sqlite.insert(table) if tx.dialect.name == "sqlite" else _given_insert(table, names)
    new = statement.excluded
    changes = {name: new[name] for name in replace} | {name: table.c[name] + new[name] for name in add}
    statement = statement.on_conflict_do_update(index_elements=list(key), set_=changes)
    if tx.dialect.name == "sqlite":
        await tx.execute(statement, list(rows))
    else:  # one statement must not meet a row twice
        await tx.execute(statement, _arrays(_types(table, rows), _merged(rows, key, add)))


def _merged(rows: Sequence[Mapping[str, Any]], key: Sequence[str], add: Sequence[str]) -> list[Mapping[str, Any]]:
    """The rows with one a key: of several the last stands, what is added is summed."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        name = tuple(row[k] for k in key)
        before = found.get(name)
        found[name] = dict(row) if before is None else {**row, **{a: before[a] + row[a] for a in add}}
    return list(found.values())


class _List(sa.types.TypeDecorator[Sequence[str]]):
    """Texts in one bound value: an array, or JSON where there are none."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        return dialect.type_descriptor(sa.Text() if dialect.name == "sqlite" else postgresql.ARRAY(sa.Text))

    def process_bind_param(self, value: Sequence[str] | None, dialect: sa.Dialect) -> Any:
        return json.dumps(list(value or ())) if dialect.name == "sqlite" else list(value or ())


class one_of(FunctionElement[bool]):
    """`column` is one of the texts: a statement of one text, prepared once, however many they are.

    `values` is the list, or the name under which it comes when the statement is executed.
    """

    inherit_cache = True
    type = sa.Boolean()
    name = "one_of"

    def __init__(self, column: sa.ColumnElement[str], values: Collection[str] | str) -> None:
        given = (
            sa.bindparam(values, type_=_List())
            if isinstance(values, str)
            else sa.bindparam(None, list(values), type_=_List(), unique=True)
        )
        super().__init__(column, given)


@compiles(one_of)
def _in_an_array(element: one_of, compiler: Any, **words: Any) -> str:
    column, given = (compiler.process(part, **words) for part in element.clauses)
    return f"{column} = ANY ({given})"


@compiles(one_of, "sqlite")
def _in_json(element: one_of, compiler: Any, **words: Any) -> str:
    column, given = (compiler.process(part, **words) for part in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({given}))"  # noqa: S608  both are compiled SQL


Value = Callable[[str], sa.ColumnElement[Any]]


class Each:
    """One UPDATE for many rows: `build` gets a function that stands for a value of the row in hand.

    On PostgreSQL one statement a batch (a row must not name the same target twice), on SQLite one prepared statement.
    """

    def __init__(self, build: Callable[[Value], sa.Update], **types: Any) -> None:
        self._types = {name: sa.types.to_instance(kind) for name, kind in types.items()}
        self._one_by_one = build(lambda name: sa.bindparam(name, type_=self._types[name]))
        given = _given(self._types)
        self._at_once = build(lambda name: given[name])

    async def run(self, tx: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Executes it for the rows, of which each holds a value for every name."""
        if not rows:
            return
        if tx.dialect.name == "sqlite":
            await tx.execute(self._one_by_one, list(rows))
        else:
            await tx.execute(self._at_once, _arrays(self._types, rows))


def _given(types: Mapping[str, Any]) -> dict[str, sa.ColumnElement[Any]]:
    """Rows handed over as one array a column: a statement of one text whatever their number. JSON crosses as text."""
    plain = {name: sa.Text() if isinstance(kind, sa.JSON) else kind for name, kind in types.items()}
    arrays = [sa.bindparam(f"{name}_s", type_=postgresql.ARRAY(kind)) for name, kind in plain.items()]
    names = [sa.column(name, kind) for name, kind in plain.items()]
    given = sa.func.unnest(*arrays).table_valued(*names, name="given").render_derived()
    return {
        name: sa.cast(given.c[name], kind) if isinstance(kind, sa.JSON) else given.c[name]
        for name, kind in types.items()
    }


def _types(table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: table.c[name].type for name in rows[0]}


@cache
def _given_insert(table: sa.Table, names: tuple[str, ...]) -> Any:
    given = _given({name: table.c[name].type for name in names})
    return postgresql.insert(table).from_select(list(names), sa.select(*given.values()))


def _arrays(types: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {
        f"{name}_s": [json.dumps(r[name]) for r in rows] if isinstance(kind, sa.JSON) else [r[name] for r in rows]
        for name, kind in types.items()
    }


@cache
def _stored(kind: Any) -> Any:
    """What turns a value into what the driver takes, where COPY goes around the dialect that would."""
    return kind.dialect_impl(_postgres).bind_processor(_postgres)


_postgres: Any = postgresql.asyncpg.dialect()  # type: ignore[no-untyped-call]


def chunks(items: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    """The items in runs of at most `size`: a statement's parameters are bounded (32,766 in SQLite)."""
    return (items[i : i + size] for i in range(0, len(items), size))


class FileLock:
    """Held by the one process that serves a data directory; a second one is told who holds it."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "lock"
        self._file: int | None = None

    def take(self) -> None:
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
