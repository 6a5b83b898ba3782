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
ALL_MOVED = ("safe", "not_there")
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
    heads: int | None = None  # of a house: how many are in it at this hour, None where nobody has said
    out: int | None = None  # how many of them have moved, None where nobody has said

    @property
    def moved(self) -> bool:
        """Whether a house has said that it goes, is safe, or is empty."""
        return self.answer in MOVED


class Board(NamedTuple):
    """Who is on it; of the houses: how many, spoken with, and moved; how many people are in those whose heads are known, and
    how many of them have moved."""

    called: Sequence[Called]
    houses: int
    spoken: int
    moved: int
    heads: int
    out: int


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
    answer_covers: int


def heads_in(flags: Iterable[str], *, night: bool) -> int | None:
    """How many are in a house by day or at night, as its flags say; None where they do not."""
    word = "heads_night_" if night else "heads_day_"
    said = [flag.removeprefix(word) for flag in flags if flag.startswith(word)]
    return next((int(n) for n in said if n.isdigit()), None)


def one_called(who: str, role: str, zones: Iterable[str], calls: Sequence[OneCall], heads: int | None = None) -> Called:
    """What came of the calls to one of them: whoever answered, or listened, was spoken with.

    A house that has said how many have moved (`N12`) has so many out; one that said all have, its heads.
    """
    made = [c for c in calls if c.attempts > 0]
    heard = [c for c in calls if c.evidence >= Evidence.HEARD or c.answer]
    answers = sorted((c for c in calls if c.answer), key=lambda c: c.answer_at or 0.0)
    last = answers[-1] if answers else None
    times = [at for c in heard if (at := c.answer_at if c.answer else c.evidence_at) is not None]
    return Called(
        who, role, tuple(sorted(zones)), sum(c.attempts for c in made), max((c.due_at or 0.0 for c in made), default=None),
        min(times, default=None), last.answer_by if last else "", last.answer if last else "", heads,
        _out(answers, heads) if role == "house" else None,
    )  # fmt: skip


def _out(answers: Sequence[OneCall], heads: int | None) -> int | None:
    counted = max((c.answer_covers for c in answers if c.answer in MOVED and c.answer_covers > 1), default=None)
    if any(c.answer in ALL_MOVED for c in answers):
        return heads if heads is not None else counted
    return counted if heads is None or counted is None else min(counted, heads)


def in_order(called: Iterable[Called]) -> list[Called]:
    """Not spoken with first, among them those called longest ago; then houses that have not moved."""
    return sorted(
        called, key=lambda c: (c.spoken_at is not None, c.role == "house" and c.moved, c.called_at or 0.0, c.who)
    )


async def of(db: Connection, warning_id: str, *, night: bool) -> Board:
    """The board of a warning, by day or at night; officials are those its policy has called."""
    path = tables.path.c
    houses_ = sa.select(path.person_id, path.zone_id, path.profile_key).where(
        path.warning_id == warning_id, sa.not_(path.outside)
    )
    keys = set(await db.scalars(sa.select(path.profile_key).where(path.warning_id == warning_id).distinct()))
    theirs = {key: p for key, p in (await tables.profiles_of(db, keys)).items() if p.kind == "facility"}
    houses = {r.person_id: r for r in await db.execute(houses_.where(path.profile_key.in_(sorted(theirs))))}
    rows = await rows_of(
        db,
        OneCall,
        sa.select(*columns(OneCall, delivery)).where(
            delivery.c.warning_id == warning_id,
            sa.or_(delivery.c.kind == DeliveryKind.OFFICIAL, one_of(delivery.c.person_id, sorted(houses))),
        ),
    )
    made = [
        one_called(
            who,
            "house",
            (house.zone_id,),
            [r for r in mine if r.kind != DeliveryKind.OFFICIAL],
            heads_in(theirs[house.profile_key].flags, night=night),
        )
        for who, house in houses.items()
        for mine in [[r for r in rows if r.person_id == who]]
    ]
    calls: dict[str, list[OneCall]] = {}
    for row in rows:
        if row.kind == DeliveryKind.OFFICIAL:
            calls.setdefault(row.about_id, []).append(row)
    grids = {w.worker_id: w.grids for w in await officials.concerned(db, warning_id)} if calls else {}
    made += [one_called(who, "official", grids.get(who, ()), mine) for who, mine in calls.items()]
    return Board(in_order(made)[:MOST], *tallied(made))


def tallied(called: Iterable[Called]) -> tuple[int, int, int, int, int]:
    """(houses, spoken with, moved, their heads, how many of them are out)."""
    houses = [c for c in called if c.role == "house"]
    known = [c for c in houses if c.heads is not None]
    return (
        len(houses), sum(c.spoken_at is not None for c in houses), sum(c.moved for c in houses),
        sum(c.heads or 0 for c in known), sum(c.out or 0 for c in known),
    )  # fmt: skip
