"""Keeps places confirmed open, what they offer, and the roll at each door.

Nobody is sent to a place that is not confirmed open: `open_places` names no other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypedDict

import sqlalchemy as sa

from services.registry.geo.areas import Shape, cell_of
from services.registry.model.facilities import PlaceIn
from services.registry.store import register
from services.shared.audit import trail
from services.shared.bus.outbox import new_id
from services.shared.clock import wall
from services.shared.database.engine import Connection, Database
from services.shared.database.rows import columns, rows_of
from services.shared.errors import Conflict, NotFound, Refused
from services.shared.i18n import mark

NO_PLACE = mark("there is no place of that id")
STATES = ("open", "closed", "unknown")


class PlaceState(TypedDict):
    """A place to go to: what it offers, whether somebody confirmed it, how many arrived; times since 1970."""

    place_id: str
    name: str
    address: str
    lat: float
    lon: float
    step_free: bool
    power: bool
    interpreter: list[str]
    animals: bool
    capacity: int
    route: str
    state: str
    confirmed_by: str
    confirmed_at: float | None
    arrived: int


class Arrival(TypedDict):
    """Who came, and when (seconds since 1970)."""

    person_id: str
    at: float


class Roll(TypedDict):
    """Who is at a place: heads in all, those whose names nobody took, people by id."""

    heads: int
    unnamed: int
    people: list[Arrival]


async def import_places(database: Database, places: Iterable[PlaceIn], *, actor: str, authority: str = "") -> int:
    """Writes places of an authority; whether each is open stays as it was confirmed. Returns how many."""
    rows = []
    for one in places:
        row = one.model_dump() | {"cell": cell_of(one.lat, one.lon)}
        rows.append(row | {"interpreter": list(one.interpreter)})
    if not rows:
        return 0
    async with database.write() as tx:
        found = await tx.execute(
            sa.select(register.place).where(register.place.c.place_id.in_([r["place_id"] for r in rows]))
        )
        known = {row.place_id: row for row in found}
        for row in rows:
            before = known.get(row["place_id"])
            row["state"] = before.state if before else "unknown"
            row["confirmed_by"] = before.confirmed_by if before else ""
            row["confirmed_at"] = before.confirmed_at if before else None
            row["authority"] = (before.authority if before else "") or authority
        await register.put(tx, register.place, rows)
        await trail.record(tx, actor, "places.import", "places", "register", {"places": len(rows)})
    return len(rows)


async def confirm(tx: Connection, place_id: str, state: str, *, by: str) -> None:
    """Notes that somebody saw a place open or closed; NotFound where there is none of that id."""
    if state not in STATES:
        raise Refused(
            f"{state[:20]!r} is no state of a place",
            field="state",
            rule="known word",
            given=state[:20],
            remedy=f"give one of {', '.join(STATES)}",
        )
    done = await tx.execute(
        sa.update(register.place)
        .where(register.place.c.place_id == place_id)
        .values(state=state, confirmed_by=by, confirmed_at=wall())
    )
    if done.rowcount != 1:
        raise _no_place(place_id)
    await trail.record(tx, by, "place.confirm", place_id, state)


async def arrive(tx: Connection, place_id: str, *, by: str, person_id: str = "", heads: int = 1) -> str:
    """Notes who arrived: one person by id, or `heads` people whose names nobody took; returns the roll's id.

    Conflict where the person stands on this roll already: nobody is counted twice.
    """
    if not await tx.scalar(sa.select(sa.exists().where(register.place.c.place_id == place_id))):
        raise _no_place(place_id)
    if person_id:
        heads = 1
        if not await register.known_people(tx, [person_id]):
            raise NotFound("nobody with that id is in the register", field="person_id", rule="known", given=person_id)
        twice = sa.exists().where(register.roll.c.place_id == place_id, register.roll.c.person_id == person_id)
        if await tx.scalar(sa.select(twice)):
            raise Conflict("they are on this roll already", field="person_id", rule="once", given=person_id)
    if not 1 <= heads <= 100_000:
        raise Refused(
            f"{heads} people cannot arrive at once",
            field="heads",
            rule="1 to 100000",
            given=heads,
            remedy="give how many came in",
        )
    roll_id = new_id()
    row = {"roll_id": roll_id, "place_id": place_id, "person_id": person_id, "heads": heads, "at": wall(), "by": by}
    await tx.execute(sa.insert(register.roll).values(**row))
    await trail.record(tx, by, "place.arrive", place_id, "roll", {"heads": heads, "by_id": bool(person_id)})
    return roll_id


class Place(NamedTuple):
    """A place as the register has it."""

    place_id: str
    name: str
    address: str
    lat: float
    lon: float
    state: str
    confirmed_by: str
    confirmed_at: float | None
    step_free: bool
    power: bool
    interpreter: list[str]
    animals: bool
    capacity: int
    route: str


async def rolls(db: Connection, place_id: str) -> Roll:
    """The roll of a place."""
    rows = list(
        await db.execute(
            sa.select(register.roll).where(register.roll.c.place_id == place_id).order_by(register.roll.c.at)
        )
    )
    return {
        "heads": sum(row.heads for row in rows),
        "unnamed": sum(row.heads for row in rows if not row.person_id),
        "people": [{"person_id": row.person_id, "at": row.at} for row in rows if row.person_id],
    }


async def where_is(db: Connection, person_id: str) -> str | None:
    """The id of the place a person arrived at last."""
    found: str | None = await db.scalar(
        sa.select(register.roll.c.place_id)
        .where(register.roll.c.person_id == person_id)
        .order_by(register.roll.c.at.desc())
        .limit(1)
    )
    return found


def _as_json(place: Place, arrived: int) -> PlaceState:
    return {
        "place_id": place.place_id, "name": place.name, "address": place.address, "lat": place.lat, "lon": place.lon,
        "step_free": place.step_free, "power": place.power, "interpreter": place.interpreter, "animals": place.animals,
        "capacity": place.capacity, "route": place.route, "state": place.state, "confirmed_by": place.confirmed_by,
        "confirmed_at": place.confirmed_at, "arrived": arrived,
    }  # fmt: skip


async def every_place(db: Connection) -> list[PlaceState]:
    """All places as JSON, with how many have arrived."""
    return [_as_json(*one) for one in await _places(db)]


async def _places(db: Connection) -> list[tuple[Place, int]]:
    came = sa.select(register.roll.c.place_id, sa.func.sum(register.roll.c.heads)).group_by(register.roll.c.place_id)
    heads = {place_id: int(n) for place_id, n in await db.execute(came)}
    named = sa.select(*columns(Place, register.place)).order_by(register.place.c.name, register.place.c.place_id)
    rows = await rows_of(db, Place, named)
    return [(row, heads.get(row.place_id, 0)) for row in rows]


async def open_places(
    db: Connection, danger: Shape | None, *, step_free: bool = False, power: bool = False, animals: bool = False
) -> list[PlaceState]:
    """Places confirmed open, outside the danger, not full, that offer what is asked for."""
    found = []
    for one, arrived in await _places(db):
        offers = (one.step_free or not step_free) and (one.power or not power) and (one.animals or not animals)
        room = not one.capacity or arrived < one.capacity
        inside = danger is not None and bool(danger.holds([one.lon], [one.lat])[0])
        if one.state == "open" and offers and room and not inside:
            found.append(_as_json(one, arrived))
    return found


def _no_place(place_id: str) -> NotFound:
    return NotFound(NO_PLACE, field="place_id", rule="known", given=place_id[:32])
