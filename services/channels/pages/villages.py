"""Says a warning's area in words: the villages of the register's own areas that lie in it, by name. A map nobody has to see."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import shapely
import sqlalchemy as sa

from services.shared.database.engine import Database
from services.shared.database.rows import columns, rows_of
from services.shared.ledger.areas import area, of_codes
from services.shared.ledger.warnings import warning_scope

MOST = 5000  # areas that are looked at
KEPT = 50  # warnings


class AreaToName(NamedTuple):
    """An area of the register with its shape."""

    name: str
    geojson: str


class VillagesInWords:
    """Those of each warning, once: its area does not change."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, tuple[str, ...]] = {}
        self._one = asyncio.Lock()

    async def of(self, warning_id: str) -> Sequence[str]:
        """Names of the smallest areas a point of which lies in the warning's, by name; none where nobody knows any."""
        if (found := self._known.get(warning_id)) is not None:
            return found
        async with self._one:
            if (found := self._known.get(warning_id)) is not None:
                return found
            found = await self._read(warning_id)
            while len(self._known) >= KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[warning_id] = found
            return found

    async def _read(self, warning_id: str) -> tuple[str, ...]:
        child = area.alias("child")
        whole = sa.exists().where(child.c.value_name == area.c.value_name, child.c.parent == area.c.code)
        smallest = sa.select(*columns(AreaToName, area)).where(area.c.name != "", area.c.geojson != "", sa.not_(whole))
        async with self._database.read() as db:
            mine = sa.select(warning_scope.c.area, warning_scope.c.geocodes).where(
                warning_scope.c.warning_id == warning_id
            )
            scope = (await db.execute(mine)).first()
            if scope is None:
                return ()
            texts, _ = await of_codes(db, [(name, code) for name, code in scope.geocodes])
            rows = await rows_of(db, AreaToName, smallest.limit(MOST))
        shapes = [one for one in (scope.area, *texts) if one]
        return await asyncio.to_thread(_inside, shapes, rows) if rows and shapes else ()


def _inside(shapes: Sequence[str], rows: Sequence[AreaToName]) -> tuple[str, ...]:
    """Each a whole geometry, never united: what is tangled harms no other."""
    within = [shapely.make_valid(shapely.from_geojson(text)) for text in shapes]
    for one in within:
        shapely.prepare(one)
    points = [(row.name, shapely.from_geojson(row.geojson).representative_point()) for row in rows]
    return tuple(sorted({name for name, point in points if any(one.intersects(point) for one in within)}))
