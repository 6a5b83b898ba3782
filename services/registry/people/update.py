"""Changes single things of one person: an answer, a channel, a helper, whereabouts, consents.

Everything that follows is derived again in the same transaction: groups, flags, profile, counts by cell, the card at the
door. Only what changed is sealed again, contact ids stay, and the act is in the audit log by field names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol, cast

import pydantic
import sqlalchemy as sa

from services.registry.model.facts import FACILITY, HOME, PLACE, STATUS, Provenance
from services.registry.model.given import (
    ANSWERS,
    LOCAL_LANGUAGES,
    WG,
    ConsentIn,
    ContactIn,
    PersonIn,
    StayIn,
    SupporterIn,
)
from services.registry.people import repository
from services.registry.people.records import HOUSE_TEXTS, TEXTS, PersonRecord
from services.registry.people.write_context import WriteContext
from services.registry.store import register
from services.shared.audit import trail
from services.shared.clock import wall
from services.shared.database.engine import Connection
from services.shared.errors import NotFound, Refused
from services.shared.model_faults import said_of


class SealingKeys(Protocol):
    """What the register needs of an installation's keys: it can seal and find, and not open."""

    @property
    def public(self) -> bytes: ...

    @property
    def index(self) -> bytes: ...


@dataclass(frozen=True)
class Changes:
    """What to change; what is left out stays.

    `answers` by name (ANSWERS, or `status`); `texts` call_name, address, wake, talk, moves, note (sealed at once);
    `place` (lat, lon) with `zone_id`, `grid_id`, `walk_seq`. `channel` changes single contacts by id: said_no, not_hers,
    order, hours, household, safe, verified_on. `helper` changes single supporters by id: accepted_on, order, can,
    distance_min, outside_zone, at_home, relation, language. Stays replace those of their kind; `no_stays` names kinds to end.
    """

    answers: Mapping[str, object] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    place: tuple[float, float] | None = None
    zone_id: str = ""
    grid_id: str = ""
    walk_seq: int = 0
    contacts: Sequence[ContactIn] = ()
    channel: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    drop_contacts: Sequence[str] = ()
    supporters: Sequence[SupporterIn] = ()
    helper: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    drop_supporters: Sequence[str] = ()
    stays: Sequence[StayIn] = ()
    no_stays: Sequence[str] = ()
    consents: Sequence[ConsentIn] = ()


@dataclass(frozen=True)
class Revision:
    """What came of it: names of what changed, names where another source counts and a conflict is shown."""

    changed: tuple[str, ...]
    lost: tuple[str, ...]
    supporter_ids: tuple[str, ...] = ()


def said(source: str, by: str, *, on: str = "", source_id: str = "", until: str = "") -> Provenance:
    """Who says it, today if no day is given."""
    return Provenance(source, on or today(), by, source_id, until)


def today() -> str:
    """The ISO date of the wall clock in UTC."""
    return datetime.fromtimestamp(wall(), UTC).date().isoformat()


def hand_of(keys: SealingKeys, *, year: int = 0, local: tuple[str, ...] = LOCAL_LANGUAGES) -> WriteContext:
    """A hand for one transaction."""
    day = today()
    return WriteContext(keys.public, keys.index, day, year or int(day[:4]), local)


async def update_person(
    tx: Connection,
    keys: SealingKeys,
    person_id: str,
    changes: Changes,
    by: Provenance,
    *,
    reason: str = "",
    year: int = 0,
    local: tuple[str, ...] = LOCAL_LANGUAGES,
) -> Revision:
    """Changes one person or facility within the caller's transaction.

    What is true of the home (floor, lift, basement, how many) is changed for everybody in the household. NotFound where
    nobody has that id; Refused where an answer, contact or supporter is none, naming it.
    """
    await repository.alone(tx)
    write_context = hand_of(keys, year=year, local=local)
    record = await repository.load_one(tx, person_id)
    answers = _checked(record, changes)
    merged = record.answers(answers, by, write_context)
    changed = set(merged.changed)
    texts = HOUSE_TEXTS if record.house else TEXTS
    if unknown := sorted(set(changes.texts) - set(texts)):
        raise _no_such("texts", unknown[0], texts)
    changed |= record.texts(dict(changes.texts), by, write_context)
    moved = PLACE in merged.changed
    if moved:
        record.household_id = person_id
    record.zone_id = changes.zone_id or record.zone_id
    record.grid_id = changes.grid_id or record.grid_id
    record.walk_seq = changes.walk_seq or record.walk_seq
    changed |= _channels(record, changes, by, write_context)
    supporter_ids = record.take_supporters(changes.supporters, by, write_context) if changes.supporters else []
    changed |= _helpers(record, changes) | ({"supporters"} if supporter_ids else set())
    if changes.no_stays or changes.stays:
        record.stays = {k: row for k, row in record.stays.items() if row["kind"] not in changes.no_stays}
        record.take_stays(changes.stays, write_context)
        changed.add("stays")
    record.take_consents(changes.consents, write_context)
    changed |= {f"consent.{c.purpose}" for c in changes.consents}
    record.derive(write_context)
    family = await _family(
        tx, record, {k: v for k, v in answers.items() if k in HOME & merged.changed}, by, write_context
    )
    everyone = [one.rows() for one in (record, *family)]
    if moved:
        await repository.whole_households(tx, everyone[:1])
    await repository.keep(tx, everyone, [write_context.key_row] if write_context.key_row else [])
    lost = sorted({c["field"] for c in record.conflicts.values() if c["state"] == "open"} - merged.changed)
    detail = {"changed": sorted(changed), "lost": lost, "household": len(family)}
    await trail.record(tx, by.by, "person.revise", person_id, reason or by.source, detail)
    return Revision(tuple(sorted(changed)), tuple(lost), tuple(supporter_ids))


async def _family(
    tx: Connection, record: PersonRecord, home: dict[str, object], by: Provenance, write_context: WriteContext
) -> list[PersonRecord]:
    """The others at home, with the same answers about it."""
    if not home or record.house or record.facility_id:
        return []
    ids = await tx.scalars(
        sa.select(register.person.c.person_id).where(
            register.person.c.household_id == record.household_id, register.person.c.person_id != record.person_id
        )
    )
    found = list((await repository.load(tx, list(ids))).values())
    for one in found:
        one.answers(home, by, write_context)
        one.derive(write_context)
    return found


def _checked(record: PersonRecord, changes: Changes) -> dict[str, object]:
    """The answers as they are stored; Refused names the first that is none."""
    allowed = (*(FACILITY if record.house else ANSWERS), STATUS)
    if unknown := sorted(set(changes.answers) - set(allowed)):
        raise _no_such("answers", unknown[0], allowed)
    lat, lon = changes.place or record.place
    given = dict(changes.answers)
    wg = {name: given.pop(name) for name in WG if name in given}
    try:
        if record.house:
            stored = record.facility().model_dump(exclude={"contacts", "languages"})  # what is only kept is not judged
            values = stored | given | {"lat": lat, "lon": lon}
            checked: dict[str, object] = type(record.facility()).model_validate(values).model_dump(mode="json")
        else:
            whole = {"person_id": record.person_id, "lat": lat, "lon": lon, "wg": wg, **given}
            one = PersonIn.model_validate(whole)
            checked = one.model_dump(mode="json", exclude={"wg"}) | one.wg.model_dump()
    except pydantic.ValidationError as wrong:
        first = wrong.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"] if part != "wg")
        raise Refused(
            f"{name}: {said_of(first).sentence}",
            field=name,
            rule=first["type"],
            given=first.get("input"),
            remedy="correct it",
        ) from wrong
    found = {name: checked[name] for name in changes.answers}
    if changes.place is not None:
        found[PLACE] = [lat, lon]
    return found


def _no_such(what: str, name: str, known: Iterable[str]) -> Refused:
    return Refused(
        f"there is no {name!r} in {what}",
        field=name,
        rule="known",
        given=name,
        remedy=f"use {', '.join(sorted(known))}",
    )


_CHANNEL = {
    "order": "position",
    "hours": "hours",
    "household": "household",
    "safe": "safe",
    "verified_on": "verified_on",
}
_HELPER = {
    "accepted_on": "accepted_on", "order": "position", "can": "can", "distance_min": "distance_min",
    "outside_zone": "outside_zone", "at_home": "at_home", "relation": "relation", "language": "language",
}  # fmt: skip


def _channels(record: PersonRecord, changes: Changes, by: Provenance, write_context: WriteContext) -> set[str]:
    changed = set()
    if changes.contacts:
        record.take_channels(changes.contacts, by, write_context)
        changed.add("contacts")
    for contact_id, how in changes.channel.items():
        if contact_id not in record.contacts:
            raise _not_there("contact", contact_id)
        row = cast(dict[str, object], record.contacts[contact_id])
        for name, value in how.items():
            if name in ("said_no", "not_hers"):
                row["why_not"] = name if value else ""
                row["source_id"] = ""  # theirs now: no list takes it back
            elif name in _CHANNEL:
                row[_CHANNEL[name]] = value
            else:
                raise _no_such("channel", name, (*_CHANNEL, "said_no", "not_hers"))
            changed.add(f"contact.{name}")
    for contact_id in changes.drop_contacts:
        if record.contacts.pop(contact_id, None) is None:
            raise _not_there("contact", contact_id)
        changed.add("contacts")
    return changed


def _helpers(record: PersonRecord, changes: Changes) -> set[str]:
    changed = set()
    for supporter_id, how in changes.helper.items():
        if supporter_id not in record.supporters:
            raise _not_there("supporter", supporter_id)
        row = cast(dict[str, object], record.supporters[supporter_id])
        for name, value in how.items():
            if name not in _HELPER:
                raise _no_such("helper", name, _HELPER)
            row[_HELPER[name]] = list(cast(Sequence[str], value)) if name == "can" else value
            changed.add(f"supporter.{name}")
    for supporter_id in changes.drop_supporters:
        if supporter_id not in record.supporters:
            raise _not_there("supporter", supporter_id)
        record.drop_supporter(supporter_id)
        changed.add("supporters")
    return changed


def _not_there(what: str, one_id: str) -> NotFound:
    return NotFound(f"they have no {what} {one_id[:32]}", field=what, rule="known", given=one_id[:32])
