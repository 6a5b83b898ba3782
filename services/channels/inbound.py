"""Replies: what a digit or word means, whose it is, and for which message when a phone has several."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from services.channels.opening import reference
from services.shared.db import Connection
from services.shared.ledger import DIGITS, Answer, delivery, warning_state

_REPLY = re.compile(r"^\s*([1-5])(?:\D+(\d{4}))?\s*\W*$")
_COUNT = re.compile(r"^\s*[nN]\s*(\d{1,2})\s*$")
_WORDS = {
    Answer.HELP: ("help", "need help", "sos", "帮助", "要帮助", "救命", "求助"),
    Answer.LEAVING: ("leaving", "going", "已走", "已动身", "走了"),
    Answer.SAFE: ("safe", "i am safe", "平安", "安全"),
    Answer.NOT_THERE: ("not there", "not home", "away", "不在家", "不在"),
}
BY = {"person": "person", "facility": "person", "supporter": "supporter", "worker": "officer"}


@dataclass(frozen=True)
class Inbound:
    """One reply as it came: the phone's address is used to find the delivery and is not stored."""

    kind: str
    address: str
    text: str
    event_key: str


@dataclass(frozen=True)
class Reply:
    """What a reply says: an answer, a count of people, a reference to one message, or free text."""

    answer: Answer | None
    ref: str = ""
    count: int = 0


def answer_of(digit: str) -> Answer | None:
    """The one digit table; 9 and everything else is no answer."""
    return DIGITS.get(digit)


def by_of(addressee_kind: str) -> str:
    """Who speaks when this addressee answers."""
    return BY.get(addressee_kind, "person")


def read_reply(text: str) -> Reply:
    """A digit, a digit with a reference, N and a count, or a word in the languages we know."""
    if match := _REPLY.match(text):
        return Reply(answer_of(match.group(1)), match.group(2) or "")
    if match := _COUNT.match(text):
        return Reply(None, count=int(match.group(1)))
    plain = text.strip().strip(".!?。！？").lower()
    for answer, words in _WORDS.items():
        if plain in words:
            return Reply(answer)
    return Reply(None)


async def candidates(db: Connection, address_key: str) -> Sequence[Any]:
    """Deliveries of active warnings to this address that may have been received, newest warning first."""
    rows = await db.execute(
        sa.select(delivery)
        .join(warning_state, warning_state.c.warning_id == delivery.c.warning_id)
        .where(
            delivery.c.address_key == address_key,
            delivery.c.purpose != "notice",
            warning_state.c.state == "active",
            delivery.c.attempts > 0,
        )
        .order_by(warning_state.c.released_at.desc(), delivery.c.due_at.desc(), delivery.c.delivery_id)
    )
    return rows.all()


def choose(rows: Sequence[Any], reply: Reply) -> Any | None:
    """The delivery a reply is for: by its reference; else the newest it can be about, if that is one person; else None.

    Who is warned herself and also helps somebody on the same phone speaks of herself with 1, 2 and 3, and of the one
    she helps with 4 and 5: only a choice between two people she helps has to be asked.
    """
    if reply.ref:
        return next((row for row in rows if reference(row.delivery_id) == reply.ref), None)
    newest = [row for row in rows if row.warning_id == rows[0].warning_id] if rows else []
    of_others = [row for row in newest if row.addressee_kind in ("supporter", "worker")]
    of_herself = [row for row in newest if row.addressee_kind not in ("supporter", "worker")]
    meant = of_others if reply.answer in (Answer.SPOKE, Answer.CANNOT_REACH) else of_herself
    meant = meant or newest
    return meant[0] if len({row.person_id for row in meant}) == 1 else None
