"""Opens somebody's list whatever it was saved as: CSV in whatever encoding, or an XLSX sheet, row by row.

Nothing is held whole: a CSV is read line by line, a sheet as `sheet` says.
"""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TextIO

from services.registry.importing.encodings import encoding_of
from services.registry.importing.sheet import ListRow, Sheet
from services.shared.errors import Refused

NUL = "there is a NUL character in it"
ROW_LINES = 200  # a quoted value over more lines than this was opened by mistake
csv.field_size_limit(20_000_000)  # a county's polygon is longer than the module's 128 KiB


class ListFile(Protocol):
    """A list that was opened; `notes` say how it was read."""

    @property
    def notes(self) -> list[str]: ...

    def records(self) -> Iterator[ListRow]: ...


def open_list(path: Path, region: str | None = None, encoding: str = "") -> ListFile:
    """The list in a file, whatever the file is called. Refused where it is empty, no list, or packed larger than a
    list can be. `region` and `encoding` help to read a CSV that is not Unicode."""
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
    return Csv(path, region, encoding)


@dataclass
class Csv:
    """Comma, semicolon or tab; the encoding is what all of the file agrees with."""

    path: Path
    region: str | None = None
    encoding: str = ""
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._encoding, told = encoding_of(self.path, self.region, self.encoding)
        if told:
            self.notes.append(told)
        self._size = max(1, self.path.stat().st_size)
        with self.path.open(encoding=self._encoding, newline="") as file:
            first = file.readline(1_000_000)
            if not first.strip() and not file.read(1000).strip():
                raise Refused(
                    "the file is empty", field="body", rule="header", remedy="send a header row and at least one row"
                )
        self._delimiter = max(",;\t", key=first.count)

    def records(self) -> Iterator[ListRow]:
        """All rows. After a broken one it goes on with the next line.

        Else a quote that was opened and never closed would swallow everybody below it.
        """
        with self.path.open("rb") as raw, io.TextIOWrapper(raw, self._encoding, newline="") as text:
            lines = _Lines(text)
            while lines.more():
                reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
                try:
                    for cells in reader:
                        nul = any("\0" in cell for cell in cells)
                        yield ListRow(lines.first, cells, NUL if nul else "", raw.tell() / self._size)
                        lines.taken()
                except (csv.Error, _EndlessError) as problem:
                    yield ListRow(lines.first, [], str(problem), raw.tell() / self._size)
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
