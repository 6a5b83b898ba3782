"""A migrated SQLite database without rows: migrated once a test process, copied for whoever wants a new one."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from services import migrations


@cache
def _empty(upgrade: Callable[[str], None]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "empty.db"
        upgrade(f"sqlite:///{file}")
        with sqlite3.connect(file) as db:
            db.execute("pragma wal_checkpoint(truncate)")
        db.close()
        return file.read_bytes()


def copying(upgrade: Callable[[str], None] = migrations.upgrade) -> Callable[[str], None]:
    """`migrations.upgrade` that begins a new SQLite file with the copy; what is there already is looked at as ever."""

    def upgraded(url: str) -> None:
        file = Path(url.partition(":///")[2])
        if url.startswith("sqlite") and not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(_empty(upgrade))
        upgrade(url)

    return upgraded
