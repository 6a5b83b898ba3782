"""An empty, migrated database of each kind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services import migrations
from services.shared.database.engine import Database
from tools.servers.postgres import Postgres


@pytest.fixture(params=["sqlite", "postgres"])
async def empty(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """SQLite in a file, or a database of its own on the session's PostgreSQL."""
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path / 'tocsin.db'}"
        migrations.upgrade(url)
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = server.database()
    made = Database(url, synchronous="OFF")
    yield made
    await made.close()
