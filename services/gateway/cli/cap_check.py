"""`tocsin cap check`: a verdict on one file that a duty officer can act on. Pure."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from services.gateway.cap import Finding, Meaning, Reading, geometry, meaning, read
from services.gateway.cap.model import verdict_of
from services.gateway.intake.blocks import apart, notes_on
from services.shared.i18n import mark, t, told

GRADES = {
    "accept": mark("accept"), "repair": mark("repair"), "quarantine": mark("quarantine"), "reject": mark("reject"),
    "info": mark("info"),
}  # fmt: skip


class FindingSaid(TypedDict):
    """One fault of a file, in the reader's language."""

    rule: int
    grade: str
    where: str
    message: str


class FileVerdict(TypedDict):
    """What is to be thought of a file or alert; `hazard` is None where there is no alert."""

    file: str
    verdict: str
    tier: str | None
    hazard: str | None
    held: NotRequired[list[str]]
    notes: NotRequired[list[str]]
    findings: list[FindingSaid]


def judge_file(data: bytes) -> tuple[Reading, tuple[Finding, ...], tuple[Meaning, ...]]:
    """The tolerant reading of a file, every finding once (those of joining its shapes too), each alert's meaning."""
    reading = read(data)
    findings = dict.fromkeys(reading.findings)
    for alert in reading.alerts:
        findings |= dict.fromkeys(geometry(alert).findings)
    return reading, tuple(findings), tuple(meaning(alert) for alert in reading.alerts)


def check(name: str, data: bytes) -> FileVerdict:
    """`file, verdict, tier, hazard, held [why], notes, findings [{rule, grade, where, message}]`.

    `tier` is the highest of the file's alerts; null where one of them is held for a person, or where there is none.
    """
    reading, findings, senses = judge_file(data)
    holds = [told(note) for alert in reading.alerts if (note := apart(alert)) is not None]
    notes = [told(note) for alert in reading.alerts for note in notes_on(alert)]
    tiers = [s.tier for s in senses if s.tier is not None]
    held = any(s.tier is None and not s.nothing_to_warn for s in senses)
    return {
        "file": name,
        "verdict": verdict_of(findings),
        "tier": None if held or not tiers else max(tiers).word,
        "hazard": senses[0].hazard if senses else None,
        "held": holds,
        "notes": notes,
        "findings": [
            {"rule": f.rule, "grade": f.grade, "where": f.where, "message": told(f.message)} for f in findings
        ],
    }


def in_words(found: FileVerdict) -> str:
    """The same for a person: the verdict first, then one line a finding."""
    tier = found["tier"] or (t("none given: a person decides") if found["hazard"] else t("none"))
    verdict, hazard = t(GRADES[found["verdict"]]).upper(), found["hazard"] or t("none")
    lines = [
        t(
            "{file}: {verdict}, tier {tier}, hazard {hazard}",
            file=found["file"],
            verdict=verdict,
            tier=tier,
            hazard=hazard,
        )
    ]
    lines += [t("  held for a person: {why}", why=why) for why in found.get("held", ())]
    lines += [t("  note: {note}", note=note) for note in found.get("notes", ())]
    lines += [
        t(
            "  {grade} (rule {n}) at {where}: {message}", grade=t(GRADES[f["grade"]]), n=f["rule"],
            where=f["where"] or t("the file"), message=f["message"],
        )
        for f in found["findings"]
    ]  # fmt: skip
    return "\n".join(lines)
