"""Settles unknown sends that no path decides on: each goes out once more, then it ends.

A path's own unknown deliveries are the router's affair, as long as the path is open. A broadcast document names
itself, a link to a list or an ending said twice does no harm: so silence gives way to a double here at every tier.
"""

from __future__ import annotations

import sqlalchemy as sa

from services.shared.clock import Clock
from services.shared.database.engine import Database
from services.shared.ledger.kinds import SAYS_NO_WARNING, DeliveryKind
from services.shared.ledger.moves import may_be_sent, move
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import IS_UNKNOWN, delivery

ONCE_MORE_S = 60.0
GIVE_UP_S = 900.0  # longer than any path waits for its own
BATCH = 500


async def settle_unknown(database: Database, clock: Clock) -> bool:
    """Moves what has been UNKNOWN for a minute to RETRY, once; and whatever stayed UNKNOWN to UNCONFIRMED."""
    now = clock.now()
    nobodys = sa.or_(delivery.c.person_id == "", delivery.c.kind.in_((*SAYS_NO_WARNING, DeliveryKind.ENDING)))
    again = sa.and_(nobodys, delivery.c.ambiguous < 2, may_be_sent(now))
    late = delivery.c.state_at <= now - ONCE_MORE_S
    over = sa.or_(delivery.c.state_at <= now - GIVE_UP_S, sa.and_(nobodys, sa.not_(again)))
    async with database.read() as db:
        ids = (await db.scalars(sa.select(delivery.c.delivery_id).where(IS_UNKNOWN, late).limit(BATCH))).all()
    if not ids:
        return False
    async with database.write() as tx:
        moved = await move(tx, ids, SendState.RETRY, at=now, only=(SendState.UNKNOWN,), where=(again, late), due_at=now,
                           state_reason="unknown: sent once more")  # fmt: skip
        moved += await move(tx, ids, SendState.UNCONFIRMED, at=now, only=(SendState.UNKNOWN,), where=(over, late),
                            state_reason="never confirmed")  # fmt: skip
    return bool(moved)
