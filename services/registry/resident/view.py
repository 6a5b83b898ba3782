"""Reads what a resident's pages show from register, ledger and audit log."""

from __future__ import annotations

from math import cos, hypot, radians
from typing import NamedTuple, TypedDict

import sqlalchemy as sa

from services.registry.lookup.pages import answers_of as all_answers
from services.registry.model.answer_words import KINDS, OTHERS, name_of
from services.registry.model.facts import SEALED
from services.registry.model.given import QUESTIONS
from services.registry.people.records import TEXTS, PersonRecord
from services.registry.people.rows import by_position
from services.registry.store import register
from services.registry.store.resident_tables import notice
from services.shared.audit.shown import looks_shown
from services.shared.database.engine import Connection
from services.shared.database.rows import columns, rows_of
from services.shared.i18n import t
from services.shared.ledger.tables import DOOR_DRIVER, ON_A_LIST, delivery
from services.shared.web.opening_order import CALLS_OPENED

LOOKS = {  # act in the audit log > what it is called
    "people.listed": "look_listed", "people.look": "look_look", "people.open": "look_open", "read_path": "look_path",
    CALLS_OPENED: "look_called", "open_list": "look_list", "person.revise": "look_revise",
}  # fmt: skip
WHOSE = {"guardian": "role_guardian", "supporter": "role_supporter"}
SHOWN = 200
TO_BRING = (
    "sign_lang", "modes", "moves", "carriers_needed", "power_device", "backup_min", "assist_min", "night_alert", "languages",
)  # fmt: skip
WAITING = ("pending", "retry", "leased", "sending", "unknown")
PURPOSES = (
    "share_officer_peacetime", "share_supporter_peacetime", "emergency_share", "drill", "statistics",
)  # fmt: skip


class NearPlace(NamedTuple):
    """A place to go to."""

    name: str
    address: str
    route: str
    lat: float
    lon: float


class ChannelTest(NamedTuple):
    """A test of a channel, and what came of it."""

    contact_id: str
    asked_at: float
    send_state: str | None


class OwnContact(TypedDict):
    """A contact on its owner's page."""

    id: str
    kind: str
    words: str
    mask: str
    why_not: str
    no: bool
    verified_on: str
    safe: bool


async def looks_at(db: Connection, person_id: str) -> list[dict[str, object]]:
    """Every look at a person, the newest first: at, role, what, reason. Also at lists of doors that theirs was on."""
    log = looks_shown.c
    lists = sa.select(delivery.c.warning_id, delivery.c.slot).where(
        delivery.c.person_id == person_id, delivery.c.driver == DOOR_DRIVER, ON_A_LIST
    )
    on_lists = [
        sa.and_(log.act == "open_list", log.subject == row.warning_id, log.actor == f"officer:{row.slot}")
        for row in await db.execute(lists)
    ]
    own = sa.and_(log.subject == person_id, log.act.in_(LOOKS), log.actor != "self")
    found = sa.select(looks_shown).where(sa.or_(own, *on_lists)).order_by(log.n.desc()).limit(SHOWN)
    return [
        {
            "at": row.at,
            "role": _role(row.actor, row.act),
            "what": LOOKS[row.act],
            "reason": row.reason if row.act.startswith("people.") else "",  # typed by whoever looked
            "emergency": bool(row.emergency),
        }
        for row in await db.execute(found)
    ]


def _role(actor: str, act: str) -> str:
    """By what they do here, not by name."""
    if actor.startswith("officer"):
        return "role_officer"
    if act == "person.revise":
        return WHOSE.get(actor, "role_list")
    return "role_office"


async def consents_of(db: Connection, person_id: str) -> dict[str, str]:
    """Purpose > what the person said last; not_asked where nobody asked."""
    rows = await db.execute(
        sa.select(register.consent.c.purpose, register.consent.c.decision)
        .where(register.consent.c.person_id == person_id)
        .order_by(register.consent.c.at)
    )
    said = {row.purpose: row.decision for row in rows}
    return {purpose: said.get(purpose, "not_asked") for purpose in PURPOSES}


def contacts_of(record: PersonRecord) -> list[OwnContact]:
    """In the order of use; by their end."""
    why = {
        "said_no": "channel_never",
        "not_hers": "channel_never",
        "not_verified": "channel_unverified",
        "not_safe": "channel_unsafe",
    }
    return [
        {
            "id": row["contact_id"], "kind": row["kind"], "words": t(KINDS[row["kind"]]),
            "mask": row["mask"], "why_not": why.get(row["why_not"], ""),
            "no": row["why_not"] in ("said_no", "not_hers"), "verified_on": row["verified_on"], "safe": row["safe"],
        }
        for row in by_position(record.contacts)
    ]  # fmt: skip


def helpers_of(record: PersonRecord) -> list[dict[str, object]]:
    """In their order, by the first letter."""
    rows = by_position(record.supporters)
    return [
        {
            "id": row["supporter_id"], "mask": row["mask"] or "…", "relation": row["relation"], "can": list(row["can"]),
            "accepted_on": row["accepted_on"],
        }
        for row in rows
    ]  # fmt: skip


def answers_of(record: PersonRecord) -> list[dict[str, str]]:
    """All of them, each with the page that changes it."""
    found = all_answers(record, own=True)
    for one in found:
        name, part = one["name"], one["name"].removeprefix(SEALED)
        one["path"] = f"/me/answer/{name}" if name in QUESTIONS else f"/me/text/{part}" if part in TEXTS else ""
    return found


def missing(record: PersonRecord) -> list[tuple[str, str]]:
    """(fact, words) of what nobody has said yet."""
    marks = record.facts.marks
    texts = [
        (f"/me/text/{part}", f"sealed:{part}") for part in ("call_name", "address", "wake", "talk", "moves", "note")
    ]
    found = [(path, name_of(name)) for path, name in texts if name[7:] not in marks and name in OTHERS]
    return found + [(f"/me/answer/{name}", name_of(name)) for name in QUESTIONS if name not in record.facts.answers]


def bring(record: PersonRecord) -> list[dict[str, str]]:
    """The person's answers that say what somebody must bring or know."""
    plain = {"none", "walks", "", 0, None}
    names = {
        n
        for n in TO_BRING
        if (v := record.facts.answers.get(n)) not in ([], ()) and (isinstance(v, list) or v not in plain)
    }
    return [one for one in all_answers(record) if one["name"] in names]


async def place_for(db: Connection, record: PersonRecord) -> NearPlace | None:
    """The nearest place that is not closed and that the person can use: step-free, with power. None where there is
    none."""
    said, (lat, lon) = record.facts.answers, record.place
    where = [register.place.c.state != "closed"]
    if said.get("moves") in ("wheelchair", "stretcher") or said.get("walk") == 4:
        where.append(register.place.c.step_free)
    if said.get("power_device", "none") != "none":
        where.append(register.place.c.power)
    rows = await rows_of(db, NearPlace, sa.select(*columns(NearPlace, register.place)).where(*where).limit(5000))
    wide = cos(radians(lat))
    return min(rows, key=lambda p: hypot(p.lat - lat, (p.lon - lon) * wide), default=None)


async def last_tests(db: Connection, person_id: str) -> dict[str, tuple[float, str]]:
    """contact_id > (wall time, what came of it) of the newest test of each channel."""
    rows = await rows_of(
        db,
        ChannelTest,
        sa.select(*columns(ChannelTest, notice, delivery))
        .outerjoin(delivery, delivery.c.delivery_id == notice.c.notice_id)
        .where(notice.c.person_id == person_id, notice.c.kind == "channel_test")
        .order_by(notice.c.asked_at),
    )
    return {row.contact_id: (row.asked_at, _state(row.send_state)) for row in rows}


def _state(send_state: str | None) -> str:
    if send_state is None or send_state in WAITING:
        return "state_waiting"
    return {"accepted": "state_accepted", "unconfirmed": "state_accepted", "delivered": "state_delivered"}.get(
        send_state, "state_failed"
    )
