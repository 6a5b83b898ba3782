"""Writes people, facilities, workers and areas into the register, page by page: sealed, counted, audited.

A page is at most 1,000 people under one data key, written in one transaction with their counts, profiles and an
entry in the audit log. What was given before and has not changed is not sealed again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import sqlalchemy as sa
import structlog

from services.registry.geo.areas import Shape
from services.registry.importing.report import ImportReport as Report
from services.registry.importing.report import Issue as Issue
from services.registry.importing.rows import person_id_of as person_id_of
from services.registry.model.facilities import AreaIn, FacilityIn, WorkerIn
from services.registry.model.given import LOCAL_LANGUAGES, ContactIn, PersonIn
from services.registry.people import repository, sources
from services.registry.people.officer_teams import given_digest, worker_contacts, worker_row
from services.registry.people.records import PersonRecord, Rows
from services.registry.people.sources import SourceList, Statement
from services.registry.people.update import SealingKeys as SealingKeys
from services.registry.people.update import today
from services.registry.people.write_context import WriteContext
from services.registry.store import register
from services.shared.audit import trail
from services.shared.crypto.sealing import PAGE_SIZE, page_key
from services.shared.database import disk
from services.shared.database.engine import Database, may_be_tried_again
from services.shared.errors import Refused
from services.shared.messages import Profile

log = structlog.get_logger("registry")
WAITS_S = (1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0)  # a minute for a database that is away
MANY = 10_000  # people of one list, from which the database is told to look at its tables again
FICTIONAL = "+999"  # a country code that was never given out


def addressee_id(one: PersonIn | FacilityIn) -> str:
    """The id under which it is warned."""
    return one.person_id if isinstance(one, PersonIn) else one.facility_id


def home_of(one: PersonIn | FacilityIn) -> str:
    """The household it is counted and visited in."""
    return one.home_id if isinstance(one, PersonIn) else one.facility_id


@dataclass(frozen=True)
class ImportContext:
    """What makes a page besides its rows; may be sent to another process. `index` is the key that names addresses."""

    public: bytes
    index: bytes
    year: int
    local: tuple[str, ...]
    source: SourceList

    def write_context(self) -> WriteContext:
        """A hand for one page."""
        return WriteContext(self.public, self.index, self.source.on, self.year, self.local)


@dataclass
class Page:
    """People on their way in: each id's digest, line, record as if it were new, and statement."""

    digests: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    made: dict[str, Rows] = field(default_factory=dict)
    key_row: dict[str, object] | None = None
    statement: Callable[[str], Statement] | None = None

    def said(self, person_id: str) -> Statement:
        """What the list says of one of them."""
        if self.statement is None:
            raise LookupError("this page was not given a way to its statements")
        return self.statement(person_id)


def make_page(statements: Iterable[tuple[int, Statement]], context: ImportContext) -> Page:
    """Everything about a page that needs no database: digests, and records sealed under one key."""
    page, write_context = Page(), context.write_context()
    profiles: dict[str, Profile] = {}  # one object each: so it crosses once from another process
    for line, one in statements:
        given = one.given
        if not isinstance(given, (PersonIn, FacilityIn)):
            raise TypeError(f"{type(given).__name__} is no person and no facility")
        person_id = addressee_id(given)
        if person_id in page.digests:
            continue
        page.digests[person_id] = sources.digest(context.index, given, one.who, str(context.year))
        page.lines[person_id] = line
        rows = taken(None, one, write_context).rows()
        rows.profile = profiles.setdefault(rows.profile.key, rows.profile)
        page.made[person_id] = rows
    page.key_row = write_context.key_row
    return page


def taken(record: PersonRecord | None, one: Statement, write_context: WriteContext) -> PersonRecord:
    """The record with a statement in it, a new one if there was none."""
    given = one.given
    if not isinstance(given, (PersonIn, FacilityIn)):
        raise TypeError(f"{type(given).__name__} is no person and no facility")
    record = record or PersonRecord(addressee_id(given), house=isinstance(given, FacilityIn))
    record.learn(given, one.who, write_context)
    record.derive(write_context)
    return record


@dataclass
class Import:
    """One list on its way in, a page a transaction."""

    database: Database
    context: ImportContext
    actor: str
    report: Report

    async def page(self, page: Page) -> None:
        """Writes what is new or changed; those who stand there as before are only seen.

        A database that is away or overloaded is waited for: the page is compared and written again, so that what was
        committed after all counts as there.
        """
        if not page.digests:
            return
        for wait in WAITS_S:
            try:
                return await self._page(page)
            except (sa.exc.SQLAlchemyError, OSError, TimeoutError) as problem:
                if disk.is_full(problem):  # waiting makes no room
                    raise self.report.stopped_by_full_disk() from problem
                if not may_be_tried_again(problem):
                    raise
                log.warning("import_waits", seconds=wait, problem=type(problem).__name__)
                await asyncio.sleep(wait)
        await self._page(page)

    async def _page(self, page: Page) -> None:
        source, dry = self.context.source, self.report.dry_run
        async with self.database.read() as db:
            before = await sources.listed(db, source.source_id, list(page.digests))
            changed = [p for p in page.digests if before.get(p, ("", 0))[0] != page.digests[p]]
            there = await repository.load(db, changed) if dry else {}
        same = [p for p, (mark, seen) in before.items() if mark == page.digests[p] and seen != source.number]
        records: list[Rows] = []
        alone: list[Rows] = []
        if dry:
            records = self._records(page, changed, there, self.context.write_context())
        elif changed or same:
            write_context = self.context.write_context()
            async with self.database.write() as tx:
                await repository.alone(tx)
                records = self._records(page, changed, await repository.load(tx, changed), write_context)
                alone = await repository.whole_households(tx, records)
                fresh = any(r.before is None for r in records)
                keys = [row for row in (page.key_row if fresh else None, write_context.key_row) if row is not None]
                await repository.keep(tx, records, keys)
                await sources.see(tx, source, {p: page.digests[p] for p in changed}, same)
                if changed:
                    detail = {"people": len(changed), "source": source.name}
                    await trail.record(tx, self.actor, "people.import", source.source_id, "register", detail)
        self.report.unchanged += len(page.digests) - len(changed)
        self.report.read += len(changed)
        self.report.conflicts += sum(len(r.conflicts) for r in records)
        self.report.tell_all(_own_household(one, page.lines.get(one.person_id, 0)) for one in alone)

    def _records(
        self, page: Page, changed: Sequence[str], there: dict[str, PersonRecord], write_context: WriteContext
    ) -> list[Rows]:
        """Made ones where nobody was there; statements into those that are."""
        return [taken(there[p], page.said(p), write_context).rows() if p in there else page.made[p] for p in changed]

    async def finish(self) -> None:
        """The list is whole: it is its source's newest, and whoever it no longer names is counted."""
        if self.report.dry_run:
            return
        source = self.context.source
        async with self.database.write() as tx:
            await sources.finish(tx, source, self.report.read + self.report.unchanged)
            gone = sa.select(sa.func.count()).where(
                register.listing.c.source_id == source.source_id, register.listing.c.seen < source.number
            )
            self.report.missing = int(await tx.scalar(gone) or 0)
            if self.report.read >= MANY and tx.dialect.name == "postgresql":  # new tables have no statistics yet
                await tx.execute(sa.text("ANALYZE registry_person, registry_contact, registry_cell_count"))


def _own_household(record: Rows, line: int) -> Issue:
    lat, lon = record.person["lat"], record.person["lon"]
    remedy = "counted as a household of their own: give everybody of a household the same place"
    return Issue(line, "doubtful", "household", "one place", f"{lat}, {lon}", remedy, record.person_id)


async def import_people(
    database: Database,
    keys: SealingKeys,
    people: Iterable[PersonIn | FacilityIn | Statement],
    *,
    year: int,
    actor: str = "import",
    local_languages: tuple[str, ...] = LOCAL_LANGUAGES,
    fictional: bool = False,
    source: SourceList | None = None,
) -> Report:
    """Writes people and facilities as one list of `source` (the register's own, said by themselves, if none is given).

    `fictional` lets numbers of the made-up country pass (samples only). Members of one household should follow each
    other; a page is cut between households where it can be.
    """
    report = Report()
    if source is None:
        async with database.read() as db:
            source = await sources.begin(db, "register", "self", today())
    context = ImportContext(keys.public, keys.index, year, local_languages, source)
    work = Import(database, context, actor, report)
    pages = _pages(people, source)
    some: dict[str, Statement]
    while some := await asyncio.to_thread(next, pages, {}):  # reading a list is slow: warnings go on meanwhile
        for person_id, one in list(some.items()):
            if not fictional and (bad := _made_up(_every_contact(one.given), person_id)):
                report.tell(bad)
                del some[person_id]
        page = await asyncio.to_thread(make_page, [(0, one) for one in some.values()], context)
        page.statement = some.__getitem__
        await work.page(page)
    await work.finish()
    return report


def _pages(people: Iterable[PersonIn | FacilityIn | Statement], source: SourceList) -> Iterator[dict[str, Statement]]:
    """Runs of at most a page, each person once, cut between two households where the page holds more than one."""
    waiting: dict[str, Statement] = {}
    homes: dict[str, str] = {}
    for found in people:
        statement = found if isinstance(found, Statement) else Statement(found, source.provenance())
        given = statement.given
        if not isinstance(given, (PersonIn, FacilityIn)):
            raise TypeError(f"{type(given).__name__} is no person and no facility")
        waiting[addressee_id(given)] = statement
        homes[addressee_id(given)] = home_of(given)
        if len(waiting) == PAGE_SIZE:
            order = list(waiting)
            last = homes[order[-1]]
            cut = next((n for n in range(PAGE_SIZE, 0, -1) if homes[order[n - 1]] != last), PAGE_SIZE)
            yield {p: waiting[p] for p in order[:cut]}
            waiting = {p: waiting[p] for p in order[cut:]}
    if waiting:
        yield waiting


def _made_up(contacts: Iterable[ContactIn], subject: str) -> Issue | None:
    for contact in contacts:
        if contact.address.startswith(FICTIONAL):
            remedy = "give a real number: this country code was never given out"
            return Issue(0, "refused", contact.kind, "real number", contact.address, remedy, subject)
    return None


def _every_contact(one: object) -> Iterator[ContactIn]:
    if isinstance(one, (PersonIn, FacilityIn)):
        yield from one.contacts
    if isinstance(one, PersonIn):
        for supporter in one.supporters:
            yield from supporter.contacts


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
                report.tell(bad)
            else:
                allowed.append(one)
        day = today()
        write_context = WriteContext(keys.public, keys.index, day, int(day[:4]), LOCAL_LANGUAGES)
        who = SourceList(actor, "other", day).provenance()
        async with database.write() as tx:
            known = await register.known_workers(tx, [w.worker_id for w in allowed])
            new = [w for w in allowed if known.get(w.worker_id) != given_digest(keys.index, w)]
            if new:
                rows = [worker_row(write_context, w) for w in new]
                contacts = [c for w in new for c in worker_contacts(write_context, w, who)]
                await tx.execute(sa.insert(page_key).values(**write_context.sealer.row()))
                await register.forget_channels(tx, [w.worker_id for w in new])
                await register.put(tx, register.worker, rows)
                await register.put(tx, register.contact, contacts)
                await trail.record(
                    tx, actor, "workers.import", write_context.sealer.key_id, "register", {"workers": len(rows)}
                )
        report.read += len(new)
        report.unchanged += len(allowed) - len(new)
    return report


async def import_areas(database: Database, areas: Iterable[AreaIn], *, actor: str = "import") -> Report:
    """Writes what geocodes stand for; an area without a surface is refused and stops no other."""
    report, good = Report(), []
    for one in areas:
        try:
            if one.geojson:
                Shape.from_geojson(one.geojson)
        except Refused as fault:
            subject = f"{one.value_name} {one.code}"
            report.tell(Issue(0, "refused", "geojson", fault.rule, one.geojson[:80], fault.remedy, subject))
        else:
            good.append(one.model_dump())
    if good:
        async with database.write() as tx:
            await register.put(tx, register.area, good)
            await trail.record(tx, actor, "areas.import", "areas", "register", {"areas": len(good)})
    report.read = len(good)
    return report
