"""Consumes WarningIssued: a warning opens a job of pages, a preview is answered at once."""

from __future__ import annotations

from services.registry.audience import preview
from services.registry.store import register
from services.shared.bus.outbox import Receipt, publish
from services.shared.endings import PART_RETURNS
from services.shared.messages import WarningIssued
from services.shared.service import Platform


class RegistryHandlers:
    """Effects and receipt go into one transaction; what is slow is read before it."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def warning_issued(self, message: WarningIssued, receipt: Receipt) -> None:
        """Routes a WarningIssued by purpose and kind."""
        if message.purpose == "preview":
            await self._preview(message, receipt)
        elif message.kind == "ending" and message.ending != PART_RETURNS:
            # The router addresses an ending from the ledger, to everyone who may have got the warning; of an ending for a part
            # it has to know who is in it.
            async with self._platform.database.write() as tx:
                await receipt.record(tx)
        else:
            await self._open(message, receipt)

    async def _preview(self, message: WarningIssued, receipt: Receipt) -> None:
        async with self._platform.database.read() as db:
            answer = await preview.preview(db, message, self._platform.clock.now())
        async with self._platform.database.write() as tx:
            await receipt.record(tx)
            await publish(tx, [answer])
        self._platform.bus.wake()

    async def _open(self, message: WarningIssued, receipt: Receipt) -> None:
        async with self._platform.database.read() as db:
            area, unresolved = await register.area_of(db, message.area, message.geocodes)
        async with self._platform.database.write() as tx:
            await receipt.record(tx)
            await register.open_job(
                tx,
                {
                    "warning_id": message.warning_id,
                    "tier": message.tier,
                    "plane": message.plane,
                    "opened_at": self._platform.clock.now(),
                    "utc_offset_min": message.utc_offset_min,
                    "shape": area.wkb() if area else b"",
                    "unresolved": [list(code) for code in unresolved],
                },
            )
        self._platform.wake.registry.set()
