"""The community as it really is: who is behind each number, mailbox and door, and who has left by when."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

from services.registry.model.given import PersonIn
from services.registry.model.needs import flags, groups
from services.registry.sample.sample import Community

Role = Literal["person", "helper", "officer", "duty"]
NOT_OF_US = "anyone"


@dataclass(frozen=True)
class Someone:
    """One person, supporter, team of officers or duty desk, by what matters for how they act."""

    id: str
    role: Role = "person"
    groups: frozenset[str] = frozenset({"general"})
    flags: frozenset[str] = frozenset()
    older: bool = False
    away: bool = False
    relayed: bool = False  # a member of the household who hears well answers this contact
    landline: bool = False
    near: bool = False  # a helper who lives where the person lives

    @property
    def stays(self) -> bool:
        """Whether the person cannot leave without help."""
        return "cannot_leave" in self.flags

    @property
    def deaf(self) -> bool:
        return "deaf" in self.flags and not self.relayed

    @property
    def resident(self) -> bool:
        return self.groups != {"general"}

    def any_of(self, *found: str) -> bool:
        """Whether the person is in any of these need groups."""
        return bool(self.groups.intersection(found))


@dataclass(frozen=True)
class FrontDoor:
    """Behind a door: the people of it, or a facility."""

    someone: Someone
    facility: bool = False


class Neighbourhood:
    """An index of a community. `left` holds the warning time from which somebody is gone."""

    def __init__(self, community: Community | None, year: int) -> None:
        self._by_number: dict[str, list[Someone]] = defaultdict(list)
        self._by_name: dict[str, list[tuple[re.Pattern[str], FrontDoor]]] = defaultdict(list)
        self.left: dict[str, float] = {}
        if community is not None:
            self._index(community, year)

    def _index(self, community: Community, year: int) -> None:
        for person in community.people:
            self._person(person, year)
        for facility in community.facilities:
            house = Someone(facility.facility_id, "duty", frozenset({"facility"}), frozenset({"cannot_leave"}))
            for contact in facility.contacts:
                self._by_number[contact.address].append(house)
            self._by_name[facility.name].append((_whole(facility.address), FrontDoor(house, facility=True)))
        for worker in community.workers:
            for number in sorted({c.address for c in worker.contacts}):
                self._by_number[number].append(Someone(worker.worker_id, "officer"))

    def _person(self, person: PersonIn, year: int) -> None:
        found = groups(person, year)
        age = person.age(year)
        facts = (frozenset(found), frozenset(flags(person, year, found)), age is not None and age >= 70)
        here: dict[str, Someone] = {}
        for contact in person.contacts:
            known = here.get(contact.address)
            here[contact.address] = Someone(
                person.person_id,
                "person",
                *facts,
                away=person.status == "away",
                relayed=contact.household or (known is not None and known.relayed),
                landline=contact.kind == "voice_landline" and known is None,
            )
        for address, someone in here.items():
            self._by_number[address].append(someone)
        self._by_name[person.call_name].append(
            (
                _whole(person.address),
                FrontDoor(Someone(person.person_id, "person", *facts, away=person.status == "away")),
            )
        )
        for n, helper in enumerate(person.supporters):
            one = Someone(f"{person.person_id}:helper:{n}", "helper", near=not helper.outside_zone)
            for number in sorted({c.address for c in helper.contacts}):
                self._by_number[number].append(one)

    def behind(self, address: str) -> list[Someone]:
        """Who reads or answers at this number or mailbox; nobody we know is one general adult."""
        return self._by_number.get(address) or [Someone(f"{NOT_OF_US}:{address}")]

    def at_door(self, words: str) -> FrontDoor | None:
        """Who lives at the door of an officer's list, by its name and address; None where it does not say."""
        for name, doors in self._by_name.items():
            if name in words:
                for place, door in doors:
                    if place.search(words):
                        return door
        return None

    def leaves(self, someone: Someone, when: float) -> None:
        """Notes that from `when` the person is not at home any more; the earliest of several holds."""
        self.left[someone.id] = min(when, self.left.get(someone.id, when))

    def gone(self, someone: Someone, now: float) -> bool:
        """Whether the person has left before `now`. What happens at this very moment does not count, whichever ran
        first."""
        return someone.away or self.left.get(someone.id, now) < now


def _whole(address: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(address)}(?!\d)") if address else re.compile(r"(?!)")
