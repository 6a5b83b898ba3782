"""Makes lists with every kind of defect, as CSV in several encodings and as XLSX, and says what must be told of each.

A defect changes cells of a good row. `told` are the issues of that row as (outcome, field, rule); `there` whether the
person is in the register afterwards. `native` are values a spreadsheet would hold (numbers, dates) instead of text.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openpyxl

COLUMNS = (
    "id", "household", "name", "birth_year", "hear", "walk", "lives_alone", "languages", "mobile", "landline", "email",
    "lat", "lon", "address", "floor", "moves", "said_no", "valid_until", "recorded_on", "mobile_hours", "away_from",
    "away_to", "away_lat", "away_lon", "usual_lat", "drill", "consent_by", "consent_notice", "status", "same_as",
    "protected_address", "kind",
)  # fmt: skip
GOOD: dict[str, Any] = {
    "name": "王小明", "birth_year": "1950", "hear": "1", "walk": "2", "lives_alone": "no", "languages": "zh",
    "mobile": "+8613800138000", "lat": "30.05", "lon": "103.05", "address": "河边路1号", "floor": "2",
}  # fmt: skip


@dataclass(frozen=True)
class Defect:
    """One kind of dirt."""

    name: str
    cells: dict[str, Any]
    told: tuple[tuple[str, str, str], ...] = ()
    there: bool = True
    native: dict[str, Any] = field(default_factory=dict)


def _defect(
    title: str, /, *told: tuple[str, str, str], there: bool = True, native: dict | None = None, **cells: Any
) -> Defect:
    return Defect(title, cells, told, there, native or {})


def _left(field_: str, rule: str) -> tuple[str, str, str]:
    return "left_out", field_, rule


def _mended(field_: str, rule: str) -> tuple[str, str, str]:
    return "repaired", field_, rule


def _guessed(field_: str, rule: str) -> tuple[str, str, str]:
    return "guessed", field_, rule


def _doubtful(field_: str, rule: str) -> tuple[str, str, str]:
    return "doubtful", field_, rule


def _refused(field_: str, rule: str) -> tuple[str, str, str]:
    return "refused", field_, rule


DEFECTS = (
    _defect("nothing wrong"),
    _defect("short number of the region", _mended("mobile", "E.164"), mobile="13800138001"),
    _defect("full-width digits", _mended("mobile", "plain digits"), _mended("mobile", "E.164"), mobile="１３８００１３８００２"),
    _defect("blanks and dashes", _mended("mobile", "E.164"), mobile=" 138-0013 8003 "),
    _defect("number kept as a number", _mended("mobile", "E.164"), mobile="13800138004.0", native={"mobile": 13800138004}),
    _defect("area code without its zero", _guessed("landline", "whole number"), landline="2885551234",
            native={"landline": 2885551234}),
    _defect("shortened number", _left("mobile", "all digits"), mobile="1.38E+10"),
    _defect("no such number", _left("mobile", "number that exists"), mobile="13800"),
    _defect("words for a number", _left("mobile", "phone number"), mobile="无"),
    _defect("a landline as a mobile", _guessed("mobile", "mobile number"), _mended("mobile", "E.164"), mobile="02885551234"),
    _defect("two numbers", _mended("mobile", "plain digits"), mobile="+8613800138005；+8613800138006"),
    _defect("level in words", hear="a lot"),
    _defect("level out of range", _left("hear", "level"), hear="7"),
    _defect("level with a point", _mended("walk", "whole number"), walk="3.0", native={"walk": 3}),
    _defect("neither yes nor no", _left("lives_alone", "yes or no"), lives_alone="maybe"),
    _defect("Chinese yes", lives_alone="是"),
    _defect("whole date of birth", _mended("birth_year", "year only"), birth_year="1950-05-01",
            native={"birth_year": dt.date(1950, 5, 1)}),
    _defect("a sheet's number for a date", _guessed("birth_year", "year of a sheet's date"), birth_year="18384"),
    _defect("no year", _left("birth_year", "year"), birth_year="unknown"),
    _defect("date with slashes", _mended("valid_until", "ISO date"), valid_until="2027/5/1",
            native={"valid_until": 46508}),
    _defect("Chinese date", _mended("recorded_on", "ISO date"), recorded_on="2026年1月5日"),
    _defect("ambiguous date", _left("valid_until", "date"), valid_until="1/5/2027"),
    _defect("day that does not exist", _left("valid_until", "date"), valid_until="2027-02-30"),
    _defect("recorded tomorrow", _left("recorded_on", "not after today"), recorded_on="2999-01-01"),
    _defect("decimal commas", _mended("lat", "decimal point"), _mended("lon", "decimal point"), lat="30,05", lon="103,05",
            native={"lat": "30,05", "lon": "103,05"}),
    _defect("exchanged coordinates", _refused("lat", "-90 to 90"), there=False, lat="103.05", lon="30.05"),
    _defect("no place", _refused("lat", "required"), there=False, lat=""),
    _defect("null island", _refused("lat", "a place"), there=False, lat="0", lon="0"),
    _defect("degrees and minutes", _refused("lat", "decimal degrees"), there=False, lat="30°03'N"),
    _defect("e-mail without a domain", _left("email", "e-mail address"), email="nobody"),
    _defect("unknown word", _left("moves", "known word"), moves="flies"),
    _defect("unknown channel", _refused("said_no", "known word"), there=False, said_no="telegram"),
    _defect("unknown status", _refused("status", "known word"), there=False, status="gone fishing"),
    _defect("floor out of range", _left("floor", "-9 to 200"), floor="1000"),
    _defect("hours", _mended("mobile_hours", "hours"), mobile_hours="8:00 - 17:30"),
    _defect("no hours", _left("mobile_hours", "hours"), mobile_hours="mornings"),
    _defect("absence that ends before it begins", _left("away_to", "in order"), away_from="2026-12-01", away_to="2026-11-01"),
    _defect("usual place without one", _left("usual_lat", "required"), usual_lat="30.1"),
    _defect("an officer's tick", _left("drill", "their own yes"), drill="given", consent_by="officer", consent_notice="1"),
    _defect("a yes to nothing", _left("drill", "notice"), drill="given"),
    _defect("their own yes", drill="given", consent_notice="2026-1"),
    _defect("no list named", _left("same_as", "list:id"), same_as="77"),
    _defect("a sheet's error", _left("hear", "formula"), hear="#N/A"),
    _defect("unknown kind", _refused("kind", "known word"), there=False, kind="cat"),
    _defect("a value over the delimiter", address='1 "Mill", Lane; back'),
    _defect("a line break in a value", address="1 Mill\nLane"),
    _defect("a formula for a name", name="=1+1"),
    _defect("a sheet's error for a name", _left("name", "formula"), name="#REF!"),
    _defect("letters among digits", _left("mobile", "digits only"), mobile="138OO138OOO"),
    _defect("a letter before digits", _left("mobile", "digits only"), mobile="l3800138000"),
    _defect("a number in letters", _left("mobile", "digits only"), mobile="1380013TAXI"),
    _defect("a word before a number", _mended("mobile", "plain digits"), _mended("mobile", "E.164"), mobile="手机：13800138007"),
    _defect("two numbers, comma", _mended("mobile", "E.164"), _mended("mobile", "E.164"), mobile="13800138008,13900139008"),
    _defect("two numbers, wide comma", _mended("mobile", "plain digits"), _mended("mobile", "E.164"), _mended("mobile", "E.164"),
            mobile="13800138009，13900139009"),
    _defect("two numbers, blank", _mended("mobile", "E.164"), _mended("mobile", "E.164"), mobile="13800138010 13900139010"),
    _defect("two numbers, slash", _mended("mobile", "E.164"), _mended("mobile", "E.164"), mobile="13800138011/13900139011"),
    _defect("a number and an end of one", _left("landline", "number that exists"), landline="028-85551234/35"),
    _defect("an extension", _doubtful("landline", "extension"), _mended("landline", "E.164"), landline="028-85551234转801"),
    _defect("a company's number", _doubtful("landline", "person's number"), _mended("landline", "E.164"), landline="4001234567"),
    _defect("premium rate", _left("mobile", "person's number"), mobile="+449091234567"),
    _defect("a satellite phone", _left("mobile", "person's number"), mobile="+881612345678"),
    _defect("a short number", _left("mobile", "person's number"), mobile="10086"),
    _defect("the police", _left("landline", "person's number"), landline="110"),
    _defect("a language in words", _mended("languages", "language tag"), languages="中文"),
    _defect("a city's way of speaking", _mended("languages", "language tag"), languages="四川话;zh"),
    _defect("no language", _left("languages", "language"), languages='en"><Dial>1'),
    _defect("born tomorrow", _left("birth_year", "year"), birth_year="2065"),
    _defect("very old", _doubtful("birth_year", "age"), birth_year="1902"),
    _defect("a cross", _left("lives_alone", "yes or no"), lives_alone="x"),
    _defect("a tick", lives_alone="√"),
    _defect("a protection nobody understands", _refused("protected_address", "yes or no"), there=False,
            protected_address="看情况"),
    _defect("a tick that protects", protected_address="√"),
    _defect("dead, in words", status="死亡"),
    _defect("a channel in words", said_no="短信、电话"),
    _defect("no channel at all", said_no="无"),
    _defect("whole degrees", _refused("lat", "a place"), there=False, lat="30", lon="103.0"),
    _defect("a card's grade", _guessed("hear", "card's grade"), hear="一级"),
)  # fmt: skip


@dataclass(frozen=True)
class Dirty:
    """A list and what must be told: line > (defect, its id)."""

    rows: tuple[tuple[str, Defect], ...]

    def cells(self, external: str, defect: Defect, native: bool) -> list[Any]:
        """The row's cells."""
        values = GOOD | {"id": external, "household": f"h{external}"} | defect.cells | (defect.native if native else {})
        return [values.get(column, "") for column in COLUMNS]


def dirty(defects: Sequence[Defect] = DEFECTS) -> Dirty:
    """Every defect once, with good rows between."""
    rows = []
    for n, defect in enumerate(defects):
        rows += [(f"d{n}", defect), (f"g{n}", DEFECTS[0])]
    return Dirty(tuple(rows))


def as_csv(
    made: Dirty, *, encoding: str = "utf-8", delimiter: str = ",", end: str = "\r\n"
) -> tuple[bytes, dict[int, tuple[str, Defect]]]:
    """The CSV, and which line is whose."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end)
    writer.writerow(COLUMNS)
    lines = {}
    for external, defect in made.rows:
        lines[text.getvalue().count("\n") + 1] = (external, defect)
        writer.writerow(made.cells(external, defect, native=False))
    return text.getvalue().encode(encoding), lines


def as_xlsx(made: Dirty, path: Path) -> dict[int, tuple[str, Defect]]:
    """Writes the sheet, with numbers and dates as a spreadsheet keeps them; which row is whose."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("people")
    sheet.append(COLUMNS)
    lines = {}
    for line, (external, defect) in enumerate(made.rows, 2):
        lines[line] = (external, defect)
        row = []
        for value in made.cells(external, defect, native=True):
            cell = openpyxl.cell.WriteOnlyCell(sheet, value=value if value != "" else None)
            if isinstance(value, str):
                cell.data_type = "s"
            row.append(cell)
        sheet.append(row)
    book.save(path)
    return lines
