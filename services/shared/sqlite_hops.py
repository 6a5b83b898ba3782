"""SQLite in a thread of its own, crossed once a statement.

aiosqlite crosses to its thread and back for each of cursor, execute, fetchall and close, and SQLAlchemy asks for all
four and a BEGIN; of a read of one row the crossings were nine and took most of the time. Here a statement is run, read
to its end and closed in one crossing; BEGIN goes with the first statement, and what was never begun ends without one.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Self

import aiosqlite


class Connection(aiosqlite.Connection):
    """An aiosqlite connection whose cursors read to the end; `begin_with` is run before the next statement."""

    begin_with = ""
    left_running = False  # whoever waited for a statement was cancelled; the thread is at it, or will be

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
            self.left_running = False

    def _is_open(self) -> bool:
        """Whether there is, or may yet be, a transaction to end."""
        self.begin_with = ""
        return self.left_running or self._conn.in_transaction


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
        try:
            found = await in_its_thread(connection.run, begin, statement, values, many)
        except asyncio.CancelledError:
            connection.left_running = True
            raise
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
