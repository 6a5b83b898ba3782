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
from services.shared.endings import GO_HOME
from services.shared.hazards.instructions import BOTH, MOVING, apart
from services.shared.ledger import areas
from services.shared.ledger.warnings import in_force, warning_scope, warning_state, warning_text

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


class Way(NamedTuple):
    """From a shape to a point: from its nearest edge, 0.0 where the point lies within; degrees from north by east."""

    km: float
    degrees: float


def way_to(shape: shapely.Geometry, lat: float, lon: float) -> Way:
    """Within a few per cent, of a shape no larger than a province; the direction is from the shape's middle."""
    narrow = float(np.cos(np.radians(lat)))

    def flat(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return (points - (lon, lat)) * (narrow * KM_A_DEGREE, KM_A_DEGREE)

    here = shapely.transform(shape, flat)
    middle = shapely.centroid(here)
    return Way(
        float(shapely.distance(here, shapely.Point(0.0, 0.0))),
        float(np.degrees(np.arctan2(-middle.x, -middle.y))) % 360.0,
    )


class Neighbour(NamedTuple):
    """Another warning in force that shares ground, or might where a place is not known."""

    warning_id: str
    tier: int
    number: str
    authority: str
    expires_at: float
    parts: dict[str, object]
    doors: str

    @property
    def forbids_doors(self) -> bool:
        """Whether nobody may be sent to a door there, whatever another warning allows."""
        return self.doors in ("forbidden", "unsafe")

    @property
    def instruction(self) -> str:
        """What it tells people to do."""
        return str(self.parts.get("instruction", ""))


class _Other(NamedTuple):
    """A warning in force, and where it holds."""

    warning_id: str
    tier: int
    number: str
    authority: str
    expires_at: float
    parts: dict[str, object]
    doors: str
    area: str
    geocodes: list[list[str]]


async def neighbours(
    db: Connection, chain_id: str, area: str, geocodes: Iterable[Sequence[str]], now: float
) -> list[Neighbour]:
    """The warnings in force of other chains that share ground with this, the highest tier first.

    One whose place is not known might share it, and is among them.
    """
    others = await rows_of(
        db,
        _Other,
        sa.select(*columns(_Other, warning_state, warning_scope, warning_text))
        .join(warning_scope, warning_state.c.warning_id == warning_scope.c.warning_id)
        .join(warning_text, warning_state.c.warning_id == warning_text.c.warning_id)
        .where(in_force(now), warning_state.c.kind != "ending", warning_state.c.chain_id != chain_id)
        .order_by(warning_state.c.tier.desc(), warning_state.c.released_at.desc(), warning_state.c.warning_id),
    )
    mine = await ground_of(db, area, geocodes) if others else Ground(None, False)
    found = []
    for other in others:
        theirs = await ground_of(db, other.area, other.geocodes)
        somewhere = mine.unknown or theirs.unknown or mine.shape is None or theirs.shape is None
        if somewhere or shapely.intersects(mine.shape, theirs.shape):
            found.append(Neighbour(*other[:7]))
    return found


def contradicts(instruction: str, ending: str, other: Neighbour) -> bool:
    """Whether people in both places would hear two orders that cannot both be followed.

    `instruction` is what this one tells people, `ending` how it ends another (empty for none): "go home" where another says
    leave is one too.
    """
    if ending in GO_HOME:
        return other.instruction in (*MOVING, BOTH)
    return not ending and apart(instruction, other.instruction)
