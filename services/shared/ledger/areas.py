"""Keeps the shapes of named areas, and what codes of alerts stand for; a warning's place is resolved by them."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from services.shared.database.engine import Connection, Id, metadata

area = sa.Table(
    "registry_area",
    metadata,
    sa.Column("value_name", sa.String(120), primary_key=True),
    sa.Column("code", sa.String(120), primary_key=True),
    sa.Column("parent", sa.String(120), nullable=False, comment="code of the area it is part of; empty for none"),
    sa.Column("name", sa.String(300), nullable=False),
    sa.Column("geojson", sa.Text, nullable=False, comment="empty: the union of its children"),
    sa.Column("authority", sa.String(80), nullable=False, comment="who defined it; empty: nobody's yet"),
    sa.Column(
        "named_by", Id, nullable=False, server_default="", comment="who gave it this name; empty: the house itself"
    ),
    sa.Index(None, "value_name", "parent"),
)
geocode = sa.Table(
    "registry_geocode",
    metadata,
    sa.Column("value_name", sa.String(120), primary_key=True, comment="as alerts name the code list"),
    sa.Column("value", sa.String(120), primary_key=True),
    sa.Column("area_name", sa.String(120), primary_key=True, comment="value_name of the area it stands for"),
    sa.Column("area_code", sa.String(120), primary_key=True),
    sa.Column("authority", sa.String(80), nullable=False, comment="who defined it; empty: nobody's yet"),
)

risk_zone = sa.Table(
    "registry_risk_zone",
    metadata,
    sa.Column("zone_id", sa.String(120), primary_key=True),
    sa.Column("hazard", sa.String(40), primary_key=True),
    sa.Column("class", sa.SmallInteger, nullable=False, comment="1 low to 4 very high"),
    sa.Column("name", sa.String(300), nullable=False),
    sa.Column("geojson", sa.Text, nullable=False),
    sa.Column("west", sa.Double, nullable=False),
    sa.Column("south", sa.Double, nullable=False),
    sa.Column("east", sa.Double, nullable=False),
    sa.Column("north", sa.Double, nullable=False),
    sa.Column("authority", sa.String(80), nullable=False, comment="who defined it; empty: nobody's yet"),
)


async def of_codes(
    db: Connection, geocodes: Iterable[tuple[str, str]]
) -> tuple[list[str], tuple[tuple[str, str], ...]]:
    """The GeoJSON of all known geocodes, and the geocodes nobody knows.

    A geocode is an area of that code list, or what an imported table says it stands for.
    """
    texts: list[str] = []
    unresolved = []
    for value_name, code in geocodes:
        found = await _texts_of(db, value_name, code)
        stands_for = await db.execute(
            sa.select(geocode.c.area_name, geocode.c.area_code).where(
                geocode.c.value_name == value_name, geocode.c.value == code
            )
        )
        for area_name, area_code in stands_for.all():
            found += await _texts_of(db, area_name, area_code)
        texts += found
        if not found:
            unresolved.append((value_name, code))
    return texts, tuple(unresolved)


async def names_of(db: Connection, geocodes: Iterable[tuple[str, str]], *, but_of: str) -> list[str]:
    """What the areas of these geocodes are called, as they were imported; without the names that one person or key gave."""
    found = []
    for value_name, code in geocodes:
        named = sa.select(area.c.name).where(
            area.c.value_name == value_name, area.c.code == code, (area.c.named_by != but_of) | (area.c.named_by == "")
        )
        found += [name for name in await db.scalars(named) if name]
    return found


async def _texts_of(db: Connection, value_name: str, code: str) -> list[str]:
    """The polygon of an area; of one without its own those of all it is made of, however deep."""
    texts: list[str] = []
    waiting, seen = [code], {code}
    while waiting:
        rows = list(await db.execute(sa.select(area).where(area.c.value_name == value_name, area.c.code.in_(waiting))))
        texts += [row.geojson for row in rows if row.geojson]
        named = {row.code for row in rows if row.geojson}
        parents = [one for one in waiting if one not in named]  # also of a code that only children mention
        below = await db.scalars(
            sa.select(area.c.code).where(area.c.value_name == value_name, area.c.parent.in_(parents))
        )
        waiting = sorted(set(below) - seen)
        seen.update(waiting)
    return texts
