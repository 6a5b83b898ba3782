"""Reads the rows of an XLSX sheet as text, in openpyxl's read-only mode.

A packed file that would unpack to more than a list can be is refused before it is unpacked.
"""

from __future__ import annotations

import datetime as dt
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING
from xml.parsers import expat

from services.shared.errors import Refused

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

NOT_CALCULATED = "#FORMULA!"  # what a cell holds whose formula was saved without a value
MAX_ROWS = 3_000_000
MAX_COLUMNS = 400
MAX_UNPACKED = 3 * 1024**3  # of a sheet: a million rows of 40 columns are about 1 GiB
MAX_STRINGS = 400 * 1024**2  # the part openpyxl keeps in memory
MAX_RATIO = 200  # a sheet packs about 10 to 20 times
MAX_PARTS = 500
MAX_BEFORE_ROOT = 64 * 1024  # bytes of a part before its root element: comments


@dataclass(frozen=True)
class ListRow:
    """Cells of one row; `problem` where the row cannot be read. `share` is how much of the file is behind it, 0 to 1."""

    line: int
    cells: list[str]
    problem: str = ""
    share: float = 0.0


@dataclass
class Sheet:
    """The first visible sheet of a workbook; formulas count as the value they had when it was saved."""

    path: Path
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        _look_into(self.path)

    def records(self) -> Iterator[ListRow]:
        """All rows as text: dates ISO, whole numbers without a point. A formula never calculated is an error of the
        sheet."""
        import openpyxl  # 180 modules, for what few processes ever read
        from openpyxl.utils.exceptions import InvalidFileException

        with warnings.catch_warnings(), ExitStack() as opened:
            warnings.simplefilter("ignore")  # styles, validation and themes it does not know are nothing to us

            def book(values: bool) -> Workbook:
                """Opened as a file: by its path openpyxl would judge a name, and an upload has none."""
                file = opened.enter_context(self.path.open("rb"))
                found = openpyxl.load_workbook(file, read_only=True, data_only=values, keep_links=False)
                opened.callback(found.close)
                return found

            try:
                values = book(True)
                seen = [n for n, sheet in enumerate(values.worksheets) if sheet.sheet_state == "visible"]
                if not seen:
                    raise _no_sheet("it has no visible sheet")
                sheet = values.worksheets[seen[0]]
                if len(seen) > 1:
                    self.notes.append(f"only the sheet {sheet.title!r} was read; {len(seen) - 1} more are there")
                formulas = book(False).worksheets[seen[0]] if _has_formulas(self.path) else None
                for one in (sheet, formulas):
                    if one is not None:
                        one.reset_dimensions()  # what the file says of its size may be anything
                rows = sheet.iter_rows(values_only=True) if formulas is None else _calculated(sheet, formulas)
                total = max(1, self.path.stat().st_size)
                for line, row in enumerate(rows, 1):
                    if line > MAX_ROWS:
                        raise _too_large(f"more than {MAX_ROWS} rows")
                    yield ListRow(
                        line, [_text(value) for value in row[:MAX_COLUMNS]], share=min(1.0, line * 120 / total)
                    )
            except (
                InvalidFileException,
                zipfile.BadZipFile,
                KeyError,
                OSError,
                SyntaxError,
                ValueError,
                EOFError,
            ) as problem:
                raise _no_sheet(problem) from problem


def _calculated(sheet: Worksheet, formulas: Worksheet) -> Iterator[Sequence[object]]:
    """Values, row by row; NOT_CALCULATED where there is a formula without one. An empty text is a value (t="str")."""
    for row, written in zip(sheet.iter_rows(), formulas.iter_rows(values_only=True), strict=False):
        values = [cell.value for cell in row]
        for n, formula in enumerate(written[: len(values)]):
            if formula is not None and values[n] is None and row[n].data_type != "str":
                values[n] = NOT_CALCULATED
        yield values


def _has_formulas(path: Path) -> bool:
    """Whether any sheet holds one: only then is the workbook read a second time, for what stands behind the values."""
    with zipfile.ZipFile(path) as package:
        for part in package.infolist():
            if part.filename.startswith("xl/worksheets/") and part.filename.endswith(".xml"):
                with package.open(part) as sheet:
                    tail = b""
                    while block := sheet.read(1 << 20):
                        if re.search(rb"<(?:\w+:)?f[\s>/]", tail + block):
                            return True
                        tail = block[-16:]
    return False


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return str(value)
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        case dt.datetime():
            return value.date().isoformat() if value.time() == dt.time() else value.isoformat(" ", "minutes")
        case dt.date():
            return value.isoformat()
        case dt.time():
            return value.isoformat("minutes")
        case _:
            return str(value)


def _look_into(path: Path) -> None:
    """Refuses a package that would unpack too large, or whose parts declare entities."""
    try:
        with zipfile.ZipFile(path) as package:
            parts = package.infolist()
            if len(parts) > MAX_PARTS:
                raise _too_large(f"it has {len(parts)} parts")
            whole = sum(part.file_size for part in parts)
            if whole > MAX_UNPACKED:
                raise _too_large(f"it unpacks to {whole // 1024**2} MiB")
            for part in parts:
                if part.file_size > 10 * 1024**2 and part.file_size > MAX_RATIO * max(1, part.compress_size):
                    raise _too_large(f"{part.filename[:80]} packs more than {MAX_RATIO} times")
                if part.filename.endswith("sharedStrings.xml") and part.file_size > MAX_STRINGS:
                    raise _too_large(f"its texts are {part.file_size // 1024**2} MiB")
                if part.filename.endswith((".xml", ".rels")):
                    with package.open(part) as opened:
                        if why := _before_root(opened):
                            raise _no_sheet(f"{part.filename[:80]} {why}")
    except (
        zipfile.BadZipFile,
        RuntimeError,
        EOFError,
        OSError,
    ) as problem:
        raise _no_sheet(problem) from problem


class _RootError(Exception):
    """The root element begins: nothing is declared any more."""


def _before_root(part: IO[bytes]) -> str:
    """What speaks against an XML part in what stands before its root element, read by the parser that will read it."""
    parser, found = expat.ParserCreate(), []

    def root(*_: object) -> None:
        raise _RootError

    parser.StartDoctypeDeclHandler = lambda *_: found.append("declares a document type")
    parser.StartElementHandler = root
    try:
        for _ in range(MAX_BEFORE_ROOT // 4096):
            block = part.read(4096)
            parser.Parse(block, not block)
            if found or not block:
                return "".join(found)
    except _RootError:
        return "".join(found)
    except (expat.ExpatError, LookupError, ValueError):  # no XML, or an encoding nobody knows: whoever reads it says so
        return "".join(found)
    return f"has more than {MAX_BEFORE_ROOT // 1024} KiB before it begins"


def _too_large(why: str) -> Refused:
    return Refused(
        f"this sheet is no list of people: {why}",
        field="body",
        rule="size",
        given=why,
        remedy="save the list as CSV UTF-8, or in several files",
    )


def _no_sheet(why: object) -> Refused:
    return Refused(
        "this .xlsx cannot be read",
        field="body",
        rule="format",
        given=str(why)[:80],
        remedy="open it, save it again as .xlsx, or as CSV UTF-8",
    )
