"""Reads a list's row cell by cell: puts right what is meant, leaves out what is not, and says so."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

from services.registry.importing.cell_words import EITHER, GRADES, LEVELS, NO, NONE, YES
from services.registry.importing.language_names import read_language
from services.registry.importing.phone_cells import LANDLINE as LANDLINE
from services.registry.importing.phone_cells import MOBILE as MOBILE
from services.registry.importing.phone_cells import Unread, read_cell
from services.registry.importing.report import ImportReport, Issue
from services.registry.importing.sheet import NOT_CALCULATED
from services.registry.model.given import HOURS
from services.shared.people import phone_numbers

_SPLIT = re.compile(r"[;/|、；]")
ERRORS = frozenset(("#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!", NOT_CALCULATED))
_PLAIN = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: " ", 0xA0: " ", 0x200B: "", 0xFEFF: ""}
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T].*)?")
_YEAR = re.compile(r"(?<!\d)(19\d\d|20\d\d)(?!\d)")
OLDEST = 115  # years; who is said to be older is rather a slip of the pen
W = TypeVar("W", bound=str)


def _serial(value: str) -> str | None:
    """The ISO date of the number of days a sheet counts from 1900; None where it is no such number."""
    if not re.fullmatch(r"\d{4,5}(\.0+)?", value) or not 7_300 <= int(float(value)) <= 60_000:
        return None
    return (dt.date(1899, 12, 30) + dt.timedelta(days=int(float(value)))).isoformat()


def one_id(given: str) -> str:
    """A list's own id in its one form."""
    value = unicodedata.normalize("NFC", given)
    return value.partition(".")[0] if re.fullmatch(r"\d+\.0+", value) else value


class RowRefused(Exception):
    """The row cannot go in; carries the issue that says why."""

    def __init__(self, issue: Issue) -> None:
        super().__init__(issue.rule)
        self.issue = issue


class Cells:
    """The cells of one row by column name; an empty cell and a missing column are the same."""

    def __init__(
        self,
        line: int,
        cells: Mapping[str, str],
        report: ImportReport,
        region: str | None,
        *,
        today: str = "",
        grades: bool = False,
        ours: Collection[str] = (),
    ) -> None:
        """`today` is an ISO date; with `grades` a level may be a disability card's. `ours` are cells a column map has
        put in our words."""
        self.line = line
        self._today = today or dt.datetime.now(dt.UTC).date().isoformat()
        self._grades = grades
        self._ours = ours
        self._cells = {name: said for name, value in cells.items() if (said := value.strip())}
        self._report = report
        self._region = region
        self._unread: set[str] = set()

    def any_of(self, columns: frozenset[str]) -> bool:
        """Whether any of these cells says something."""
        return not self._cells.keys().isdisjoint(columns)

    def said(self, field: str) -> bool:
        """Whether the cell says something that was understood."""
        return bool(self.text(field)) and field not in self._unread

    def refuse(self, field: str, rule: str, remedy: str) -> RowRefused:
        """The fault to raise when the whole row cannot go in."""
        return RowRefused(Issue(self.line, "refused", field, rule, self.text(field)[:80], remedy))

    def leave_out(self, field: str, rule: str, remedy: str, given: str | None = None) -> None:
        """Notes that a value was not understood; the row goes in without it."""
        if given is None:
            self._unread.add(field)
        shown = self.text(field) if given is None else given
        self._report.tell(Issue(self.line, "left_out", field, rule, shown[:80], remedy))

    def repair(self, field: str, rule: str, became: str, given: str | None = None) -> None:
        """Notes that a value was written in another form; nothing about it was in doubt."""
        self._note("repaired", field, rule, f"taken as {became[:80]}", given)

    def guess(self, field: str, rule: str, became: str, given: str | None = None) -> None:
        """Notes that a value was read as what it most likely means."""
        self._note("guessed", field, rule, f"taken as {became[:80]}: look whether that is meant", given)

    def doubt(self, field: str, rule: str, remedy: str, given: str | None = None) -> None:
        """Notes that a value went in as it stands and is hardly right."""
        self._note("doubtful", field, rule, remedy, given)

    def hold(self, field: str, rule: str, remedy: str, given: str | None = None) -> RowRefused:
        """The fault to raise where a value that protects somebody is not understood: without it the row would undo it."""
        shown = self.text(field) if given is None else given
        return RowRefused(
            Issue(self.line, "refused", field, rule, shown[:80], f"held, since it protects them: {remedy}"),
        )

    def _note(self, outcome: str, field: str, rule: str, remedy: str, given: str | None) -> None:
        shown = self.text(field) if given is None else given
        self._report.tell(Issue(self.line, outcome, field, rule, shown[:80], remedy))

    def text(self, field: str, longest: int = 300) -> str:
        """The cell as it was given, without white space around it, cut at `longest` characters."""
        value = self._cells.get(field, "")
        if value.startswith("#") and value in ERRORS:
            return self.word(field)
        return value if len(value) <= longest else value[:longest]

    def word(self, field: str) -> str:
        """The cell for a machine: full-width letters and digits as plain ones, a sheet's error as nothing."""
        value = self._cells.get(field, "")
        if not value:
            return ""
        if value.isascii() and not value.startswith("#"):
            return value
        if value in ERRORS:
            self._cells[field] = ""
            how = "the sheet shows an error here: write the value"
            if value == NOT_CALCULATED:
                how = "the formula here was saved without its value: open the sheet, save it again, or write the value"
            self.leave_out(field, "formula", how, "a formula" if value == NOT_CALCULATED else value)
            return ""
        plain = value.translate(_PLAIN).strip()
        if plain != value:
            self._cells[field] = plain
            self.repair(field, "plain digits", plain, value)
        return plain

    def required(self, field: str) -> str:
        """The text; refuses the row where it is empty."""
        value = self.word(field)
        if not value:
            raise self.refuse(field, "required", f"fill in {field}")
        return value

    def id(self, field: str) -> str:
        """A list's own id: composed (NFC) and without a sheet's ".0", so that one person keeps one id."""
        given = self.word(field)
        value = one_id(given)
        if value != given:
            self.repair(field, "one form of an id", value, given)
            self._cells[field] = value
        return value

    def yes(self, field: str, default: bool = False, *, protects: bool = False) -> bool:
        """yes or no; what is neither is left out, or holds the row where a yes protects the person."""
        value = self.word(field).lower()
        if not value:
            return default
        if value in YES or value in NO:
            return value in YES
        remedy = "write yes or no" + (": this mark means either" if value in EITHER else "")
        if protects:
            raise self.hold(field, "yes or no", remedy)
        self.leave_out(field, "yes or no", remedy)
        return default

    def level(self, field: str) -> int:
        """Washington Group level 1-4, 9 where unknown; a card's grade where the list has those."""
        value = self.word(field).lower()
        if not value:
            return 9
        if (grade := re.fullmatch(r"([1-4一二三四])(?:\.0+)?\s*(级|級)?", value)) and field not in self._ours:
            by_grade = GRADES.get(self._region or "")
            if by_grade and (grade[2] or self._grades):
                self.guess(field, "card's grade", f"level {by_grade[grade[1]]}, since grade 1 is the worst")
                return by_grade[grade[1]]
            if grade[2] or self._grades:
                how = "say in the column map (values) which level each grade of this card stands for"
                self.leave_out(field, "card's grade", how)
                return 9
        if value in LEVELS:
            return LEVELS[value]
        if re.fullmatch(r"[1-49]\.0+", value):
            self.repair(field, "whole number", value[0])
            return int(value[0])
        self.leave_out(field, "level", "write 1 (no difficulty), 2 (some), 3 (a lot), 4 (cannot), or 9")
        return 9

    def number(self, field: str, low: int, high: int, default: int = 0) -> int:
        """A whole number within bounds; anything else is left out."""
        value = self.word(field)
        if not value:
            return default
        if re.fullmatch(r"-?\d{1,9}(\.0+)?", value):
            found = int(value.split(".")[0])
            if low <= found <= high:
                return found
        self.leave_out(field, f"{low} to {high}", f"write a whole number from {low} to {high}")
        return default

    def year(self, field: str) -> int | None:
        """A year of birth, also out of a full date or the number a sheet keeps for one. None that is still to come."""
        value = self.word(field)
        if not value:
            return None
        found = _YEAR.search(value)
        year = found.group() if found else (_serial(value) or "")[:4]
        now = int(self._today[:4])
        if not year or int(year) > now:
            ahead = f"{year} is still to come: " if year else ""
            self.leave_out(field, "year", f"{ahead}write the year of birth with four digits")
            return None
        if not found:
            self.guess(field, "year of a sheet's date", year)
        elif year != value:
            self.repair(field, "year only", year)
        if now - int(year) > OLDEST:
            self.doubt(field, "age", f"that makes them {now - int(year)}: look whether it is right")
        return int(year)

    def date(self, field: str, *, past: bool = False) -> str:
        """An ISO date, also out of 2026/5/1, 2026年5月1日, or the number a sheet keeps for one; 1/5/2026 is left out.

        `past`: of what has happened, so that no day to come is taken.
        """
        value = self.word(field)
        if not value:
            return ""
        found = _DATE.fullmatch(value)
        serial = "" if found else _serial(value) or ""
        day = serial
        if found:
            try:
                day = dt.date(*(int(part) for part in found.groups())).isoformat()
            except ValueError:
                day = ""
        if not day:
            self.leave_out(field, "date", "write the date as year-month-day, like 2026-05-01")
            return ""
        if past and day > self._today:
            self.leave_out(field, "not after today", "write the day on which it happened")
            return ""
        if serial:
            self.guess(field, "a sheet's number for a date", day)
        elif day != value:
            self.repair(field, "ISO date", day)
        return day

    def hours(self, field: str) -> str:
        """Local hours, HH:MM-HH:MM."""
        value = self.word(field).replace("：", ":").replace(" ", "").replace("–", "-").replace("~", "-")
        if not value:
            return ""
        padded = re.sub(r"(?<!\d)(\d):", r"0\1:", value)
        if not HOURS.fullmatch(padded):
            self.leave_out(field, "hours", "write hours like 08:00-17:30, empty for always")
            return ""
        if padded != self.text(field):
            self.repair(field, "hours", padded)
        return padded

    def degrees(self, field: str, limit: int) -> float:
        """Decimal degrees; refuses the row where there are none, since a person without a place is in no area."""
        value = self.required(field)
        plain = value.replace(",", ".") if value.count(",") == 1 and "." not in value else value
        try:
            found = float(plain)
        except ValueError:
            raise self.refuse(field, "decimal degrees", "write decimal degrees in WGS 84, like 30.1234") from None
        if not -limit <= found <= limit:  # nan is within nothing
            raise self.refuse(field, f"-{limit} to {limit}", "check whether latitude and longitude are exchanged")
        if plain != value:
            self.repair(field, "decimal point", plain)
        return found

    def one_of(
        self,
        field: str,
        allowed: Sequence[W],
        default: W,
        words: Mapping[str, str] = MappingProxyType({}),
        *,
        protects: bool = False,
    ) -> W:
        """One word of a closed list, or one that `words` knows for it; what is neither may hold the row."""
        value = self.word(field).lower().replace(" ", "_").replace("-", "_")
        if not value:
            return default
        value = words.get(value, value)
        for word in allowed:
            if word == value:
                return word
        remedy = f"write one of {', '.join(word for word in allowed if word)}"
        if protects:
            raise self.hold(field, "known word", remedy)
        self.leave_out(field, "known word", remedy)
        return default

    def words(
        self,
        field: str,
        allowed: Sequence[str] = (),
        words: Mapping[str, str] = MappingProxyType({}),
        *,
        protects: bool = False,
    ) -> tuple[str, ...]:
        """Words between semicolons; of a closed list where there is one, or that `words` knows for one of it."""
        if not self._cells.get(field):
            return ()
        found = []
        whole = self.word(field)
        if protects and whole.strip().lower() in NONE:
            return ()
        parts = _SPLIT.split(whole) if not protects else re.split(r"[;/|、；,，\s]+", whole)
        for part in parts:
            word = part.strip()
            if not word:
                continue
            low = word.lower().replace(" ", "_").replace("-", "_")
            known = words.get(low, low if low in allowed else word.lower())
            if not allowed or known in allowed:
                found.append(known if allowed else word)
                continue
            remedy = f"write words of {', '.join(allowed)}, with ; between them"
            if protects:
                raise self.hold(field, "known word", remedy, word)
            self.leave_out(field, "known word", remedy, word)
        return tuple(dict.fromkeys(found))

    def languages(self, field: str) -> tuple[str, ...]:
        """Tags of all languages in the cell, best first; names in words are read, what is none is left out."""
        if not self._cells.get(field):
            return ()
        found: list[str] = []
        for part in re.split(r"[;/|、；,，]", self.word(field)):
            word = part.strip()
            if not word:
                continue
            tags = read_language(word)
            if not tags:
                self.leave_out(field, "language", "write its tag, like zh, ug or en, with ; between", word)
            elif tags != (word,):
                self.repair(field, "language tag", ";".join(tags), word)
            found += tags
        if not found:
            self._unread.add(field)
        return tuple(dict.fromkeys(found))[:10]

    def phones(self, field: str) -> list[tuple[str, int]]:
        """(E.164, phonenumbers' type) of each number in the cell; numbers without + belong to the region."""
        found: dict[str, int] = {}
        if not self._cells.get(field):
            return []
        for one in read_cell(self.word(field), self._region, mobile="mobile" in field):
            if isinstance(one, Unread):
                self.leave_out(field, one.rule, one.remedy, one.given)
                continue
            if one.extension:
                how = f"{one.e164} is called without its extension {one.extension}: give a number that needs none"
                self.doubt(field, "extension", how, one.given)
            if what := phone_numbers.service(one.kind):
                self.doubt(field, "person's number", f"this is {what}: give a phone of the person's own", one.given)
            if one.guessed:
                self.guess(field, "whole number", f"{one.e164}, {one.guessed}", one.given)
            elif one.e164 != one.given:
                self.repair(field, "E.164", one.e164, one.given)
            found[one.e164] = one.kind
        return list(found.items())
