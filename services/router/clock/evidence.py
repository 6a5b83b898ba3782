"""Records evidence: loads deliveries, folds what became of them, closes or reacts, counts.

Nothing is planned here. A path that needs a reaction (a call for help, a silent door, an unknown send) is marked with
`react_at`; the steps and reactions are walked in one place, in one order, by `deadlines`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from services.router.callouts import callouts
from services.router.cases import carry_over, cases
from services.router.clock.fold import Folded, Known, fold
from services.router.planning.paths import drop_calls, drop_unsent, end, reopen
from services.router.policy.engine import Policy
from services.router.store import tables, tally
from services.shared.database import locks
from services.shared.database.batches import Each, one_of
from services.shared.database.engine import Connection, Id
from services.shared.database.rows import rows_of
from services.shared.ledger.evidence import Answer
from services.shared.ledger.kinds import DeliveryKind
from services.shared.ledger.tables import DOOR_DRIVER, Delivery, delivery, delivery_cover
from services.shared.ledger.tally import Deltas

_MOVE = Each(
    lambda v: (
        sa.update(tables.path)
        .where(tables.path.c.warning_id == v("w"), tables.path.c.person_id == v("p"))
        .values(
            evidence=v("evidence_"),
            milestones=v("milestones_"),
            help_at=v("help_"),
            answer=v("answer_"),
            answer_by=v("by_"),
            react_at=v("react_"),
        )
    ),
    w=Id, p=Id, evidence_=sa.SmallInteger, milestones_=sa.SmallInteger, help_=sa.Float, answer_=sa.String, by_=sa.String,
    react_=sa.Float,
)  # fmt: skip
_PEOPLE = sa.select(delivery.c.person_id).where(one_of(delivery.c.delivery_id, "ids"))
_COVERED = sa.select(delivery_cover.c.person_id).where(one_of(delivery_cover.c.delivery_id, "ids"))
_PATHS = (
    sa.select(tables.path)
    .where(tables.path.c.warning_id == sa.bindparam("w"), one_of(tables.path.c.person_id, "people"))
    .order_by(tables.path.c.person_id)
    .with_for_update()
)
_ROWS = (
    sa.select(delivery).where(one_of(delivery.c.delivery_id, "ids")).order_by(delivery.c.delivery_id).with_for_update()
)
_JOB_OPEN = sa.update(tables.job).where(tables.job.c.about_id == sa.bindparam("w")).values(done=False)


async def record(tx: Connection, policy: Policy, warning_id: str, ids: Sequence[str], now: float) -> bool:
    """All effects of one event about these deliveries, in the caller's transaction.

    Whether the router's clockwork may have something to do by them; a plain accept or receipt brings it nothing.
    """
    people = await _concerned(tx, ids)
    await _lock(tx, warning_id, people)
    paths = await _paths(tx, warning_id, people)
    rows = await _rows(tx, ids)
    deltas = Deltas(warning_id)
    await tally.channels(tx, deltas, rows, {p: path.profile_key for p, path in paths.items()})
    known = await _load(tx, warning_id, paths, rows)
    folded = [fold(policy, known, person_id, now) for person_id in sorted(paths)]
    _count(deltas, folded)
    await _close_or_reopen(tx, deltas, folded, now)
    await _MOVE.run(tx, [_moved(one) for one in folded])
    # locks of what is done for all of them come after those of their paths
    closed = [one.path.person_id for one in folded if one.closes]
    await drop_unsent(tx, warning_id, closed, "path closed", now)
    await drop_calls(tx, warning_id, [one.path.person_id for one in folded if one.answered and not one.closes], now)
    await _pass_on_help(tx, warning_id, folded, now)
    await cases.met(tx, warning_id, closed, now)
    await cases.questions(tx, warning_id, ids, {row.delivery_id: row for row in rows})
    await callouts.heard(tx, warning_id, rows, now)
    awaited = await _reopen_job(tx, warning_id)
    await deltas.add(tx)
    return awaited or any(_moves(row) for row in rows) or any(one.react_at is not None or one.closes for one in folded)


def _moves(row: Delivery) -> bool:
    """Whether more hangs on a delivery than its path: a team's list, a callout, what somebody said."""
    return row.driver == DOOR_DRIVER or row.kind == DeliveryKind.CALLOUT or row.answer != ""


async def _concerned(tx: Connection, ids: Sequence[str]) -> set[str]:
    """The people these deliveries are for, with those who share the phone; "" is an area."""
    people = set((await tx.scalars(_PEOPLE, {"ids": ids})).all())
    return people | set((await tx.scalars(_COVERED, {"ids": ids})).all())


async def _lock(tx: Connection, warning_id: str, people: Collection[str]) -> None:
    await locks.doors(tx, warning_id, shared=True)
    # an ending's job that closes meanwhile would miss what came late; an area has no path to be counted under
    await locks.ending(tx, warning_id, shared=True)
    await locks.plan(tx, warning_id, shared=True)
    if "" in people:
        await locks.area(tx, warning_id)


async def _paths(tx: Connection, warning_id: str, people: Collection[str]) -> dict[str, tables.Path]:
    """Their paths by person, locked before the ledger is read: two events about one person come one after the other."""
    found = await rows_of(tx, tables.Path, _PATHS, {"w": warning_id, "people": sorted(people)})
    return {path.person_id: path for path in found}


async def _rows(tx: Connection, ids: Sequence[str]) -> list[Delivery]:
    """The deliveries of the event, locked in the order in which recorders lock them."""
    return await rows_of(tx, Delivery, _ROWS, {"ids": ids})


async def _load(tx: Connection, warning_id: str, paths: Mapping[str, tables.Path], rows: Sequence[Delivery]) -> Known:
    """Everything these paths are folded from."""
    profiles = await tables.profiles_of(tx, {path.profile_key for path in paths.values()})
    deliveries = await tables.deliveries_of(tx, warning_id, sorted(paths))
    answers = await tables.answers_of(tx, sorted({d.delivery_id for found in deliveries.values() for d in found}))
    visits = {row.delivery_id: row.person_id for row in rows if row.driver == DOOR_DRIVER}
    undone = await tables.undone_of(tx, sorted(visits)) if visits else {}
    return Known(paths, profiles, deliveries, answers, {visits[one]: words for one, words in undone.items()})


def _count(deltas: Deltas, folded: Sequence[Folded]) -> None:
    """Adds each milestone that a path has newly come to; one outside of the area is not counted."""
    for one in folded:
        if one.path.outside:
            continue
        for bit, milestone in ((tables.DELIVERED, "delivered"), (tables.REACHED, "reached"), (tables.CLOSED, "closed")):
            if one.milestones & ~one.path.milestones & bit:
                deltas.person(one.path.profile_key, milestone)


async def _close_or_reopen(tx: Connection, deltas: Deltas, folded: Sequence[Folded], now: float) -> None:
    for one in folded:
        if one.reopens:
            await reopen(tx, deltas, one.path, now, walks=one.unsaid)
        elif one.closes and one.closing is not None:
            reason = f"{one.closing.answer} by {one.closing.by}"
            await end(tx, deltas, one.path, "closed", reason, now, upgrade=one.path.state != "open")


def _moved(one: Folded) -> dict[str, object]:
    """A path's row for `_MOVE`."""
    return {
        "w": one.path.warning_id,
        "p": one.path.person_id,
        "evidence_": one.evidence,
        "milestones_": one.milestones,
        "help_": one.help_at,
        "answer_": one.shown[0],
        "by_": one.shown[1],
        "react_": one.react_at,
    }


async def _pass_on_help(tx: Connection, warning_id: str, folded: Sequence[Folded], now: float) -> None:
    """Calls for help of paths that stay ended: to the updates of this warning, and to whoever must own the case."""
    late = [(one, one.help_at) for one in folded if one.help_after_end and one.help_at is not None]
    for one, help_at in late:
        if one.path.ending == "superseded":
            await carry_over.onward(tx, warning_id, one.path.person_id, help_at, now)
    unsaid = [one.path.person_id for one in folded if one.help_unsaid]
    await cases.met(tx, warning_id, unsaid, now, "taken back at the door")
    for one, help_at in late:
        if any(d.answer == Answer.HELP for d in one.deliveries):
            await cases.call_for_help(tx, warning_id, one.path.person_id, help_at, one.deliveries, "")


async def _reopen_job(tx: Connection, warning_id: str) -> bool:
    """Whoever is met at a door, or heard of by the provider, after the ending went round has it still to come.

    Whether there is one; it may have waited for a message that was on its way.
    """
    return (await tx.execute(_JOB_OPEN, {"w": warning_id})).rowcount > 0
