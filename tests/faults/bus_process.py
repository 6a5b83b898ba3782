"""A process that hears DeliveryDue over a broker until its outbox is empty; for tests that let it die on the way."""

from __future__ import annotations

import asyncio
import sys

from services.shared.bus.rabbit_bus import RabbitBus
from services.shared.database.engine import Database
from tests.kit.bus import Doer, empty, until


async def main(database_url: str, amqp_url: str) -> None:
    """Ends when everybody is done with everything."""
    database = Database(database_url)
    bus = RabbitBus(database, amqp_url, "drill")
    bus.subscribe("channels", "DeliveryDue", Doer(database).handle)
    await bus.start()
    ending = asyncio.Event()
    running = asyncio.create_task(bus.run(ending.is_set, lambda _: None))
    await until(lambda: empty(database), "everything is handled", 60)
    ending.set()
    await running
    await bus.close()
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
