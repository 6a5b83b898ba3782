"""Serves /people for programs: lists and areas, assisted entry, places and rolls, findings, counts."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import BrokenExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, TypedDict

import sqlalchemy as sa
import structlog
from aiohttp import web

from services.registry.audience import counting, preview
from services.registry.audience.selection import Selection, area_of
from services.registry.audience.whereabouts import Moment
from services.registry.findings import Findings, find
from services.registry.geo.datum import DATUMS, Datum
from services.registry.importing import areas_import
from services.registry.importing.assisted_entry import Entered, PersonEntered, enter
from services.registry.importing.columns import ColumnMap, read_map
from services.registry.importing.list_columns import KNOWN
from services.registry.importing.list_import import ListImportOptions, import_file
from services.registry.importing.report import ImportReport, ImportSaid, Issue
from services.registry.importing.yield_to_warnings import GivingWay
from services.registry.model.given import Given, SourceKind
from services.registry.model.needs import GROUPS
from services.registry.people import places
from services.registry.people.places import PlaceState, Roll
from services.registry.people.things import the_facility, the_place
from services.registry.people.update import Changes, said, update_person
from services.registry.store import register
from services.shared.database import disk
from services.shared.database.engine import Database
from services.shared.errors import Busy, Fault, Refused
from services.shared.i18n import mark
from services.shared.powers.may import Thing, must
from services.shared.powers.power import Power
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.web.answers import Created, Json, json_body
from services.shared.web.asking import asks, the_installation, what_is_found, what_is_sent
from services.shared.web.edge import LIST_PATH, MAX_LIST, wants_page
from services.shared.web.html import page

KINDS: tuple[SourceKind, ...] = (
    "self", "proxy", "officer_visit", "civil_affairs", "disability_card", "health", "school", "utility", "other",
)  # fmt: skip


BROKE_OFF = mark("the import broke off, see the server's log: send the same list again, nothing is doubled")
LINES = "application/x-ndjson"
log = structlog.get_logger("registry")


class Confirmed(Given):
    """Whether a place was seen open."""

    state: Literal["open", "closed", "unknown"]


class ArrivalIn(Given):
    """One person by id, or so many heads."""

    person_id: str = ""
    heads: int = 1


class Occupied(Given):
    """Who is in a facility that night."""

    day: str
    people: int
    non_walking: int = 0


class Selected(TypedDict):
    """How many people an area holds, how many of them by estimate, and how many of each need group (groups overlap).

    Fewer than `told_from` are null: a few people, or few of a group, could be found out one by one.
    """

    total: int | None
    estimated: int
    groups: dict[str, int | None]
    told_from: int


class Summary(TypedDict):
    """People who are warned: in all, by kind, and by need group (groups overlap); null for fewer than `told_from`."""

    people: int
    kinds: dict[str, int]
    groups: dict[str, int | None]
    profiles: int
    told_from: int


class Places(TypedDict):
    """Places to go to."""

    places: list[PlaceState]


class PlaceSeen(TypedDict):
    """How a place was seen."""

    state: str


class Arrived(TypedDict):
    """The entry on the roll."""

    roll_id: str


class OccupancyChanged(TypedDict):
    """Which answers of the facility changed."""

    changed: list[str]


class RegistryApi:
    """The registry's addresses for machines."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """All of them under /people."""
        return [
            web.post("/people", self.enter),
            web.post(LIST_PATH, self.post_list),
            web.post("/people/areas", self.areas),
            web.get("/people/summary", self.summary),
            web.get("/people/findings", self.findings),
            web.post("/people/selection", self.selection),
            web.get("/people/places", self.places),
            web.post("/people/places/{place_id}/state", self.confirm),
            web.post("/people/places/{place_id}/roll", self.arrive),
            web.get("/people/places/{place_id}/roll", self.roll),
            web.post("/people/facilities/{facility_id}/occupancy", self.occupancy),
        ]

    @property
    def _database(self) -> Database:
        return self._platform.database

    @asks(Power.ENTER, what_is_sent)
    async def enter(self, request: web.Request, who: Who) -> Created[PersonEntered]:
        """Enters one person with a worker beside them and their own yes; answers their id and what was derived."""
        entered = await json_body(request, Entered)
        return Created(await enter(self._platform, entered, worker=who))

    @asks(Power.BRING, what_is_sent)
    async def post_list(
        self, request: web.Request, who: Who
    ) -> Json[ImportSaid] | Annotated[web.StreamResponse, LINES]:
        """Imports a CSV or XLSX body (query: source, kind, region, datum, dry_run, bounds, encoding, columns as
        YAML).

        Answers the report; with Accept: application/x-ndjson {"note"} of how it is read before anything is
        written, {"share"} now and then, {"issue"} for each issue,
        and {"report"} or {"fault"} last.
        """
        wanted = wanted_of(request.query, self._year(), who.label)
        wanted = replace(wanted, who=who, mass_change=self._platform.settings.mass_change)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "list"
            await _save(request, path)
            if LINES in request.headers.get("Accept", ""):
                return await self._told_as_it_goes(request, path, wanted)
            report = await import_file(self._database, self._platform.keys, path, wanted, gently=self._gently())
        return Json(report.as_json())

    async def _told_as_it_goes(self, request: web.Request, path: Path, wanted: ListImportOptions) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": LINES})
        await response.prepare(request)
        told: list[dict[str, object]] = []

        def progress(share: float, report: ImportReport) -> None:
            if not share:
                told.extend({"note": note} for note in report.notes)
            told.append({"share": round(share, 4), "read": report.read + report.unchanged})

        def issue(one: Issue) -> None:
            told.append({"issue": one.said()})

        async def speak() -> None:
            lines, told[:] = list(told), []
            if lines:
                await response.write("".join(json.dumps(x, ensure_ascii=False) + "\n" for x in lines).encode())

        work = asyncio.ensure_future(
            import_file(
                self._database, self._platform.keys, path, wanted, progress=progress, sink=issue, gently=self._gently()
            )
        )
        try:
            while not work.done():
                await asyncio.wait([work], timeout=0.5)
                await speak()
            told.append({"report": (await work).as_json()})
        except Fault as fault:
            told.append(_ended_by(fault))
        except (sa.exc.SQLAlchemyError, OSError, TimeoutError, BrokenExecutor) as trouble:
            log.exception("import_broke_off")
            told.append(_ended_by(disk.full() if disk.is_full(trouble) else Busy(BROKE_OFF)))
        finally:
            if not work.done():  # whoever asked is gone: the page under way is written, no other begins
                work.cancel()
                await asyncio.wait([work])
        await speak()
        await response.write_eof()
        return response

    @asks(Power.DEFINE, what_is_sent)
    async def areas(self, request: web.Request, who: Who) -> Json[ImportSaid]:
        """Imports a GeoJSON body of areas or risk zones, or a CSV of geocodes (query: as, datum, value_name, ...)."""
        asked = request.query
        datum: Datum | None = next((d for d in DATUMS if d == asked.get("datum", "wgs84")), None)
        if datum is None:
            raise _no_word("datum", asked["datum"], DATUMS)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "areas"
            await _save(request, path, areas_import.MAX_BYTES)
            body = await asyncio.to_thread(path.read_bytes)
        wanted = areas_import.AreaImportOptions(
            what=asked.get("as", "areas"),
            value_name=asked.get("value_name", ""),
            code=asked.get("code", "code"),
            parent=asked.get("parent", "parent"),
            name=asked.get("name", "name"),
            datum=datum,
        )
        report = await areas_import.import_body(self._database, body, wanted, actor=who.label, who=who)
        return Json(report.as_json())

    @asks(Power.KEEP, what_is_found)
    async def findings(self, request: web.Request, who: Who) -> Json[Findings] | web.Response:
        """What is to be put right, by kind with counts; ids and no names (query: kind, after, limit, lang). A page for
        a browser."""
        asked = request.query
        kind = asked.get("kind", "")
        async with self._database.read() as db:
            found = await find(db, who, kind=kind, after=asked.get("after", ""), limit=asked.get("limit", ""))
        if not wants_page(request):
            return Json(found)
        shown = [one for one in found["findings"] if one["count"]]
        return page("findings.html", who=who, found=found, shown=shown, kind=kind)

    @asks(Power.COUNT, what_is_sent)
    async def selection(self, request: web.Request, who: Who) -> Json[Selected]:
        """How many people of each group a union of areas, zones, polygons and circles holds; nobody by id.

        Each is in the audit log, and counts against the key's hour.
        """
        wanted = await json_body(request, Selection)
        now = self._platform.clock.now()
        moment = Moment(now, self._platform.settings.offset_at(now))
        async with self._database.read() as db:
            area = await area_of(db, wanted)
        must(who, Power.COUNT, Thing(field="area", shapes=area.geojson() if who.area else ()))
        async with self._database.write() as tx:
            over = await counting.note_count(tx, who, wanted.model_dump_json(), self._platform.settings.count_quota)
        counting.refuse_over(over, self._platform.settings.count_quota)
        async with self._database.read() as db:
            counts = await preview.count(db, area, moment)
            profiles = await register.profiles_of(db, counts.by_profile)
        groups: Counter[str] = Counter()
        for key, n in counts.by_profile.items():
            groups.update(dict.fromkeys(profiles[key].groups, n))
        total = counting.told(sum(counts.by_profile.values()))
        return Json(
            {
                "total": total,
                "estimated": 0 if total is None else counts.estimated,
                "groups": {} if total is None else {group: counting.told(groups[group]) for group in GROUPS},
                "told_from": counting.FEWEST,
            }
        )

    @asks(Power.SUMMARISE, what_is_found)
    async def places(self, request: web.Request, who: Who) -> Json[Places]:
        """All places, who confirmed them and how many arrived; with ?open=1 only where people may be sent."""
        asked = request.query
        async with self._database.read() as db:
            if asked.get("open"):
                found = await places.open_places(
                    db, None,
                    step_free=bool(asked.get("step_free")), power=bool(asked.get("power")), animals=bool(asked.get("animals")),
                )  # fmt: skip
            else:
                found = await places.every_place(db)
        return Json({"places": found})

    @asks(Power.KEEP, the_place)
    async def confirm(self, request: web.Request, who: Who) -> Json[PlaceSeen]:
        """Somebody saw the place open or closed."""
        said_ = await json_body(request, Confirmed)
        async with self._database.write() as tx:
            await places.confirm(tx, request.match_info["place_id"], said_.state, by=who.label)
        return Json({"state": said_.state})

    @asks(Power.KEEP, the_place)
    async def arrive(self, request: web.Request, who: Who) -> Created[Arrived]:
        """Somebody arrived at the place."""
        came = await json_body(request, ArrivalIn)
        async with self._database.write() as tx:
            roll_id = await places.arrive(
                tx, request.match_info["place_id"], by=who.label, person_id=came.person_id, heads=came.heads
            )
        return Created({"roll_id": roll_id})

    @asks(Power.KEEP, the_place)
    async def roll(self, request: web.Request, who: Who) -> Json[Roll]:
        """Who is there."""
        async with self._database.read() as db:
            return Json(await places.rolls(db, request.match_info["place_id"]))

    @asks(Power.KEEP, the_facility)
    async def occupancy(self, request: web.Request, who: Who) -> Json[OccupancyChanged]:
        """Who is in a facility that night, as its desk reports."""
        heads = await json_body(request, Occupied)
        changes = Changes(answers={"occupancy": [heads.day, heads.people, heads.non_walking]})
        async with self._database.write() as tx:
            done = await update_person(
                tx, self._platform.keys, request.match_info["facility_id"], changes, said("self", who.label)
            )
        return Json({"changed": list(done.changed)})

    @asks(Power.SUMMARISE, the_installation)
    async def summary(self, request: web.Request, who: Who) -> Json[Summary]:
        """People who are warned: in all, by kind, and by need group (groups overlap)."""
        async with self._database.read() as db:
            counts = await register.counts_by_profile(db)
            profiles = await register.profiles_of(db, counts)
        kinds: Counter[str] = Counter()
        groups: Counter[str] = Counter()
        for key, n in counts.items():
            kinds[profiles[key].kind] += n
            if profiles[key].kind != "facility":
                groups.update(dict.fromkeys(profiles[key].groups, n))
        return Json(
            {
                "people": kinds["resident"] + kinds["subscriber"],
                "kinds": {kind: kinds[kind] for kind in ("resident", "subscriber", "facility")},
                "groups": {group: counting.told(groups[group]) for group in GROUPS},
                "profiles": len(counts),
                "told_from": counting.FEWEST,
            }
        )

    def _gently(self) -> GivingWay | None:
        """On SQLite warnings are sent from this very process."""
        return GivingWay(self._database, self._platform.clock.now) if self._database.is_sqlite else None

    def _year(self) -> int:
        return datetime.fromtimestamp(self._platform.clock.now(), UTC).year


def _ended_by(fault: Fault) -> dict[str, object]:
    """The last line of an import that does not end with a report."""
    return {"fault": fault.message, "field": getattr(fault, "field", ""), "remedy": getattr(fault, "remedy", "")}


def wanted_of(asked: Mapping[str, str], year: int, actor: str) -> ListImportOptions:
    """How a list is to be read, of the words of a query; Refused names the one that is wrong."""
    source = asked.get("source", "").strip()
    if not source or len(source) > 80:
        raise Refused(
            "say whose list this is",
            field="source",
            rule="required",
            given=source[:80],
            remedy="add ?source=<name of the list, at most 80 letters> and keep it the same at every import",
        )
    kind = next((k for k in KINDS if k == asked.get("kind", "self")), None)
    datum = next((d for d in DATUMS if d == asked.get("datum", "wgs84")), None)
    if kind is None:
        raise _no_word("kind", asked["kind"], KINDS)
    if datum is None:
        raise _no_word("datum", asked["datum"], DATUMS)
    words = read_map(asked["columns"], KNOWN) if asked.get("columns") else ColumnMap()
    return ListImportOptions(
        source,
        year,
        kind,
        region=asked.get("region", "").upper() or None,
        datum=datum,
        words=words,
        actor=actor,
        dry_run=asked.get("dry_run", "") in ("1", "true", "yes"),
        bounds=asked.get("bounds", ""),
        encoding=asked.get("encoding", ""),
    )


async def _save(request: web.Request, path: Path, most: int = MAX_LIST) -> None:
    """The body as a file: never whole in memory."""
    size = 0
    file = await asyncio.to_thread(path.open, "wb")
    try:
        async for block in request.content.iter_chunked(1 << 20):
            size += len(block)
            if size > most:
                raise Refused(
                    f"the file is larger than {most // 1024**2} MiB",
                    field="body",
                    rule="size",
                    remedy="send it in several files, each under a source name of its own",
                )
            await asyncio.to_thread(file.write, block)
    finally:
        await asyncio.to_thread(file.close)


def _no_word(field: str, given: str, allowed: Iterable[str]) -> Refused:
    return Refused(
        f"{given[:40]!r} is no {field}",
        field=field,
        rule="known word",
        given=given[:40],
        remedy=f"write one of {', '.join(allowed)}",
    )
