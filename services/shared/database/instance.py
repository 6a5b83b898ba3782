"""Stamps a database with its plane, clock and keys, and checks the stamp at each start."""

from __future__ import annotations

import sqlalchemy as sa

from services.shared.database.batches import insert_new
from services.shared.database.engine import Database, metadata
from services.shared.errors import Broken

instance = sa.Table(
    "instance",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.String(200), nullable=False),
    comment="what this database is: its plane and its clock",
)


async def stamp(database: Database, name: str, value: str) -> str:
    """Writes `value` under `name` if nothing stands there, and returns what stands there now."""
    async with database.write() as tx:
        await insert_new(tx, instance, [{"name": name, "value": value}])
        found = await tx.scalar(sa.select(instance.c.value).where(instance.c.name == name))
    return str(found)


async def check_plane(database: Database, plane: str) -> None:
    """A database belongs to one plane for ever: a drill that opens the live one refuses to start."""
    found = await stamp(database, "plane", plane)
    if found != plane:
        raise Broken(f"this database is for the {found} plane and TOCSIN_PLANE is {plane}: give another database")
