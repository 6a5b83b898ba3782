"""An installation has one set of keys: a process that brings others does not start."""

from __future__ import annotations

from pathlib import Path

import pytest

from services import migrations
from services.roles import ROLES, check_keys
from services.shared.crypto.sealing import USES, Keys
from services.shared.database.engine import Database
from services.shared.errors import Broken


async def test_a_process_with_other_keys_is_refused_by_name(tmp_path: Path) -> None:
    """The same keys pass again; the router holds none and is asked for none."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'tocsin.db'}"
    migrations.upgrade(url)
    database = Database(url, synchronous="OFF")
    ours, theirs = Keys(tmp_path / "ours"), Keys(tmp_path / "theirs")
    await check_keys(database, ours, ROLES)
    await check_keys(database, ours, ("channels",))
    await check_keys(database, Keys(tmp_path / "ours"), ("router",))
    await check_keys(database, theirs, ("router",))
    with pytest.raises(Broken, match=r"cookies/1\.key here is not the one"):
        await check_keys(database, theirs, ("registry",))
    for use in USES:
        (tmp_path / "theirs" / use / "1.key").write_bytes((tmp_path / "ours" / use / "1.key").read_bytes())
    with pytest.raises(Broken, match="the index key here"):
        await check_keys(database, Keys(tmp_path / "theirs"), ("registry",))
    await database.close()
