"""When a provider is left alone, for how long, and how it comes back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from services.channels.model.driver import Driver, Outcome
from services.channels.model.outcome import LATE
from services.channels.providers.breaker import FEW, FIRST_S, LONGEST_S, PROBES, WINDOW_S, Breaker
from services.channels.providers.call_window import CallWindow
from services.shared.clock import wall

A = Outcome


def told(breaker: Breaker, outcomes: list[Outcome], now: float = 0.0) -> list[float]:
    """The pauses it made of them; each is taken at once."""
    pauses = []
    for outcome in outcomes:
        pause = breaker.record(outcome, "", now)
        if pause:
            breaker.open_until = now + pause
            pauses.append(pause)
    return pauses


@pytest.mark.parametrize("fault", [A.PROVIDER_FAULT, A.NOT_SENT])
def test_five_in_a_row_open_it_and_one_accepted_begins_the_count_anew(fault: Outcome) -> None:
    assert [] == told(Breaker(), [fault] * 4 + [A.ACCEPTED] + [fault] * 4)
    assert [FIRST_S] == told(Breaker(), [fault] * 5)


def test_half_of_twenty_calls_gone_wrong_open_it_and_a_minute_old_ones_do_not_count() -> None:
    """Also where nothing fails five times running, and where each outcome is unknown."""
    assert [FIRST_S] == told(Breaker(), [A.ACCEPTED, A.AMBIGUOUS] * (FEW // 2))
    assert [] == told(Breaker(), [A.ACCEPTED, A.ACCEPTED, A.AMBIGUOUS] * FEW)
    old = Breaker()
    told(old, [A.AMBIGUOUS] * (FEW - 1))
    assert [] == told(old, [A.AMBIGUOUS], WINDOW_S + 1)


def test_a_number_that_is_refused_for_good_and_a_late_start_of_ours_say_nothing() -> None:
    one = Breaker()
    assert [] == told(one, [A.PERMANENT] * 100)
    assert [0.0] * 10 == [one.record(A.NOT_SENT, LATE, 0.0) for _ in range(10)]


def test_it_is_asked_carefully_and_left_alone_longer_each_time_up_to_a_minute() -> None:
    one, now, pauses = Breaker(), 0.0, told(Breaker(), [])
    for n in range(6):
        pauses += told(one, [A.NOT_SENT] * (5 if n == 0 else PROBES), now)
        assert one.is_open(now)
        now = one.open_until
        assert one.probing(now)
    assert [10.0, 20.0, 40.0, LONGEST_S, LONGEST_S, LONGEST_S] == pauses
    one.record(A.ACCEPTED, "", now)
    assert not one.probing(now)
    assert [FIRST_S] == told(one, [A.NOT_SENT] * 5, now)


def test_a_call_window_takes_nothing_while_it_is_open_and_three_at_a_time_after() -> None:
    one = Breaker()
    call_window = CallWindow(cast(Driver, SimpleNamespace(name="d", concurrency=50)), red=True, breaker=one)
    assert call_window.roomy()
    one.told(wall() + 60)
    assert not call_window.roomy()
    one.open_until = wall() - 1
    assert (True, PROBES) == (call_window.roomy(), call_window.free())
    one.record(A.ACCEPTED, "", wall())
    assert 50 == call_window.free()
