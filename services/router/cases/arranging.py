"""Arranges open cases for a desk: by village, within it by danger; and gathers what opens who calls.

The place of a case does not depend on who has it: whoever takes one finds it where it was. Who has it, and for how long
nobody, is said in the case, and `owner` leaves the others out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import sqlalchemy as sa
from aiohttp import web

from services.router.cases.view import CaseState, phones_of
from services.router.store import tables
from services.router.store.cases import CaseRow, case
from services.shared.database.batches import one_of
from services.shared.database.engine import Connection
from services.shared.database.rows import rows_of
from services.shared.ledger.help_wanted import wanted_in_chain
from services.shared.ledger.opened_calls import HelpCall, Sealed
from services.shared.web.cookies import COOKIE, cookie_of

LIFE = (  # who does not get away alone, or dies without power: their call comes first
    "power_medical", "deafblind", "mobility", "lift_dependent", "newborn_or_late_pregnancy", "basement", "facility",
)  # fmt: skip
PHONES = ("voice_mobile", "voice_landline", "sms")
Owned = Literal["", "none", "some"]


class Wanted(NamedTuple):
    """What a desk wants to see: a village, a kind, with or without an owner; empty for all."""

    village: str = ""
    kind: str = ""
    owner: Owned = ""


class Village(NamedTuple):
    """The cases of one village, the most dangerous first."""

    zone_id: str
    cases: Sequence[CaseState]


def asked_of(request: web.Request) -> Wanted:
    """From the address; what is no choice of ours is none."""
    given = request.query
    owner: Owned = next((one for one in get_args(Owned) if one == given.get("owner")), "")
    return Wanted(
        given.get("village", "")[:64], given.get("kind", "") if given.get("kind") in ("help", "question") else "", owner
    )


def at_risk(one: CaseState) -> bool:
    """Whether it is a call for help of somebody whose life hangs on others."""
    return one["kind"] == "help" and not set(LIFE).isdisjoint(one["needs"])


def danger(one: CaseState) -> tuple[bool, bool, float, str]:
    """Where it stands: lives first, help before questions, the longest waiting first."""
    return not at_risk(one), one["kind"] != "help", one["opened_at"], one["case_id"]


def by_village(cases: Sequence[CaseState], asked: Wanted) -> list[Village]:
    """The wanted cases by village, the village with the most dangerous one first."""
    wanted = [
        one
        for one in cases
        if asked.village in ("", one["zone_id"])
        and asked.kind in ("", one["kind"])
        and (not asked.owner or (asked.owner == "none") == (one["state"] == "open"))
    ]
    found: dict[str, list[CaseState]] = {}
    for one in sorted(wanted, key=danger):
        found.setdefault(one["zone_id"], []).append(one)
    return [Village(zone_id, mine) for zone_id, mine in found.items()]


def sign_in_of(request: web.Request) -> str:
    """Tells one sign-in of somebody from another; the same for every request by a key."""
    return hashlib.sha256(cookie_of(request, COOKIE).encode()).hexdigest()[:16]


async def calls_of(db: Connection, cases: Sequence[CaseState]) -> list[HelpCall]:
    """What opens name, street and telephones of these cases' people, the most dangerous first."""
    ids = [one["case_id"] for one in cases if one["person_id"]]
    rows = await rows_of(db, CaseRow, sa.select(case).where(one_of(case.c.case_id, sorted(ids))))
    came_by = {row.case_id: row.delivery_id for row in rows}
    phones = await phones_of(db, list(came_by.values()))
    path = tables.path.c
    people = sorted({row.person_id for row in rows})
    entries = {
        (row.warning_id, row.person_id): tables.decode_person(row.entry)
        for row in await db.execute(
            sa.select(path.warning_id, path.person_id, path.entry).where(
                path.warning_id.in_({row.warning_id for row in rows}), one_of(path.person_id, people)
            )
        )
    }
    wanted = await wanted_in_chain(db, cases[0]["warning_id"], people) if people else {}
    calls: list[HelpCall] = []
    for one in sorted(cases, key=danger):
        entry = entries.get((one["warning_id"], one["person_id"]))
        if entry is None or one["case_id"] not in came_by:
            continue
        numbers: dict[str, Sealed] = {}
        if one["kind"] == "help" and (said := wanted.get(one["person_id"])) is not None and said.sealed:
            numbers["call back"] = Sealed("call_back", said.owner, said.key_id, said.sealed)
        phone = phones.get(came_by[one["case_id"]])
        if phone is not None and phone.sealed is not None and phone.channel not in ("email", "push", "chat"):
            numbers[phone.address_key] = Sealed(phone.addressee_kind, phone.contact_id, phone.key_id, phone.sealed)
        for contact in entry.contacts:
            if contact.kind in PHONES and contact.usable:
                own = Sealed("person", contact.contact_id, contact.key_id, contact.sealed)
                numbers.setdefault(contact.address_key, own)
        calls.append(
            HelpCall(
                one["case_id"], one["warning_id"], one["person_id"], one["kind"], one["opened_at"], one["owner"], one["team"],
                one["zone_id"], tuple(one["needs"]), at_risk(one), entry.dossier, tuple(numbers.values()),
            )
        )  # fmt: skip
    return calls
