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


class OutcomeRecorder:
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
async def desk(
    request: pytest.FixtureRequest, tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[OutcomeRecorder]:
    url = postgres.database() if request.param == "postgresql" else f"sqlite+aiosqlite:///{tmp_path / 'tocsin.db'}"
    await asyncio.to_thread(migrations.upgrade, url)
    database = Database(url)
    made = OutcomeRecorder(database)
    monkeypatch.setattr("services.channels.providers.acceptance.wall", lambda: made.now)
    async with database.write() as tx:
        await known(tx, {"a": 50.0, "b": 50.0})
    yield made
    await database.close()


async def test_what_is_refused_for_fifteen_seconds_is_told_with_what_goes_on_instead(desk: OutcomeRecorder) -> None:
    first, _ = desk.processes
    for _ in range(3):
        first.note("a", REFUSED, desk.now)
    await desk.passes(14)
    assert {} == await desk.standing()
    await desk.passes(2)
    said = (await desk.standing())["provider:a"]
    assert said.startswith("a takes nothing (20003): b has its messages meanwhile")
    first.note("a", TAKEN, desk.now)
    await desk.passes(1)
    assert {} == await desk.standing()


async def test_two_that_went_wrong_a_late_call_and_a_refused_number_are_no_alarm(desk: OutcomeRecorder) -> None:
    """A call of ours that began too late says nothing; an answer about one number is an answer."""
    first, _ = desk.processes
    first.note("a", GONE, desk.now)
    first.note("a", GONE, desk.now)
    first.note("a", Result(Outcome.NOT_SENT, code=LATE), desk.now)
    for _ in range(5):
        first.note("b", GONE, desk.now)
    first.note("b", Result(Outcome.PERMANENT, code="21211"), desk.now)
    await desk.passes(60)
    assert {} == await desk.standing()


async def test_another_process_that_is_taken_from_keeps_the_alarm_away(desk: OutcomeRecorder) -> None:
    """The provider is there; one process cannot reach it. When the other stops being taken from, it is an alarm."""
    first, second = desk.processes
    for _ in range(30):
        first.note("a", GONE, desk.now)
        second.note("a", TAKEN, desk.now)
        await desk.passes(1)
    assert {} == await desk.standing()
    for _ in range(30):
        first.note("a", GONE, desk.now)
        await desk.passes(1)
    assert ["provider:a"] == list(await desk.standing())
    second.note("a", TAKEN, desk.now)
    await desk.passes(6)
    assert {} == await desk.standing()


async def test_a_restart_takes_the_alarm_over_and_it_is_forgotten_when_nobody_tries(desk: OutcomeRecorder) -> None:
    first, _ = desk.processes
    for _ in range(3):
        first.note("a", GONE, desk.now)
    await desk.passes(16)
    desk.processes = [Acceptance(desk.database, ["a", "b"], [])]
    await desk.processes[0].begin()
    await desk.passes(5)
    assert ["provider:a"] == list(await desk.standing())
    desk.now += FORGOTTEN_S
    await desk.passes(1)
    assert {} == await desk.standing()
