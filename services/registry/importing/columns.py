"""Maps a list's own columns and values to ours, and says what is true of every row.

A YAML file with `columns` (their name: ours), `values` (ours: {their value: ours}) and `every_row` (ours: value).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BeforeValidator, Field

from services.shared.errors import Refused
from services.shared.input.files import Document, Entry
from services.shared.input.untrusted import COLUMN_MAP_BYTES

REMEDY = "it holds columns, values and every_row: write columns: with one line for each, like  手机: mobile"


def _string(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


Word = Annotated[str, BeforeValidator(_string)]  # YAML's own yes, no and numbers, as they were written in a list


class ColumnMap(Entry):
    """Read from the file; empty where there is none."""

    columns: dict[Word, Word] = Field(default_factory=dict)
    values: dict[Word, dict[Word, Word]] = Field(default_factory=dict)
    every_row: dict[Word, Word] = Field(default_factory=dict)

    def names(self, header: Sequence[str]) -> list[str]:
        """Our names for the header's cells; a name that is not in the map is taken as written."""
        own = {plain(theirs): ours for theirs, ours in self.columns.items()}
        return [own.get(plain(name), plain(name)) for name in header]

    def value(self, column: str, given: str) -> str:
        """Our word for one of theirs."""
        words = self.values.get(column)
        return words.get(given, given) if words else given


def plain(name: str) -> str:
    """A column's name without case, blanks and dashes."""
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def read_map(text: str, known: frozenset[str]) -> ColumnMap:
    """The map; Refused names what in it is none of our columns."""
    document = Document(text, setting="columns", most=COLUMN_MAP_BYTES, remedy=REMEDY)
    chosen = document.read(ColumnMap) if document.data is not None else ColumnMap()
    for ours in (*chosen.columns.values(), *chosen.values, *chosen.every_row):
        if ours and ours not in known:
            raise Refused(
                f"the column map names {ours!r}, which is none of our columns",
                field="columns",
                rule="known column",
                given=ours,
                remedy="write one of the columns that README lists",
            )
    return chosen
