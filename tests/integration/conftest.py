"""Empty, migrated databases: one on SQLite, and one of each kind for what must hold on both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from services import migrations
from services.shared.database.engine import Database
from tools.servers.postgres import Postgres


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[Database]:
    made = Database(url, synchronous="OFF")
    yield made
    await made.close()


def _in_a_file(folder: Path) -> str:
    url = f"sqlite+aiosqlite:///{folder / 'tocsin.db'}"
    migrations.upgrade(url)
    return url


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """SQLite in a file."""
    async with _opened(_in_a_file(tmp_path)) as made:
        yield made


@pytest.fixture(params=["sqlite", "postgres"])
async def empty(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """SQLite in a file, or a database on the session's PostgreSQL, whose schema a test leaves as it is."""
    with ExitStack() as undo:
        if request.param == "postgres":
            server: Postgres = request.getfixturevalue("postgres")
            url = undo.enter_context(server.borrowed())
        else:
            url = _in_a_file(tmp_path)
        async with _opened(url) as made:
            yield made
