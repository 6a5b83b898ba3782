"""Records reports: collects outcomes, receipts and answers for a moment and writes them in one transaction.

Reports are collected for a moment and written in one transaction, with the EvidenceRecorded hint; whoever reported
hears back after the commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import msgspec
import sqlalchemy as sa
import structlog

from services.channels.model.report import Report
from services.channels.outcomes.fold import storable, write
from services.shared.bus.port import Bus
from services.shared.clock import Clock
from services.shared.database.engine import Database, may_be_tried_again
from services.shared.fault_points import fault_at

log = structlog.get_logger("recorder")
Written = Callable[[BaseException | None], None]  # told once: None where a report is on disk, else why it is not
QUIET_S = 0.001
OUTCOMES_S, MANY = 0.1, 8  # nobody waits for an outcome to be written
PATIENCE_S = (0.1, 0.5, 1.0, 2.0, 5.0, 5.0, 5.0)  # together below a lease, after which the outcome is unknown anyway


class OutcomeRecorder:
    """Collects reports and writes them; one per process."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        clock: Clock,
        plane: str,
        window_s: float = 0.02,
        scored: frozenset[str] = frozenset(),
    ) -> None:
        self._scored = scored  # providers that share a channel with another: they are compared
        self._database = database
        self._bus = bus
        self._clock = clock
        self._plane = plane
        self._window_s = window_s
        self._waiting: list[tuple[Report, Written]] = []
        self._flushing: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether a report is not written yet."""
        return bool(self._waiting) or self._flushing is not None

    async def report(self, report: Report) -> None:
        """Returns once it is on disk."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.note(report, partial(_settle, done))
        await done

    def note(self, report: Report, written: Written) -> None:
        """Takes a report without a task for it; `written` is told once."""
        self._waiting.append((msgspec.structs.replace(storable(report), at=self._clock.now()), written))
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())

    async def _flush(self) -> None:
        try:
            while self._waiting:
                await self._collect()
                batch, self._waiting = self._waiting, []
                await self._write_batch(batch)
        finally:
            self._flushing = None

    async def _collect(self) -> None:
        """Waits while reports keep coming, at most the window: a burst is one transaction, a single one waits 1 ms.

        Outcomes of calls, once there are many, wait longer for each other: for the last of their flights. Nobody has to
        be answered among them.
        """
        clock = asyncio.get_running_loop().time
        begun = clock()
        while True:
            seen = len(self._waiting)
            outcomes = seen >= MANY and self._half_landed()
            await asyncio.sleep(QUIET_S * (5 if outcomes else 1))
            window = max(self._window_s, OUTCOMES_S) if outcomes else self._window_s
            if clock() - begun >= window or (len(self._waiting) == seen and not (outcomes and self._half_landed())):
                return

    def _half_landed(self) -> bool:
        """Whether all that waits are outcomes, and of their flights some are still to come."""
        flights = {}
        for report, _ in self._waiting:
            if report.flight is None:
                return False
            flights[report.flight.flight_id] = report.flight
        return sum(flight.left for flight in flights.values()) > len(self._waiting)

    async def _patiently(self, reports: list[Report]) -> bool:
        """What a provider has answered must not be forgotten because the database is away for some seconds.

        Whether the router is told of any.
        """
        for wait in PATIENCE_S:
            try:
                return await self._once(reports)
            except (sa.exc.SQLAlchemyError, OSError, TimeoutError) as problem:
                if not may_be_tried_again(problem):
                    raise
                log.warning("reports_wait", count=len(reports), reason=type(problem).__name__)
                await asyncio.sleep(wait)
        return await self._once(reports)

    async def _once(self, reports: list[Report]) -> bool:
        async with self._database.write() as tx:
            said = await write(tx, reports, self._plane, self._scored)
            if any(r.source == "callback" for r in reports):
                fault_at("before_callback_commit")
        return said

    async def _write_batch(self, batch: list[tuple[Report, Written]]) -> None:
        try:
            said = await self._patiently([report for report, _ in batch])
            for report, _ in batch:
                if report.flight is not None:
                    report.flight.left -= 1
        except BaseException as problem:
            if isinstance(problem, sa.exc.SQLAlchemyError) and len(batch) > 1 and not may_be_tried_again(problem):
                log.warning("one_report_spoils_others", count=len(batch), reason=type(problem).__name__)
                for one in batch:  # whose it is, fails alone
                    await self._write_batch([one])
                return
            for _, written in batch:
                written(problem)
            if not isinstance(problem, Exception):
                raise
            return
        fault_at("after_outcome_commit" if batch[0][0].source == "outcome" else "after_callback_commit")
        if said:
            self._bus.wake()
        for _, written in batch:
            written(None)


def _settle(done: asyncio.Future[None], problem: BaseException | None) -> None:
    if done.done():
        return
    if problem is None:
        done.set_result(None)
    else:
        done.set_exception(problem if isinstance(problem, Exception) else asyncio.CancelledError())
