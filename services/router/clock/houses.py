"""Finds the houses of many that answer for whoever lives in them: nobody is visited room by room while their house does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from services.router.planning.plan import WarningContext
from services.router.policy.vocabulary import MOVING_WORDS
from services.router.store import tables
from services.shared.database.batches import one_of
from services.shared.database.engine import Connection
from services.shared.database.rows import rows_of
from services.shared.ledger.evidence import Answer, Evidence
from services.shared.ledger.kinds import DeliveryKind
from services.shared.ledger.tables import delivery
from services.shared.messages import Profile

IN_VAIN = (Answer.NO_ANSWER, Answer.UNSAFE)  # what a team says of a house where it has met nobody


async def answering_houses(
    tx: Connection, ctx: WarningContext, paths: Sequence[tables.Path], profiles: Mapping[str, Profile]
) -> dict[str, tables.Path]:
    """The houses of many these people live in that answer for them, by id: those spoken with, and those a team goes to.

    A silent house is gone to as a house by its own steps, and whoever lives there is met by it. Once a team has found nobody
    there who answers, or has turned back, each of them has a door of their own.
    """
    warning_id = ctx.issued.warning_id
    theirs = [(p, profiles[p.profile_key]) for p in paths]
    houses = {p.household_id for p, who in theirs if who.kind == "resident" and "facility" in who.groups}
    if not houses:
        return {}
    mine = (tables.path.c.warning_id == warning_id, one_of(tables.path.c.person_id, sorted(houses)))
    found = await rows_of(tx, tables.Path, sa.select(tables.path).where(*mine))
    of_houses = await tables.profiles_of(tx, {house.profile_key for house in found})
    found = [house for house in found if of_houses[house.profile_key].kind == "facility"]
    in_vain = sa.select(delivery.c.person_id).where(
        delivery.c.warning_id == warning_id, one_of(delivery.c.person_id, sorted(houses)),
        sa.or_(
            sa.and_(delivery.c.kind == DeliveryKind.VISIT, delivery.c.answer.in_(IN_VAIN)),
            delivery.c.kind == DeliveryKind.RESCUE,
        ),
    )  # fmt: skip
    missed = set((await tx.scalars(in_vain)).all())
    goes = any(word in MOVING_WORDS for step in ctx.policy.facility for word in step.do)
    return {
        house.person_id: house
        for house in found
        if house.evidence >= Evidence.HEARD
        or house.answer not in ("", *IN_VAIN)
        or (goes and house.state == "open" and house.person_id not in missed)
    }
