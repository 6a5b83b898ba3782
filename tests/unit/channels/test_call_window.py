"""A call window: so many calls at once, and no more intended beyond them than begin in time."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.channels.model.driver import Driver, Outcome, Result
from services.channels.model.flight import Flight
from services.channels.model.outbound import Outbound
from services.channels.providers.call_window import AHEAD, CallWindow, call_windows
from services.channels.providers.country_limits import CountryLimits
from services.channels.providers.weights import ProviderWeights
from services.channels.sending.claims import Intended, Intents
from services.channels.sending.sender import FlightCall, Prepared, Sender
from services.shared.clock import Clock, LinearClock, wall
from services.shared.database.engine import Database
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import Delivery


class Slow:
    """A driver whose calls end when they are let go; it knows the most that were under way at once."""

    name, concurrency = "slow", 3
    channels = ()

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.calls = self.now = self.most = 0

    def why_not(self) -> str:
        return ""

    async def send(self, message: Outbound) -> Result:
        self.calls += 1
        self.now += 1
        self.most = max(self.most, self.now)
        await self.go.wait()
        self.now -= 1
        return Result(Outcome.ACCEPTED, ref="1")


def window(concurrency: int = 50) -> CallWindow:
    return CallWindow(cast(Driver, SimpleNamespace(name="d", concurrency=concurrency)), red=False)


def sending(database: Database, clock: Clock, report: Any, slow: Slow) -> Sender:
    windows = call_windows([slow], CountryLimits({}), lambda _red: None, 0)
    weights = ProviderWeights(database, clock, windows)
    return Sender(
        database, clock, cast(Any, SimpleNamespace(report=report)), cast(Any, None), windows, weights, "drill"
    )


def a_row(name: str) -> Delivery:
    found = SimpleNamespace(delivery_id=name, attempts=0, tier=2, warning_id="w", kind="warning", person_id="p")
    return cast(Delivery, found)


def a_flight(started_at: float, left: int) -> Flight:
    return Flight("f", "b", "slow", started_at, tells=False, left=left)


def test_at_first_no_more_is_intended_than_can_begin_at_once() -> None:
    """Nobody knows yet how fast the provider answers."""
    assert (50, 50) == (window().size, window().free())


@pytest.mark.parametrize(
    ("call_s", "beyond"),
    [(0.01, AHEAD), (0.05, 100), (0.5, 10), (5.0, 1)],
    ids=["at once", "fifty milliseconds", "half a second", "five seconds"],
)
def test_a_fast_provider_is_kept_busy_and_a_slow_one_is_not_overfilled(call_s: float, beyond: int) -> None:
    """Beyond the calls under way as many as begin within a tenth of a second, and never more than AHEAD."""
    one = window()
    for _ in range(5000):
        one.begun += 1
        one.begins(0.01)
        one.answered(call_s)
    assert 50 + beyond == one.size


def test_a_call_that_began_late_makes_the_window_careful() -> None:
    """The machine has other work: half as much is intended ahead from now on, and more again only bit by bit."""
    one = window()
    one.call_s, one.ahead = 0.01, 200.0
    one.begins(0.3)
    assert 50 + 100 == one.size
    one.begins(0.01)
    assert 50 + 100 == one.size
    for _ in range(100):
        one.begins(0.01)
    assert 50 + 110 == one.size


def test_nothing_new_is_begun_while_the_database_takes_no_outcomes() -> None:
    """What is answered and not written is in memory alone: it has a bound."""
    one = window()
    one.in_flight = cast(set[asyncio.Task[None]], set(range(990)))
    assert 10 == one.free()


async def test_an_outcome_that_waits_for_the_database_holds_no_place() -> None:
    """Three calls at once and no more; each that is answered lets the next begin, written or not."""
    answered, written = asyncio.Event(), asyncio.Event()
    reports: list[Any] = []

    async def report(one: Any) -> None:
        reports.append(one)
        if len(reports) == 9:
            answered.set()
        await written.wait()

    slow = Slow()
    database = cast(Database, SimpleNamespace(is_sqlite=True))
    sender = sending(database, LinearClock(), report, slow)
    mine = sender.windows[1]
    rows = [a_row(str(n)) for n in range(9)]
    prepared = {"slow": [Prepared(row, cast(Any, row)) for row in rows]}
    sender._begin({"slow": mine}, {"slow": 9}, prepared, Intents([Intended(a_flight(wall(), 9), rows)], set()))
    await asyncio.sleep(0)
    assert (3, 9) == (slow.calls, mine.begun)
    slow.go.set()
    await asyncio.wait_for(answered.wait(), 10)
    assert (3, 9, 0) == (slow.most, slow.calls, mine.begun)
    assert 9 == len(mine.in_flight)  # not written yet
    written.set()
    await sender.drain()
    assert not mine.in_flight
    assert {SendState.ACCEPTED} == {r.state for r in reports}


async def test_a_call_that_could_not_begin_in_time_is_not_made_and_due_again_at_once() -> None:
    """Half a second after its intent a cancel may have come: nothing is sent, and no backoff, it was not the provider."""
    slow = Slow()
    slow.go.set()
    said: list[Any] = []

    async def report(one: Any) -> None:
        said.append(one)

    clock = LinearClock()
    database = cast(Database, SimpleNamespace(is_sqlite=True))
    sender = sending(database, clock, report, slow)
    before = clock.now()
    await sender._send(sender.windows[1], FlightCall(a_flight(wall() - 10, 1), a_row("1"), cast(Any, None)))
    assert 0 == slow.calls
    assert [(SendState.RETRY, "late_start")] == [(r.state, r.code) for r in said]
    assert before <= said[0].again_at <= clock.now()
