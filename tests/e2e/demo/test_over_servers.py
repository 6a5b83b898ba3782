"""The demo over a broker and a database server: the same figures, to the byte."""

from __future__ import annotations

import json

import pytest

from services.demo import run_demo
from services.demo_view import example_alert
from tools.servers.postgres import Postgres

PEOPLE, SEED = 15, 2


@pytest.mark.timeout(400)
async def test_the_demo_over_postgresql_and_rabbitmq_ends_with_the_same_object(
    postgres: Postgres, vhost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every person, channel and example of a path, byte for byte what SQLite and the bus inside the process give."""
    monkeypatch.delenv("TOCSIN_DATABASE_URL", raising=False)
    monkeypatch.delenv("TOCSIN_AMQP_URL", raising=False)
    alone = await run_demo(example_alert(), people=PEOPLE, seed=SEED)
    url = postgres.database()
    monkeypatch.setenv("TOCSIN_DATABASE_URL", url)
    monkeypatch.setenv("TOCSIN_AMQP_URL", vhost)
    apart = await run_demo(example_alert(), people=PEOPLE, seed=SEED)
    with postgres.connect(url) as database:  # it was there that it ran
        assert [(alone.figures["targeted"],)] == database.execute("SELECT count(*) FROM router_path").fetchall()
    assert alone.figures["targeted"] > 0
    assert json.dumps(alone.figures, ensure_ascii=False) == json.dumps(apart.figures, ensure_ascii=False)
