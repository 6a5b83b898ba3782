"""Finds the teams on shift for a warning with what stands on their lists, and the homes that wait for one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol, TypeVar

import sqlalchemy as sa

from services.router.doors.assignment import HomeToVisit, Stop, Team
from services.router.doors.capacity import Capacity, capacity
from services.router.doors.houses_first import keep_for_houses, open_houses
from services.router.doors.waiting import WAITS
from services.router.planning.plan import MOVED_UP, WarningContext
from services.router.store import tables
from services.shared.database.batches import chunks, one_of
from services.shared.database.engine import Connection
from services.shared.database.rows import columns, rows_of
from services.shared.ledger.kinds import DeliveryKind
from services.shared.ledger.params import Params, Visit
from services.shared.ledger.tables import DOOR_DRIVER, ON_A_LIST, delivery
from services.shared.ledger.team_signs import of_slots

_AT_WORK = ("pending", "retry", "accepted")


class AskedVisit(Protocol):
    """A visit that was asked for, as far as sharing out looks at it."""

    @property
    def delivery_id(self) -> str: ...
    @property
    def person_id(self) -> str: ...
    @property
    def try_no(self) -> int: ...
    @property
    def params(self) -> Params | None: ...


Row = TypeVar("Row", bound=AskedVisit)


class _Place(NamedTuple):
    """Where a person is visited: at a home they share with others, in a grid, at a place in its walk."""

    home_id: str
    grid: str
    walk: int


async def teams_of(db: Connection, ctx: WarningContext, now: float) -> dict[str, Team]:
    """The teams on shift for a warning, by id, without those that cannot go and those that were relieved and are in safety.

    A team whose capacity was taken away, because nobody there answered, is not there until it has been at a door.
    """
    warning_id = ctx.issued.warning_id
    lists, made = await lists_of(db, warning_id)
    found = {}
    shift = await tables.workers_of(db, warning_id)
    signs = await of_slots(db, [row.worker_id for row in shift], now)
    for row in shift:
        rests = row.worker_id in signs and signs[row.worker_id].rests
        if rests and signs[row.worker_id].since is None:
            continue
        n = made.get(row.worker_id, 0)
        found[row.worker_id] = Team(
            tables.decode_worker(row.entry), ctx.last_door(), had=row.assigned, made=n, there=row.capacity > 0 or n > 0,
            stops=lists.get(row.worker_id, []), rests=rests,
        )  # fmt: skip
    return found


async def lists_of(db: Connection, warning_id: str) -> tuple[dict[str, list[Stop]], dict[str, int]]:
    """Team > the homes on its list that are not visited, in its order; team > how many doors it has visited."""
    mine = (delivery.c.warning_id == warning_id, delivery.c.driver == DOOR_DRIVER, ON_A_LIST)
    visited = sa.select(delivery.c.slot, sa.func.count().label("n")).where(*mine, delivery.c.answer != "")
    made = {r.slot: int(r.n) for r in await db.execute(visited.group_by(delivery.c.slot))}
    waiting = sa.select(delivery.c.slot, delivery.c.person_id, delivery.c.params).where(
        *mine, delivery.c.kind != DeliveryKind.RESCUE, delivery.c.answer == "", delivery.c.send_state.in_(_AT_WORK)
    )
    rows = [(r.slot, r.person_id, r.params) for r in await db.execute(waiting) if isinstance(r.params, Visit)]
    places = await _places(db, warning_id, [person_id for _, person_id, _ in rows])
    lists: dict[str, dict[str, Stop]] = {}
    for slot, person_id, visit in rows:
        homes, home = lists.setdefault(slot, {}), _home(places[person_id], visit)
        before = homes.get(home.home_id)
        homes[home.home_id] = Stop(
            home if before is None else _with(before.home, home),
            visit.order if before is None else min(visit.order, before.order),
        )
    return {
        slot: sorted(homes.values(), key=lambda s: (s.order, s.home.home_id)) for slot, homes in lists.items()
    }, made


async def room_of(db: Connection, ctx: WarningContext, now: float) -> tuple[int, bool]:
    """How many doors fit into all teams' time, and whether any team may be given one now: looked at before any work."""
    return room_in(ctx, await teams_of(db, ctx, now), now)


def room_in(ctx: WarningContext, teams: Mapping[str, Team], now: float) -> tuple[int, bool]:
    """The same of teams that are known."""
    going = [t for t in teams.values() if not t.rests]
    free = any(t.room(now) > 0 and t.open < ctx.policy.door_list.per_team_max for t in going)
    return sum(max(0, t.room(now)) for t in going), free


class _Asked(NamedTuple):
    delivery_id: str
    person_id: str
    try_no: int
    params: Params | None


async def capacity_of(db: Connection, ctx: WarningContext, now: float) -> Capacity:
    """What the teams can do before it is time to turn back, and which homes will not be reached."""
    teams = await teams_of(db, ctx, now)
    await keep_for_houses(db, ctx, teams, await open_houses(db, ctx, now))
    waiting = sa.select(*columns(_Asked, delivery)).where(delivery.c.warning_id == ctx.issued.warning_id, WAITS)
    homes = await homes_of(db, ctx, await rows_of(db, _Asked, waiting), teams)
    return await asyncio.to_thread(capacity, ctx.policy, [home for home, _ in homes.values()], teams, now)


async def homes_of(
    db: Connection, ctx: WarningContext, rows: Sequence[Row], teams: Mapping[str, Team]
) -> dict[str, tuple[HomeToVisit, list[Row]]]:
    """The homes that wait for a team and the visits asked for at each, by home.

    Whoever calls for help is a home of their own: they go before the others of theirs.
    """
    warning_id = ctx.issued.warning_id
    people = [r.person_id for r in rows]
    places = await _places(db, warning_id, people, walk=True)
    before = await _visited_before(db, warning_id, [r.person_id for r in rows if r.try_no > 1])
    with_team = {stop.home.home_id: one.worker_id for one in teams.values() for stop in one.stops}
    found: dict[str, tuple[HomeToVisit, list[Row]]] = {}
    for row in rows:
        if not isinstance(row.params, Visit):
            raise TypeError(f"delivery {row.delivery_id} stands for a door and is no visit")
        home = _home(places[row.person_id], row.params)
        if home.urgent:
            home = replace(home, home_id=row.person_id)
        home = replace(home, keeps=before.get(row.person_id) or with_team.get(home.home_id, ""))
        known = found.get(home.home_id)
        if known is None:
            found[home.home_id] = (home, [row])
        else:
            found[home.home_id] = (_with(known[0], home), [*known[1], row])
    return found


def _home(place: _Place, visit: Visit) -> HomeToVisit:
    return HomeToVisit(
        place.home_id, place.grid, place.walk, (visit.team,), visit.rank, visit.slack_quarters, visit.turn_back,
        urgent=visit.urgent, facility=visit.facility,
    )  # fmt: skip


def _with(one: HomeToVisit, other: HomeToVisit) -> HomeToVisit:
    """Two of one home: as urgent as the more urgent of them."""
    backs = [b for b in (one.turn_back, other.turn_back) if b is not None]
    return replace(
        one, asks=(*one.asks, *other.asks), rank=min(one.rank, other.rank), quarters=min(one.quarters, other.quarters),
        walk=min(one.walk, other.walk), turn_back=min(backs, default=None), keeps=one.keeps or other.keeps,
        urgent=one.urgent or other.urgent, facility=one.facility or other.facility,
    )  # fmt: skip


async def _places(db: Connection, warning_id: str, people: Sequence[str], *, walk: bool = False) -> dict[str, _Place]:
    """Where each of them is visited; `walk`: with the place in the walk, which has to be unpacked.

    Whoever lives in a house of many is a home of their own: a door each where the house has not answered for them.
    """
    if not people:
        return {}
    path = tables.path.c
    wanted = [path.person_id, path.household_id, path.grid_id, path.profile_key, *([path.entry] if walk else [])]
    rows = [
        row
        for part in chunks(sorted(set(people)), 500)
        for row in await db.execute(
            sa.select(*wanted).where(path.warning_id == warning_id, one_of(path.person_id, part))
        )
    ]
    kept = await tables.profiles_of(db, {r.profile_key for r in rows})
    shares = {key for key, profile in kept.items() if profile.kind != "facility" and "facility" not in profile.groups}
    return {
        r.person_id: _Place(
            r.household_id if r.profile_key in shares else r.person_id, r.grid_id,
            tables.decode_person(r.entry).walk_seq if walk else 0,
        )
        for r in rows
    }  # fmt: skip


async def _visited_before(db: Connection, warning_id: str, people: Iterable[str]) -> dict[str, str]:
    """A second visit goes to the team that made the first: they know the door. One that was moved up stays with the team that
    had it: they may be on the way there."""
    rows = await db.execute(
        sa.select(delivery.c.person_id, delivery.c.slot).where(
            delivery.c.warning_id == warning_id, delivery.c.person_id.in_(list(people)),
            delivery.c.kind == DeliveryKind.VISIT, ON_A_LIST,
            sa.or_(delivery.c.answer != "", delivery.c.state_reason == MOVED_UP),
        ).order_by(delivery.c.try_no)
    )  # fmt: skip
    return {r.person_id: r.slot for r in rows}
