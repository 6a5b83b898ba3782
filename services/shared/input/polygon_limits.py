"""Counts a stranger's polygons before anything is computed with them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import shapely

CROSSINGS = 60_000  # pairs of edges whose boxes overlap, beyond EACH an edge: these, not the corners, are the work
EACH = 8
_PORTION = 1_000_000


def tangled(rings: Sequence[npt.ArrayLike], crossings: int = CROSSINGS) -> bool:
    """Whether more pairs of edges may meet than can be computed in time; counted in small portions.

    `rings` are closed, of (x, y) corners.
    """
    corners = [np.asarray(ring, dtype=float) for ring in rings if len(ring) > 1]  # type: ignore[arg-type]
    edges = np.concatenate([np.stack((r[:-1], r[1:]), axis=1) for r in corners]) if corners else np.empty((0, 2, 2))
    budget = crossings + EACH * len(edges)
    if len(edges) ** 2 <= budget:
        return False
    lines = np.asarray(shapely.linestrings(edges))
    tree = shapely.STRtree(lines)
    portion = max(1, _PORTION // len(edges))
    for start in range(0, len(edges), portion):
        budget -= tree.query(lines[start : start + portion]).shape[1]
        if budget < 0:
            return True
    return False


def tangled_shape(shape: shapely.Geometry, crossings: int = CROSSINGS) -> bool:
    """The same for all rings of a geometry."""
    coordinates, which = shapely.get_coordinates(rings_of(shape), return_index=True)
    return tangled(np.split(coordinates, np.flatnonzero(np.diff(which)) + 1), crossings)


def rings_of(shape: shapely.Geometry) -> npt.NDArray[np.object_]:
    """Every ring of every polygon in it, however it is nested."""
    parts = shapely.get_parts(np.asarray([shape]))
    while (nested := shapely.get_type_id(parts) > 3).any():  # MULTI... and collections
        parts = np.concatenate([parts[~nested], shapely.get_parts(parts[nested])])
    return shapely.get_rings(parts[shapely.get_type_id(parts) == 3])
