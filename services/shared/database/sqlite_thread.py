"""Runs SQLite in a thread of its own, crossed once a statement.

aiosqlite crosses to its thread and back for each of cursor, execute, fetchall and close, and SQLAlchemy asks for all
four, for a BEGIN and for an end: eight crossings to look at one row, nine to change one. Here they are two: a statement is
run, read to its end and closed in one, BEGIN goes with the first, and what was never begun ends without a crossing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Self

import aiosqlite


class Connection(aiosqlite.Connection):
    """An aiosqlite connection whose cursors read to the end; `begin_with` is run before the next statement."""

    begin_with = ""

    def cursor(self) -> Cursor:  # type: ignore[override]  # not to be awaited: nothing is made in the thread yet
        return Cursor(self)

    def run(self, begin: str, statement: str, values: Any, many: bool) -> tuple[Any, int, int | None, list[Any]]:
        """In the thread: description, rowcount, lastrowid and all rows of a statement."""
        connection = self._conn
        if begin:
            connection.execute(begin).close()
        cursor = connection.cursor()
        try:
            (cursor.executemany if many else cursor.execute)(statement, values)
            rows = cursor.fetchall() if cursor.description else []
            return cursor.description, cursor.rowcount, cursor.lastrowid, rows
        finally:
            cursor.close()

    async def commit(self) -> None:
        if self._is_open():
            await super().commit()

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
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, values: Sequence[Any] = ()) -> Self:
        return await self._run(statement, values, False)

    async def executemany(self, statement: str, values: Iterable[Sequence[Any]]) -> Self:
        return await self._run(statement, values, True)

    async def _run(self, statement: str, values: Any, many: bool) -> Self:
        connection = self._connection
        in_its_thread: Any = connection._execute
        begin, connection.begin_with = connection.begin_with, ""
        found = await in_its_thread(connection.run, begin, statement, values, many)
        self.description, self.rowcount, self.lastrowid, self._rows = found
        return self

    async def fetchall(self) -> list[Any]:
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        self._rows = []


def connect(path: str, **options: Any) -> Connection:
    """A connection to be awaited, as `aiosqlite.connect` gives it."""
    connection = Connection(lambda: sqlite3.connect(path, **options), iter_chunk_size=64)
    connection._thread.daemon = True  # a process that ends does not wait for it
    return connection
