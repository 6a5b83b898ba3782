"""Writes and reads many rows in one statement, of one text whatever their number.

PostgreSQL gets a batch as one array a column (`unnest`) or by COPY, SQLite one prepared statement run for each row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, TypeVar, cast

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
        return await _row_by_row(tx, _new(table), table, rows)
    if len(rows) == 1:
        result = await tx.execute(_one_new(table), rows[0])
    else:
        types = _types(table, rows)
        same = _same(types, rows) if len(rows) >= MANY else ()
        values = _arrays({name: kind for name, kind in types.items() if name not in same}, rows)
        values |= {name: rows[0][name] for name in same}
        result = await tx.execute(_given_new(table, tuple(types), same), values)
    return result.rowcount


async def insert_all(tx: Connection, table: sa.Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Inserts rows that clash with nothing, by COPY where there is one: a clash is an error."""
    if not rows:
        return
    if tx.dialect.name == "sqlite":
        await _row_by_row(tx, _plain(table), table, rows)
        return
    names = tuple(rows[0])
    raw = await tx.get_raw_connection()
    if raw.driver_connection is None:
        raise Broken("COPY needs a connection")
    if not raw.driver_connection.is_in_transaction():
        await tx.execute(sa.text("SELECT 1"))  # it begins with the first statement, and COPY is none to it
    records = _records(table, names, rows, _postgres)
    await raw.driver_connection.copy_records_to_table(table.name, records=records, columns=names)


async def _row_by_row(
    tx: Connection, insert: sa.Insert | sqlite.Insert, table: sa.Table, rows: Sequence[Mapping[str, object]]
) -> int:
    """On SQLite: one prepared statement for each row, with the values in its order; returns how many rows went in."""
    statement, names = _text(insert, tuple(rows[0]), tx.dialect)
    result = await tx.exec_driver_sql(statement, [tuple(one) for one in _records(table, names, rows, tx.dialect)])
    return result.rowcount


@lru_cache(maxsize=256)
def _text(
    insert: sa.Insert | sqlite.Insert, names: tuple[str, ...], dialect: sa.Dialect
) -> tuple[str, tuple[str, ...]]:
    """The statement, and which of `names` stands in each of its places."""
    made = insert.compile(dialect=dialect, column_keys=list(names))
    places = tuple(made.positiontup or ())
    if sorted(places) != sorted(names):
        raise Broken(f"an insert of {', '.join(names)} asks for {', '.join(places)}: name every column it needs")
    return str(made), places


def _records(
    table: sa.Table, names: tuple[str, ...], rows: Sequence[Mapping[str, object]], dialect: sa.Dialect
) -> list[list[Any]]:  # what a driver takes is of its own types
    """The rows as the driver takes them: a page is thousands of values, of which few have to be turned."""
    kinds = [_stored(table.c[name].type, dialect) for name in names]
    bind = [(n, turned) for n, turned in enumerate(kinds) if turned is not None]
    records = [[row[name] for name in names] for row in rows]
    for n, turned in bind:
        for record in records:
            record[n] = turned(record[n])
    return records


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
        await _row_by_row(tx, _upsert(table, None, key, replace, add), table, rows)
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
    """Texts, or whole numbers, in one bound text: see `array_text`, or JSON where there are no arrays.

    The driver asks of each element of a list four times what it is.
    """

    impl = sa.Text
    cache_ok = True

    def __init__(self, numbers: bool = False) -> None:
        super().__init__()
        self.numbers = numbers

    def process_bind_param(self, value: Collection[str] | Collection[int] | None, dialect: sa.Dialect) -> str:
        return json.dumps(list(value or ())) if dialect.name == "sqlite" else array_text(list(value or ()))


def array_text(values: Sequence[object]) -> str:
    """Texts or numbers in one text, for `sql_array`: what parts them, what stands for nothing, then they and an `x`.

    Both signs are in none of them. The last one lets no text and one empty text be two things.
    """
    texts = [one for one in values if isinstance(one, str)]
    if len(texts) < len(values):
        texts = ["" if one is None else one if isinstance(one, str) else str(one) for one in values]
    apart, nothing = _APART, _NOTHING
    joined = apart.join(texts)
    if joined.count(apart) >= max(1, len(texts)) or nothing in joined:
        used = set(joined.replace(apart, "")) | set().union(*texts)
        apart, nothing = [sign for sign in map(chr, range(1, 256)) if sign not in used][:2]
    if None in values:
        texts = [nothing if one is None else text for one, text in zip(values, texts, strict=True)]
    return f"{apart}{nothing}{apart.join([*texts, 'x'])}"


_APART, _NOTHING = "\x1f", "\x1e"


def sql_array(given: str) -> str:
    """The array of texts in `given`, a bound text. Of immutable functions alone, so that the planner sees the array: it
    would compare with each element, row by row, what it can look up."""
    return f"trim_array(string_to_array(substr({given}, 3), left({given}, 1), substr({given}, 2, 1)), 1)"


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
    numbers = isinstance(element.clauses.clauses[0].type, sa.Integer)
    array = sql_array(given)
    return f"{column} = ANY ({f'CAST({array} AS INTEGER[])' if numbers else array})"


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
    arrays = [_array(f"{name}_s", kind) for name, kind in plain.items()]
    names = [sa.column(name, kind) for name, kind in plain.items()]
    given = sa.func.unnest(*arrays).table_valued(*names, name="given").render_derived()
    return {
        name: sa.cast(given.c[name], kind) if isinstance(kind, sa.JSON) else given.c[name]
        for name, kind in types.items()
    }


def _array(name: str, kind: Kind) -> Column:
    whole = postgresql.ARRAY(kind)
    if not _in_a_text(kind):
        return sa.bindparam(name, type_=whole)
    array = sa.text(sql_array(f":{name}")).bindparams(sa.bindparam(name, type_=sa.Text()))
    return sa.cast(sa.type_coerce(array, whole), whole)


def _in_a_text(kind: Kind) -> bool:
    """Whether its values cross written out in one text; others (what a type of ours stores) as they are."""
    return isinstance(kind, sa.String | sa.Integer | sa.Float | sa.Boolean | sa.LargeBinary)


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
def _one_new(table: sa.Table) -> postgresql.Insert:
    return postgresql.insert(table).on_conflict_do_nothing()


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


def _same(types: Mapping[str, Kind], rows: Sequence[Mapping[str, object]]) -> tuple[str, ...]:
    """Columns that hold one value in all rows and may be bound once; JSON crosses as text, row by row."""
    first = rows[0]
    found = tuple(
        name
        for name, kind in types.items()
        if not isinstance(kind, sa.JSON) and not [row for row in rows if row[name] != first[name]]
    )
    return found if len(found) < len(types) else ()


def _arrays(types: Mapping[str, Kind], rows: Sequence[Mapping[str, object]]) -> dict[str, object]:
    values: dict[str, object] = {}
    for name, kind in types.items():
        if isinstance(kind, sa.JSON):
            values[f"{name}_s"] = array_text([json.dumps(r[name]) for r in rows])
        elif isinstance(
            kind, sa.LargeBinary
        ):  # a connection asks its server what an array of them is, and that is dear
            octets = [cast("bytes | None", r[name]) for r in rows]
            values[f"{name}_s"] = array_text([None if one is None else f"\\x{one.hex()}" for one in octets])
        else:
            given = [r[name] for r in rows]
            values[f"{name}_s"] = array_text(given) if _in_a_text(kind) else given
    return values


@cache
def _stored(kind: Kind, dialect: sa.Dialect) -> Callable[[object], object] | None:
    """What turns a value into what the driver takes, where we go around the dialect that would."""
    return kind.dialect_impl(dialect).bind_processor(dialect)


_postgres: sa.Dialect = postgresql.asyncpg.dialect()  # type: ignore[no-untyped-call]


def chunks(items: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    """The items in runs of at most `size`: a statement's parameters are bounded (32,766 in SQLite)."""
    return (items[i : i + size] for i in range(0, len(items), size))
