"""Reads one row of somebody's list cell by cell: puts right what is meant, leaves out what is not, and says so."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

import phonenumbers

from services.registry.given import HOURS
from services.registry.report import Issue, Report

YES = frozenset(("yes", "y", "true", "1", "x", "是", "有"))
NO = frozenset(("no", "n", "false", "0", "-", "否", "无"))
LEVELS = {"1": 1, "2": 2, "3": 3, "4": 4, "9": 9} | {
    "none": 1,
    "no difficulty": 1,
    "some": 2,
    "a lot": 3,
    "cannot": 4,
    "unknown": 9,
}
LANDLINE, MOBILE = phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.MOBILE
_SPLIT = re.compile(r"[;/|、；]")
ERRORS = frozenset(("#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!"))
_PLAIN = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: " ", 0xA0: " ", 0x200B: "", 0xFEFF: ""}
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T].*)?")
_FLOAT = re.compile(r"\d(\.\d+)?[eE]\+?\d+")
_YEAR = re.compile(r"(?<!\d)(19\d\d|20\d\d)(?!\d)")
W = TypeVar("W", bound=str)


def _serial(value: str) -> str | None:
    """The ISO date of the number of days a sheet counts from 1900; None where it is no such number."""
    if not re.fullmatch(r"\d{4,5}(\.0+)?", value) or not 7_300 <= int(float(value)) <= 60_000:
        return None
    return (dt.date(1899, 12, 30) + dt.timedelta(days=int(float(value)))).isoformat()


class RowRefused(Exception):
    """The row cannot go in; carries the issue that says why."""

    def __init__(self, issue: Issue) -> None:
        super().__init__(issue.rule)
        self.issue = issue


class Cells:
    """The cells of one row by column name; an empty cell and a missing column are the same."""

    def __init__(self, line: int, cells: Mapping[str, str], report: Report, region: str | None) -> None:
        self.line = line
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
        """Notes that a value was put right."""
        shown = self.text(field) if given is None else given
        self._report.tell(Issue(self.line, "repaired", field, rule, shown[:80], f"taken as {became[:80]}"))

    def text(self, field: str, longest: int = 300) -> str:
        """The cell as it was given, without white space around it, cut at `longest` characters."""
        value = self._cells.get(field, "")
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
            self.leave_out(field, "formula", "the sheet shows an error here: write the value", value)
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

    def yes(self, field: str, default: bool = False) -> bool:
        """yes or no; what is neither is left out."""
        value = self.word(field).lower()
        if not value:
            return default
        if value in YES or value in NO:
            return value in YES
        self.leave_out(field, "yes or no", "write yes or no")
        return default

    def level(self, field: str) -> int:
        """Washington Group level 1-4, 9 where unknown."""
        value = self.word(field).lower()
        if not value:
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
        """A year of birth, also out of a full date or the number a sheet keeps for one."""
        value = self.word(field)
        if not value:
            return None
        found = _YEAR.search(value)
        year = found.group() if found else (_serial(value) or "")[:4]
        if not year:
            self.leave_out(field, "year", "write the year of birth with four digits")
            return None
        if year != value:
            self.repair(field, "year only", year)
        return int(year)

    def date(self, field: str) -> str:
        """An ISO date, also out of 2026/5/1, 2026年5月1日, or the number a sheet keeps for one; 1/5/2026 is left out."""
        value = self.word(field)
        if not value:
            return ""
        found = _DATE.fullmatch(value)
        day = _serial(value) or ""
        if found:
            try:
                day = dt.date(*(int(part) for part in found.groups())).isoformat()
            except ValueError:
                day = ""
        if not day:
            self.leave_out(field, "date", "write the date as year-month-day, like 2026-05-01")
            return ""
        if day != value:
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
        if not -limit <= found <= limit:
            raise self.refuse(field, f"-{limit} to {limit}", "check whether latitude and longitude are exchanged")
        if plain != value:
            self.repair(field, "decimal point", plain)
        return found

    def one_of(self, field: str, allowed: Sequence[W], default: W) -> W:
        """One word of a closed list."""
        value = self.word(field).lower().replace(" ", "_").replace("-", "_")
        if not value:
            return default
        for word in allowed:
            if word == value:
                return word
        self.leave_out(field, "known word", f"write one of {', '.join(allowed)}")
        return default

    def words(self, field: str, allowed: Sequence[str] = ()) -> tuple[str, ...]:
        """Words between semicolons; of a closed list where there is one."""
        if not self._cells.get(field):
            return ()
        found = []
        for part in _SPLIT.split(self.word(field)):
            word = part.strip()
            if not word:
                continue
            if allowed and word.lower() not in allowed:
                self.leave_out(field, "known word", f"write words of {', '.join(allowed)}, with ; between them", word)
            else:
                found.append(word.lower() if allowed else word)
        return tuple(dict.fromkeys(found))

    def phones(self, field: str) -> list[tuple[str, int]]:
        """(E.164, phonenumbers' type) of each number in the cell; numbers without + belong to the region."""
        found: dict[str, int] = {}
        if not self._cells.get(field):
            return []
        for part in _SPLIT.split(self.word(field)):
            given = part.strip()
            if not given:
                continue
            plain = re.sub(r"\.0+$", "", given.lstrip("'"))
            if _FLOAT.fullmatch(plain):
                how = "the sheet has shortened this number: write it as text with all digits"
                self.leave_out(field, "all digits", how, given)
                continue
            try:
                number = phonenumbers.parse(plain, self._region)
            except phonenumbers.NumberParseException:
                how = "correct it, as text with all digits" if self._region else "write it with + and country code"
                self.leave_out(field, "phone number", how, given)
                continue
            type_ = phonenumbers.number_type(number)
            if type_ == phonenumbers.PhoneNumberType.UNKNOWN:  # as is_valid_number says it, asked once
                self.leave_out(field, "number that exists", "correct it, as text with all digits", given)
                continue
            e164 = f"+{number.country_code}{phonenumbers.national_significant_number(number)}"
            if e164 != given:
                self.repair(field, "E.164", e164, given)
            found[e164] = type_
        return list(found.items())
