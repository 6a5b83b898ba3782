"""Chooses a team for a door by room, skill and walk, and its place on their list."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from services.router.planning.plan import WarningContext
from services.router.policy.engine import Policy
from services.router.policy.vocabulary import ASSIST_MIN, CALLED, SKILLS
from services.router.store import tables
from services.shared.database.engine import Connection
from services.shared.ledger.params import Visit
from services.shared.ledger.tables import DOOR_DRIVER, ON_A_LIST, delivery
from services.shared.ledger.team_signs import of_slots
from services.shared.messages import WorkerEntry

_SIZES = {"facility": 2, "slack_bucket_15min": 1000, "need": 16, "walk_route": 4_000_000_000}
_LIST = 2 * 1000 * 16 * 4_000_000_000  # above every place on a list that was not begun
_AT_WORK = ("pending", "retry", "accepted")


@dataclass
class Team:
    """One team under one warning. `room` more doors fit into its time, `open` stand on its list unvisited, `made` are visited.

    `had` counts every door ever given: places on a list only grow, also where doors were taken off it. `extra` is how many
    usual doors the open ones take longer than their number: somebody who is carried takes the time of several. `first` is how
    many usual doors those take that go before all others. A team that is not `there` has answered nobody and been at no door.
    """

    worker_id: str
    entry: WorkerEntry
    room: int
    had: int
    open: int
    made: int
    given: int = 0
    extra: int = 0
    first: int = 0
    there: bool = True

    @property
    def load(self) -> int:
        """How many usual doors its open ones take as long as."""
        return self.open + self.extra

    @property
    def begun(self) -> bool:
        """Whether it has been at a door."""
        return self.made > 0

    def wait_s(self, *, first: bool = False) -> float:
        """How long a door put on its list now would wait; `first`: one that goes before all that are not."""
        return 3600.0 * (self.first if first else self.load) / max(1, self.entry.doors_per_hour)

    def give(self, visit: Visit) -> None:
        """One more door."""
        takes = doors_worth(visit.team, self.entry.doors_per_hour)
        self.room -= takes
        self.extra += takes - 1
        self.first += takes if goes_first(visit) else 0
        self.open += 1
        self.given += 1

    def place(self, policy: Policy, visit: Visit, walk: int) -> int:
        """Where a door stands on the list, smaller first: by the policy's order, and behind what was begun.

        A call for help comes before everything, then a house of many: the team is told of it, and the list goes on as it was.
        """
        values = {
            "facility": 0 if visit.facility else 1,
            "slack_bucket_15min": min(999, visit.slack_quarters),
            "need": min(15, visit.rank),
            "walk_route": min(walk, 3_999_999_999),
        }
        key = 0
        for word in policy.door_list.order:
            key = key * _SIZES[word] + values[word]
        if visit.urgent:
            return key - 2 * _LIST
        if visit.facility and self.begun:
            return key - _LIST
        return key + (self.had + self.given + 1) * _LIST if self.begun and policy.door_list.never_reorder_begun else key


def goes_first(visit: Visit) -> bool:
    """A call for help and a house of many wait for no room: they come before what is on a list and not begun."""
    return visit.urgent or visit.facility


async def doors_by_team(db: Connection, warning_id: str) -> dict[str, tuple[list[Visit], int]]:
    """Team > (the doors on its list that are not visited, how many it has visited)."""
    mine = (delivery.c.warning_id == warning_id, delivery.c.driver == DOOR_DRIVER, ON_A_LIST)
    visited = sa.select(delivery.c.slot, sa.func.count().label("n")).where(*mine, delivery.c.answer != "")
    made = {r.slot: int(r.n) for r in await db.execute(visited.group_by(delivery.c.slot))}
    waiting = sa.select(delivery.c.slot, delivery.c.params).where(
        *mine, delivery.c.answer == "", delivery.c.send_state.in_(_AT_WORK)
    )
    open_: dict[str, list[Visit]] = {}
    for row in await db.execute(waiting):
        if isinstance(row.params, Visit):
            open_.setdefault(row.slot, []).append(row.params)
    return {slot: (open_.get(slot, []), made.get(slot, 0)) for slot in open_.keys() | made.keys()}


def doors_in(doors_per_hour: int, seconds: float) -> int:
    """How many doors a team can begin in a time: the last one is begun before it is over."""
    return math.ceil(doors_per_hour * max(0.0, seconds) / 3600)


def doors_worth(team: str, doors_per_hour: int) -> int:
    """How many usual doors one takes as long as, by who is asked for: where somebody is carried it is several."""
    longest = max(ASSIST_MIN.get(part, 0) for part in team.split("+"))
    return max(1, round(longest * doors_per_hour / 60))


async def room_of(db: Connection, ctx: WarningContext, now: float) -> tuple[int, bool]:
    """How many doors fit into all teams' time, and whether any team may be given one now: looked at before any work."""
    teams = await teams_of(db, ctx, now)
    free = any(t.room > 0 and t.open < ctx.policy.door_list.per_team_max for t in teams.values())
    return sum(max(0, t.room) for t in teams.values()), free


async def teams_of(tx: Connection, ctx: WarningContext, now: float) -> dict[str, Team]:
    """The teams on shift for a warning, by id, without those that cannot go or were relieved.

    Room is what fits into the time that is left, so that a team that is quicker than thought is given more, and a slow one no
    more than it can do. A team whose capacity was taken away, because nobody there answered, has none until it has been at a
    door.
    """
    warning_id = ctx.issued.warning_id
    counts = await doors_by_team(tx, warning_id)
    found = {}
    shift = await tables.workers_of(tx, warning_id)
    signs = await of_slots(tx, [row.worker_id for row in shift], now)
    for row in shift:
        if row.worker_id in signs and signs[row.worker_id].rests:
            continue
        doors, made = counts.get(row.worker_id, ([], 0))
        entry = tables.decode_worker(row.entry)
        there = row.capacity > 0 or made > 0
        fits = doors_in(entry.doors_per_hour, ctx.last_door() - now) if there else 0
        takes = [(doors_worth(visit.team, entry.doors_per_hour), goes_first(visit)) for visit in doors]
        load = sum(worth for worth, _ in takes)
        found[row.worker_id] = Team(
            row.worker_id, entry, fits - load, row.assigned, len(doors), made, extra=load - len(doors),
            first=sum(worth for worth, first in takes if first), there=there,
        )  # fmt: skip
    return found


def choose(policy: Policy, teams: Iterable[Team], grid: str, team: str, *, first: bool = False) -> Team | None:
    """The team of the grid with the fewest doors, else any; one with the skill where it is not much later.

    `first`: for a door that waits for no room, by how soon each is there. Else None where nobody has room: in their time, or on a
    list that is as long as the policy lets one be.
    """
    found = list(teams)
    if first:
        free = [p for p in found if p.there] or found
    else:
        free = [p for p in found if p.room > 0 and p.open < policy.door_list.per_team_max]
    if not free:
        return None
    plain = _fewest([p for p in free if grid in p.entry.grids] or free, first)
    wanted = [part for part in SKILLS if part in team.split("+")]
    soonest = plain.wait_s(first=first)
    in_time = [p for p in free if p.wait_s(first=first) - soonest <= policy.combine.skill_wait_s]
    least = min(_lacks(p, wanted) for p in in_time)
    if _lacks(plain, wanted) == least:
        return plain
    best = [p for p in in_time if _lacks(p, wanted) == least]
    return _fewest([p for p in best if grid in p.entry.grids] or best, first)


def _lacks(team: Team, wanted: Sequence[str]) -> tuple[int, int]:
    """How many of the parts it has not: those that nobody can be called out for first."""
    missing = [part for part in wanted if not set(SKILLS[part]) & set(team.entry.skills)]
    return sum(part not in CALLED for part in missing), len(missing)


def _fewest(teams: list[Team], first: bool) -> Team:
    return min(teams, key=lambda p: (p.first if first else 0, p.load + p.made, p.worker_id))
