"""Stores each provider's weight, rate and pauses, for all channels processes.

`channels_provider` is a row a driver; `channels_score` counts its calls and receipts in slots of ten seconds of warning
time, so that one that is slow or silent is seen whichever process sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa

from services.shared.database.batches import insert_new, upsert
from services.shared.database.engine import Connection, Id, metadata
from services.shared.database.rows import columns, rows_of

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


class Sums(NamedTuple):
    """What a provider's calls came to."""

    calls: int
    bad: int
    accepted: int
    heard: int


class ProviderRow(NamedTuple):
    """A provider that was ever configured."""

    provider: str
    weight: float
    trouble: str
    open_until: float
    reviewed_at: float


async def known(tx: Connection, weights: dict[str, float]) -> None:
    """Gives each provider a row; one that has one keeps what was learnt."""
    await insert_new(tx, provider, [{"provider": name, "weight": weight} for name, weight in sorted(weights.items())])


async def count(tx: Connection, scored: Iterable[Scored]) -> None:
    """Adds to the slots, one row a provider and slot, in one order."""
    sums: dict[tuple[str, int], Counter[str]] = {}
    for one in scored:
        key = (one.provider, int(one.at // SLOT_S))
        sums.setdefault(key, Counter()).update({name: getattr(one, name) for name in Sums._fields})
    rows = [{"provider": name, "slot": slot, **sums[name, slot]} for name, slot in sorted(sums)]
    await upsert(tx, score, rows, ["provider", "slot"], add=Sums._fields)


async def lately(db: Connection, since: float, until: float) -> dict[str, Sums]:
    """Sums by provider of the slots that lie within [since, until) whole."""
    c = score.c
    rows = await db.execute(
        sa.select(c.provider, *(sa.func.sum(c[name]) for name in Sums._fields))
        .where(c.slot >= int(since // SLOT_S), c.slot < int(until // SLOT_S))
        .group_by(c.provider)
    )
    return {name: Sums(*sums) for name, *sums in rows}


async def forget_old(tx: Connection, now: float) -> None:
    """Drops slots nobody will judge by."""
    await tx.execute(sa.delete(score).where(score.c.slot < int((now - KEPT_S) // SLOT_S)))


async def all_rows(db: Connection) -> list[ProviderRow]:
    """Every provider that was ever configured, by name."""
    return await rows_of(db, ProviderRow, sa.select(*columns(ProviderRow, provider)).order_by(provider.c.provider))


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


class LinkTestRow(NamedTuple):
    """How a channel's provider stands in its link tests; `delivery_id` and `sent_at` are of the one that is out."""

    channel: str
    provider: str
    due_at: float
    delivery_id: str
    sent_at: float | None
    ok_at: float | None
    failures: int
    said: str


async def link_tests(db: Connection, *where: sa.ColumnElement[bool]) -> list[LinkTestRow]:
    """All of them, by provider."""
    found = sa.select(*columns(LinkTestRow, link_test)).where(*where)
    return await rows_of(db, LinkTestRow, found.order_by(link_test.c.provider))


async def down(db: Connection) -> set[str]:
    """Providers of which a channel's link test failed twice running."""
    return set((await db.scalars(sa.select(link_test.c.provider).where(link_test.c.failures >= TWICE))).all())
