"""Chooses a team for a door by room, skill and walk, and its place on their list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from services.router.policy.engine import Policy
from services.router.policy.vocabulary import CALLED, SKILLS
from services.router.store import tables
from services.shared.database.engine import Connection
from services.shared.ledger.params import Visit
from services.shared.ledger.tables import DOOR_DRIVER, ON_A_LIST, delivery
from services.shared.messages import WorkerEntry

_SIZES = {"facility": 2, "slack_bucket_15min": 1000, "walk_route": 4_000_000_000}
_LIST = 2 * 1000 * 4_000_000_000  # above every place on a list that was not begun
_AT_WORK = ("pending", "retry", "accepted")


@dataclass
class Team:
    """One team under one warning. `room` doors fit into its time, `open` stand on its list unvisited, `made` are visited.

    `had` counts every door ever given: places on a list only grow, also where doors were taken off it.
    """

    worker_id: str
    entry: WorkerEntry
    room: int
    had: int
    open: int
    made: int
    given: int = 0

    @property
    def begun(self) -> bool:
        """Whether it has been at a door."""
        return self.made > 0

    @property
    def wait_s(self) -> float:
        """How long a door put on its list now would wait."""
        return 3600.0 * self.open / max(1, self.entry.doors_per_hour)

    def give(self) -> None:
        """One more door."""
        self.room -= 1
        self.open += 1
        self.given += 1

    def place(self, policy: Policy, visit: Visit, walk: int) -> int:
        """Where a door stands on the list, smaller first: by the policy's order, and behind what was begun.

        A call for help comes before everything: the team is told of it, and the list goes on as it was.
        """
        values = {
            "facility": 0 if visit.facility else 1,
            "slack_bucket_15min": min(999, visit.slack_quarters),
            "walk_route": min(walk, 3_999_999_999),
        }
        key = 0
        for word in policy.door_list.order:
            key = key * _SIZES[word] + values[word]
        if visit.urgent:
            return key - _LIST
        return key + (self.had + self.given + 1) * _LIST if self.begun and policy.door_list.never_reorder_begun else key


async def doors_by_team(db: Connection, warning_id: str) -> dict[str, tuple[int, int]]:
    """Team > (doors on its list unvisited, doors visited)."""
    mine = sa.and_(delivery.c.warning_id == warning_id, delivery.c.driver == DOOR_DRIVER, ON_A_LIST)
    waiting = sa.and_(delivery.c.answer == "", delivery.c.send_state.in_(_AT_WORK))
    rows = await db.execute(
        sa.select(
            delivery.c.slot,
            sa.func.sum(sa.case((waiting, 1), else_=0)).label("open"),
            sa.func.sum(sa.case((delivery.c.answer != "", 1), else_=0)).label("made"),
        )
        .where(mine)
        .group_by(delivery.c.slot)
    )
    return {r.slot: (int(r.open), int(r.made)) for r in rows}


async def room_of(db: Connection, warning_id: str, policy: Policy) -> tuple[int, bool]:
    """How many doors fit into all teams' time, and whether any team may be given one now: looked at before any work."""
    counts = await doors_by_team(db, warning_id)
    workers = await tables.workers_of(db, warning_id)
    left = {w.worker_id: w.capacity - sum(counts.get(w.worker_id, (0, 0))) for w in workers}
    free = any(n > 0 and counts.get(w, (0, 0))[0] < policy.door_list.per_team_max for w, n in left.items())
    return sum(max(0, n) for n in left.values()), free


async def teams_of(tx: Connection, warning_id: str, entries: Mapping[str, WorkerEntry]) -> dict[str, Team]:
    """The teams on shift for a warning, by id."""
    counts = await doors_by_team(tx, warning_id)
    found = {}
    for row in await tables.workers_of(tx, warning_id):
        unvisited, made = counts.get(row.worker_id, (0, 0))
        found[row.worker_id] = Team(
            row.worker_id, entries[row.worker_id], row.capacity - unvisited - made, row.assigned, unvisited, made
        )
    return found


def choose(policy: Policy, teams: Iterable[Team], grid: str, team: str) -> Team | None:
    """The team of the grid with the fewest doors, else any; one with the skill where it is not much later.

    None where nobody has room: in their time, or on a list that is as long as the policy lets one be.
    """
    free = [p for p in teams if p.room > 0 and p.open < policy.door_list.per_team_max]
    if not free:
        return None
    plain = _fewest([p for p in free if grid in p.entry.grids] or free)
    wanted = [part for part in SKILLS if part in team.split("+")]
    in_time = [p for p in free if p.wait_s - plain.wait_s <= policy.combine.skill_wait_s]
    least = min(_lacks(p, wanted) for p in in_time)
    if _lacks(plain, wanted) == least:
        return plain
    best = [p for p in in_time if _lacks(p, wanted) == least]
    return _fewest([p for p in best if grid in p.entry.grids] or best)


def _lacks(team: Team, wanted: Sequence[str]) -> tuple[int, int]:
    """How many of the parts it has not: those that nobody can be called out for first."""
    missing = [part for part in wanted if not set(SKILLS[part]) & set(team.entry.skills)]
    return sum(part not in CALLED for part in missing), len(missing)


def nearest(teams: Iterable[Team], grid: str) -> Team | None:
    """Who is soonest at a door that cannot wait: of the grid if there is any; whether they have room is no question."""
    found = list(teams)
    return min(
        [p for p in found if grid in p.entry.grids] or found, key=lambda p: (p.wait_s, p.worker_id), default=None
    )


def _fewest(teams: list[Team]) -> Team:
    return min(teams, key=lambda p: (p.open + p.made, p.worker_id))
