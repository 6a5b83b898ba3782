"""Gives the doors of a team that does not go to the others: each waits in rank again, as urgent as it was."""

from __future__ import annotations

import sqlalchemy as sa

from services.router.cases import cases
from services.router.planning import elsewhere
from services.router.planning.paths import put
from services.router.planning.plan import Person, WarningContext
from services.router.planning.rows import door
from services.router.store import tables
from services.shared.database.engine import Connection
from services.shared.ledger.deliveries import NewDelivery, Planned
from services.shared.ledger.moves import move
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import DOOR_DRIVER, ON_A_LIST, delivery
from services.shared.ledger.tally import Deltas

NOT_MADE = sa.and_(  # a visit on a list, or about to be put there, that nobody was at; found by the index of lists
    ON_A_LIST, delivery.c.driver == DOOR_DRIVER, delivery.c.answer == "",
    delivery.c.send_state.in_((SendState.PENDING, SendState.RETRY, SendState.ACCEPTED)),
)  # fmt: skip


async def hand_on(
    tx: Connection, ctx: WarningContext, slot: str, reason: str, step: str, now: float, plane: str
) -> int:
    """Takes the doors it was not at off its list, how many; people whose path is open get a visit anew."""
    warning_id = ctx.issued.warning_id
    rows = (
        await tx.execute(
            sa.select(delivery.c.delivery_id, delivery.c.person_id).where(
                delivery.c.warning_id == warning_id, delivery.c.slot == slot, NOT_MADE,
            )
        )
    ).all()  # fmt: skip
    ids = sorted(r.delivery_id for r in rows)
    await move(tx, ids, SendState.SUPPRESSED, at=now, only=(SendState.PENDING, SendState.RETRY), state_reason=reason)
    await move(tx, ids, SendState.SUPERSEDED, at=now, only=(SendState.ACCEPTED,), state_reason=reason)
    people = sorted({r.person_id for r in rows})
    about = (tables.path.c.warning_id == warning_id, tables.path.c.person_id.in_(people), tables.path.c.state == "open")
    paths = (await tx.execute(sa.select(tables.path).where(*about).order_by(tables.path.c.person_id))).all()
    profiles = await tables.profiles_of(tx, {p.profile_key for p in paths})
    ledger = await tables.deliveries_of(tx, warning_id, [p.person_id for p in paths])
    barred = await elsewhere.barred(tx, warning_id, [p.person_id for p in paths], now)
    deltas = Deltas(warning_id)
    new: list[NewDelivery] = []
    for path in paths:
        profile = profiles[path.profile_key]
        deliveries = list[Planned](ledger[path.person_id])
        who = Person(tables.decode_person(path.entry), profile, deliveries, barred=barred.get(path.person_id, ""))
        new += door(ctx, who, ctx.plan(profile, now), reason, now, step, urgent=path.help_at is not None)
    await put(tx, ctx, new, deltas, {p.person_id: p.profile_key for p in paths}, plane)
    await cases.taken_back(tx, warning_id, people, now, reason)
    await deltas.add(tx)
    return len(ids)
