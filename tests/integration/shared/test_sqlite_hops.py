"""SQLite's thread is crossed once a statement, and transactions mean what they meant."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.shared.database import sqlite_thread
from services.shared.database.engine import Database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    found = Database(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}", synchronous="OFF")
    async with found.write() as tx:
        await tx.execute(sa.text("CREATE TABLE t (n INTEGER PRIMARY KEY)"))
        await tx.execute(sa.text("INSERT INTO t VALUES (1), (2), (3)"))
    async with found.read() as db:  # its connection is made here, and not where the crossings are counted
        await db.scalar(sa.text("SELECT 1"))
    yield found
    await found.close()


@pytest.fixture
def crossings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of the thread, in order."""
    seen: list[str] = []
    asked = sqlite_thread.Connection._execute

    async def noted(self: Any, work: Any, *values: Any) -> Any:
        seen.append(values[1] if values else {"_end": "commit"}.get(work.__name__, work.__name__))
        return await asked(self, work, *values)

    monkeypatch.setattr(sqlite_thread.Connection, "_execute", noted)
    return seen


async def test_a_look_crosses_once_a_statement_and_once_to_end(database: Database, crossings: list[str]) -> None:
    async with database.read() as db:
        rows = (await db.execute(sa.text("SELECT n FROM t ORDER BY n"))).all()
    assert [(1,), (2,), (3,)] == rows
    assert ["SELECT n FROM t ORDER BY n", "rollback"] == crossings


async def test_a_change_is_begun_with_its_first_statement(database: Database, crossings: list[str]) -> None:
    async with database.write() as tx:
        done = await tx.execute(sa.text("UPDATE t SET n = n + 10 WHERE n > 1"))
        assert 2 == done.rowcount
    assert ["UPDATE t SET n = n + 10 WHERE n > 1", "commit"] == crossings


async def test_what_was_never_begun_ends_without_a_crossing(database: Database, crossings: list[str]) -> None:
    async with database.write(), database.read():
        pass
    assert [] == crossings


async def test_a_statement_that_fails_takes_back_the_whole_and_the_connection_lives(database: Database) -> None:
    async def write(*numbers: int) -> None:
        async with database.write() as tx:
            for n in numbers:
                await tx.execute(sa.text("INSERT INTO t VALUES (:n)"), {"n": n})

    with pytest.raises(sa.exc.IntegrityError):
        await write(4, 1)
    async with database.write() as tx:
        assert 3 == await tx.scalar(sa.text("SELECT count(*) FROM t"))
    await write(5)
    async with database.read() as db:
        assert 4 == await db.scalar(sa.text("SELECT count(*) FROM t"))


async def test_a_look_sees_one_moment(database: Database) -> None:
    """From its first statement on, whatever is written meanwhile."""
    async with database.read() as db:
        assert 3 == await db.scalar(sa.text("SELECT count(*) FROM t"))
        async with database.write() as tx:
            await tx.execute(sa.text("DELETE FROM t"))
        assert 3 == await db.scalar(sa.text("SELECT count(*) FROM t"))
    async with database.read() as db:
        assert 0 == await db.scalar(sa.text("SELECT count(*) FROM t"))


async def test_a_writer_holds_the_file_from_its_first_statement_on(database: Database) -> None:
    """BEGIN IMMEDIATE: another process's writer waits for it, whatever the statement was."""
    other = Database(database.url, synchronous="OFF")
    async with other.write() as tx:
        await tx.execute(sa.text("PRAGMA busy_timeout=0"))
    async with database.write() as tx:
        await tx.scalar(sa.text("SELECT count(*) FROM t"))
        with pytest.raises(sa.exc.OperationalError, match="locked"):
            async with other.write() as theirs:
                await theirs.execute(sa.text("DELETE FROM t"))
    await other.close()


async def test_many_rows_of_one_statement_cross_once(database: Database, crossings: list[str]) -> None:
    async with database.write() as tx:
        await tx.execute(sa.text("INSERT INTO t VALUES (:n)"), [{"n": n} for n in range(10, 40)])
    assert ["INSERT INTO t VALUES (?)", "commit"] == crossings


async def test_who_is_cancelled_in_a_statement_leaves_nothing_open(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread goes on with it: what it begins late is taken back before anybody writes again."""
    slow = sa.text(
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 300000) INSERT INTO t SELECT max(n) FROM c"
    )
    given = asyncio.Event()
    asked = sqlite_thread.Connection._execute

    async def noted(self: Any, work: Any, *values: Any, **named: Any) -> Any:
        if work == self.run and values[1].startswith("WITH"):
            given.set()
        return await asked(self, work, *values, **named)

    monkeypatch.setattr(sqlite_thread.Connection, "_execute", noted)

    async def write() -> None:
        async with database.write() as tx:
            await tx.execute(slow)

    for later in (0.0, 0.001, 0.02):
        given.clear()
        task = asyncio.create_task(write())
        await given.wait()
        await asyncio.sleep(later)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with database.write() as tx:  # no transaction stands in the way of the next
            await tx.execute(sa.text("UPDATE t SET n = n"))
        async with database.read() as db:
            assert 3 == await db.scalar(sa.text("SELECT count(*) FROM t"))


async def test_a_commit_that_fails_leaves_nothing_open(database: Database) -> None:
    """What only the commit looks at is not kept, and the next transaction begins: there is one writer for all."""
    async with database.write() as tx:
        await tx.execute(
            sa.text("CREATE TABLE child (n INTEGER REFERENCES t (n) DEFERRABLE INITIALLY DEFERRED)"),
        )

    async def orphan() -> None:
        async with database.write() as tx:
            await tx.execute(sa.text("INSERT INTO child VALUES (99)"))

    with pytest.raises(sa.exc.IntegrityError, match="FOREIGN KEY"):
        await orphan()
    async with database.write() as tx:
        assert 0 == await tx.scalar(sa.text("SELECT count(*) FROM child"))
        await tx.execute(sa.text("INSERT INTO child VALUES (1)"))
    async with database.read() as db:
        assert 1 == await db.scalar(sa.text("SELECT count(*) FROM child"))
