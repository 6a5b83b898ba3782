"""A bus for one service alone: it remembers who hears what, and a test hands each message over."""

from __future__ import annotations

from services.shared.bus.embedded import EmbeddedBus
from services.shared.bus.outbox import Receipt, publish
from services.shared.database.engine import Database
from services.shared.messages import Message, decode, encode


class HandedOver(EmbeddedBus):
    """Shows nothing by itself; `woken` counts who wanted it to."""

    def __init__(self, database: Database, consumer: str) -> None:
        super().__init__(database)
        self.consumer = consumer
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1

    async def hand(self, message: Message) -> None:
        """As a bus shows it, once it was said."""
        async with self.database.write() as tx:
            await publish(tx, [message])
        heard = self.handlers[type(message).__name__][self.consumer]
        await heard(decode(encode(message)), Receipt(self.database, self.consumer, message.msg_id))
