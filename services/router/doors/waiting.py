"""Finds doors that wait for a team, and those that stand on a list and were not visited: what each turn looks for first."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from services.shared.ledger.kinds import DeliveryKind
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import DOOR_DRIVER, ON_A_LIST, UNASSIGNED, delivery
from services.shared.ledger.warnings import warning_state

WAITS = sa.and_(UNASSIGNED, delivery.c.driver == DOOR_DRIVER, delivery.c.send_state == SendState.PENDING)
BEGUN = sa.and_(
    delivery.c.driver == DOOR_DRIVER, delivery.c.kind != DeliveryKind.RESCUE, ON_A_LIST, delivery.c.answer == "",
    delivery.c.send_state.in_((SendState.PENDING, SendState.RETRY, SendState.ACCEPTED)),
)  # fmt: skip
OPEN = (WAITS, BEGUN)


class InRank(NamedTuple):
    """Doors of a warning on no list; `unnamed` are those whose names were not given out for want of a team."""

    n: int
    unnamed: int


def _concerned() -> sa.CompoundSelect[tuple[str, str, int, int]]:
    """Warnings with visits on no list, with visits on a list that were not made, and with a word that nobody may go."""
    none = sa.literal_column("0", sa.Integer)
    state = warning_state.c
    lately = (state.state == "active", state.expires_at > sa.bindparam("lately", type_=sa.Float))
    decided = sa.select(state.warning_id).where(*lately, state.doors.in_(("allowed", "unsafe")))
    begun = sa.select(state.warning_id).where(*lately, state.doors == "allowed")
    unnamed = sa.func.sum(sa.case((delivery.c.state_reason == "", 1), else_=0))
    return sa.union_all(
        sa.select(
            sa.literal_column("'wait'").label("why"), delivery.c.warning_id, sa.func.count().label("n"),
            unnamed.label("unnamed"),
        )
        .where(delivery.c.warning_id.in_(decided), WAITS)
        .group_by(delivery.c.warning_id),
        sa.select(sa.literal_column("'begun'"), delivery.c.warning_id, sa.func.count(), none)
        .where(delivery.c.warning_id.in_(begun), BEGUN)
        .group_by(delivery.c.warning_id),
        sa.select(sa.literal_column("'unsafe'"), state.warning_id, none, none).where(*lately, state.doors == "unsafe"),
    )  # fmt: skip


CONCERNED = _concerned()
