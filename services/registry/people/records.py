"""Keeps one person or facility in memory: what sources say goes in, what the policy may know comes out.

Nothing here can open a sealed value. A text or number that is given again is known by its keyed hash and not sealed
again, so contacts keep their ids and their ciphertext.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

import msgspec

from services.registry.geo.areas import cell_of
from services.registry.model.cards import card_of, card_of_house
from services.registry.model.facilities import FacilityIn, facility_profile
from services.registry.model.facts import (
    FACILITY,
    PLACE,
    SEALED,
    STATUS,
    FactConflict,
    Facts,
    Merged,
    Provenance,
    Voice,
    earliest,
    merge,
    said_by,
    weigh,
)
from services.registry.model.given import KEPT, WARNED, WG, ConsentIn, ContactIn, PersonIn, StayIn, SupporterIn, Wg
from services.registry.model.needs import in_order, profile
from services.registry.people.contacts import REFUSED, as_given, take_contacts, why_not
from services.registry.people.from_storage import unchecked
from services.registry.people.rows import (
    ConflictRow,
    ConsentRow,
    ContactRow,
    PersonRow,
    StayRow,
    SupporterRow,
    by_position,
)
from services.registry.people.write_context import WriteContext, mask_of
from services.shared.bus.outbox import id_of
from services.shared.clock import wall
from services.shared.crypto.dossier import Card, DossierPart, pack
from services.shared.crypto.sealing import address_key
from services.shared.messages import Profile

GIVEN_BY = {"self": "self", "proxy": "proxy", "officer_visit": "officer"}  # every list: record
TEXTS = {  # sealed part > field of what was given
    "call_name": "call_name", "address": "address", "wake": "wake_note", "talk": "talk_note", "moves": "moves_note",
    "note": "note",
}  # fmt: skip
HOUSE_TEXTS = {"call_name": "name", "address": "address", "note": "note"}
_person = unchecked(PersonIn)
_house = unchecked(FacilityIn)
_supporter = unchecked(SupporterIn)
_wg = unchecked(Wg)
_OCCUPIED = ("occupied_on", "occupied", "occupied_non_walking")
NOBODY = Profile(key="", kind="", groups=(), flags=(), language="", channels=())


@dataclass
class PersonRecord:
    """A person or facility with everything that hangs on it; rows are as the tables have them."""

    person_id: str
    house: bool = False
    facts: Facts = field(default_factory=Facts)
    household_id: str = ""
    facility_id: str | None = None
    zone_id: str = ""
    grid_id: str = ""
    walk_seq: int = 0
    parts: dict[str, DossierPart] = field(default_factory=dict)
    contacts: dict[str, ContactRow] = field(default_factory=dict)
    supporters: dict[str, SupporterRow] = field(default_factory=dict)
    helper_contacts: dict[str, dict[str, ContactRow]] = field(default_factory=dict)
    stays: dict[str, StayRow] = field(default_factory=dict)
    consents: list[ConsentRow] = field(default_factory=list)
    differing: dict[str, ConflictRow] = field(default_factory=dict)  # conflicts as they are stored
    conflicts: dict[str, ConflictRow] = field(default_factory=dict)  # new or changed ones
    agreed: set[str] = field(default_factory=set)  # conflicts that are none any more
    profile: Profile = NOBODY
    before: tuple[int, str, str] | None = None  # cell, profile key, status as they are stored
    authority: str = ""  # who entered them first; empty: nobody's

    # what it is now

    @property
    def status(self) -> str:
        return str(self.facts.answers.get(STATUS, "active"))

    @property
    def place(self) -> tuple[float, float]:
        """lat, lon."""
        lat, lon = cast(list[float], self.facts.answers[PLACE])
        return lat, lon

    def person(self) -> PersonIn:
        """As if given today, without names and numbers: what needs, groups and profile are derived from."""
        values = self._values(but=(PLACE, *WG))
        lat, lon = self.place
        values["wg"] = _wg(**{k: self.facts.answers[k] for k in WG if k in self.facts.answers})
        return _person(
            **values,
            person_id=self.person_id,
            household_id=self.household_id,
            facility_id=self.facility_id or "",
            lat=lat,
            lon=lon,
            contacts=tuple(as_given(row) for row in by_position(self.contacts)),
            supporters=tuple(self._helper(row) for row in by_position(self.supporters)),
        )

    def _helper(self, row: SupporterRow) -> SupporterIn:
        contacts = by_position(self.helper_contacts.get(row["supporter_id"], {}))
        return _supporter(
            relation=row["relation"],
            contacts=tuple(as_given(c) for c in contacts),
            outside_zone=row["outside_zone"],
            at_home=row["at_home"],
            accepted=bool(row["accepted_on"]),
        )

    def facility(self) -> FacilityIn:
        """The same of a facility."""
        lat, lon = self.place
        contacts = tuple(as_given(row) for row in by_position(self.contacts))
        values = self._values(but=(PLACE,))
        return _house(**values, facility_id=self.person_id, lat=lat, lon=lon, contacts=contacts)

    def _values(self, but: Sequence[str]) -> dict[str, object]:
        """The answers as a model keeps them."""
        answers = self.facts.answers.items()
        return {k: tuple(v) if isinstance(v, list) else v for k, v in answers if k not in but}

    # what sources say

    def learn(
        self, given: PersonIn | FacilityIn, who: Provenance, write_context: WriteContext, voice: Voice = "weighed"
    ) -> None:
        """One source's whole statement; a field that was not filled in says nothing.

        A source of another authority only adds: what differs waits as a conflict.
        """
        adds = voice == "adds"
        said = said_by(given) if isinstance(given, PersonIn) else _said_of_house(given)
        merged = self.answers(
            said | {STATUS: given.status, PLACE: [given.lat, given.lon]},
            who,
            write_context,
            implied=_implied(given),
            voice=voice,
        )
        if not adds:
            self._put_in_place(given, merged, who)
        if self.status not in KEPT:
            return
        texts = TEXTS if isinstance(given, PersonIn) else HOUSE_TEXTS
        texts_said = {name: text for name, f in texts.items() if (text := getattr(given, f))}
        self.texts(texts_said, who, write_context, voice)
        if given.contacts:
            self.take_channels(given.contacts, who, write_context, adds=adds)
        if isinstance(given, PersonIn):
            if given.supporters:
                self.take_supporters(given.supporters, who, write_context, adds=adds)
            there = {row["kind"] for row in self.stays.values()} if adds else set()
            self.take_stays([one for one in given.stays if one.kind not in there], write_context)
            if not adds:  # a decision of theirs is told to who keeps them
                self.take_consents(given.consents, write_context)
            elif given.consents:
                self._differ(FactConflict(f"consent.{one.purpose}", None, one.decision, who) for one in given.consents)

    def _put_in_place(self, given: PersonIn | FacilityIn, merged: Merged, who: Provenance) -> None:
        """Household, zone, grid and walk follow whoever says where the person lives."""
        if PLACE not in merged.changed and self.facts.source(PLACE) != who and self.household_id:
            return
        if isinstance(given, FacilityIn):
            self.household_id = given.facility_id
        else:
            moved = PLACE in merged.changed and self.before is not None
            if given.household_id or given.facility_id or not self.household_id or moved:
                self.household_id = given.home_id
            if given.facility_id or self.before is None:
                self.facility_id = given.facility_id or None
        self.zone_id = given.zone_id or self.zone_id
        self.grid_id = given.grid_id or self.grid_id
        self.walk_seq = given.walk_seq or self.walk_seq

    def answers(
        self,
        said: dict[str, object],
        who: Provenance,
        write_context: WriteContext,
        implied: frozenset[str] = frozenset(),
        voice: Voice = "weighed",
    ) -> Merged:
        """Single answers, also `status` and `place`; `implied` ones fill a gap and contradict nobody."""
        said = {k: v for k, v in said.items() if k not in implied or k not in self.facts.answers}
        merged = merge(self.facts, said, who, voice)
        self._differ(merged.conflicts)
        self.agreed |= {self._conflict_id(name, who) for name in merged.agreed} & set(self.differing)
        return merged

    def _conflict_id(self, name: str, who: Provenance) -> str:
        return id_of("conflict", self.person_id, name, who.source_id or who.by)

    def texts(
        self, said: dict[str, str], who: Provenance, write_context: WriteContext, voice: Voice = "weighed"
    ) -> set[str]:
        """Texts that are sealed; returns those that are new."""
        changed = set()
        for name, text in said.items():
            mark, field_ = write_context.mark(self.person_id, text), SEALED + name
            old = self.facts.marks.get(name)
            if old is not None:
                if old[0] == mark:
                    continue
                wins, conflict = weigh(name, old[1], mask_of(text), self.facts.source(field_), who, voice)
                if conflict is not None:
                    self._differ([conflict])
                if not wins:
                    continue
            self.facts.marks[name] = (mark, mask_of(text))
            self.facts.credit(field_, who)
            self.parts[name] = write_context.part(self.person_id, name, text.encode())
            changed.add(name)
        return changed

    def _differ(self, conflicts: Iterable[FactConflict]) -> None:
        for c in conflicts:
            conflict_id = self._conflict_id(c.field, c.source)
            old = self.differing.get(conflict_id)
            settled = c.settled_by
            if old is not None and old["kept"] == c.kept and old["other"] == c.other:
                settled = old["settled_by"]  # somebody looked at just this
            self.conflicts[conflict_id] = {
                "conflict_id": conflict_id,
                "person_id": self.person_id,
                "field": c.field,
                "kept": c.kept,
                "other": c.other,
                "source": c.source.source,
                "by": c.source.by,
                "recorded_on": c.source.on,
                "state": "settled" if settled else "open",
                "settled_by": settled,
            }
            self.agreed.discard(conflict_id)

    def take_channels(
        self, given: Sequence[ContactIn], who: Provenance, write_context: WriteContext, *, adds: bool = False
    ) -> None:
        """Numbers and addresses of one source; what the same list gave before for the same use goes."""
        if adds and (refused := sorted({c.kind for c in given if c.said_no})):
            self._differ(FactConflict(f"said_no.{kind}", False, True, who) for kind in refused)
        found = take_contacts(self.contacts, self.person_id, given, who, write_context, adds=adds)
        if who.source_id:
            kinds = {c.kind for c in given}
            for contact_id, row in list(self.contacts.items()):
                if contact_id not in found and row["source_id"] == who.source_id and row["kind"] in kinds:
                    del self.contacts[contact_id]

    def take_supporters(
        self, given: Sequence[SupporterIn], who: Provenance, write_context: WriteContext, *, adds: bool = False
    ) -> list[str]:
        """Helpers of one source; those whom the same list no longer names go. Returns their ids.

        Of who only `adds` none has accepted: whoever keeps the person asks them first.
        """
        found = []
        for one in given:
            first = one.contacts[0].address if one.contacts else one.name
            supporter_id = id_of("supporter", self.person_id, address_key(write_context.index, "email", first))
            found.append(supporter_id)
            old = self.supporters.get(supporter_id)
            if adds and old is not None and old["source_id"] != who.source_id:
                continue
            accepted = "" if adds else one.accepted_on or (write_context.today if one.accepted else "")
            if old is not None and old["mask"] == mask_of(one.name):
                name, key_id = old["name"], old["key_id"]
            else:
                name, key_id = write_context.sealer.seal(one.name.encode(), supporter_id), write_context.sealer.key_id
            self.supporters[supporter_id] = {
                "supporter_id": supporter_id,
                "person_id": self.person_id,
                "position": len(self.supporters) if old is None else old["position"],
                "relation": one.relation,
                "can": list(one.can),
                "distance_min": one.distance_min,
                "outside_zone": one.outside_zone,
                "at_home": one.at_home,
                "accepted_on": (old and old["accepted_on"]) or accepted,
                "language": one.language,
                "lat": one.lat,
                "lon": one.lon,
                "name": name,
                "key_id": key_id,
                "mask": mask_of(one.name),
                "source_id": who.source_id,
            }
            theirs = self.helper_contacts.setdefault(supporter_id, {})
            kept = take_contacts(theirs, supporter_id, sorted(one.contacts, key=lambda c: c.order), who, write_context)
            self.helper_contacts[supporter_id] = {k: v for k, v in theirs.items() if k in kept}
        if who.source_id:
            for supporter_id, row in list(self.supporters.items()):
                if row["source_id"] == who.source_id and supporter_id not in found:
                    self.drop_supporter(supporter_id)
        return found

    def drop_supporter(self, supporter_id: str) -> None:
        """Drops a supporter and their numbers."""
        self.supporters.pop(supporter_id, None)
        self.helper_contacts.pop(supporter_id, None)

    def take_stays(self, given: Sequence[StayIn], write_context: WriteContext) -> None:
        """Takes in where else the person may be; stays of the kinds that are given replace those there were."""
        kinds = {one.kind for one in given}
        self.stays = {k: row for k, row in self.stays.items() if row["kind"] not in kinds}
        for one in given:
            stay_id = id_of("stay", self.person_id, one.kind, one.since, one.hours, one.lat, one.lon)
            part = write_context.part(self.person_id, "stay", one.address.encode()) if one.address else None
            self.stays[stay_id] = {
                "stay_id": stay_id,
                "person_id": self.person_id,
                "kind": one.kind,
                "since": one.since,
                "until": one.until,
                "hours": one.hours,
                "lat": one.lat,
                "lon": one.lon,
                "cell": None if one.lat is None or one.lon is None else cell_of(one.lat, one.lon),
                "zone_id": one.zone_id,
                "grid_id": one.grid_id,
                "sealed": part.sealed if part else b"",
                "key_id": part.key_id.hex() if part else "",
            }

    def take_consents(self, given: Sequence[ConsentIn], write_context: WriteContext) -> None:
        """Decisions, kept beside those there were: the newest of a purpose counts."""
        for one in given:
            on = one.on or write_context.today
            self.consents.append(
                {
                    "consent_id": id_of("consent", self.person_id, *one.model_dump().values(), on),
                    "person_id": self.person_id,
                    "purpose": one.purpose,
                    "basis": one.basis,
                    "decision": one.decision,
                    "on": on,
                    "at": wall(),
                    "by": one.by,
                    "method": one.method,
                    "notice_version": one.notice_version,
                }
            )

    # what follows

    def derive(self, write_context: WriteContext) -> None:
        """Groups, flags and profile, the order of use, and the card; of somebody who left nothing else is kept."""
        if self.status not in KEPT:
            self._forget()
        if self.house:
            house = self.facility()
            self.profile, card = facility_profile(house, write_context.local), card_of_house(house)
        else:
            self._usable()
            person = self.person()
            self.profile, card = profile(person, write_context.year, write_context.local), card_of(person)
            self._in_own_order(person)
        for row in self.supporters.values():
            row["language"] = row["language"] or self.profile.language
        if self.status in KEPT:
            self._seal_card(card, write_context)
        self.facts.tidy()

    def _seal_card(self, card: Card, write_context: WriteContext) -> None:
        body = msgspec.msgpack.encode(card)
        mark = write_context.mark(self.person_id, body.hex())
        if self.facts.marks.get("card", ("", ""))[0] != mark:
            self.facts.marks["card"] = (mark, "")
            self.parts["card"] = write_context.part(self.person_id, "card", body)

    def _forget(self) -> None:
        self.contacts, self.supporters, self.helper_contacts, self.stays, self.parts = {}, {}, {}, {}, {}
        self.facts.marks = {}
        kept = FACILITY if self.house else ()
        self.facts.answers = {k: v for k, v in self.facts.answers.items() if k in (STATUS, PLACE, *kept)}

    def _usable(self) -> None:
        """Notes why each contact may not be used, by what the person and their supporters said."""
        hidden = bool(self.facts.answers.get("protected_address")) and any(c["safe"] for c in self.contacts.values())
        for row in self.contacts.values():
            why = why_not(row)
            # of who hides, a number that is not safe is that first: one nobody has verified is used in orange and red
            row["why_not"] = "not_safe" if hidden and not row["safe"] and why not in REFUSED else why
        for supporter_id, theirs in self.helper_contacts.items():
            accepted = bool(self.supporters[supporter_id]["accepted_on"])  # whoever accepted did so on them
            for row in theirs.values():
                why = why_not(row)
                row["why_not"] = "" if accepted and why == "not_verified" else why

    def _in_own_order(self, person: PersonIn) -> None:
        keyed = dict(zip(map(id, person.contacts), by_position(self.contacts), strict=True))
        for position, contact in enumerate(in_order(person)):
            keyed[id(contact)]["position"] = position

    # rows

    def person_row(self) -> PersonRow:
        """The row of registry_person."""
        lat, lon = self.place
        return {
            "person_id": self.person_id,
            "kind": self.profile.kind,
            "status": self.status,
            "household_id": self.household_id,
            "facility_id": self.facility_id,
            "lat": lat,
            "lon": lon,
            "cell": cell_of(lat, lon),
            "profile_key": self.profile.key,
            "zone_id": self.zone_id,
            "grid_id": self.grid_id,
            "walk_seq": self.walk_seq,
            "dossier": pack(self.parts.values()),
            "key_id": self.parts["card"].key_id.hex() if "card" in self.parts else "",
            "changed_at": wall(),
            "authority": self.authority,
        }

    def facts_row(self) -> dict[str, object]:
        """The row of registry_facts."""
        due, until = earliest(self.facts)
        body = msgspec.msgpack.encode(self.facts)
        return {"person_id": self.person_id, "body": body, "review_due": due, "valid_until": until}

    def facility_row(self) -> dict[str, object]:
        """The row of registry_facility."""
        said = self.facts.answers
        occupied = cast(Sequence[object], said.get("occupancy") or ("", None, None))
        return {
            "facility_id": self.person_id,
            "kind": said["kind"],
            "name": said["name"],
            "headcount_day": said.get("headcount_day", 0),
            "headcount_night": said.get("headcount_night", 0),
            "non_walking": said.get("non_walking", 0),
            "evac_min_day": said.get("evac_min_day"),
            "evac_min_night": said.get("evac_min_night"),
            "plan_on": said.get("plan_on", ""),
            **dict(zip(_OCCUPIED, occupied, strict=True)),
        }

    def rows(self) -> Rows:
        """What the tables get."""
        contacts = [
            *self.contacts.values(),
            *(row for theirs in self.helper_contacts.values() for row in theirs.values()),
        ]
        return Rows(
            person=self.person_row(),
            facts=self.facts_row(),
            facility=self.facility_row() if self.house else None,
            contacts=contacts,
            supporters=list(self.supporters.values()),
            stays=list(self.stays.values()),
            consents=self.consents,
            conflicts=list(self.conflicts.values()),
            agreed=sorted(self.agreed),
            profile=self.profile,
            before=self.before,
        )


@dataclass(slots=True)
class Rows:
    """A record ready to be written; small enough to cross from another process."""

    person: PersonRow
    facts: dict[str, object]
    facility: dict[str, object] | None
    contacts: list[ContactRow]
    supporters: list[SupporterRow]
    stays: list[StayRow]
    consents: list[ConsentRow]
    conflicts: list[ConflictRow]
    agreed: list[str]
    profile: Profile
    before: tuple[int, str, str] | None = None

    @property
    def person_id(self) -> str:
        return self.person["person_id"]

    @property
    def cell(self) -> int:
        return self.person["cell"]

    @property
    def warned(self) -> bool:
        return self.person["status"] in WARNED


def _implied(given: PersonIn | FacilityIn) -> frozenset[str]:
    return frozenset() if "status" in given.model_fields_set else frozenset((STATUS,))


def _said_of_house(given: FacilityIn) -> dict[str, object]:
    said = {name: getattr(given, name) for name in FACILITY if name in given.model_fields_set}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in said.items()}
