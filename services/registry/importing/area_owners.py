"""Judges who may define an area, a risk zone or what a code stands for: a code decides whom a warning reaches.

What one authority defined another does not redefine, nor widen by a part of its own; what nobody defined belongs to
those whose areas name it their parent. A key that is bound to an area defines nothing beyond it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from services.registry.importing.report import ImportReport, Issue
from services.registry.store import register
from services.shared.database.batches import chunks, one_of
from services.shared.database.engine import Connection
from services.shared.errors import Refused
from services.shared.ledger import areas
from services.shared.ledger.areas import area, geocode
from services.shared.powers.may import Thing, may
from services.shared.powers.power import Power
from services.shared.powers.who import Who

Code = tuple[str, str]  # code list, code
Numbered = tuple[int, dict[str, object]]  # feature or line, row of the table


async def allowed_rows(
    db: Connection, table: sa.Table, rows: Sequence[Numbered], who: Who | None, report: ImportReport
) -> list[dict[str, object]]:
    """The rows this caller may write, each with whose it is; the others are told. `who` is None for the house itself."""
    if table is register.risk_zone:
        things = await _zones(db, rows)
    elif table is geocode:
        things = await _geocodes(db, who, rows)
    else:
        things = await _areas(db, rows)
    named = await _named(db, rows) if table is area else {}
    good = []
    for (number, row), found in zip(rows, things, strict=True):
        faults = [fault for one in found if who is not None and (fault := may(who, Power.DEFINE, one)) is not None]
        if faults:
            report.tell(_told(number, row, faults[0]))
        else:
            row["authority"] = found[0].owner or (who.authority if who is not None else "")
            if table is area:
                name, by = named.get((str(row["value_name"]), str(row["code"])), ("", ""))
                row["named_by"] = by if name == row["name"] else who.actor if who is not None else ""
            good.append(row)
    return good


def _told(number: int, row: Mapping[str, object], fault: Refused) -> Issue:
    named = [str(row[name]) for name in ("value_name", "code", "value", "zone_id") if row.get(name)]
    remedy = fault.message if not fault.remedy else f"{fault.message}; {fault.remedy}"
    return Issue(number, "refused", fault.field, fault.rule, " ".join(named)[:80], remedy, " ".join(named))


async def _areas(db: Connection, rows: Sequence[Numbered]) -> list[list[Thing]]:
    codes = [(str(row["value_name"]), str(row[name])) for _, row in rows for name in ("code", "parent") if row[name]]
    defined, made_of = await _defined(db, codes)
    mapped = await _mapped(db, codes)
    found = []
    for _, row in rows:
        one, parent = (str(row["value_name"]), str(row["code"])), (str(row["value_name"]), str(row["parent"]))
        shapes = (str(row["geojson"]),) if row["geojson"] else ()
        parts = [Thing(field="code", owner=defined[one][0] if one in defined else "", shapes=shapes)]
        others = {*mapped.get(one, ()), *(made_of.get(one, ()) if one not in defined else ())}
        parts += [Thing(field="code", owner=owner, shapes=shapes) for owner in sorted(others)]
        if parent in defined and not defined[parent][1]:  # without a polygon it is all of its parts
            parts.append(Thing(field="parent", owner=defined[parent][0], shapes=shapes))
        found.append(parts)
    return found


async def _zones(db: Connection, rows: Sequence[Numbered]) -> list[list[Thing]]:
    zone = register.risk_zone.c
    owners: dict[Code, str] = {}
    for some in chunks([str(row["zone_id"]) for _, row in rows], 1000):
        for there in await db.execute(
            sa.select(zone.zone_id, zone.hazard, zone.authority).where(one_of(zone.zone_id, some))
        ):
            owners[there.zone_id, there.hazard] = there.authority
    return [
        [
            Thing(
                field="code",
                owner=owners.get((str(row["zone_id"]), str(row["hazard"])), ""),
                shapes=(str(row["geojson"]),),
            )
        ]
        for _, row in rows
    ]


async def _geocodes(db: Connection, who: Who | None, rows: Sequence[Numbered]) -> list[list[Thing]]:
    codes = [(str(row["value_name"]), str(row["value"])) for _, row in rows]
    defined, made_of = await _defined(db, codes)
    mapped = await _mapped(db, codes)
    found = []
    for _, row in rows:
        one = (str(row["value_name"]), str(row["value"]))
        meant = (str(row["area_name"]), str(row["area_code"]))
        shapes: list[str] = []
        unresolved: tuple[Code, ...] = ()
        if who is not None and who.area:
            shapes, unresolved = await areas.of_codes(db, [meant])
        owners = {*mapped.get(one, ()), *([defined[one][0]] if one in defined else made_of.get(one, ()))}
        words = tuple(f"{name} {code}" for name, code in unresolved)
        found.append(
            [Thing(field="value", owner=owner, shapes=tuple(shapes), unresolved=words) for owner in sorted(owners)]
            or [Thing(field="value", shapes=tuple(shapes), unresolved=words)]
        )
    return found


async def _defined(db: Connection, codes: Sequence[Code]) -> tuple[dict[Code, tuple[str, bool]], dict[Code, set[str]]]:
    """(code > whose area it is and whether it has a polygon, code > whose areas name it their parent)."""
    defined: dict[Code, tuple[str, bool]] = {}
    made_of: dict[Code, set[str]] = {}
    for value_name, some in _by_list(codes):
        here = sa.select(area.c.code, area.c.parent, area.c.authority, (area.c.geojson != "").label("drawn")).where(
            area.c.value_name == value_name
        )
        for part in chunks(some, 1000):
            for row in await db.execute(here.where(one_of(area.c.code, part))):
                defined[value_name, row.code] = (row.authority, bool(row.drawn))
            for row in await db.execute(here.where(one_of(area.c.parent, part))):
                made_of.setdefault((value_name, row.parent), set()).add(row.authority)
    return defined, made_of


async def _named(db: Connection, rows: Sequence[Numbered]) -> dict[Code, tuple[str, str]]:
    """Code > what its area is called, and who gave it that name."""
    found: dict[Code, tuple[str, str]] = {}
    for value_name, some in _by_list([(str(row["value_name"]), str(row["code"])) for _, row in rows]):
        for part in chunks(some, 1000):
            said = sa.select(area.c.code, area.c.name, area.c.named_by).where(area.c.value_name == value_name)
            for one in await db.execute(said.where(one_of(area.c.code, part))):
                found[value_name, one.code] = (one.name, one.named_by)
    return found


async def _mapped(db: Connection, codes: Sequence[Code]) -> dict[Code, set[str]]:
    """Code > who said what it stands for."""
    found: dict[Code, set[str]] = {}
    for value_name, some in _by_list(codes):
        for part in chunks(some, 1000):
            said = sa.select(geocode.c.value, geocode.c.authority)
            for row in await db.execute(said.where(geocode.c.value_name == value_name, one_of(geocode.c.value, part))):
                found.setdefault((value_name, row.value), set()).add(row.authority)
    return found


def _by_list(codes: Sequence[Code]) -> list[tuple[str, list[str]]]:
    lists: dict[str, set[str]] = {}
    for value_name, code in codes:
        lists.setdefault(value_name, set()).add(code)
    return [(value_name, sorted(some)) for value_name, some in lists.items()]
