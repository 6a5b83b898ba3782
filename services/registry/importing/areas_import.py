"""Imports areas: administrative areas and risk zones as GeoJSON, code lists as CSV."""

from __future__ import annotations

import asyncio
import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import orjson
import shapely

from services.registry.geo.areas import Shape
from services.registry.geo.datum import Datum, from_gcj02
from services.registry.importing.area_owners import Numbered, allowed_rows
from services.registry.importing.encodings import text_of
from services.registry.importing.report import ImportReport, Issue
from services.registry.store import register
from services.shared.audit import trail
from services.shared.database.batches import insert_new
from services.shared.database.engine import Database
from services.shared.errors import Refused
from services.shared.powers.who import Who

MAX_BYTES = 300 * 1024**2
WHAT = ("areas", "zones", "geocodes")


@dataclass(frozen=True)
class AreaImportOptions:
    """How to read it. `code`, `parent`, `name` are the features' properties; `value_name` names the code list."""

    what: str = "areas"
    value_name: str = ""
    code: str = "code"
    parent: str = "parent"
    name: str = "name"
    datum: Datum = "wgs84"


async def import_body(
    database: Database, body: bytes, wanted: AreaImportOptions, *, actor: str, who: Who | None = None
) -> ImportReport:
    """Imports a GeoJSON of areas or zones, or a CSV of geocodes (valueName, value, area).

    A feature that is wrong, another authority's, or beyond the area of `who`, is told by its number (from 1) and stops
    no other; a body that is none is Refused whole.
    """
    if wanted.what not in WHAT:
        raise _wrong("as", wanted.what, f"write one of {', '.join(WHAT)}")
    if wanted.what in ("areas", "geocodes") and not wanted.value_name:
        raise _wrong("value_name", "", "name the code list of the areas, as alerts name it, like GB2260")
    report = ImportReport()
    read = {
        "areas": lambda: (register.area, list(_areas(body, wanted, report))),
        "zones": lambda: (register.risk_zone, list(_zones(body, wanted, report))),
        "geocodes": lambda: (register.geocode, list(_geocodes(body, wanted, report))),
    }[wanted.what]
    table, rows = await asyncio.to_thread(read)  # a county's polygons take a while, and warnings go on meanwhile
    if rows:
        async with database.write() as tx:
            good = await allowed_rows(tx, table, rows, who, report)
            if table is register.geocode:  # all of a row is its key
                await insert_new(tx, table, good)
            else:
                await register.put(tx, table, good)
            if good:
                detail = {"rows": len(good)}
                await trail.record(
                    tx, actor, f"{wanted.what}.import", wanted.value_name or wanted.what, "register", detail
                )
            report.read = len(good)
    return report


def _features(body: bytes) -> list[object]:
    try:
        found = orjson.loads(body.removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError as problem:
        raise _wrong("body", str(problem)[:80], "send a GeoJSON FeatureCollection") from problem
    features = found.get("features") if isinstance(found, dict) else None
    if not isinstance(features, list):
        raise _wrong("body", str(type(found).__name__), "send a GeoJSON FeatureCollection")
    return features


def each_feature(
    body: bytes, wanted: AreaImportOptions, report: ImportReport
) -> Iterator[tuple[int, dict[str, object], str, Shape]]:
    """(number, properties, GeoJSON in WGS 84, area) of each feature with a surface."""
    for number, feature in enumerate(_features(body), 1):
        properties = feature.get("properties") if isinstance(feature, dict) else None
        try:
            if not isinstance(feature, dict) or not isinstance(properties, dict):
                raise _wrong("properties", "", "give each feature properties with its code and name")
            text = in_wgs84(_as_text(feature.get("geometry")), wanted.datum)
            area = Shape.judged(text)
        except Refused as fault:
            issue = Issue(
                number, "refused", fault.field, fault.rule, str(fault.given)[:80], fault.remedy or fault.message
            )
            report.tell(issue)
        else:
            yield number, properties, text, area


def _as_text(geometry: object) -> str:
    try:
        return orjson.dumps(geometry).decode()
    except orjson.JSONEncodeError as problem:  # it nests deeper than any geometry
        raise _wrong("geometry", str(problem)[:80], "give a GeoJSON Polygon or MultiPolygon") from problem


def _areas(body: bytes, wanted: AreaImportOptions, report: ImportReport) -> Iterator[Numbered]:
    seen: dict[str, int] = {}
    for number, properties, text, _ in each_feature(body, wanted, report):
        code = _text(properties.get(wanted.code))
        if not code or code in seen:
            rule, remedy = ("once", f"feature {seen[code]} has the same code") if code else ("required", "give a code")
            report.tell(Issue(number, "refused", wanted.code, rule, code, remedy))
            continue
        seen[code] = number
        yield (
            number,
            {
                "value_name": wanted.value_name,
                "code": code,
                "parent": _text(properties.get(wanted.parent)),
                "name": _text(properties.get(wanted.name), 300),
                "geojson": text,
            },
        )


def _zones(body: bytes, wanted: AreaImportOptions, report: ImportReport) -> Iterator[Numbered]:
    for number, properties, text, area in each_feature(body, wanted, report):
        code, hazard = _text(properties.get(wanted.code)), _text(properties.get("hazard"), 40)
        level = _text(properties.get("class"))
        wrong = [
            n for n, ok in ((wanted.code, code), ("hazard", hazard), ("class", level in ("1", "2", "3", "4"))) if not ok
        ]
        if wrong:
            remedy = "give code, hazard (as the policy names it) and class 1 (low) to 4 (very high)"
            report.tell(Issue(number, "refused", wrong[0], "required", _text(properties.get(wrong[0])), remedy))
            continue
        west, south, east, north = area.bounds
        yield (
            number,
            {
                "zone_id": code,
                "hazard": hazard,
                "class": int(level),
                "name": _text(properties.get(wanted.name), 300),
                "geojson": text,
                "west": west,
                "south": south,
                "east": east,
                "north": north,
            },
        )


def _geocodes(body: bytes, wanted: AreaImportOptions, report: ImportReport) -> Iterator[Numbered]:
    text = text_of(body).removeprefix("\ufeff")
    rows = csv.DictReader(io.StringIO(text, newline=""))
    names = {(name or "").strip().lower().replace("_", ""): name for name in rows.fieldnames or ()}
    missing = [n for n in ("valuename", "value", "area") if n not in names]
    if missing:
        raise _wrong("header", ",".join(rows.fieldnames or ())[:80], "name the columns valueName, value, area")
    for line, row in enumerate(rows, 2):
        found = {n: (row.get(names[n]) or "").strip()[:120] for n in ("valuename", "value", "area")}
        empty = next((n for n, value in found.items() if not value), "")
        if empty:
            report.tell(Issue(line, "refused", empty, "required", "", f"fill in {empty}"))
            continue
        yield (
            line,
            {
                "value_name": found["valuename"],
                "value": found["value"],
                "area_name": wanted.value_name,
                "area_code": found["area"],
            },
        )


def in_wgs84(geojson: str, datum: Datum) -> str:
    """The same geometry in WGS 84."""
    if datum == "wgs84":
        return geojson
    try:
        shape = shapely.from_geojson(geojson)
    except (shapely.errors.ShapelyError, ValueError) as problem:
        raise _wrong("geometry", geojson[:80], "give a GeoJSON Polygon or MultiPolygon") from problem
    xy = shapely.get_coordinates(shape)
    x, y = from_gcj02(xy[:, 0].copy(), xy[:, 1].copy())
    moved = shapely.set_coordinates(shapely.force_2d(shape), np.round(np.column_stack((x, y)), 7))
    return str(shapely.to_geojson(moved))


def _text(value: object, longest: int = 120) -> str:
    return "" if value is None else str(value).strip()[:longest]


def _wrong(field: str, given: str, remedy: str) -> Refused:
    return Refused(f"{field} cannot be read", field=field, rule="known", given=given, remedy=remedy)
