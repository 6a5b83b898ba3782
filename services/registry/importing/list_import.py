"""Imports a whole list: read in worker processes where it is long, written page by page, reported row by row.

Memory holds a few pages and eight bytes for each row's id. A dry run reads and compares everything and writes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import multiprocessing
import os
import tempfile
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path

import phonenumbers
import sqlalchemy as sa

from services.registry.geo.datum import Datum, point_to_wgs84
from services.registry.importing import yield_to_warnings
from services.registry.importing.bounds import Bounds, learn, read_bounds
from services.registry.importing.cells import one_id
from services.registry.importing.columns import ColumnMap
from services.registry.importing.grids import not_theirs
from services.registry.importing.list_columns import Reader, header_of, key_of
from services.registry.importing.open_list import open_list
from services.registry.importing.report import ImportReport, Issue
from services.registry.importing.sheet import ListRow
from services.registry.importing.write import (
    Import,
    ImportContext,
    Page,
    SealingKeys,
    beyond,
    import_areas,
    import_workers,
    make_page,
)
from services.registry.importing.yield_to_warnings import GivingWay
from services.registry.model.facilities import AreaIn, FacilityIn, PlaceIn, WorkerIn
from services.registry.model.given import LOCAL_LANGUAGES, PersonIn, SourceKind
from services.registry.people import sources
from services.registry.people.places import import_places
from services.registry.people.sources import Statement
from services.registry.people.update import today
from services.registry.store import register
from services.shared.crypto.sealing import PAGE_SIZE
from services.shared.database.batches import chunks
from services.shared.database.engine import Database
from services.shared.errors import Refused
from services.shared.powers.may import holds
from services.shared.powers.who import Who

LONG = 4 * 1024 * 1024  # bytes from which a list is read in processes of its own
Progress = Callable[[float, ImportReport], None]


@dataclass(frozen=True)
class ListImportOptions:
    """How a list is to be read: `region` (ISO 3166) is where numbers without + belong."""

    source: str
    year: int
    kind: SourceKind = "self"
    region: str | None = None
    datum: Datum = "wgs84"
    words: ColumnMap = field(default_factory=ColumnMap)
    local: tuple[str, ...] = LOCAL_LANGUAGES
    actor: str = "import"
    dry_run: bool = False
    bounds: str = ""  # south,west,north,east; off; empty: learnt
    encoding: str = ""  # what a CSV is said to be written in
    who: Who | None = None  # whose key brings it; None: the house itself
    mass_change: int = 50  # people it may silence or move before a second key is asked


async def import_bytes(database: Database, keys: SealingKeys, body: bytes, wanted: ListImportOptions) -> ImportReport:
    """`import_file` of a body in memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "list"
        path.write_bytes(body)
        return await import_file(database, keys, path, wanted)


async def import_file(
    database: Database,
    keys: SealingKeys,
    path: Path,
    wanted: ListImportOptions,
    *,
    progress: Progress | None = None,
    sink: Callable[[Issue], None] | None = None,
    processes: int | None = None,
    gently: GivingWay | None = None,
) -> ImportReport:
    """Imports all rows of a CSV or XLSX file.

    `progress` gets the share of the file that is in, and the report so far; `sink` every issue. Refused where the file
    is no list or has no usable header: then nothing goes in. `processes`: None for as many as there are cores, where
    the file is long; 0 for none. `gently`: beside the warnings of the same process.
    """
    if wanted.region is not None and wanted.region not in phonenumbers.SUPPORTED_REGIONS:
        raise Refused(
            f"there are no phone numbers in {wanted.region}",
            field="region",
            rule="ISO 3166",
            given=wanted.region,
            remedy="give the country's two letters, like CN, or leave region out and write numbers with +",
        )
    report = ImportReport(dry_run=wanted.dry_run, sink=sink)
    async with database.read() as db:
        listed = await sources.begin(db, wanted.source, wanted.kind, today(), wanted.who)
    opened = await asyncio.to_thread(open_list, path, wanted.region, wanted.encoding)
    records = opened.records()
    first = await asyncio.to_thread(next, records, None)
    if first is None or first.problem:
        raise Refused(
            f"the header cannot be read: {first.problem if first else 'there is none'}",
            field="header",
            rule="csv" if first else "header",
            remedy="correct the quotes of the first row" if first else "send a header row and at least one row",
        )
    header = header_of(first.cells, wanted.words, report)
    head = await asyncio.to_thread(lambda: list(islice(records, PAGE_SIZE)))
    bounds = await _bounds(database, head, header, wanted)
    width = _width(head, header)
    reader = Reader(listed, header, wanted.words, wanted.region, wanted.datum, bounds, width)
    report.notes += opened.notes
    if bounds is not None:
        report.notes.append(f"positions are held to {bounds}")
    if progress is not None:
        progress(0.0, report)  # how it is read is told before anything is written
    context = ImportContext(keys.public, keys.index, wanted.year, wanted.local, listed)
    work = Import(database, context, wanted.actor, report, wanted.who, wanted.mass_change)
    await work.claim()
    taking = _Intake(work, reader, report)
    cores = os.cpu_count() or 1
    size = await asyncio.to_thread(os.path.getsize, path)
    many = processes if processes is not None else cores if size >= LONG else 0
    if gently is not None:
        many = 1 if size >= yield_to_warnings.LONG else 0
    pages = _chunks(chain(head, records), header, yield_to_warnings.ROWS if gently is not None else PAGE_SIZE)
    async with _parsers(reader, context, many, last=gently is not None) as parse:
        async for some, parsed in _in_order(pages, taking, parse, 2 * max(1, many)):
            if gently is not None:
                await gently.turn()
            await taking.take(some, parsed)
            if progress is not None:
                progress(some[-1].share, report)
    report.notes += [note for note in opened.notes if note not in report.notes]
    await taking.rest(keys)
    await work.finish()
    return report


async def _bounds(
    database: Database, head: Sequence[ListRow], header: list[str], wanted: ListImportOptions
) -> Bounds | None:
    if wanted.bounds:
        return read_bounds(wanted.bounds)
    columns = [header.index(name) if name in header else -1 for name in ("lat", "lon")]
    places = []
    for record in head:
        cells = [record.cells[n] if 0 <= n < len(record.cells) else "" for n in columns]
        with contextlib.suppress(ValueError):
            lat, lon = (float(cell.strip().replace(",", ".")) for cell in cells)
            if abs(lat) <= 90 and abs(lon) <= 180:
                places.append(point_to_wgs84(lat, lon, wanted.datum))
    async with database.read() as db:
        return await learn(db, places)


def _width(head: Sequence[ListRow], header: list[str]) -> int:
    """How many cells a row has where nearly all have the same number of empty ones more than the header; else 0."""
    widths = Counter(len(record.cells) for record in head if record.cells)
    usual, rows = widths.most_common(1)[0] if widths else (0, 0)
    return usual if usual > len(header) and rows > 1 and rows >= 0.9 * sum(widths.values()) else 0


@dataclass
class Parsed:
    """A chunk of rows that was read: people and facilities as a page, all else as it is, issues."""

    page: Page
    issues: list[Issue]
    forms: ImportReport  # what was only written in another form, counted
    keys: list[tuple[int, str]]  # (line, key) of every row that was read
    others: list[tuple[int, WorkerIn | PlaceIn | AreaIn]]
    in_facility: dict[int, str]


def _parse(reader: Reader, context: ImportContext, some: list[ListRow], houses: dict[str, FacilityIn]) -> Parsed:
    reader.rows.facilities.update(houses)
    report = ImportReport()
    issues: list[Issue] = []
    report.sink = issues.append
    people: list[tuple[int, Statement]] = []
    parsed = Parsed(Page(), issues, ImportReport(counts=report.counts, examples=report.examples), [], [], {})
    for record in some:
        found = reader.read(record, report)
        if found is None:
            continue
        parsed.keys.append((record.line, key_of(found)))
        if isinstance(found, Statement):
            people.append((record.line, found))
            if isinstance(found.given, PersonIn) and found.given.facility_id:
                parsed.in_facility[record.line] = found.given.facility_id
        else:
            parsed.others.append((record.line, found))
    parsed.page = make_page(people, context)
    return parsed


_worker: tuple[Reader, ImportContext] | None = None  # of this process, where it is one that only reads


def _begin(reader: Reader, context: ImportContext, last: bool) -> None:
    global _worker
    _worker = (reader, context)
    if last:
        yield_to_warnings.serve_last()
    gc.set_threshold(100_000, 20, 100)  # rows make no circles


def _parse_here(some: list[ListRow], houses: dict[str, FacilityIn]) -> Parsed:
    if _worker is None:
        raise LookupError("this process was not told what to read")
    return _parse(*_worker, some, houses)


Parse = Callable[[list[ListRow], dict[str, FacilityIn]], "asyncio.Future[Parsed]"]


@asynccontextmanager
async def _parsers(reader: Reader, context: ImportContext, many: int, *, last: bool) -> AsyncIterator[Parse]:
    """What reads chunks: processes of their own, or a thread. The index key goes to them in memory, like all else."""
    loop = asyncio.get_running_loop()
    if not many:
        yield lambda some, houses: loop.run_in_executor(None, _parse, reader, context, some, houses)
        return
    pool = ProcessPoolExecutor(many, multiprocessing.get_context("spawn"), _begin, (reader, context, last))
    try:

        def submit(some: list[ListRow], houses: dict[str, FacilityIn]) -> asyncio.Future[Parsed]:
            waiting: Future[Parsed] = pool.submit(_parse_here, some, houses)
            return asyncio.wrap_future(waiting)

        yield submit
    finally:
        await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)


def _chunks(records: Iterator[ListRow], header: list[str], most: int = PAGE_SIZE) -> Iterator[list[ListRow]]:
    """Runs of at most a page, cut where the household changes if it does."""
    at = header.index("household") if "household" in header else -1

    def home(record: ListRow) -> str:
        return record.cells[at] if 0 <= at < len(record.cells) else ""

    some: list[ListRow] = []
    for record in records:
        some.append(record)
        if len(some) == most:
            last = home(some[-1])
            cut = next((n for n in range(most, 0, -1) if home(some[n - 1]) != last), 0) if last else 0
            cut = cut or most
            yield some[:cut]
            some = some[cut:]
    if some:
        yield some


async def _in_order(
    chunks_: Iterator[list[ListRow]], taking: _Intake, parse: Parse, ahead: int
) -> AsyncIterator[tuple[list[ListRow], Parsed]]:
    """Chunks with what they hold, in the file's order, a few being read ahead."""
    under_way: deque[tuple[list[ListRow], asyncio.Future[Parsed]]] = deque()
    some: list[ListRow]
    try:
        while some := await asyncio.to_thread(next, chunks_, []):
            under_way.append((some, parse(some, taking.houses_for(some))))
            if len(under_way) >= ahead:
                first, waiting = under_way.popleft()
                yield first, await waiting
        while under_way:
            first, waiting = under_way.popleft()
            yield first, await waiting
    finally:
        for _, waiting in under_way:
            waiting.cancel()


class _Intake:
    """What of a file was taken so far: ids once, facilities for their residents, officers and areas for the end."""

    def __init__(self, work: Import, reader: Reader, report: ImportReport) -> None:
        self._work = work
        self._reader = reader
        self._report = report
        self._lines: dict[int, int] = {}
        self._header = reader.header
        self._others: list[tuple[int, WorkerIn | PlaceIn | AreaIn]] = []
        self._in_facility: dict[int, str] = {}

    def houses_for(self, some: list[ListRow]) -> dict[str, FacilityIn]:
        """Facilities further up in the file that these rows name; those among the rows are read here and now."""
        kind, facility = (self._header.index(n) if n in self._header else -1 for n in ("kind", "facility"))
        if facility < 0:
            return {}
        wanted: set[str] = set()
        for record in some:
            cells = record.cells
            if 0 <= kind < len(cells) and cells[kind].strip().lower() == "facility":
                self._reader.read(record, ImportReport())
            if facility < len(cells) and (name := one_id(cells[facility].strip())):
                wanted.add(name)
        known = self._reader.rows.facilities
        return {name: known[name] for name in wanted if name in known}

    async def take(self, some: list[ListRow], parsed: Parsed) -> None:
        """Writes a chunk."""
        twice = self._once(parsed)
        self._report.add_forms(parsed.forms)
        for issue in parsed.issues:
            self._report.tell(issue)
        page = parsed.page
        for line, one in parsed.others:
            if line not in twice:
                self._others.append((line, one))
        self._in_facility |= {n: f for n, f in parsed.in_facility.items() if n not in twice}
        for person_id, line in list(page.lines.items()):
            if line in twice:
                del page.digests[person_id], page.lines[person_id], page.made[person_id]
        by_line = {record.line: record for record in some}

        def said(person_id: str) -> Statement:
            line = page.lines[person_id]
            found = self._reader.read(by_line[line], ImportReport())
            match found:
                case Statement():
                    return found
                case _:
                    raise LookupError(f"line {line} was a person a moment ago")

        page.statement = said
        await self._work.page(page)

    def _once(self, parsed: Parsed) -> set[int]:
        """Lines whose id stands further up: refused, since nobody can say which of the two is right."""
        twice = set()
        for line, key in parsed.keys:
            mark = hash(key)
            before = self._lines.setdefault(mark, line)
            if before != line:
                twice.add(line)
                remedy = f"line {before} has the same id: keep one of the two"
                parsed.issues.append(Issue(line, "refused", "id", "once", key[:12], remedy))
        return twice

    async def rest(self, keys: SealingKeys) -> None:
        """Officers, places and areas; and which people are in a facility nobody entered."""
        database, actor, report = self._work.database, self._work.actor, self._report
        await self._keep_to_theirs(database)
        workers = {one.worker_id: line for line, one in self._others if isinstance(one, WorkerIn)}
        areas = {f"{one.value_name} {one.code}": line for line, one in self._others if isinstance(one, AreaIn)}
        lines = workers | areas
        report.read += sum(isinstance(one, PlaceIn) for _, one in self._others)
        if report.dry_run:
            report.read += len(lines)
        else:
            every = [one for _, one in self._others]
            for more in (
                await import_workers(database, keys, [w for w in every if isinstance(w, WorkerIn)], actor=actor),
                await import_areas(
                    database, [a for a in every if isinstance(a, AreaIn)], actor=actor, who=self._work.who
                ),
            ):
                report.add(more)
                for issue in more.issues:
                    report.tell(replace(issue, line=issue.line or lines.get(issue.subject, 0)))
            await import_places(
                database,
                [p for p in every if isinstance(p, PlaceIn)],
                actor=actor,
                authority=self._work.context.source.authority,
            )
        await self._look_for_facilities(database)

    async def _keep_to_theirs(self, database: Database) -> None:
        """Takes out places beyond the area of the key, and officers for the people of another authority."""
        if (who := self._work.who) is None:
            return
        grids = [grid for _, one in self._others if isinstance(one, WorkerIn) for grid in one.grids]
        async with database.read() as db:
            closed = await not_theirs(db, who, grids)
        for line, one in list(self._others):
            if isinstance(one, PlaceIn) and who.area and not holds(who.area, one.lon, one.lat):
                issue = beyond(line, f"{one.lat}, {one.lon}", one.place_id)
            elif isinstance(one, WorkerIn) and (grid := next((g for g in one.grids if g in closed), "")):
                remedy = "others' people live in that grid: ask whoever entered them to name its officers"
                issue = Issue(line, "refused", "grids", closed[grid], grid, remedy, one.worker_id)
            else:
                continue
            self._report.tell(issue)
            self._others.remove((line, one))

    async def _look_for_facilities(self, database: Database) -> None:
        """Says which people are in a facility nobody entered: its duty line would be their channel."""
        known: set[str] = set()
        known.update(house.facility_id for house in self._reader.rows.facilities.values())
        wanted = sorted(set(self._in_facility.values()) - known)
        async with database.read() as db:
            for some in chunks(wanted, 1000):
                known.update(
                    await db.scalars(
                        sa.select(register.facility.c.facility_id).where(register.facility.c.facility_id.in_(some))
                    )
                )
        for line, facility_id in self._in_facility.items():
            if facility_id not in known:
                remedy = "add a row of kind facility with this id"
                self._report.tell(Issue(line, "left_out", "facility", "known facility", "", remedy))
