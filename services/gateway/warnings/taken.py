"""Says what became of a message that came in or was acted on."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from services.shared.database.engine import Connection
from services.shared.ledger.warnings import state_at, warning_state
from services.shared.tiers import Tier


@dataclass(frozen=True)
class Taken:
    """What became of a message: its id, its state, and sentences on what was noted."""

    warning_id: str
    state: str
    tier: Tier | None
    notes: tuple[str, ...] = ()
    again: bool = False


async def as_it_is(tx: Connection, warning_id: str, now: float) -> Taken:
    """The answer for a warning that is here already: its state of now."""
    state = (await tx.execute(sa.select(warning_state).where(warning_state.c.warning_id == warning_id))).one()
    shown = state_at(state.state, state.expires_at, now)
    return Taken(warning_id, shown, Tier(state.tier) if state.tier else None, again=True)
