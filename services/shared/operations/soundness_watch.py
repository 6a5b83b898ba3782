"""Checks the whole SQLite file soon after the start and once a night; damage is an alarm."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from services.shared import alarms
from services.shared.database.engine import Database
from services.shared.database.soundness import REMEDY, damage

log = structlog.get_logger("database")
FIRST_S, NIGHTLY_S = 60.0, 24 * 3600.0
NAME = "database"


class SoundnessWatch:
    """One process's, beside its work: the look runs in a thread of its own."""

    def __init__(self, database: Database, file: Path, source: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._file = file
        self._source = source
        self._next = source() + FIRST_S
        self._look: asyncio.Task[str | None] | None = None

    async def turn(self) -> bool:
        """Begins a look when it is time, and tells what one has found."""
        if self._look is not None and self._look.done():
            found, self._look = self._look.result(), None
            await self._tell(found)
        if self._look is None and self._source() >= self._next:
            self._next = self._source() + NIGHTLY_S
            self._look = asyncio.create_task(asyncio.to_thread(damage, self._file), name="soundness")
        return False

    async def _tell(self, found: str | None) -> None:
        if found is not None:
            log.critical("database_damaged", file=str(self._file), found=found)
        async with self._database.write() as tx:
            if found is None:
                await alarms.over(tx, NAME)
            else:
                await alarms.sound(tx, NAME, f"the database is damaged ({found[:150]}): end nothing yet; {REMEDY}")
