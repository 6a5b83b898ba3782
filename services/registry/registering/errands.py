"""Lists whom the register's staff must go and see, and settles it after the visit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from services.registry.people import repository
from services.registry.people.mass_changes import point_at
from services.registry.people.update import Changes, said, today, update_person
from services.registry.registering.villages import spot_in, village_of
from services.registry.store import register
from services.registry.store.resident_tables import errand
from services.shared.audit import trail
from services.shared.database.engine import Connection
from services.shared.database.rows import columns, rows_of
from services.shared.errors import Conflict, NotFound, Refused
from services.shared.i18n import mark, t
from services.shared.powers.may import Thing, holds, must
from services.shared.powers.power import Power
from services.shared.powers.who import Who
from services.shared.service import Platform

SHOWN = 200
GONE = ("withdrawn", "moved", "deceased")  # nobody goes there, and no visit brings them back
WHY = {
    "not_proven": mark(
        "They registered without a phone. Nobody is warned yet: see whether it is true, then put them in."
    ),
    "not_told": mark("Somebody registered them, and they have no phone. Tell them; they may say no."),
    "no_place": mark("Nobody knows their village. Nobody is warned yet: find their place, then put them in."),
}


class Errand(NamedTuple):
    """A visit that staff owe to somebody; `lat`, `lon` are those of their village."""

    errand_id: str
    person_id: str
    why: str
    asked_at: float
    state: str
    lat: float
    lon: float
    grid_id: str

    @property
    def words(self) -> str:
        """Why, and what to do."""
        return t(WHY[self.why])


def _found() -> sa.Select[*tuple[object, ...]]:
    joined = sa.join(errand, register.person, register.person.c.person_id == errand.c.person_id)
    there = register.person.c.status.not_in(GONE)
    return sa.select(*columns(Errand, errand, register.person)).select_from(joined).where(there)


async def open_errands(db: Connection, who: Who) -> Sequence[Errand]:
    """Those in the caller's area, the longest waiting first; of whom nobody knows the village, all."""
    rows = await rows_of(db, Errand, _found().where(errand.c.state == "open").order_by(errand.c.asked_at).limit(5000))
    inside = (
        holds(who.area, [row.lon for row in rows], [row.lat for row in rows])
        if who.area and rows
        else [True] * len(rows)
    )
    mine = [row for row, held in zip(rows, inside, strict=True) if held or row.why == "no_place"]
    return mine[:SHOWN]


async def settle(platform: Platform, who: Who, errand_id: str, act: str, village: str) -> None:
    """After the visit: `keep` puts them in, at the village that was named; `drop` deletes them.

    NotFound, also of who has withdrawn meanwhile; Conflict where it is settled already; NotAllowed beyond the area of the
    key, where they are to live or where they stand.
    """
    if act not in ("keep", "drop"):
        raise Refused("choose what came of the visit", field="act", rule="known", given=act[:20], remedy="keep or drop")
    async with platform.database.write() as tx:
        rows = await rows_of(tx, Errand, _found().where(errand.c.errand_id == errand_id))
        if not rows:
            raise NotFound("there is no errand of that id", field="errand_id", rule="known", given=errand_id)
        one = rows[0]
        if one.state != "open":
            raise Conflict("somebody has settled this errand already", field="errand_id", given=errand_id)
        place = await village_of(tx, village) if village else None
        if village and place is None:
            raise Refused("there is no such village", field="village", rule="known", given=village[:80])
        if act == "keep" and one.why == "no_place" and place is None:
            raise Refused(
                "nobody knows where they live", field="village", rule="required", remedy="choose their village"
            )
        spot = await spot_in(tx, place) if place is not None else None
        places = [] if spot is None else [point_at(spot.lat, spot.lon)]
        if spot is None or one.why != "no_place":
            places.append(point_at(one.lat, one.lon))
        must(who, Power.ENTER, Thing(field="errand_id", shapes=tuple(places)))
        if act == "drop":
            changes = Changes({"status": "withdrawn"})
        else:
            record = await repository.load_one(tx, one.person_id)
            seen = {key: {"verified_on": today()} for key in record.contacts}
            changes = Changes({"status": "active"}, channel=seen)
            if spot is not None:
                changes = Changes(
                    {"status": "active"},
                    channel=seen,
                    place=(spot.lat, spot.lon),
                    zone_id=spot.zone_id,
                    grid_id=spot.grid_id,
                )
        by = said("self", who.label)  # as whoever is entered with a worker beside them: their word, by that worker
        await update_person(tx, platform.keys, one.person_id, changes, by, reason="visited")
        state = "kept" if act == "keep" else "dropped"
        mine = sa.update(errand).where(errand.c.errand_id == errand_id)
        await tx.execute(mine.values(state=state, settled_by=who.label))
        await trail.record(tx, who.label, f"person.errand_{state}", one.person_id, one.why)
