"""Names every column a list may have, and reads its rows as people, facilities, officers, places, areas.

A header row names the columns of COLUMNS, in any order, or by a column map; `id` must be there and stay the same at
every import of the same source. Good rows go in and bad ones stop nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pydantic

from services.registry.geo.datum import Datum
from services.registry.importing.bounds import Bounds
from services.registry.importing.cells import Cells, RowRefused
from services.registry.importing.columns import ColumnMap
from services.registry.importing.open_list import NUL
from services.registry.importing.report import ImportReport, Issue
from services.registry.importing.rows import RowReader
from services.registry.importing.sheet import ListRow
from services.registry.model.facilities import AreaIn, FacilityIn, PlaceIn, WorkerIn
from services.registry.model.given import ANSWERS
from services.registry.people.sources import SourceList, Statement
from services.shared.errors import Refused
from services.shared.model_faults import said_of

COLUMNS = {
    "kind": "person (if empty), facility, worker, place or area",
    "id": "the list's own id of this row; for an area its code",
    "same_as": "who of another list this is: that list's name, a colon, its id; people are never joined by phone",
    "household": "the list's own id of the household; everybody of one household has the same place",
    "facility": "id of the facility row, further up in the same file, that this person lives in",
    "status": "active, away, suspended, moved, deceased, withdrawn",
    "name": "what to call them at the door; the facility's, team's, place's or area's name",
    **{name: row.help for name, row in ANSWERS.items()},
    "mobile, landline, email": "one or several with ; between; a mobile is used for SMS and for calls",
    "im": "chat names, one or several with ; between: the operator's word for the service, a colon, the name there, "
    "like telegram:12345678",
    "bed_shaker": "the id of a bed shaker or 520 Hz alarm on the authority's broker; several with ; between",
    "video_relay": "number they are called on by video, in sign language",
    "mobile_verified, landline_verified, email_verified, im_verified, bed_shaker_verified, video_relay_verified": "yes or no",
    "verified_on": "the day their numbers were tried",
    "mobile_hours, landline_hours": "when it is answered, as 08:00-17:30; empty for always",
    "safe_contact": "of a protected person: mobile; landline; email; bed_shaker; no other is used then",
    "given_by": "self, proxy, officer or record; empty: as the source is; what is not their own is used once verified",
    "recorded_on, valid_until": "when it was said, and the day after which it no longer holds",
    "phone_answered_by": "self (if empty) or household: a member who hears well answers",
    "said_no": "channels they do not want: sms; voice; voice_mobile; voice_landline; email; push; im; bed_shaker",
    "supporter_name, supporter_mobile, supporter_email, supporter_language": "somebody who helps them",
    "supporter_relation": "family, neighbour, paid_carer, guardian, assigned_volunteer, peer",
    "supporter_outside, supporter_at_home, supporter_accepted": "yes or no: lives outside the hazard zone; in the same home; "
    "said yes when asked",
    "supporter_accepted_on": "the day they said yes",
    "supporter_can": "relay; wake; interpret; carry; drive; key",
    "supporter_distance_min": "minutes to their door",
    "supporter_lat, supporter_lon": "where the supporter lives, if known",
    "lat, lon": "decimal degrees; empty for a resident of a facility further up in the same file",
    "address, zone, grid, walk_seq": "where the door is, and in which order it is walked",
    "away_from, away_to, away_lat, away_lon, away_address": "days and, if known, place of an absence",
    "usual_hours, usual_lat, usual_lon, usual_address": "where they usually are at those hours",
    "second_lat, second_lon, second_address": "another home",
    "wake_note, talk_note, moves_note, note": "for the officer at the door; no diagnosis",
    "warn_me, share_officer_peacetime, share_supporter_peacetime, drill, statistics, emergency_share": (
        "given, refused, withdrawn or not_asked"
    ),
    "consent_by, consent_method, consent_notice, consent_on": (
        "self or guardian; online, phone, in_person, paper, sign_language, list; version they were shown; day"
    ),
    "facility_kind": "nursing_home, hospital, school, hotel ...",
    "headcount_day, headcount_night, non_walking": "of a facility",
    "evac_min_day, evac_min_night, plan_on": "of a facility: minutes out by its own plan, and the plan's date",
    "occupancy_day, occupancy_people, occupancy_non_walking": "who is in it that night, as its desk reports",
    "duty_phone_1, duty_phone_2": "of a facility, answered day and night",
    "roles": "emergency_info_officer; grid_officer; sign_interpreter; lift_team; driver; nurse ...",
    "grids, skills": "of a worker, with ; between",
    "doors_per_hour, shift": "of a team of officers; shift as 07:00-19:00, empty for always",
    "backup, vetted_on": "id of the team that takes over when this one is off; day they were vetted",
    "step_free, power, animals": "of a place to go to: yes or no",
    "interpreter, capacity, route": "of a place: languages there, how many it takes, the safe way",
    "value_name, geojson, parent": "of an area: its code list's name, its polygon, the code of what it is part of",
}
KNOWN = frozenset(name.strip() for names in COLUMNS for name in names.split(","))
Found = Statement | WorkerIn | PlaceIn | AreaIn


def header_of(cells: Sequence[str], words: ColumnMap, report: ImportReport) -> list[str]:
    """Our names of the columns; Refused where the list has no usable header."""
    names = words.names(cells)
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
            remedy = "rename it to a documented column, or name it in the column map"
            report.tell(Issue(1, "left_out", name[:80], "known column", name[:80], remedy))
    return names


class Reader:
    """Reads records of one list; may be sent to another process."""

    def __init__(
        self,
        source: SourceList,
        header: list[str],
        words: ColumnMap,
        region: str | None,
        datum: Datum,
        bounds: Bounds | None = None,
        width: int = 0,
    ) -> None:
        """`width`: how many cells the file's rows have, where each ends with a delimiter more than the header."""
        self.rows = RowReader(source, datum, bounds)
        self._width = max(width, len(header))
        self.header = header
        self._words = words
        self._region = region
        self._kinds: dict[str, Callable[[Cells], Found]] = {
            "person": self.rows.person,
            "facility": self.rows.facility,
            "worker": self.rows.worker,
            "place": self.rows.place,
            "area": self.rows.area,
        }

    def read(self, record: ListRow, report: ImportReport) -> Found | None:
        """What the row stands for; None where it is empty or refused, which the report says."""
        if record.problem:
            what = "take it out" if record.problem == NUL else "correct the quotes of this row"
            report.tell(Issue(record.line, "refused", "row", "csv", "", f"{what}: {record.problem}"))
            return None
        if not any(value and not value.isspace() for value in record.cells):
            return None
        try:
            return self._found(record, report)
        except RowRefused as refused:
            report.tell(refused.issue)
        except pydantic.ValidationError as wrong:
            first = wrong.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or "row"
            given = str(first.get("input"))[:80]
            report.tell(Issue(record.line, "refused", field, first["type"], given, said_of(first).sentence))
        return None

    def _found(self, record: ListRow, report: ImportReport) -> Found:
        header, values = self.header, record.cells
        # one cell too many, and be it empty: a delimiter inside a value has moved all behind it by a column
        if len(values) > self._width or any(value.strip() for value in values[len(header) :]):
            remedy = f"the header has {len(header)} columns: put quotes around a value that holds the delimiter"
            raise RowRefused(Issue(record.line, "refused", "row", "columns", f"{len(values)} cells", remedy))
        given = dict(self._words.every_row)
        ours = set(given)
        for name, value in zip(header, values, strict=False):
            if value and (said := value.strip()):
                given[name] = word = self._words.value(name, said)
                if word is not said:
                    ours.add(name)
                else:
                    ours.discard(name)
        source = self.rows.source
        grades = source.kind == "disability_card"
        cells = Cells(record.line, given, report, self._region, today=source.on, grades=grades, ours=ours)
        kind = cells.word("kind").lower() or "person"
        read = self._kinds.get(kind)
        if read is None:
            raise cells.refuse("kind", "known word", f"write one of {', '.join(self._kinds)}")
        cells.required("id")
        cells.id("id")
        return read(cells)


def key_of(found: Found) -> str:
    """What is there once in a list."""
    match found:
        case WorkerIn():
            return found.worker_id
        case PlaceIn():
            return found.place_id
        case AreaIn():
            return f"{found.value_name} {found.code}"
        case Statement(given=FacilityIn() as house):
            return house.facility_id
        case _:
            return str(getattr(found.given, "person_id", ""))
