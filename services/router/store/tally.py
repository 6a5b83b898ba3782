"""Counts without COUNT(*): each batch adds its own deltas; groups are sums over profiles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypedDict

import sqlalchemy as sa

from services.router.store import tables
from services.shared.database.batches import Each, upsert
from services.shared.database.engine import Connection, Id
from services.shared.ledger.deliveries import Delivery
from services.shared.ledger.ledger import Evidence, SendState, delivery

PEOPLE = ("targeted", "delivered", "reached", "closed")
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
        await upsert(tx, tables.tally, rows, ["warning_id", "profile_key", "channel", "milestone"], add=["n"])


def bits_of(row: Delivery) -> int:
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


_TALLIED = Each(
    lambda v: sa.update(delivery).where(delivery.c.delivery_id == v("d")).values(tallied=v("t")),
    d=Id, t=sa.SmallInteger,
)  # fmt: skip


async def channels(tx: Connection, deltas: Deltas, rows: Sequence[Delivery], profile_of: Mapping[str, str]) -> None:
    """Adds what these deliveries reached since they were last counted."""
    changed = []
    for row in rows:
        new = bits_of(row) & ~row.tallied
        if new:
            changed.append({"d": row.delivery_id, "t": row.tallied | new})
            for bit, milestone in CHANNELS.items():
                if new & bit:
                    deltas.channel(profile_of.get(row.person_id, ""), row.channel, milestone)
    await _TALLIED.run(tx, changed)


class GroupFigures(TypedDict):
    """How many people of a group were warned, and how far; `coverage` is the share that was reached."""

    people: int
    delivered: int
    reached: int
    closed: int
    coverage: float


class Counted(NamedTuple):
    """People by milestone, their endings, and both by need group; by channel, deliveries by milestone."""

    people: dict[str, int]
    endings: dict[str, int]
    by_group: dict[str, GroupFigures]
    by_channel: dict[str, dict[str, int]]


async def coverage(db: Connection, warning_id: str) -> Counted:
    """by_group, by_channel and the people's totals, from the tallies."""
    rows = (await db.execute(sa.select(tables.tally).where(tables.tally.c.warning_id == warning_id))).all()
    profiles = await tables.profiles_of(db, {r.profile_key for r in rows if r.profile_key})
    people: Counter[str] = Counter()
    endings: Counter[str] = Counter()
    groups: dict[str, Counter[str]] = {}
    by_channel: dict[str, Counter[str]] = {}
    for row in rows:
        if row.channel:
            by_channel.setdefault(row.channel, Counter())[row.milestone] += row.n
            continue
        if row.milestone.startswith("ended:"):
            endings[row.milestone.removeprefix("ended:")] += row.n
            continue
        people[row.milestone] += row.n
        found = profiles.get(row.profile_key)
        for group in found.groups if found else ("general",):
            groups.setdefault(group, Counter())[row.milestone] += row.n
    return Counted(
        people={milestone: people[milestone] for milestone in PEOPLE},
        endings={name: n for name, n in sorted(endings.items()) if n},
        by_group={
            name: {
                "people": c["targeted"],
                "delivered": c["delivered"],
                "reached": c["reached"],
                "closed": c["closed"],
                "coverage": round(c["reached"] / c["targeted"], 4) if c["targeted"] else 0.0,
            }
            for name, c in sorted(groups.items())
        },
        by_channel={
            name: {milestone: c[milestone] for milestone in ("planned", *CHANNELS.values())}
            for name, c in sorted(by_channel.items())
        },
    )
