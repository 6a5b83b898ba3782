"""Runs SQLite in a thread of its own, crossed once a statement.

aiosqlite crosses to its thread and back for each of cursor, execute, fetchall and close, and SQLAlchemy asks for all
four, for a BEGIN and for an end: eight crossings to look at one row, nine to change one. Here they are two: a statement is
run, read to its end and closed in one, BEGIN goes with the first, and what was never begun ends without a crossing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Self, TypeVar

import aiosqlite

V = TypeVar("V")
Execute = Callable[[sqlite3.Cursor, str, V], object]


class StatementResult(NamedTuple):
    """What is left of a statement that was run."""

    description: object
    rowcount: int
    lastrowid: int | None
    rows: list[tuple[object, ...]]


class Connection(aiosqlite.Connection):
    """An aiosqlite connection whose cursors read to the end; `begin_with` is run before the next statement."""

    begin_with = ""

    def cursor(self) -> Cursor:  # type: ignore[override]  # not to be awaited: nothing is made in the thread yet
        return Cursor(self)

    def run(self, begin: str, statement: str, values: V, execute: Execute[V]) -> StatementResult:
        """In the thread: what a statement found, read to its end."""
        connection = self._conn
        if begin:
            connection.execute(begin).close()
        cursor = connection.cursor()
        try:
            execute(cursor, statement, values)
            rows = cursor.fetchall() if cursor.description else []
            return StatementResult(cursor.description, cursor.rowcount, cursor.lastrowid, rows)
        finally:
            cursor.close()

    async def commit(self) -> None:
        if self._is_open():
            await self._execute(self._end)  # type: ignore[no-untyped-call]

    def _end(self) -> None:
        """In the thread: the commit; one that fails is taken back here, as SQLAlchemy asks for no rollback after it."""
        try:
            self._conn.commit()
        except sqlite3.Error:
            self._conn.rollback()
            raise

    async def rollback(self) -> None:
        """SQLAlchemy asks for one more whenever a connection goes back to its pool."""
        if self._is_open():
            await super().rollback()

    def _is_open(self) -> bool:
        """Whether there is a transaction to end. Nothing runs in the thread now: where somebody was cancelled in a
        statement, which the thread goes on with, SQLAlchemy throws the connection away and asks for no rollback."""
        self.begin_with = ""
        return self._conn.in_transaction


class Cursor:
    """What SQLAlchemy needs of an asynchronous cursor, over rows that are here already."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.description, self.rowcount, self.lastrowid, self._rows = StatementResult(None, -1, None, [])
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, values: Sequence[object] = ()) -> Self:
        return await self._run(statement, values, sqlite3.Cursor.execute)

    async def executemany(self, statement: str, values: Iterable[Sequence[object]]) -> Self:
        return await self._run(statement, values, sqlite3.Cursor.executemany)

    async def _run(self, statement: str, values: V, execute: Execute[V]) -> Self:
        connection = self._connection
        begin, connection.begin_with = connection.begin_with, ""
        found: StatementResult = await connection._execute(connection.run, begin, statement, values, execute)  # type: ignore[no-untyped-call]
        self.description, self.rowcount, self.lastrowid, self._rows = found
        return self

    async def fetchall(self) -> list[tuple[object, ...]]:
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        self._rows = []


def connect(path: str, **options: Any) -> Connection:  # what SQLAlchemy has for sqlite3
    """A connection to be awaited, as `aiosqlite.connect` gives it."""
    connection = Connection(lambda: sqlite3.connect(path, **options), iter_chunk_size=64)
    connection._thread.daemon = True  # a process that ends does not wait for it
    return connection
