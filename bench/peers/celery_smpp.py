"""Celery over SMPP: one task a message, a bound session of python-smpplib in each worker process, one submit at a time.

As a worker's module (`celery -A`) it sends; run with a number it is the producer: rows, then one `delay` each.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

import psycopg
import smpplib.client
import smpplib.consts
import smpplib.gsm
from celery import Celery

from bench.peers import work
from bench.peers.celery_app import produce

app = Celery("bench", broker=work.AMQP)
app.conf.update(
    broker_connection_retry_on_startup=True,
    task_acks_late=True,  # a killed worker's message comes again: what a sender of warnings must ask for
    task_default_queue=work.QUEUES["celery"],
    task_ignore_result=True,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
)
_mine = threading.local()  # a connection and a session for each worker process


class _Session:
    """Submits a message and waits for the SMSC's names of its parts."""

    def __init__(self) -> None:
        host, _, port = work.SMPP.rpartition(":")
        self._client = smpplib.client.Client(host, int(port), allow_unknown_opt_params=True)
        self._client.set_message_sent_handler(self._sent)
        self._client.connect()
        self._client.bind_transceiver(system_id="bench", password="bench")
        self._named: list[str] = []

    def _sent(self, pdu: Any) -> None:
        self._named.append(pdu.message_id.decode())

    def send(self, to: str, text: str) -> str:
        self._named.clear()
        parts, encoding, flag = smpplib.gsm.make_parts(text)
        for part in parts:
            self._client.send_message(
                source_addr_ton=smpplib.consts.SMPP_TON_INTL, source_addr=work.SENDER.lstrip("+"),
                dest_addr_ton=smpplib.consts.SMPP_TON_INTL, destination_addr=to.lstrip("+"), short_message=part,
                data_coding=encoding, esm_class=flag, registered_delivery=True,
            )  # fmt: skip
        while len(self._named) < len(parts):
            self._client.read_once()
        return self._named[0]


def _tools() -> tuple[Any, _Session]:
    if not hasattr(_mine, "database"):
        _mine.database = psycopg.connect(work.DATABASE)
        _mine.session = _Session()
    return _mine.database, _mine.session


@app.task(
    name="deliver_smpp"
)  # a name of its own: Celery gives tasks to every app, and that of `celery_app` sends by HTTP
def deliver(number: int) -> None:
    """Looks up, renders, sends, records."""
    database, session = _tools()
    with database.transaction():
        name, phone, language = database.execute(f"{work.SELECT}%s", (number,)).fetchone()
        ref = session.send(phone, work.short_text_for(name, language))
        database.execute(f"{work.UPDATE}%s WHERE id = %s", (ref, number))


if __name__ == "__main__":
    produce(int(sys.argv[1]), deliver.delay)
