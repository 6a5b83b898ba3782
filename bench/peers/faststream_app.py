"""FastStream on aio-pika: one message a recipient; run with a number it is the producer, without one the worker."""

from __future__ import annotations

import asyncio
import sys

import uvloop
from faststream import FastStream
from faststream.rabbit import Channel, RabbitBroker, RabbitQueue

from bench.peers import loop, work

broker = RabbitBroker(work.AMQP, default_channel=Channel(prefetch_count=work.CONNECTIONS), logger=None)
app = FastStream(broker, logger=None)
QUEUE = RabbitQueue(work.QUEUES["faststream"], durable=True)


@app.on_startup
async def up() -> None:
    """Before the first message."""
    await loop.start()


@broker.subscriber(QUEUE)
async def deliver(number: int) -> None:
    """One recipient."""
    await loop.deliver_one(number)


async def produce(count: int) -> None:
    """Rows, then a message each, a hundred under way."""
    await loop.write_rows(count)
    async with RabbitBroker(work.AMQP, logger=None) as out:
        for first in range(0, count, 100):
            await asyncio.gather(
                *(out.publish(number, QUEUE, persist=True) for number in range(first, min(first + 100, count)))
            )


if __name__ == "__main__":
    uvloop.run(produce(int(sys.argv[1])) if len(sys.argv) > 1 else app.run())
