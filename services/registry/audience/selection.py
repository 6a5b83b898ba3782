"""Joins named areas, risk zones, polygons and circles into one area, and names the hazards a place lies in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

import sqlalchemy as sa
from pydantic import Field

from services.registry.geo.areas import Shape
from services.registry.model.given import Given, Lat, Lon
from services.registry.store import register
from services.shared.database.engine import Connection
from services.shared.errors import NotFound, Refused


class Circle(Given):
    """A centre in WGS 84 degrees and a radius in kilometres."""

    lat: Lat
    lon: Lon
    km: float = Field(gt=0, le=5000)


class Zones(Given):
    """All risk zones of a hazard from a class on, or one by its id."""

    hazard: str = ""
    from_class: Literal[1, 2, 3, 4] = 1
    zone_id: str = ""


class Selection(Given):
    """Areas as (code list, code)."""

    areas: tuple[tuple[str, str], ...] = Field((), max_length=1000)
    zones: tuple[Zones, ...] = Field((), max_length=100)
    polygons: tuple[dict[str, object], ...] = Field((), max_length=1000)
    circles: tuple[Circle, ...] = Field((), max_length=1000)


async def area_of(db: Connection, wanted: Selection) -> Shape:
    """The union; NotFound where an area or zone is not known, Refused where nothing is selected."""
    parts: list[Shape] = []
    if wanted.areas:
        area, unknown = await register.area_of(db, "", wanted.areas)
        if unknown:
            raise NotFound(
                f"nobody has imported the area {unknown[0][1]!r} of {unknown[0][0]!r}",
                field="areas",
                rule="known",
                given=unknown[0][1],
                remedy="import it: tocsin registry areas import",
            )
        parts += [area] if area else []
    for zones in wanted.zones:
        parts.append(Shape.from_geojson(*await _zones(db, zones)))
    if wanted.polygons:  # never on the loop that sends
        parts += await asyncio.to_thread(lambda: [Shape.judged(register.as_text(one)) for one in wanted.polygons])
    parts += [Shape.circle(one.lat, one.lon, one.km) for one in wanted.circles]
    if not parts:
        raise Refused(
            "nothing is selected",
            field="areas",
            rule="required",
            remedy="name an area, a risk zone, a polygon or a circle",
        )
    return Shape.union(parts)


async def _zones(db: Connection, wanted: Zones) -> Sequence[str]:
    which = register.risk_zone.c.zone_id == wanted.zone_id if wanted.zone_id else sa.true()
    if wanted.hazard or not wanted.zone_id:
        which = sa.and_(which, register.risk_zone.c.hazard == wanted.hazard)
    found = list(
        await db.scalars(
            sa.select(register.risk_zone.c.geojson).where(which, register.risk_zone.c["class"] >= wanted.from_class)
        )
    )
    if not found:
        raise NotFound(
            "no risk zone is like that",
            field="zones",
            rule="known",
            given=wanted.zone_id or wanted.hazard,
            remedy="import it: tocsin registry areas import --as zones",
        )
    return found


async def hazards_at(db: Connection, lat: float, lon: float) -> list[dict[str, object]]:
    """(hazard, class, zone_id) of the risk zones a place lies in, the highest class first."""
    zone = register.risk_zone
    rows = await db.execute(
        sa.select(zone)
        .where(zone.c.west <= lon, zone.c.east >= lon, zone.c.south <= lat, zone.c.north >= lat)
        .order_by(zone.c["class"].desc(), zone.c.hazard, zone.c.zone_id)
    )
    return [
        {"hazard": row.hazard, "class": row._mapping["class"], "zone_id": row.zone_id}
        for row in rows
        if Shape.from_geojson(row.geojson).holds([lon], [lat])[0]
    ]
