"""`tocsin cap check`: a verdict on one file that a duty officer can act on. Pure."""

from __future__ import annotations

from typing import Any

from services.gateway.cap import geometry, meaning, read
from services.gateway.cap.model import verdict_of
from services.gateway.incoming import finding_json


def check(name: str, data: bytes) -> dict[str, Any]:
    """`file, verdict, tier, hazard, alerts, findings [{rule, grade, where, value, message}]`; tier null is held."""
    reading = read(data)
    findings = list(reading.findings)
    senses = []
    for alert in reading.alerts:
        findings += [f for f in geometry(alert).findings if f not in findings]
        senses.append(meaning(alert))
    tiers = [s.tier for s in senses if s.tier is not None]
    held = any(s.tier is None for s in senses)
    return {
        "file": name,
        "verdict": verdict_of(findings),
        "tier": None if held or not tiers else max(tiers).word,
        "tier_reason": "; ".join(dict.fromkeys(s.tier_reason for s in senses)),
        "hazard": senses[0].hazard if senses else None,
        "alerts": len(reading.alerts),
        "findings": [finding_json(f) for f in findings],
    }


def in_words(found: dict[str, Any]) -> str:
    """The same for a person: the verdict first, then one line a finding."""
    tier = found["tier"] or ("held for a person" if found["alerts"] else "none")
    lines = [f"{found['file']}: {found['verdict'].upper()}, tier {tier}, hazard {found['hazard'] or 'none'}"]
    if found["tier_reason"]:
        lines.append(f"  tier: {found['tier_reason']}")
    lines += [
        f"  {f['grade']} (rule {f['rule']}) at {f['where'] or 'the file'}: {f['message']}" for f in found["findings"]
    ]
    return "\n".join(lines)
