"""A person, facility or officer as rows of the register: derived, sealed under one page key, never open.

What stands in the open is what finds and counts people: place, profile key, ids, masks and address keys.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from services.registry.areas import cell_of
from services.registry.facilities import FacilityIn, WorkerIn, facility_profile
from services.registry.needs import KEPT, ContactIn, Given, PersonIn, SupporterIn, in_order, profile
from services.shared.clock import wall
from services.shared.messages import Profile
from services.shared.outbox import id_of
from services.shared.sealing import Dossier, Sealer, address_key


@dataclass
class Entry:
    """A person or facility, ready to be written except for the sealing."""

    given: PersonIn | FacilityIn
    person_id: str
    household_id: str
    facility_id: str | None
    cell: int
    profile: Profile
    digest: str
    contacts: tuple[ContactIn, ...]
    supporters: tuple[SupporterIn, ...]


def addressee_id(one: PersonIn | FacilityIn) -> str:
    """The id under which it is warned."""
    return one.person_id if isinstance(one, PersonIn) else one.facility_id


def home_of(one: PersonIn | FacilityIn) -> str:
    """The household it is counted and visited in."""
    return one.home_id if isinstance(one, PersonIn) else one.facility_id


def by_order(contacts: Iterable[ContactIn]) -> list[ContactIn]:
    """As numbered."""
    return sorted(contacts, key=lambda c: c.order)


def entry_of(one: PersonIn | FacilityIn, index: bytes, year: int, local: tuple[str, ...]) -> Entry:
    """All that follows from what was given; of somebody who left no road is kept."""
    if isinstance(one, PersonIn):
        facts = profile(one, year, local)
        household, facility_id = one.home_id, one.facility_id or None
        contacts, supporters = in_order(one), one.supporters
    else:
        facts, household, facility_id = facility_profile(one, local), one.facility_id, None
        contacts, supporters = tuple(by_order(one.contacts)), ()
    if one.status not in KEPT:
        contacts, supporters = (), ()
    return Entry(
        given=one,
        person_id=addressee_id(one),
        household_id=household,
        facility_id=facility_id,
        cell=cell_of(one.lat, one.lon),
        profile=facts,
        digest=given_digest(index, one, facts.key),
        contacts=contacts,
        supporters=supporters,
    )


def given_digest(index: bytes, one: Given, more: str = "") -> str:
    """Keyed, since a plain hash of a phone number is as good as the number."""
    return hmac.new(index, f"{one.model_dump_json()}{more}".encode(), hashlib.sha256).hexdigest()


def sealed_rows(sealer: Sealer, index: bytes, entries: Sequence[Entry]) -> dict[str, list[dict[str, Any]]]:
    """Table name > rows of one page."""
    rows: dict[str, list[dict[str, Any]]] = {"person": [], "facility": [], "supporter": [], "contact": []}
    now = wall()
    for e in entries:
        given = e.given
        body = msgspec.msgpack.encode(_dossier(given)) if given.status in KEPT else b""
        rows["person"].append(
            {
                "person_id": e.person_id,
                "kind": e.profile.kind,
                "status": given.status,
                "household_id": e.household_id,
                "facility_id": e.facility_id,
                "lat": given.lat,
                "lon": given.lon,
                "cell": e.cell,
                "profile_key": e.profile.key,
                "zone_id": given.zone_id,
                "grid_id": given.grid_id,
                "walk_seq": given.walk_seq,
                "dossier": sealer.seal(body, e.person_id) if body else b"",
                "key_id": sealer.key_id,
                "digest": e.digest,
                "changed_at": now,
            }
        )
        if isinstance(given, FacilityIn):
            rows["facility"].append(
                {
                    "facility_id": e.person_id,
                    "kind": given.kind,
                    "name": given.name,
                    "headcount_day": given.headcount_day,
                    "headcount_night": given.headcount_night,
                    "non_walking": given.non_walking,
                }
            )
        rows["contact"] += contact_rows(sealer, index, e.person_id, e.contacts)
        for position, supporter in enumerate(e.supporters):
            first = supporter.contacts[0].address if supporter.contacts else supporter.name
            supporter_id = id_of("supporter", e.person_id, address_key(index, "email", first))
            rows["supporter"].append(
                {
                    "supporter_id": supporter_id,
                    "person_id": e.person_id,
                    "position": position,
                    "outside_zone": supporter.outside_zone,
                    "accepted": supporter.accepted,
                    "language": supporter.language or e.profile.language,
                    "lat": supporter.lat,
                    "lon": supporter.lon,
                    "name": sealer.seal(supporter.name.encode(), supporter_id),
                    "key_id": sealer.key_id,
                }
            )
            rows["contact"] += contact_rows(sealer, index, supporter_id, by_order(supporter.contacts), supporter.roads)
    return rows


def worker_row(sealer: Sealer, index: bytes, one: WorkerIn) -> dict[str, Any]:
    """The row of a pair of officers."""
    return {
        "worker_id": one.worker_id,
        "status": one.status,
        "grids": list(one.grids),
        "skills": list(one.skills),
        "doors_per_hour": one.doors_per_hour,
        "language": one.language,
        "shift": one.shift,
        "name": sealer.seal(one.name.encode(), one.worker_id),
        "key_id": sealer.key_id,
        "digest": given_digest(index, one),
    }


def contact_rows(
    sealer: Sealer,
    index: bytes,
    owner_id: str,
    contacts: Iterable[ContactIn],
    usable: Sequence[ContactIn] | None = None,
) -> list[dict[str, Any]]:
    """Rows in the order of use; `usable` names those that may be used where their own word is not the last."""
    rows: dict[str, dict[str, Any]] = {}
    for position, contact in enumerate(contacts):
        found = address_key(index, contact.kind, contact.address)
        contact_id = id_of("contact", owner_id, contact.kind, found)
        rows.setdefault(
            contact_id,
            {
                "contact_id": contact_id,
                "owner_id": owner_id,
                "position": position,
                "kind": contact.kind,
                "sealed": sealer.seal(contact.address.encode(), contact_id),
                "key_id": sealer.key_id,
                "mask": "…" + contact.address[-3:],
                "address_key": found,
                "why_not": "" if usable is not None and contact in usable else contact.why_not,
            },
        )
    return list(rows.values())


def _dossier(given: PersonIn | FacilityIn) -> Dossier:
    """What an officer at the door must know: how to find, wake, talk to and move a person; never why."""
    if isinstance(given, FacilityIn):
        counted = f"day {given.headcount_day}, night {given.headcount_night}, not walking {given.non_walking}"
        return Dossier(
            call_name=given.name,
            address=given.address,
            people=max(given.headcount_day, given.headcount_night, 1),
            note="; ".join(part for part in (counted, given.note) if part),
        )
    talk = [f"sign {given.sign_lang}"] if given.sign_lang else []
    talk += [mode.replace("_", " ") for mode in given.modes]
    talk += [f"language {given.languages[0]}"] if given.languages else []
    moves = [given.moves.replace("_", " ")] if given.moves != "walks" else []
    moves += [f"carry {given.carriers_needed}"] if given.carriers_needed else []
    moves += [f"{given.assist_min} min"] if given.assist_min else []
    power = given.power_device != "none"
    backup = f"power: {'?' if given.backup_min is None else given.backup_min} min of battery" if power else ""
    wake = given.wake_note or ("bed shaker" if given.night_alert == "bed_shaker" else "")
    door = "cannot open the door" if given.cannot_open_door else ""
    return Dossier(
        call_name=given.call_name,
        address=given.address,
        people=given.people_at_home,
        wake="; ".join(part for part in (wake, door) if part),
        talk=given.talk_note or ", ".join(talk),
        moves=given.moves_note or ", ".join(moves) or "walks",
        note="; ".join(part for part in (backup, given.note) if part),
        floor=given.floor,
    )
