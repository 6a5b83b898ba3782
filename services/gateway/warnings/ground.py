"""Resolves the ground of a warning: its polygon and all codes whose place is known; how large it is, and what else holds
there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import shapely
import sqlalchemy as sa

from services.shared.database.engine import Connection
from services.shared.database.rows import columns, rows_of
from services.shared.ledger import areas
from services.shared.ledger.warnings import in_force, warning_scope, warning_state

KM_A_DEGREE = 111.32
STEP = 0.5  # degrees: a longer edge is bent by the projection


class Ground(NamedTuple):
    """`shape`: None for nowhere; `unknown`: a code stands for a place that nobody has imported."""

    shape: shapely.Geometry | None
    unknown: bool


async def ground_of(db: Connection, area: str, geocodes: Iterable[Sequence[str]]) -> Ground:
    """The union of polygon and codes, in WGS 84 degrees."""
    texts, unknown = await areas.of_codes(db, ((one[0], one[1]) for one in geocodes))
    found = dict.fromkeys([area, *texts] if area else texts)
    shapes = [shapely.make_valid(shapely.from_geojson(text)) for text in found]
    return Ground(shapely.union_all(shapes) if shapes else None, bool(unknown))


def km2(shape: shapely.Geometry | None) -> float:
    """Square kilometres, within a few per cent: by the sinusoidal projection, which keeps areas. 0.0 for nowhere."""
    if shape is None:
        return 0.0
    return float(shapely.area(shapely.transform(shapely.segmentize(shape, STEP), _flat)))


def _flat(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    narrow = np.cos(np.radians(points[:, 1]))
    return np.column_stack((points[:, 0] * narrow, points[:, 1])) * KM_A_DEGREE


class OtherGround(NamedTuple):
    """Where another warning holds."""

    area: str
    geocodes: list[list[str]]


async def overlapping(db: Connection, chain_id: str, area: str, geocodes: Iterable[Sequence[str]], now: float) -> bool:
    """Whether a warning in force of another chain shares ground with this; where a place is not known it might, so yes."""
    others = await rows_of(
        db,
        OtherGround,
        sa.select(*columns(OtherGround, warning_scope))
        .join(warning_state, warning_state.c.warning_id == warning_scope.c.warning_id)
        .where(in_force(now), warning_state.c.kind != "ending", warning_state.c.chain_id != chain_id),
    )
    mine = await ground_of(db, area, geocodes) if others else Ground(None, False)
    for other in others:
        theirs = await ground_of(db, other.area, other.geocodes)
        if mine.unknown or theirs.unknown or mine.shape is None or theirs.shape is None:
            return True
        if shapely.intersects(mine.shape, theirs.shape):
            return True
    return False
