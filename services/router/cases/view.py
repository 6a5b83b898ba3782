"""Reads cases, the worst first, with the seconds left on the clock and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypedDict

import sqlalchemy as sa

from services.router.policy.vocabulary import FIRE_SERVICE
from services.router.store import tables
from services.router.store.cases import NOBODYS, OPEN, WORDS_GO, CaseRow, case, event
from services.shared.database.batches import one_of
from services.shared.database.engine import Connection
from services.shared.database.rows import row_of, rows_of
from services.shared.errors import NotFound
from services.shared.i18n import english, mark
from services.shared.ledger.answers import answer_log
from services.shared.ledger.deliveries import with_more
from services.shared.ledger.help_wanted import HelpWanted, help_number, wanted_in_chain
from services.shared.ledger.states import STOPPED
from services.shared.ledger.tables import Delivery, delivery
from services.shared.ledger.warnings import warning_state

CLOSED_SHOWN = 50
SHOWN = 200
ORDER = {"opened": 0, "text": 1}  # of what happened at one instant; a door taken from one team, then given to another


class CaseEvent(TypedDict):
    """What happened in a case, when (seconds since 1970) and by whom; `sent`: what became of an answer."""

    at: float
    what: str
    by: str
    words: str
    sent: str


class CaseTotals(TypedDict):
    """How many cases are open in all, the shown and the others."""

    open: int
    help: int
    question: int
    nobodys: int


# `help_number` is what the caller was told their call is known by; `wanted`, `people` (0: not said) and whether there is a number
# to call back are what they said with it; times are seconds since 1970; `left` and `waiting_s` are seconds
CaseState = TypedDict(
    "CaseState",
    {
        "case_id": str, "warning_id": str, "person_id": str, "kind": str, "state": str, "opened_at": float, "owner": str,
        "taken_at": float | None, "team": str, "rescue": bool, "left": int | None, "told": int, "late": bool,
        "waiting_s": int, "closed_at": float | None, "closed_by": str, "close_reason": str, "zone_id": str,
        "needs": list[str], "channel": str, "from": str, "can_answer": bool, "history": list[CaseEvent],
        "help_number": str, "wanted": list[str], "people": int, "call_back": bool,
    },
)  # fmt: skip
NOT_SENT = ("failed", "suppressed", "expired", "cancelled")
_Place = tuple[str, tuple[str, ...]]  # zone and need groups


class _Event(NamedTuple):
    case_id: str
    at: float
    what: str
    by: str
    note: str
    words: str | None
    said_by: str | None
    send_state: str | None
    state_reason: str | None


class _Answered(NamedTuple):
    """The message a case answered, with what was said with a call for help: (when, words)."""

    channel: str
    addressee_kind: str
    words: list[tuple[float, str]]


class _About(NamedTuple):
    about: str


async def cases(db: Connection, warning_id: str, now: float) -> list[CaseState]:
    """Open cases of a warning and its chain: nobody's first, help before questions, the shortest clock first; then the
    last closed ones.

    Of the open ones the first SHOWN; `totals` counts all.
    `owner` is who said "I have it", `team` whose list the door is on; `left` the seconds until it is told again.
    """
    mine = sa.select(case).where(case.c.warning_id.in_(await _chain(db, warning_id)))
    standing = await rows_of(db, CaseRow, mine.where(OPEN))
    closed = mine.where(sa.not_(OPEN)).order_by(case.c.closed_at.desc())
    done = await rows_of(db, CaseRow, closed.limit(CLOSED_SHOWN))
    first = sorted(standing, key=_worst)
    return await _all_of(db, [*first[:SHOWN], *done], now)


def without_people(shown: Sequence[CaseState]) -> list[CaseState]:
    """The same for somebody who may watch and not handle them: no person, need, zone or words of anybody."""
    return [
        {
            **one, "person_id": "", "zone_id": "", "needs": [], "help_number": "", "wanted": [], "people": 0,
            "history": [{**e, "words": ""} for e in one["history"]],
        }
        for one in shown
    ]  # fmt: skip


async def case_shown(db: Connection, case_id: str, now: float) -> CaseState:
    """One case, also where so many are open that a list ends before it."""
    row = await row_of(db, CaseRow, sa.select(case).where(case.c.case_id == case_id))
    if row is None:
        raise NotFound(f"there is no case {case_id}", field="case_id", given=case_id)
    return (await _all_of(db, [row], now))[0]


async def _all_of(db: Connection, shown: Sequence[CaseRow], now: float) -> list[CaseState]:
    events = await _events(db, [c.case_id for c in shown])
    phones = await _phones(db, [c.delivery_id for c in shown])
    answerable = await phones_of(db, [c.delivery_id for c in shown])
    places = await _places(db, [(c.warning_id, c.person_id) for c in shown if c.person_id])
    calls = [c for c in shown if c.kind == "help"]
    wanted = await wanted_in_chain(db, calls[0].warning_id, [c.person_id for c in calls]) if calls else {}
    chain = await chain_of(db, shown[0].warning_id) if shown else ""
    return [
        _one(
            c, help_number(chain, c.person_id), wanted.get(c.person_id) if c.kind == "help" else None,
            events.get(c.case_id, []), phones.get(c.delivery_id), places.get((c.warning_id, c.person_id)), now,
            can_answer=c.delivery_id in answerable,
        )
        for c in shown
    ]  # fmt: skip


async def totals(db: Connection, warning_id: str) -> CaseTotals:
    """How many are open in all, the shown and the others: `open`, of them `help`, `question`, and `nobodys`."""
    nobodys = sa.func.coalesce(sa.func.sum(sa.case((NOBODYS, 1), else_=0)), 0)
    mine = case.c.warning_id.in_(await _chain(db, warning_id))
    counted = sa.select(case.c.kind, sa.func.count(), nobodys).where(mine, OPEN)
    found = {kind: (int(n), int(free)) for kind, n, free in await db.execute(counted.group_by(case.c.kind))}
    calls, questions = found.get("help", (0, 0))[0], found.get("question", (0, 0))[0]
    nobodys_ = sum(free for _, free in found.values())
    return {"open": calls + questions, "help": calls, "question": questions, "nobodys": nobodys_}


async def chain_of(db: Connection, warning_id: str) -> str:
    """The chain a warning stands in. NotFound where it is none."""
    chain = await db.scalar(sa.select(warning_state.c.chain_id).where(warning_state.c.warning_id == warning_id))
    if chain is None:
        raise NotFound(f"there is no warning {warning_id}", field="warning_id", given=warning_id)
    return str(chain)


async def _chain(db: Connection, warning_id: str) -> list[str]:
    """All warnings of its chain: a call for help outlives the warning it was made under. NotFound where it is none."""
    chain = await chain_of(db, warning_id)
    return list(await db.scalars(sa.select(warning_state.c.warning_id).where(warning_state.c.chain_id == chain)))


def state_of(row: CaseRow) -> str:
    """open (nobody's), owned, or closed."""
    if row.closed_at is not None:
        return "closed"
    return "owned" if row.taken_by or row.owner not in ("", FIRE_SERVICE) else "open"


def _worst(row: CaseRow) -> tuple[bool, bool, bool, float, float, str]:
    due = row.due_at if row.due_at is not None else row.opened_at
    return state_of(row) != "open", row.kind != "help", row.told == 0, due, row.opened_at, row.case_id


async def _events(db: Connection, ids: Sequence[str]) -> dict[str, list[_Event]]:
    """History by case, oldest first; a text's words come from where they were written down, and an answer's fate."""
    query = (
        sa.select(
            event.c.case_id, event.c.at, event.c.what, event.c.by, event.c.note, answer_log.c.note.label("words"),
            answer_log.c.by.label("said_by"), delivery.c.send_state, delivery.c.state_reason,
        )
        .outerjoin(answer_log, answer_log.c.event_key == event.c.event_key)
        .outerjoin(delivery, delivery.c.delivery_id == event.c.event_key)
        .where(one_of(event.c.case_id, sorted(ids)))
        .order_by(event.c.at, event.c.event_key)
    )  # fmt: skip
    found: dict[str, list[_Event]] = {}
    for row in await rows_of(db, _Event, query):
        found.setdefault(row.case_id, []).append(row)
    return found


async def _phones(db: Connection, ids: Sequence[str]) -> dict[str, _Answered]:
    """The message each case answered, with the words last said with a call for help."""
    asked = one_of(delivery.c.delivery_id, sorted({i for i in ids if i}))
    query = sa.select(delivery.c.delivery_id, delivery.c.channel, delivery.c.addressee_kind).where(asked)
    found = {one: _Answered(channel, kind, []) for one, channel, kind in await db.execute(query)}
    said = sa.select(answer_log).where(one_of(answer_log.c.delivery_id, sorted(found)), answer_log.c.answer == "help")
    for row in await db.execute(said.order_by(answer_log.c.at, answer_log.c.event_key)):
        if row.note:
            found[row.delivery_id].words.append((row.at, row.note))
    return found


async def phones_of(db: Connection, ids: Sequence[str]) -> dict[str, Delivery]:
    """Case's delivery > the one an answer goes by: itself if its channel carries words, else what the same addressee had
    about the same person by one that does; nothing for a door or an area."""
    theirs = delivery.alias("theirs")
    query = (
        sa.select(delivery, theirs.c.delivery_id.label("about"))
        .join(
            theirs,
            sa.and_(
                theirs.c.warning_id == delivery.c.warning_id, theirs.c.person_id == delivery.c.person_id,
                theirs.c.addressee_id == delivery.c.addressee_id, theirs.c.addressee_kind == delivery.c.addressee_kind,
            ),
        )
        .where(
            one_of(theirs.c.delivery_id, sorted({i for i in ids if i})),
            delivery.c.addressee_kind.not_in(("door", "area")),
            delivery.c.sealed.is_not(None),
            delivery.c.channel.in_(WORDS_GO),
        )
        .order_by(
            delivery.c.delivery_id != theirs.c.delivery_id, delivery.c.attempts == 0, delivery.c.due_at,
            delivery.c.delivery_id,
        )
    )  # fmt: skip
    found: dict[str, Delivery] = {}
    for one, beside in await with_more(db, _About, query):
        found.setdefault(beside.about, one)
    return found


async def phone_of(db: Connection, delivery_id: str) -> Delivery | None:
    """The delivery an answer to a case goes by; None where it came from no phone."""
    return (await phones_of(db, [delivery_id])).get(delivery_id)


async def _places(db: Connection, about: Sequence[tuple[str, str]]) -> dict[tuple[str, str], _Place]:
    """(warning, person) > zone and need groups."""
    path = tables.path.c
    theirs = (path.warning_id.in_({w for w, _ in about}), one_of(path.person_id, sorted({p for _, p in about})))
    rows = (
        await db.execute(sa.select(path.warning_id, path.person_id, path.zone_id, path.profile_key).where(*theirs))
    ).all()
    profiles = await tables.profiles_of(db, {r.profile_key for r in rows})
    return {(r.warning_id, r.person_id): (r.zone_id, profiles[r.profile_key].groups) for r in rows}


def _one(
    row: CaseRow,
    number: str,
    wanted: HelpWanted | None,
    events: Sequence[_Event],
    phone: _Answered | None,
    place: _Place | None,
    now: float,
    *,
    can_answer: bool,
) -> CaseState:
    zone, groups = place if place is not None else ("", ())
    told: list[CaseEvent] = [] if row.kind != "help" or phone is None else [
        {"at": at, "what": "text", "by": "", "words": words, "sent": ""} for at, words in phone.words
    ]  # fmt: skip
    history: list[CaseEvent] = told + [
        {
            "at": e.at, "what": e.what, "by": e.said_by or e.by, "words": e.words or e.note,
            "sent": "" if e.what != "answered" else _sent(e),
        }
        for e in events
    ]  # fmt: skip
    return {
        "case_id": row.case_id, "warning_id": row.warning_id, "person_id": row.person_id, "kind": row.kind,
        "state": state_of(row), "opened_at": row.opened_at, "owner": row.taken_by, "taken_at": row.taken_at,
        "team": row.owner if row.owner != FIRE_SERVICE else "", "rescue": row.owner == FIRE_SERVICE,
        "left": None if row.due_at is None else round(row.due_at - now), "told": row.told,
        "late": row.due_at is not None and (row.told > 0 or row.due_at <= now),
        "waiting_s": round(now - row.opened_at), "closed_at": row.closed_at, "closed_by": row.closed_by,
        "close_reason": row.close_reason, "zone_id": zone, "needs": list(groups),
        "channel": phone.channel if phone is not None else "", "from": phone.addressee_kind if phone is not None else "",
        "can_answer": can_answer, "help_number": number if row.kind == "help" and row.person_id else "",
        "wanted": wanted.words if wanted is not None else [], "people": wanted.people if wanted is not None else 0,
        "call_back": wanted is not None and bool(wanted.sealed),
        "history": sorted(history, key=lambda h: (h["at"], ORDER.get(h["what"], 2), h["by"] != "")),
    }  # fmt: skip


def _sent(row: _Event) -> str:
    """What became of an answer: on its way, out, or why not."""
    if row.send_state is None:
        return mark("on its way")
    if row.send_state == "suppressed" and row.state_reason == STOPPED:
        return mark("not sent: this phone said STOP; call, or send somebody")
    if row.send_state in NOT_SENT:
        return english("not sent: {reason}", reason=row.state_reason or row.send_state)
    return str(row.send_state)
