"""Keeps the ledger: every delivery, its three facts, and the transitions allowed.

send_state   where the sending stands; moves only along TRANSITIONS, each move one conditional UPDATE
evidence     what was learnt of the person's perceiving it; only climbs
answer       what she (or who is with her) said; all are kept in `answer_log`, the most serious is shown

A delivery names one addressee; `delivery_cover` lists further people on the same phone. Times called due_at,
expires_at, *_at are warning time; lease_until is wall time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple

import sqlalchemy as sa

from services.shared.database.batches import chunks, one_of
from services.shared.database.engine import Connection, Id, metadata
from services.shared.ledger.kinds import SAYS_NO_WARNING, DeliveryKind
from services.shared.ledger.params import ParamsColumn


class SendState(StrEnum):
    """Terminal ones are final for decisions to send; a later receipt may still raise UNCONFIRMED or FAILED."""

    PENDING = "pending"
    LEASED = "leased"
    SENDING = "sending"
    RETRY = "retry"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    DELIVERED = "delivered"
    FAILED = "failed"
    UNCONFIRMED = "unconfirmed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    SUPPRESSED = "suppressed"


S = SendState
TRANSITIONS: frozenset[tuple[SendState, SendState]] = frozenset(
    {
        (S.PENDING, S.LEASED),
        (S.RETRY, S.LEASED),
        (S.LEASED, S.SENDING),
        (S.LEASED, S.PENDING),  # drained before anything was sent
        (S.LEASED, S.RETRY),  # the lease ran out before anything was sent
        (S.SENDING, S.ACCEPTED),
        (S.SENDING, S.RETRY),  # surely not accepted
        (S.SENDING, S.FAILED),  # refused for good
        (S.SENDING, S.UNKNOWN),  # ambiguous, or the lease ran out: never straight back to RETRY
        (S.SENDING, S.DELIVERED),  # a callback overtook the response
        (S.UNKNOWN, S.ACCEPTED),
        (S.UNKNOWN, S.DELIVERED),
        (S.UNKNOWN, S.FAILED),
        (S.UNKNOWN, S.RETRY),  # policy: red, no other channel, once
        (S.UNKNOWN, S.UNCONFIRMED),
        (S.ACCEPTED, S.DELIVERED),
        (S.ACCEPTED, S.FAILED),
        (S.ACCEPTED, S.UNCONFIRMED),
        (S.ACCEPTED, S.SUPERSEDED),  # a visit not begun is taken off the list again
        (S.UNCONFIRMED, S.DELIVERED),
        (S.FAILED, S.DELIVERED),
        # a late receipt for the attempt before: sending again would be a double we know of
        *((a, b) for a in (S.PENDING, S.RETRY, S.LEASED) for b in (S.ACCEPTED, S.DELIVERED)),
        *(
            (a, b)
            for a in (S.PENDING, S.RETRY, S.LEASED)
            for b in (S.EXPIRED, S.CANCELLED, S.SUPERSEDED, S.SUPPRESSED, S.FAILED)
        ),
    }
)
STOPPED = "stopped"  # the reason of what was not sent since the number said STOP
GONE = "gone"  # the reason of a push message whose subscription is no more
NO_VOLUNTEER = "no_volunteer"  # the reason of a video call nobody who signs could make
UNSENT = (S.PENDING, S.RETRY, S.LEASED)
MAY_HAVE_GOT_IT = (S.SENDING, S.UNKNOWN, S.ACCEPTED, S.DELIVERED, S.UNCONFIRMED)


class Evidence(IntEnum):
    """Weakest first; each word means only itself. Accepted is the provider's, heard is a person's."""

    NONE = 0
    ACCEPTED = 1
    DELIVERED = 2
    OPENED = 3
    ANSWERED = 4
    HEARD = 5
    ACKNOWLEDGED = 6
    HUMAN_CONTACT = 7


class Answer(StrEnum):
    """Most serious last. `help` never closes a path. `spoke` and `cannot_reach` are a supporter's or officer's."""

    CANNOT_REACH = "cannot_reach"
    SPOKE = "spoke"
    NOT_THERE = "not_there"
    LEAVING = "leaving"
    MOVING = "moving"
    SAFE = "safe"
    NO_ANSWER = "no_answer"
    REFUSED = "refused"
    UNSAFE = "unsafe"
    HELP = "help"


SERIOUSNESS = {answer: rank for rank, answer in enumerate(Answer)}
DIGITS = {  # one table on every channel; 9 says it again and is no evidence
    "1": Answer.LEAVING,
    "2": Answer.HELP,
    "3": Answer.NOT_THERE,
    "4": Answer.SPOKE,
    "5": Answer.CANNOT_REACH,
}

ENDINGS = (
    "closed",
    "sent",
    "officer_contact",
    "unconfirmed",
    "no_capacity",
    "handed_to_rescue",
    "unsafe_by_commander",
    "refused",
    "superseded",
    "cancelled",
    "not_asked",
)
MAY_REOPEN = ("closed", "sent", "officer_contact", "unconfirmed", "not_asked", "refused")  # by a call for help
MAY_STILL_CLOSE = ("sent", "officer_contact", "unconfirmed", "no_capacity", "handed_to_rescue", "refused", "not_asked")

warning_state = sa.Table(
    "warning_state",
    metadata,
    sa.Column("warning_id", Id, primary_key=True),
    sa.Column("chain_id", Id, nullable=False),
    sa.Column("tier", sa.SmallInteger, nullable=False),
    sa.Column("state", sa.String(12), nullable=False),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("purpose", sa.String(8), nullable=False),
    sa.Column("ending", sa.String(24), nullable=False, server_default=""),
    sa.Column("sent", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
    sa.Column("authority", sa.String(80), nullable=False),
    sa.Column("number", sa.String(8), nullable=False, comment="the short number people read out"),
    sa.Column("doors", sa.String(10), nullable=False, comment="may people be sent to doors"),
    sa.Column("doors_by", sa.String(80), nullable=False, server_default=""),
    sa.Column("released_at", sa.Float, comment="warning time"),
    sa.Column("ended_at", sa.Float, comment="warning time of cancel or supersession"),
    sa.CheckConstraint(
        "state IN ('draft','held','active','stored','parked','cancelled','superseded','withdrawn')", name="state"
    ),
    sa.CheckConstraint("kind IN ('alert','update','ending')", name="kind"),
    sa.CheckConstraint("doors IN ('allowed','ask','forbidden','unsafe')", name="doors"),
    sa.CheckConstraint("tier BETWEEN 0 AND 4", name="tier"),
)
sa.Index("ix_warning_state_number", warning_state.c.number)
sa.Index("ix_warning_state_state", warning_state.c.state, warning_state.c.expires_at)
sa.Index("ix_warning_state_chain", warning_state.c.chain_id)


class WarningState(NamedTuple):
    """What a warning is now."""

    warning_id: str
    chain_id: str
    tier: int
    state: str
    kind: str
    purpose: str
    ending: str
    sent: float
    expires_at: float
    authority: str
    number: str
    doors: str
    doors_by: str
    released_at: float | None
    ended_at: float | None


EXPIRED = "expired"


def state_at(state: str, expires_at: float, now: float) -> str:
    """What is said of a warning at a warning time: an active one whose time is over is `expired`.

    The stored word stays: a clock that was set wrong ends nothing for good, who answers late is still heard, doors under
    way go on, and a person can end it or send its update.
    """
    return EXPIRED if state == "active" and expires_at <= now else state


def in_force(now: float) -> sa.ColumnElement[bool]:
    """The same for a query: active, and its time is not over."""
    return sa.and_(warning_state.c.state == "active", warning_state.c.expires_at > now)


warning_text = sa.Table(
    "warning_text",
    metadata,
    sa.Column("warning_id", Id, primary_key=True),
    sa.Column("parts", sa.JSON, nullable=False, comment="language > source, hazard, place, action, time"),
    sa.Column("cap_xml", sa.LargeBinary, nullable=False, comment="the CAP 1.2 document broadcasters get"),
)

delivery = sa.Table(
    "delivery",
    metadata,
    sa.Column("delivery_id", Id, primary_key=True),
    sa.Column("warning_id", Id, nullable=False),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("tier", sa.SmallInteger, nullable=False),
    sa.Column("person_id", Id, nullable=False, comment="whom it is about; empty for an area"),
    sa.Column("addressee_id", Id, nullable=False, comment="who gets it: the person, a supporter, a worker, an area"),
    sa.Column("addressee_kind", sa.String(10), nullable=False),
    sa.Column("step", sa.String(24), nullable=False),
    sa.Column("channel", sa.String(24), nullable=False),
    sa.Column("driver", sa.String(24), nullable=False),
    sa.Column("form", sa.String(96), nullable=False),
    sa.Column(
        "about_id",
        Id,
        nullable=False,
        server_default="",
        comment="a helper's person, an ending's delivery, a callout, a notice, an official: one phone gets one of each",
    ),
    sa.Column("language", sa.String(20), nullable=False),
    sa.Column("try_no", sa.SmallInteger, nullable=False, server_default="1"),
    sa.Column("contact_id", Id, nullable=False, server_default=""),
    sa.Column("address_key", sa.String(64), nullable=False),
    sa.Column("sealed", sa.LargeBinary, comment="the address, or a visit's dossier"),
    sa.Column("key_id", Id, nullable=False, server_default=""),
    sa.Column("dossier", sa.LargeBinary, comment="sealed dossier of the person a helper's text names"),
    sa.Column("dossier_key_id", Id, nullable=False, server_default=""),
    sa.Column("params", ParamsColumn, comment="what its kind says besides: see ledger.params"),
    sa.Column("covers", sa.SmallInteger, nullable=False, server_default="1"),
    sa.Column("slot", Id, nullable=False, server_default="", comment="the worker whose list a visit stands on"),
    sa.Column("reason", sa.String(80), nullable=False, comment="why it was planned"),
    sa.Column("send_state", sa.String(12), nullable=False),
    sa.Column("state_reason", sa.String(80), nullable=False, server_default=""),
    sa.Column("token", sa.Integer, nullable=False, server_default="0"),
    sa.Column("claims", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("attempts", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("ambiguous", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("lease_until", sa.Float),
    sa.Column("worker", sa.String(40), nullable=False, server_default=""),
    sa.Column("due_at", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
    sa.Column("provider_ref", sa.String(64), nullable=False, server_default=""),
    sa.Column("evidence", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("evidence_at", sa.Float),
    sa.Column("answer", sa.String(12), nullable=False, server_default=""),
    sa.Column("answer_by", sa.String(24), nullable=False, server_default=""),
    sa.Column("answer_at", sa.Float),
    sa.Column("answer_covers", sa.SmallInteger, nullable=False, server_default="1"),
    sa.Column("sent_at", sa.Float, comment="warning time the provider accepted it"),
    sa.Column("state_at", sa.Float, nullable=False, comment="warning time of the last change of send_state"),
    sa.Column("tallied", sa.SmallInteger, nullable=False, server_default="0", comment="router: steps counted, as bits"),
    sa.CheckConstraint("send_state IN ({})".format(",".join(f"'{s}'" for s in SendState)), name="send_state"),
    sa.CheckConstraint("kind IN ({})".format(",".join(f"'{k}'" for k in DeliveryKind)), name="kind"),
    sa.CheckConstraint("evidence BETWEEN 0 AND 7", name="evidence"),
    sa.UniqueConstraint(
        "warning_id", "driver", "address_key", "form", "about_id", "language", "try_no", name="uq_delivery_once"
    ),
    postgresql_with={"fillfactor": 70},  # each row is written four times soon after it came: room beside it
)
sa.Index("ix_delivery_person", delivery.c.warning_id, delivery.c.person_id)
sa.Index("ix_delivery_address", delivery.c.address_key)


def among(column: sa.ColumnElement[str], *values: str) -> sa.ColumnElement[bool]:
    """One of `values`, written out: a bound parameter would hide from the planner that a partial index serves."""
    return column.in_([sa.literal_column(f"'{value}'") for value in values])


ON_A_LIST = delivery.c.slot != sa.literal_column("''")  # on the list of a team
IS_DUE = among(delivery.c.send_state, "pending", "retry")  # due when its time has come
sa.Index("ix_delivery_slot", delivery.c.slot, sqlite_where=ON_A_LIST, postgresql_where=ON_A_LIST)
IS_OPEN = among(delivery.c.send_state, "leased", "sending", "unknown")  # in somebody's hand, or nobody knows
IS_ACCEPTED = among(delivery.c.send_state, "accepted")  # the provider has it; a receipt may come
sa.Index("ix_delivery_accepted", delivery.c.sent_at, sqlite_where=IS_ACCEPTED, postgresql_where=IS_ACCEPTED)
sa.Index(
    "ix_delivery_due",
    delivery.c.driver,
    delivery.c.tier,
    delivery.c.due_at,
    delivery.c.delivery_id,
    sqlite_where=IS_DUE,
    postgresql_where=IS_DUE,
)
sa.Index(
    "ix_delivery_open", delivery.c.send_state, delivery.c.lease_until, sqlite_where=IS_OPEN, postgresql_where=IS_OPEN
)

delivery_cover = sa.Table(
    "delivery_cover",
    metadata,
    sa.Column("delivery_id", Id, primary_key=True),
    sa.Column("person_id", Id, primary_key=True),
)
sa.Index("ix_delivery_cover_person", delivery_cover.c.person_id)

attempt = sa.Table(
    "attempt",
    metadata,
    sa.Column("delivery_id", Id, primary_key=True),
    sa.Column("n", sa.SmallInteger, primary_key=True),
    sa.Column("token", sa.Integer, nullable=False),
    sa.Column("provider", sa.String(24), nullable=False),
    sa.Column("started_at", sa.Float, nullable=False, comment="wall"),
    sa.Column("ended_at", sa.Float, comment="wall"),
    sa.Column("outcome", sa.String(16), nullable=False, server_default=""),
    sa.Column("code", sa.String(24), nullable=False, server_default=""),
)

answer_log = sa.Table(
    "answer_log",
    metadata,
    sa.Column("event_key", sa.String(64), primary_key=True, comment="the same event told twice is one row"),
    sa.Column("delivery_id", Id, nullable=False, index=True),
    sa.Column("answer", sa.String(12), nullable=False),
    sa.Column("by", sa.String(24), nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("covers", sa.SmallInteger, nullable=False, server_default="1"),
    sa.Column("note", sa.String(400), nullable=False, server_default=""),
    sa.Column("asks", sa.String(8), nullable=False, server_default="", comment="a person has to read it, how soon"),
    sa.Column(
        "undone", sa.String(12), nullable=False, server_default="", comment="the answer, where it was taken back"
    ),
    sa.CheckConstraint("asks IN ('','question','urgent')", name="asks"),
)


class Logged(NamedTuple):
    """One answer, or words for a person to read, as it came in."""

    event_key: str
    delivery_id: str
    answer: str
    by: str
    at: float
    covers: int
    note: str
    asks: str
    undone: str


channel = sa.Table(
    "channel",
    metadata,
    sa.Column("channel", sa.String(24), primary_key=True),
    sa.Column("driver", sa.String(24), nullable=False),
    sa.Column("contact_kinds", sa.JSON, nullable=False),
    sa.Column("two_way", sa.Boolean, nullable=False),
    sa.Column("links", sa.Boolean, nullable=False),
    sa.Column("voice", sa.Boolean, nullable=False),
    sa.Column("repeats_per_day", sa.SmallInteger, nullable=False),
    sa.Column("templates_only", sa.Boolean, nullable=False),
    sa.Column("working", sa.Boolean, nullable=False),
    sa.Column("why", sa.String(80), nullable=False, server_default=""),
    sa.Column("tested_at", sa.Float, comment="warning time of the last link test"),
    sa.Column("test_said", sa.String(160), nullable=False, server_default=""),
    comment="written by channels at start: which channels have a driver that is configured, and what each lacks",
)


def can_move(before: SendState, after: SendState) -> bool:
    """Whether the table allows it."""
    return (before, after) in TRANSITIONS


async def move(
    tx: Connection,
    ids: Sequence[str],
    after: SendState,
    *,
    at: float,
    only: Iterable[SendState] | None = None,
    where: Sequence[sa.ColumnElement[bool]] = (),
    **values: Any,
) -> list[str]:
    """Moves those of `ids` that stand in a state from which `after` may be reached (and in `only`, if given).

    Returns the ids that moved; the others lost a race and stay as they are.
    """
    sources = [b for b, a in TRANSITIONS if a == after]
    if only is not None:
        wanted = set(only)
        if not wanted <= set(sources):
            raise ValueError(f"no transition from {wanted - set(sources)} to {after}")
        sources = sorted(wanted)
    moved: list[str] = []
    for part in chunks(ids, 500):
        await _lock(tx, one_of(delivery.c.delivery_id, part))
        statement = (
            sa.update(delivery)
            .where(one_of(delivery.c.delivery_id, part), delivery.c.send_state.in_(sources), *where)
            .values(send_state=after, state_at=at, **values)
            .returning(delivery.c.delivery_id)
        )
        moved += (await tx.scalars(statement)).all()
    return moved


async def move_all(
    tx: Connection, after: SendState, *, at: float, where: Sequence[sa.ColumnElement[bool]], **values: Any
) -> int:
    """Moves every delivery that matches `where` and may reach `after`; returns how many."""
    sources = [b for b, a in TRANSITIONS if a == after]
    await _lock(tx, delivery.c.send_state.in_(sources), *where)
    result = await tx.execute(
        sa.update(delivery)
        .where(delivery.c.send_state.in_(sources), *where)
        .values(send_state=after, state_at=at, **values)
    )
    return result.rowcount


async def _lock(tx: Connection, *where: sa.ColumnElement[bool]) -> None:
    """Locks the rows by id: two statements over the same deliveries never wait in a circle. SQLite has one writer."""
    if tx.dialect.name != "sqlite":
        mine = sa.select(delivery.c.delivery_id).where(*where).order_by(delivery.c.delivery_id).with_for_update()
        await tx.execute(sa.select(sa.func.count()).select_from(mine.subquery()))


def may_be_sent(now: float | sa.ColumnElement[float]) -> sa.ColumnElement[bool]:
    """The guard every claim and every intent carries: the warning is active, not expired, and doors are allowed.

    A visit is not stopped by the clock (officers under way go on), but it waits for the word that people may be sent.
    A notice that speaks of a warning (an officer's list) ends with it.
    """
    door = delivery.c.driver == "door"
    live = sa.exists().where(
        warning_state.c.warning_id == delivery.c.warning_id,
        warning_state.c.state == "active",
        sa.or_(sa.not_(door), delivery.c.kind == DeliveryKind.RESCUE, warning_state.c.doors == "allowed"),
    )
    live = live.correlate(delivery)
    notice = sa.and_(among(delivery.c.kind, *SAYS_NO_WARNING), delivery.c.warning_id == "")
    return sa.and_(sa.or_(live, notice), sa.or_(delivery.c.expires_at > now, door))
