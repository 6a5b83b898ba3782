"""Assigns doors to teams: who goes where, who is left over by name, what the commander's word changes.

Assignment waits for the whole audience (the teams on shift come with its last page) and for the word that people may
be sent; then the most urgent doors come first, each to a team (`teams`). What is more than the teams can do ends
`no_capacity` at once, least urgent first: their helpers are told, loudspeakers sound, the fire service has the names.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

import sqlalchemy as sa
import structlog
from msgspec.structs import replace

from services.router.callouts import callouts
from services.router.cases import cases
from services.router.doors.teams import choose, nearest, room_of, teams_of
from services.router.planning import area
from services.router.planning.contexts import Contexts
from services.router.planning.notices import notice
from services.router.planning.paths import end, publish_due, put, reopen
from services.router.planning.plan import Person, WarningContext
from services.router.planning.rows import fire_list, knock_again, supporters
from services.router.policy.vocabulary import FIRE_SERVICE
from services.router.store import tables
from services.shared.bus.outbox import publish
from services.shared.database import locks
from services.shared.database.batches import Each, one_of
from services.shared.database.engine import Connection, Id
from services.shared.database.rows import rows_of
from services.shared.errors import Fault
from services.shared.ledger.deliveries import NewDelivery, Planned, deliveries_where
from services.shared.ledger.flights import enqueue
from services.shared.ledger.kinds import DeliveryKind
from services.shared.ledger.moves import move
from services.shared.ledger.params import ParamsColumn, Visit
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import DOOR_DRIVER, ON_A_LIST, UNASSIGNED, Delivery, delivery
from services.shared.ledger.tally import Deltas
from services.shared.ledger.warnings import warning_state
from services.shared.messages import WorkerEntry
from services.shared.service import Platform

log = structlog.get_logger("router")
BATCH = 500
SET_ASIDE_S = 60.0
LATELY_S = 30 * 86400.0  # after its end: nobody is sent or called back for a warning older than that
LAST = 99  # rank of who has no visit
_GIVE = Each(
    lambda v: (
        sa.update(delivery)
        .where(delivery.c.delivery_id == v("d"), delivery.c.send_state == SendState.PENDING)  # not closed meanwhile
        .values(slot=v("s"), params=v("params_"))
    ),
    d=Id, s=Id, params_=ParamsColumn,
)  # fmt: skip


_WAITS = sa.and_(UNASSIGNED, delivery.c.driver == DOOR_DRIVER, delivery.c.send_state == SendState.PENDING)


def _concerned() -> sa.CompoundSelect[tuple[str, str, int]]:
    """Warnings with visits on no list, with a word that nobody may go, or with people left over for want of a team."""
    none = sa.literal_column("0", sa.Integer).label("n")
    state = warning_state.c
    lately = (state.state == "active", state.expires_at > sa.bindparam("lately", type_=sa.Float))
    decided = sa.select(state.warning_id).where(*lately, state.doors.in_(("allowed", "unsafe")))
    return sa.union_all(
        sa.select(sa.literal_column("'wait'").label("why"), delivery.c.warning_id, sa.func.count().label("n"))
        .where(delivery.c.warning_id.in_(decided), _WAITS)
        .group_by(delivery.c.warning_id),
        sa.select(sa.literal_column("'unsafe'"), state.warning_id, none).where(*lately, state.doors == "unsafe"),
        sa.select(sa.literal_column("'left_over'"), tables.path.c.warning_id, none)
        .where(tables.NO_CAPACITY)
        .distinct(),
    )  # fmt: skip


_CONCERNED = _concerned()


def _visit(row: Delivery) -> Visit:
    if not isinstance(row.params, Visit):
        raise TypeError(f"delivery {row.delivery_id} stands for a door and is no visit")
    return row.params


def _rank(row: Delivery) -> int:
    return _visit(row).rank


class Doors:
    """The router's clockwork for visits."""

    def __init__(self, platform: Platform, contexts: Contexts) -> None:
        self._platform = platform
        self._contexts = contexts
        self._again: dict[str, float] = {}  # warning set aside > warning time of the next try

    async def run_due(self) -> bool:
        """Assigns what waits, or takes back what may not be done; True if there was any."""
        async with self._platform.database.read() as db:
            assign, unsafe, offer = await self._to_do(db)
        did = False
        for turn, warnings in ((self._unsafe, unsafe), (self._assign, assign), (self._offer_again, offer)):
            for warning_id in sorted(warnings):
                did = await self._one(turn, warning_id) or did
        return did

    async def _to_do(self, db: Connection) -> tuple[set[str], set[str], set[str]]:
        """Warnings whose doors are to be shared out, taken back, or offered again.

        The first look reads doors alone, by the ledger's unique key, and mostly finds none.
        """
        now = self._platform.clock.now()
        found = (await db.execute(_CONCERNED, {"lately": now - LATELY_S})).all()
        assign, unsafe, offer = set[str](), set[str](), set[str]()
        if not found:
            return assign, unsafe, offer
        wait = {row.warning_id: row.n for row in found if row.why == "wait"}
        left_over = {row.warning_id for row in found if row.why == "left_over"}
        named = sorted({row.warning_id for row in found})
        warnings = await db.execute(
            sa.select(tables.warning.c.warning_id, tables.warning.c.policy, tables.warning.c.complete, warning_state.c.doors)
            .join(warning_state, warning_state.c.warning_id == tables.warning.c.warning_id)
            .where(one_of(tables.warning.c.warning_id, named), warning_state.c.state == "active",
                   warning_state.c.expires_at > now - LATELY_S, warning_state.c.doors.in_(("allowed", "unsafe")))
        )  # fmt: skip
        for row in warnings.all():
            one, waits = row.warning_id, row.complete and row.warning_id in wait
            if row.doors == "unsafe":
                begun = sa.select(sa.exists().where(delivery.c.warning_id == one, self._begun()))
                unsafe |= {one} if waits or await db.scalar(begun) else set()
            elif waits or (one in left_over and one not in wait):
                room, free = await room_of(db, one, await self._contexts.policy(db, row.policy))
                assign |= {one} if waits and (free or wait[one] > room) else set()
                offer |= {one} if not waits and free else set()
        return assign, unsafe, offer

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

    async def _offer_again(self, warning_id: str) -> bool:
        """A team has room again, since doors closed by other channels: the most urgent of those left over are knocked at."""
        now = self._platform.clock.now()
        async with self._platform.database.write() as tx:
            await self._alone(tx, warning_id)
            ctx = await self._contexts.of(tx, warning_id, workers=True)
            if ctx is None or now >= ctx.too_late:
                return False
            room, free = await room_of(tx, warning_id, ctx.policy)
            theirs = sa.select(tables.path).where(tables.path.c.warning_id == warning_id, tables.NO_CAPACITY)
            paths = await rows_of(tx, tables.Path, theirs.order_by(tables.path.c.person_id).with_for_update())
            if not free or not paths:
                return False
            ledger = await tables.deliveries_of(tx, warning_id, [p.person_id for p in paths])
            ranks = {
                person_id: min((_rank(d) for d in rows if d.kind == DeliveryKind.VISIT), default=LAST)
                for person_id, rows in ledger.items()
            }
            chosen = sorted(paths, key=lambda p: (ranks[p.person_id], p.person_id))[: min(room, BATCH)]
            profiles = await tables.profiles_of(tx, {p.profile_key for p in chosen})
            deltas = Deltas(warning_id)
            new: list[NewDelivery] = []
            for path in chosen:
                who = Person(
                    tables.decode_person(path.entry), profiles[path.profile_key],
                    list[Planned](ledger[path.person_id]),
                )  # fmt: skip
                new += knock_again(ctx, who, ctx.plan(who.profile, now), "a team has room again", now)
                await reopen(tx, deltas, path, now)
            keys = {p.person_id: p.profile_key for p in chosen}
            await put(tx, ctx, new, deltas, keys, self._platform.settings.plane)
            await deltas.add(tx)
        return bool(chosen)

    @staticmethod
    def _begun() -> sa.ColumnElement[bool]:
        return sa.and_(
            delivery.c.driver == DOOR_DRIVER, delivery.c.kind != DeliveryKind.RESCUE, ON_A_LIST, delivery.c.answer == "",
            delivery.c.send_state.in_((SendState.PENDING, SendState.RETRY, SendState.ACCEPTED)),
        )  # fmt: skip

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
            rows = await deliveries_where(tx, delivery.c.warning_id == warning_id, _WAITS)
            if ctx is None or not rows:
                return False
            rows = sorted(rows, key=lambda r: (_rank(r), r.due_at, r.person_id))
            entries = {w.worker_id: w for w in ctx.workers}
            teams = await teams_of(tx, warning_id, entries)
            places = await self._places(tx, warning_id, [r.person_id for r in rows])
            given: list[dict[str, object]] = []
            previous = await self._previous(tx, warning_id, [r.person_id for r in rows if r.try_no > 1])
            calls = [r for r in rows if _visit(r).urgent] if teams else []
            others = rows[len(calls) :]
            room = max(0, sum(max(0, p.room) for p in teams.values()) - len(calls))
            left_over = others[room : room + BATCH]  # the least urgent: named at once, not when it is too late
            for row in [*calls, *others[:room]][:BATCH]:
                grid, walk = places[row.person_id]
                visit = _visit(row)
                known = teams.get(previous.get(row.person_id, ""))
                if known is not None and (known.room <= 0 or known.open >= ctx.policy.door_list.per_team_max):
                    known = None
                team = known or choose(ctx.policy, teams.values(), grid, visit.team)
                if team is None and visit.urgent:
                    team = nearest(teams.values(), grid)  # help never waits for a list to become shorter
                if team is None:
                    continue  # every list that has room in its time is long enough for now
                order = team.place(ctx.policy, visit, walk)
                team.give()
                given.append({"d": row.delivery_id, "s": team.worker_id, "params_": replace(visit, order=order)})
            if not given and not left_over:
                return False
            await _GIVE.run(tx, given)
            await enqueue(tx, [str(g["d"]) for g in given])
            changed = [(team.worker_id, team.given) for _, team in sorted(teams.items()) if team.given]
            for worker_id, n in changed:
                await tx.execute(
                    sa.update(tables.worker)
                    .where(tables.worker.c.warning_id == warning_id, tables.worker.c.worker_id == worker_id)
                    .values(assigned=tables.worker.c.assigned + n)
                )
            await self._own_cases(tx, warning_id, given, {r.delivery_id: r.person_id for r in rows}, now)
            team_of = {str(g["d"]): entries[str(g["s"])] for g in given}
            await callouts.begin(tx, ctx, [r for r in rows if r.delivery_id in team_of], team_of, now)
            await self._left_over(tx, ctx, left_over, now)
            await self._announce(tx, ctx, [str(g["d"]) for g in given], [entries[w] for w, _ in changed])
        self._platform.bus.wake()
        self._platform.wake.channels.set()
        return True

    @staticmethod
    async def _places(tx: Connection, warning_id: str, people: Sequence[str]) -> dict[str, tuple[str, int]]:
        rows = await tx.execute(
            sa.select(tables.path.c.person_id, tables.path.c.grid_id, tables.path.c.entry).where(
                tables.path.c.warning_id == warning_id, tables.path.c.person_id.in_(list(people))
            )
        )
        return {r.person_id: (r.grid_id, tables.decode_person(r.entry).walk_seq) for r in rows}

    @staticmethod
    async def _previous(tx: Connection, warning_id: str, people: Sequence[str]) -> dict[str, str]:
        """A second visit goes to the team that made the first: they know the door."""
        rows = await tx.execute(
            sa.select(delivery.c.person_id, delivery.c.slot).where(
                delivery.c.warning_id == warning_id, delivery.c.person_id.in_(list(people)),
                delivery.c.kind == DeliveryKind.VISIT, ON_A_LIST, delivery.c.answer != "",
            ).order_by(delivery.c.try_no)
        )  # fmt: skip
        return {r.person_id: r.slot for r in rows}

    @staticmethod
    async def _own_cases(
        tx: Connection, warning_id: str, given: Sequence[Mapping[str, object]], person_of: dict[str, str], now: float
    ) -> None:
        """A call for help is owned by the team that has its door."""
        await cases.give(tx, warning_id, {person_of[str(one["d"])]: str(one["s"]) for one in given}, now)

    async def _left_over(self, tx: Connection, ctx: WarningContext, rows: Sequence[Delivery], now: float) -> None:
        """Nobody is free for these doors: helpers, loudspeakers and the fire service, and the paths say so."""
        if not rows:
            return
        reason = "more doors than teams can do"
        if "loudhailer" in ctx.policy.shortage.then and not await area.sounded(tx, ctx.issued.warning_id, "shortage"):
            deltas = Deltas(ctx.issued.warning_id)
            await area.again(tx, ctx, deltas, "area_sound", "shortage", reason, now)
            await deltas.add(tx)
        await self._to_fire_service(tx, ctx, rows, "no_capacity", reason, now)

    async def _unsafe(self, warning_id: str) -> bool:
        """The commander's word: officers are called back, every open door becomes a name on the fire service's list."""
        now = self._platform.clock.now()
        async with self._platform.database.write() as tx:
            await self._alone(tx, warning_id)
            ctx = await self._contexts.of(tx, warning_id, workers=True)
            about = (delivery.c.warning_id == warning_id, sa.or_(_WAITS, self._begun()))
            rows = sorted(await deliveries_where(tx, *about), key=lambda r: r.person_id)
            if ctx is None or not rows:
                return False
            await self._to_fire_service(tx, ctx, rows, "", "commander: unsafe to send anybody", now)
            out = sorted({r.slot for r in rows if r.slot})
            await self._notices(tx, ctx, [w for w in ctx.workers if w.worker_id in out], "turn_back")
        self._platform.bus.wake()
        return True

    async def _to_fire_service(
        self, tx: Connection, ctx: WarningContext, rows: Sequence[Delivery], ending: str, reason: str, now: float
    ) -> None:
        if not rows:
            return
        ids = [r.delivery_id for r in rows]
        people = sorted({r.person_id for r in rows})
        warning_id = ctx.issued.warning_id
        theirs = sa.select(tables.path).where(
            tables.path.c.warning_id == warning_id, tables.path.c.person_id.in_(people)
        )
        # paths before deliveries, as evidence and steps lock them
        paths = await rows_of(tx, tables.Path, theirs.order_by(tables.path.c.person_id).with_for_update())
        await move(
            tx, ids, SendState.SUPPRESSED, at=now, only=(SendState.PENDING, SendState.RETRY), state_reason=reason
        )
        await move(tx, ids, SendState.SUPERSEDED, at=now, only=(SendState.ACCEPTED,), state_reason=reason)
        profiles = await tables.profiles_of(tx, {p.profile_key for p in paths})
        ledger = await tables.deliveries_of(tx, warning_id, people)
        deltas = Deltas(warning_id)
        new: list[NewDelivery] = []
        for path in paths:
            who = Person(
                tables.decode_person(path.entry), profiles[path.profile_key],
                list[Planned](ledger[path.person_id]),
            )  # fmt: skip
            plan = ctx.plan(who.profile, now)
            if ending == "no_capacity" and "neighbour_call" in ctx.policy.shortage.then:
                new += supporters(ctx, who, plan, "shortage", f"{reason}; neighbour call", now, by_phone=True)
            new += fire_list(ctx, who, plan, reason, now, "door.rescue")
            if ending and path.state == "open":
                await end(tx, deltas, path, ending, reason, now)
        await put(tx, ctx, new, deltas, {p.person_id: p.profile_key for p in paths}, self._platform.settings.plane)
        await cases.taken_back(tx, warning_id, people, now, reason, FIRE_SERVICE)
        await deltas.add(tx)

    async def _announce(
        self, tx: Connection, ctx: WarningContext, ids: Sequence[str], teams: Sequence[WorkerEntry]
    ) -> None:
        """Hints for the visits; each team gets the link to its list once."""
        await publish_due(tx, ctx, ids, self._platform.settings.plane)
        await self._notices(tx, ctx, teams, "officer_link")

    async def _notices(self, tx: Connection, ctx: WarningContext, teams: Sequence[WorkerEntry], kind: str) -> None:
        made = [notice(ctx, w, kind, self._platform.settings.plane) for w in teams]
        await publish(tx, [one for one in made if one is not None])
