"""Matches a reply to a delivery: whose phone, which message of several, and what YES means there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import sqlalchemy as sa

from services.channels.messages.prepare import reference
from services.channels.replies.meaning import Reply
from services.shared.database.batches import one_of
from services.shared.database.engine import Connection
from services.shared.database.rows import rows_of
from services.shared.ledger.evidence import DIGITS, Answer
from services.shared.ledger.flights import calls_now
from services.shared.ledger.kinds import SAYS_NO_WARNING, DeliveryKind
from services.shared.ledger.params import Params
from services.shared.ledger.states import STOPPED, SendState
from services.shared.ledger.tables import delivery
from services.shared.ledger.warnings import warning_state
from services.shared.tiers import Tier

BY = {"person": "person", "facility": "person", "supporter": "supporter", "worker": "officer"}


class Candidate(NamedTuple):
    """A delivery that a reply can be about; `over` where an update has replaced its warning."""

    delivery_id: str
    warning_id: str
    kind: str
    tier: int
    person_id: str
    addressee_id: str
    addressee_kind: str
    channel: str
    language: str
    params: Params | None
    covers: int
    send_state: str
    state_reason: str
    attempts: int
    answer: str
    chain_id: str
    over: bool


class AboutSomebody(Protocol):
    """A delivery by whom it is about; empty for nobody who has a path."""

    @property
    def person_id(self) -> str: ...


def asks_of(row: AboutSomebody, answer: Answer | None) -> str:
    """An officer's call for help is about nobody who has a path: a person reads it at once."""
    return "urgent" if answer is Answer.HELP and not row.person_id else ""


def answer_of(digit: str) -> Answer | None:
    """The one digit table; 9 and everything else is no answer."""
    return DIGITS.get(digit)


def by_of(addressee_kind: str) -> str:
    """Who speaks when this addressee answers."""
    return BY.get(addressee_kind, "person")


def yes_means(row: Candidate) -> Answer | None:
    """The answer that a bare YES gives: the one thing the message asked. None where it asked several things, or
    nothing.

    Yellow asks only for who needs help; an official is only asked whether they have read it, a volunteer whether they go.
    """
    if row.kind == DeliveryKind.OFFICIAL:
        return Answer.SPOKE
    if row.kind == DeliveryKind.CALLOUT:
        return Answer.LEAVING
    if row.kind == DeliveryKind.WARNING and row.tier == Tier.YELLOW and row.addressee_kind in ("person", "facility"):
        return Answer.HELP
    return None


# who answers at once does so before the outcome of our call is on disk
_OF_A_DELIVERY = [
    calls_now().label("attempts") if name == "attempts" else delivery.c[name] for name in Candidate._fields[:-2]
]


async def candidates(db: Connection, address_keys: Sequence[str]) -> tuple[list[Candidate], list[Candidate]]:
    """Deliveries to this address a reply can be about, newest warning first, with `over`; and all of active warnings.

    The address comes under each key it may be known by. What may have been received comes first, also of a warning that
    an update has replaced (`over`): its text is what they have in hand until the new one comes. Behind it what was kept
    back because the number said STOP: who said so can still ask for help.
    """
    over = (warning_state.c.state != "active").label("over")
    active = sa.select(warning_state.c.chain_id).where(warning_state.c.state == "active")
    rows = await rows_of(
        db,
        Candidate,
        sa.select(*_OF_A_DELIVERY, warning_state.c.chain_id, over)
        .join(warning_state, warning_state.c.warning_id == delivery.c.warning_id)
        .where(
            one_of(delivery.c.address_key, address_keys),
            delivery.c.kind.not_in(SAYS_NO_WARNING),
            warning_state.c.state.in_(("active", "superseded")),
            warning_state.c.chain_id.in_(active),
        )
        .order_by(over, warning_state.c.released_at.desc(), delivery.c.due_at.desc(), delivery.c.delivery_id),
    )
    kept_back = [
        r for r in rows
        if not r.attempts and not r.over and (r.send_state, r.state_reason) == (SendState.SUPPRESSED, STOPPED)
    ]  # fmt: skip
    return [r for r in rows if r.attempts > 0] + kept_back, [r for r in rows if not r.over]


def going_on(row: Candidate, active: Sequence[Candidate]) -> Candidate:
    """The delivery on which somebody acts. Of a warning that was replaced, it is the addressee's delivery of the
    update about the same person, sent or not, or of another warning. Without one it is the row itself."""
    if not row.over:
        return row
    newer = [r for r in active if (r.person_id, r.addressee_id) == (row.person_id, row.addressee_id)]
    return min(newer, key=lambda r: (r.chain_id != row.chain_id, r.channel != row.channel), default=row)


def choose(rows: Sequence[Candidate], reply: Reply) -> Candidate | None:
    """The delivery a reply is for, by its reference. Without one it is the newest it can be about, if that is one
    person; else None.

    Who is warned and also helps somebody on the same phone speaks for themselves with 1, 2 and 3, and of the one they
    help with 4 and 5: only a choice between two people they help has to be asked.
    """
    if reply.ref:
        named = next((row for row in rows if reference(row.delivery_id) == reply.ref), None)
        if named is not None:
            return named
    newest = [row for row in rows if row.warning_id == rows[0].warning_id] if rows else []
    of_others = [row for row in newest if row.addressee_kind in ("supporter", "worker")]
    of_herself = [row for row in newest if row.addressee_kind not in ("supporter", "worker")]
    meant = of_others if reply.answer in (Answer.SPOKE, Answer.CANNOT_REACH) else of_herself
    meant = meant or newest
    return meant[0] if len({row.person_id for row in meant}) == 1 else None
