"""Doors against teams: how many are not reached in time, who they are, and how many more teams would do it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given

from services.router.doors.assignment import HomeToVisit, Stop, Team, share_out
from services.router.doors.capacity import Capacity, capacity, foretold
from tests.kit.router_alone import NOON, worker
from tests.unit.router.test_assignment import LONG, POLICY, home, homes_, team, teams_
from tests.unit.router.test_assignment import built as built_teams

HOUR = NOON + 3600


def reckoned(homes: Sequence[HomeToVisit], *teams: Team) -> Capacity:
    return capacity(POLICY, homes, {one.worker_id: one for one in teams}, NOON)


def three(last: float = HOUR) -> tuple[Team, ...]:
    return tuple(team(name, "g", per_hour=rate, last=last) for name, rate in (("a", 10), ("b", 10), ("c", 12)))


def test_so_many_doors_so_many_teams_so_many_minutes_too_long() -> None:
    """Three teams do thirty-two doors in an hour: of forty-one nine are not reached, and one more team would do them."""
    homes = [home(n, back=HOUR) for n in range(41)]
    found = reckoned(homes, *three())
    assert (41, 3, 9, HOUR, 1) == (found.homes, found.teams, len(found.not_reached), found.until, found.more_teams)
    assert 18 * 60 == found.over_s, "thirteen doors of six minutes"
    assert {("", None)} == {(one.worker_id, one.begins) for one in found.not_reached}
    assert [one.home_id for one in found.not_reached] == [f"{n:04d}" for n in range(32, 41)]
    enough = reckoned(homes[:32], *three())
    assert (32, [], 0.0, 0) == (enough.homes, enough.not_reached, enough.over_s, enough.more_teams)


def test_a_call_for_help_makes_others_late_and_they_are_named() -> None:
    """A list that was full to the minute: whoever stands last on it is not reached, and when the team is there is said."""
    one = team("a", "g", last=HOUR)
    share_out(LONG, [home(n, back=HOUR) for n in range(10)], [one], NOON)
    found = reckoned([home(99, back=HOUR, urgent=True)], one)
    assert [("0009", one.worker_id, HOUR)] == list(found.not_reached)
    assert (11, 1) == (found.homes, found.more_teams)
    assert 10 == one.open, "reckoning gives nobody anything"


def test_a_relieved_team_does_what_it_has_and_helps_nobody_else() -> None:
    """Its late homes are told; it counts as no team for those that wait."""
    out_long = team("a", "g", last=HOUR)
    share_out(LONG, [home(n, back=HOUR) for n in range(10)], [out_long], NOON)
    late = replace(
        out_long, rests=True, last=NOON + 1800, stops=[Stop(home(n, back=NOON + 1800), n) for n in range(10)]
    )
    found = reckoned([home(99, back=HOUR)], late)
    assert ({"0005", "0006", "0007", "0008", "0009", "0099"}, 0) == (
        {one.home_id for one in found.not_reached},
        found.teams,
    )


def test_a_team_kept_for_houses_reaches_no_other_door() -> None:
    kept = replace(team("a", "g", last=HOUR), for_houses=True)
    assert ["0001"] == [one.home_id for one in reckoned([home(1, back=HOUR)], kept).not_reached]


def test_a_team_that_is_not_there_reaches_nobody() -> None:
    one = replace(team("a", "g", last=HOUR), there=False, stops=[Stop(home(1, back=HOUR), 1)])
    found = reckoned([home(2, back=HOUR)], one)
    assert (2, 0, 2, 1) == (found.homes, found.teams, len(found.not_reached), found.more_teams)


def test_where_nobody_is_done_in_time_no_further_team_helps() -> None:
    """Half an hour to carry somebody, and half an hour left: a team that sets out now is five minutes late."""
    carried = [home(n, asks="lift_team", back=NOON + 1800) for n in range(3)]
    late, both = reckoned(carried), reckoned([*carried, home(9, back=NOON + 1800)])
    assert ((0, 3), (1, 3)) == ((late.more_teams, late.beyond), (both.more_teams, both.beyond))
    soon = reckoned([replace(one, turn_back=NOON + 2100) for one in carried])
    assert (3, 0) == (soon.more_teams, soon.beyond)


@given(homes_, teams_)
def test_what_is_told_is_what_the_sharing_out_does(
    homes: list[HomeToVisit], found: list[tuple[list[str], list[str], int, int, bool, bool]]
) -> None:
    """Each home once; nobody not reached where everybody is done in time, and more teams named whenever somebody is."""
    homes = [replace(one, turn_back=HOUR) for one in homes]
    told = capacity(POLICY, homes, {one.worker_id: one for one in built_teams(found)}, NOON)
    assert len(homes) + sum(one.open for one in built_teams(found)) == told.homes
    late = [one.home_id for one in told.not_reached]
    assert len(set(late)) == len(late) <= told.homes
    assert bool(late) == (told.more_teams + told.beyond > 0)
    assert told.more_teams <= len(late) - told.beyond


def test_before_sending_the_most_urgent_are_done_first() -> None:
    """Ten usual doors: one who is carried takes five, five of the others are done, six are left to one more team."""
    workers = [worker("a", "g", per_hour=10), worker("b", "g", per_hour=0)]
    found = foretold([(7, "officer", 11), (2, "lift_team", 1)], workers, 3600.0)
    assert (12, 16, 10, 1, 6, 1) == (
        found.doors,
        found.takes,
        found.possible,
        found.teams,
        found.left,
        found.more_teams,
    )
    assert 36 * 60 == found.over_s
    nobody = foretold([(7, "officer", 20)], [], 3600.0)
    assert (20, 0, 20, 3, 0.0) == (nobody.left, nobody.teams, nobody.takes, nobody.more_teams, nobody.over_s)
    carried = foretold([(2, "lift_team", 5)], workers, 2400.0)
    assert (1, 4, 4, 0) == (carried.doors - carried.left, carried.left, carried.more_teams, carried.beyond)
    assert (0, 4) == foretold([(2, "lift_team", 5)], workers, 1800.0)[-2:]
