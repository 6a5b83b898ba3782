"""Consumes messages for the router: a warning begins, a page of people opens paths, evidence moves them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from services.router.clock import evidence
from services.router.clock.lookout import Lookout
from services.router.explaining import previews
from services.router.explaining.outcomes import Outcomes
from services.router.opening.begin import Beginning
from services.router.opening.open_paths import Opened, OpenPaths
from services.router.planning.contexts import Contexts
from services.router.store import statistics, tables
from services.shared.bus.outbox import Receipt
from services.shared.errors import Busy
from services.shared.fault_points import fault_at
from services.shared.messages import AudienceFound, EvidenceRecorded, WarningIssued
from services.shared.service import Platform

_POLICY = sa.select(tables.warning.c.policy).where(tables.warning.c.warning_id == sa.bindparam("w"))


class RouterHandlers:
    """The consumer `router`."""

    def __init__(self, platform: Platform, contexts: Contexts, lookout: Lookout) -> None:
        self._platform = platform
        self._contexts = contexts
        self._lookout = lookout
        self._outcomes = Outcomes()
        self._beginning = Beginning(platform, contexts)
        self._open_paths = OpenPaths(platform, contexts)

    async def warning_issued(self, message: WarningIssued, receipt: Receipt) -> None:
        """Area-wide channels go out at once; people come in pages. What it replaces is stopped and spoken to."""
        async with self._platform.database.write() as tx:
            await receipt.record(tx)
            if message.purpose == "preview":
                await previews.ask(tx, message)
            else:
                await self._beginning.begin(tx, message)
        self._wake()

    async def audience_found(self, message: AudienceFound, receipt: Receipt) -> None:
        """Opens a path for each person of the page and walks its first steps, in one transaction."""
        counted: dict[str, Any] | None = None
        opened: Opened | None = None
        if message.purpose == "preview":
            async with self._platform.database.read() as db:
                counted = await previews.counted(db, self._contexts, self._outcomes, message)
        async with self._platform.database.write() as tx:
            await receipt.record(tx)
            if counted is not None:
                await previews.answer(tx, message, counted)
            else:
                opened = await self._open_paths.open_page(tx, message)
                fault_at("before_plan_commit")
        fault_at("after_plan_commit")
        if opened is None:
            return
        self._platform.bus.wake()  # what is due is hinted now, and not at the relay's next look
        self._platform.wake.channels.set()
        self._lookout.lower(opened.next_at)
        if opened.complete:  # doors and endings waited for it
            self._platform.wake.router.set()
        if opened.is_first:
            await statistics.refresh(self._platform.database)

    async def evidence_recorded(self, message: EvidenceRecorded, receipt: Receipt) -> None:
        async with self._platform.database.write() as tx:
            await receipt.record(tx)
            key = await tx.scalar(_POLICY, {"w": message.warning_id})
            if key is None:
                raise Busy(f"evidence came before its warning {message.warning_id}")
            policy = await self._contexts.policy(tx, key)
            moves = await evidence.record(tx, policy, message.warning_id, message.ids, self._platform.clock.now())
            fault_at("before_evidence_commit")
        fault_at("after_evidence_commit")
        if moves:
            self._wake()

    def _wake(self) -> None:
        self._platform.bus.wake()
        self._platform.wake.router.set()
        self._platform.wake.channels.set()
