"""Keeps what help somebody asked for, for how many, and where to call back; and gives every call the number it is known by."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from services.shared.database.batches import one_of
from services.shared.database.engine import Connection, Id, metadata
from services.shared.database.rows import columns, rows_of
from services.shared.ledger.warnings import warning_state

WHAT = ("carry", "medical", "transport", "other")
help_wanted = sa.Table(
    "help_wanted",
    metadata,
    sa.Column("delivery_id", Id, primary_key=True, comment="the message that was answered"),
    sa.Column("warning_id", Id, nullable=False),
    sa.Column("person_id", Id, nullable=False, index=True),
    sa.Column("what", sa.String(60), nullable=False, comment="words of WHAT, joined by commas; empty: not said"),
    sa.Column("people", sa.SmallInteger, nullable=False, comment="who need it; 0: not said"),
    sa.Column("sealed", sa.LargeBinary, nullable=False, comment="the number to call back; empty: not said"),
    sa.Column("key_id", sa.String(32), nullable=False),
    sa.Column("said_at", sa.Float, nullable=False, comment="warning time"),
    comment="what somebody who called for help wants, as they said it last",
)


class HelpWanted(NamedTuple):
    """What was said last with a call for help."""

    delivery_id: str
    warning_id: str
    person_id: str
    what: str
    people: int
    sealed: bytes
    key_id: str
    said_at: float

    @property
    def owner(self) -> str:
        """What the number to call back is bound to."""
        return number_owner(self.delivery_id)

    @property
    def words(self) -> list[str]:
        """Words of WHAT."""
        return [one for one in self.what.split(",") if one]


def number_owner(delivery_id: str) -> str:
    """What a number to call back is sealed for: the message on which it was given, and this use of it."""
    return f"{delivery_id}:call back"


def help_number(chain_id: str, person_id: str) -> str:
    """The number of somebody's call for help under a warning and all that follow it, like H-01427.

    It is made of the two, so that the page, the text, the call and the desk say the same one, whoever is first. Of two hundred
    calls two may share one, once in five warnings: a desk asks for the village too.
    """
    found = hashlib.sha256(f"help\0{chain_id}\0{person_id}".encode()).digest()
    return f"H-{int.from_bytes(found[:8]) % 100_000:05d}"


async def wanted_in_chain(db: Connection, warning_id: str, people: Sequence[str]) -> dict[str, HelpWanted]:
    """person > what they said last, under this warning or another of its chain."""
    chain = sa.select(warning_state.c.chain_id).where(warning_state.c.warning_id == warning_id).scalar_subquery()
    in_chain = sa.select(warning_state.c.warning_id).where(warning_state.c.chain_id == chain)
    found = sa.select(*columns(HelpWanted, help_wanted)).where(
        help_wanted.c.warning_id.in_(in_chain), one_of(help_wanted.c.person_id, sorted(set(people)))
    )
    return {row.person_id: row for row in await rows_of(db, HelpWanted, found.order_by(help_wanted.c.said_at))}
