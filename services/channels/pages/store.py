"""Queries the ledger for pages: an officer's list, one delivery with its warning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from services.shared.database.engine import Connection
from services.shared.ledger.deliveries import DOOR_DRIVER, Delivery, deliveries_where
from services.shared.ledger.ledger import delivery, warning_state
from services.shared.ledger.params import Visit

LISTED = ("accepted", "delivered", "unconfirmed", "unknown", "failed")  # what the door driver has put on a list


async def visits(db: Connection, warning_id: str, worker_id: str) -> list[Delivery]:
    """The visits on one list, in the order they were put there; those taken off again are left out."""
    rows = await deliveries_where(
        db, delivery.c.warning_id == warning_id, delivery.c.slot == worker_id, delivery.c.driver == DOOR_DRIVER,
        delivery.c.send_state.in_(LISTED),
    )  # fmt: skip
    return sorted(rows, key=lambda r: (r.params.order if isinstance(r.params, Visit) else 0, r.delivery_id))


async def with_warning(db: Connection, delivery_id: str) -> Any:
    """A delivery and its warning's state, or None."""
    rows = await db.execute(
        sa.select(
            delivery, warning_state.c.state, warning_state.c.number, warning_state.c.tier.label("warning_tier"),
            warning_state.c.chain_id, warning_state.c.ending, warning_state.c.expires_at.label("expires_at_warning"),
        )
        .join(warning_state, warning_state.c.warning_id == delivery.c.warning_id)
        .where(delivery.c.delivery_id == delivery_id)
    )  # fmt: skip
    return rows.first()


async def later_in_chain(db: Connection, chain_id: str) -> Sequence[Any]:
    """The released updates and endings of a chain, newest first."""
    rows = await db.execute(
        sa.select(warning_state.c.kind, warning_state.c.ending, warning_state.c.number)
        .where(
            warning_state.c.chain_id == chain_id,
            warning_state.c.kind != "alert",
            warning_state.c.released_at.is_not(None),
        )
        .order_by(warning_state.c.released_at.desc(), warning_state.c.sent.desc())
    )
    return rows.all()


async def in_force(db: Connection, chain_id: str) -> str:
    """The newest warning of a chain that is in force and no ending; empty where there is none."""
    state = warning_state.c
    mine = sa.select(state.warning_id).where(
        state.chain_id == chain_id, state.state == "active", state.kind != "ending"
    )
    return str(await db.scalar(mine.order_by(state.released_at.desc(), state.warning_id).limit(1)) or "")


async def state_of(db: Connection, warning_id: str) -> Any:
    """The warning's state row, or None."""
    return (await db.execute(sa.select(warning_state).where(warning_state.c.warning_id == warning_id))).first()
