"""Names who could let a warning out that somebody is about to hand in: they see for whom it will wait."""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from services.shared.accounts import hours
from services.shared.accounts.people import anybody_signs_in, listed
from services.shared.clock import wall
from services.shared.database.engine import Connection
from services.shared.powers.may import Thing, may, ones_own_doubt
from services.shared.powers.pagers import pagers
from services.shared.powers.power import Power
from services.shared.powers.warnings import warning_thing
from services.shared.web.auth import who_acts


class Decider(NamedTuple):
    """Somebody who may send it now. `on_duty`: these are hours of theirs; `paged`: they gave a number."""

    name: str
    on_duty: bool
    paged: bool


async def deciders(db: Connection, thing: Thing, replaces: str = "") -> list[Decider] | None:
    """Who is paged comes first, in the order in which they are paged. `replaces`: the warning it takes the place of, or empty.

    None where nobody has an account, so that nobody but who holds a key is known by name.
    """
    numbers = [one.actor for one in await pagers(db)]
    if not numbers and not await anybody_signs_in(db):
        return None
    accounts = {one.person: one for one in await listed(db) if one.ended_at is None and one.ways}
    found = []
    for actor in dict.fromkeys((*numbers, *accounts)):
        who = await who_acts(db, actor)
        if who is None or who.actor == thing.brought_by or "send" not in who.actions:
            continue
        ends = (await warning_thing(db, who, replaces),) if replaces else ()
        about = replace(thing, ends=ends)
        if may(who, Power.SEND, about) is None and ones_own_doubt(who, about) is None:
            account = accounts.get(actor)
            on_duty = account is not None and account.hours != "" and hours.within(account.hours, account.zone, wall())
            found.append(Decider(who.label, on_duty, actor in numbers))
    return sorted(found, key=lambda one: (not one.paged, not one.on_duty))
