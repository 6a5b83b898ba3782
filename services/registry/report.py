"""What came of an import, row by row: read, repaired, left out, refused, and why; counted whole, kept in part.

A list of a million rows may have a million repairs: all are counted by field and rule and handed to `sink` where there
is one, and the first SHOWN stay in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

SHOWN = 2000


@dataclass(frozen=True)
class Issue:
    """What was wrong with a field, and what came of it: repaired, left_out (the row went in) or refused."""

    line: int
    outcome: str
    field: str
    rule: str
    given: str
    remedy: str
    subject: str = ""


@dataclass
class Report:
    """`read` rows went in new or changed, `unchanged` were there already, `missing` stood in an older list only."""

    read: int = 0
    unchanged: int = 0
    repaired: int = 0
    refused: int = 0
    conflicts: int = 0
    missing: int = 0
    dry_run: bool = False
    notes: list[str] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    sink: Callable[[Issue], None] | None = None

    def tell(self, issue: Issue) -> None:
        """Adds one issue, and counts its row where it was repaired or refused."""
        self.repaired += issue.outcome == "repaired"
        self.refused += issue.outcome == "refused"
        self.counts[issue.outcome, issue.field, issue.rule] += 1
        if len(self.issues) < SHOWN:
            self.issues.append(issue)
        if self.sink is not None:
            self.sink(issue)

    def tell_all(self, issues: Iterable[Issue]) -> None:
        """Adds them in order."""
        for issue in issues:
            self.tell(issue)

    def add(self, more: Report) -> None:
        """Adds what came of another part of the same file; its issues were told here already."""
        self.read += more.read
        self.unchanged += more.unchanged
        self.conflicts += more.conflicts

    def as_json(self) -> dict[str, Any]:
        """The report with its issues by line and how many are not among them."""
        told = sum(self.counts.values())
        rules = [
            {"outcome": outcome, "field": name, "rule": rule, "rows": n}
            for (outcome, name, rule), n in sorted(self.counts.items())
        ]
        return {
            "read": self.read,
            "unchanged": self.unchanged,
            "repaired": self.repaired,
            "refused": self.refused,
            "conflicts": self.conflicts,
            "missing": self.missing,
            "dry_run": self.dry_run,
            "notes": self.notes,
            "issues": [asdict(issue) for issue in sorted(self.issues, key=lambda i: i.line)],
            "issues_not_shown": told - len(self.issues),
            "rules": rules,
        }
