"""Writes people, facilities, workers and areas into the register, page by page: sealed, counted, audited.

A page is at most 1,000 people under one data key, written in one transaction with their counts, profiles and an
entry in the audit log. What was given before and has not changed is not sealed again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Literal, NamedTuple

import sqlalchemy as sa
import structlog

from services.registry.geo.areas import Shape
from services.registry.importing.area_owners import Numbered, allowed_rows
from services.registry.importing.report import ImportReport as Report
from services.registry.importing.report import Issue as Issue
from services.registry.importing.rows import person_id_of as person_id_of
from services.registry.model.facilities import AreaIn, FacilityIn, WorkerIn
from services.registry.model.facts import Voice
from services.registry.model.given import LOCAL_LANGUAGES, WARNED, ContactIn, PersonIn
from services.registry.people import repository, sources
from services.registry.people.mass_changes import Change, Harm, allowed, note, taken_but
from services.registry.people.officer_teams import given_digest, worker_contacts, worker_row
from services.registry.people.records import PersonRecord, Rows
from services.registry.people.sources import SourceList, Statement
from services.registry.people.update import SealingKeys as SealingKeys
from services.registry.people.update import today
from services.registry.people.write_context import WriteContext
from services.registry.store import register
from services.shared.audit import trail
from services.shared.bus.outbox import new_id
from services.shared.crypto.sealing import PAGE_SIZE, page_key
from services.shared.database import disk
from services.shared.database.batches import chunks
from services.shared.database.engine import Connection, Database, may_be_tried_again
from services.shared.errors import Refused
from services.shared.messages import Profile
from services.shared.powers.may import holds
from services.shared.powers.who import Who

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
    joined: set[str] = field(default_factory=set)  # who carry another list's id
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
    authority = context.source.authority
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
        if one.joined:
            page.joined.add(person_id)
        rows = taken(None, one, write_context, authority=authority).rows()
        rows.profile = profiles.setdefault(rows.profile.key, rows.profile)
        page.made[person_id] = rows
    page.key_row = write_context.key_row
    return page


def taken(
    record: PersonRecord | None,
    one: Statement,
    write_context: WriteContext,
    *,
    authority: str = "",
    voice: Voice = "weighed",
) -> PersonRecord:
    """The record with a statement in it, a new one of `authority` if there was none."""
    given = one.given
    if not isinstance(given, (PersonIn, FacilityIn)):
        raise TypeError(f"{type(given).__name__} is no person and no facility")
    record = record or PersonRecord(addressee_id(given), house=isinstance(given, FacilityIn), authority=authority)
    record.learn(given, one.who, write_context, voice)
    record.derive(write_context)
    return record


class Deferred(NamedTuple):
    """A row that silences or moves somebody: whether it may is known once the whole list was read."""

    person_id: str
    line: int
    digest: str
    statement: Statement
    change: Change


@dataclass
class _Done:
    """What came of a page."""

    records: list[Rows] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)
    deferred: list[Deferred] = field(default_factory=list)


@dataclass
class Import:
    """One list on its way in, a page a transaction. `who` brings it; None where the house itself does.

    `mass_change`: how many people it may silence or move, before a second key is asked.
    """

    database: Database
    context: ImportContext
    actor: str
    report: Report
    who: Who | None = None
    mass_change: int = 50
    held_id: str = field(default_factory=new_id)
    _deferred: list[Deferred] = field(default_factory=list)
    _allowed: int | None = None
    _held: int = 0

    async def claim(self) -> None:
        """The source is this authority's from here on."""
        if self.who is not None and not self.report.dry_run:
            await self._waiting_for_database(self._claim)

    async def _claim(self) -> None:
        async with self.database.write() as tx:
            await sources.claim(tx, self.context.source, self.who)

    async def page(self, page: Page) -> None:
        """Writes what is new or changed; those who stand there as before are only seen."""
        self.report.tell_all(self._outside(page))
        if page.digests:
            await self._waiting_for_database(lambda: self._page(page))
        if self._deferred and len(self._deferred) > await self._most():
            await self._hold()

    def _outside(self, page: Page) -> Iterator[Issue]:
        """Takes out whoever lives beyond the area of the key."""
        if self.who is None or not self.who.area or not page.made:
            return
        people = list(page.made.values())
        inside = holds(self.who.area, [r.person["lon"] for r in people], [r.person["lat"] for r in people])
        for one, held in zip(people, inside, strict=True):
            if not held:
                given = f"{one.person['lat']}, {one.person['lon']}"
                yield beyond(page.lines[one.person_id], given, one.person_id)
                del page.digests[one.person_id], page.lines[one.person_id], page.made[one.person_id]

    async def _waiting_for_database(self, work: Callable[[], Awaitable[None]]) -> None:
        """A database that is away or overloaded is waited for: what is written is compared and written again, so that
        what was committed after all counts as there."""
        for wait in WAITS_S:
            try:
                return await work()
            except (sa.exc.SQLAlchemyError, OSError, TimeoutError) as problem:
                if disk.is_full(problem):  # waiting makes no room
                    raise self.report.stopped_by_full_disk() from problem
                if not may_be_tried_again(problem):
                    raise
                log.warning("import_waits", seconds=wait, problem=type(problem).__name__)
                await asyncio.sleep(wait)
        await work()

    async def _page(self, page: Page) -> None:
        source, dry = self.context.source, self.report.dry_run
        async with self.database.read() as db:
            before = await sources.listed(db, source.source_id, list(page.digests))
            changed = [p for p in page.digests if before.get(p, ("", 0))[0] != page.digests[p]]
            there = await repository.load(db, changed) if dry else {}
        same = [p for p, (mark, seen) in before.items() if mark == page.digests[p] and seen != source.number]
        done = _Done()
        alone: list[Rows] = []
        if dry:
            done = self._done(page, changed, there, self.context.write_context())
        elif changed or same:
            write_context = self.context.write_context()
            async with self.database.write() as tx:
                await repository.alone(tx)
                done = self._done(page, changed, await repository.load(tx, changed), write_context)
                fresh = any(r.before is None for r in done.records)
                keys = [page.key_row] if fresh and page.key_row is not None else []
                also = [one.person_id for one in done.deferred]  # they stand in this list whatever comes of it
                alone = await self._keep(tx, done, [*same, *also], write_context, keys)
        self.report.unchanged += len(page.digests) - len(changed)
        self.report.read += len(done.records)
        self.report.conflicts += sum(len(r.conflicts) for r in done.records)
        self.report.tell_all(done.issues)
        self.report.tell_all(_own_household(one, page.lines.get(one.person_id, 0)) for one in alone)
        self._deferred += done.deferred

    async def _keep(
        self,
        tx: Connection,
        done: _Done,
        seen: Sequence[str],
        write_context: WriteContext,
        keys: Sequence[dict[str, object]] = (),
    ) -> list[Rows]:
        """Writes records and who stands in the list; returns those who were given a household of their own."""
        source = self.context.source
        alone = await repository.whole_households(tx, done.records)
        await repository.keep(tx, done.records, [k for k in (*keys, write_context.key_row) if k is not None])
        await sources.see(tx, source, done.digests, seen)
        if done.records:
            detail = {"people": len(done.records), "source": source.name}
            await trail.record(tx, self.actor, "people.import", source.source_id, "register", detail)
        return alone

    def _done(
        self, page: Page, changed: Sequence[str], there: dict[str, PersonRecord], write_context: WriteContext
    ) -> _Done:
        """Made ones where nobody was there; statements into those that are."""
        done, who, source = _Done(), self.who, self.context.source
        for person_id in changed:
            digest, line = page.digests[person_id], page.lines[person_id]
            if (record := there.get(person_id)) is None:
                done.records.append(page.made[person_id])
            elif who is not None and who.area and not holds(who.area, record.place[1], record.place[0]):
                done.issues.append(beyond(line, "", person_id))
                continue
            else:
                statement = page.said(person_id)
                foreign = who is not None and bool(record.authority) and not who.speaks_for(record.authority)
                if foreign and person_id in page.joined:
                    done.issues.append(_kept_by(record.authority, line, person_id))
                    taken(record, statement, write_context, voice="adds")
                elif foreign:  # their id is of this list, and somebody joined theirs to it before it named them
                    record.authority = source.authority
                    taken(record, statement, write_context, voice="owns")
                elif who is None or record.status not in WARNED:
                    taken(record, statement, write_context)
                elif change := taken_but(record, statement, write_context):
                    done.deferred.append(Deferred(person_id, line, digest, statement, change))
                    continue
                done.records.append(record.rows())
            done.digests[person_id] = digest
        return done

    async def _most(self) -> int:
        if self._held:
            return 0
        if self._allowed is None:
            async with self.database.read() as db:
                self._allowed = await allowed(db, self.context.source, self.mass_change)
        return self._allowed

    async def _hold(self) -> None:
        """Too many would be silenced or moved: the rest of their rows goes in, and that waits."""
        some, self._deferred = self._deferred, []
        if not self.report.dry_run:
            for part in chunks(some, PAGE_SIZE):
                await self._waiting_for_database(partial(self._settled, part, "waiting"))
        self._held += len(some)
        self.report.read += len(some)
        self.report.tell_all(_held(one) for one in some)

    async def _settled(self, some: Sequence[Deferred], state: Literal["waiting", "applied"]) -> None:
        """Writes deferred rows: whole where they were few, else without what waits."""
        if (who := self.who) is None:
            return
        done, harms, write_context = _Done(), [], self.context.write_context()
        async with self.database.write() as tx:
            await repository.alone(tx)
            there = await repository.load(tx, [one.person_id for one in some])
            for one in some:
                if (record := there.get(one.person_id)) is None:
                    continue
                change = one.change
                if state == "waiting":
                    change = taken_but(record, one.statement, write_context)
                else:
                    taken(record, one.statement, write_context)
                    done.digests[one.person_id] = one.digest
                if change:
                    harms.append(Harm(one.person_id, one.statement.who, change))
                done.records.append(record.rows())
            await self._keep(tx, done, [], write_context)
            await note(tx, self.held_id, state, self.context.source, who, harms)
        self.report.conflicts += sum(len(r.conflicts) for r in done.records)

    async def finish(self) -> None:
        """The list is whole: it is its source's newest, and whoever it no longer names is counted."""
        some, self._deferred = self._deferred, []
        self.report.read += len(some)
        if self._held:
            self.report.notes.append(
                f"{self._held} people would no longer be warned, or be warned elsewhere: that waits for another key of "
                f"{self.context.source.authority}, see tocsin registry held"
            )
        if self.report.dry_run:
            return
        for part in chunks(some, PAGE_SIZE):
            await self._waiting_for_database(partial(self._settled, part, "applied"))
        source = self.context.source
        async with self.database.write() as tx:
            await sources.finish(tx, source, self.report.read + self.report.unchanged)
            gone = sa.select(sa.func.count()).where(
                register.listing.c.source_id == source.source_id, register.listing.c.seen < source.number
            )
            self.report.missing = int(await tx.scalar(gone) or 0)
            if self.report.read >= MANY and tx.dialect.name == "postgresql":  # new tables have no statistics yet
                await tx.execute(sa.text("ANALYZE registry_person, registry_contact, registry_cell_count"))


def beyond(line: int, given: str, subject: str) -> Issue:
    """What is told of a row that lies outside the area of the key that brings it."""
    remedy = "they live beyond the area of this key: ask a key whose area holds them to bring this row"
    return Issue(line, "refused", "area", "grant.area", given, remedy, subject)


def _kept_by(authority: str, line: int, subject: str) -> Issue:
    remedy = f"{authority} entered them: what is new was added, what differs waits for them as a conflict"
    return Issue(line, "doubtful", "source", "owner", "", remedy, subject)


def _held(one: Deferred) -> Issue:
    remedy = "too many at once: this waits until another key of the authority confirms it; they are warned meanwhile"
    return Issue(one.line, "left_out", ", ".join(one.change), "two keys", "", remedy, one.person_id)


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


async def import_areas(
    database: Database, areas: Iterable[AreaIn], *, actor: str = "import", who: Who | None = None
) -> Report:
    """Writes what geocodes stand for; an area without a surface, or not theirs who brings it, is refused and stops no
    other."""
    report, good = Report(), list[Numbered]()
    for one in areas:
        try:
            if one.geojson:
                Shape.from_geojson(one.geojson)
        except Refused as fault:
            subject = f"{one.value_name} {one.code}"
            report.tell(Issue(0, "refused", "geojson", fault.rule, one.geojson[:80], fault.remedy, subject))
        else:
            good.append((0, one.model_dump()))
    if good:
        async with database.write() as tx:
            rows = await allowed_rows(tx, register.area, good, who, report)
            if rows:
                await register.put(tx, register.area, rows)
                await trail.record(tx, actor, "areas.import", "areas", "register", {"areas": len(rows)})
            report.read = len(rows)
    return report
