"""Consumes messages for channels: DeliveryDue wakes the sender, NoticeRequested becomes a delivery."""

from __future__ import annotations

import sqlalchemy as sa

from services.shared.bus.outbox import Receipt
from services.shared.database import locks
from services.shared.database.engine import Connection
from services.shared.ledger.channels import channel
from services.shared.ledger.deliveries import NewDelivery, add
from services.shared.ledger.moves import move
from services.shared.ledger.states import SendState
from services.shared.ledger.warnings import warning_state
from services.shared.messages import DeliveryDue, NoticeRequested
from services.shared.service import Platform

TO = {"officer": "worker", "supporter": "supporter"}  # who is meant by a channel, by the first word of its name


class ChannelsHandlers:
    """The consumer `channels`."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def delivery_due(self, message: DeliveryDue, receipt: Receipt) -> None:
        """A hint: the ledger says what is due; losing it costs one tick."""
        async with self._platform.database.write() as tx:
            await receipt.record(tx)
        self._platform.wake.channels.set()

    async def notice_requested(self, message: NoticeRequested, receipt: Receipt) -> None:
        now = self._platform.clock.now()
        over = message.params.get("channel", "officer_sms")
        to = TO.get(over.partition("_")[0], "person")
        async with self._platform.database.write() as tx:
            await receipt.record(tx)
            driver = await tx.scalar(sa.select(channel.c.driver).where(channel.c.channel == over)) or "none"
            new = NewDelivery.notice(message, channel=over, driver=driver, addressee_kind=to, due_at=now)
            await add(tx, [new])
            if message.warning_id and not await _goes_on(tx, message.warning_id):
                mine, why = [message.notice_id], "warning stopped before"
                await move(tx, mine, SendState.CANCELLED, at=now, only=(SendState.PENDING,), state_reason=why)
        self._platform.wake.channels.set()


async def _goes_on(tx: Connection, warning_id: str) -> bool:
    """Whether a warning is active. Who stops it waits until this is written and takes it back, or is seen here."""
    await locks.plan(tx, warning_id, shared=True)
    state = await tx.scalar(sa.select(warning_state.c.state).where(warning_state.c.warning_id == warning_id))
    return state == "active"
