"""Stores callouts: a volunteer with a skill is looked for, for one visit."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from services.shared.database.engine import Id, metadata
from services.shared.ledger.ledger import among

callout = sa.Table(
    "router_callout",
    metadata,
    sa.Column("callout_id", Id, primary_key=True),
    sa.Column("warning_id", Id, nullable=False),
    sa.Column("person_id", Id, nullable=False),
    sa.Column("about_id", Id, nullable=False, comment="the visit she goes along with"),
    sa.Column("skill", sa.String(24), nullable=False),
    sa.Column("language", sa.String(20), nullable=False, comment="of the person, for a translator"),
    sa.Column("opened_at", sa.Float, nullable=False),
    sa.Column("state", sa.String(6), nullable=False, server_default="asking"),
    sa.Column("holder", Id, nullable=False, server_default="", comment="the volunteer who took it"),
    sa.Column("held_at", sa.Float, comment="warning time of the last sign of her"),
    sa.Column("let_go", sa.JSON, nullable=False, comment="volunteer > since when: took it, and was silent"),
    sa.Column("ended_at", sa.Float),
    sa.CheckConstraint("state IN ('asking','taken','done','none')", name="state"),
    comment="a volunteer with a skill is asked for: a few at a time, the first to accept has it",
)


class CalloutRow(NamedTuple):
    """A volunteer is looked for, as it stands."""

    callout_id: str
    warning_id: str
    person_id: str
    about_id: str
    skill: str
    language: str
    opened_at: float
    state: str
    holder: str
    held_at: float | None
    let_go: dict[str, float]
    ended_at: float | None


OPEN = among(callout.c.state, "asking", "taken")
sa.Index("ix_router_callout_person", callout.c.warning_id, callout.c.person_id)
