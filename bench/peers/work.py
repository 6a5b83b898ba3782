"""What every peer does, once: its addresses from the environment, the people, the template, the table of results."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import jinja2

AMQP = os.environ["BENCH_AMQP_URL"]
DATABASE = os.environ["BENCH_DATABASE_URL"]  # as libpq and asyncpg read it
PROVIDER = os.environ["BENCH_PROVIDER_URL"]
SMPP = os.environ.get("BENCH_SMPP", "")  # host:port
ACCOUNT = os.environ["BENCH_ACCOUNT"]
TOKEN = os.environ["BENCH_TOKEN"]
SENDER = os.environ["BENCH_SENDER"]
MESSAGES = f"{PROVIDER}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
CONNECTIONS = 100  # of those that send from one event loop
QUEUES = {"celery": "bench.celery", "taskiq": "bench.taskiq", "faststream": "bench.faststream"}

ALERT = {
    "source": "City Civil Protection",
    "hazard": "Flash flood warning until 21:00",
    "place": "Riverside ward",
    "action": "Move to higher ground now and do not drive through water.",
    "number": "017342",
}
TEMPLATE = jinja2.Environment(autoescape=False).from_string(  # noqa: S701  a text message
    "{{ source }}: {{ hazard }}, {{ place }}. {{ name }}: {{ action }}"
    "{% if language != 'en' %} [{{ language }}]{% endif %} No. {{ number }}"
)

TABLE = """
CREATE TABLE IF NOT EXISTS message (
  id bigint PRIMARY KEY, name text NOT NULL, phone text NOT NULL, language text NOT NULL, state text NOT NULL,
  provider_ref text, created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now()
)
"""
SELECT = "SELECT name, phone, language FROM message WHERE id = "
UPDATE = "UPDATE message SET state = 'sent', updated_at = now(), provider_ref = "

SHORT_TEMPLATE = jinja2.Environment(autoescape=False).from_string(  # noqa: S701  one part of an SMS
    "City: Flash flood, Riverside. {{ name }}: Go uphill now."
    "{% if language != 'en' %} ({{ language }}){% endif %} No. {{ number }}"
)


def people(count: int) -> Iterator[tuple[int, str, str, str]]:
    """id, name, phone, language: the same at every call."""
    chance = random.Random(7)
    for n in range(count):
        yield n, f"Resident {n}", f"+999{n:08d}", chance.choice(("en", "en", "de", "hi"))


def text_for(name: str, language: str) -> str:
    """The personalised text."""
    return TEMPLATE.render(ALERT, name=name, language=language)


def short_text_for(name: str, language: str) -> str:
    """The same in one part of an SMS."""
    return SHORT_TEMPLATE.render(ALERT, name=name, language=language)
