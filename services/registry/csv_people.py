"""Imports a CSV list (UTF-8, with or without BOM; comma, semicolon or tab) of people, facilities, officers and areas.

A header row names the columns of COLUMNS, in any order; `id` must be there and stay the same at every import of the
same source. Good rows go in and bad ones stop nobody; the report says line by line what was repaired, what was left
out of a row that went in, and which rows were refused.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice

import phonenumbers
import pydantic
import sqlalchemy as sa

from services.registry import sources, store
from services.registry.cells import Cells, RowRefused
from services.registry.facilities import AreaIn, FacilityIn, WorkerIn
from services.registry.given import LOCAL_LANGUAGES, PersonIn, SourceKind
from services.registry.imports import (
    Issue,
    Report,
    SealingKeys,
    import_areas,
    import_people,
    import_workers,
)
from services.registry.revise import today
from services.registry.rows import RowReader
from services.shared.db import Database, chunks
from services.shared.errors import Refused

COLUMNS = {
    "kind": "person (if empty), facility, worker or area",
    "id": "the list's own id of this row; for an area its code",
    "household": "the list's own id of the household; everybody of one household has the same place",
    "facility": "id of the facility row this person lives in",
    "status": "active, away, suspended, moved, deceased, withdrawn",
    "name": "what to call her at the door; the facility's, pair's or area's name",
    "birth_year": "four digits",
    "see, hear, walk, cognition, selfcare, communicate": "1 no difficulty, 2 some, 3 a lot, 4 cannot, 9 unknown",
    "psychosocial": "yes: alarms or strangers are hard for her",
    "languages": "BCP 47, best first, with ; between",
    "sign_lang": "csl, ase, bfi ...",
    "modes": "plain_text; spoken; sign; easy_read; large_print; braille; tactile; pictures",
    "power_device": "none, oxygen, ventilator, dialysis, other",
    "backup_min": "minutes the device runs without mains",
    "lives_alone, only_older_at_home, cannot_open_door, pregnancy_or_newborn, own_transport": "yes or no",
    "night_alert": "none, bed_shaker, low_freq_520hz, flash, indoor_radio",
    "moves": "walks, walks_with_aid, wheelchair, stretcher",
    "carriers_needed": "0, 1, 2 or 4",
    "assist_min": "minutes of help to get her out",
    "floor": "0 is the ground floor, below it negative",
    "lift, basement": "yes or no",
    "people_at_home": "how many live there",
    "mobile, landline, email": "one or several with ; between; a mobile is used for SMS and for calls",
    "mobile_verified, landline_verified, email_verified": "yes or no",
    "given_by": "self (if empty); proxy, officer, record: their numbers are used once verified",
    "phone_answered_by": "self (if empty) or household: a member who hears well answers",
    "said_no": "roads she does not want: sms; voice; voice_mobile; voice_landline; email",
    "own_roads": "her own order of roads: the same words",
    "asked_for": "policy roads she wants although they are called unfit for her, like voice_robot",
    "opt_in": "blue; yellow",
    "supporter_name, supporter_mobile, supporter_email, supporter_language": "somebody who helps her",
    "supporter_relation": "family, neighbour, paid_carer, guardian, assigned_volunteer, peer",
    "supporter_outside, supporter_accepted": "yes or no: lives outside the hazard zone; said yes when asked",
    "supporter_lat, supporter_lon": "where the supporter lives, if known",
    "lat, lon": "decimal degrees in WGS 84; empty for a resident of a facility further up in the same file",
    "address, zone, grid, walk_seq": "where the door is, and in which order it is walked",
    "wake_note, talk_note, moves_note, note": "for the officer at the door; no diagnosis",
    "facility_kind": "nursing_home, hospital, school, hotel ...",
    "headcount_day, headcount_night, non_walking": "of a facility",
    "duty_phone_1, duty_phone_2": "of a facility, answered day and night",
    "grids, skills": "of a worker, with ; between",
    "doors_per_hour, shift": "of a pair of officers; shift as 07:00-19:00, empty for always",
    "value_name, geojson": "of an area: the geocode's name in alerts, and its polygon",
}
KNOWN = frozenset(name.strip() for names in COLUMNS for name in names.split(","))
csv.field_size_limit(2_000_000)  # a county's polygon is longer than the module's 128 KiB


async def import_csv(
    database: Database,
    keys: SealingKeys,
    body: bytes,
    *,
    source: str,
    kind: SourceKind = "self",
    year: int,
    region: str | None = None,
    actor: str = "import",
    local_languages: tuple[str, ...] = LOCAL_LANGUAGES,
) -> Report:
    """Imports all rows; `region` (ISO 3166, like CN) is where numbers without + belong.

    Refused where the body is no UTF-8 or has no usable header: then nothing goes in.
    """
    if region is not None and region not in phonenumbers.SUPPORTED_REGIONS:
        raise Refused(
            f"there are no phone numbers in {region}",
            field="region",
            rule="ISO 3166",
            given=region,
            remedy="give the country's two letters, like CN, or leave region out and write numbers with +",
        )
    rows = _Rows(_decoded(body), source, region)
    async with database.read() as db:
        listed = await sources.begin(db, source, kind, today())
    report = await import_people(
        database, keys, rows.people(), year=year, actor=actor, local_languages=local_languages, source=listed
    )
    if rows.workers:
        _add(report, await import_workers(database, keys, rows.workers, actor=actor))
    if rows.areas:
        _add(report, await import_areas(database, rows.areas, actor=actor))
    report.issues = [replace(i, line=i.line or rows.lines.get(i.subject, 0)) for i in report.issues]
    _add(report, rows.report)
    await _look_for_facilities(database, rows, report)
    report.issues.sort(key=lambda issue: issue.line)
    return report


def _add(report: Report, more: Report) -> None:
    report.read += more.read
    report.unchanged += more.unchanged
    report.repaired += more.repaired
    report.refused += more.refused
    report.conflicts += more.conflicts
    report.issues += more.issues


async def _look_for_facilities(database: Database, rows: _Rows, report: Report) -> None:
    """Says which people are in a facility nobody entered: its duty line would be their road."""
    known: set[str] = set()
    async with database.read() as db:
        for some in chunks(sorted(set(rows.in_facility.values())), 1000):
            known.update(
                await db.scalars(sa.select(store.facility.c.facility_id).where(store.facility.c.facility_id.in_(some)))
            )
    report.issues += [
        Issue(line, "left_out", "facility", "known facility", "", "add a row of kind facility with this id")
        for line, facility_id in rows.in_facility.items()
        if facility_id not in known
    ]


def _decoded(body: bytes) -> str:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = body.count(b"\n", 0, problem.start) + 1
        raise Refused(
            f"line {line} is not UTF-8",
            field="body",
            rule="utf-8",
            given=body[problem.start : problem.start + 8].hex(),
            remedy="save the file as CSV UTF-8 and send it again",
        ) from problem
    if not text.strip():
        raise Refused("the file is empty", field="body", rule="header", remedy="send a header row and at least one row")
    return text


class _Rows:
    """Walks the rows once: people and facilities stream out, officers and areas gather."""

    def __init__(self, text: str, source: str, region: str | None) -> None:
        self._lines = list(io.StringIO(text, newline=""))
        self._delimiter = max(",;\t", key=self._lines[0].count)
        self._region = region
        reader = RowReader(source)
        self._readers: dict[str, Callable[[Cells], PersonIn | FacilityIn | WorkerIn | AreaIn]] = {
            "person": reader.person,
            "facility": reader.facility,
            "worker": reader.worker,
            "area": reader.area,
        }
        self.report = Report()
        self.workers: list[WorkerIn] = []
        self.areas: list[AreaIn] = []
        self.lines: dict[str, int] = {}
        self.in_facility: dict[int, str] = {}
        self._header = self._read_header()

    def _read_header(self) -> list[str]:
        _, values, problem = next(self._records())
        if problem:
            remedy = "correct the quotes of the first row"
            raise Refused(f"the header cannot be read: {problem}", field="header", rule="csv", remedy=remedy)
        names = [name.strip().lower().replace(" ", "_").replace("-", "_") for name in values]
        if "id" not in names:
            raise Refused(
                "there is no column id",
                field="header",
                rule="required",
                given=",".join(names)[:80],
                remedy="name the columns in the first row; id keeps a person the same at the next import",
            )
        twice = sorted({name for name in names if name and names.count(name) > 1})
        if twice:
            raise Refused(
                f"the column {twice[0]} is there twice",
                field=twice[0],
                rule="once",
                remedy=f"delete or rename one of the two columns {twice[0]}",
            )
        for name in names:
            if name and name not in KNOWN:
                issue = Issue(1, "left_out", name[:80], "known column", name[:80], "rename it to a documented column")
                self.report.issues.append(issue)
        return names

    def _records(self) -> Iterator[tuple[int, list[str], str]]:
        """(first line, cells, what is wrong) of each record; after a broken one it goes on with the next line.

        Else a quote that was opened and never closed would swallow everybody below it.
        """
        done = 0
        while done < len(self._lines):
            reader = csv.reader(self._lines[done:], delimiter=self._delimiter, strict=True)
            start = done
            try:
                for values in reader:
                    yield done + 1, values, ""
                    done = start + reader.line_num
            except csv.Error as problem:
                yield done + 1, [], str(problem)
                done += 1

    def people(self) -> Iterator[PersonIn | FacilityIn]:
        """People and facilities of the good rows, in the file's order."""
        for line, values, problem in islice(self._records(), 1, None):
            if problem:
                self._refuse(Issue(line, "refused", "row", "csv", "", f"correct the quotes of this row: {problem}"))
                continue
            if not any(value.strip() for value in values):
                continue
            try:
                one = self._read(line, values)
            except RowRefused as refused:
                self._refuse(refused.issue)
            else:
                if one is not None:
                    yield one

    def _refuse(self, issue: Issue) -> None:
        self.report.refused += 1
        self.report.issues.append(issue)

    def _read(self, line: int, values: list[str]) -> PersonIn | FacilityIn | None:
        """The person or facility of a row; officers and areas are put aside."""
        if any(value.strip() for value in values[len(self._header) :]):
            remedy = f"the header has {len(self._header)} columns: put quotes around a value that holds the delimiter"
            raise RowRefused(Issue(line, "refused", "row", "columns", f"{len(values)} cells", remedy))
        cells = Cells(line, dict(zip(self._header, values, strict=False)), self.report, self._region)
        read = self._readers.get(cells.text("kind").lower() or "person")
        if read is None:
            raise cells.refuse("kind", "known word", f"write one of {', '.join(self._readers)}")
        cells.required("id")
        try:
            one = read(cells)
        except pydantic.ValidationError as wrong:
            first = wrong.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or "row"
            given = str(first.get("input"))[:80]
            raise RowRefused(Issue(line, "refused", field, first["type"], given, first["msg"])) from wrong
        match one:
            case PersonIn():
                self._once(cells, one.person_id)
                if one.facility_id:
                    self.in_facility[line] = one.facility_id
                return one
            case FacilityIn():
                self._once(cells, one.facility_id)
                return one
            case WorkerIn():
                self._once(cells, one.worker_id)
                self.workers.append(one)
            case AreaIn():
                self._once(cells, f"{one.value_name} {one.code}")
                self.areas.append(one)
        return None

    def _once(self, cells: Cells, one_id: str) -> None:
        """Refuses a second row with an id, since nobody can say which of the two is right."""
        if one_id in self.lines:
            raise cells.refuse("id", "once", f"line {self.lines[one_id]} has the same id: keep one of the two")
        self.lines[one_id] = cells.line
