"""Moves deliveries along the allowed transitions by conditional UPDATEs, and says what may be sent.

What is under way is nobody's to take back: a move from `pending` leaves out what an open flight holds. The hot paths,
intents and the recording of outcomes, write theirs themselves, by the same table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import sqlalchemy as sa

from services.shared.database.batches import chunks, one_of
from services.shared.database.engine import Connection
from services.shared.ledger.flights import enqueue, in_flight, lock_batches
from services.shared.ledger.kinds import SAYS_NO_WARNING, DeliveryKind
from services.shared.ledger.states import TRANSITIONS, SendState
from services.shared.ledger.tables import DOOR_DRIVER, IS_DUE, among, delivery
from services.shared.ledger.warnings import warning_state

UNSENT = (SendState.PENDING, SendState.RETRY)


async def move(
    tx: Connection,
    ids: Sequence[str],
    after: SendState,
    *,
    at: float,
    only: Iterable[SendState] | None = None,
    where: Sequence[sa.ColumnElement[bool]] = (),
    **values: object,
) -> list[str]:
    """Moves those of `ids` that stand in a state from which `after` may be reached (and in `only`, if given).

    Returns the ids that moved; the others lost a race and stay as they are. What is to be sent again stands in a batch.
    """
    sources = {b for b, a in TRANSITIONS if a == after}
    if only is not None:
        wanted = set(only)
        if not wanted <= sources:
            raise ValueError(f"no transition from {wanted - sources} to {after}")
        sources = wanted
    moved: list[str] = []
    for part in chunks(ids, 500):
        mine = (one_of(delivery.c.delivery_id, part), _stands(sources), *where)
        locked = await _lock(tx, sources, *mine[:1])
        statement = sa.update(delivery).where(*mine, locked).values(send_state=after, state_at=at, **values)
        moved += (await tx.scalars(statement.returning(delivery.c.delivery_id))).all()
    if after in UNSENT:
        await enqueue(tx, moved)
    return moved


async def move_all(
    tx: Connection, after: SendState, *, at: float, where: Sequence[sa.ColumnElement[bool]], **values: object
) -> int:
    """Moves every delivery that matches `where` and may reach `after`, which is an end; returns how many."""
    sources = {b for b, a in TRANSITIONS if a == after}
    mine = (_stands(sources), *where)
    locked = await _lock(tx, sources, *mine)
    result = await tx.execute(sa.update(delivery).where(*mine, locked).values(send_state=after, state_at=at, **values))
    return result.rowcount


def _stands(sources: Collection[SendState]) -> sa.ColumnElement[bool]:
    """Whether a delivery stands in one of these states; sending is what is unsent in an open flight."""
    stored = among(delivery.c.send_state, *sorted(set(sources) - {SendState.SENDING}))
    if SendState.SENDING in sources:
        return sa.or_(stored, sa.and_(IS_DUE, in_flight()))
    if not set(sources) & set(UNSENT):
        return stored
    return sa.and_(stored, sa.not_(sa.and_(IS_DUE, in_flight())))


async def _lock(
    tx: Connection, sources: Collection[SendState], *where: sa.ColumnElement[bool]
) -> sa.ColumnElement[bool]:
    """Locks the rows by id: two statements over the same deliveries never wait in a circle. SQLite has one writer.

    Their batches come first, where something unsent is taken back. Returns what is true of the rows that are locked so.
    """
    if tx.dialect.name == "sqlite":
        return sa.true()
    in_theirs: sa.ColumnElement[bool] = sa.true()
    if set(sources) & set(UNSENT):
        in_theirs = await lock_batches(tx, *where)
    mine = sa.select(delivery.c.delivery_id).where(*where, in_theirs).order_by(delivery.c.delivery_id).with_for_update()
    await tx.execute(sa.select(sa.func.count()).select_from(mine.subquery()))
    return in_theirs


def may_be_sent(now: float | sa.ColumnElement[float], what: sa.FromClause = delivery) -> sa.ColumnElement[bool]:
    """The guard every claim and every intent carries: the warning is active and not expired; at doors, people may be sent.

    A visit is not stopped by the clock (officers under way go on), but it waits for the word that people may be sent.
    A notice that speaks of a warning (an officer's list) ends with it. `what`: deliveries, or batches of them.
    """
    door = what.c.driver == DOOR_DRIVER
    live = sa.exists().where(
        warning_state.c.warning_id == what.c.warning_id,
        warning_state.c.state == "active",
        sa.or_(sa.not_(door), what.c.kind == DeliveryKind.RESCUE, warning_state.c.doors == "allowed"),
    )
    live = live.correlate(what)
    notice = sa.and_(among(what.c.kind, *SAYS_NO_WARNING), what.c.warning_id == "")
    return sa.and_(sa.or_(live, notice), sa.or_(what.c.expires_at > now, door))
