"""Assigns doors to teams: who goes where, who waits in rank, what a word that nobody may go changes.

Assignment waits for the whole audience and for the word that people may be sent; then the most urgent doors come first, each
to a team (`teams`). What is more than the teams can do is named at once to whoever else can help (`left_over`), and waits in
rank for a team that comes free. What still waits when it is too late to set out ends `no_capacity`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence

import sqlalchemy as sa
import structlog
from msgspec.structs import replace

from services.router.callouts import callouts
from services.router.cases import cases
from services.router.doors import left_over
from services.router.doors.assignment import share_out
from services.router.doors.houses_first import keep_for_houses, open_houses
from services.router.doors.teams import homes_of, room_in, room_of, teams_of
from services.router.doors.waiting import BEGUN, CONCERNED, OPEN, WAITS, InRank
from services.router.planning import elsewhere
from services.router.planning.contexts import Contexts
from services.router.planning.notices import notice
from services.router.planning.paths import publish_due
from services.router.planning.plan import BARRED, TURNED_BACK, WarningContext
from services.router.safety import out
from services.router.store import tables
from services.shared.bus.outbox import publish
from services.shared.database import locks
from services.shared.database.batches import Each, insert_new, one_of
from services.shared.database.engine import Connection, Id
from services.shared.errors import Fault
from services.shared.ledger.deliveries import deliveries_where
from services.shared.ledger.flights import enqueue
from services.shared.ledger.params import ParamsColumn, Visit
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import Delivery, delivery
from services.shared.messages import WorkerEntry
from services.shared.service import Platform

log = structlog.get_logger("router")
BATCH = 500
SET_ASIDE_S = 60.0
LATELY_S = 30 * 86400.0  # after its end: nobody is sent or called back for a warning older than that
_GIVE = Each(
    lambda v: (
        sa.update(delivery)
        .where(delivery.c.delivery_id == v("d"), delivery.c.send_state == SendState.PENDING)  # not closed meanwhile
        .values(slot=v("s"), params=v("params_"), state_reason="")
    ),
    d=Id, s=Id, params_=ParamsColumn,
)  # fmt: skip


def _visit(row: Delivery) -> Visit:
    if not isinstance(row.params, Visit):
        raise TypeError(f"delivery {row.delivery_id} stands for a door and is no visit")
    return row.params


def _is_back(ctx: WarningContext, row: Delivery, now: float) -> bool:
    """Whether whoever is at that door has to be on the way to safety."""
    back = _visit(row).turn_back or ctx.turn_back()
    return back is not None and now >= back


def _rank(row: Delivery) -> int:
    return _visit(row).rank


class Doors:
    """The router's clockwork for visits."""

    def __init__(self, platform: Platform, contexts: Contexts) -> None:
        self._platform = platform
        self._contexts = contexts
        self._again: dict[str, float] = {}  # warning set aside > warning time of the next try
        self._nothing: dict[str, tuple[object, ...]] = {}  # warning > what stood when nothing could be given

    async def run_due(self) -> bool:
        """Assigns what waits, or takes back what may not be done; True if there was any."""
        async with self._platform.database.read() as db:
            assign, unsafe, late, barred = await self._to_do(db)
        did = False
        turns = ((self._unsafe, unsafe), (self._turn_back, late), (self._bar, barred), (self._assign, assign))
        for turn, warnings in turns:
            for warning_id in sorted(warnings):
                did = await self._one(turn, warning_id) or did
        return did

    async def next_at(self, db: Connection) -> float | None:
        """When doors that wait in rank are to be given up."""
        now = self._platform.clock.now()
        waiting, begun, _ = await self._concerned(db, now)
        contexts = [*(ctx for ctx, _ in waiting.values()), *begun.values()]
        return min((at for ctx in contexts for at in ctx.last_doors() if at > now), default=None)

    async def _concerned(
        self, db: Connection, now: float
    ) -> tuple[dict[str, tuple[WarningContext, InRank]], dict[str, WarningContext], set[str]]:
        """Warnings whose audience is known and that may send people, with the doors that wait; those with doors on a list that
        somebody has to turn back from in time; those nobody may go for."""
        found = (await db.execute(CONCERNED, {"lately": now - LATELY_S})).all()
        wait = {row.warning_id: InRank(row.n, row.unnamed) for row in found if row.why == "wait"}
        unsafe = {row.warning_id for row in found if row.why == "unsafe"}
        about: dict[str, tuple[WarningContext, InRank]] = {}
        if wait:
            complete = sa.select(tables.warning.c.warning_id).where(
                one_of(tables.warning.c.warning_id, sorted(wait)), tables.warning.c.complete
            )
            for warning_id in sorted((await db.scalars(complete)).all()):
                ctx = await self._contexts.of(db, warning_id)
                if ctx is not None and ctx.doors == "allowed":
                    about[warning_id] = (ctx, wait[warning_id])
        begun: dict[str, WarningContext] = {}
        for one in sorted(row.warning_id for row in found if row.why == "begun"):
            ctx = await self._contexts.of(db, one)
            if ctx is not None and ctx.turn_back() is not None:
                begun[one] = ctx
        return about, begun, unsafe

    async def _to_do(self, db: Connection) -> tuple[set[str], set[str], set[str], set[str]]:
        """Warnings whose doors are to be shared out, and those whose doors are taken back: all of them, some as another warning
        forbids them, those that are left when it is time to turn back.

        The first look reads doors alone, by the ledger's unique key, and mostly finds none.
        """
        now = self._platform.clock.now()
        waiting, begun, forbidden = await self._concerned(db, now)
        unsafe = set[str]()
        for one in sorted(forbidden):
            about = delivery.c.warning_id == one
            there = sa.or_(*(sa.exists().where(about, door) for door in OPEN))  # by a partial index each
            unsafe |= {one} if await db.scalar(sa.select(there)) else set()
        assign = set[str]()
        for one, (ctx, waits) in waiting.items():
            room, free = await room_of(db, ctx, now)
            houses = sum((await open_houses(db, ctx, now)).values())
            over = sum(now >= at for at in ctx.last_doors())
            stands = (waits, room, free, over, houses)
            due = over > 0 or free or (waits.unnamed and waits.n > room)
            assign |= {one} if due and self._nothing.get(one) != stands else set()
        late = {one for one, ctx in begun.items() if any(now >= at for at in ctx.last_doors())}
        late = {one for one in late if await self._past(db, begun[one], now)}
        return assign, unsafe, late, await elsewhere.to_take_back(db, now, OPEN)

    async def _one(self, turn: Callable[[str], Awaitable[bool]], warning_id: str) -> bool:
        """One warning whose doors cannot be shared out stops no other: it is tried again in a minute."""
        if self._platform.clock.now() < self._again.get(warning_id, 0.0):
            return False
        try:
            return await turn(warning_id)
        except (Fault, LookupError, ValueError, TypeError) as problem:
            log.exception("doors_failed", warning_id=warning_id, reason=repr(problem))
            self._again[warning_id] = self._platform.clock.now() + SET_ASIDE_S
            return False

    @staticmethod
    async def _alone(tx: Connection, warning_id: str) -> None:
        """One router at a time shares out a warning's teams, and none while the warning is being stopped."""
        await locks.doors(tx, warning_id)
        await locks.plan(tx, warning_id, shared=True)

    async def _assign(self, warning_id: str) -> bool:
        now = self._platform.clock.now()
        async with self._platform.database.write() as tx:
            await self._alone(tx, warning_id)
            ctx = await self._contexts.of(tx, warning_id, workers=True)
            rows = await deliveries_where(tx, delivery.c.warning_id == warning_id, WAITS)
            if ctx is None or not rows:
                return False
            rows = sorted(rows, key=lambda r: (_rank(r), r.due_at, r.person_id))
            plane = self._platform.settings.plane
            if now >= ctx.last_asked and (late := [r for r in rows if not _visit(r).urgent]):
                await left_over.give_up(tx, ctx, late[:BATCH], now, plane)
                return True
            back = [r for r in rows if _is_back(ctx, r, now)]  # nobody is sent there any more: others may still help
            if called := [r for r in back if _visit(r).urgent]:
                await left_over.to_fire_service(tx, ctx, called[:BATCH], left_over.TOO_LATE, now, plane)
                return True
            entries = {w.worker_id: w for w in ctx.workers}
            teams = await teams_of(tx, ctx, now)
            room, free = room_in(ctx, teams, now)
            houses = await open_houses(tx, ctx, now)
            await keep_for_houses(tx, ctx, teams, houses)
            over = sum(now >= at for at in ctx.last_doors())
            stands = (InRank(len(rows), sum(not r.state_reason for r in rows)), room, free, over, sum(houses.values()))
            gone = {r.delivery_id for r in back}
            homes = await homes_of(tx, ctx, [r for r in rows if r.delivery_id not in gone], teams)
            shared = share_out(ctx.policy, [home for home, _ in homes.values()], teams.values(), now)
            left = [r for home in shared.left for r in homes[home.home_id][1]]
            unnamed = [r for r in (*left, *back) if not r.state_reason][:BATCH]  # at once, not when it is too late
            given: list[dict[str, object]] = [
                {"d": r.delivery_id, "s": team.worker_id, "params_": replace(_visit(r), order=order)}
                for home, team, order in shared.given
                for r in homes[home.home_id][1]
            ][:BATCH]
            if not given and not unnamed:
                self._nothing[warning_id] = stands
                return False
            self._nothing.pop(warning_id, None)
            await _GIVE.run(tx, given)
            await enqueue(tx, [str(g["d"]) for g in given])
            changed = sorted(Counter(str(g["s"]) for g in given).items())
            for worker_id, n in changed:
                await tx.execute(
                    sa.update(tables.worker)
                    .where(tables.worker.c.warning_id == warning_id, tables.worker.c.worker_id == worker_id)
                    .values(assigned=tables.worker.c.assigned + n)
                )
            await out.sent(tx, ctx, [worker_id for worker_id, _ in changed], now)
            await self._own_cases(tx, warning_id, given, {r.delivery_id: r.person_id for r in rows}, now)
            team_of = {str(g["d"]): entries[str(g["s"])] for g in given}
            await callouts.begin(tx, ctx, [r for r in rows if r.delivery_id in team_of], team_of, now)
            await left_over.name(tx, ctx, unnamed, now, plane)
            await self._announce(tx, ctx, [str(g["d"]) for g in given], [entries[w] for w, _ in changed])
            looks = now + ctx.policy.door_list.opened_within_s
            await insert_new(
                tx, tables.watch,
                [{"warning_id": warning_id, "what": f"list:{w}", "due_at": looks} for w, _ in changed if not teams[w].begun],
            )  # fmt: skip
            urgent = [r for r in rows if r.delivery_id in team_of and _visit(r).urgent]
            await self._tell_of_help(tx, ctx, urgent, team_of)
        self._platform.bus.wake()
        self._platform.wake.channels.set()
        return True

    @staticmethod
    async def _own_cases(
        tx: Connection, warning_id: str, given: Sequence[Mapping[str, object]], person_of: dict[str, str], now: float
    ) -> None:
        """A call for help is owned by the team that has its door."""
        await cases.give(tx, warning_id, {person_of[str(one["d"])]: str(one["s"]) for one in given}, now)

    async def _unsafe(self, warning_id: str) -> bool:
        """The commander's word: officers are called back, every open door becomes a name on the fire service's list."""
        about = (delivery.c.warning_id == warning_id, sa.or_(*OPEN))
        reason = "commander: unsafe to send anybody"
        return await self._take_back(warning_id, about, {}, reason, "door.rescue", "turn_back")

    @staticmethod
    async def _past(db: Connection, ctx: WarningContext, now: float) -> list[Delivery]:
        """Doors on a list, not visited, that it is time to turn back from."""
        rows = await deliveries_where(db, delivery.c.warning_id == ctx.issued.warning_id, BEGUN)
        return [r for r in rows if _is_back(ctx, r, now)]

    async def _turn_back(self, warning_id: str) -> bool:
        """Whoever is out comes back: what is left on their lists goes to the fire service, calls for help too."""
        async with self._platform.database.read() as db:
            ctx = await self._contexts.of(db, warning_id)
            rows = await self._past(db, ctx, self._platform.clock.now()) if ctx is not None else []
        about = (
            delivery.c.warning_id == warning_id,
            BEGUN,
            one_of(delivery.c.person_id, sorted(r.person_id for r in rows)),
        )
        return await self._take_back(warning_id, about, {}, left_over.TIME_TO_GO, TURNED_BACK, "time_to_turn_back")

    async def _bar(self, warning_id: str) -> bool:
        """Another warning forbids doors where some of these homes are: those come off their lists, the others go on."""
        now = self._platform.clock.now()
        async with self._platform.database.read() as db:
            theirs = await elsewhere.people_to_take_back(db, warning_id, now, OPEN)
        about = (
            delivery.c.warning_id == warning_id, sa.or_(*OPEN), one_of(delivery.c.person_id, sorted(theirs)),
        )  # fmt: skip
        return await self._take_back(warning_id, about, theirs, "", BARRED, "doors_barred")

    async def _take_back(
        self,
        warning_id: str,
        about: Sequence[sa.ColumnElement[bool]],
        why: Mapping[str, str],
        reason: str,
        step: str,
        told: str,
    ) -> bool:
        """Takes doors off their lists and tells the teams that had them; `why`: the reason by person, where it differs."""
        now = self._platform.clock.now()
        async with self._platform.database.write() as tx:
            await self._alone(tx, warning_id)
            ctx = await self._contexts.of(tx, warning_id, workers=True)
            rows = sorted(await deliveries_where(tx, *about), key=lambda r: r.person_id)
            if ctx is None or not rows:
                return False
            plane = self._platform.settings.plane
            for one in sorted({why.get(r.person_id, reason) for r in rows}):
                mine = [r for r in rows if why.get(r.person_id, reason) == one]
                await left_over.to_fire_service(tx, ctx, mine, one, now, plane, step=step)
            theirs = {r.slot for r in rows if r.slot}
            await self._notices(tx, ctx, [w for w in ctx.workers if w.worker_id in theirs], told)
            await cases.set_clock(tx, warning_id, now, out.LOOK)
        self._platform.bus.wake()
        return True

    async def _tell_of_help(
        self, tx: Connection, ctx: WarningContext, rows: Sequence[Delivery], team_of: Mapping[str, WorkerEntry]
    ) -> None:
        """A team hears of each call for help that is put before what it has: it may be on its way to another door."""
        plane = self._platform.settings.plane
        made = [notice(ctx, team_of[r.delivery_id], "door_help", plane, r.delivery_id) for r in rows]
        await publish(tx, [one for one in made if one is not None])

    async def _announce(
        self, tx: Connection, ctx: WarningContext, ids: Sequence[str], teams: Sequence[WorkerEntry]
    ) -> None:
        """Hints for the visits; each team gets the link to its list once."""
        await publish_due(tx, ctx, ids, self._platform.settings.plane)
        await self._notices(tx, ctx, teams, "officer_link")

    async def _notices(self, tx: Connection, ctx: WarningContext, teams: Sequence[WorkerEntry], kind: str) -> None:
        made = [notice(ctx, w, kind, self._platform.settings.plane) for w in teams]
        await publish(tx, [one for one in made if one is not None])
