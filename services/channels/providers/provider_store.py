"""Stores each provider's weight, rate and pauses, for all channels processes.

`channels_provider` is a row a driver; `channels_score` counts its calls and receipts in slots of ten seconds of warning
time, so that one that is slow or silent is seen whichever process sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from services.shared.database.batches import insert_new, upsert
from services.shared.database.engine import Connection, Id, metadata

SLOT_S = 10.0
KEPT_S = 3600.0

provider = sa.Table(
    "channels_provider",
    metadata,
    sa.Column("provider", sa.String(24), primary_key=True),
    sa.Column("weight", sa.Float, nullable=False, comment="its share now; by itself it means nothing"),
    sa.Column("reviewed_at", sa.Float, nullable=False, server_default="0", comment="warning time"),
    sa.Column("trouble", sa.String(40), nullable=False, server_default="", comment="why its share was lowered"),
    sa.Column("open_until", sa.Float, nullable=False, server_default="0", comment="wall; passed over until then"),
    sa.Column("next_at", sa.Float, nullable=False, server_default="0", comment="wall; when its rate is free again"),
    sa.Column("ordinary_at", sa.Float, nullable=False, server_default="0", comment="the same without red's own share"),
    sa.Column("slowed_at", sa.Float, nullable=False, server_default="0", comment="wall; it said: too fast"),
    sa.Column("taken_at", sa.Float, nullable=False, server_default="0", comment="wall; took something"),
)
score = sa.Table(
    "channels_score",
    metadata,
    sa.Column("provider", sa.String(24), primary_key=True),
    sa.Column("slot", sa.Integer, primary_key=True, comment="warning time / 10 s of the call"),
    sa.Column("calls", sa.Integer, nullable=False, server_default="0"),
    sa.Column("bad", sa.Integer, nullable=False, server_default="0", comment="not sent, refused our key, unknown"),
    sa.Column("accepted", sa.Integer, nullable=False, server_default="0"),
    sa.Column("heard", sa.Integer, nullable=False, server_default="0", comment="of these: a receipt came"),
)


@dataclass(frozen=True)
class Scored:
    """One thing that counts for or against a provider, at the warning time of its call."""

    provider: str
    at: float
    calls: int = 0
    bad: int = 0
    accepted: int = 0
    heard: int = 0


async def known(tx: Connection, weights: dict[str, float]) -> None:
    """Gives each provider a row; one that has one keeps what was learnt."""
    await insert_new(tx, provider, [{"provider": name, "weight": weight} for name, weight in sorted(weights.items())])


async def count(tx: Connection, scored: Iterable[Scored]) -> None:
    """Adds to the slots, one row a provider and slot, in one order."""
    sums: dict[tuple[str, int], dict[str, Any]] = {}
    for one in scored:
        key = (one.provider, int(one.at // SLOT_S))
        row = sums.setdefault(
            key, {"provider": key[0], "slot": key[1], "calls": 0, "bad": 0, "accepted": 0, "heard": 0}
        )
        for name in ("calls", "bad", "accepted", "heard"):
            row[name] += getattr(one, name)
    names = ("calls", "bad", "accepted", "heard")
    await upsert(tx, score, [sums[key] for key in sorted(sums)], ["provider", "slot"], add=names)


async def lately(db: Connection, since: float, until: float) -> dict[str, Any]:
    """Sums by provider of the slots that lie within [since, until) whole."""
    c = score.c
    rows = await db.execute(
        sa.select(c.provider, *(sa.func.sum(x).label(x.name) for x in (c.calls, c.bad, c.accepted, c.heard)))
        .where(c.slot >= int(since // SLOT_S), c.slot < int(until // SLOT_S))
        .group_by(c.provider)
    )
    return {row.provider: row for row in rows}


async def forget_old(tx: Connection, now: float) -> None:
    """Drops slots nobody will judge by."""
    await tx.execute(sa.delete(score).where(score.c.slot < int((now - KEPT_S) // SLOT_S)))


async def all_rows(db: Connection) -> Sequence[Any]:
    """Every provider that was ever configured, by name."""
    return (await db.execute(sa.select(provider).order_by(provider.c.provider))).all()


TWICE = 2  # a link test that failed so often running says that the channel is down
link_test = sa.Table(
    "channels_link_test",
    metadata,
    sa.Column("channel", sa.String(24), primary_key=True),
    sa.Column("provider", sa.String(24), primary_key=True),
    sa.Column("due_at", sa.Float, nullable=False, comment="warning time of the next one"),
    sa.Column("delivery_id", Id, nullable=False, server_default="", comment="the one that is out"),
    sa.Column("sent_at", sa.Float),
    sa.Column("ok_at", sa.Float, comment="warning time of the last that passed"),
    sa.Column("failures", sa.SmallInteger, nullable=False, server_default="0", comment="running"),
    sa.Column("said", sa.String(80), nullable=False, server_default=""),
)


async def down(db: Connection) -> set[str]:
    """Providers of which a channel's link test failed twice running."""
    return set((await db.scalars(sa.select(link_test.c.provider).where(link_test.c.failures >= TWICE))).all())
