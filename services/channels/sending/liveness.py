"""Tells which channels processes are alive, by a lock that goes with their connection.

PostgreSQL only; on SQLite there is one process, and at its start every lease is a dead predecessor's.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
import structlog

from services.shared.database import locks
from services.shared.database.engine import Connection, Database

log = structlog.get_logger("liveness")


class Liveness:
    """Holds the lock named after this worker, and sees whose are free."""

    def __init__(self, database: Database, worker: str) -> None:
        self._database = database
        self._worker = worker
        self._connection: Connection | None = None
        self._missed: set[str] = set()

    async def keep(self) -> None:
        """Holds the lock, on a new connection where the old one was lost."""
        if self._database.is_sqlite:
            return
        if self._connection is not None:
            try:
                await self._connection.scalar(sa.text("SELECT 1"))
                return
            except (sa.exc.SQLAlchemyError, OSError, TimeoutError) as problem:
                log.warning("presence_lost", reason=type(problem).__name__)
                await self.close()
        connection = await self._database.lasting()
        if await locks.worker_while_connected(connection, self._worker):
            self._connection = connection
        else:  # the server has not noticed yet that the old connection is gone
            await connection.close()

    async def dead(self, workers: Iterable[str]) -> list[str]:
        """Those of `workers` whose lock was free at this look and at the one before."""
        if self._database.is_sqlite:
            return []
        free: set[str] = set()
        async with self._database.write() as tx:
            for worker in sorted(set(workers) - {self._worker, ""}):
                if await locks.try_worker(tx, worker):
                    free.add(worker)
        twice = sorted(free & self._missed)
        self._missed = free
        return twice

    async def close(self) -> None:
        """Lets go: whatever is still in hand is anybody's."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.invalidate()
            await connection.close()
