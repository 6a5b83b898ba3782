"""Holds what a list would do to many people at once until a second key of its authority confirms it.

A list that silences somebody (status, contacts) or moves them is right for a few people and wrong, or an attack, for
half a town. Above so many the harmful part of each row waits in a table, and the rest of it goes in: nobody is lost
meanwhile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypedDict, cast

import msgspec
import numpy as np
import sqlalchemy as sa

from services.registry.model.facilities import FacilityIn
from services.registry.model.facts import PLACE, STATUS, Provenance, weigh
from services.registry.model.given import KEPT, WARNED, PersonIn
from services.registry.people import repository
from services.registry.people.records import PersonRecord
from services.registry.people.sources import SourceList, Statement
from services.registry.people.write_context import WriteContext
from services.registry.store.tables import held_change
from services.shared.audit import trail
from services.shared.clock import wall
from services.shared.database.batches import chunks, insert_new, one_of
from services.shared.database.engine import Connection
from services.shared.errors import NotAllowed, NotFound
from services.shared.i18n import english
from services.shared.powers.may import Thing, must
from services.shared.powers.power import Power
from services.shared.powers.who import Who

SHARE, LARGEST = 0.05, 1000  # of a source's newest list, and never more people than that by its size alone
DAY_S = 86400.0
MOVED_KM = 2.0  # a place looked up anew lies nearer
KM = 111.2  # of a degree of latitude


class PlaceChange(TypedDict):
    """Where somebody is moved to."""

    lat: float
    lon: float
    household_id: str
    zone_id: str
    grid_id: str
    walk_seq: int


class Change(TypedDict, total=False):
    """What silences or moves somebody; of contacts by id why each may not be used any more, `gone` for taken out."""

    status: str
    place: PlaceChange
    contacts: dict[str, str]


class HeldChange(TypedDict):
    """What of one list waits: how many people by what would become of them, who brought it and when (since 1970)."""

    held_id: str
    source: str
    authority: str
    people: int
    changes: dict[str, int]
    asked_by: str
    at: float


class HeldSettled(TypedDict):
    """What was decided, and for how many people."""

    state: str
    people: int


# what a statement would do


def taken_but(record: PersonRecord, one: Statement, write_context: WriteContext) -> Change:
    """Takes a statement into a record of somebody who is warned, but for what silences or moves them: that is
    returned, empty where there is nothing of the kind."""
    change: Change = {}
    given = one.given
    if not isinstance(given, (PersonIn, FacilityIn)):
        raise TypeError(f"{type(given).__name__} is no person and no facility")
    if given.status not in WARNED and _counts(record, STATUS, record.status, given.status, given, one.who):
        change["status"] = given.status
        given = given.model_copy(update={"status": "active"})
        given.model_fields_set.discard("status")
    if _far(record.place, (given.lat, given.lon)) and _counts(
        record, PLACE, [*record.place], [given.lat, given.lon], given, one.who
    ):
        home = given.home_id if isinstance(given, PersonIn) else given.facility_id
        change["place"] = {
            "lat": given.lat, "lon": given.lon, "household_id": home, "zone_id": given.zone_id,
            "grid_id": given.grid_id, "walk_seq": given.walk_seq,
        }  # fmt: skip
        lat, lon = record.place  # the new address with the old place would send officers nowhere
        stays = {"lat": lat, "lon": lon, "address": "", "zone_id": "", "grid_id": "", "walk_seq": 0}
        given = given.model_copy(update=stays)
    usable = {contact_id: row.copy() for contact_id, row in record.contacts.items() if not row["why_not"]}
    record.learn(given, one.who, write_context)
    record.derive(write_context)
    if usable and record.status in KEPT and all(row["why_not"] for row in record.contacts.values()):
        now = record.contacts
        change["contacts"] = {one_id: now[one_id]["why_not"] if one_id in now else "gone" for one_id in usable}
        record.contacts |= usable
        record.derive(write_context)
    return change


def _counts(
    record: PersonRecord, name: str, kept: object, value: object, given: PersonIn | FacilityIn, who: Provenance
) -> bool:
    """Whether it would count from now on: where it loses against another source it is a conflict and harms nobody."""
    if name == STATUS and "status" not in given.model_fields_set:
        return False
    return weigh(name, kept, value, record.facts.source(name), who)[0]


def _far(old: tuple[float, float], new: tuple[float, float]) -> bool:
    north = (new[0] - old[0]) * KM
    east = (new[1] - old[1]) * KM * float(np.cos(np.radians(old[0])))
    return north * north + east * east > MOVED_KM * MOVED_KM


def put_into(record: PersonRecord, change: Change, who: Provenance, write_context: WriteContext) -> None:
    """Does what was held, as far as it still counts."""
    if "status" in change:
        record.answers({STATUS: change["status"]}, who, write_context)
    if "place" in change:
        place = change["place"]
        merged = record.answers({PLACE: [place["lat"], place["lon"]]}, who, write_context)
        if PLACE in merged.changed:
            record.household_id = place["household_id"]
            record.zone_id = place["zone_id"] or record.zone_id
            record.grid_id = place["grid_id"] or record.grid_id
            record.walk_seq = place["walk_seq"] or record.walk_seq
    for contact_id, why in change.get("contacts", {}).items():
        if why == "gone":
            record.contacts.pop(contact_id, None)
        elif contact_id in record.contacts:
            record.contacts[contact_id]["why_not"] = why
    record.derive(write_context)


# how many may go in at once, and what waits


async def allowed(db: Connection, source: SourceList, people: int) -> int:
    """How many people a list of this source may silence or move by itself now: what its authority's lists did within
    a day counts."""
    most = max(people, min(LARGEST, int(source.rows * SHARE)))
    done = await db.scalar(
        sa.select(sa.func.count()).where(
            held_change.c.authority == source.authority,
            held_change.c.state == "applied",
            held_change.c.at > wall() - DAY_S,
        )
    )
    return max(0, most - int(done or 0))


class Harm(NamedTuple):
    """What one row would do."""

    person_id: str
    who: Provenance
    change: Change


async def note(tx: Connection, held_id: str, state: str, source: SourceList, by: Who, harms: Sequence[Harm]) -> None:
    """Writes down what waits, or was done at once; what waited of the same list before gives way to it."""
    if not harms:
        return
    for some in chunks([one.person_id for one in harms], 1000):
        await tx.execute(
            sa.delete(held_change).where(
                held_change.c.state == "waiting", held_change.c.source_id == source.source_id,
                one_of(held_change.c.person_id, some),
            )
        )  # fmt: skip
    shared = {
        "held_id": held_id, "authority": source.authority, "source_id": source.source_id, "source": source.name,
        "asked_by": by.label, "asked_key": by.actor, "at": wall(), "state": state, "settled_by": "",
    }  # fmt: skip
    rows = [
        {**shared, "person_id": one.person_id, "said": msgspec.to_builtins(one.who), "change": one.change}
        for one in harms
    ]
    await insert_new(tx, held_change, rows)
    detail = {"people": len(harms), "source": source.name, "changes": _by_kind(one.change for one in harms)}
    act = "people.held" if state == "waiting" else "people.silenced"
    await trail.record(tx, by.label, act, held_id, "register", detail)


def _by_kind(changes: Iterable[Mapping[str, object]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for change in changes:
        found.update(str(change[kind]) if kind == "status" else kind for kind in change)
    return dict(sorted(found.items()))


async def waiting(db: Connection, who: Who) -> list[HeldChange]:
    """What waits of the lists that are this caller's to judge, the oldest first."""
    mine = held_change.c.authority.in_((who.authority, *who.over))
    rows = await db.execute(
        sa.select(held_change).where(held_change.c.state == "waiting", mine).order_by(held_change.c.at)
    )
    lists: dict[str, list[sa.Row[tuple[object, ...]]]] = {}
    for row in rows:
        lists.setdefault(row.held_id, []).append(row)
    return [
        {
            "held_id": held_id, "source": some[0].source, "authority": some[0].authority, "people": len(some),
            "changes": _by_kind(row.change for row in some), "asked_by": some[0].asked_by, "at": some[0].at,
        }
        for held_id, some in lists.items()
    ]  # fmt: skip


async def settle(
    tx: Connection, context: Callable[[], WriteContext], who: Who, held_id: str, *, confirmed: bool
) -> HeldSettled:
    """Does what waits, or drops it; `context` makes one for each page. The key that brought the list confirms nothing.

    NotFound where nothing waits under that id; NotAllowed names who may.
    """
    await repository.alone(tx)
    found = sa.select(held_change).where(held_change.c.held_id == held_id, held_change.c.state == "waiting")
    rows = (await tx.execute(found.order_by(held_change.c.person_id))).all()
    missing = english("nothing waits under {held_id}: see tocsin registry held list", held_id=held_id[:32])
    if not rows:
        raise NotFound(missing, field="held_id", rule="known", given=held_id[:32])
    must(who, Power.BRING, Thing(missing=missing, field="held_id", owner=rows[0].authority))
    if confirmed and who.actor == rows[0].asked_key:
        raise NotAllowed(
            "the key that brought this list cannot confirm what it does: a second one looks at it first",
            field="Authorization", rule="two keys", given=who.label,
            remedy=f"ask for another key of {rows[0].authority} to confirm it",
        )  # fmt: skip
    for some in chunks(rows, 1000):
        there = await repository.load(tx, [row.person_id for row in some])
        for record in there.values():
            must(who, Power.ENTER, Thing(field="held_id", shapes=(point_at(*record.place),)))
        if confirmed:
            write_context, done = context(), []
            for row in some:
                if (record_ := there.get(row.person_id)) is not None:
                    put_into(record_, cast(Change, row.change), Provenance(*row.said), write_context)
                    done.append(record_.rows())
            await repository.whole_households(tx, done)
            await repository.keep(tx, done, [write_context.key_row] if write_context.key_row else [])
    state = "confirmed" if confirmed else "rejected"
    await tx.execute(
        sa.update(held_change)
        .where(held_change.c.held_id == held_id, held_change.c.state == "waiting")
        .values(state=state, settled_by=who.label)
    )
    detail = {"people": len(rows), "changes": _by_kind(row.change for row in rows)}
    await trail.record(tx, who.label, f"people.held_{state}", held_id, rows[0].source, detail)
    return {"state": state, "people": len(rows)}


def point_at(lat: float, lon: float) -> str:
    """A place as GeoJSON."""
    return f'{{"type":"Point","coordinates":[{lon!r},{lat!r}]}}'
