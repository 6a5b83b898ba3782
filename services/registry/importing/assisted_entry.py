"""Enters a person with a worker beside them: what they said, and their own yes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypedDict

import pydantic
from pydantic import Field

from services.registry.importing.write import taken
from services.registry.model.facts import Provenance
from services.registry.model.given import MINOR_AGE, ConsentIn, Given, Method, PersonIn, Purpose
from services.registry.people import repository
from services.registry.people.mass_changes import point_at
from services.registry.people.sources import Statement
from services.registry.people.update import hand_of, today
from services.shared.audit import trail
from services.shared.bus.outbox import new_id
from services.shared.errors import Refused
from services.shared.powers.may import Thing, must
from services.shared.powers.power import Power
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.web.answers import refused_by


class Yes(Given):
    """The person's own word: who said it (self, or a minor's guardian), how, to which notice, for which purposes."""

    by: str = Field(max_length=80)
    method: Method
    notice_version: str = Field(min_length=1, max_length=20)
    purposes: tuple[Purpose, ...] = Field(min_length=1)
    refused: tuple[Purpose, ...] = ()


class Entered(Given):
    """The person's fields as PersonIn has them, without ids; `told_by` is who sat there."""

    person: dict[str, object]
    yes: Yes | None = None
    told_by: str = Field("self", pattern="^(self|proxy)$")


class PersonEntered(TypedDict):
    """The new person's id, and what follows from the answers."""

    person_id: str
    kind: str
    groups: list[str]
    flags: list[str]
    channels: list[str]


async def enter(platform: Platform, entered: Entered, *, worker: Who) -> PersonEntered:
    """Puts a person into the register; answers person_id, groups, flags and channels. Refused without their own yes.

    NotAllowed where they live outside the area of the worker's key.
    """
    person_id = new_id()
    try:
        given = PersonIn.model_validate({**entered.person, "person_id": person_id})
    except pydantic.ValidationError as wrong:
        raise refused_by(wrong) from wrong
    must(worker, Power.ENTER, Thing(field="person.lat", shapes=(point_at(given.lat, given.lon),)))
    now = datetime.fromtimestamp(platform.clock.now(), UTC)
    consents = _consents(entered.yes, given, now.year, worker.label)
    given = given.model_copy(update={"consents": (*given.consents, *consents)})
    write_context = hand_of(platform.keys, year=now.year)
    who = Provenance(entered.told_by, today(), worker.label)
    async with platform.database.write() as tx:
        await repository.alone(tx)
        record = taken(None, Statement(given, who), write_context, authority=worker.authority)
        rows = [record.rows()]
        await repository.whole_households(tx, rows)
        await repository.keep(tx, rows, [write_context.key_row] if write_context.key_row else [])
        await trail.record(tx, worker.label, "person.enter", person_id, entered.told_by, {"consents": len(consents)})
    facts = record.profile
    return {
        "person_id": person_id,
        "kind": facts.kind,
        "groups": list(facts.groups),
        "flags": list(facts.flags),
        "channels": list(facts.channels),
    }


def _consents(yes: Yes | None, given: PersonIn, year: int, worker: str) -> list[ConsentIn]:
    if yes is None or given.consents:
        raise _no_yes(
            "yes", None, f"ask them, and send yes: by self, method, notice_version, purposes ({worker} cannot)"
        )
    if yes.by not in ("self", "guardian"):
        raise _no_yes("yes.by", yes.by, "a yes is the person's own, or a minor's guardian's: ask them")
    age = given.age(year)
    if yes.by == "guardian" and (age is None or age >= MINOR_AGE):
        raise _no_yes("yes.by", yes.by, "an adult decides alone: ask them, with whatever help they want")
    basis = "guardian_consent" if yes.by == "guardian" else "consent"
    shared = {"basis": basis, "by": yes.by, "method": yes.method, "notice_version": yes.notice_version}
    decisions = dict.fromkeys(yes.purposes, "given") | dict.fromkeys(yes.refused, "refused")
    return [ConsentIn.model_validate({"purpose": p, "decision": d, **shared}) for p, d in decisions.items()]


def _no_yes(field: str, given: object, remedy: str) -> Refused:
    return Refused(
        "nobody is entered without the person's own yes", field=field, rule="own yes", given=given, remedy=remedy
    )
