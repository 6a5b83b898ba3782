"""taskiq on aio-pika: one message a recipient, everything on an event loop; run with a number it is the producer."""

from __future__ import annotations

import asyncio
import sys

import uvloop
from taskiq import TaskiqEvents, TaskiqState
from taskiq_aio_pika import AioPikaBroker, Queue

from bench.peers import loop, work

broker = AioPikaBroker(work.AMQP, qos=work.CONNECTIONS, task_queues=[Queue(name=work.QUEUES["taskiq"], durable=True)])


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def up(_: TaskiqState) -> None:
    """Before the first task."""
    await loop.start()


@broker.task(task_name="deliver")
async def deliver(number: int) -> None:
    """One recipient."""
    await loop.deliver_one(number)


async def produce(count: int) -> None:
    """Rows, then a task each, a hundred under way."""
    await loop.write_rows(count)
    await broker.startup()
    for first in range(0, count, 100):
        await asyncio.gather(*(deliver.kiq(number) for number in range(first, min(first + 100, count))))
    await broker.shutdown()


if __name__ == "__main__":
    uvloop.run(produce(int(sys.argv[1])))
