"""Finds people who are inside an area although they live elsewhere: away, at a usual place, at a second address.

Each place where they may be at that time counts, from now to LOOK_AHEAD later, and their home always does: a person warned
at a place they have just left was warned; one who was not cannot be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from services.registry.geo.areas import BOUNDARY, INSIDE, Shape
from services.registry.model.facilities import on_shift
from services.registry.store import register
from services.registry.store.register_rows import FoundPerson, FoundStay
from services.shared.bus.outbox import id_of
from services.shared.crypto.dossier import DossierPart, pack, unpack
from services.shared.database.batches import chunks, one_of
from services.shared.database.engine import Connection
from services.shared.database.rows import columns, rows_of

LOOK_AHEAD = 6 * 3600  # seconds: who comes to work at 08:00 is warned of a flood that is announced at 05:00


@dataclass(frozen=True)
class Moment:
    """Warning time and the jurisdiction's offset from UTC in minutes."""

    now: float
    utc_offset_min: int

    @property
    def minute(self) -> int:
        """Local minute of the day."""
        return int(self.now // 60 + self.utc_offset_min) % 1440

    def covers(self, stay: FoundStay) -> bool:
        """Whether the person may be there at some time from now to LOOK_AHEAD later."""
        first, last = self._local(self.now), self._local(self.now + LOOK_AHEAD)
        if stay.kind == "away":
            days = (first.date().isoformat(), last.date().isoformat())
            return (not stay.since or stay.since <= days[1]) and (not stay.until or stay.until >= days[0])
        if stay.kind == "usual" and stay.hours:
            start = first.hour * 60 + first.minute
            return any(on_shift(stay.hours, (start + m) % 1440) for m in range(0, LOOK_AHEAD // 60 + 1, 5))
        return True

    def away(self, stays: Iterable[FoundStay]) -> bool:
        """Whether they said that they are away until after LOOK_AHEAD: on the last day they may be home again."""
        first, last = self._local(self.now).date().isoformat(), self._local(self.now + LOOK_AHEAD).date().isoformat()
        return any(one.kind == "away" and one.since <= first and one.until > last for one in stays)

    def _local(self, at: float) -> datetime:
        return datetime.fromtimestamp(at, UTC) + timedelta(minutes=self.utc_offset_min)


@dataclass(frozen=True)
class Visitor:
    """Somebody who may be inside and lives elsewhere: their row, and the first of their stays that counts."""

    row: FoundPerson
    stay: FoundStay

    @property
    def household_id(self) -> str:
        """Members of one household at one place are met together there, and not at their home."""
        return id_of("stay", self.row.household_id, self.stay.lat, self.stay.lon)


async def visitors(db: Connection, area: Shape, moment: Moment) -> list[Visitor]:
    """All who are inside only by a stay, ordered by household there and person."""
    first, last = area.cell_range()
    cells = list(
        await db.scalars(
            sa.select(register.stay.c.cell).where(register.stay.c.cell.between(first, last)).distinct().order_by("cell")
        )
    )
    kinds = area.classify(cells)
    near = [cell for cell, kind in zip(cells, kinds, strict=True) if kind in (BOUNDARY, INSIDE)]
    stays: dict[str, FoundStay] = {}
    for some in chunks(near, 1000):
        rows = [row for row in await _stays(db, one_of(register.stay.c.cell, some)) if moment.covers(row)]
        held = area.holds([row.lon or 0 for row in rows], [row.lat or 0 for row in rows])  # in a cell all have a place
        for row, inside in zip(rows, held, strict=True):
            if inside:
                stays.setdefault(row.person_id, row)
    people: list[FoundPerson] = []
    for part in chunks(sorted(stays), 1000):
        warned = sa.select(*columns(FoundPerson, register.person)).where(
            one_of(register.person.c.person_id, part), register.IS_WARNED
        )
        people += await rows_of(db, FoundPerson, warned)
    at_home = area.holds([p.lon for p in people], [p.lat for p in people])
    found = [Visitor(p, stays[p.person_id]) for p, home in zip(people, at_home, strict=True) if not home]
    return sorted(found, key=lambda v: (v.household_id, v.row.person_id))


async def _stays(db: Connection, where: sa.ColumnElement[bool]) -> list[FoundStay]:
    found = sa.select(*columns(FoundStay, register.stay)).where(where)
    return await rows_of(db, FoundStay, found.order_by(register.stay.c.stay_id))


async def elsewhere(db: Connection, people: Sequence[str], moment: Moment) -> dict[str, list[FoundStay]]:
    """person_id > where else they may be just now, for the card of somebody who is sought at home."""
    found: dict[str, list[FoundStay]] = {}
    for some in chunks(people, 1000):
        for row in await _stays(db, one_of(register.stay.c.person_id, some)):
            if moment.covers(row):
                found.setdefault(row.person_id, []).append(row)
    return found


def with_stays(dossier: bytes, stays: Iterable[FoundStay], *, at_home: bool) -> bytes:
    """The dossier with the sealed addresses of stays; of a visitor without their home's, if the stay has one."""
    more = [DossierPart("stay", bytes.fromhex(s.key_id), s.sealed) for s in stays if s.sealed]
    if not more:
        return dossier
    parts = [p for p in unpack(dossier) if at_home or p.name != "address"]
    return pack([*parts, *more])


def walk_of(place: FoundPerson | FoundStay) -> tuple[str, str, int]:
    """Zone, grid and place in the walk, which knows no place for a stay and ends with it."""
    return place.zone_id, place.grid_id, place.walk_seq if isinstance(place, FoundPerson) else 2_000_000_000
