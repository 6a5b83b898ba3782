"""Reads records out of the register and writes them back whole: people, facts, channels, helpers, counts, conflicts.

Every writer holds the lock of the register, so that what was read within the transaction is still so when it is written,
and counts by cell are added by one at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, cast

import msgspec
import sqlalchemy as sa

from services.registry.model.facts import Facts
from services.registry.model.given import WARNED
from services.registry.people.records import PersonRecord, Rows
from services.registry.people.rows import ConflictRow, ContactRow, StayRow, SupporterRow
from services.registry.store import register
from services.shared.bus.outbox import id_of
from services.shared.crypto.dossier import unpack
from services.shared.crypto.sealing import page_key
from services.shared.database import locks
from services.shared.database.batches import chunks, insert_all, insert_new, one_of
from services.shared.database.engine import Connection
from services.shared.database.rows import columns, rows_of
from services.shared.errors import NotFound

_facts: msgspec.msgpack.Decoder[Facts] = msgspec.msgpack.Decoder(Facts)


class StoredPerson(NamedTuple):
    """A person or facility as it is stored, with its packed facts."""

    person_id: str
    kind: str
    status: str
    household_id: str
    facility_id: str | None
    cell: int
    profile_key: str
    zone_id: str
    grid_id: str
    walk_seq: int
    dossier: bytes
    authority: str
    body: bytes


async def alone(tx: Connection) -> None:
    """No other writer of people until the end of the transaction."""
    await locks.register(tx)


async def load(db: Connection, ids: Sequence[str]) -> dict[str, PersonRecord]:
    """person_id > record of those in the register."""
    found: dict[str, PersonRecord] = {}
    for some in chunks(sorted(set(ids)), 1000):
        for row in await rows_of(
            db,
            StoredPerson,
            sa.select(*columns(StoredPerson, register.person, register.facts))
            .join(register.facts, register.facts.c.person_id == register.person.c.person_id)
            .where(one_of(register.person.c.person_id, some)),
        ):
            found[row.person_id] = _record(row)
    mine = list(found)
    for contact in cast(list[ContactRow], await _of(db, register.contact.c.owner_id, mine)):
        found[contact["owner_id"]].contacts[contact["contact_id"]] = contact
    helpers: dict[str, dict[str, ContactRow]] = {}
    for supporter in cast(list[SupporterRow], await _of(db, register.supporter.c.person_id, mine)):
        record, supporter_id = found[supporter["person_id"]], supporter["supporter_id"]
        record.supporters[supporter_id] = supporter
        helpers[supporter_id] = record.helper_contacts[supporter_id] = {}
    for contact in cast(list[ContactRow], await _of(db, register.contact.c.owner_id, list(helpers))):
        helpers[contact["owner_id"]][contact["contact_id"]] = contact
    for stay in cast(list[StayRow], await _of(db, register.stay.c.person_id, mine)):
        found[stay["person_id"]].stays[stay["stay_id"]] = stay
    for conflict in cast(list[ConflictRow], await _of(db, register.conflict.c.person_id, mine)):
        found[conflict["person_id"]].differing[conflict["conflict_id"]] = conflict
    return found


async def load_one(db: Connection, person_id: str) -> PersonRecord:
    """One record; NotFound where there is none."""
    found = (await load(db, [person_id])).get(person_id)
    if found is None:
        raise NotFound(
            f"nobody with the id {person_id[:32]} is in the register", field="person_id", rule="known", given=person_id
        )
    return found


async def _of(db: Connection, owner: sa.Column[str], ids: Sequence[str]) -> list[dict[str, object]]:
    """Whole rows of the table of `owner`, as they will be written again."""
    rows: list[dict[str, object]] = []
    for some in chunks(ids, 1000):
        found = await db.execute(sa.select(owner.table).where(one_of(owner, some)))
        rows += map(dict, found.mappings().all())
    return rows


def _record(row: StoredPerson) -> PersonRecord:
    return PersonRecord(
        person_id=row.person_id,
        house=row.kind == "facility",
        facts=_facts.decode(row.body),
        household_id=row.household_id,
        facility_id=row.facility_id,
        zone_id=row.zone_id,
        grid_id=row.grid_id,
        walk_seq=row.walk_seq,
        parts={p.name: p for p in unpack(row.dossier)},
        before=(row.cell, row.profile_key, row.status),
        authority=row.authority,
    )


async def keep(tx: Connection, records: Sequence[Rows], keys: Iterable[dict[str, object]]) -> None:
    """Writes derived records with the page keys they were sealed under; the caller is alone and audits."""
    new = [r for r in records if r.before is None]
    old = [r for r in records if r.before is not None]
    key_rows = list(keys)
    if key_rows:
        await tx.execute(sa.insert(page_key), key_rows)
    await register.keep_profiles(tx, {r.profile.key: r.profile for r in records}.values())
    await _forget(tx, old)
    for table, rows in _tables(new).items():
        await insert_all(tx, table, rows)
    for table, rows in _tables(old).items():
        await register.put(tx, table, rows)
    await insert_new(tx, register.consent, [row for r in records for row in r.consents])
    await register.put(tx, register.conflict, [row for r in records for row in r.conflicts])
    await register.count_changes(tx, _deltas(records))


def _tables(records: Sequence[Rows]) -> dict[sa.Table, Sequence[Mapping[str, object]]]:
    return {
        register.person: [r.person for r in records],
        register.facts: [r.facts for r in records],
        register.facility: [r.facility for r in records if r.facility is not None],
        register.contact: [row for r in records for row in r.contacts],
        register.supporter: [row for r in records for row in r.supporters],
        register.stay: [row for r in records for row in r.stays],
    }


async def _forget(tx: Connection, records: Sequence[Rows]) -> None:
    """Deletes what old records hold no more."""
    for some in chunks([r.person_id for r in records], 1000):
        theirs = sa.select(register.supporter.c.supporter_id).where(one_of(register.supporter.c.person_id, some))
        await tx.execute(sa.delete(register.contact).where(register.contact.c.owner_id.in_(theirs)))
        await tx.execute(sa.delete(register.contact).where(one_of(register.contact.c.owner_id, some)))
        for table in (register.supporter, register.stay):
            await tx.execute(sa.delete(table).where(one_of(table.c.person_id, some)))
    agreed = [conflict_id for r in records for conflict_id in r.agreed]
    for part in chunks(agreed, 1000):
        await tx.execute(sa.delete(register.conflict).where(register.conflict.c.conflict_id.in_(part)))


def _deltas(records: Sequence[Rows]) -> Counter[tuple[int, str]]:
    deltas: Counter[tuple[int, str]] = Counter()
    for r in records:
        if r.before is not None and r.before[2] in WARNED:
            deltas[r.before[0], r.before[1]] -= 1
        if r.warned:
            deltas[r.cell, r.profile.key] += 1
    return deltas


async def whole_households(tx: Connection, records: Sequence[Rows]) -> list[Rows]:
    """Keeps each household in one cell, so that no page splits it: whoever is elsewhere gets a household of their
    own.

    Returns those who were given another household.
    """
    homes = sorted({r.person["household_id"] for r in records})
    cells = await register.household_cells(tx, homes, {r.person_id for r in records})
    moved = []
    for r in records:
        household = r.person["household_id"]
        if cells.setdefault(household, r.cell) != r.cell:
            r.person["household_id"] = id_of("household", household, r.cell)
            moved.append(r)
    return moved
