"""Puts people, facilities, workers and areas into the register, page by page: sealed, counted, audited.

A page is at most 1,000 people under one data key, written in one transaction with their counts, profiles and an
entry in the audit log. What was given before and has not changed is not sealed again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

import sqlalchemy as sa

from services.registry import store
from services.registry.areas import Area
from services.registry.facilities import AreaIn, FacilityIn, WorkerIn
from services.registry.needs import LOCAL_LANGUAGES, WARNED, ContactIn, PersonIn
from services.registry.sealed import (
    Entry,
    addressee_id,
    by_order,
    contact_rows,
    entry_of,
    given_digest,
    home_of,
    sealed_rows,
    worker_row,
)
from services.shared import audit
from services.shared.db import Connection, Database
from services.shared.errors import Refused
from services.shared.outbox import id_of
from services.shared.sealing import PAGE_SIZE, Sealer, page_key

FICTIONAL = "+999"  # a country code that was never given out


class SealingKeys(Protocol):
    """What the register needs of an installation's keys: it can seal and find, and not open."""

    @property
    def public(self) -> bytes: ...

    @property
    def index(self) -> bytes: ...


@dataclass(frozen=True)
class Issue:
    """What was wrong with a field, and what came of it: repaired, left_out (the row went in) or refused."""

    line: int
    outcome: str
    field: str
    rule: str
    given: str
    remedy: str
    subject: str = ""


@dataclass
class Report:
    """An import row by row; `read` rows went in new or changed, `unchanged` were there already."""

    read: int = 0
    unchanged: int = 0
    repaired: int = 0
    refused: int = 0
    issues: list[Issue] = field(default_factory=list)


def person_id_of(source: str, external: str) -> str:
    """The id of a person known to `source` as `external`: the same at every import."""
    return id_of("person", source, external)


async def import_people(
    database: Database,
    keys: SealingKeys,
    people: Iterable[PersonIn | FacilityIn],
    *,
    year: int,
    actor: str = "import",
    local_languages: tuple[str, ...] = LOCAL_LANGUAGES,
    fictional: bool = False,
) -> Report:
    """Writes people and facilities; `fictional` lets numbers of the made-up country pass (samples only).

    Members of one household should follow each other; a page is cut between households where it can be.
    """
    report = Report()
    pages = _pages(people)
    some: list[PersonIn | FacilityIn]
    while some := await asyncio.to_thread(next, pages, []):  # reading a list is slow: warnings go on meanwhile
        entries = []
        for one in some:
            if not fictional and (bad := _made_up(_every_contact(one), addressee_id(one))):
                report.refused += 1
                report.issues.append(bad)
            else:
                entries.append(entry_of(one, keys.index, year, local_languages))
        report.unchanged += len(entries) - await _write_page(database, keys, entries, actor, report)
    return report


def _pages(people: Iterable[PersonIn | FacilityIn]) -> Iterator[list[PersonIn | FacilityIn]]:
    """Runs of at most a page, each person once, cut between two households where the page holds more than one."""
    waiting: dict[str, PersonIn | FacilityIn] = {}
    for one in people:
        waiting[addressee_id(one)] = one
        if len(waiting) == PAGE_SIZE:
            page = list(waiting.values())
            last = home_of(page[-1])
            cut = next((n for n in range(PAGE_SIZE, 0, -1) if home_of(page[n - 1]) != last), PAGE_SIZE)
            yield page[:cut]
            waiting = {addressee_id(p): p for p in page[cut:]}
    if waiting:
        yield list(waiting.values())


def _made_up(contacts: Iterable[ContactIn], subject: str) -> Issue | None:
    for contact in contacts:
        if contact.address.startswith(FICTIONAL):
            remedy = "give a real number: this country code was never given out"
            return Issue(0, "refused", contact.kind, "real number", contact.address, remedy, subject)
    return None


def _every_contact(one: PersonIn | FacilityIn) -> Iterator[ContactIn]:
    yield from one.contacts
    if isinstance(one, PersonIn):
        for supporter in one.supporters:
            yield from supporter.contacts


async def _write_page(
    database: Database, keys: SealingKeys, entries: Sequence[Entry], actor: str, report: Report
) -> int:
    """One transaction; returns how many were new or changed."""
    if not entries:
        return 0
    ids = [e.person_id for e in entries]
    async with database.read() as db:
        known = await store.known_people(db, ids)
    changed = [e for e in entries if (row := known.get(e.person_id)) is None or row.digest != e.digest]
    if not changed:
        return 0
    sealer = Sealer(keys.public)
    rows = await asyncio.to_thread(sealed_rows, sealer, keys.index, changed)
    async with database.write() as tx:
        await _keep_households_whole(tx, changed, rows["person"], report)
        ids = [e.person_id for e in changed]
        deltas: Counter[tuple[int, str]] = Counter()
        for before in (await store.known_people(tx, ids)).values():
            if before.status in WARNED:
                deltas[before.cell, before.profile_key] -= 1
        for e in changed:
            if e.given.status in WARNED:
                deltas[e.cell, e.profile.key] += 1
        await tx.execute(sa.insert(page_key).values(**sealer.row()))
        await store.keep_profiles(tx, (e.profile for e in changed))
        await store.forget_roads(tx, ids)
        await store.put(tx, store.person, rows["person"])
        await store.put(tx, store.facility, rows["facility"])
        await store.put(tx, store.supporter, rows["supporter"])
        await store.put(tx, store.contact, rows["contact"])
        await store.count_changes(tx, deltas)
        await audit.record(tx, actor, "people.import", sealer.key_id, "register", {"people": len(changed)})
    report.read += len(changed)
    return len(changed)


async def _keep_households_whole(
    tx: Connection, changed: Sequence[Entry], people: Sequence[dict[str, Any]], report: Report
) -> None:
    """A household lies in one cell, so that no page splits it: whoever is given elsewhere becomes one of her own."""
    cells = await store.household_cells(tx, sorted({e.household_id for e in changed}), {e.person_id for e in changed})
    for e, row in zip(changed, people, strict=True):
        home = cells.setdefault(e.household_id, e.cell)
        if home != e.cell:
            row["household_id"] = id_of("household", e.household_id, e.cell)
            report.repaired += 1
            report.issues.append(
                Issue(
                    0,
                    "repaired",
                    "household",
                    "one place",
                    f"{e.given.lat}, {e.given.lon}",
                    "counted as a household of her own: give everybody of a household the same place",
                    e.person_id,
                )
            )


async def import_workers(
    database: Database,
    keys: SealingKeys,
    workers: Iterable[WorkerIn],
    *,
    actor: str = "import",
    fictional: bool = False,
) -> Report:
    """Writes community officers; one page key for each run of at most 1,000."""
    report, every = Report(), iter(workers)
    while some := list(islice(every, PAGE_SIZE)):
        allowed = []
        for one in some:
            if not fictional and (bad := _made_up(one.contacts, one.worker_id)):
                report.refused += 1
                report.issues.append(bad)
            else:
                allowed.append(one)
        sealer = Sealer(keys.public)
        async with database.write() as tx:
            known = await store.known_workers(tx, [w.worker_id for w in allowed])
            new = [w for w in allowed if known.get(w.worker_id) != given_digest(keys.index, w)]
            if new:
                rows = [worker_row(sealer, keys.index, w) for w in new]
                contacts = [c for w in new for c in contact_rows(sealer, keys.index, w.worker_id, by_order(w.contacts))]
                await tx.execute(sa.insert(page_key).values(**sealer.row()))
                await store.forget_roads(tx, [w.worker_id for w in new], supporters_too=False)
                await store.put(tx, store.worker, rows)
                await store.put(tx, store.contact, contacts)
                await audit.record(tx, actor, "workers.import", sealer.key_id, "register", {"workers": len(rows)})
        report.read += len(new)
        report.unchanged += len(allowed) - len(new)
    return report


async def import_areas(database: Database, areas: Iterable[AreaIn], *, actor: str = "import") -> Report:
    """Writes what geocodes stand for; an area without a surface is refused and stops no other."""
    report, good = Report(), []
    for one in areas:
        try:
            Area.from_geojson(one.geojson)
        except Refused as fault:
            report.refused += 1
            subject = f"{one.value_name} {one.code}"
            report.issues.append(Issue(0, "refused", "geojson", fault.rule, one.geojson[:80], fault.remedy, subject))
        else:
            good.append(one.model_dump())
    if good:
        async with database.write() as tx:
            await store.put(tx, store.area, good)
            await audit.record(tx, actor, "areas.import", "areas", "register", {"areas": len(good)})
    report.read = len(good)
    return report
