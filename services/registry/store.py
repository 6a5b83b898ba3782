"""What the registry remembers: people by grid cell, their sealed contacts, profiles, counts, areas, and open jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from services.registry.areas import Area
from services.registry.needs import WARNED
from services.shared.db import Connection, Id, chunks, insert_new, metadata, upsert
from services.shared.errors import Broken
from services.shared.messages import Profile
from services.shared.outbox import digest_of

person = sa.Table(
    "registry_person",
    metadata,
    sa.Column("person_id", Id, primary_key=True),
    sa.Column("kind", sa.String(12), nullable=False),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("household_id", Id, nullable=False, comment="all its members lie in one cell"),
    sa.Column("facility_id", Id),
    sa.Column("lat", sa.Double, nullable=False),
    sa.Column("lon", sa.Double, nullable=False),
    sa.Column("cell", sa.Integer, nullable=False),
    sa.Column("profile_key", sa.String(16), nullable=False),
    sa.Column("zone_id", sa.String(32), nullable=False),
    sa.Column("grid_id", sa.String(32), nullable=False),
    sa.Column("walk_seq", sa.Integer, nullable=False),
    sa.Column("dossier", sa.LargeBinary, nullable=False),
    sa.Column("key_id", Id, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False, comment="keyed hash of what was given"),
    sa.Column("changed_at", sa.Double, nullable=False, comment="wall"),
    sa.CheckConstraint("kind IN ('resident', 'subscriber', 'facility')", name="kind"),
    sa.CheckConstraint("status IN ('active', 'away', 'suspended', 'moved', 'deceased', 'withdrawn')", name="status"),
    sa.Index(None, "cell", "household_id", "person_id"),
    sa.Index(None, "household_id"),
)
facility = sa.Table(
    "registry_facility",
    metadata,
    sa.Column("facility_id", Id, sa.ForeignKey("registry_person.person_id"), primary_key=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("name", sa.String(300), nullable=False),
    sa.Column("headcount_day", sa.Integer, nullable=False),
    sa.Column("headcount_night", sa.Integer, nullable=False),
    sa.Column("non_walking", sa.Integer, nullable=False),
)
contact = sa.Table(
    "registry_contact",
    metadata,
    sa.Column("contact_id", Id, primary_key=True),
    sa.Column("owner_id", Id, nullable=False, index=True, comment="person, facility, supporter or worker"),
    sa.Column("position", sa.SmallInteger, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("key_id", Id, nullable=False),
    sa.Column("mask", sa.String(8), nullable=False),
    sa.Column("address_key", sa.String(64), nullable=False, index=True),
    sa.Column("why_not", sa.String(16), nullable=False),
    sa.CheckConstraint("why_not IN ('', 'said_no', 'not_verified')", name="why_not"),
)
supporter = sa.Table(
    "registry_supporter",
    metadata,
    sa.Column("supporter_id", Id, primary_key=True),
    sa.Column("person_id", Id, nullable=False, index=True),
    sa.Column("position", sa.SmallInteger, nullable=False),
    sa.Column("outside_zone", sa.Boolean, nullable=False),
    sa.Column("accepted", sa.Boolean, nullable=False),
    sa.Column("language", sa.String(35), nullable=False),
    sa.Column("lat", sa.Double),
    sa.Column("lon", sa.Double),
    sa.Column("name", sa.LargeBinary, nullable=False, comment="sealed"),
    sa.Column("key_id", Id, nullable=False),
)
worker = sa.Table(
    "registry_worker",
    metadata,
    sa.Column("worker_id", Id, primary_key=True),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("grids", sa.JSON, nullable=False),
    sa.Column("skills", sa.JSON, nullable=False),
    sa.Column("doors_per_hour", sa.SmallInteger, nullable=False),
    sa.Column("language", sa.String(35), nullable=False),
    sa.Column("shift", sa.String(11), nullable=False),
    sa.Column("name", sa.LargeBinary, nullable=False, comment="sealed"),
    sa.Column("key_id", Id, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.CheckConstraint("status IN ('active', 'off')", name="status"),
)
profile = sa.Table(
    "registry_profile",
    metadata,
    sa.Column("profile_key", sa.String(16), primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="msgpack of messages.Profile"),
)
cell_count = sa.Table(
    "registry_cell_count",
    metadata,
    sa.Column("cell", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("profile_key", sa.String(16), primary_key=True),
    sa.Column("n", sa.Integer, nullable=False, comment="people who are warned"),
)
area = sa.Table(
    "registry_area",
    metadata,
    sa.Column("value_name", sa.String(120), primary_key=True),
    sa.Column("code", sa.String(120), primary_key=True),
    sa.Column("name", sa.String(300), nullable=False),
    sa.Column("geojson", sa.Text, nullable=False),
)
job = sa.Table(
    "registry_job",
    metadata,
    sa.Column("warning_id", Id, primary_key=True),
    sa.Column("tier", sa.SmallInteger, nullable=False),
    sa.Column("plane", sa.String(8), nullable=False),
    sa.Column("state", sa.String(8), nullable=False, index=True),
    sa.Column("opened_at", sa.Double, nullable=False, comment="warning time"),
    sa.Column("utc_offset_min", sa.SmallInteger, nullable=False),
    sa.Column("shape", sa.LargeBinary, nullable=False, comment="WKB of area and known geocodes; empty: nowhere"),
    sa.Column("unresolved", sa.JSON, nullable=False),
    sa.Column("page", sa.Integer, nullable=False, comment="the next one"),
    sa.Column("cursor_cell", sa.Integer, nullable=False),
    sa.Column("cursor_household", Id, nullable=False),
    sa.Column("cursor_person", Id, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("digest", sa.String(32), nullable=False),
    sa.CheckConstraint("state IN ('open', 'done')", name="state"),
)

Cursor = tuple[int, str, str]  # cell, household, person: the last one that went out
START: Cursor = (-1, "", "")
Row = sa.Row[tuple[Any, ...]]
_decoder: msgspec.msgpack.Decoder[Profile] = msgspec.msgpack.Decoder(Profile)


# what imports write


async def known_people(db: Connection, ids: Sequence[str]) -> dict[str, Row]:
    """person_id > row (household_id, cell, profile_key, status, digest) of those in the register."""
    wanted = (person.c.household_id, person.c.cell, person.c.profile_key, person.c.status, person.c.digest)
    rows: list[Row] = list(await db.execute(sa.select(person.c.person_id, *wanted).where(person.c.person_id.in_(ids))))
    return {row.person_id: row for row in rows}


async def known_workers(db: Connection, ids: Sequence[str]) -> dict[str, str]:
    """worker_id > digest of those in the register."""
    found = await db.execute(sa.select(worker.c.worker_id, worker.c.digest).where(worker.c.worker_id.in_(ids)))
    return {row.worker_id: row.digest for row in found}


async def household_cells(db: Connection, households: Sequence[str], but: Collection[str]) -> dict[str, int]:
    """The cell each household lies in by its members other than the people `but`."""
    found = await db.execute(
        sa.select(person.c.household_id, person.c.person_id, person.c.cell).where(person.c.household_id.in_(households))
    )
    return {row.household_id: row.cell for row in found if row.person_id not in but}


async def forget_roads(tx: Connection, owners: Sequence[str], supporters_too: bool = True) -> None:
    """Deletes the contacts of people, facilities or workers, and their supporters with theirs."""
    if supporters_too:
        theirs = sa.select(supporter.c.supporter_id).where(supporter.c.person_id.in_(owners))
        await tx.execute(sa.delete(contact).where(contact.c.owner_id.in_(theirs)))
        await tx.execute(sa.delete(supporter).where(supporter.c.person_id.in_(owners)))
    await tx.execute(sa.delete(contact).where(contact.c.owner_id.in_(owners)))


async def put(tx: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
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
        await tx.execute(sa.delete(cell_count).where(cell_count.c.cell.in_(some), cell_count.c.n == 0))


# what audiences read


async def occupied(db: Connection, first: int, last: int, limit: int | None = None) -> list[tuple[int, int]]:
    """(cell, people) of the cells from `first` to `last` that anybody is warned in, ascending."""
    found = await db.execute(
        sa.select(cell_count.c.cell, sa.func.sum(cell_count.c.n))
        .where(cell_count.c.cell.between(first, last))
        .group_by(cell_count.c.cell)
        .order_by(cell_count.c.cell)
        .limit(limit)
    )
    return [(cell, int(n)) for cell, n in found]


async def people_in(db: Connection, cells: Sequence[int], after: Cursor, limit: int) -> list[Row]:
    """Up to `limit` people of the cells who are warned, ordered by cell, household, person, after the cursor."""
    place = sa.tuple_(person.c.cell, person.c.household_id, person.c.person_id)
    found = await db.execute(
        sa.select(person)
        .where(person.c.cell.in_(cells), place > sa.tuple_(*after), person.c.status.in_(WARNED))
        .order_by(person.c.cell, person.c.household_id, person.c.person_id)
        .limit(limit)
    )
    return list(found)


async def points_in(db: Connection, cells: Sequence[int]) -> list[Row]:
    """(lat, lon, profile_key) of everybody warned in the cells."""
    rows: list[Row] = []
    for some in chunks(cells, 1000):
        rows += await db.execute(
            sa.select(person.c.lat, person.c.lon, person.c.profile_key).where(
                person.c.cell.in_(some), person.c.status.in_(WARNED)
            )
        )
    return rows


async def counts_in(db: Connection, cells: Sequence[int]) -> list[tuple[int, str, int]]:
    """(cell, profile_key, people) of the cells."""
    rows: list[tuple[int, str, int]] = []
    for some in chunks(cells, 1000):
        found = await db.execute(
            sa.select(cell_count.c.cell, cell_count.c.profile_key, cell_count.c.n).where(cell_count.c.cell.in_(some))
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
        for row in await db.execute(sa.select(profile).where(profile.c.profile_key.in_(some))):
            found[row.profile_key] = _decoder.decode(row.body)
    if len(found) < len(wanted):
        missing = next(key for key in wanted if key not in found)
        raise Broken(f"profile {missing} is used by a person and is not in registry_profile: import those people again")
    return found


async def contacts_of(db: Connection, owners: Sequence[str]) -> dict[str, list[Row]]:
    """owner_id > contact rows in order of use."""
    found: dict[str, list[Row]] = {}
    for some in chunks(owners, 1000):
        for row in await db.execute(
            sa.select(contact).where(contact.c.owner_id.in_(some)).order_by(contact.c.owner_id, contact.c.position)
        ):
            found.setdefault(row.owner_id, []).append(row)
    return found


async def supporters_of(db: Connection, people: Sequence[str]) -> dict[str, list[Row]]:
    """person_id > rows of the supporters who accepted, in order."""
    found: dict[str, list[Row]] = {}
    for row in await db.execute(
        sa.select(supporter)
        .where(supporter.c.person_id.in_(people), supporter.c.accepted)
        .order_by(supporter.c.person_id, supporter.c.position)
    ):
        found.setdefault(row.person_id, []).append(row)
    return found


async def active_workers(db: Connection) -> list[Row]:
    """Every worker who is not off duty altogether; shifts are judged by the caller."""
    return list(await db.execute(sa.select(worker).where(worker.c.status == "active").order_by(worker.c.worker_id)))


async def area_of(
    db: Connection, geojson: str, geocodes: Iterable[tuple[str, str]]
) -> tuple[Area | None, tuple[tuple[str, str], ...]]:
    """The polygon and all known geocodes as one area (None: nowhere), and the geocodes nobody knows."""
    texts, unresolved = [geojson] if geojson else [], []
    for value_name, code in geocodes:
        text = await db.scalar(sa.select(area.c.geojson).where(area.c.value_name == value_name, area.c.code == code))
        if text is None:
            unresolved.append((value_name, code))
        else:
            texts.append(text)
    return (Area.from_geojson(*texts) if texts else None), tuple(unresolved)


# jobs: one a warning, one page a transaction


async def open_job(tx: Connection, row: Mapping[str, Any]) -> None:
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


async def next_job(db: Connection) -> Row | None:
    """The open job of the highest tier, the oldest first."""
    found = await db.execute(
        sa.select(job)
        .where(job.c.state == "open")
        .order_by(job.c.tier.desc(), job.c.opened_at, job.c.warning_id)
        .limit(1)
    )
    return found.first()


async def any_open(db: Connection) -> bool:
    """Whether a page is still to be made."""
    return bool(await db.scalar(sa.select(sa.exists().where(job.c.state == "open"))))


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
