"""Opens somebody's list whatever it was saved as: CSV in UTF-8, UTF-16 or GB18030, or an XLSX sheet, row by row.

Nothing is held whole: a CSV is read line by line, a sheet in openpyxl's read-only mode, and a packed file that would
unpack to more than a list can be is refused before it is unpacked.
"""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import io
import warnings
import zipfile
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TextIO

from services.shared.errors import Refused

MAX_ROWS = 3_000_000
MAX_COLUMNS = 400
MAX_UNPACKED = 3 * 1024**3  # of a sheet: a million rows of 40 columns are about 1 GiB
MAX_STRINGS = 400 * 1024**2  # the part openpyxl keeps in memory
MAX_RATIO = 200  # a sheet packs about 10 to 20 times
MAX_PARTS = 500
ROW_LINES = 200  # a quoted value over more lines than this was opened by mistake
csv.field_size_limit(20_000_000)  # a county's polygon is longer than the module's 128 KiB


@dataclass(frozen=True)
class Record:
    """Cells of one row; `problem` where the row cannot be read. `share` is how much of the file is behind it, 0 to 1."""

    line: int
    cells: list[str]
    problem: str = ""
    share: float = 0.0


class ListFile(Protocol):
    """A list that was opened; `notes` say how it was read."""

    @property
    def notes(self) -> list[str]: ...

    def records(self) -> Iterator[Record]: ...


def open_list(path: Path) -> ListFile:
    """The list in a file; Refused where it is empty, no list at all, or packed larger than a list can be."""
    with path.open("rb") as file:
        head = file.read(8)
    if head[:4] == b"PK\x03\x04":
        return Sheet(path)
    if head[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise Refused(
            "this is an old .xls or a sheet with a password",
            field="body",
            rule="format",
            remedy="save it as .xlsx without a password, or as CSV UTF-8",
        )
    return Csv(path)


@dataclass
class Csv:
    """Comma, semicolon or tab; the encoding is what all of the file agrees with."""

    path: Path
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._encoding = _encoding(self.path)
        if self._encoding != "utf-8-sig":
            self.notes.append(f"read as {self._encoding.upper()}: look whether names are right")
        self._size = max(1, self.path.stat().st_size)
        with self.path.open(encoding=self._encoding, newline="") as file:
            first = file.readline(1_000_000)
            if not first.strip() and not file.read(1000).strip():
                raise Refused(
                    "the file is empty", field="body", rule="header", remedy="send a header row and at least one row"
                )
        self._delimiter = max(",;\t", key=first.count)

    def records(self) -> Iterator[Record]:
        """All rows. After a broken one it goes on with the next line.

        Else a quote that was opened and never closed would swallow everybody below it.
        """
        with self.path.open("rb") as raw, io.TextIOWrapper(raw, self._encoding, newline="") as text:
            lines = _Lines(text)
            while lines.more():
                reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
                try:
                    for cells in reader:
                        yield Record(lines.first, cells, share=raw.tell() / self._size)
                        lines.taken()
                except (csv.Error, _EndlessError) as problem:
                    yield Record(lines.first, [], str(problem), raw.tell() / self._size)
                    lines.back_to_second()


class _EndlessError(Exception):
    """A quote that was opened and not closed within ROW_LINES lines."""


class _Lines:
    """Lines of a text with those of the row under way kept, so that a broken row costs its first line only."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._again: deque[str] = deque()
        self._row: list[str] = []
        self.first = 1

    def more(self) -> bool:
        """Whether a line is left."""
        if not self._again:
            line = self._next()
            if line:
                self._again.append(line)
        return bool(self._again)

    def _next(self) -> str:
        return self._text.readline()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self._row) >= ROW_LINES:
            raise _EndlessError("a quote is opened and never closed")
        line = self._again.popleft() if self._again else self._next()
        if not line:
            raise StopIteration
        self._row.append(line)
        return line

    def taken(self) -> None:
        """The row is read: its lines are done with."""
        self.first += len(self._row)
        self._row.clear()

    def back_to_second(self) -> None:
        """The row is broken: all of its lines but the first are read again."""
        self._again.extendleft(reversed(self._row[1:]))
        self._row.clear()
        self.first += 1


def _encoding(path: Path) -> str:
    """utf-8-sig, utf-16 or gb18030; Refused with the line of the first byte that fits none."""
    with path.open("rb") as file:
        head = file.read(4)
    if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        bad = _first_bad(path, "utf-16")
        if bad is None:
            return "utf-16"
        raise _not_text(path, bad)
    utf8 = _first_bad(path, "utf-8-sig")
    if utf8 is None:
        return "utf-8-sig"
    if head[:3] != codecs.BOM_UTF8 and _first_bad(path, "gb18030") is None:
        return "gb18030"
    raise _not_text(path, utf8)


def _first_bad(path: Path, encoding: str) -> int | None:
    """Where the first byte is that does not decode."""
    decoder = codecs.getincrementaldecoder(encoding)()
    at = 0
    with path.open("rb") as file:
        while True:
            block = file.read(1 << 20)
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeDecodeError as problem:
                return max(0, at + problem.start)
            if "\0" in text:
                return at
            at += len(block)
            if not block:
                return None


def _not_text(path: Path, at: int) -> Refused:
    with path.open("rb") as file:
        before = file.read(min(at, 200_000_000))
        given = file.read(8).hex()
    line = before.count(b"\n") + 1
    return Refused(
        f"line {line} is neither UTF-8 nor GB18030",
        field="body",
        rule="encoding",
        given=given,
        remedy="save the file as CSV UTF-8 and send it again",
    )


@dataclass
class Sheet:
    """The first visible sheet of a workbook; formulas count as the value they had when it was saved."""

    path: Path
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        _look_into(self.path)

    def records(self) -> Iterator[Record]:
        """All rows as text: dates ISO, whole numbers without a point."""
        import openpyxl  # 180 modules, for what few processes ever read
        from openpyxl.utils.exceptions import InvalidFileException

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # styles, validation and themes it does not know are nothing to us
            try:
                book = openpyxl.load_workbook(self.path, read_only=True, data_only=True, keep_links=False)
            except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError, SyntaxError) as problem:
                raise _no_sheet(problem) from problem
            try:
                seen = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
                if not seen:
                    raise _no_sheet("it has no visible sheet")
                if len(seen) > 1:
                    self.notes.append(f"only the sheet {seen[0].title!r} was read; {len(seen) - 1} more are there")
                sheet = seen[0]
                sheet.reset_dimensions()  # what the file says of its size may be anything
                total = max(1, self.path.stat().st_size)
                for line, row in enumerate(sheet.iter_rows(values_only=True), 1):
                    if line > MAX_ROWS:
                        raise _too_large(f"more than {MAX_ROWS} rows")
                    if len(row) > MAX_COLUMNS:
                        row = row[:MAX_COLUMNS]
                    yield Record(line, [_text(value) for value in row], share=min(1.0, line * 120 / total))
            except (zipfile.BadZipFile, SyntaxError, ValueError, EOFError) as problem:
                raise _no_sheet(problem) from problem
            finally:
                book.close()


def _text(value: Any) -> str:
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
                        if b"<!DOCTYPE" in opened.read(2000).replace(b"\0", b"").upper():
                            raise _no_sheet(f"{part.filename[:80]} declares a document type")
    except (
        zipfile.BadZipFile,
        RuntimeError,
        EOFError,
        OSError,
    ) as problem:
        raise _no_sheet(problem) from problem


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
