"""Walks paths whose time has come: reactions first, then the next steps, then the end; sorted, a batch a transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import sqlalchemy as sa
import structlog

from services.router.cases import cases
from services.router.clock.houses import answering_houses
from services.router.clock.reactions import final, react
from services.router.planning import elsewhere
from services.router.planning.contexts import Contexts
from services.router.planning.fatigue import overtaken
from services.router.planning.paths import close_with_house, end, put, step_time
from services.router.planning.plan import EMERGENCY_S, MOVED_UP, Person, WarningContext
from services.router.planning.rows import door
from services.router.planning.walk import done, walk
from services.router.policy.rules import PathPlan
from services.router.policy.vocabulary import COMMANDER_ENDINGS, FIRE_SERVICE
from services.router.store import tables
from services.shared.database import locks
from services.shared.database.engine import Connection
from services.shared.database.rows import rows_of
from services.shared.errors import Fault
from services.shared.fault_points import fault_at
from services.shared.ledger.deliveries import NewDelivery, Planned
from services.shared.ledger.evidence import Answer
from services.shared.ledger.moves import move
from services.shared.ledger.states import SendState
from services.shared.ledger.tally import Deltas
from services.shared.service import Platform
from services.shared.tiers import Tier

log = structlog.get_logger("router")
BATCH = 500
GRACE_S = {Tier.BLUE: 0.0, Tier.YELLOW: 0.0, Tier.ORANGE: 600.0, Tier.RED: 600.0}  # after the last step, for answers
HAND_OVER_S = (
    3600.0  # an escalation that ends `closed` leaves the fire service so long before a name on its list is an end
)
HOUSE_S = 300.0  # until it is looked again whether all of a house are out, for somebody who lives there
TAKEN_UP_S = 300.0  # until it is looked again whether the fire service has acknowledged a name
LOOK_AGAIN_S = 900.0  # at a path that waits for the wave to be over


class Deadlines:
    """The router's own clockwork."""

    def __init__(self, platform: Platform, contexts: Contexts) -> None:
        self._platform = platform
        self._contexts = contexts

    async def run_due(self) -> bool:
        """One batch of due paths of one or more warnings; True if there was any."""
        now = self._platform.clock.now()
        async with self._platform.database.read() as db:
            tier = max((tier for tier, at in (await _earliest(db)).items() if at <= now), default=None)
        if tier is None:
            return False
        due = _due(tier)
        async with self._platform.database.write() as tx:
            warnings = (await tx.scalars(due.warnings, {"now": now})).all()
            await locks.doors(tx, *warnings, shared=True)
            await locks.plan(tx, *warnings, shared=True)
            rows: list[tables.Path] = []
            for one in (due.reacting, due.stepping):
                rows += await rows_of(tx, tables.Path, one, {"now": now, "of": warnings, "room": BATCH - len(rows)})
            if not rows:
                return False
            rows.sort(key=lambda row: (row.warning_id, row.person_id))
            by_warning: dict[str, list[tables.Path]] = defaultdict(list)
            for row in rows:
                by_warning[row.warning_id].append(row)
            for warning_id, paths in by_warning.items():
                await self._walk(tx, warning_id, paths, now)
            fault_at("before_deadline_commit")
        fault_at("after_deadline_commit")
        self._platform.bus.wake()
        self._platform.wake.channels.set()
        return True

    async def _walk(self, tx: Connection, warning_id: str, paths: Sequence[tables.Path], now: float) -> None:
        ctx = await self._contexts.of(tx, warning_id, workers=True)
        if ctx is None:
            return
        people = [p.person_id for p in paths]
        profiles = await tables.profiles_of(tx, {p.profile_key for p in paths})
        ledger = await tables.deliveries_of(tx, warning_id, people)
        deltas = Deltas(warning_id)
        rows: list[NewDelivery] = []
        held = [p for p in paths if p.next_step == 0 and p.next_at is not None and p.next_at <= now]
        houses = await answering_houses(tx, ctx, paths, profiles)
        barred = await elsewhere.barred(tx, warning_id, people, now)
        late = await overtaken(tx, self._contexts, ctx, held, profiles) if held else {}
        retry: list[str] = []
        give_up: list[str] = []
        moved_up: list[str] = []
        calls: list[tuple[str, float, list[Planned], str]] = []  # for help, of whom: cases come after deliveries
        for path in paths:
            who = Person(
                tables.decode_person(path.entry),
                profiles[path.profile_key],
                list[Planned](ledger[path.person_id]),
                path.evidence,
                path.answer,
                path.help_at,
                ctx.start(profiles[path.profile_key]),
                barred.get(path.person_id, ""),
                path.household_id in houses,
            )
            before = len(who.deliveries)
            if path.person_id in late:
                await end(tx, deltas, path, "superseded", late[path.person_id], now)
                continue
            try:
                house = houses.get(path.household_id) if who.lives_in_house else None
                await self._one(tx, ctx, path, who, house, deltas, retry, give_up, moved_up, calls, now)
            except (Fault, LookupError, ValueError, TypeError) as problem:
                await self._set_aside(tx, path, problem, now)
                continue
            rows += [one for one in who.deliveries[before:] if isinstance(one, NewDelivery)]
        await put(tx, ctx, rows, deltas, {p.person_id: p.profile_key for p in paths}, self._platform.settings.plane)
        await move(tx, sorted(moved_up), SendState.SUPPRESSED, at=now, only=(SendState.PENDING, SendState.RETRY),
                   state_reason=MOVED_UP)  # fmt: skip
        await move(
            tx, sorted(moved_up), SendState.SUPERSEDED, at=now, only=(SendState.ACCEPTED,), state_reason=MOVED_UP
        )
        await move(tx, sorted(retry), SendState.RETRY, at=now, only=(SendState.UNKNOWN,), due_at=now,
                   state_reason="unknown: sent once more")  # fmt: skip
        await move(tx, sorted(give_up), SendState.UNCONFIRMED, at=now, only=(SendState.UNKNOWN,),
                   state_reason="never confirmed")  # fmt: skip
        for call in calls:
            await cases.call_for_help(tx, warning_id, *call)
        await deltas.add(tx)

    async def _set_aside(self, tx: Connection, path: tables.Path, problem: Exception, now: float) -> None:
        """One path that cannot be walked stops nobody else: it is looked at again in a minute, and says why."""
        log.error("path_failed", warning_id=path.warning_id, person_id=path.person_id, reason=repr(problem))
        await tx.execute(
            sa.update(tables.path)
            .where(tables.path.c.warning_id == path.warning_id, tables.path.c.person_id == path.person_id)
            .values(
                next_at=now + 60.0, react_at=None, end_reason=f"not walked: {type(problem).__name__} {problem}"[:60]
            )
        )

    async def _one(
        self,
        tx: Connection,
        ctx: WarningContext,
        path: tables.Path,
        who: Person,
        house: tables.Path | None,
        deltas: Deltas,
        retry: list[str],
        give_up: list[str],
        moved_up: list[str],
        calls: list[tuple[str, float, list[Planned], str]],
        now: float,
    ) -> None:
        plan = ctx.plan(who.profile, now)
        react_at: float | None = path.react_at
        if react_at is not None and react_at <= now:
            found = react(ctx, who, plan, now)
            retry += found.retry
            moved_up += found.moved_up
            give_up += found.give_up
            if found.open_case and any(d.answer == Answer.HELP for d in who.deliveries):
                # a call that was carried over from what this replaced has its case there
                help_at = now if who.help_at is None else who.help_at
                calls.append((path.person_id, help_at, list(who.deliveries), _owner(who)))
            if found.ending is not None and not _is_a_name_alone(ctx, who, found.ending[0]):
                await end(tx, deltas, path, *found.ending, now)
                return
            react_at = found.again_at
            if found.ending is not None:
                react_at = min(now + TAKEN_UP_S, react_at if react_at is not None else now + TAKEN_UP_S)
        index, next_at = path.next_step, path.next_at
        while next_at is not None and next_at <= now:
            steps = ctx.escalation(who.profile, plan)
            if index >= len(steps):
                if house is not None and not who.standing_visits() and who.help_at is None:
                    if house.ending == "closed":
                        await close_with_house(tx, deltas, path, now)
                        return
                    next_at = now + HOUSE_S
                    break
                if who.lives_in_house and not who.standing_visits():
                    who.deliveries += door(ctx, who, plan, "the house does not answer", now, "house.door")
                    if who.standing_visits():
                        next_at = None
                        break
                ending = final(ctx, who, plan)
                if ending is not None and now < ctx.last_asked and who.turned_back_from:
                    next_at = (
                        ctx.last_asked
                    )  # rescue has the name, and they may still answer: nobody is given up before the impact
                    break
                if ending is not None and _is_a_name_alone(ctx, who, ending[0]):
                    next_at = now + TAKEN_UP_S
                    break
                if ending is not None:
                    await end(tx, deltas, path, *ending, now)
                    return
                next_at = None  # a door is open: what the officer finds moves the path
                if (ctx.waits_for_door_check or who.was_barred()) and not who.standing_visits():
                    next_at = await self._when_people_may_go(tx, ctx, path, who, plan, deltas, now)
                break
            step = steps[index]
            walk(ctx, who, ctx.plan(who.profile, next_at), step, now)  # day or night by the step's own time
            if step.every and not done(step, who):
                next_at = next_at + step.every if next_at + step.every < ctx.last_asked else None
                break
            index += 1
            following = step_time(ctx, who, index)
            next_at = following if following is not None else next_at + _grace(ctx, who, plan)
        moved = {"step": index, "next": next_at, "react": react_at}
        await tx.execute(_WALKED, {"w": path.warning_id, "p": path.person_id, **moved})

    @staticmethod
    async def _when_people_may_go(
        tx: Connection, ctx: WarningContext, path: tables.Path, who: Person, plan: PathPlan, deltas: Deltas, now: float
    ) -> float | None:
        """Doors that were forbidden are knocked at once people may go, else handed over.

        They may go when the impact is over and the commander has said so, or when the other warning that forbade it has ended.
        """
        if not ctx.nobody_goes(plan, who):
            why = "the other warning has ended" if who.was_barred() else "door check after the impact"
            rows = door(ctx, who, plan, why, now, "after_impact")
            who.deliveries += rows
            return None
        if now < ctx.issued.released + EMERGENCY_S or not who.taken_up(ctx):
            return now + LOOK_AGAIN_S
        await end(
            tx, deltas, path, "handed_to_rescue", "name on the fire service's list; no door check was allowed", now
        )
        return None

    async def next_at(self, db: Connection) -> float | None:
        """The earliest step or reaction of any open path."""
        return min((await _earliest(db)).values(), default=None)


_WALKED = (
    sa.update(tables.path)
    .where(tables.path.c.warning_id == sa.bindparam("w"), tables.path.c.person_id == sa.bindparam("p"))
    .values(next_step=sa.bindparam("step"), next_at=sa.bindparam("next"), react_at=sa.bindparam("react"))
)
_FIRST = sa.select(
    *(
        sa.select(sa.func.min(at)).where(tables.IS_OPEN, tables.path.c.tier == int(tier)).scalar_subquery()
        for tier in Tier
        for at in (tables.path.c.next_at, tables.path.c.react_at)
    )
)


async def _earliest(db: Connection) -> dict[int, float]:
    """Tier > when the first step or reaction of any of its open paths is due."""
    found = (await db.execute(_FIRST)).one()
    both = zip(Tier, found[0::2], found[1::2], strict=True)
    return {int(tier): min(t for t in some if t is not None) for tier, *some in both if some != [None, None]}


class _Due(NamedTuple):
    """Queries of the warnings that have paths due at `now`, and of `room` paths of those named in `of`."""

    warnings: sa.Executable
    reacting: sa.Select[*tuple[object, ...]]
    stepping: sa.Select[*tuple[object, ...]]


@cache
def _due(tier: int) -> _Due:
    """The paths of a tier that react to something, and those whose step has come: a batch of each, the longest due first.

    In the order of an index each, so that a batch reads its own paths, however many are due.
    """
    path, now = tables.path.c, sa.bindparam("now", type_=sa.Float)
    mine = sa.select(tables.path).where(tables.IS_OPEN, path.tier == tier)
    quiet = sa.or_(path.react_at.is_(None), path.react_at > now)
    both = (
        mine.where(path.react_at <= now).order_by(path.react_at).limit(BATCH),
        mine.where(path.next_at <= now, quiet).order_by(path.next_at).limit(BATCH),
    )
    warnings = sa.union(*(one.with_only_columns(path.warning_id).subquery().select() for one in both))
    of: sa.BindParameter[str] = sa.bindparam("of", expanding=True)
    room = sa.bindparam("room", type_=sa.Integer)
    # another router walks those that are locked
    return _Due(
        warnings, *(one.where(path.warning_id.in_(of)).limit(room).with_for_update(skip_locked=True) for one in both)
    )


def _is_a_name_alone(ctx: WarningContext, who: Person, ending: str) -> bool:
    """Whether it would end by a name on a list that nobody of the fire service has acknowledged: that is no ending."""
    return ending in COMMANDER_ENDINGS and who.on_fire_list() and not who.taken_up(ctx)


def _grace(ctx: WarningContext, who: Person, plan: PathPlan) -> float:
    patient = ctx.policy.tiers[plan.tier].end == "closed" and who.on_fire_list() and not who.standing_visits()
    return HAND_OVER_S if patient else GRACE_S[plan.tier]


def _owner(who: Person) -> str:
    """Who has a call for help: the team whose list the door is on, else the fire service if the name is there."""
    slots = [d.slot for d in who.standing_visits() if d.slot]
    if slots:
        return slots[-1]
    return FIRE_SERVICE if who.on_fire_list() else ""
