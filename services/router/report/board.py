"""Lists whom somebody must have spoken with: houses of many and officials, those not spoken with first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from services.router.clock import officials
from services.router.store import tables
from services.shared.database.batches import one_of
from services.shared.database.engine import Connection
from services.shared.database.rows import columns, rows_of
from services.shared.ledger.evidence import Evidence
from services.shared.ledger.kinds import DeliveryKind
from services.shared.ledger.tables import delivery

MOVED = ("moving", "leaving", "safe", "not_there")
MOST = 200


class Called(NamedTuple):
    """One on the board; `role` is house, official or superior, `called_at` the last call, `spoken_at` None: not yet."""

    who: str
    role: str
    zones: tuple[str, ...]
    tries: int
    called_at: float | None
    spoken_at: float | None
    by: str
    answer: str

    @property
    def moved(self) -> bool:
        """Whether a house has said that it goes, is safe, or is empty."""
        return self.answer in MOVED


class Board(NamedTuple):
    """Who is on it; of the houses: how many, spoken with, and moved."""

    called: Sequence[Called]
    houses: int
    spoken: int
    moved: int


class OneCall(NamedTuple):
    """One delivery to somebody on the board, as the ledger has it."""

    person_id: str
    about_id: str
    kind: str
    channel: str
    attempts: int
    due_at: float | None
    evidence: int
    evidence_at: float | None
    answer: str
    answer_at: float | None
    answer_by: str


def one_called(who: str, role: str, zones: Iterable[str], calls: Sequence[OneCall]) -> Called:
    """What came of the calls to one of them: whoever answered, or listened, was spoken with."""
    made = [c for c in calls if c.attempts > 0]
    heard = [c for c in calls if c.evidence >= Evidence.HEARD or c.answer]
    answers = sorted((c for c in calls if c.answer), key=lambda c: c.answer_at or 0.0)
    last = answers[-1] if answers else None
    times = [at for c in heard if (at := c.answer_at if c.answer else c.evidence_at) is not None]
    return Called(
        who, role, tuple(sorted(zones)), sum(c.attempts for c in made), max((c.due_at or 0.0 for c in made), default=None),
        min(times, default=None), last.answer_by if last else "", last.answer if last else "",
    )  # fmt: skip


def in_order(called: Iterable[Called]) -> list[Called]:
    """Not spoken with first, among them those called longest ago; then houses that have not moved."""
    return sorted(
        called, key=lambda c: (c.spoken_at is not None, c.role == "house" and c.moved, c.called_at or 0.0, c.who)
    )


async def of(db: Connection, warning_id: str) -> Board:
    """The board of a warning; officials are those its policy has called."""
    path = tables.path.c
    houses_ = sa.select(path.person_id, path.zone_id, path.profile_key).where(
        path.warning_id == warning_id, sa.not_(path.outside)
    )
    keys = set(await db.scalars(sa.select(path.profile_key).where(path.warning_id == warning_id).distinct()))
    kinds = {key: p.kind for key, p in (await tables.profiles_of(db, keys)).items()}
    theirs = sorted(key for key, kind in kinds.items() if kind == "facility")
    houses = {r.person_id: r.zone_id for r in await db.execute(houses_.where(path.profile_key.in_(theirs)))}
    rows = await rows_of(
        db,
        OneCall,
        sa.select(*columns(OneCall, delivery)).where(
            delivery.c.warning_id == warning_id,
            sa.or_(delivery.c.kind == DeliveryKind.OFFICIAL, one_of(delivery.c.person_id, sorted(houses))),
        ),
    )
    made = [
        one_called(who, "house", (zone,), [r for r in mine if r.kind != DeliveryKind.OFFICIAL])
        for who, zone in houses.items()
        for mine in [[r for r in rows if r.person_id == who]]
    ]
    calls: dict[str, list[OneCall]] = {}
    for row in rows:
        if row.kind == DeliveryKind.OFFICIAL:
            calls.setdefault(row.about_id, []).append(row)
    grids = {w.worker_id: w.grids for w in await officials.concerned(db, warning_id)} if calls else {}
    made += [one_called(who, "official", grids.get(who, ()), mine) for who, mine in calls.items()]
    return Board(in_order(made)[:MOST], *tallied(made))


def tallied(called: Iterable[Called]) -> tuple[int, int, int]:
    """(houses, spoken with, moved)."""
    houses = [c for c in called if c.role == "house"]
    return len(houses), sum(c.spoken_at is not None for c in houses), sum(c.moved for c in houses)
