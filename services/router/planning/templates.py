"""Plans once for all people who are alike to a policy, and fills in who each of them is. Pure.

What is planned hangs on a person's profile, on the kinds of their contacts and helpers, where officers are on shift on their
grid, and where zones have ways out of their own on their zone. So it is worked out for somebody with marks in the place of ids
and addresses, by the same walk as for anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import NamedTuple

import msgspec

from services.router.planning.plan import Person
from services.router.planning.rows import message_id, rescue_id, visit_id
from services.shared.ledger.deliveries import NewDelivery
from services.shared.ledger.kinds import DeliveryKind
from services.shared.messages import ContactEntry, PersonEntry, Profile, SupporterEntry

MARK = "\0"  # in no id: what stands after it says whose place it holds
Shape = tuple[object, ...]


class PathStart(NamedTuple):
    """What becomes of a new path, but for who it is about."""

    state: str
    ending: str
    end_reason: str
    ended_at: float | None
    next_step: int
    next_at: float | None


class PersonPlan(NamedTuple):
    """One person's path and its first deliveries."""

    start: PathStart
    rows: list[NewDelivery]


Plan = Callable[[Person, str], PathStart]  # walks a person's first steps; the text is why they are not told, or empty


class Templates:
    """The plans of one page; `plan` is what is filled in, `grids` whether officers of a person's grid may be asked,
    `zones` whether the time to turn back hangs on the zone."""

    def __init__(self, plan: Plan, *, grids: bool, zones: bool) -> None:
        self._plan = plan
        self._grids, self._zones = grids, zones
        self._known: dict[tuple[str, Shape, str, str, str, str], tuple[PathStart, list[_Row]]] = {}

    def planned(self, entry: PersonEntry, profile: Profile, enough: str, barred: str = "") -> PersonPlan:
        """The same as walking this person's steps; `enough` is why they are not told, `barred` why their door is forbidden."""
        shape = _shape(entry)
        if shape is None:
            return self._one(entry, profile, enough, barred)
        grid, zone = entry.grid_id if self._grids else "", entry.zone_id if self._zones else ""
        key = (profile.key, shape, grid, zone, enough, barred)
        found = self._known.get(key)
        if found is None:
            start, rows = self._one(_marked(entry), profile, enough, barred)
            found = self._known[key] = (start, [_Row(row) for row in rows])
        return PersonPlan(found[0], [row.filled(entry) for row in found[1]])

    def _one(self, entry: PersonEntry, profile: Profile, enough: str, barred: str) -> PersonPlan:
        person = Person(entry, profile, [], barred=barred)
        start = self._plan(person, enough)
        return PersonPlan(start, [row for row in person.deliveries if isinstance(row, NewDelivery)])


def _shape(entry: PersonEntry) -> Shape | None:
    """What a plan can tell of somebody's contacts and helpers.

    None where two of them have one id, which a plan compares: such a person is planned alone.
    """
    own = tuple([(c.kind, c.usable, c.unverified) for c in entry.contacts])
    if not entry.supporters:
        ids = [c.contact_id for c in entry.contacts]
        return (own,) if len(set(ids)) == len(ids) else None
    ids = [c.contact_id for c in chain(entry.contacts, *(s.contacts for s in entry.supporters))]
    helpers = {s.supporter_id for s in entry.supporters}
    if len(set(ids)) < len(ids) or len(helpers) < len(entry.supporters):
        return None
    theirs = (
        (s.outside_zone, s.at_home, s.language, tuple([(c.kind, c.usable) for c in s.contacts]))
        for s in entry.supporters
    )
    return (own, *theirs)


def _marked(entry: PersonEntry) -> PersonEntry:
    """Somebody of the same shape whose ids say whose they are, by their places."""
    return msgspec.structs.replace(
        entry,
        person_id=MARK,
        dossier=b"",
        key_id=MARK,
        contacts=_marked_contacts(entry.contacts, ""),
        supporters=tuple(
            SupporterEntry(f"{MARK}{n}", s.outside_zone, s.language, _marked_contacts(s.contacts, f"{n}"), s.at_home)
            for n, s in enumerate(entry.supporters)
        ),
    )


def _marked_contacts(contacts: Sequence[ContactEntry], whose: str) -> tuple[ContactEntry, ...]:
    return tuple(
        ContactEntry(f"{MARK}{whose}:{n}", c.kind, f"{MARK}{n}", b"", MARK, c.usable, c.unverified)
        for n, c in enumerate(contacts)
    )


class _Row:
    """A delivery of somebody marked, and where what is marked in it is found."""

    def __init__(self, sample: NewDelivery) -> None:
        self._sample = sample
        self._helper = _place(sample.addressee_id)
        self._is_theirs = sample.addressee_id == MARK
        whose, _, n = sample.contact_id.removeprefix(MARK).partition(":")
        self._contact = (int(whose) if whose else None, int(n)) if sample.contact_id.startswith(MARK) else None

    def filled(self, entry: PersonEntry) -> NewDelivery:
        """The same delivery to or about this person."""
        sample, person_id = self._sample, entry.person_id
        addressee_id, contact_id, address_key = sample.addressee_id, sample.contact_id, sample.address_key
        sealed, key_id = sample.sealed, sample.key_id
        if self._is_theirs:
            addressee_id = person_id
        elif self._helper is not None:
            addressee_id = entry.supporters[self._helper].supporter_id
        if self._contact is not None:
            whose, n = self._contact
            contact = entry.contacts[n] if whose is None else entry.supporters[whose].contacts[n]
            contact_id, address_key, sealed, key_id = (
                contact.contact_id, contact.address_key, contact.sealed, contact.key_id
            )  # fmt: skip
        match sample.kind:
            case DeliveryKind.VISIT:
                one = visit_id(sample.warning_id, person_id, sample.try_no)
                address_key = address_key.replace(MARK, person_id)
            case DeliveryKind.RESCUE:
                one = rescue_id(sample.warning_id, person_id)
                address_key = address_key.replace(MARK, person_id)
            case _:
                one = message_id(sample.warning_id, addressee_id, person_id, sample.channel, contact_id, sample.try_no)
        return msgspec.structs.replace(
            sample,
            delivery_id=one,
            person_id=person_id,
            addressee_id=addressee_id,
            about_id=person_id if sample.about_id else "",
            contact_id=contact_id,
            address_key=address_key,
            sealed=sealed,
            key_id=key_id,
            dossier=None if sample.dossier is None else entry.dossier,
            dossier_key_id=entry.key_id if sample.dossier_key_id else "",
        )


def _place(addressee_id: str) -> int | None:
    """Which of their helpers it is; None where it is none of them."""
    return int(addressee_id[len(MARK) :]) if addressee_id.startswith(MARK) and addressee_id != MARK else None
