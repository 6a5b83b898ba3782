"""Reads rows of a query as values of a named type, so that mypy finds a wrong column.

A row's type is a `NamedTuple` whose fields are the columns of its query, in their order. A query that is executed again and
again is a constant with named values: building it takes longer than executing it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

import sqlalchemy as sa

from services.shared.database.engine import Connection

R = TypeVar("R", bound=NamedTuple)


def columns(kind: type[NamedTuple], *tables: sa.FromClause) -> list[sa.ColumnElement[object]]:
    """The columns named by the fields of `kind`, each from the first of the tables that has it."""
    return [next(table.c[name] for table in tables if name in table.c) for name in kind._fields]


async def rows_of(
    db: Connection, kind: type[R], query: sa.Executable, values: Mapping[str, object] | None = None
) -> list[R]:
    """Every row of the query. TypeError where its columns are not the fields of `kind`."""
    result = await db.execute(query, values)
    _must_fit(kind, result)
    made = tuple.__new__  # a page is thousands of rows; their number of columns was just looked at
    return [made(kind, row) for row in result.all()]


async def row_of(
    db: Connection, kind: type[R], query: sa.Executable, values: Mapping[str, object] | None = None
) -> R | None:
    """The first row of the query; None where there is none. TypeError as in `rows_of`."""
    result = await db.execute(query, values)
    _must_fit(kind, result)
    row = result.first()
    return None if row is None else kind._make(row)


def _must_fit(kind: type[NamedTuple], result: sa.CursorResult[*tuple[object, ...]]) -> None:
    if (found := tuple(result.keys())) != kind._fields:
        raise TypeError(f"a query for {kind.__name__} brings {', '.join(found)}: it needs {', '.join(kind._fields)}")
