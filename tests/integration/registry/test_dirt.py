"""Every defect is told by line, field and rule, whatever the file was saved as, and the good rows are in."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from collections import Counter, defaultdict
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import openpyxl
import pytest
import sqlalchemy as sa

from services.registry.findings import find
from services.registry.geo.datum import from_gcj02, point_to_wgs84, to_gcj02
from services.registry.importing import write
from services.registry.importing.columns import read_map
from services.registry.importing.list_columns import KNOWN
from services.registry.importing.list_import import ListImportOptions, import_bytes, import_file
from services.registry.importing.report import ImportReport, Issue
from services.registry.importing.rows import person_id_of
from services.registry.lookup.view import person_view
from services.registry.store import register
from services.shared.audit import trail
from services.shared.errors import Refused
from tests.integration.registry.conftest import YEAR
from tests.kit.dirt import COLUMNS, DEFECTS, Dirty, as_csv, as_xlsx, dirty

TOWN = ListImportOptions("town", YEAR, region="CN")


async def there(registry, source: str = "town") -> set[str]:
    """Ids of the people in the register."""
    async with registry.database.read() as db:
        return set(await db.scalars(sa.select(register.person.c.person_id)))


async def take(registry, text: str, wanted: ListImportOptions = TOWN) -> ImportReport:
    return await import_bytes(registry.database, registry.keys, text.encode(), wanted)


def check(report: ImportReport, lines: dict, people: set[str], *, forms: bool = True) -> None:
    """What is told is what must be told, row by row; who must be in is in, and nobody else."""
    told = defaultdict(list)
    for issue in report.issues:
        told[issue.line].append((issue.outcome, issue.field, issue.rule))
        assert issue.remedy
    for line, (external, defect) in lines.items():
        by_line = [one for one in defect.told if one[0] != "repaired"]
        assert sorted(by_line) == sorted(told.pop(line, [])), (line, defect.name)
        assert defect.there == (person_id_of("town", external) in people), (line, defect.name)
    assert {} == told
    mended = Counter(one for _, defect in lines.values() for one in defect.told if one[0] == "repaired")
    assert not forms or mended == {key: n for key, n in report.counts.items() if key[0] == "repaired"}
    refused = sum(not defect.there for _, defect in lines.values())
    assert (len(lines) - refused, refused) == (report.read, report.refused)


@pytest.mark.parametrize(
    ("encoding", "delimiter", "end"),
    [("utf-8", ",", "\r\n"), ("utf-8-sig", ";", "\n"), ("gb18030", ",", "\r\n"), ("utf-16", "\t", "\r\n")],
)
async def test_every_defect_in_a_csv(registry, encoding, delimiter, end):
    """UTF-8 with and without BOM, GB18030, UTF-16; comma, semicolon, tab."""
    body, lines = as_csv(dirty(), encoding=encoding, delimiter=delimiter, end=end)
    report = await import_bytes(registry.database, registry.keys, body, TOWN)
    check(report, lines, await there(registry))
    assert (encoding in ("gb18030", "utf-16")) == any("read as" in note for note in report.notes)
    again = await import_bytes(registry.database, registry.keys, body, TOWN)
    assert (0, report.read) == (again.read, again.unchanged)


async def test_every_defect_in_a_sheet(registry, tmp_path):
    """The same in XLSX, where numbers and dates are numbers and dates."""
    path = tmp_path / "list.xlsx"
    lines = as_xlsx(dirty(), path)
    report = await import_file(registry.database, registry.keys, path, TOWN)
    people = await there(registry)
    native = {line for line, (_, defect) in lines.items() if defect.native}
    check(
        ImportReport(
            read=report.read, refused=report.refused, issues=[i for i in report.issues if i.line not in native]
        ),
        {line: one if line not in native else (one[0], DEFECTS[0]) for line, one in lines.items()},
        people,
        forms=False,
    )
    kept = {(i.field, i.rule) for i in report.issues if i.line in native} | {key[1:] for key in report.counts}
    assert {
        ("mobile", "E.164"),
        ("landline", "E.164"),
        ("birth_year", "year only"),
        ("valid_until", "a sheet's number for a date"),
    } <= kept


async def test_processes_read_as_one_does(registry, tmp_path):
    """Read in two processes of their own, the same file gives the same register and the same report."""
    body, lines = as_csv(Dirty(dirty().rows * 1))
    path = tmp_path / "list.csv"
    path.write_bytes(body)
    shares: list[float] = []
    told: list[Issue] = []
    report = await import_file(
        registry.database,
        registry.keys,
        path,
        TOWN,
        processes=2,
        progress=lambda s, _: shares.append(s),
        sink=told.append,
    )
    check(report, lines, await there(registry))
    assert (1.0, len(report.issues)) == (shares[-1], len(told))


async def test_a_dry_run_tells_all_and_writes_nothing(registry):
    """The same report; no person, no source, no key, no audit entry."""
    body, lines = as_csv(dirty())
    dry = await import_bytes(
        registry.database, registry.keys, body, ListImportOptions("town", YEAR, region="CN", dry_run=True)
    )
    assert set() == await there(registry)
    async with registry.database.read() as db:
        for table in (register.source, register.listing, trail.audit_log):
            assert 0 == await db.scalar(sa.select(sa.func.count()).select_from(table))
    real = await import_bytes(registry.database, registry.keys, body, TOWN)
    assert dry.as_json() == real.as_json() | {"dry_run": True}
    assert lines


async def test_a_lists_own_words(registry):
    """Its column names, its values, and what is true of every row, by a column map."""
    words = read_map(
        "columns: {编号: id, 姓名: name, 手机: mobile, 听力: hear, 独居: lives_alone, 纬度: lat, 经度: lon, 备注: ''}\n"
        "values: {hear: {一级: 4, 二级: 3}, lives_alone: {独居: yes}}\nevery_row: {languages: zh}\n",
        KNOWN,
    )
    text = "编号,姓名,手机,听力,独居,纬度,经度,备注\n1,王,13800138000,一级,独居,30.05,103.05,x\n2,李,,三级,,30.05,103.05,\n"
    report = await take(registry, text, ListImportOptions("town", YEAR, region="CN", words=words))
    assert [(3, "guessed", "hear")] == [(i.line, i.outcome, i.field) for i in report.issues]
    async with registry.database.read() as db:
        view = await person_view(db, person_id_of("town", "1"))
    facts = {fact["name"]: fact["value"] for fact in view["facts"]}
    assert (4, True, ["zh"]) == (facts["hear"], facts["lives_alone"], facts["languages"])


@pytest.mark.parametrize("text", ["columns: [a", "columns: {a: shoe_size}", "shoes: {a: b}", "values: {hear: 4}"])
def test_a_wrong_column_map_is_refused(text):
    """It names what is wrong, before anything is read."""
    with pytest.raises(Refused) as refused:
        read_map(text, KNOWN)
    assert "columns" == refused.value.field
    assert refused.value.remedy


async def test_who_is_no_longer_in_the_newest_list(registry):
    """Flagged and not deleted; back in the list, no longer flagged; the other source has its own newest list."""
    head = "id,lat,lon,mobile\n"
    rows = [f"{n},30.05,103.05,1380013800{n}\n" for n in range(3)]
    await take(registry, head + "".join(rows))
    await take(registry, head + rows[0], ListImportOptions("clinic", YEAR, region="CN", kind="health"))
    second = await take(registry, head + rows[0] + rows[2])
    assert (0, 2, 1) == (second.read, second.unchanged, second.missing)
    async with registry.database.read() as db:
        (missing,) = (await find(db, kind="missing"))["findings"]
    assert [{"id": person_id_of("town", "1"), "detail": "town"}] == missing["found"]
    assert 4 == len(await there(registry))
    assert 0 == (await take(registry, head + "".join(rows))).missing


async def test_one_phone_is_not_one_person(registry):
    """Two lists with the same number and name are two people, until a list says whom it means."""
    row = "id,name,lat,lon,mobile,same_as,walk\n7,Ms A,30.05,103.05,13800138000,{},{}\n"
    await take(registry, row.format("", 1))
    cards = ListImportOptions("cards", YEAR, region="CN", kind="disability_card")
    await take(registry, row.format("", "二级"), cards)
    assert 2 == len(await there(registry))
    report = await take(registry, row.format("town:7", "二级").replace("7,Ms", "8,Ms"), cards)
    assert (1, 2) == (report.conflicts, len(await there(registry)))
    async with registry.database.read() as db:
        view = await person_view(db, person_id_of("town", "7"))
    assert [("walk", 1, 4)] == [(c["field"], c["kept"], c["other"]) for c in view["conflicts"]]
    assert [("cards", True), ("town", True)] == [(one["name"], one["in_newest"]) for one in view["lists"]]


async def test_a_quote_never_closed_costs_one_row(registry):
    """In a list of 3,000 lines the rest is read, and no more is held than a few lines."""
    rows = [f"{n},A,30.05,103.05\n" for n in range(3000)]
    rows[10] = '10,"A,30.05,103.05\n'
    report = await take(registry, "id,name,lat,lon\n" + "".join(rows))
    assert [(12, "row", "csv")] == [(i.line, i.field, i.rule) for i in report.issues]
    assert 2999 == report.read


def _bomb(path: Path, name: str, body: bytes) -> None:
    """A workbook of which one part is replaced."""
    book = openpyxl.Workbook()
    book.create_sheet("list", 0).append(["id", "lat", "lon"])
    plain = io.BytesIO()
    book.save(plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            new.writestr(part, body if part == name else old.read(part))


@pytest.mark.parametrize(
    ("name", "body", "rule"),
    [
        ("xl/worksheets/sheet1.xml", b"<x>" + b" " * 30_000_000, "size"),
        ("xl/workbook.xml", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "format"),
        ("xl/workbook.xml", b"<broken", "format"),
    ],
)
async def test_a_sheet_that_is_none(registry, tmp_path, name, body, rule):
    """A part that unpacks two hundred times, declares entities or is cut off is refused, and nothing goes in."""
    path = tmp_path / "bomb.xlsx"
    _bomb(path, name, body)
    with pytest.raises(Refused) as refused:
        await import_file(registry.database, registry.keys, path, TOWN)
    assert rule == refused.value.rule
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(Refused):
        await import_file(registry.database, registry.keys, path, TOWN)


async def test_a_sheet_says_it_is_huge(registry, tmp_path):
    """What a sheet claims of its size is not believed; its true rows are read."""
    book = openpyxl.Workbook()
    first = book.create_sheet("list", 0)
    first.append(["id", "lat", "lon", "birth_year"])
    first.append([1, 30.05, 103.05, dt.date(1950, 1, 1)])
    path = tmp_path / "a.xlsx"
    book.save(path)
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"]
    parts["xl/worksheets/sheet1.xml"] = sheet.replace(b'ref="A1:D2"', b'ref="A1:XFD1048576"')
    assert sheet != parts["xl/worksheets/sheet1.xml"]
    with zipfile.ZipFile(path, "w") as new:
        for name, body in parts.items():
            new.writestr(name, body)
    assert 1 == (await import_file(registry.database, registry.keys, path, TOWN)).read


def test_known_points_of_the_shift():
    """Published pairs of WGS 84 and GCJ-02; the inverse comes back to a millimetre; outside China nothing moves."""
    for lat, lon, shifted_lat, shifted_lon, digits in (
        (31.280844, 120.596931, 31.278648624428175, 120.60109998322247, 1e-6),
        (39.90105, 116.42079, 39.90245, 116.42703, 1e-5),
    ):
        x, y = to_gcj02(np.array([lon]), np.array([lat]))
        assert abs(x[0] - shifted_lon) < digits
        assert abs(y[0] - shifted_lat) < digits
    east, north = (grid.ravel() for grid in np.meshgrid(np.linspace(75, 134, 60), np.linspace(5, 54, 60)))
    back = from_gcj02(*to_gcj02(east, north))
    assert max(np.abs(back[0] - east).max(), np.abs(back[1] - north).max()) < 1e-8
    assert (48.1, 11.5) == point_to_wgs84(48.1, 11.5, "gcj02")


async def test_a_list_in_gcj02_lands_where_people_live(registry):
    """Declared, it is converted; the house is some 400 m from where the map shows it."""
    text = "id,lat,lon\n1,31.278648624428175,120.60109998322247\n"
    await take(registry, text, ListImportOptions("town", YEAR, datum="gcj02"))
    async with registry.database.read() as db:
        row = (await db.execute(sa.select(register.person.c.lat, register.person.c.lon))).one()
    assert (31.280844, 120.596931) == (round(row.lat, 6), round(row.lon, 6))


async def test_a_database_that_goes_away_costs_time_and_nobody(registry, monkeypatch):
    """Fails before, in the middle of and just after the commit of a page: everybody is in once, and told once."""
    monkeypatch.setattr(write, "WAITS_S", (0.0, 0.0, 0.0, 0.0))
    real, faults = registry.database.write, ["before", "within", "after"]

    @asynccontextmanager
    async def flaky():
        when = faults.pop(0) if faults else ""
        gone = sa.exc.OperationalError("gone", None, Exception("gone"))
        if when == "before":
            raise gone
        async with real() as tx:
            yield tx
            if when == "within":
                raise gone
        if when == "after":
            raise gone

    monkeypatch.setattr(registry.database, "write", flaky)
    body, lines = as_csv(dirty())
    report = await import_bytes(registry.database, registry.keys, body, TOWN)
    assert [] == faults
    assert len(lines) - report.refused == report.read + report.unchanged
    async with registry.database.read() as db:
        dead = int(await db.scalar(sa.select(sa.func.count()).where(register.person.c.status == "deceased")) or 0)
        assert report.read + report.unchanged == sum((await register.counts_by_profile(db)).values()) + dead


def test_the_generator_covers_every_rule():
    """Each outcome, and more rules than one can forget by accident."""
    rules = {told for defect in DEFECTS for told in defect.told}
    assert {"repaired", "guessed", "doubtful", "left_out", "refused"} == {outcome for outcome, _, _ in rules}
    assert len(rules) > 35
    assert set(COLUMNS) <= KNOWN
