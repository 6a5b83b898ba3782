"""Two providers of one channel: how messages are dealt, when weights move, and when they must not."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from services.channels.model.driver import Channel, Driver
from services.channels.providers.call_window import CallWindow
from services.channels.providers.provider_store import (
    KEPT_S,
    Scored,
    all_rows,
    count,
    forget_old,
    lately,
    provider,
    score,
)
from services.channels.providers.weights import (
    DRIFT,
    FLOOR,
    REVIEW_S,
    STEP,
    ProviderWeights,
    Queue,
    beside_each_other,
    held_back,
    in_trouble,
    in_words,
    move,
    queues,
)
from services.check import check_installation
from services.shared.clock import StepClock
from services.shared.database.engine import Database
from services.shared.errors import Refused
from services.shared.settings import Settings

NOW = 1_000_000.0


def driver(name: str, *channels: str, works: bool = True) -> Driver:
    found = SimpleNamespace(
        name=name,
        concurrency=10,
        channels=tuple(map(Channel, channels)),
        why_not=lambda: "" if works else "not_configured",
    )
    return cast(Driver, found)


A, B = driver("a", "sms", "officer_sms"), driver("b", "sms", "officer_sms")


def queue(*drivers: Driver) -> Queue:
    return Queue(drivers[0].name, True, windows(*drivers))


def windows(*drivers: Driver) -> list[CallWindow]:
    return [CallWindow(d, True, channels=d.channels) for d in drivers]


def rows(n: int, channel: str = "sms", first: int = 0) -> list[Any]:
    return [SimpleNamespace(delivery_id=str(first + k), channel=channel, params=None) for k in range(n)]


# ---- dealing


@pytest.mark.parametrize(("a", "b"), [(50.0, 50.0), (70.0, 30.0), (95.0, 5.0), (100.0, 0.0), (0.0, 100.0)])
def test_messages_are_dealt_by_share_also_where_they_come_one_by_one(a: float, b: float) -> None:
    one, weights = queue(A, B), {"a": a, "b": b}
    found: Counter[str] = Counter()
    for n in range(200):
        dealt, over = one.deal(rows(1, first=n), {"a": 10, "b": 10}, weights, {})
        assert not over
        found.update(name for name, mine in dealt.items() for _ in mine)
    assert abs(found["a"] - 2 * a) <= 1
    assert 200 == found.total()


@pytest.mark.parametrize(
    ("weights", "rooms", "expected"),
    [
        ({"a": 50.0, "b": 50.0}, {"a": 50, "b": 50}, {"a": 50, "b": 50}),
        ({"a": 5.0, "b": 95.0}, {"a": 50, "b": 50}, {"a": 3, "b": 50}),
        ({"a": 0.0, "b": 100.0}, {"a": 50, "b": 50}, {"a": 0, "b": 50}),
        ({"a": 5.0, "b": 95.0}, {"a": 50, "b": 0}, {"a": 0, "b": 0}),
        ({"a": 5.0, "b": 95.0}, {"a": 50}, {"a": 0}),
    ],
    ids=["whole weights", "lowered", "standing by", "the other is full", "the other has no room now"],
)
def test_a_lowered_share_holds_under_load_too(weights: Any, rooms: Any, expected: Any) -> None:
    """Who takes everything and delivers nothing must not keep half the people because it is so quick."""
    resting = {"a": 50.0 if weights["a"] else 0.0, "b": 50.0}
    assert expected == held_back(rooms, {"a", "b"}, weights, resting)
    assert rooms == held_back(rooms, {"a"}, weights, resting)  # the other is broken: all goes here


def test_a_full_provider_does_not_hold_the_other_back_and_none_gets_more_than_its_room() -> None:
    dealt, over = queue(A, B).deal(rows(12), {"a": 2, "b": 30}, {"a": 90.0, "b": 10.0}, {})
    assert {"a": 2, "b": 10} == {name: len(mine) for name, mine in dealt.items()}
    assert [] == over


def test_what_failed_at_one_goes_to_the_other_and_where_there_is_none_to_the_same() -> None:
    before = {str(n): "a" for n in range(6)}
    dealt, _ = queue(A, B).deal(rows(6), {"a": 10, "b": 10}, {"a": 99.0, "b": 1.0}, before)
    assert {"a": 0, "b": 6} == {name: len(mine) for name, mine in dealt.items()}
    dealt, _ = queue(A, B).deal(rows(6), {"a": 10}, {}, before)
    assert 6 == len(dealt["a"])


def test_a_channel_only_one_of_them_serves_goes_there_or_waits() -> None:
    """Left over is not lost: it is due again at once."""
    voice = driver("v", "sms", "voice")
    one = queue(voice, B)
    dealt, over = one.deal(rows(3, "voice"), {"v": 2, "b": 10}, {}, {})
    assert (2, 0, 1) == (len(dealt["v"]), len(dealt["b"]), len(over))


@given(
    st.dictionaries(st.sampled_from("abc"), st.tuples(st.integers(0, 20), st.floats(0, 100)), min_size=1),
    st.integers(0, 60),
    st.integers(0, 2**16),
)
def test_nothing_is_dealt_twice_or_lost_whatever_the_rooms_and_weights(
    given: dict[str, tuple[int, float]], n: int, seed: int
) -> None:
    one = queue(*(driver(name, "sms") for name in given))
    rooms, weights = {k: v[0] for k, v in given.items()}, {k: v[1] for k, v in given.items()}
    chance = random.Random(seed)
    mine = rows(n)
    before = {r.delivery_id: chance.choice("abc") for r in mine if chance.random() < 0.5}
    dealt, over = one.deal(mine, rooms, weights, before)
    assert sorted(r.delivery_id for r in mine) == sorted(
        [r.delivery_id for some in dealt.values() for r in some] + [r.delivery_id for r in over]
    )
    assert all(len(dealt[name]) <= rooms[name] for name in dealt)
    assert len(over) == max(0, n - sum(rooms.values()))


def test_a_queue_has_every_working_provider_of_its_channels_and_its_own_alone_where_none_works() -> None:
    off = driver("off", "sms", works=False)
    all_windows = [
        CallWindow(d, red, channels=d.channels) for d in (A, B, off, driver("mail", "email")) for red in (True, False)
    ]
    found = {q.name: [window.driver.name for window in q.windows] for q in queues(all_windows)}
    assert ["a", "b"] == found["a", True]
    assert ["a", "b"] == found["off", False]  # planned while it worked: the others send it
    assert ["mail"] == found["mail", True]
    assert ["off"] == [window.driver.name for window in queues(windows(off))[0].windows]
    assert [("a", "b")] == beside_each_other(windows(A, B, off))


def test_what_stands_in_shares_nothing_with_a_real_driver() -> None:
    """Loudspeakers that are there get every announcement; the log only where nothing else is."""
    both = windows(driver("log", "area_sound"), driver("speakers", "area_sound"))
    assert [["speakers"], ["speakers"]] == [[window.driver.name for window in q.windows] for q in queues(both)]
    assert [] == beside_each_other(both)
    assert ["log"] == [window.driver.name for window in queues(both[:1])[0].windows]


# ---- trouble


def said(calls: int = 0, bad: int = 0, accepted: int = 0, heard: int = 0) -> Any:
    return SimpleNamespace(calls=calls, bad=bad, accepted=accepted, heard=heard)


@pytest.mark.parametrize(
    ("calls", "receipts", "who"),
    [
        ({"a": said(20, 6), "b": said(20, 0)}, {}, ["a"]),
        ({"a": said(20, 5), "b": said(20, 0)}, {}, []),
        ({"a": said(9, 9), "b": said(20, 0)}, {}, []),
        ({"a": said(20, 20), "b": said(20, 8)}, {}, []),
        ({}, {"a": said(accepted=40, heard=10), "b": said(accepted=40, heard=36)}, ["a"]),
        ({}, {"a": said(accepted=40, heard=19), "b": said(accepted=40, heard=36)}, []),
        ({}, {"a": said(accepted=19, heard=0), "b": said(accepted=40, heard=36)}, []),
        ({}, {"a": said(accepted=40, heard=0), "b": said(accepted=40, heard=0)}, []),
        ({"b": said(20, 9)}, {"a": said(accepted=40, heard=1), "b": said(accepted=40, heard=40)}, []),
    ],
    ids=["three in ten", "fewer", "too few calls", "all fail", "silent", "slower", "too few to say", "all silent",
         "one fails and one is silent"],
)  # fmt: skip
def test_who_is_in_trouble_and_nobody_where_all_are(calls: Any, receipts: Any, who: list[str]) -> None:
    assert who == sorted(in_trouble(("a", "b"), calls, receipts))


def test_weights_move_by_steps_keep_a_trickle_and_drift_home() -> None:
    resting = {"a": 70.0, "b": 30.0}
    weights, seen = dict(resting), []
    for _ in range(5):
        weights = move(weights, resting, {"a": "bad"})
        seen.append(weights["a"])
    assert [50.0, 30.0, 10.0, FLOOR, FLOOR] == seen
    assert 100.0 == sum(weights.values())
    steps = 0
    while weights != resting:
        weights = move(weights, resting, {})
        steps += 1
    assert (70.0 - FLOOR) / DRIFT == steps


def test_one_that_stands_by_takes_over_and_rests_again() -> None:
    resting = {"a": 100.0, "b": 0.0}
    weights = move(resting, resting, {"a": "silent"})
    assert {"a": 100.0 - STEP, "b": STEP} == weights
    for _ in range(10):
        weights = move(weights, resting, {})
    assert resting == weights


# ---- the review, on both databases


async def provider_weights(database: Database, clock: StepClock) -> ProviderWeights:
    made = ProviderWeights(database, clock, windows(A, B, driver("mail", "email")))
    async with database.write() as tx:
        await made.begin(tx)
    return made


async def test_the_review_reads_what_all_processes_counted_and_is_made_once(empty: Database) -> None:
    """Twenty calls of which half failed, told by two recorders; two processes review, the weight moves by one step."""
    clock = StepClock(NOW)
    one, other = await provider_weights(empty, clock), await provider_weights(empty, clock)
    for _ in range(2):
        async with empty.write() as tx:
            await count(tx, [Scored("a", NOW - 5, calls=1, bad=n % 2, accepted=1 - n % 2) for n in range(10)])
            await count(tx, [Scored("b", NOW - 5, calls=1, accepted=1)] * 10)
    assert [True, False] == [await one.review(), await other.review()]
    assert {"a": 30.0, "b": 70.0, "mail": 50.0} == one.weights
    await other.read()
    assert one.weights == other.weights
    clock.advance_to(NOW + REVIEW_S)
    assert await other.review()
    assert 10.0 == other.weights["a"]
    async with empty.read() as db:
        words = in_words(await all_rows(db), one.groups, NOW)
    assert words["a"] == "share 10 %, 10 of 20 calls went wrong"
    assert words["mail"] == ""
    clock.advance_to(NOW + 200)  # nothing new is known against it
    assert await other.review()
    assert 15.0 == other.weights["a"]


async def test_an_opened_breaker_is_known_to_the_other_process(empty: Database) -> None:
    clock = StepClock(NOW)
    one, other = await provider_weights(empty, clock), await provider_weights(empty, clock)
    await one.opened("a", 5000.0)
    await one.opened("a", 4000.0)  # a shorter pause does not end a longer one
    await other.read()
    assert 5000.0 == other.open_until["a"]


async def test_weights_last_over_a_restart_and_end_where_a_provider_stands_alone(empty: Database) -> None:
    clock = StepClock(NOW)
    await provider_weights(empty, clock)
    async with empty.write() as tx:
        await tx.execute(sa.update(provider).where(provider.c.provider == "a").values(weight=12.0, trouble="x"))
    again = await provider_weights(empty, clock)
    await again.read()
    assert 12.0 == again.weights["a"]
    alone = ProviderWeights(empty, clock, windows(A))
    async with empty.write() as tx:
        await alone.begin(tx)
    await alone.read()
    assert (50.0, []) == (alone.weights["a"], alone.groups)
    assert not await alone.review()


async def test_slots_are_summed_whole_and_old_ones_dropped(empty: Database) -> None:
    async with empty.write() as tx:
        await count(tx, [Scored("a", NOW + 10 * k, calls=1, accepted=1, heard=k % 2) for k in range(10)] * 2)
        found = await lately(tx, NOW + 20, NOW + 60)
        assert (8, 8, 4) == (found["a"].calls, found["a"].accepted, found["a"].heard)
        await forget_old(tx, NOW + KEPT_S + 50)
        assert 5 == await tx.scalar(sa.select(sa.func.count()).select_from(score))


@pytest.mark.parametrize("text", ["a", "a=", "a=x", "a=-1", "a=5000", "a=1;b=2"])
def test_a_share_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("TOCSIN_WEIGHTS", text)
    with pytest.raises(Refused, match="TOCSIN_WEIGHTS"):
        Settings()


def test_given_shares_are_taken_and_a_name_nobody_has_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_WEIGHTS", "a=80, b = 20,nobody=3")
    made = ProviderWeights(cast(Database, None), StepClock(NOW), windows(A, B), Settings().resting_weights)
    assert {"a": 80.0, "b": 20.0} == made.weights
    assert ["nobody"] == made.unknown


async def test_the_check_names_a_share_of_a_driver_nobody_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A slip of the pen; a driver that is there and not set up yet is none."""
    monkeypatch.setenv("TOCSIN_WEIGHTS", "sms_smpp=70,sms_smp=30")
    lines, sound = await check_installation(Settings(data_dir=tmp_path))
    assert not sound
    [wrong] = [line for line in lines if line.startswith("NOT SOUND")]
    assert wrong.startswith("NOT SOUND: TOCSIN_WEIGHTS: there is no driver 'sms_smp': use ")
