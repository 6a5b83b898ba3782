"""Reads and writes the register: people by grid cell, sealed contacts, profiles, counts, areas, open jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec
import orjson
import sqlalchemy as sa

from services.registry.geo.areas import COLUMNS, Shape
from services.registry.model.given import WARNED
from services.registry.store.register_rows import (
    FoundContact,
    FoundPerson,
    FoundSupporter,
    FoundWorker,
    Job,
    KnownPerson,
    Point,
)
from services.registry.store.tables import (
    cell_count,
    conflict,
    consent,
    contact,
    facility,
    facts,
    job,
    listing,
    person,
    profile,
    roll,
    source,
    stay,
    supporter,
    worker,
)
from services.shared.bus.outbox import digest_of
from services.shared.database.batches import chunks, insert_new, one_of, upsert
from services.shared.database.engine import Connection
from services.shared.database.rows import columns, row_of, rows_of
from services.shared.errors import Broken
from services.shared.ledger import areas
from services.shared.ledger.areas import area, geocode, risk_zone
from services.shared.ledger.places import place
from services.shared.messages import Profile

__all__ = [  # the tables are used as store.person and so on
    "area",
    "cell_count",
    "conflict",
    "consent",
    "contact",
    "facility",
    "facts",
    "geocode",
    "job",
    "listing",
    "person",
    "place",
    "profile",
    "risk_zone",
    "roll",
    "source",
    "stay",
    "supporter",
    "worker",
]

Cursor = tuple[int, str, str]  # cell, household, person: the last one that went out
START: Cursor = (-1, "", "")
IS_WARNED = sa.or_(*(person.c.status == status for status in WARNED))
_decoder: msgspec.msgpack.Decoder[Profile] = msgspec.msgpack.Decoder(Profile)


# what imports write


async def known_people(db: Connection, ids: Sequence[str]) -> dict[str, KnownPerson]:
    """person_id > row of those in the register."""
    found = sa.select(*columns(KnownPerson, person)).where(one_of(person.c.person_id, ids))
    return {row.person_id: row for row in await rows_of(db, KnownPerson, found)}


async def known_workers(db: Connection, ids: Sequence[str]) -> dict[str, str]:
    """worker_id > digest of those in the register."""
    found = await db.execute(sa.select(worker.c.worker_id, worker.c.digest).where(one_of(worker.c.worker_id, ids)))
    return {row.worker_id: row.digest for row in found}


async def household_cells(db: Connection, households: Sequence[str], but: Collection[str]) -> dict[str, int]:
    """The cell each household lies in by its members other than the people `but`."""
    found = await db.execute(
        sa.select(person.c.household_id, person.c.person_id, person.c.cell).where(
            one_of(person.c.household_id, households)
        )
    )
    return {row.household_id: row.cell for row in found if row.person_id not in but}


async def forget_channels(tx: Connection, owners: Sequence[str]) -> None:
    """Deletes the contacts of workers."""
    await tx.execute(sa.delete(contact).where(one_of(contact.c.owner_id, owners)))


async def put(tx: Connection, table: sa.Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Inserts rows or replaces those with the same primary key."""
    key = [column.name for column in table.primary_key.columns]
    await upsert(tx, table, rows, key, replace=[c.name for c in table.columns if c.name not in key])


async def keep_profiles(tx: Connection, profiles: Iterable[Profile]) -> None:
    """Adds the profiles that are new."""
    rows = {p.key: {"profile_key": p.key, "body": msgspec.msgpack.encode(p)} for p in profiles}
    await insert_new(tx, profile, [rows[key] for key in sorted(rows)])


async def count_changes(tx: Connection, changes: Counter[tuple[int, str]]) -> None:
    """Adds deltas to the counts by (cell, profile_key) and drops the cells nobody is left in."""
    rows = [{"cell": c, "profile_key": k, "n": n} for (c, k), n in sorted(changes.items()) if n]
    await upsert(tx, cell_count, rows, ["cell", "profile_key"], add=["n"])
    emptied = sorted({cell for (cell, _), n in changes.items() if n < 0})
    for some in chunks(emptied, 1000):
        await tx.execute(sa.delete(cell_count).where(one_of(cell_count.c.cell, some), cell_count.c.n == 0))


# what audiences read


async def occupied(
    db: Connection, first: int, last: int, limit: int | None = None, columns: tuple[int, int] | None = None
) -> list[tuple[int, int]]:
    """(cell, people) of the cells from `first` to `last`, in these columns, that anybody is warned in, ascending."""
    asked = (
        sa.select(cell_count.c.cell, sa.func.sum(cell_count.c.n))
        .where(cell_count.c.cell.between(first, last))
        .group_by(cell_count.c.cell)
        .order_by(cell_count.c.cell)
        .limit(limit)
    )
    if columns is not None and columns != (0, COLUMNS - 1):
        asked = asked.where((cell_count.c.cell % COLUMNS).between(*columns))
    return [(cell, int(n)) for cell, n in await db.execute(asked)]


async def people_in(db: Connection, cells: Sequence[int], after: Cursor, limit: int) -> list[FoundPerson]:
    """Up to `limit` people of the cells who are warned, ordered by cell, household, person, after the cursor."""
    place = sa.tuple_(person.c.cell, person.c.household_id, person.c.person_id)
    found = (
        sa.select(*columns(FoundPerson, person))
        .where(one_of(person.c.cell, cells), place > sa.tuple_(*after), IS_WARNED)
        .order_by(person.c.cell, person.c.household_id, person.c.person_id)
        .limit(limit)
    )
    return await rows_of(db, FoundPerson, found)


async def points_in(db: Connection, cells: Sequence[int]) -> list[Point]:
    """Everybody warned in the cells."""
    rows: list[Point] = []
    for some in chunks(cells, 1000):
        rows += await rows_of(
            db, Point, sa.select(*columns(Point, person)).where(one_of(person.c.cell, some), IS_WARNED)
        )
    return rows


async def counts_in(db: Connection, cells: Sequence[int]) -> list[tuple[int, str, int]]:
    """(cell, profile_key, people) of the cells."""
    rows: list[tuple[int, str, int]] = []
    for some in chunks(cells, 1000):
        found = await db.execute(
            sa.select(cell_count.c.cell, cell_count.c.profile_key, cell_count.c.n).where(
                one_of(cell_count.c.cell, some)
            )
        )
        rows += [(cell, key, n) for cell, key, n in found]
    return rows


async def counts_by_profile(db: Connection) -> dict[str, int]:
    """profile_key > people who are warned, over the whole register."""
    found = await db.execute(
        sa.select(cell_count.c.profile_key, sa.func.sum(cell_count.c.n)).group_by(cell_count.c.profile_key)
    )
    return {key: int(n) for key, n in found}


async def profiles_of(db: Connection, keys: Iterable[str]) -> dict[str, Profile]:
    """profile_key > profile; Broken where one is missing."""
    wanted = sorted(set(keys))
    found: dict[str, Profile] = {}
    for some in chunks(wanted, 1000):
        for row in await db.execute(sa.select(profile).where(one_of(profile.c.profile_key, some))):
            found[row.profile_key] = _decoder.decode(row.body)
    if len(found) < len(wanted):
        missing = next(key for key in wanted if key not in found)
        raise Broken(f"profile {missing} is used by a person and is not in registry_profile: import those people again")
    return found


async def contacts_of(db: Connection, owners: Sequence[str]) -> dict[str, list[FoundContact]]:
    """owner_id > contact rows in order of use."""
    found: dict[str, list[FoundContact]] = {}
    for some in chunks(owners, 1000):
        theirs = sa.select(*columns(FoundContact, contact)).where(one_of(contact.c.owner_id, some))
        for row in await rows_of(db, FoundContact, theirs.order_by(contact.c.owner_id, contact.c.position)):
            found.setdefault(row.owner_id, []).append(row)
    return found


async def supporters_of(db: Connection, people: Sequence[str]) -> dict[str, list[FoundSupporter]]:
    """person_id > rows of the supporters who accepted, in order."""
    found: dict[str, list[FoundSupporter]] = {}
    accepted = sa.select(*columns(FoundSupporter, supporter)).where(
        one_of(supporter.c.person_id, people), supporter.c.accepted_on != ""
    )
    ordered = accepted.order_by(supporter.c.person_id, supporter.c.position)
    for row in await rows_of(db, FoundSupporter, ordered):
        found.setdefault(row.person_id, []).append(row)
    return found


async def every_worker(db: Connection) -> list[FoundWorker]:
    """Every worker, also those who are off: their backups take over."""
    return await rows_of(db, FoundWorker, sa.select(*columns(FoundWorker, worker)).order_by(worker.c.worker_id))


async def area_of(
    db: Connection, geojson: str, geocodes: Iterable[tuple[str, str]]
) -> tuple[Shape | None, tuple[tuple[str, str], ...]]:
    """The polygon and all known geocodes as one area (None: nowhere), and the geocodes nobody knows.

    A geocode is what `areas.of_codes` says it stands for.
    """
    of_codes, unresolved = await areas.of_codes(db, geocodes)
    texts = [geojson, *of_codes] if geojson else of_codes
    return (Shape.from_geojson(*dict.fromkeys(texts)) if texts else None), unresolved


def as_text(geojson: Mapping[str, object]) -> str:
    """A GeoJSON object as text."""
    return orjson.dumps(geojson).decode()


# jobs: one a warning, one page a transaction


async def open_job(tx: Connection, row: Mapping[str, object]) -> None:
    """Opens the job of a warning; the same warning again changes nothing."""
    cell, household, one = START
    fresh = {
        "state": "open",
        "page": 0,
        "cursor_cell": cell,
        "cursor_household": household,
        "cursor_person": one,
        "total": 0,
        "digest": digest_of(()),
    }
    await insert_new(tx, job, [{**row, **fresh}])


async def next_job(db: Connection) -> Job | None:
    """The open job of the highest tier, the oldest first."""
    oldest = sa.select(*columns(Job, job)).where(job.c.state == "open")
    return await row_of(db, Job, oldest.order_by(job.c.tier.desc(), job.c.opened_at, job.c.warning_id).limit(1))


_ANY_OPEN = sa.select(sa.exists().where(job.c.state == "open"))


async def any_open(db: Connection) -> bool:
    """Whether a page is still to be made."""
    return bool(await db.scalar(_ANY_OPEN))


async def advance(
    tx: Connection, warning_id: str, page: int, cursor: Cursor, total: int, digest: str, last: bool
) -> bool:
    """Moves the job on from `page`; False where another process made that page meanwhile."""
    cell, household, one = cursor
    moved = await tx.execute(
        sa.update(job)
        .where(job.c.warning_id == warning_id, job.c.page == page, job.c.state == "open")
        .values(
            page=page + 1,
            cursor_cell=cell,
            cursor_household=household,
            cursor_person=one,
            total=total,
            digest=digest,
            state="done" if last else "open",
        )
    )
    return moved.rowcount == 1
