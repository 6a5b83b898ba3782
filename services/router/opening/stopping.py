"""Stops what a warning still has to do: all of it, or what it has to do for some people."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from services.router.cases import cases
from services.router.store import tables
from services.router.store.cases import HELP, OPEN, case
from services.shared.database.batches import one_of
from services.shared.database.engine import Connection
from services.shared.ledger.kinds import DeliveryKind
from services.shared.ledger.moves import move_all
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import DOOR_DRIVER, IS_DUE, ON_A_LIST, delivery, delivery_cover
from services.shared.ledger.tally import Deltas
from services.shared.messages import WarningIssued


async def stop(tx: Connection, about: str, by: WarningIssued, now: float, people: Sequence[str] | None = None) -> None:
    """Nothing of the warning `about` goes out any more and its open paths end; help that was asked for outlives it.

    `people`: of these alone. A message on a shared phone stays where anybody is told by it who is neither among them nor noted
    under `by` already.
    """
    ending = "superseded" if by.kind == "update" else "cancelled"
    state = SendState.SUPERSEDED if by.kind == "update" else SendState.CANCELLED
    about_it: tuple[sa.ColumnElement[bool], ...] = (delivery.c.warning_id == about,)
    paths: tuple[sa.ColumnElement[bool], ...] = (tables.path.c.warning_id == about, tables.path.c.state == "open")
    if people is not None:
        noted = sa.select(tables.path.c.person_id).where(tables.path.c.warning_id == by.warning_id)
        shared = sa.select(delivery_cover.c.delivery_id).where(one_of(delivery_cover.c.person_id, people))
        theirs = sorted(set((await tx.scalars(shared)).all()))  # on the phone of somebody of an earlier page too
        others = sa.exists().where(
            delivery_cover.c.delivery_id == delivery.c.delivery_id,
            sa.not_(one_of(delivery_cover.c.person_id, people)),
            delivery_cover.c.person_id.not_in(noted),
        )
        mine: sa.ColumnElement[bool] = one_of(delivery.c.person_id, people)
        if theirs:
            mine = sa.or_(mine, sa.and_(one_of(delivery.c.delivery_id, theirs), delivery.c.person_id.in_(noted)))
        about_it += (mine, sa.not_(others))
        paths += (one_of(tables.path.c.person_id, people),)
    called = sa.select(case.c.person_id).where(case.c.warning_id == about, HELP, OPEN)
    visits = (*about_it, delivery.c.kind == DeliveryKind.VISIT, ON_A_LIST, delivery.c.answer == "")
    unmet = (
        await tx.scalars(sa.select(delivery.c.person_id).where(*visits, delivery.c.person_id.in_(called)).distinct())
    ).all()
    await move_all(tx, state, at=now, where=(*about_it, IS_DUE))
    await move_all(
        tx, SendState.SUPERSEDED, at=now, state_reason="visit stopped",
        where=(*about_it, delivery.c.driver == DOOR_DRIVER, delivery.c.send_state == "accepted", delivery.c.answer == ""),
    )  # fmt: skip
    await cases.taken_back(tx, about, unmet, now, "the warning ended: visit stopped")
    deltas = Deltas(about)
    counts = await tx.execute(
        sa.select(tables.path.c.profile_key, sa.func.count()).where(*paths).group_by(tables.path.c.profile_key)
    )
    for profile_key, n in counts:
        deltas.person(profile_key, f"ended:{ending}", n)
    await tx.execute(
        sa.update(tables.path)
        .where(*paths)
        .values(state="ended", ending=ending, ended_at=now, end_reason=f"by {by.kind} {by.warning_id[:8]}",
                next_at=None, react_at=None)
    )  # fmt: skip
    await deltas.add(tx)
