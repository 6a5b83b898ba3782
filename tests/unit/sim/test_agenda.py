"""The agenda: order, rounding, and chance that does not depend on order."""

from __future__ import annotations

import asyncio

import pytest

from services.shared.clock import LinearClock, StepClock
from services.sim.agenda import AT_ONCE, Agenda
from services.sim.chance import chance, lognormal


async def test_actions_run_when_their_time_has_come_in_order_of_time_and_key() -> None:
    """Whatever order they were put down in; what is later stays."""
    clock, ran = StepClock(100.0), []
    agenda = Agenda(clock)
    for when, key in ((103.0, "c"), (102.0, "b"), (102.0, "a"), (110.0, "later")):

        async def action(name: str = key) -> None:
            ran.append(name)

        agenda.at(when, key, action)
    assert await agenda.run_due() is False
    assert agenda.next_at() == 102.0
    clock.advance_to(105.0)
    assert await agenda.run_due() is True
    assert ran == ["a", "b", "c"]
    assert agenda.next_at() == 110.0


async def test_times_are_rounded_up_to_the_quantum() -> None:
    """Fewer steps, and never earlier than asked."""
    agenda = Agenda(StepClock(0.0), quantum_s=5.0)

    async def nothing() -> None:
        pass

    agenda.at(11.0, "x", nothing)
    assert agenda.next_at() == 15.0


async def test_at_most_so_many_run_beside_each_other() -> None:
    """A burst does not open thousands of connections."""
    agenda = Agenda(StepClock(0.0))
    most = now = 0

    async def action() -> None:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1

    for n in range(300):
        agenda.at(0.0, str(n), action)
    assert await agenda.run_due() is True
    assert most == AT_ONCE
    assert not agenda.busy


async def test_an_actions_error_ends_a_stepped_run() -> None:
    """A simulation that went wrong must not look like one that went well."""
    agenda = Agenda(StepClock(0.0))

    async def wrong() -> None:
        raise ValueError("no")

    agenda.at(0.0, "x", wrong)
    with pytest.raises(ExceptionGroup):
        await agenda.run_due()
    assert not agenda.busy


async def test_along_a_running_clock_things_happen_at_their_time_and_new_ones_are_seen() -> None:
    """An action put down while the loop sleeps does not wait for the one it slept on; a failing one stops nobody."""
    agenda, stop = Agenda(LinearClock(anchor=0.0, rate=1000.0)), asyncio.Event()
    done = asyncio.Event()

    async def wrong() -> None:
        raise ValueError("no")

    async def first() -> None:
        agenda.at(agenda.clock.now() + 10, "second", second)

    async def second() -> None:
        done.set()

    running = asyncio.create_task(agenda.run_live(stop))
    agenda.at(1e9, "far", first)
    await asyncio.sleep(0)
    agenda.at(5.0, "wrong", wrong)
    agenda.at(6.0, "first", first)
    await asyncio.wait_for(done.wait(), 2)
    stop.set()
    await asyncio.wait_for(running, 2)


def test_chance_is_even_and_has_no_shared_stream() -> None:
    """The same parts give the same number; many parts fill the range."""
    drawn = [chance(1, "a", n) for n in range(4000)]
    assert drawn == [chance(1, "a", n) for n in reversed(range(4000))][::-1]
    assert chance(1, "a", 1) != chance(2, "a", 1)
    assert abs(sum(drawn) / len(drawn) - 0.5) < 0.02
    assert sorted(lognormal(240, 1.0, u) for u in drawn)[2000] == pytest.approx(240, rel=0.1)
