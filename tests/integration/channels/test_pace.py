"""A contracted rate, shared by every process on both databases: never exceeded, and the last fifth is red's."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from services.channels.providers import rate_limit
from services.channels.providers.provider_store import known, provider
from services.channels.providers.rate_limit import Pace
from services.shared.database.engine import Connection, Database


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The database's time, moved by hand."""
    at = [1_000_000.0]

    async def now(_: Connection) -> float:
        return at[0]

    monkeypatch.setattr(rate_limit, "database_now", now)
    return at


@pytest.fixture
async def database(empty: Database) -> Database:
    async with empty.write() as tx:
        await known(tx, {"sms": 50.0})
    return empty


async def over(one: Pace, clock: list[float], seconds: float, *, red: bool, want: int = 1000) -> int:
    """How many leave when somebody asks every 50 ms."""
    count = 0
    for _ in range(round(seconds / 0.05)):
        count += (await one.grant(want, red)).count
        clock[0] += 0.05
    return count


@pytest.mark.parametrize("rate", [0.5, 3.0, 50.0, 400.0])
async def test_the_rate_is_kept_whatever_is_asked_for(database: Database, clock: list[float], rate: float) -> None:
    """At most a slice more than the rate, and no less than what it allows."""
    sent = await over(Pace(database, "sms", rate), clock, 10.0, red=True)
    assert 10 * rate - 1 <= sent <= 10 * rate + max(1.0, rate * rate_limit.SLICE_S) + 1


async def test_two_processes_share_one_rate_and_the_last_fifth_is_reds(database: Database, clock: list[float]) -> None:
    a, b = Pace(database, "sms", 100.0), Pace(database, "sms", 100.0)
    usual = urgent = 0
    for _ in range(200):
        usual += (await a.grant(1000, False)).count + (await b.grant(1000, False)).count
        urgent += (await b.grant(1000, True)).count
        clock[0] += 0.05
    assert 1000 <= usual + urgent <= 1025
    assert urgent >= 195  # a fifth, though the others asked first each time


async def test_who_must_wait_is_told_how_long_and_then_one_may_leave(database: Database, clock: list[float]) -> None:
    one = Pace(database, "sms", 2.0)
    assert rate_limit.Grant(1) == await one.grant(5, True)
    grant = await one.grant(5, True)
    assert 0 == grant.count
    clock[0] += grant.wait - 0.01
    assert 0 == (await one.grant(5, True)).count
    clock[0] += 0.02
    assert 1 == (await one.grant(5, True)).count


async def test_what_was_not_needed_is_given_back(database: Database, clock: list[float]) -> None:
    one = Pace(database, "sms", 100.0)
    taken = (await one.grant(20, False)).count
    await one.give_back(taken, False)
    assert taken == (await one.grant(20, False)).count


async def test_too_fast_halves_the_rate_for_ten_seconds_and_it_comes_back_by_tenths(
    database: Database, clock: list[float]
) -> None:
    one = Pace(database, "sms", 100.0)
    await over(one, clock, 1.0, red=True)
    await one.too_fast()
    assert 480 <= await over(one, clock, 10.0, red=True) <= 521
    rising = await over(one, clock, 5.0, red=True)
    assert 330 <= rising <= 420  # from a half to the whole
    assert 490 <= await over(one, clock, 5.0, red=True) <= 521


async def test_without_a_contracted_rate_nothing_is_asked_of_the_database() -> None:
    broken: Any = None
    one = Pace(broken, "sms", 0.0)
    assert 77 == (await one.grant(77, False)).count
    await one.give_back(5, True)
    await one.too_fast()


async def test_workers_at_once_never_take_more_than_there_is(database: Database) -> None:
    """By the real clock of the database: eight that ask at the same moment."""
    rate = 50.0
    async with database.write() as tx:
        begun = await rate_limit.database_now(tx)
    ones = [Pace(database, "sms", rate) for _ in range(8)]
    grants = await asyncio.gather(*(one.grant(1000, True) for one in ones for _ in range(3)))
    async with database.write() as tx:
        ended = await rate_limit.database_now(tx)
        row = (await tx.execute(sa.select(provider))).one()
    sent = sum(g.count for g in grants)
    assert 1 <= sent <= rate * (ended - begun) + rate * rate_limit.SLICE_S + 1
    assert row.next_at >= begun + sent / rate - 1e-3
