"""One import of the register's bench in a process of its own: DATABASE_URL KEYS_FOLDER LIST; prints a JSON line."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from services import migrations
from services.registry.importing.list_import import ListImportOptions, import_file
from services.shared.crypto.sealing import Keys
from services.shared.database.engine import Database


async def main(url: str, keys: str, path: str) -> None:
    """Imports it as `tocsin registry import --offline` does."""
    database = Database(url)
    started = time.perf_counter()
    report = await import_file(database, Keys(Path(keys)), Path(path), ListImportOptions("bench", 2026, region="CN"))
    took = time.perf_counter() - started
    await database.close()
    sys.stdout.write(
        json.dumps({"seconds": took, "read": report.read, "unchanged": report.unchanged, "refused": report.refused})
    )


if __name__ == "__main__":
    migrations.upgrade(sys.argv[1])
    asyncio.run(main(*sys.argv[1:4]))
