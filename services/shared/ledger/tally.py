"""Counts without COUNT(*): each transaction adds its own deltas; groups are sums over profiles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol

import sqlalchemy as sa

from services.shared.database.batches import upsert
from services.shared.database.engine import Connection, Id, metadata
from services.shared.ledger.evidence import Evidence
from services.shared.ledger.states import SendState

tally = sa.Table(
    "tally",
    metadata,
    sa.Column("warning_id", Id, primary_key=True),
    sa.Column("profile_key", sa.String(32), primary_key=True),
    sa.Column("channel", sa.String(24), primary_key=True, comment="empty for people"),
    sa.Column("milestone", sa.String(24), primary_key=True),
    sa.Column("n", sa.Integer, nullable=False),
)
ACCEPTED_BIT, DELIVERED_BIT, HEARD_BIT, ANSWERED_BIT, FAILED_BIT, UNKNOWN_BIT = 1, 2, 4, 8, 16, 32
CHANNELS = {
    ACCEPTED_BIT: "accepted",
    DELIVERED_BIT: "delivered",
    HEARD_BIT: "heard",
    ANSWERED_BIT: "answered",
    FAILED_BIT: "failed",
    UNKNOWN_BIT: "unknown",
}


class Deltas:
    """What one transaction adds."""

    def __init__(self, warning_id: str) -> None:
        self._warning_id = warning_id
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def person(self, profile_key: str, milestone: str, n: int = 1) -> None:
        self._counts[profile_key, "", milestone] += n

    def channel(self, profile_key: str, channel: str, milestone: str, n: int = 1) -> None:
        self._counts[profile_key, channel, milestone] += n

    async def add(self, tx: Connection) -> None:
        """Writes them, in key order so that two writers never wait in a circle."""
        rows = [
            {"warning_id": self._warning_id, "profile_key": p, "channel": r, "milestone": g, "n": n}
            for (p, r, g), n in sorted(self._counts.items())
            if n
        ]
        await upsert(tx, tally, rows, ["warning_id", "profile_key", "channel", "milestone"], add=["n"])


class Progress(NamedTuple):
    """How many people a warning is for, how many showed that it came to them, and how many of all are open."""

    targeted: int
    reached: int
    open: int


ENDED = "ended:"  # with the ending behind it: the milestone of people whose path is over


async def progress(db: Connection, warning_ids: Collection[str]) -> Mapping[str, Progress]:
    """How far each of these warnings has come; one that nobody was planned for yet is not in it."""
    counted = (
        sa.select(tally.c.warning_id, tally.c.milestone, sa.func.sum(tally.c.n).label("n"))
        .where(tally.c.warning_id.in_(warning_ids), tally.c.channel == "")
        .group_by(tally.c.warning_id, tally.c.milestone)
    )
    found: dict[str, Counter[str]] = {}
    for row in await db.execute(counted):
        mine = found.setdefault(row.warning_id, Counter())
        mine["ended" if row.milestone.startswith(ENDED) else row.milestone] += int(row.n)
    return {one: Progress(n["targeted"], n["reached"], n["targeted"] - n["ended"]) for one, n in found.items()}


class Countable(Protocol):
    """What of a delivery is counted."""

    @property
    def evidence(self) -> int: ...
    @property
    def send_state(self) -> str: ...
    @property
    def answer(self) -> str: ...


def bits_of(row: Countable) -> int:
    """Which steps of its channel a delivery has reached."""
    bits = 0
    if row.evidence >= Evidence.ACCEPTED or row.send_state in (SendState.ACCEPTED, SendState.DELIVERED):
        bits |= ACCEPTED_BIT
    if row.evidence >= Evidence.DELIVERED:
        bits |= DELIVERED_BIT
    if row.evidence >= Evidence.HEARD:
        bits |= HEARD_BIT
    if row.answer:
        bits |= ANSWERED_BIT
    if row.send_state == SendState.FAILED:
        bits |= FAILED_BIT
    if row.send_state == SendState.UNKNOWN:
        bits |= UNKNOWN_BIT
    return bits
