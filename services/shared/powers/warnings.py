"""Reads a warning as what an act is about: whose it is, how far it reaches, and what it is of."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import sqlalchemy as sa

from services.shared.database.engine import Connection
from services.shared.database.rows import columns, row_of, rows_of
from services.shared.ledger import areas
from services.shared.ledger.warnings import warning_scope, warning_state
from services.shared.powers.may import Thing
from services.shared.powers.who import Who


class OwnedWarning(NamedTuple):
    """What of a warning its powers hang on."""

    warning_id: str
    authority: str
    tier: int
    released_at: float | None
    sender: str
    events: list[str]
    area: str
    geocodes: list[list[str]]
    holds: list[str]
    brought_by: str


_ONE = sa.select(*columns(OwnedWarning, warning_state, warning_scope)).join(
    warning_scope, warning_scope.c.warning_id == warning_state.c.warning_id
)


def no_warning(warning_id: str) -> str:
    """What is said where there is no such warning, and where it may not be seen."""
    return f"there is no warning {warning_id}"


async def warning_thing(db: Connection, who: Who, warning_id: str, ends: tuple[Thing, ...] = ()) -> Thing:
    """The warning as it stands now; one that nobody owns, where there is none.

    Its codes are resolved by the areas of now, and only for a caller who is bound to an area.
    """
    row = await row_of(db, OwnedWarning, _ONE.where(warning_state.c.warning_id == warning_id))
    if row is None:
        return Thing(missing=no_warning(warning_id), field="warning_id", owner=NOBODY)
    return await _thing(db, who, row, ends)


async def warning_things(db: Connection, who: Who, warning_ids: Collection[str]) -> Mapping[str, Thing]:
    """The same for a page of them."""
    rows = await rows_of(db, OwnedWarning, _ONE.where(warning_state.c.warning_id.in_(warning_ids)))
    return {row.warning_id: await _thing(db, who, row, ()) for row in rows}


async def _thing(db: Connection, who: Who, row: OwnedWarning, ends: tuple[Thing, ...]) -> Thing:
    missing = no_warning(row.warning_id)
    shapes, unresolved = await place_of(db, who, row.area, ((a, b) for a, b in row.geocodes))
    return Thing(
        missing=missing, field="warning_id", owner=row.authority, tier=row.tier,
        shapes=shapes, unresolved=unresolved, events=tuple(row.events), sender=row.sender,
        out=row.released_at is not None, ends=ends, holds=tuple(row.holds), brought_by=row.brought_by,
    )  # fmt: skip


def seen_by(who: Who) -> sa.ColumnElement[bool]:
    """Of all warnings those a caller may know of, as `may` says of each: what went out, and their own and below."""
    return sa.or_(warning_state.c.released_at.is_not(None), warning_state.c.authority.in_((who.authority, *who.over)))


NOBODY = "\0"  # a name no authority can have


async def place_of(
    db: Connection, who: Who, area: str, geocodes: Iterable[tuple[str, str]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(GeoJSON of polygon and codes, codes nobody knows), for a caller bound to an area; nothing for any other."""
    if not who.area:
        return (), ()
    texts, unresolved = await areas.of_codes(db, geocodes)
    return tuple(dict.fromkeys([area, *texts] if area else texts)), tuple(f"{a} {b}" for a, b in unresolved)
