"""Reads one row of a list as a person, facility, team, place or area, with how its source knows."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal, TypeVar, get_args

import pydantic

from services.registry.geo.datum import Datum, point_to_wgs84
from services.registry.importing import cell_words
from services.registry.importing.bounds import Bounds, wrong
from services.registry.importing.cells import LANDLINE, MOBILE, Cells
from services.registry.model.answers import Row
from services.registry.model.facilities import AreaIn, FacilityIn, FacilityKind, PlaceIn, Role, WorkerIn
from services.registry.model.given import (
    ANSWERS,
    CONTACT_KINDS,
    DEVICE,
    PHONE_KINDS,
    VOICE_KINDS,
    WG,
    Ability,
    ContactIn,
    Method,
    PersonIn,
    Purpose,
    Status,
    StayIn,
    SupporterIn,
    Wg,
)
from services.registry.people.sources import SourceList, Statement
from services.shared.bus.outbox import id_of
from services.shared.model_faults import said_of

WISHES = (*CONTACT_KINDS, "voice")
SAFE = ("mobile", "landline", "email", "bed_shaker")
ALWAYS = frozenset(
    ("person_id", "household_id", "facility_id", "contacts", "supporters", "stays", "consents", "wg", "lat", "lon")
) | {"kind", "name"}
INHERITED = frozenset(("address", "zone_id", "grid_id"))  # from the facility they live in
COLUMN_OF = {"call_name": "name", "zone_id": "zone", "grid_id": "grid", "occupancy": "occupancy_people"}
KIND_OF = {"self": "self", "proxy": "proxy", "officer": "officer_visit"}  # given_by > kind of source
GIVEN_BY = {"self": "self", "proxy": "proxy", "officer_visit": "officer"}  # kind of source > given_by; lists: record
THEMSELVES = frozenset(("self", "guardian"))
Given_ = PersonIn | FacilityIn | WorkerIn | PlaceIn | AreaIn
G = TypeVar("G", PersonIn, FacilityIn)


def _choices(model: type[pydantic.BaseModel], field: str) -> tuple[str, ...]:
    return get_args(model.model_fields[field].annotation)


_RELATIONS, _GIVERS = _choices(SupporterIn, "relation"), _choices(ContactIn, "given_by")
_STATUS, _KINDS, _ROLES, _CAN = get_args(Status), get_args(FacilityKind), get_args(Role), get_args(Ability)
_SUPPORTER = frozenset(("supporter_name", "supporter_mobile", "supporter_email"))
_STAYS = frozenset(
    [f"{kind}_{column}" for kind in ("away", "usual", "second") for column in ("lat", "lon", "address")]
    + ["away_from", "away_to", "usual_hours"]
)
_CONSENTS = frozenset(get_args(Purpose))
_DECISIONS = ("given", "refused", "withdrawn", "not_asked")
_METHODS, _PURPOSES = get_args(Method), get_args(Purpose)


def _only_said(model: type[G], cells: Cells, values: dict[str, object]) -> G:
    """The model of what was filled in and understood: an empty cell says nothing, and contradicts nobody."""
    said = {
        name: value
        for name, value in values.items()
        if name in ALWAYS or cells.said(COLUMN_OF.get(name, name)) or (name in INHERITED and value)
    }
    return model.model_validate(said)


def person_id_of(source: str, external: str) -> str:
    """The id of a person known to `source` as `external`: the same at every import."""
    return id_of("person", source, external)


class RowReader:
    """Reads rows of one source; remembers its facilities, whose residents live where they are."""

    def __init__(self, source: SourceList, datum: Datum = "wgs84", bounds: Bounds | None = None) -> None:
        self.source = source
        self.bounds = bounds
        self.facilities: dict[str, FacilityIn] = {}
        self._datum = datum

    @property
    def name(self) -> str:
        return self.source.name

    def _point(self, cells: Cells, prefix: str = "") -> tuple[float, float]:
        lat, lon = cells.degrees(f"{prefix}lat", 90), cells.degrees(f"{prefix}lon", 180)
        if lat == 0 and lon == 0:
            raise cells.refuse(f"{prefix}lat", "a place", "0, 0 lies in the ocean: find the real place")
        lat, lon = point_to_wgs84(lat, lon, self._datum)
        # where somebody helps from, or stays for a while, may be anywhere
        if what := wrong(lat, lon, self.bounds if not prefix else None):
            raise cells.refuse(f"{prefix}lat", "a place", what)
        return lat, lon

    def _place(self, cells: Cells) -> dict[str, object]:
        house = self.facilities.get(cells.id("facility"))
        if house is not None and not cells.text("lat") and not cells.text("lon"):
            lat, lon = house.lat, house.lon
        else:
            lat, lon = self._point(cells)
        return {
            "lat": lat,
            "lon": lon,
            "address": cells.text("address") or (house.address if house else ""),
            "zone_id": cells.text("zone", 32) or (house.zone_id if house else ""),
            "grid_id": cells.text("grid", 32) or (house.grid_id if house else ""),
            "walk_seq": cells.number("walk_seq", 0, 2_000_000_000),
            "note": cells.text("note"),
        }

    def _statement(self, given: PersonIn | FacilityIn, cells: Cells) -> Statement:
        said = cells.one_of("given_by", _GIVERS, "")
        on, until = cells.date("recorded_on"), cells.date("valid_until")
        if on > self.source.on:
            cells.leave_out("recorded_on", "not after today", "write the day on which it was recorded")
            on = ""
        return Statement(given, self.source.provenance(KIND_OF.get(said, ""), on, until))

    def _contacts(self, cells: Cells) -> tuple[ContactIn, ...]:
        no = set(cells.words("said_no", WISHES, cell_words.CHANNELS, protects=True))
        no |= set(VOICE_KINDS) if "voice" in no else set()
        given_by = cells.one_of("given_by", _GIVERS, GIVEN_BY.get(self.source.kind, "record"))
        household = cells.one_of("phone_answered_by", ("self", "household"), "self") == "household"
        safe = set(cells.words("safe_contact", SAFE, cell_words.SAFE, protects=True))
        found: list[dict[str, object]] = []

        def add(column: str, kind: str, address: str) -> None:
            contact = {"kind": kind, "address": address, "order": min(len(found), 99), "verified": verified}
            contact |= {"given_by": given_by, "said_no": kind in no, "household": household and kind in PHONE_KINDS}
            found.append(contact | {"hours": hours, "verified_on": on, "safe": column in safe})

        on = cells.date("verified_on", past=True)
        verified, hours = cells.yes("mobile_verified"), cells.hours("mobile_hours")
        for number, type_ in cells.phones("mobile"):
            if type_ == LANDLINE:
                cells.guess("mobile", "mobile number", "a landline, which is called and never texted", number)
                add("mobile", "voice_landline", number)
            else:
                add("mobile", "sms", number)
                add("mobile", "voice_mobile", number)
        verified, hours = cells.yes("landline_verified"), cells.hours("landline_hours")
        for number, type_ in cells.phones("landline"):
            add("landline", "voice_mobile" if type_ == MOBILE else "voice_landline", number)
        verified, hours = cells.yes("video_relay_verified"), ""
        for number, _ in cells.phones("video_relay"):
            add("video_relay", "video_relay", number)
        verified = cells.yes("email_verified")
        for address in self._good(cells, "email", "email"):
            add("email", "email", address)
        verified = cells.yes("im_verified")
        for address in self._good(cells, "im", "im"):
            add("im", "im", address)
        verified = cells.yes("bed_shaker_verified")
        for name in self._devices(cells):
            add("bed_shaker", "bed_shaker", name)
        return tuple(ContactIn.model_validate(one) for one in found)

    @staticmethod
    def _signs(cells: Cells) -> str:
        word = cells.word("sign_lang").lower().replace(" ", "_")
        found = cell_words.SIGNS.get(word, word)
        if re.fullmatch(r"[a-z]{3,8}|", found):
            return found
        cells.leave_out("sign_lang", "sign language", "write its tag of three letters, like csl, ase or bfi")
        return ""

    @staticmethod
    def _devices(cells: Cells) -> list[str]:
        good = []
        for name in cells.words("bed_shaker"):
            if DEVICE.fullmatch(name):
                good.append(name)
            else:
                cells.leave_out("bed_shaker", "device id", "write letters, digits, - and _, at most 40", name)
        return good

    @staticmethod
    def _good(cells: Cells, field: str, kind: Literal["email", "im"]) -> list[str]:
        rule, remedy = {
            "email": ("e-mail address", "write it like name@example.org"),
            "im": ("service:name", "write the service's word, a colon and the name there, like telegram:12345678"),
        }[kind]
        good = []
        for address in cells.words(field):
            try:
                ContactIn(kind=kind, address=address)
            except pydantic.ValidationError:
                cells.leave_out(field, rule, remedy, address)
            else:
                good.append(address)
        return good

    def _supporters(self, cells: Cells) -> tuple[SupporterIn, ...]:
        if not cells.any_of(_SUPPORTER):
            return ()
        contacts: list[dict[str, object]] = []
        for number, type_ in cells.phones("supporter_mobile"):
            kinds = ("voice_landline",) if type_ == LANDLINE else ("sms", "voice_mobile")
            contacts += [{"kind": k, "address": number, "order": len(contacts) + n} for n, k in enumerate(kinds)]
        contacts += [
            {"kind": "email", "address": a, "order": 50} for a in self._good(cells, "supporter_email", "email")
        ]
        if not contacts and not cells.text("supporter_name"):
            return ()
        # somebody else gave these: without the supporter's own word they are not used
        lat, lon = cells.text("supporter_lat"), cells.text("supporter_lon")
        point = self._point(cells, "supporter_") if lat and lon else (None, None)
        accepted_on = cells.date("supporter_accepted_on", past=True)
        values = {
            "name": cells.text("supporter_name"),
            "relation": cells.one_of("supporter_relation", _RELATIONS, "family"),
            "contacts": [c | {"given_by": "proxy"} for c in contacts],
            "language": (cells.languages("supporter_language") or ("",))[-1],
            "outside_zone": cells.yes("supporter_outside"),
            "at_home": cells.yes("supporter_at_home"),
            "lat": point[0],
            "lon": point[1],
            "accepted": cells.yes("supporter_accepted") or bool(accepted_on),
            "accepted_on": accepted_on,
            "can": cells.words("supporter_can", _CAN) or ("relay",),
            "distance_min": cells.number("supporter_distance_min", 0, 1440)
            if cells.text("supporter_distance_min")
            else None,
        }
        return (SupporterIn.model_validate(values),)

    def _stays(self, cells: Cells) -> tuple[StayIn, ...]:
        if not cells.any_of(_STAYS):
            return ()
        found = []
        for kind in ("away", "usual", "second"):
            columns = ("lat", "lon", "address") + (("from", "to") if kind == "away" else ("hours",))
            if not any(cells.text(f"{kind}_{column}") for column in columns):
                continue
            placed = cells.text(f"{kind}_lat") and cells.text(f"{kind}_lon")
            if kind != "away" and not placed:
                cells.leave_out(f"{kind}_lat", "required", f"give {kind}_lat and {kind}_lon")
                continue
            lat, lon = self._point(cells, f"{kind}_") if placed else (None, None)
            values = {"kind": kind, "lat": lat, "lon": lon, "address": cells.text(f"{kind}_address")}
            values |= {"since": cells.date("away_from"), "until": cells.date("away_to")} if kind == "away" else {}
            values |= {"hours": cells.hours("usual_hours")} if kind == "usual" else {}
            try:
                found.append(StayIn.model_validate(values))
            except pydantic.ValidationError as wrong:
                cells.leave_out(f"{kind}_to", "in order", said_of(wrong.errors(include_url=False)[0]).sentence)
        return tuple(found)

    def _consents(self, cells: Cells) -> list[dict[str, object]]:
        """The person's decisions by purpose; a yes that is not their own, or that names no notice, is left out."""
        if not cells.any_of(_CONSENTS):
            return []
        found = []
        decisions = {p: cells.one_of(p, _DECISIONS, "", cell_words.DECISIONS, protects=True) for p in _PURPOSES}
        by = cells.word("consent_by").lower() or "self"
        notice = cells.text("consent_notice", 20)
        for purpose, decision in decisions.items():
            if not decision:
                continue
            if decision == "given" and by not in THEMSELVES:
                cells.leave_out(
                    purpose, "their own yes", "only the person, or the guardian of a minor, can say yes: ask them"
                )
            elif decision == "given" and not notice:
                cells.leave_out(purpose, "notice", "write in consent_notice which version they were shown")
            else:
                basis = "guardian_consent" if by == "guardian" else "consent"
                method = cells.one_of("consent_method", _METHODS, "list")
                consent = {"purpose": purpose, "decision": decision, "basis": basis, "by": by[:80], "method": method}
                found.append(consent | {"notice_version": notice, "on": cells.date("consent_on", past=True)})
        return found

    def person_id(self, cells: Cells) -> str:
        """The person's id in this list, or in the list that `same_as` names; a phone number alone makes nobody the
        same."""
        external, same = cells.id("id"), cells.id("same_as")
        if same:
            other, _, their = same.rpartition(":")
            if other and their:
                return person_id_of(other.strip(), their.strip())
            cells.leave_out("same_as", "list:id", "write the other list's name, a colon and its id of this person")
        return person_id_of(self.name, external)

    def _answer(self, cells: Cells, row: Row) -> object:
        """One answer's cell, read by its kind or by the reader its row names."""
        name = row.field
        match row.answer.reads or row.kind:
            case "year":
                return cells.year(name)
            case "languages":
                return cells.languages(name)
            case "signs":
                return self._signs(cells)
            case "carriers":
                carriers = cells.number(name, 0, 4)
                return 4 if carriers == 3 else carriers  # nobody is carried by three
            case "channels":
                return cells.words(name, WISHES)
            case "yes":
                return cells.yes(name, protects=row.answer.protects)
            case "one":
                return cells.one_of(name, row.values, str(row.default))
            case "number":
                if row.default is None and not cells.text(name):
                    return None
                return cells.number(name, row.least, row.most, default=int(row.default or 0))
        return cells.words(name, row.values)

    def person(self, cells: Cells) -> Statement:
        """A person."""
        household, facility = cells.id("household"), cells.id("facility")
        values = {
            "person_id": self.person_id(cells),
            "household_id": id_of("household", self.name, household) if household else "",
            "facility_id": id_of("facility", self.name, facility) if facility else "",
            "status": cells.one_of("status", _STATUS, "active", cell_words.STATUS, protects=True),
            "call_name": cells.text("name"),
            "wg": Wg.model_validate({domain: cells.level(domain) for domain in WG}),
            **{name: self._answer(cells, row) for name, row in ANSWERS.items() if name not in WG},
            "contacts": self._contacts(cells),
            "supporters": self._supporters(cells),
            "stays": self._stays(cells),
            "consents": self._consents(cells),
            "wake_note": cells.text("wake_note"),
            "talk_note": cells.text("talk_note"),
            "moves_note": cells.text("moves_note"),
            **self._place(cells),
        }
        found = _only_said(PersonIn, cells, values)
        own = person_id_of(self.name, cells.id("id"))
        return replace(self._statement(found, cells), joined=found.person_id != own)

    def facility(self, cells: Cells) -> Statement:
        """A facility; refused without a line that is answered."""
        external = cells.id("id")
        contacts: list[dict[str, object]] = []
        for kind in ("duty_phone_1", "duty_phone_2"):
            contacts += [{"kind": kind, "address": number, "order": len(contacts)} for number, _ in cells.phones(kind)]
        mobiles = [number for number, type_ in cells.phones("mobile") if type_ != LANDLINE]
        contacts += [{"kind": "sms", "address": number, "order": 10} for number in mobiles]
        if not contacts:
            raise cells.refuse("duty_phone_1", "required", "give a number that is answered day and night")
        heads = cells.number("occupancy_people", 0, 100_000), cells.number("occupancy_non_walking", 0, 100_000)
        values = {
            "facility_id": id_of("facility", self.name, external),
            "name": cells.required("name"),
            "kind": cells.one_of("facility_kind", _KINDS, "shelter"),
            "status": cells.one_of("status", _STATUS, "active", cell_words.STATUS, protects=True),
            "headcount_day": cells.number("headcount_day", 0, 100_000),
            "headcount_night": cells.number("headcount_night", 0, 100_000),
            "non_walking": cells.number("non_walking", 0, 100_000),
            "evac_min_day": cells.number("evac_min_day", 0, 1440),
            "evac_min_night": cells.number("evac_min_night", 0, 1440),
            "plan_on": cells.date("plan_on", past=True),
            "occupancy": (cells.date("occupancy_day") or self.source.on, *heads),
            "contacts": contacts,
            "languages": cells.languages("languages"),
            **self._place(cells),
        }
        found = _only_said(FacilityIn, cells, values)
        self.facilities[external] = found
        return self._statement(found, cells)

    def worker(self, cells: Cells) -> WorkerIn:
        """A team of officers."""
        backup = cells.id("backup")
        return WorkerIn.model_validate(
            {
                "worker_id": id_of("worker", self.name, cells.id("id")),
                "name": cells.text("name"),
                "roles": cells.words("roles", _ROLES),
                "grids": cells.words("grids"),
                "skills": cells.words("skills"),
                "doors_per_hour": cells.number("doors_per_hour", 1, 60, default=10),
                "language": (cells.languages("languages") or ("",))[-1],
                "contacts": self._contacts(cells),
                "shift": cells.text("shift", 11),
                "backup_id": id_of("worker", self.name, backup) if backup else "",
                "vetted_on": cells.date("vetted_on", past=True),
                "status": cells.one_of("status", ("active", "off"), "active"),
            }
        )

    def place(self, cells: Cells) -> PlaceIn:
        """Where to go."""
        lat, lon = self._point(cells)
        return PlaceIn.model_validate(
            {
                "place_id": id_of("place", self.name, cells.id("id")),
                "name": cells.required("name"),
                "address": cells.text("address"),
                "lat": lat,
                "lon": lon,
                "step_free": cells.yes("step_free"),
                "power": cells.yes("power"),
                "interpreter": cells.words("interpreter"),
                "animals": cells.yes("animals"),
                "capacity": cells.number("capacity", 0, 1_000_000),
                "route": cells.text("route"),
            }
        )

    def area(self, cells: Cells) -> AreaIn:
        """What a geocode stands for."""
        return AreaIn(
            value_name=cells.required("value_name"),
            code=cells.required("id"),
            name=cells.text("name"),
            parent=cells.text("parent", 120),
            geojson=cells.text("geojson", 20_000_000),
        )
