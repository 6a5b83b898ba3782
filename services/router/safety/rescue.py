"""Watches the fire service's list: a name on it that nobody there has acknowledged is nobody's, and stands as an alarm."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import sqlalchemy as sa

from services.router.planning.plan import TAKEN_BACK, WarningContext
from services.router.policy.vocabulary import COMMANDER_ENDINGS, FIRE_SERVICE
from services.router.store import tables
from services.shared import alarms
from services.shared.database.engine import Connection
from services.shared.i18n import english
from services.shared.ledger import team_signs
from services.shared.ledger.kinds import DeliveryKind
from services.shared.ledger.tables import ON_A_LIST, delivery
from services.shared.ledger.team_signs import TeamSign
from services.shared.ledger.warnings import warning_state

KIND = "rescue"  # the alarm
_NOBODYS = ("", "no_capacity", *COMMANDER_ENDINGS)  # endings of paths that a name on the list is still about
_NAMES = sa.select(
    delivery.c.warning_id, warning_state.c.number, sa.func.count().label("n"), sa.func.min(delivery.c.due_at).label("since")
).join(warning_state, warning_state.c.warning_id == delivery.c.warning_id).join(
    tables.path,
    sa.and_(tables.path.c.warning_id == delivery.c.warning_id, tables.path.c.person_id == delivery.c.person_id),
).where(
    delivery.c.slot == FIRE_SERVICE, ON_A_LIST, delivery.c.kind == DeliveryKind.RESCUE, delivery.c.answer == "",
    delivery.c.send_state.not_in(TAKEN_BACK), warning_state.c.state == "active", tables.path.c.ending.in_(_NOBODYS),
).group_by(delivery.c.warning_id, warning_state.c.number)  # fmt: skip


class Unacknowledged(NamedTuple):
    """Names of one warning that the fire service has not said it has: how many, and since when the first stands there."""

    warning_id: str
    number: str
    n: int
    since: float


class RescueList(NamedTuple):
    """What is known of the list: names that are nobody's, and who acknowledged last."""

    waiting: Unacknowledged | None
    taken: TeamSign | None


async def of(db: Connection, warning_id: str) -> RescueList:
    """How it stands with the list of one warning."""
    taken = await team_signs.latest_in_chain(db, warning_id, FIRE_SERVICE)
    names = _NAMES.where(delivery.c.warning_id == warning_id)
    if taken is not None:
        names = names.where(delivery.c.due_at > taken.at)
    row = (await db.execute(names)).first()
    return RescueList(Unacknowledged(*row) if row is not None else None, taken)


async def waiting(db: Connection) -> list[Unacknowledged]:
    """Of every warning in force, those with names that nobody has acknowledged."""
    found = [(await of(db, row.warning_id)).waiting for row in (await db.execute(_NAMES)).all()]
    return [one for one in found if one is not None]


def is_late(one: Unacknowledged, ctx: WarningContext, now: float) -> bool:
    """Whether the time is over within which the fire service has to say that it has them."""
    return now >= one.since + ctx.policy.door_list.taken_up_s


async def settle(tx: Connection, late: Iterable[Unacknowledged]) -> None:
    """The alarms say what is nobody's now; one ends with the acknowledgement."""
    found = {f"{KIND}:{one.warning_id}": one for one in late}
    for row in await alarms.standing(tx, KIND):
        if row.name not in found:
            await alarms.over(tx, row.name)
    for name, one in sorted(found.items()):
        values = {"number": one.number, "n": one.n}
        said = (
            english(
                "No. {number}: the fire service has not said that it has the {n} names on its list. Call it now.",
                **values,
            )
            if one.n > 1
            else english(
                "No. {number}: the fire service has not said that it has the name on its list. Call it now.", **values
            )
        )
        await alarms.sound(tx, name, said)
