"""Shares homes out to teams and plans when each is visited. Pure: plain values in, plain values out, no clock, no database.

The most urgent home comes first, in the policy's order, and goes to a team of its grid, to one with the skill it asks for
where that is not much later, else to any that is done there before it is time to turn back. A team walks its list in the
policy's order: within a quarter of an hour of slack grid by grid, along the walk. What is begun keeps its place.

A home is everybody behind one door: they stand on one list, beside each other. Times are warning time, in seconds.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from services.router.policy.engine import Policy
from services.router.policy.vocabulary import ASSIST_MIN, CALLED, SKILLS, TRAVEL_MIN
from services.shared.messages import WorkerEntry

TRAVEL_S = (
    TRAVEL_MIN * 60.0
)  # to the first door, and from one grid to the next; from door to door it is in the team's rate
_WALK = 2_000_000_001
_GRIDS = 256
_SIZES = {"facility": 2, "slack_bucket_15min": 100, "need": 16, "walk_route": _GRIDS * _WALK}
_LIST = math.prod(_SIZES.values())  # above every place on a list that was not begun


@dataclass(frozen=True, slots=True)
class HomeToVisit:
    """Where somebody has to go: a person, or several behind one door.

    `asks` is who is asked for, for each of them; `walk` the place in the walk of its grid; `rank` who comes first, smaller
    first; `quarters` how many quarters of an hour are left to set out. `turn_back` is when a team must be away from it, None
    where nothing ends visits. `keeps` is the team that has been there, or has somebody of it on its list.
    """

    home_id: str
    grid: str
    walk: int
    asks: tuple[str, ...]
    rank: int
    quarters: int
    turn_back: float | None = None
    urgent: bool = False
    facility: bool = False
    keeps: str = ""

    @property
    def goes_first(self) -> bool:
        """A call for help and a house of many wait for no room: they come before what is on a list and not begun."""
        return self.urgent or self.facility


class Stop(NamedTuple):
    """A home on a list, and its place there, smaller first."""

    home: HomeToVisit
    order: int


class Visited(NamedTuple):
    """When a team is at a home, as planned."""

    stop: Stop
    begins: float
    ends: float


@dataclass
class Team:
    """One team under one warning; `stops` is its list as far as it was not visited, in its order.

    `last` is when a visit must be over where its home says nothing else. `had` counts every door ever given: places on a list
    only grow, also where doors were taken off it. `made` are visited. A team that is not `there` has answered nobody and been at
    no door.
    """

    entry: WorkerEntry
    last: float
    had: int = 0
    made: int = 0
    there: bool = True
    stops: list[Stop] = field(default_factory=list)
    for_houses: bool = (
        False  # kept for houses of many: no other door is put on its list, but a call for help nobody else goes to
    )
    rests: bool = (
        False  # relieved, and still out: nothing is put on its list, but people behind a door that stands there
    )
    given: int = 0  # homes of this sharing out
    load: int = 0  # how many usual doors its open ones take as long as
    first: int = 0  # how many of them are before all others

    def __post_init__(self) -> None:
        self.weigh()

    def weigh(self) -> None:
        """Reckons what its list takes."""
        self.load = sum(self.takes(stop.home) for stop in self.stops)
        self.first = sum(self.takes(stop.home) for stop in self.stops if stop.home.goes_first)

    @property
    def worker_id(self) -> str:
        return self.entry.worker_id

    @property
    def open(self) -> int:
        """How many homes stand on its list."""
        return len(self.stops)

    @property
    def begun(self) -> bool:
        """Whether it has been at a door."""
        return self.made > 0

    @property
    def door_s(self) -> float:
        """How long a usual door takes, with the way from the last one."""
        return 3600.0 / max(1, self.entry.doors_per_hour)

    def takes(self, home: HomeToVisit) -> int:
        """How many usual doors a home takes as long as: everybody who is carried takes their own time."""
        worth = [doors_worth(team, self.entry.doors_per_hour) for team in home.asks]
        return max(1, sum(one for one in worth if one > 1))

    def wait_s(self, *, first: bool = False) -> float:
        """How long a door put on its list now would wait; `first`: one that goes before all that are not."""
        return (self.first if first else self.load) * self.door_s

    def room(self, now: float) -> int:
        """How many more usual doors it can do in its time."""
        return (doors_in(self.entry.doors_per_hour, self.last - now) if self.there else 0) - self.load

    def place(self, policy: Policy, home: HomeToVisit) -> int:
        """Where a home stands on the list: by the policy's order, and behind what was begun.

        A call for help comes before everything, then a house of many: the team is told of it, and the list goes on as it was.
        """
        key = 0
        values = {**_values(home), "walk_route": self._grid(home.grid) * _WALK + min(home.walk, _WALK - 1)}
        for word in policy.door_list.order:
            key = key * _SIZES[word] + values[word]
        if home.urgent:
            return key - 2 * _LIST
        if home.facility and self.begun:
            return key - _LIST
        return key + (self.had + self.given + 1) * _LIST if self.begun and policy.door_list.never_reorder_begun else key

    def _grid(self, grid: str) -> int:
        """Its own grids as it walks them, then others, the same one always in the same place."""
        if grid in self.entry.grids:
            return min(self.entry.grids.index(grid), _GRIDS // 2 - 1)
        return _GRIDS // 2 + int.from_bytes(grid.encode(), "big") % (_GRIDS // 2)

    def put(self, home: HomeToVisit, order: int) -> None:
        """One more home on the list."""
        self.stops.insert(bisect_right(self.stops, order, key=_order), Stop(home, order))
        self.load += self.takes(home)
        self.first += self.takes(home) if home.goes_first else 0
        self.given += 1

    def join(self, home: HomeToVisit) -> Stop | None:
        """Puts people beside the others of their home; None where it is not on the list."""
        n = next((n for n, stop in enumerate(self.stops) if stop.home.home_id == home.home_id), None)
        if n is None:
            return None
        stop = self.stops[n]
        both = replace(stop.home, asks=(*stop.home.asks, *home.asks), rank=min(stop.home.rank, home.rank))
        self.load += self.takes(both) - self.takes(stop.home)
        self.stops[n] = Stop(both, stop.order)
        return self.stops[n]


def timetable(team: Team, now: float, stops: Sequence[Stop] | None = None) -> list[Visited]:
    """When the team is at each home of its list, begun now: in a grid of theirs, or at the door where they are."""
    found: list[Visited] = []
    at, grid = now, ""
    for stop in team.stops if stops is None else stops:
        there = grid == stop.home.grid if grid else team.begun or stop.home.grid in team.entry.grids
        at += 0.0 if there else TRAVEL_S
        ends = at + team.takes(stop.home) * team.door_s
        found.append(Visited(stop, at, ends))
        at, grid = ends, stop.home.grid
    return found


def in_time(team: Team, visited: Visited) -> bool:
    """Whether a visit is over when it is time to turn back; whoever goes first is gone to as long as one may set out."""
    back = _back(team, visited.stop.home)
    return visited.begins < back if visited.stop.home.goes_first else visited.ends <= back


def _back(team: Team, home: HomeToVisit) -> float:
    return team.last if home.turn_back is None else home.turn_back


class SharedOut(NamedTuple):
    """What came of it. `given` are homes with their team and their place on its list; `later` waits for a list that is as long
    as one may be; `left` is done by no team in its time. In the order in which they were shared out."""

    given: list[tuple[HomeToVisit, Team, int]]
    later: list[HomeToVisit]
    left: list[HomeToVisit]


def share_out(policy: Policy, homes: Iterable[HomeToVisit], teams: Iterable[Team], now: float) -> SharedOut:
    """Every home on one list, waiting for one, or left over. The teams' lists grow by what they are given."""
    every = sorted(teams, key=lambda t: t.worker_id)
    shared = SharedOut([], [], [])
    lists = {team.worker_id: team for team in every}
    full = [_Planned(team, now) for team in every]
    for home in sorted(homes, key=lambda h: urgency(policy, h)):
        beside = None if home.goes_first or home.keeps not in lists else lists[home.keeps].join(home)
        if beside is not None:
            full[every.index(lists[home.keeps])].changed()
            shared.given.append((home, lists[home.keeps], beside.order))
            continue
        most = policy.door_list.per_team_max
        going = [one for one in full if not one.team.rests]
        open_to = going if home.facility else [one for one in going if not one.team.for_houses]
        if home.urgent and not any(one.team.there for one in open_to):
            open_to = going
        found = _choose(policy, [one for one in open_to if one.listed < most or home.goes_first], home)
        if found is not None:
            order = found.team.place(policy, home)
            found.put(home, order)
            found.listed += 1
            shared.given.append((home, found.team, order))
        elif (after := _choose(policy, [one for one in open_to if one.listed >= most], home)) is not None:
            after.put(home, after.team.place(policy, home))
            after.beyond.append(home.home_id)
            shared.later.append(home)
        else:
            shared.left.append(home)
    for one in full:
        one.forget()
    return shared


def urgency(policy: Policy, home: HomeToVisit) -> tuple[object, ...]:
    """Who is given a team before whom: calls for help and houses, then the policy's order, then the walk."""
    order = [_values(home).get(word, home.walk) for word in policy.door_list.order]
    return (not home.urgent, not home.facility, *order, home.grid, home.home_id)


class _Planned:
    """A team while homes are shared out, with what is asked of its list again and again."""

    def __init__(self, team: Team, now: float) -> None:
        self.team = team
        self.listed = team.open
        self.beyond: list[str] = []  # planned after a list that is full, and not on it
        self._now = now
        self.changed()

    def changed(self) -> None:
        """Its times and its grids are asked for again."""
        team = self.team
        self._times = timetable(team, self._now)
        self.done = self._times[-1].ends if self._times else self._now
        self.grids = {stop.home.grid for stop in team.stops}
        self._late = any(not in_time(team, v) for v in self._times)
        self._latest = max((_back(team, v.stop.home) for v in self._times), default=0.0)

    def put(self, home: HomeToVisit, order: int) -> None:
        self.team.put(home, order)
        self.changed()

    def forget(self) -> None:
        """Takes off what was only planned."""
        gone = set(self.beyond)
        kept = [stop for stop in self.team.stops if stop.home.home_id not in gone]
        self.team.given -= len(self.team.stops) - len(kept)
        self.team.stops[:] = kept
        self.team.weigh()

    def fits(self, policy: Policy, home: HomeToVisit) -> bool:
        """Whether it is done in time, and makes no home late that was in time."""
        team = self.team
        if not team.there:
            return False
        after = self.done + team.takes(home) * team.door_s
        if after > max(self._latest, _back(team, home)) and not self._late:
            return False  # whatever comes last would be late
        order = team.place(policy, home)
        n = bisect_right(team.stops, order, key=_order)
        following = timetable(team, self._now, [*team.stops[:n], Stop(home, order), *team.stops[n:]])
        was_late = {v.stop.home.home_id for v in self._times[n:] if not in_time(team, v)} if self._late else set[str]()
        return all(in_time(team, v) or v.stop.home.home_id in was_late for v in following[n:])


def _choose(policy: Policy, planned: Sequence[_Planned], home: HomeToVisit) -> _Planned | None:
    first = home.goes_first
    free = planned
    if first:
        free = [p for p in planned if p.team.there] or planned
    known = next((p for p in free if p.team.worker_id == home.keeps), None)
    if known is not None and (first or known.fits(policy, home)):
        return known
    free = sorted(free, key=lambda p: _nearest(p, home))
    plain = next((p for p in free if first or p.fits(policy, home)), None)
    if plain is None:
        return None
    wanted = [part for part in SKILLS if any(part in team.split("+") for team in home.asks)]
    lacks = _lacks(plain.team, wanted)
    if lacks == (0, 0):
        return plain
    soonest = plain.team.wait_s(first=first)
    able = [
        p
        for p in free
        if p.team.wait_s(first=first) - soonest <= policy.combine.skill_wait_s and _lacks(p.team, wanted) < lacks
    ]
    able.sort(key=lambda p: _lacks(p.team, wanted))  # the nearest of those that lack the same
    return next((p for p in able if first or p.fits(policy, home)), plain)


def _nearest(planned: _Planned, home: HomeToVisit) -> tuple[object, ...]:
    """A team of the grid, then one that is there anyhow, then any: the one that is soonest done. That a team is in the grid
    already is worth the time of a way there and back."""
    team = planned.team
    own, there = home.grid in team.entry.grids, home.grid in planned.grids
    grid = 0 if own else 1 if there else 2
    way = 0.0 if there or (own and not team.stops) else 2 * TRAVEL_S
    return grid, team.first if home.goes_first else 0, planned.done + way, team.made, team.worker_id


def _lacks(team: Team, wanted: Sequence[str]) -> tuple[int, int]:
    """How many of the parts it has not: those that nobody can be called out for first."""
    missing = [part for part in wanted if not set(SKILLS[part]) & set(team.entry.skills)]
    return sum(part not in CALLED for part in missing), len(missing)


def _values(home: HomeToVisit) -> dict[str, int]:
    return {
        "facility": 0 if home.facility else 1,
        "slack_bucket_15min": min(_SIZES["slack_bucket_15min"] - 1, home.quarters),
        "need": min(_SIZES["need"] - 1, home.rank),
    }


def _order(stop: Stop) -> int:
    return stop.order


def doors_in(doors_per_hour: int, seconds: float) -> int:
    """How many usual doors a team is done with in a time."""
    return math.floor(doors_per_hour * max(0.0, seconds) / 3600 + 1e-9)


def doors_worth(team: str, doors_per_hour: int) -> int:
    """How many usual doors one takes as long as, by who is asked for: where somebody is carried it is several."""
    longest = max(ASSIST_MIN.get(part, 0) for part in team.split("+"))
    return max(1, round(longest * doors_per_hour / 60))
