"""What a list says wrongly is read rightly or held: grades of cards, places, moved columns, formulas, protections."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import sqlalchemy as sa

from services.registry.importing.columns import read_map
from services.registry.importing.list_columns import KNOWN
from services.registry.importing.list_import import ListImportOptions, import_bytes, import_file
from services.registry.importing.report import ImportReport
from services.registry.importing.rows import person_id_of
from services.registry.importing.write import import_areas
from services.registry.lookup.view import person_view
from services.registry.model.facilities import AreaIn
from services.registry.store import register
from services.shared.errors import Refused
from tests.integration.registry.conftest import SQUARE, YEAR


async def take(registry, text: str, **more: Any) -> ImportReport:
    wanted = {"region": "CN"} | more
    return await import_bytes(
        registry.database, registry.keys, text.encode(), ListImportOptions("town", YEAR, **wanted)
    )


async def facts(registry, external: str) -> dict[str, Any]:
    """What is known of somebody of the town's list."""
    async with registry.database.read() as db:
        view = await person_view(db, person_id_of("town", external))
    return {fact["name"]: fact["value"] for fact in view["facts"]} | {"status": view["status"]}


async def people(registry) -> int:
    async with registry.database.read() as db:
        return int(await db.scalar(sa.select(sa.func.count()).select_from(register.person)) or 0)


def told(report: ImportReport) -> list[tuple[int, str, str]]:
    return sorted((i.line, i.outcome, i.field) for i in report.issues)


@pytest.mark.parametrize(
    ("cell", "kind", "region", "level", "outcome"),
    [
        ("1", "disability_card", "CN", 4, "guessed"),  # the worst
        ("4", "disability_card", "CN", 2, "guessed"),  # the lightest
        ("一级", "civil_affairs", "CN", 4, "guessed"),
        ("三级", "disability_card", "CN", 3, "guessed"),
        ("1", "civil_affairs", "CN", 1, None),
        ("1", "disability_card", "KE", None, "left_out"),  # whose grades we do not know
        ("cannot", "disability_card", "CN", 4, None),
    ],
)
async def test_a_cards_grade_is_no_level(registry, cell, kind, region, level, outcome):
    """In China grade 1 is the worst: read so for a list of cards, told; elsewhere somebody has to say it."""
    report = await take(registry, f"id,lat,lon,hear\n1,30.05,103.05,{cell}\n", kind=kind, region=region)
    assert ([(2, outcome, "hear")] if outcome else []) == told(report)
    assert level == (await facts(registry, "1")).get("hear")


async def test_what_a_column_map_says_of_grades_counts(registry):
    """Its words are ours already: 4 stays 4."""
    words = read_map("values: {hear: {甲: 4, 乙: 1}}\n", KNOWN)
    await take(registry, "id,lat,lon,hear\n1,30.05,103.05,甲\n2,30.05,103.05,乙\n", kind="disability_card", words=words)
    assert [4, 1] == [(await facts(registry, n))["hear"] for n in "12"]


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [("status", "死亡", "deceased"), ("status", "已故", "deceased"), ("status", "Died", "deceased"),
     ("protected_address", "√", True), ("protected_address", "是", True), ("no_test", "✓", True)],
)  # fmt: skip
async def test_what_protects_is_read_in_words(registry, column, cell, value):
    await take(registry, f"id,lat,lon,{column}\n1,30.05,103.05,{cell}\n")
    assert value == (await facts(registry, "1"))[column]


@pytest.mark.parametrize(
    ("column", "cell"),
    [("status", "ausgezogen?"), ("protected_address", "看情况"), ("protected_address", "x"), ("no_test", "maybe"),
     ("said_no", "飞鸽"), ("safe_contact", "妹妹的"), ("drill", "perhaps")],
)  # fmt: skip
async def test_what_protects_and_is_not_understood_holds_the_row(registry, column, cell):
    """Nobody goes in without it; who is in already stays as they were."""
    head = f"id,lat,lon,name,{column}\n"
    report = await take(registry, head + f"1,30.05,103.05,A,{cell}\n2,30.05,103.05,B,\n")
    assert [(2, "refused", column)] == told(report)
    assert "held, since it protects them" in report.issues[0].remedy
    assert 1 == await people(registry)
    await take(registry, "id,lat,lon,protected_address\n2,30.05,103.05,yes\n")
    await take(registry, head + f"2,30.25,103.05,B,{cell}\n")
    assert (await facts(registry, "2"))["protected_address"] is True


@pytest.mark.parametrize(
    ("said", "channels"),
    [("短信", ("voice_mobile",)), ("电话", ("sms",)), ("无", ("sms", "voice_mobile")), ("sms、电话", ())],
)
async def test_a_no_in_words(registry, said, channels):
    await take(registry, f"id,lat,lon,mobile,given_by,said_no\n1,30.05,103.05,13800138000,self,{said}\n")
    async with registry.database.read() as db:
        row = (await db.execute(sa.select(register.person))).one()
        profile = (await register.profiles_of(db, [row.profile_key]))[row.profile_key]
    assert channels == profile.channels


# ---- places

ROWS = "".join(f"{n},30.0{n % 9 + 1},103.0{n % 9 + 1}\n" for n in range(30))
ODD = "a,87.617,43.825\nb,103.05,30.05\nc,43.825,87.617\nd,30,103\ne,30.5,103.5\n"


@pytest.mark.parametrize("learnt", ["areas", "register", "rows", "said"])
async def test_places_outside_are_held(registry, learnt):
    """Exchanged, of another county, whole degrees: by what is known of where people can live; near ones go in."""
    if learnt == "areas":
        await import_areas(registry.database, [AreaIn(value_name="GB", code="1", geojson=SQUARE)])
    if learnt == "register":
        more = "".join(f"r{n},30.0{n % 9 + 1},103.0{n % 9 + 1}\n" for n in range(60))
        await take(registry, "id,lat,lon\n" + more)
    rows = ROWS if learnt == "rows" else ""
    report = await take(registry, "id,lat,lon\n" + rows + ODD, bounds="29,102,31.5,104.5" if learnt == "said" else "")
    first = 2 + rows.count("\n")
    assert [(first + n, "refused", "lat") for n in range(4)] == told(report)
    exchanged, _, outside, whole = [i.remedy for i in sorted(report.issues, key=lambda i: i.line)]
    assert "exchanged" in exchanged
    assert "this is outside" in outside
    assert "--bounds off" in outside
    assert "whole degrees" in whole
    sources = {
        "areas": "the imported areas",
        "register": "the people in the register",
        "rows": "this list's first rows",
    }
    assert any(sources.get(learnt, "what was given") in note for note in report.notes)


async def test_bounds_off_lets_a_list_in_from_anywhere(registry):
    """But no exchanged pair from the pole, and no whole degree."""
    await import_areas(registry.database, [AreaIn(value_name="GB", code="1", geojson=SQUARE)])
    report = await take(registry, "id,lat,lon\n" + ODD, bounds="off")
    assert {(2, "refused", "lat"), (3, "refused", "lat"), (5, "refused", "lat")} == set(told(report))


async def test_a_few_wrong_ones_at_the_top_say_nothing_of_where_the_county_is(registry):
    """A list whose first rows are odd is judged by most of its rows."""
    report = await take(registry, "id,lat,lon\n" + ODD + ROWS)
    assert 4 == report.refused
    assert 31 == report.read


@pytest.mark.parametrize("text", ["1,2,3", "a,b,c,d", "31,102,29,104", "29,102,91,104", "nan,1,2,3"])
async def test_bounds_that_are_none_are_refused(registry, text):
    with pytest.raises(Refused) as refused:
        await take(registry, "id,lat,lon\n1,30.05,103.05\n", bounds=text)
    assert "bounds" == refused.value.field


# ---- columns and cells


async def test_a_comma_within_a_value_holds_its_row(registry):
    """It moves all behind it by a column; that the last cell is empty hides it from nobody."""
    head = "id,lat,lon,address,hear,walk,note\n"
    report = await take(registry, head + "1,30.05,103.05,5 Mill Lane, back,4,,\n2,30.05,103.05,Hill,4,1,\n")
    assert [(2, "refused", "row")] == told(report)
    assert "quotes" in report.issues[0].remedy
    assert 4 == (await facts(registry, "2"))["hear"]


async def test_a_delimiter_at_every_lines_end_is_no_moved_column(registry):
    """As some programs write it; a moved one among them is found all the same."""
    rows = "".join(f"{n},30.05,103.05,Lane,4,,\n" for n in range(12))
    report = await take(registry, "id,lat,lon,address,hear,note\n" + rows + "x,30.05,103.05,Lane, back,4,,\n")
    assert [(14, "refused", "row")] == told(report)
    assert 12 == report.read


async def test_a_formula_that_was_never_calculated_is_told(registry, tmp_path: Path):
    """In each field, a name too; one that gave an empty text is an empty cell."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(["id", "lat", "lon", "mobile", "hear", "name"])
    sheet.append(["1", 30.05, 103.05, '="138"&"00138000"', "=2+2", '="Ms "&"A"'])
    sheet.append(["2", 30.05, 103.05, "13800138001", "4", '=""'])
    book.save(tmp_path / "made.xlsx")
    path = tmp_path / "upload"
    with zipfile.ZipFile(tmp_path / "made.xlsx") as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            body = old.read(name)
            if name == "xl/worksheets/sheet1.xml":
                body = body.replace(b'<c r="F3"><f>""</f><v></v></c>', b'<c r="F3" t="str"><f>""</f><v></v></c>')
                assert b't="str"' in body
            new.writestr(name, body)
    report = await import_file(registry.database, registry.keys, path, ListImportOptions("town", YEAR, region="CN"))
    assert [(2, "left_out", name) for name in ("hear", "mobile", "name")] == told(report)
    assert {"formula"} == {i.rule for i in report.issues}
    assert "save it again" in report.issues[0].remedy
    assert 4 == (await facts(registry, "2"))["hear"]


async def test_years_and_days_to_come_are_left_out(registry):
    """Of what has happened: births, tried numbers, a yes."""
    head = "id,lat,lon,birth_year,verified_on,supporter_name,supporter_accepted_on\n"
    text = head + "1,30.05,103.05,2065,2199-01-01,Son,2199-01-01\n"
    report = await take(registry, text)
    assert [(2, "left_out", name) for name in ("birth_year", "supporter_accepted_on", "verified_on")] == told(report)
    assert "birth_year" not in await facts(registry, "1")


async def test_all_languages_are_kept(registry):
    """In words, in tags, several; a kind of Chinese is followed by what it is written in."""
    cells = ["中文", "普通话", "四川话;zh", "ug;zh", "粤语", "维吾尔语/汉语", "Deutsch, English", "zh_CN"]
    await take(registry, "id;lat;lon;languages\n" + "".join(f'{n};30.05;103.05;"{c}"\n' for n, c in enumerate(cells)))
    kept = [(await facts(registry, str(n)))["languages"] for n in range(len(cells))]
    assert [["zh"], ["zh"], ["zh"], ["ug", "zh"], ["yue", "zh"], ["ug", "zh"], ["de", "en"], ["zh-CN"]] == kept


async def test_a_flood_of_doubts_hides_no_refusal(registry):
    """Of each outcome the first thousands are kept, and the dangerous come first."""
    rows = "".join(f"{n},30.05,103.05,1902\n" for n in range(2100))
    report = (await take(registry, "id,lat,lon,birth_year\n" + rows + "x,,,\n")).as_json()
    assert ("refused", 2102) == (report["issues"][0]["outcome"], report["issues"][0]["line"])
    assert (2100, 1, 101) == (report["doubtful"], report["refused"], report["issues_not_shown"])
