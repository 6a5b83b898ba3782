"""Records evidence: loads deliveries, folds what became of them, closes or reacts, counts.

Nothing is planned here. A path that needs a reaction (a call for help, a silent door, an unknown send) is marked with
`react_at`; the steps and reactions are walked in one place, in one order, by `deadlines`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from services.router.callouts import callouts
from services.router.cases import carry_over, cases
from services.router.clock.reactions import fell_out
from services.router.planning.paths import drop_unsent, end, perceived, reopen
from services.router.policy.engine import Policy
from services.router.store import tables, tally
from services.shared.database import locks
from services.shared.database.batches import Each, one_of
from services.shared.database.engine import Connection, Id
from services.shared.database.rows import rows_of
from services.shared.ledger.deliveries import DOOR_DRIVER, Delivery
from services.shared.ledger.ledger import (
    MAY_REOPEN,
    MAY_STILL_CLOSE,
    SERIOUSNESS,
    Answer,
    Evidence,
    Logged,
    SendState,
    delivery,
    delivery_cover,
)
from services.shared.messages import Profile

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


class _Later(NamedTuple):
    """What paths ask for that is done after all of them: its locks come after theirs."""

    carried: list[tuple[str, float]]  # (person, when help was called for), to the updates of this warning
    unsaid: list[str]  # whose call for help was taken back at the door
    calls: list[tuple[str, float, Sequence[Delivery], str]]  # arguments of cases.call_for_help


async def record(tx: Connection, policy: Policy, warning_id: str, ids: Sequence[str], now: float) -> None:
    """All effects of one hint, in the caller's transaction."""
    people = set((await tx.scalars(sa.select(delivery.c.person_id).where(one_of(delivery.c.delivery_id, ids)))).all())
    people |= set(
        (await tx.scalars(sa.select(delivery_cover.c.person_id).where(one_of(delivery_cover.c.delivery_id, ids)))).all()
    )
    await locks.doors(tx, warning_id, shared=True)
    # an ending's job that closes meanwhile would miss what came late; an area has no path to be counted under
    await locks.ending(tx, warning_id, shared=True)
    await locks.plan(tx, warning_id, shared=True)
    if "" in people:
        await locks.area(tx, warning_id)
    mine = (
        sa.select(tables.path)
        .where(tables.path.c.warning_id == warning_id, one_of(tables.path.c.person_id, sorted(people)))
        .order_by(tables.path.c.person_id)
        .with_for_update()  # before the ledger is read: two hints about one person are taken one after the other
    )
    paths = {p.person_id: p for p in await rows_of(tx, tables.Path, mine)}
    about = sa.select(delivery).where(one_of(delivery.c.delivery_id, ids)).order_by(delivery.c.delivery_id)
    rows = await rows_of(tx, Delivery, about.with_for_update())  # in the order in which desks lock them
    deltas = tally.Deltas(warning_id)
    await tally.channels(tx, deltas, list(rows), {p: paths[p].profile_key for p in paths})
    profiles = await tables.profiles_of(tx, {p.profile_key for p in paths.values()})
    deliveries = await tables.deliveries_of(tx, warning_id, sorted(paths))
    answers = await tables.answers_of(tx, sorted({d.delivery_id for found in deliveries.values() for d in found}))
    visits = {row.delivery_id: row.person_id for row in rows if row.driver == DOOR_DRIVER}
    undone = await tables.undone_of(tx, sorted(visits)) if visits else {}
    corrected = {visits[one]: words for one, words in undone.items()}
    closed: list[str] = []
    moved: list[dict[str, object]] = []
    later = _Later([], [], [])
    for person_id in sorted(paths):
        path = paths[person_id]
        found = profiles[path.profile_key]
        counted = tally.Deltas(warning_id) if path.outside else deltas
        taken_back = corrected.get(person_id, set())
        if await _one(tx, policy, path, found, deliveries[person_id], answers, counted, now, moved, later, taken_back):
            closed.append(person_id)
    await _MOVE.run(tx, moved)
    await drop_unsent(tx, warning_id, closed, "path closed", now)
    for person_id, help_at in later.carried:
        await carry_over.onward(tx, warning_id, person_id, help_at, now)
    await cases.met(tx, warning_id, later.unsaid, now, "taken back at the door")
    for call in later.calls:
        await cases.call_for_help(tx, warning_id, *call)
    await cases.met(tx, warning_id, closed, now)
    await cases.questions(tx, warning_id, ids, {row.delivery_id: row for row in rows})
    await callouts.heard(tx, warning_id, rows, now)
    # who is met at a door, or heard of by the provider, after the ending went round has it still to come
    await tx.execute(
        sa.update(tables.job).where(tables.job.c.about_id == warning_id, tables.job.c.done).values(done=False)
    )
    await deltas.add(tx)


async def _one(
    tx: Connection,
    policy: Policy,
    path: tables.Path,
    profile: Profile,
    deliveries: Sequence[Delivery],
    answers: Mapping[str, Sequence[Logged]],
    deltas: tally.Deltas,
    now: float,
    moved: list[dict[str, object]],
    later: _Later,
    taken_back: set[str],
) -> bool:
    """Moves one path; True where it closed just now. `taken_back` is what an officer said at the door and unsaid."""
    said = sorted(
        (
            (a, d)
            for d in deliveries
            for a in answers.get(d.delivery_id, ())
            if d.person_id == path.person_id or a.covers >= d.covers
        ),
        key=lambda team: (team[0].at, team[0].event_key),
    )
    evidence = perceived(deliveries)
    if any(d.person_id != path.person_id for d in deliveries):
        # on a shared phone the receipt is everybody's, the answer only hers who is named (or all, if they said so)
        evidence = max(
            perceived([d for d in deliveries if d.person_id == path.person_id]),
            min(evidence, int(Evidence.DELIVERED)),
            *(int(Evidence.ACKNOWLEDGED) for _, d in said if d.person_id != path.person_id),
        )
    carried_at = None if Answer.HELP in taken_back else path.help_at
    closing, shown, help_at = _judge(policy, profile, said, carried_at)
    reached = (
        evidence >= Evidence[policy.reached.evidence_at_least.upper()]
        or (shown is not None and shown[0] in policy.reached.answers)
    ) or (policy.reached.supporter_spoke and any(a.answer == Answer.SPOKE for a, _ in said))

    milestones = path.milestones
    if evidence >= Evidence.DELIVERED or reached:
        milestones |= tables.DELIVERED
    if reached:
        milestones |= tables.REACHED
    if closing is not None:
        milestones |= tables.CLOSED | tables.REACHED | tables.DELIVERED
    for bit, milestone in ((tables.DELIVERED, "delivered"), (tables.REACHED, "reached"), (tables.CLOSED, "closed")):
        if milestones & ~path.milestones & bit:
            deltas.person(path.profile_key, milestone)

    unsaid = bool(taken_back) and closing is None and path.state == "ended" and path.ending == "closed"
    reopening = unsaid or (help_at is not None and path.state == "ended" and path.ending in MAY_REOPEN)
    if reopening:
        milestones &= ~tables.CLOSED
    react = reopening or (path.state == "open" and closing is None and _wants_reaction(deliveries, said))
    moved.append(
        {
            "w": path.warning_id,
            "p": path.person_id,
            "evidence_": max(path.evidence, evidence),
            "milestones_": milestones,
            "help_": help_at,
            "answer_": shown[0] if shown else "" if taken_back else path.answer,
            "by_": shown[1] if shown else "" if taken_back else path.answer_by,
            "react_": now if react else None if closing is not None else path.react_at,
        }
    )
    if path.help_at is not None and help_at is None and closing is None:
        later.unsaid.append(path.person_id)
    if reopening:
        await reopen(tx, deltas, path, now, walks=unsaid)
    elif help_at is not None and path.state == "ended":
        # stopped, or with the rescue service already: somebody must own it all the same
        if any(d.answer == Answer.HELP for d in deliveries):
            later.calls.append((path.person_id, help_at, deliveries, ""))
        if path.ending == "superseded":
            later.carried.append((path.person_id, help_at))
    if closing is None or path.ending == "closed":
        return False
    if path.state == "open" or path.ending in MAY_STILL_CLOSE:
        await end(tx, deltas, path, "closed", f"{closing.answer} by {closing.by}", now, upgrade=path.state != "open")
        return True
    return False


def _judge(
    policy: Policy, profile: Profile, said: Sequence[tuple[Logged, Delivery]], carried_at: float | None
) -> tuple[Logged | None, tuple[str, str] | None, float | None]:
    """The answer that closes the path, the one to show, and when help was asked for and is still open.

    After a call for help, only somebody who is there, or the person's own word that she is moving or safe, closes.
    `carried_at`: a call that stands on the path and in no answer was made under what this warning replaced.
    """
    flags = profile.flags
    closing_class = (
        "cannot_judge" if "cannot_judge" in flags else "cannot_leave" if "cannot_leave" in flags else "default"
    )
    closing = None
    shown: tuple[str, str] | None = None
    help_at = None if any(answer.answer == Answer.HELP for answer, _ in said) else carried_at
    for answer, _ in said:
        if answer.answer == Answer.HELP:
            help_at = answer.at if help_at is None else help_at
            closing = None
        else:
            there = answer.by in ("officer", "supporter_with_person") or answer.answer in (Answer.MOVING, Answer.SAFE)
            if policy.closes(closing_class, answer.answer, answer.by) and (
                help_at is None or (there and answer.at >= help_at)
            ):
                closing, help_at = answer, None
        if shown is None or SERIOUSNESS[Answer(answer.answer)] >= SERIOUSNESS[Answer(shown[0])]:
            shown = (answer.answer, answer.by)
    if closing is not None:
        shown = (closing.answer, closing.by)
    return closing, shown, help_at


def _wants_reaction(deliveries: Sequence[Delivery], said: Sequence[tuple[Logged, Delivery]]) -> bool:
    news = any(d.send_state == SendState.UNKNOWN or fell_out(d) for d in deliveries)
    return news or any(
        a.answer in (Answer.HELP, Answer.NO_ANSWER, Answer.REFUSED, Answer.UNSAFE, Answer.CANNOT_REACH) for a, _ in said
    )
