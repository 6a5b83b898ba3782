"""Puts whoever was registered into the register, tells them where somebody else did it, and notes whom staff must see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import sqlalchemy as sa

from services.registry.importing.assisted_entry import Entered, Yes, enter
from services.registry.importing.write import taken
from services.registry.model.facts import Provenance
from services.registry.model.given import ConsentIn, PersonIn, Purpose
from services.registry.people import repository
from services.registry.people.records import PersonRecord
from services.registry.people.rows import by_position
from services.registry.people.sources import Statement
from services.registry.people.update import hand_of, said, today
from services.registry.registering.answers_given import REACHES, helpers_said, person_said
from services.registry.registering.half_filled import HalfFilled
from services.registry.registering.villages import Spot
from services.registry.resident.access import TO_REGISTER, Access, SealedContact, entry_of
from services.registry.resident.changes import keep_notice
from services.registry.resident.helpers import invite
from services.registry.store import register
from services.registry.store.resident_tables import errand
from services.shared.audit import trail
from services.shared.bus.outbox import new_id, publish
from services.shared.clock import wall
from services.shared.database.engine import Connection
from services.shared.database.rows import columns, rows_of
from services.shared.errors import TooMany
from services.shared.i18n import language
from services.shared.powers.who import Who
from services.shared.service import Platform

NOTICE = "register 1"  # version of what the page on consent says
PURPOSES: tuple[Purpose, ...] = (
    "warn_me", "emergency_share", "share_officer_peacetime", "share_supporter_peacetime", "drill", "statistics",
)  # fmt: skip
TOLD_S = 7 * 86_400.0
TOLD_A_DAY = 3  # to one phone, whoever registers it
MOST_BY_ONE_PHONE = 10
ERRANDS_PER_ORIGIN = 5  # an hour, from one network address
ERRANDS_OPEN = 500  # of people who gave no phone: more are nobody's to visit
Why = Literal["not_proven", "not_told", "no_place"]


def needed(half: HalfFilled) -> Why | None:
    """Why staff must come by; None where they need not."""
    if half.whom == "self" and half.reach == "none":
        return "not_proven"
    if not half.village:
        return "no_place"
    if half.whom == "other" and half.reach == "none":
        return "not_told"
    return None


async def put_in(platform: Platform, access: Access, half: HalfFilled, spot: Spot, origin: str) -> str:
    """The new person's id. Nobody is warned whose phone or place nobody knows: they wait for a visit. TooMany where too
    many wait already."""
    person_id, day, why = new_id(), today(), needed(half)
    own = half.whom == "self"
    unheard = False
    contact: dict[str, object] = {"given_by": "self", "verified_on": day} if own else {"given_by": "proxy"}
    values = person_said(half, spot, contact) | {
        "person_id": person_id,
        "supporters": helpers_said(half, day, language()),
        "consents": _consents(half),
    }
    who = said("self", "self") if own else Provenance("proxy", day, "somebody for them")
    write_context = hand_of(platform.keys)
    async with platform.database.write() as tx:
        await repository.alone(tx)
        if not own and REACHES[half.reach]:
            unheard = not await _may_be_told(tx, access, access.contact_key(REACHES[half.reach][0], half.number))
            why = why or ("not_told" if unheard else None)
        if unheard or why in ("not_proven", "no_place"):
            values["status"] = "suspended"
        if why is not None:
            await _note_errand(tx, person_id, why, origin)
        record = taken(None, Statement(PersonIn.model_validate(values), who), write_context)
        rows = [record.rows()]
        await repository.whole_households(tx, rows)
        await repository.keep(tx, rows, [write_context.key_row] if write_context.key_row else [])
        await trail.record(tx, who.by, "person.register", person_id, half.whom, {"errand": why or ""})
        await _write_to(tx, access, record, own=own or unheard)
    platform.bus.wake()
    return person_id


async def _may_be_told(tx: Connection, access: Access, key: str) -> bool:
    """Whether a phone or mailbox may be told that somebody registered it. Else staff tell them, and nothing is sent there
    before: strangers fill nobody's phone, with word of it or with warnings to people who do not exist."""
    theirs = [seat for seat in await access.seats(tx, key) if seat.role == "self"]
    return len(theirs) < MOST_BY_ONE_PHONE and await access.may_write_unasked(tx, key, TOLD_A_DAY)


async def put_in_beside(platform: Platform, access: Access, half: HalfFilled, spot: Spot, worker: Who) -> str:
    """The same with a worker beside them, in whose name it stands in the log. NotAllowed beyond the area of their key."""
    contact: dict[str, object] = {"given_by": "officer", "verified_on": today()}
    person = person_said(half, spot, contact) | {"supporters": helpers_said(half, today(), language())}
    if not half.village:
        person["status"] = "suspended"
    agreed = tuple(p for p in PURPOSES if p in half.agreed)
    refused = tuple(p for p in PURPOSES if p not in half.agreed)
    yes = Yes.model_validate(
        {"by": "self", "method": half.method, "notice_version": NOTICE, "purposes": agreed, "refused": refused}
    )
    done = await enter(platform, Entered(person=person, yes=yes), worker=worker)
    person_id = done["person_id"]
    async with platform.database.write() as tx:
        if not half.village:
            await _note_errand(tx, person_id, "no_place", "")
        await _write_to(tx, access, await repository.load_one(tx, person_id), own=True)
    platform.bus.wake()
    return person_id


def _consents(half: HalfFilled) -> list[dict[str, object]]:
    """Their own yes and no; where somebody else registers them nobody has asked them yet."""
    if half.whom == "self":
        decisions = {p: "given" if p in half.agreed else "refused" for p in PURPOSES}
        shared: dict[str, object] = {"by": "self", "method": "online", "notice_version": NOTICE}
    else:
        decisions = dict.fromkeys(PURPOSES, "not_asked")
        shared = {"by": "proxy", "method": "online", "basis": "vital_interest"}
    return [
        ConsentIn.model_validate({"purpose": p, "decision": d, **shared}).model_dump() for p, d in decisions.items()
    ]


async def _note_errand(tx: Connection, person_id: str, why: Why, origin: str) -> None:
    count = sa.select(sa.func.count()).select_from(errand)
    lately = (errand.c.origin == origin, errand.c.asked_at > wall() - 3600)
    waiting = (errand.c.state == "open", errand.c.why == "not_proven")
    here = int(await tx.scalar(count.where(*lately)) or 0) if origin else 0
    unproven = int(await tx.scalar(count.where(*waiting)) or 0) if why == "not_proven" else 0
    if here >= ERRANDS_PER_ORIGIN or unproven >= ERRANDS_OPEN:
        raise TooMany(
            "too many people wait for a visit just now: call the hotline, or register with a phone", retry_after=3600
        )
    row = {"errand_id": new_id(), "person_id": person_id, "why": why, "origin": origin, "asked_at": wall()}
    await tx.execute(sa.insert(errand).values(row | {"state": "open", "settled_by": ""}))


async def _write_to(tx: Connection, access: Access, record: PersonRecord, *, own: bool) -> None:
    """Asks a helper who has not agreed; tells the person where somebody else registered them."""
    for supporter in by_position(record.supporters):
        if not supporter["accepted_on"]:
            await invite(tx, access, record.person_id, supporter["supporter_id"])
    if own:
        return
    found = sa.select(*columns(SealedContact, register.contact)).where(register.contact.c.owner_id == record.person_id)
    rows: Sequence[SealedContact] = await rows_of(tx, SealedContact, found.order_by(register.contact.c.position))
    for row in rows[:1]:
        notice_id = new_id()
        await keep_notice(tx, notice_id, record.person_id, "registered_for_you", row.contact_id)
        channel = TO_REGISTER[row.kind]
        message = access.notice(
            notice_id, "registered_for_you", record.person_id, entry_of(row), channel, language(), TOLD_S
        )
        await publish(tx, [message])
