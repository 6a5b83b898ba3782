"""Reckons what the teams can do before it is time to turn back: who will not be reached, and how many teams would do it.

Before a warning is sent by counts, since nobody has a door yet; while it runs by the plan that the sharing out makes. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from services.router.doors.assignment import (
    TRAVEL_S,
    HomeToVisit,
    Team,
    doors_in,
    doors_worth,
    in_time,
    share_out,
    timetable,
)
from services.router.policy.engine import Policy
from services.shared.messages import WorkerEntry

USUAL_RATE = 10  # doors an hour of a team that is not on shift yet
FAR_S = 30 * 86400.0  # no warning lasts as long


class NotReached(NamedTuple):
    """A home that no team is done with in time; the team on whose list it stands all the same, and when that is there."""

    home_id: str
    worker_id: str
    begins: float | None


class Capacity(NamedTuple):
    """What the teams can do. `homes` are not visited yet; `teams` are there; `over_s` is how much longer the work takes than
    there is time; `until` is when the last of them must be on the way to safety. `more_teams` would reach all who are not
    reached but `beyond`: homes that take longer than there is time for any further team."""

    homes: int
    teams: int
    over_s: float
    until: float
    not_reached: list[NotReached]
    more_teams: int
    beyond: int


def capacity(policy: Policy, waiting: Sequence[HomeToVisit], teams: Mapping[str, Team], now: float) -> Capacity:
    """As the teams stand now: what is on their lists, and what waits for one, shared out to the end of their time."""
    endless = policy.model_copy(update={"door_list": policy.door_list.model_copy(update={"per_team_max": 1_000_000})})
    planned = [_copy(one) for one in teams.values()]
    shared = share_out(endless, waiting, planned, now)
    late = [
        NotReached(seen.stop.home.home_id, one.worker_id, seen.begins)
        for one in planned
        for seen in timetable(one, now)
        if not one.there or not in_time(one, seen)
    ]
    left = [NotReached(home.home_id, "", None) for home in shared.left]
    homes = {stop.home.home_id: stop.home for one in planned for stop in one.stops}
    homes |= {home.home_id: home for home in shared.left}
    working = [one for one in planned if one.there and not one.rests and one.entry.doors_per_hour]
    until = max((_back(home, one) for one in planned for home in homes.values()), default=now)
    undone = [homes[one.home_id] for one in (*late, *left)]
    return Capacity(
        len({*homes, *(home.home_id for home in waiting)}), len(working), _over(endless, homes, working, now, until),
        until, [*late, *left], *_more_teams(undone, working, now, until),
    )  # fmt: skip


def _copy(one: Team) -> Team:
    return replace(one, stops=list(one.stops))


def _back(home: HomeToVisit, one: Team) -> float:
    return one.last if home.turn_back is None else home.turn_back


def _over(policy: Policy, homes: Mapping[str, HomeToVisit], teams: Sequence[Team], now: float, until: float) -> float:
    """How much longer the last team is out if every home is visited, shared out as if there were time."""
    free = [Team(one.entry, now + FAR_S, one.had, one.made) for one in teams]
    share_out(policy, [replace(home, turn_back=None, keeps="") for home in homes.values()], free, now)
    ends = [timetable(one, now)[-1].ends for one in free if one.stops]
    return max(0.0, max(ends, default=now) - until)


def _more_teams(undone: Sequence[HomeToVisit], teams: Sequence[Team], now: float, until: float) -> tuple[int, int]:
    """How many teams like those that are out, or usual ones, would reach them: each takes the next home that fits. How many
    homes none of them would reach."""
    rates = sorted(one.entry.doors_per_hour for one in teams) or [USUAL_RATE]
    entry = WorkerEntry("", (), (), rates[len(rates) // 2], "", ())
    usual = Team(entry, until)
    ends: list[float] = []
    beyond = 0
    for home in sorted(undone, key=lambda one: (-usual.takes(one), one.home_id)):
        seconds, back = usual.takes(home) * usual.door_s, _back(home, usual)
        if now + TRAVEL_S + seconds > back:
            beyond += 1
            continue
        n = next((n for n, end in enumerate(ends) if end + seconds <= back), None)
        if n is None:
            ends.append(now + TRAVEL_S + seconds)
        else:
            ends[n] += seconds
    return len(ends), beyond


class Foretold(NamedTuple):
    """The same before sending: `doors` are needed at once, as long as `takes` usual ones; `possible` are done in time."""

    doors: int
    takes: int
    possible: int
    teams: int
    over_s: float
    left: int
    more_teams: int
    beyond: int


def foretold(doors: Sequence[tuple[int, str, int]], workers: Sequence[WorkerEntry], seconds: float) -> Foretold:
    """`doors` are (rank, who is asked for, how many); the most urgent are done first. `seconds` until it is time to turn back."""
    working = [one for one in workers if one.doors_per_hour]
    rates = sorted(one.doors_per_hour for one in working) or [USUAL_RATE]
    usual = rates[len(rates) // 2]
    possible = sum(doors_in(one.doors_per_hour, seconds) for one in working)
    each = doors_in(usual, seconds - TRAVEL_S)
    takes = left = over = beyond = 0
    for _, asked, count in sorted(doors):
        worth = doors_worth(asked, usual)
        done = min(count, max(0, possible - takes) // worth)
        takes += worth * count
        left += count - done
        if worth > each:
            beyond += count - done
        else:
            over += math.ceil((count - done) / (each // worth)) * each if worth > 1 else count - done
    more = math.ceil(over / each) if over else 0
    rate = sum(one.doors_per_hour for one in working)
    over_s = max(0.0, 3600.0 * takes / rate - seconds) if rate else 0.0
    return Foretold(sum(n for _, _, n in doors), takes, possible, len(working), over_s, left, more, beyond)
