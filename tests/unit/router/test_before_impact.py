"""What counts is what had been done before the danger came: the figures, from what is known of each person."""

from __future__ import annotations

import pytest

from services.router.report.before_impact import Seen, measured

RELEASED = 1_000_000.0


def minute(at: float) -> float:
    return RELEASED + 60 * at


def someone(*groups: str, **known: object) -> Seen:
    """A person of these groups; times are minutes from the release."""
    times = {name: None if at is None else minute(at) for name, at in known.items() if name.endswith("_at")}  # type: ignore[arg-type]
    others = {name: value for name, value in known.items() if not name.endswith("_at")}
    return Seen(groups, **{"cannot_leave": False, "facility": False, **others, **times})  # type: ignore[arg-type]


def test_a_path_that_closed_after_the_water_counts_for_nobody() -> None:
    """By group 15 minutes before and at the impact; groups overlap; who is in no group is general."""
    people = [
        someone("blind", closed_at=45.0),
        someone("blind", "no_phone", closed_at=45.1),
        someone("no_phone", closed_at=60.1),
        someone(closed_at=10),
        someone(),
    ]
    found = measured(people, RELEASED, minute(60))
    assert (15, 60.0) == (found["minutes"], found["lead_min"])
    assert {"blind": [1, 2], "general": [1, 2], "no_phone": [0, 2]} == found["groups"]
    assert {"blind": [2, 2], "general": [1, 2], "no_phone": [1, 2]} == found["groups_at_impact"]
    assert "no_phone" == found["worst_group"]


def test_the_unregistered_stand_in_the_figures_and_are_no_need_group() -> None:
    """Nobody knows what they heard: they are counted, and not called the worst."""
    found = measured([someone("blind", closed_at=1), someone("blind")], RELEASED, minute(60), unregistered=7)
    assert [0, 7] == found["groups"]["unregistered"] == found["groups_at_impact"]["unregistered"]
    assert "blind" == found["worst_group"]


def test_who_cannot_leave_and_houses_are_on_the_way_or_are_not() -> None:
    """A house is no person who cannot leave; who moved a minute too late did not move."""
    people = [
        someone("mobility", cannot_leave=True, moving_at=45),
        someone("mobility", cannot_leave=True, moving_at=46),
        someone("facility", cannot_leave=True, facility=True, moving_at=20),
        someone("facility", cannot_leave=True, facility=True),
    ]
    found = measured(people, RELEASED, minute(60))
    assert [1, 2] == found["cannot_leave_moving"]
    assert [1, 2] == found["facilities_moving"]


def test_knocks_and_the_time_to_turn_back() -> None:
    """The first knock of each who was knocked at; every knock after the time counts, where there is such a time."""
    people = [someone("blind", knocks=(minute(n), minute(70))) for n in (10, 20, 30, 40)] + [someone("blind")]
    found = measured(people, RELEASED, minute(60), turn_back=minute(60))
    assert {"p50": 20.0, "p90": 40.0} == found["first_knock_min"]
    assert 4 == found["knocks_after_turn_back"]
    assert 0 == measured(people, RELEASED, minute(60))["knocks_after_turn_back"]
    assert {"p50": None, "p90": None} == measured([someone()], RELEASED, minute(60))["first_knock_min"]


@pytest.mark.parametrize(("met", "median_min", "unmet"), [((12, 14, 30), 14.0, 1), ((), None, 4)])
def test_help_is_met_by_somebody_or_unmet(met: tuple[float, ...], median_min: float | None, unmet: int) -> None:
    """From the first word of it to a person who is there."""
    people = [someone(asked_at=0, met_at=met[n] if n < len(met) else None) for n in range(4)] + [someone()]
    found = measured(people, RELEASED, minute(60))["help"]
    assert {"asked": 4, "met": len(met), "median_min": median_min, "unmet": unmet} == found
