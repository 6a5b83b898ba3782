"""Rows of a query come as values of a named type, and a query that brings other columns is told so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
import sqlalchemy as sa

from services.shared.database.engine import Connection, Database, Id
from services.shared.database.rows import columns, row_of, rows_of

bell = sa.Table("bell", sa.MetaData(), sa.Column("bell_id", Id, primary_key=True), sa.Column("rung", sa.Integer))


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    made = Database(f"sqlite+aiosqlite:///{tmp_path / 'bells.db'}")
    yield made
    await made.close()


class Bell(NamedTuple):
    rung: int
    bell_id: str


async def _bells(tx: Connection) -> None:
    await tx.run_sync(bell.metadata.create_all)
    await tx.execute(sa.insert(bell), [{"bell_id": "a", "rung": 1}, {"bell_id": "b", "rung": 2}])


async def test_rows_have_names_and_types(database: Database) -> None:
    query = sa.select(*columns(Bell, bell)).order_by(bell.c.rung)
    async with database.write() as tx:
        await _bells(tx)
        assert await rows_of(tx, Bell, query) == [Bell(rung=1, bell_id="a"), Bell(rung=2, bell_id="b")]
        assert await row_of(tx, Bell, query.where(bell.c.rung == 2)) == Bell(2, "b")
        assert await row_of(tx, Bell, query.where(bell.c.rung == sa.bindparam("n")), {"n": 3}) is None
        await tx.run_sync(bell.metadata.drop_all)


async def test_a_query_of_other_columns_is_refused(database: Database) -> None:
    async with database.write() as tx:
        await _bells(tx)
        with pytest.raises(TypeError, match="a query for Bell brings bell_id, rung: it needs rung, bell_id"):
            await rows_of(tx, Bell, sa.select(bell))
        await tx.run_sync(bell.metadata.drop_all)
