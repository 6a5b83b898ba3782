"""Puts people, facilities, workers and areas into the register, page by page: sealed, counted, audited.

A page is at most 1,000 people under one data key, written in one transaction with their counts, profiles and an
entry in the audit log. What was given before and has not changed is not sealed again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import sqlalchemy as sa

from services.registry import keeping, sources, store
from services.registry.areas import Area
from services.registry.facilities import AreaIn, FacilityIn, WorkerIn
from services.registry.given import LOCAL_LANGUAGES, ContactIn, PersonIn
from services.registry.records import Hand, Record
from services.registry.revise import SealingKeys as SealingKeys
from services.registry.revise import today
from services.registry.sealed import given_digest, worker_contacts, worker_row
from services.registry.sources import SourceList, Statement
from services.shared import audit
from services.shared.db import Database
from services.shared.errors import Refused
from services.shared.outbox import id_of
from services.shared.sealing import PAGE_SIZE, page_key

FICTIONAL = "+999"  # a country code that was never given out


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
    conflicts: int = 0
    issues: list[Issue] = field(default_factory=list)


def person_id_of(source: str, external: str) -> str:
    """The id of a person known to `source` as `external`: the same at every import."""
    return id_of("person", source, external)


def addressee_id(one: PersonIn | FacilityIn) -> str:
    """The id under which it is warned."""
    return one.person_id if isinstance(one, PersonIn) else one.facility_id


def home_of(one: PersonIn | FacilityIn) -> str:
    """The household it is counted and visited in."""
    return one.home_id if isinstance(one, PersonIn) else one.facility_id


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
    work = _Import(database, keys, year, local_languages, actor, source, report)
    pages = _pages(people, source)
    some: list[_One]
    while some := await asyncio.to_thread(next, pages, []):  # reading a list is slow: warnings go on meanwhile
        good = []
        for one in some:
            if not fictional and (bad := _made_up(_every_contact(one.given), one.person_id)):
                report.refused += 1
                report.issues.append(bad)
            else:
                good.append(one)
        await work.page(good)
    async with database.write() as tx:
        await sources.finish(tx, source, report.read + report.unchanged)
    return report


@dataclass(frozen=True)
class _One:
    """A person or facility on its way in."""

    given: PersonIn | FacilityIn
    statement: Statement

    @property
    def person_id(self) -> str:
        return addressee_id(self.given)


def _pages(people: Iterable[PersonIn | FacilityIn | Statement], source: SourceList) -> Iterator[list[_One]]:
    """Runs of at most a page, each person once, cut between two households where the page holds more than one."""
    waiting: dict[str, _One] = {}
    for found in people:
        statement = found if isinstance(found, Statement) else Statement(found, source.provenance())
        given = statement.given
        if not isinstance(given, (PersonIn, FacilityIn)):
            raise TypeError(f"{type(given).__name__} is no person and no facility")
        one = _One(given, statement)
        waiting[one.person_id] = one
        if len(waiting) == PAGE_SIZE:
            page = list(waiting.values())
            last = home_of(page[-1].given)
            cut = next((n for n in range(PAGE_SIZE, 0, -1) if home_of(page[n - 1].given) != last), PAGE_SIZE)
            yield page[:cut]
            waiting = {p.person_id: p for p in page[cut:]}
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


@dataclass
class _Import:
    """One list on its way in, a page a transaction."""

    database: Database
    keys: SealingKeys
    year: int
    local: tuple[str, ...]
    actor: str
    source: SourceList
    report: Report

    def _hand(self) -> Hand:
        return Hand(self.keys.public, self.keys.index, self.source.on, self.year, self.local)

    async def page(self, some: Sequence[_One]) -> None:
        """Writes what is new or changed; those who stand there as before are only seen."""
        if not some:
            return
        digests = await asyncio.to_thread(self._digests, some)
        async with self.database.read() as db:
            before = await sources.listed(db, self.source.source_id, list(digests))
            known = await store.known_people(db, list(digests))
        changed = [one for one in some if before.get(one.person_id, ("", 0))[0] != digests[one.person_id]]
        same = [p for p, (mark, seen) in before.items() if mark == digests[p] and seen != self.source.number]
        self.report.unchanged += len(some) - len(changed)
        if not changed and not same:
            return
        fresh = [one for one in changed if one.person_id not in known]
        hand, made = await asyncio.to_thread(self._made, fresh)
        async with self.database.write() as tx:
            await keeping.alone(tx)
            there = await keeping.load(tx, [one.person_id for one in changed])
            records = []
            for one in changed:
                record = made.get(one.person_id)
                if record is None or one.person_id in there:  # known, or came in by another road meanwhile
                    record = self._taken(there.get(one.person_id), one, hand)
                records.append(record)
            for alone in await keeping.whole_households(tx, records):
                self.report.repaired += 1
                self.report.issues.append(_own_household(alone))
            await keeping.keep(tx, records, [hand.key_row] if hand.key_row else [])
            await sources.see(tx, self.source, {one.person_id: digests[one.person_id] for one in changed}, same)
            if changed:
                detail = {"people": len(changed), "source": self.source.name}
                await audit.record(tx, self.actor, "people.import", self.source.source_id, "register", detail)
        self.report.read += len(changed)
        self.report.conflicts += sum(len(r.conflicts) for r in records)

    def _digests(self, some: Sequence[_One]) -> dict[str, str]:
        return {
            one.person_id: sources.digest(self.keys.index, one.given, one.statement.who, str(self.year)) for one in some
        }

    def _made(self, fresh: Sequence[_One]) -> tuple[Hand, dict[str, Record]]:
        hand = self._hand()
        return hand, {one.person_id: self._taken(None, one, hand) for one in fresh}

    @staticmethod
    def _taken(record: Record | None, one: _One, hand: Hand) -> Record:
        record = record or Record(one.person_id, house=isinstance(one.given, FacilityIn))
        record.take(one.given, one.statement.who, hand)
        record.derive(hand)
        return record


def _own_household(record: Record) -> Issue:
    lat, lon = record.place
    remedy = "counted as a household of her own: give everybody of a household the same place"
    return Issue(0, "repaired", "household", "one place", f"{lat}, {lon}", remedy, record.person_id)


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
        day = today()
        hand = Hand(keys.public, keys.index, day, int(day[:4]), LOCAL_LANGUAGES)
        who = SourceList(actor, "other", day).provenance()
        async with database.write() as tx:
            known = await store.known_workers(tx, [w.worker_id for w in allowed])
            new = [w for w in allowed if known.get(w.worker_id) != given_digest(keys.index, w)]
            if new:
                rows = [worker_row(hand, w) for w in new]
                contacts = [c for w in new for c in worker_contacts(hand, w, who)]
                await tx.execute(sa.insert(page_key).values(**hand.sealer.row()))
                await store.forget_roads(tx, [w.worker_id for w in new])
                await store.put(tx, store.worker, rows)
                await store.put(tx, store.contact, contacts)
                await audit.record(tx, actor, "workers.import", hand.sealer.key_id, "register", {"workers": len(rows)})
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
