"""Shows all the register holds of one person: answers with who said them, masks of what is sealed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

import sqlalchemy as sa

from services.registry.audience.selection import hazards_at
from services.registry.model.facts import SEALED, old_since, review_due, valid_until
from services.registry.people import repository
from services.registry.people.records import PersonRecord
from services.registry.people.rows import ConflictRow, by_position
from services.registry.people.update import today
from services.registry.store import register
from services.shared.database.engine import Connection

_CONTACT = (
    "contact_id", "kind", "mask", "why_not", "given_by", "given_on", "verified_on", "hours", "household", "safe",
)  # fmt: skip
_SUPPORTER = (
    "supporter_id",
    "mask",
    "relation",
    "can",
    "distance_min",
    "outside_zone",
    "at_home",
    "accepted_on",
    "language",
)
_STAY = ("stay_id", "kind", "since", "until", "hours", "lat", "lon")


class FactView(TypedDict):
    """An answer with who said it, when, and until when it holds."""

    name: str
    value: object
    source: str
    by: str
    on: str
    review_due: str
    old: bool
    valid_until: str


class PersonView(TypedDict):
    """Everything of one person or facility as JSON."""

    person_id: str
    kind: str
    status: str
    household_id: str
    facility_id: str
    zone_id: str
    grid_id: str
    hazards: list[dict[str, object]]
    groups: list[str]
    flags: list[str]
    channels: list[str]
    facts: list[FactView]
    texts: list[dict[str, str]]
    contacts: list[dict[str, object]]
    supporters: list[dict[str, object]]
    stays: list[dict[str, object]]
    consents: list[dict[str, object]]
    conflicts: list[ConflictRow]
    lists: list[dict[str, object]]


async def person_view(db: Connection, person_id: str) -> PersonView:
    """Everything of one person or facility as JSON; NotFound where there is none. Whoever calls it audits the look.

    `facts`: name, value, source, by, on, review_due, old, valid_until; `texts`: name and mask; `contacts`, `supporters` (with
    theirs), `stays`, `consents` (newest first), `conflicts`,
    `lists` (which lists name them), `hazards` (of the zones their home lies in), `groups`, `flags`, `channels`.
    """
    record = await repository.load_one(db, person_id)
    profiles = await register.profiles_of(db, [record.before[1]] if record.before else [])
    facts = record.facts
    found = next(iter(profiles.values()))
    lists = await db.execute(
        sa.select(
            register.source.c.name, register.source.c.kind, register.source.c.last_import, register.listing.c.seen
        )
        .add_columns(register.source.c.imports)
        .join(register.listing, register.listing.c.source_id == register.source.c.source_id)
        .where(register.listing.c.person_id == person_id)
        .order_by(register.source.c.name)
    )
    consents = await db.execute(
        sa.select(register.consent)
        .where(register.consent.c.person_id == person_id)
        .order_by(register.consent.c.at.desc())
    )
    return {
        "person_id": person_id,
        "kind": found.kind,
        "status": record.status,
        "household_id": record.household_id,
        "facility_id": record.facility_id or "",
        "zone_id": record.zone_id,
        "grid_id": record.grid_id,
        "hazards": await hazards_at(db, *record.place),
        "groups": list(found.groups),
        "flags": list(found.flags),
        "channels": list(found.channels),
        "facts": [_fact(record, name) for name in sorted(facts.answers)],
        "texts": [
            {
                "name": name,
                "mask": mask,
                "source": facts.source(SEALED + name).source,
                "on": facts.source(SEALED + name).on,
            }
            for name, (_, mask) in sorted(facts.marks.items())
            if name != "card"
        ],
        "contacts": [_some(row, _CONTACT) for row in by_position(record.contacts)],
        "supporters": [
            _some(row, _SUPPORTER)
            | {"contacts": [_some(c, _CONTACT) for c in by_position(record.helper_contacts[row["supporter_id"]])]}
            for row in by_position(record.supporters)
        ],
        "stays": [_some(row, _STAY) for _, row in sorted(record.stays.items())],
        "consents": [
            {k: v for k, v in row.items() if k not in ("consent_id", "person_id")} for row in consents.mappings()
        ],
        "conflicts": [row for _, row in sorted(record.differing.items())],
        "lists": [
            {"name": row.name, "kind": row.kind, "last_import": row.last_import, "in_newest": row.seen >= row.imports}
            for row in lists
        ],
    }


def _fact(record: PersonRecord, name: str) -> FactView:
    who = record.facts.source(name)
    due = review_due(record.facts, name)
    return {
        "name": name,
        "value": record.facts.answers[name],
        "source": who.source,
        "by": who.by,
        "on": who.on,
        "review_due": due,
        "old": old_since(due, today()),
        "valid_until": valid_until(record.facts, name),
    }


def _some(row: Mapping[str, object], names: tuple[str, ...]) -> dict[str, object]:
    return {name: row[name] for name in names}
