"""Celery: one task a message with the provider's own synchronous client, the shape of most senders that run today.

As a worker's module (`celery -A`) it sends; run with a number it is the producer: rows, then one `delay` each.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import psycopg
from celery import Celery
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from bench.peers import work

app = Celery("bench", broker=work.AMQP)
app.conf.update(
    broker_connection_retry_on_startup=True,
    task_acks_late=True,  # a killed worker's message comes again: what a sender of warnings must ask for
    task_default_queue=work.QUEUES["celery"],
    task_ignore_result=True,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
)
_mine = threading.local()  # a connection and a client for each worker process or thread


class _ToStandin(TwilioHttpClient):
    def request(self, method: str, uri: str, *args: Any, **words: Any) -> Any:  # type: ignore[override]
        return super().request(method, uri.replace("https://api.twilio.com", work.PROVIDER), *args, **words)


def _tools() -> tuple[Any, Any]:
    if not hasattr(_mine, "database"):
        _mine.database = psycopg.connect(work.DATABASE)
        _mine.client = Client(work.ACCOUNT, work.TOKEN, http_client=_ToStandin(pool_connections=True))
    return _mine.database, _mine.client


@app.task(name="deliver")
def deliver(number: int) -> None:
    """Looks up, renders, sends, records."""
    database, client = _tools()
    with database.transaction():
        name, phone, language = database.execute(f"{work.SELECT}%s", (number,)).fetchone()
        sent = client.messages.create(to=phone, from_=work.SENDER, body=work.text_for(name, language))
        database.execute(f"{work.UPDATE}%s WHERE id = %s", (sent.sid, number))


def produce(count: int, hand_over: Callable[[int], object]) -> None:
    """Writes the rows and hands over a task each."""
    with psycopg.connect(work.DATABASE) as database:
        with database.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO message (id, name, phone, language, state) VALUES (%s, %s, %s, %s, 'queued')",
                list(work.people(count)),
            )
        database.commit()
    for number in range(count):
        hand_over(number)


if __name__ == "__main__":
    produce(int(sys.argv[1]), deliver.delay)
