"""Writes and reads many rows in one statement, of one text whatever their number.

PostgreSQL gets a batch as one array a column (`unnest`) or by COPY, SQLite one prepared statement run for each row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from services.shared.database.engine import Connection
from services.shared.errors import Broken

T = TypeVar("T")
MANY = 20  # rows from which on a column that is the same in all is worth a statement of its own
# SQLAlchemy types both by their Python value and takes no other: a bound says nothing more than Any.
Column = sa.ColumnElement[Any]
Kind = sa.types.TypeEngine[Any]


async def insert_new(tx: Connection, table: sa.Table, rows: Sequence[Mapping[str, object]]) -> int:
    """Inserts the rows that clash with no key or unique index; returns how many went in."""
    if not rows:
        return 0
    if tx.dialect.name == "sqlite":
        result = await tx.execute(_new(table), list(rows))
    else:
        types = _types(table, rows)
        arrays = _arrays(types, rows)
        same = _same(types, arrays) if len(rows) >= MANY else ()
        values: dict[str, object] = dict(arrays)
        for name in same:
            del values[f"{name}_s"]
            values[name] = rows[0][name]
        result = await tx.execute(_given_new(table, tuple(types), same), values)
    return result.rowcount


async def insert_all(tx: Connection, table: sa.Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Inserts rows that clash with nothing, by COPY where there is one: a clash is an error."""
    if not rows:
        return
    if tx.dialect.name == "sqlite":
        await tx.execute(_plain(table), list(rows))
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
    rows: Sequence[Mapping[str, object]],
    key: Iterable[str],
    *,
    replace: Iterable[str] = (),
    add: Iterable[str] = (),
) -> None:
    """Inserts rows; where `key` is there already, replaces the `replace` columns and adds to the `add` columns."""
    if not rows:
        return
    key, replace, add = tuple(key), tuple(replace), tuple(add)
    if tx.dialect.name == "sqlite":
        await tx.execute(_upsert(table, None, key, replace, add), list(rows))
    else:  # one statement must not meet a row twice
        statement = _upsert(table, tuple(rows[0]), key, replace, add)
        await tx.execute(statement, _arrays(_types(table, rows), _merged(rows, key, add)))


def _merged(rows: Sequence[Mapping[str, object]], key: Sequence[str], add: Sequence[str]) -> list[Mapping[str, object]]:
    """The rows with one a key: of several the last stands, what is added is summed."""
    found: dict[tuple[object, ...], dict[str, Any]] = {}  # what is added are numbers
    for row in rows:
        name = tuple(row[k] for k in key)
        before = found.get(name)
        found[name] = dict(row) if before is None else {**row, **{a: before[a] + row[a] for a in add}}
    return list(found.values())


class _List(sa.types.TypeDecorator[Collection[str] | Collection[int]]):
    """Texts, or whole numbers, in one bound value: an array, or JSON where there are none."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, numbers: bool = False) -> None:
        super().__init__()
        self.numbers = numbers

    def load_dialect_impl(self, dialect: sa.Dialect) -> Kind:
        array = postgresql.ARRAY(sa.Integer if self.numbers else sa.Text)
        return dialect.type_descriptor(sa.Text() if dialect.name == "sqlite" else array)

    def process_bind_param(self, value: Collection[str] | Collection[int] | None, dialect: sa.Dialect) -> object:
        return json.dumps(list(value or ())) if dialect.name == "sqlite" else list(value or ())


class one_of(FunctionElement[bool]):
    """`column` is one of the texts, or whole numbers: a statement of one text, prepared once, however many they are.

    `values` is the list, or the name under which it comes when the statement is executed.
    """

    inherit_cache = True
    type = sa.Boolean()
    name = "one_of"

    def __init__(self, column: Column, values: Collection[str] | Collection[int] | str) -> None:
        kind = _List(numbers=isinstance(column.type, sa.Integer))
        given = (
            sa.bindparam(values, type_=kind)
            if isinstance(values, str)
            else sa.bindparam(None, list(values), type_=kind, unique=True)
        )
        super().__init__(column, given)

    def self_group(self, against: object = None) -> one_of:
        """Itself: else it is compared with 1 where a database has no booleans, and SQLite then looks at every row."""
        return self


@compiles(one_of)
def _in_an_array(element: one_of, compiler: SQLCompiler, **words: object) -> str:
    column, given = (compiler.process(part, **words) for part in element.clauses)
    return f"{column} = ANY ({given})"


@compiles(one_of, "sqlite")
def _in_json(element: one_of, compiler: SQLCompiler, **words: object) -> str:
    column, given = (compiler.process(part, **words) for part in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({given}))"  # noqa: S608  both are compiled SQL


Value = Callable[[str], Column]


class Each:
    """One UPDATE for many rows: `build` gets a function that stands for a value of the row in hand.

    On PostgreSQL one statement a batch (a row must not name the same target twice), on SQLite one prepared statement.
    """

    def __init__(self, build: Callable[[Value], sa.Update], **types: Kind | type[Kind]) -> None:
        self._types = {name: sa.types.to_instance(kind) for name, kind in types.items()}
        self._one_by_one = build(lambda name: sa.bindparam(name, type_=self._types[name]))
        given = _given(self._types)
        self._at_once = build(lambda name: given[name])

    async def run(self, tx: Connection, rows: Sequence[Mapping[str, object]]) -> None:
        """Executes it for the rows, of which each holds a value for every name."""
        if not rows:
            return
        if tx.dialect.name == "sqlite":
            await tx.execute(self._one_by_one, list(rows))
        else:
            await tx.execute(self._at_once, _arrays(self._types, rows))


def _given(types: Mapping[str, Kind]) -> dict[str, Column]:
    """Rows handed over as one array a column: a statement of one text whatever their number. JSON crosses as text."""
    plain = {name: sa.Text() if isinstance(kind, sa.JSON) else kind for name, kind in types.items()}
    arrays = [sa.bindparam(f"{name}_s", type_=postgresql.ARRAY(kind)) for name, kind in plain.items()]
    names = [sa.column(name, kind) for name, kind in plain.items()]
    given = sa.func.unnest(*arrays).table_valued(*names, name="given").render_derived()
    return {
        name: sa.cast(given.c[name], kind) if isinstance(kind, sa.JSON) else given.c[name]
        for name, kind in types.items()
    }


def _types(table: sa.Table, rows: Sequence[Mapping[str, object]]) -> dict[str, Kind]:
    return {name: table.c[name].type for name in rows[0]}


@lru_cache(maxsize=256)
def _given_insert(table: sa.Table, names: tuple[str, ...], same: tuple[str, ...] = ()) -> postgresql.Insert:
    """Of rows handed over as arrays; the columns `same`, which hold one value in all of them, as that value alone."""
    kinds = {name: table.c[name].type for name in names}
    given = _given({name: kind for name, kind in kinds.items() if name not in same})
    once = {name: sa.cast(sa.bindparam(name, type_=kinds[name]), kinds[name]) for name in same}
    columns = given | once
    return postgresql.insert(table).from_select(list(names), sa.select(*(columns[name] for name in names)))


@lru_cache(maxsize=256)
def _given_new(table: sa.Table, names: tuple[str, ...], same: tuple[str, ...]) -> postgresql.Insert:
    return _given_insert(table, names, same).on_conflict_do_nothing()


@cache
def _new(table: sa.Table) -> sqlite.Insert:
    return sqlite.insert(table).on_conflict_do_nothing()


@cache
def _plain(table: sa.Table) -> sa.Insert:
    return sa.insert(table)


@lru_cache(maxsize=256)
def _upsert(
    table: sa.Table,
    names: tuple[str, ...] | None,
    key: tuple[str, ...],
    replace: tuple[str, ...],
    add: tuple[str, ...],
) -> sqlite.Insert | postgresql.Insert:
    """Of the columns `names` handed over as arrays; None for SQLite, which gets a row each."""
    insert = sqlite.insert(table) if names is None else _given_insert(table, names)
    new = insert.excluded
    changes = {name: new[name] for name in replace} | {name: table.c[name] + new[name] for name in add}
    return insert.on_conflict_do_update(index_elements=list(key), set_=changes)


def _same(types: Mapping[str, Kind], arrays: Mapping[str, list[object]]) -> tuple[str, ...]:
    """Columns that hold one value in all rows and may be bound once; JSON crosses as text, row by row."""
    plain = {name: arrays[f"{name}_s"] for name, kind in types.items() if not isinstance(kind, sa.JSON)}
    found = tuple(name for name, values in plain.items() if values.count(values[0]) == len(values))
    return found if len(found) < len(types) else ()


def _arrays(types: Mapping[str, Kind], rows: Sequence[Mapping[str, object]]) -> dict[str, list[object]]:
    return {
        f"{name}_s": [json.dumps(r[name]) for r in rows] if isinstance(kind, sa.JSON) else [r[name] for r in rows]
        for name, kind in types.items()
    }


@cache
def _stored(kind: Kind) -> Callable[[object], object] | None:
    """What turns a value into what the driver takes, where COPY goes around the dialect that would."""
    return kind.dialect_impl(_postgres).bind_processor(_postgres)


_postgres: sa.Dialect = postgresql.asyncpg.dialect()  # type: ignore[no-untyped-call]


def chunks(items: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    """The items in runs of at most `size`: a statement's parameters are bounded (32,766 in SQLite)."""
    return (items[i : i + size] for i in range(0, len(items), size))
