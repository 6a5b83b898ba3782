"""Says who somebody is now: what is granted to them, and what their hours take from it.

Hours bind an action only while somebody else is on duty who may do it as far as they could. At 03:00, with nobody else
there, whoever is reached sends: a warning that waits for office hours is lost. Stopping, drafting and reading never wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from services.shared.accounts import hours as on_duty
from services.shared.accounts.people import Account, find, listed
from services.shared.accounts.tables import authority, superior
from services.shared.bus.outbox import id_of
from services.shared.clock import wall
from services.shared.database.engine import Connection
from services.shared.i18n import english
from services.shared.powers.may import covers
from services.shared.powers.roles import actions_of
from services.shared.powers.who import Who

NEVER_WAITS = ("read", "draft", "cancel")


async def below(db: Connection, authority_id: str) -> tuple[str, ...]:
    """Names of the authorities that name this one their superior, and of all below those."""
    found = (
        sa.select(superior.c.authority_id).where(superior.c.superior_id == authority_id).cte("below", recursive=True)
    )
    deeper = sa.select(superior.c.authority_id).join(found, superior.c.superior_id == found.c.authority_id)
    every = found.union(deeper)
    names = sa.select(authority.c.name).where(authority.c.authority_id.in_(sa.select(every.c.authority_id)))
    return tuple((await db.scalars(names.order_by(authority.c.name))).all())


async def who_of(db: Connection, person: str, proved_at: float) -> Who | None:
    """Somebody who signed in, as of now; None where their account or their grant is over."""
    now = wall()
    one = await find(db, person=person)
    if one is None or not _holds(one, now):
        return None
    off: tuple[tuple[str, str], ...] = ()
    if not on_duty.within(one.hours, one.zone, now):
        off = tuple(off_duty(one, await listed(db, [one.authority]), now))
    gone = dict(off)
    return Who(
        "", one.name, one.authority, tuple(a for a in actions_of(one.roles) if a not in gone), one.max_tier, one.area,
        tuple(one.senders), tuple(one.events), await below(db, id_of("authority", one.authority)), one.alone,
        tuple(one.names), one.expires_at, one.person, proved_at=proved_at, off=off,
    )  # fmt: skip


def _holds(one: Account, now: float) -> bool:
    return one.ended_at is None and (one.expires_at is None or one.expires_at > now)


def off_duty(one: Account, colleagues: Sequence[Account], now: float) -> Iterable[tuple[str, str]]:
    """What they leave to others outside their hours, and the sentence that says to whom."""
    here = [
        other
        for other in colleagues
        if other.person != one.person
        and other.ways
        and _holds(other, now)
        and on_duty.within(other.hours, other.zone, now)
        and _reaches_as_far(other, one)
    ]
    for action in actions_of(one.roles):
        others = [other.name for other in here if action in actions_of(other.roles)]
        if action in NEVER_WAITS or not others:
            continue
        there = f"{on_duty.local(one.zone, now):%a %H:%M}"
        yield action, english(
            "your hours are {hours}, and it is {there}: {others} may {action} now; ask them, or draft it for them",
            hours=one.hours, there=there, others=", ".join(others), action=action,
        )  # fmt: skip


def _reaches_as_far(other: Account, one: Account) -> bool:
    within = not other.area or (bool(one.area) and covers(other.area, (one.area,)))
    parts = ((other.events, one.events), (other.senders, one.senders), (other.names, one.names))
    return other.max_tier >= one.max_tier and within and all(not a or (b and set(b) <= set(a)) for a, b in parts)
