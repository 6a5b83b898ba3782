"""Reports an import row by row: read, repaired, left out, refused, and why.

A list of a million rows may have a million issues: all are counted by field and rule and handed to `sink` where there
is one, and the first SHOWN of each outcome stay in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NotRequired, TypedDict

from services.shared.database.disk import DiskFull, full

SHOWN = 2000
# The dangerous first. refused: the row did not go in; left_out: it went in without this value; guessed: the value was
# read as what it most likely means; doubtful: it went in as it stands, and is hardly right. What was only written in
# another form (`repaired`) is counted with an example, so that the others can be seen.
ORDER = ("refused", "left_out", "guessed", "doubtful")
FORM = "repaired"


@dataclass(frozen=True)
class Issue:
    """What was wrong with a field, and what came of it: a word of ORDER, or FORM."""

    line: int
    outcome: str
    field: str
    rule: str
    given: str
    remedy: str
    subject: str = ""

    def said(self) -> IssueSaid:
        """As a program reads it."""
        return {
            "line": self.line, "outcome": self.outcome, "field": self.field, "rule": self.rule, "given": self.given,
            "remedy": self.remedy, "subject": self.subject,
        }  # fmt: skip


class IssueSaid(TypedDict):
    """An issue, as a program reads it."""

    line: int
    outcome: str
    field: str
    rule: str
    given: str
    remedy: str
    subject: str


class RuleExample(TypedDict):
    """A value that was only written in another form."""

    line: int
    given: str
    became: str


class RuleCount(TypedDict):
    """In how many rows a rule spoke."""

    outcome: str
    field: str
    rule: str
    rows: int
    example: NotRequired[RuleExample]


class ImportSaid(TypedDict):
    """What came of an import: issues, the dangerous first, how many are not among them, and all by rule."""

    read: int
    unchanged: int
    repaired: int
    refused: int
    left_out: int
    guessed: int
    doubtful: int
    conflicts: int
    missing: int
    dry_run: bool
    notes: list[str]
    issues: list[IssueSaid]
    issues_not_shown: int
    rules: list[RuleCount]


@dataclass
class ImportReport:
    """`read` rows went in new or changed, `unchanged` were there already, `missing` stood in an older list only."""

    read: int = 0
    unchanged: int = 0
    refused: int = 0
    conflicts: int = 0
    missing: int = 0
    dry_run: bool = False
    notes: list[str] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], Issue] = field(default_factory=dict)
    sink: Callable[[Issue], None] | None = None
    _kept: Counter[str] = field(default_factory=Counter)

    @property
    def repaired(self) -> int:
        """Values that were written in another form, or read as what they most likely mean."""
        return sum(n for (outcome, _, _), n in self.counts.items() if outcome in (FORM, "guessed"))

    def tell(self, issue: Issue) -> None:
        """Adds one issue, and counts its row where it was refused."""
        self.counts[issue.outcome, issue.field, issue.rule] += 1
        if issue.outcome == FORM:
            self.examples.setdefault((issue.field, issue.rule), issue)
            return
        self.refused += issue.outcome == "refused"
        if self._kept[issue.outcome] < SHOWN:  # of each: no flood of doubts hides a refusal that comes later
            self._kept[issue.outcome] += 1
            self.issues.append(issue)
        if self.sink is not None:
            self.sink(issue)

    def stopped_by_full_disk(self) -> DiskFull:
        """The fault that ends an import, with what stands in spite of it."""
        return full(f"{self.read + self.unchanged} rows are in: the same list again doubles nothing")

    def add_forms(self, more: ImportReport) -> None:
        """Adds what another process only wrote in another form; it tells its issues one by one."""
        for key, n in more.counts.items():
            if key[0] == FORM:
                self.counts[key] += n
        for key_, example in more.examples.items():
            self.examples.setdefault(key_, example)

    def tell_all(self, issues: Iterable[Issue]) -> None:
        """Adds them in order."""
        for issue in issues:
            self.tell(issue)

    def add(self, more: ImportReport) -> None:
        """Adds what came of another part of the same file; its issues were told here already."""
        self.read += more.read
        self.unchanged += more.unchanged
        self.conflicts += more.conflicts

    def as_json(self) -> ImportSaid:
        """The report: issues with the dangerous first, how many are not among them, and all of them counted by rule."""
        told = sum(n for (outcome, _, _), n in self.counts.items() if outcome != FORM)
        shown = sorted(self.issues, key=lambda i: (ORDER.index(i.outcome), i.line))[:SHOWN]
        rules: list[RuleCount] = [
            {"outcome": outcome, "field": name, "rule": rule, "rows": n}
            for (outcome, name, rule), n in sorted(self.counts.items())
        ]
        for count in rules:
            one = self.examples.get((count["field"], count["rule"])) if count["outcome"] == FORM else None
            if one is not None:
                count["example"] = {"line": one.line, "given": one.given, "became": one.remedy}
        counted = {word: sum(n for (outcome, _, _), n in self.counts.items() if outcome == word) for word in ORDER}
        return {
            "read": self.read,
            "unchanged": self.unchanged,
            "repaired": self.repaired,
            "refused": self.refused,
            "left_out": counted["left_out"],
            "guessed": counted["guessed"],
            "doubtful": counted["doubtful"],
            "conflicts": self.conflicts,
            "missing": self.missing,
            "dry_run": self.dry_run,
            "notes": self.notes,
            "issues": [issue.said() for issue in shown],
            "issues_not_shown": told - len(shown),
            "rules": rules,
        }
