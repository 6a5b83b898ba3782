"""One row of a list as the person, facility, officers or area it stands for."""

from __future__ import annotations

from typing import Any, TypeVar, get_args

import pydantic

from services.registry.cells import LANDLINE, MOBILE, Cells
from services.registry.facilities import AreaIn, FacilityIn, FacilityKind, WorkerIn
from services.registry.given import CONTACT_KINDS, VOICE_KINDS, WG, ContactIn, PersonIn, Status, SupporterIn, Wg
from services.registry.imports import person_id_of
from services.shared.outbox import id_of

ALWAYS = frozenset(
    ("person_id", "household_id", "facility_id", "contacts", "supporters", "wg", "lat", "lon", "kind", "name")
)
INHERITED = frozenset(("address", "zone_id", "grid_id"))  # from the facility she lives in
COLUMN_OF = {"call_name": "name", "zone_id": "zone", "grid_id": "grid"}
WISHES = (*CONTACT_KINDS, "voice")

G = TypeVar("G", PersonIn, FacilityIn)


def _choices(model: type[pydantic.BaseModel], field: str) -> tuple[Any, ...]:
    return get_args(model.model_fields[field].annotation)


def _only_said(model: type[G], cells: Cells, values: dict[str, Any]) -> G:
    """The model of what was filled in and understood: an empty cell says nothing, and contradicts nobody."""
    said = {
        name: value
        for name, value in values.items()
        if name in ALWAYS or cells.said(COLUMN_OF.get(name, name)) or (name in INHERITED and value)
    }
    return model.model_validate(said)


class RowReader:
    """Reads rows of one source; remembers its facilities, whose residents live where they are."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._facilities: dict[str, FacilityIn] = {}

    def _place(self, cells: Cells) -> dict[str, Any]:
        house = self._facilities.get(cells.text("facility"))
        if house is not None and not cells.text("lat") and not cells.text("lon"):
            lat, lon = house.lat, house.lon
        else:
            lat, lon = cells.degrees("lat", 90), cells.degrees("lon", 180)
        if lat == 0 and lon == 0:
            raise cells.refuse("lat", "a place", "0, 0 lies in the ocean: find the real place")
        return {
            "lat": lat,
            "lon": lon,
            "address": cells.text("address") or (house.address if house else ""),
            "zone_id": cells.text("zone", 32) or (house.zone_id if house else ""),
            "grid_id": cells.text("grid", 32) or (house.grid_id if house else ""),
            "walk_seq": cells.number("walk_seq", 0, 2_000_000_000),
            "note": cells.text("note"),
        }

    def _contacts(self, cells: Cells) -> tuple[ContactIn, ...]:
        no = set(cells.words("said_no", WISHES))
        no |= set(VOICE_KINDS) if "voice" in no else set()
        given_by = cells.one_of("given_by", _choices(ContactIn, "given_by"), "self")
        household = cells.one_of("phone_answered_by", ("self", "household"), "self") == "household"
        found: list[tuple[str, str, bool]] = []
        verified = cells.yes("mobile_verified")
        for number, type_ in cells.phones("mobile"):
            if type_ == LANDLINE:
                cells.repair("mobile", "mobile number", "a landline", number)
                found.append(("voice_landline", number, verified))
            else:
                found += [("sms", number, verified), ("voice_mobile", number, verified)]
        verified = cells.yes("landline_verified")
        for number, type_ in cells.phones("landline"):
            found.append(("voice_mobile" if type_ == MOBILE else "voice_landline", number, verified))
        return tuple(
            ContactIn.model_validate(
                {
                    "kind": kind,
                    "address": address,
                    "order": min(order, 99),
                    "verified": is_verified,
                    "given_by": given_by,
                    "said_no": kind in no,
                    "household": household and kind != "email",
                }
            )
            for order, (kind, address, is_verified) in enumerate(found + self._emails(cells, "email"))
        )

    @staticmethod
    def _emails(cells: Cells, field: str) -> list[tuple[str, str, bool]]:
        verified = cells.yes("email_verified")
        good = []
        for address in cells.words(field):
            try:
                ContactIn(kind="email", address=address)
            except pydantic.ValidationError:
                cells.leave_out(field, "e-mail address", "write it like name@example.org", address)
            else:
                good.append(("email", address, verified))
        return good

    def _supporters(self, cells: Cells) -> tuple[SupporterIn, ...]:
        contacts: list[dict[str, Any]] = []
        for number, type_ in cells.phones("supporter_mobile"):
            kinds = ("voice_landline",) if type_ == LANDLINE else ("sms", "voice_mobile")
            contacts += [{"kind": k, "address": number, "order": len(contacts) + n} for n, k in enumerate(kinds)]
        emails = self._emails(cells, "supporter_email")
        contacts += [{"kind": k, "address": a, "order": 50} for k, a, _ in emails]
        if not contacts and not cells.text("supporter_name"):
            return ()
        # somebody else gave these: without the supporter's own word they are not used
        lat, lon = cells.text("supporter_lat"), cells.text("supporter_lon")
        return (
            SupporterIn.model_validate(
                {
                    "name": cells.text("supporter_name"),
                    "relation": cells.one_of("supporter_relation", _choices(SupporterIn, "relation"), "family"),
                    "contacts": [c | {"given_by": "proxy"} for c in contacts],
                    "language": cells.text("supporter_language", 35),
                    "outside_zone": cells.yes("supporter_outside"),
                    "lat": cells.degrees("supporter_lat", 90) if lat and lon else None,
                    "lon": cells.degrees("supporter_lon", 180) if lat and lon else None,
                    "accepted": cells.yes("supporter_accepted"),
                }
            ),
        )

    def person(self, cells: Cells) -> PersonIn:
        """A person."""
        person_id = person_id_of(self._source, cells.required("id"))
        household, facility = cells.text("household"), cells.text("facility")
        facility_id = id_of("facility", self._source, facility) if facility else ""
        carriers = cells.number("carriers_needed", 0, 4)
        return _only_said(
            PersonIn,
            cells,
            {
                "person_id": person_id,
                "household_id": id_of("household", self._source, household) if household else "",
                "facility_id": facility_id,
                "status": cells.one_of("status", get_args(Status), "active"),
                "call_name": cells.text("name"),
                "birth_year": cells.year("birth_year"),
                "wg": Wg.model_validate({domain: cells.level(domain) for domain in WG}),
                "psychosocial": cells.yes("psychosocial"),
                "languages": cells.words("languages"),
                "sign_lang": cells.text("sign_lang", 8),
                "modes": cells.words("modes", get_args(_choices(PersonIn, "modes")[0])),
                "power_device": cells.one_of("power_device", _choices(PersonIn, "power_device"), "none"),
                "backup_min": cells.number("backup_min", 0, 100_000) if cells.text("backup_min") else None,
                "lives_alone": cells.yes("lives_alone"),
                "only_older_at_home": cells.yes("only_older_at_home"),
                "cannot_open_door": cells.yes("cannot_open_door"),
                "night_alert": cells.one_of("night_alert", _choices(PersonIn, "night_alert"), "none"),
                "moves": cells.one_of("moves", _choices(PersonIn, "moves"), "walks"),
                "own_transport": cells.yes("own_transport"),
                "carriers_needed": 4 if carriers == 3 else carriers,
                "assist_min": cells.number("assist_min", 0, 600),
                "floor": cells.number("floor", -9, 200),
                "lift": cells.yes("lift"),
                "basement": cells.yes("basement"),
                "pregnancy_or_newborn": cells.yes("pregnancy_or_newborn"),
                "people_at_home": cells.number("people_at_home", 1, 500, default=1),
                "contacts": self._contacts(cells),
                "supporters": self._supporters(cells),
                "own_roads": cells.words("own_roads", WISHES),
                "asked_for": cells.words("asked_for"),
                "opt_in": cells.words("opt_in", ("blue", "yellow")),
                "wake_note": cells.text("wake_note"),
                "talk_note": cells.text("talk_note"),
                "moves_note": cells.text("moves_note"),
                **self._place(cells),
            },
        )

    def facility(self, cells: Cells) -> FacilityIn:
        """A facility; refused without a line that is answered."""
        external = cells.required("id")
        contacts: list[dict[str, Any]] = []
        for kind in ("duty_phone_1", "duty_phone_2"):
            contacts += [{"kind": kind, "address": number, "order": len(contacts)} for number, _ in cells.phones(kind)]
        mobiles = [number for number, type_ in cells.phones("mobile") if type_ != LANDLINE]
        contacts += [{"kind": "sms", "address": number, "order": 10} for number in mobiles]
        if not contacts:
            raise cells.refuse("duty_phone_1", "required", "give a number that is answered day and night")
        found = _only_said(
            FacilityIn,
            cells,
            {
                "facility_id": id_of("facility", self._source, external),
                "name": cells.required("name"),
                "kind": cells.one_of("facility_kind", get_args(FacilityKind), "shelter"),
                "status": cells.one_of("status", get_args(Status), "active"),
                "headcount_day": cells.number("headcount_day", 0, 100_000),
                "headcount_night": cells.number("headcount_night", 0, 100_000),
                "non_walking": cells.number("non_walking", 0, 100_000),
                "contacts": contacts,
                "languages": cells.words("languages"),
                **self._place(cells),
            },
        )
        self._facilities[external] = found
        return found

    def worker(self, cells: Cells) -> WorkerIn:
        """A pair of officers."""
        return WorkerIn.model_validate(
            {
                "worker_id": id_of("worker", self._source, cells.required("id")),
                "name": cells.text("name"),
                "grids": cells.words("grids"),
                "skills": cells.words("skills"),
                "doors_per_hour": cells.number("doors_per_hour", 1, 60, default=10),
                "language": cells.text("languages", 35),
                "contacts": self._contacts(cells),
                "shift": cells.text("shift", 11),
                "status": cells.one_of("status", ("active", "off"), "active"),
            }
        )

    def area(self, cells: Cells) -> AreaIn:
        """What a geocode stands for."""
        return AreaIn(
            value_name=cells.required("value_name"),
            code=cells.required("id"),
            name=cells.text("name"),
            geojson=cells.text("geojson", 2_000_000),
        )
