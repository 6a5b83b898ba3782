"""Adds to the tallies what deliveries have come to, and reads how far each group of people was reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypedDict

import sqlalchemy as sa

from services.router.store import tables
from services.shared.database.batches import Each
from services.shared.database.engine import Connection, Id
from services.shared.ledger.tables import Delivery, delivery
from services.shared.ledger.tally import CHANNELS, ENDED, Deltas, bits_of, tally

PEOPLE = ("targeted", "delivered", "reached", "closed")
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
    rows = (await db.execute(sa.select(tally).where(tally.c.warning_id == warning_id))).all()
    profiles = await tables.profiles_of(db, {r.profile_key for r in rows if r.profile_key})
    people: Counter[str] = Counter()
    endings: Counter[str] = Counter()
    groups: dict[str, Counter[str]] = {}
    by_channel: dict[str, Counter[str]] = {}
    for row in rows:
        if row.channel:
            by_channel.setdefault(row.channel, Counter())[row.milestone] += row.n
            continue
        if row.milestone.startswith(ENDED):
            endings[row.milestone.removeprefix(ENDED)] += row.n
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
