"""Stores cases: calls for help and open questions, each with an owner and a clock until it has one."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from services.router.policy.vocabulary import FIRE_SERVICE
from services.shared.database.engine import Id, metadata
from services.shared.ledger.ledger import among

case = sa.Table(
    "router_case",
    metadata,
    sa.Column("case_id", Id, primary_key=True),
    sa.Column("warning_id", Id, nullable=False),
    sa.Column("person_id", Id, nullable=False, comment="whom it is about; empty where an official asks"),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("delivery_id", Id, nullable=False, server_default="", comment="the message that was answered"),
    sa.Column("opened_at", sa.Float, nullable=False),
    sa.Column("owner", Id, nullable=False, server_default="", comment="the team whose list has the door"),
    sa.Column("taken_by", sa.String(80), nullable=False, server_default="", comment="who said: I have it"),
    sa.Column("taken_at", sa.Float),
    sa.Column("due_at", sa.Float, comment="warning time at which it is told again; null: somebody has it, or closed"),
    sa.Column("told", sa.SmallInteger, nullable=False, server_default="0", comment="how often it was told again"),
    sa.Column("closed_at", sa.Float),
    sa.Column("closed_by", sa.String(80), nullable=False, server_default=""),
    sa.Column("close_reason", sa.String(200), nullable=False, server_default=""),
    sa.CheckConstraint("kind IN ('help','question')", name="kind"),
    comment="a call for help or a question, owned by somebody until it is closed",
)
sa.Index("ix_router_case_person", case.c.warning_id, case.c.person_id)
_waits = case.c.due_at.is_not(None)
sa.Index("ix_router_case_due", case.c.due_at, sqlite_where=_waits, postgresql_where=_waits)
event = sa.Table(
    "router_case_event",
    metadata,
    sa.Column(
        "event_key", sa.String(64), primary_key=True, comment="a text's is its answer_log row's, which has the words"
    ),
    sa.Column("case_id", Id, nullable=False, index=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("what", sa.String(10), nullable=False),
    sa.Column("by", sa.String(80), nullable=False, server_default=""),
    sa.Column("note", sa.String(400), nullable=False, server_default=""),
    sa.CheckConstraint("what IN ('opened','text','taken','handed','given','answered','told','closed')", name="what"),
    comment="what became of a case, oldest first",
)
WORDS_GO = (  # channels that carry written or spoken words to a phone or screen: a bed shaker and a video call carry none
    "sms", "supporter_sms", "officer_sms", "email", "push", "chat", "voice_mobile", "voice_landline", "voice_duty",
    "supporter_voice", "officer_voice",
)  # fmt: skip


class CaseRow(NamedTuple):
    """A call for help or a question, as it stands."""

    case_id: str
    warning_id: str
    person_id: str
    kind: str
    delivery_id: str
    opened_at: float
    owner: str
    taken_by: str
    taken_at: float | None
    due_at: float | None
    told: int
    closed_at: float | None
    closed_by: str
    close_reason: str


HELP = among(case.c.kind, "help")
OPEN = case.c.closed_at.is_(None)
NO_TEAM = among(case.c.owner, "", FIRE_SERVICE)  # on no team's list
NOBODYS = sa.and_(case.c.taken_by == "", NO_TEAM)
