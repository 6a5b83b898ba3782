"""Moves deliveries along the allowed transitions by conditional UPDATEs, and says what may be sent.

The hot paths, claiming and folding of reports, write theirs themselves, by the same table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from services.shared.database.batches import chunks, one_of
from services.shared.database.engine import Connection
from services.shared.ledger.kinds import SAYS_NO_WARNING, DeliveryKind
from services.shared.ledger.states import TRANSITIONS, SendState
from services.shared.ledger.tables import DOOR_DRIVER, among, delivery
from services.shared.ledger.warnings import warning_state


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

    Returns the ids that moved; the others lost a race and stay as they are.
    """
    sources = [b for b, a in TRANSITIONS if a == after]
    if only is not None:
        wanted = set(only)
        if not wanted <= set(sources):
            raise ValueError(f"no transition from {wanted - set(sources)} to {after}")
        sources = sorted(wanted)
    moved: list[str] = []
    for part in chunks(ids, 500):
        await _lock(tx, one_of(delivery.c.delivery_id, part))
        statement = (
            sa.update(delivery)
            .where(one_of(delivery.c.delivery_id, part), delivery.c.send_state.in_(sources), *where)
            .values(send_state=after, state_at=at, **values)
            .returning(delivery.c.delivery_id)
        )
        moved += (await tx.scalars(statement)).all()
    return moved


async def move_all(
    tx: Connection, after: SendState, *, at: float, where: Sequence[sa.ColumnElement[bool]], **values: object
) -> int:
    """Moves every delivery that matches `where` and may reach `after`; returns how many."""
    sources = [b for b, a in TRANSITIONS if a == after]
    await _lock(tx, delivery.c.send_state.in_(sources), *where)
    result = await tx.execute(
        sa.update(delivery)
        .where(delivery.c.send_state.in_(sources), *where)
        .values(send_state=after, state_at=at, **values)
    )
    return result.rowcount


async def _lock(tx: Connection, *where: sa.ColumnElement[bool]) -> None:
    """Locks the rows by id: two statements over the same deliveries never wait in a circle. SQLite has one writer."""
    if tx.dialect.name != "sqlite":
        mine = sa.select(delivery.c.delivery_id).where(*where).order_by(delivery.c.delivery_id).with_for_update()
        await tx.execute(sa.select(sa.func.count()).select_from(mine.subquery()))


def may_be_sent(now: float | sa.ColumnElement[float]) -> sa.ColumnElement[bool]:
    """The guard every claim and every intent carries: the warning is active and not expired; at doors, people may be sent.

    A visit is not stopped by the clock (officers under way go on), but it waits for the word that people may be sent.
    A notice that speaks of a warning (an officer's list) ends with it.
    """
    door = delivery.c.driver == DOOR_DRIVER
    live = sa.exists().where(
        warning_state.c.warning_id == delivery.c.warning_id,
        warning_state.c.state == "active",
        sa.or_(sa.not_(door), delivery.c.kind == DeliveryKind.RESCUE, warning_state.c.doors == "allowed"),
    )
    live = live.correlate(delivery)
    notice = sa.and_(among(delivery.c.kind, *SAYS_NO_WARNING), delivery.c.warning_id == "")
    return sa.and_(sa.or_(live, notice), sa.or_(delivery.c.expires_at > now, door))
