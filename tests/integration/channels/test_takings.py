"""A provider that takes nothing is an alarm after fifteen seconds, whichever process sees it, until it takes something."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services import migrations
from services.channels.model.driver import Result
from services.channels.model.outcome import LATE, Outcome
from services.channels.providers.acceptance import FORGOTTEN_S, Acceptance
from services.channels.providers.provider_store import known
from services.shared import alarms
from services.shared.database.engine import Database
from tools.servers.postgres import Postgres

TAKEN, REFUSED, GONE = Result(Outcome.ACCEPTED), Result(Outcome.PROVIDER_FAULT, code="20003"), Result(Outcome.NOT_SENT)


class Beside:
    """Several processes over one database, and the time of day."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = 1_800_000_000.0
        self.processes = [Acceptance(database, ["a", "b"], [("a", "b")]) for _ in range(2)]

    async def passes(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1.0
            for process in self.processes:
                await process.step()

    async def standing(self) -> dict[str, str]:
        async with self.database.read() as db:
            return {row.name: row.said for row in await alarms.standing(db)}


@pytest.fixture(params=["sqlite", "postgresql"])
async def beside(
    request: pytest.FixtureRequest, tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Beside]:
    url = postgres.database() if request.param == "postgresql" else f"sqlite+aiosqlite:///{tmp_path / 'tocsin.db'}"
    await asyncio.to_thread(migrations.upgrade, url)
    database = Database(url, synchronous="OFF")
    made = Beside(database)
    monkeypatch.setattr("services.channels.providers.acceptance.wall", lambda: made.now)
    async with database.write() as tx:
        await known(tx, {"a": 50.0, "b": 50.0})
    yield made
    await database.close()


async def test_what_is_refused_for_fifteen_seconds_is_told_with_what_goes_on_instead(beside: Beside) -> None:
    first, _ = beside.processes
    for _ in range(3):
        first.note("a", REFUSED, beside.now, beside.now)
    await beside.passes(14)
    assert {} == await beside.standing()
    await beside.passes(2)
    said = (await beside.standing())["provider:a"]
    assert said.startswith("a takes nothing (20003): b has its messages meanwhile")
    first.note("a", TAKEN, beside.now, beside.now)
    await beside.passes(1)
    assert {} == await beside.standing()


async def test_two_that_went_wrong_a_late_call_and_a_refused_number_are_no_alarm(beside: Beside) -> None:
    """A call of ours that began too late says nothing; an answer about one number is an answer."""
    first, _ = beside.processes
    first.note("a", GONE, beside.now, beside.now)
    first.note("a", GONE, beside.now, beside.now)
    first.note("a", Result(Outcome.NOT_SENT, code=LATE), beside.now, beside.now)
    for _ in range(5):
        first.note("b", GONE, beside.now, beside.now)
    first.note("b", Result(Outcome.PERMANENT, code="21211"), beside.now, beside.now)
    await beside.passes(60)
    assert {} == await beside.standing()


async def test_another_process_that_is_taken_from_keeps_the_alarm_away(beside: Beside) -> None:
    """The provider is there; one process cannot reach it. When the other stops being taken from, it is an alarm."""
    first, second = beside.processes
    for _ in range(30):
        first.note("a", GONE, beside.now, beside.now)
        second.note("a", TAKEN, beside.now, beside.now)
        await beside.passes(1)
    assert {} == await beside.standing()
    for _ in range(30):
        first.note("a", GONE, beside.now, beside.now)
        await beside.passes(1)
    assert ["provider:a"] == list(await beside.standing())
    second.note("a", TAKEN, beside.now, beside.now)
    await beside.passes(6)
    assert {} == await beside.standing()


async def test_a_restart_takes_the_alarm_over_and_it_is_forgotten_when_nobody_tries(beside: Beside) -> None:
    first, _ = beside.processes
    for _ in range(3):
        first.note("a", GONE, beside.now, beside.now)
    await beside.passes(16)
    beside.processes = [Acceptance(beside.database, ["a", "b"], [])]
    await beside.processes[0].begin()
    await beside.passes(5)
    assert ["provider:a"] == list(await beside.standing())
    beside.now += FORGOTTEN_S
    await beside.passes(1)
    assert {} == await beside.standing()
