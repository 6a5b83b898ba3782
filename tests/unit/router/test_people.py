"""People as a council knows them: who each is, and what becomes of them, by the register's own derivation.

One file a person in `people/`, in the words of the register. Each case says in one sentence why.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from services.commands.example_people import example
from services.router.explaining.explain import WORKING
from services.router.explaining.foresee import ON_SHIFT, Foreseen, foresee, made_up_person, made_up_warning
from services.router.planning.rows import rank
from services.router.planning.walk import climb
from services.shared.messages import Profile
from services.shared.tiers import Tier
from tests.unit.router.test_steps import POLICY

PEOPLE = Path(__file__).parent / "people"
FILES = {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(PEOPLE.glob("*.yaml"))}
CASES = [
    pytest.param(one["is"], case, id=f"{name}-{n}")
    for name, one in FILES.items()
    for n, case in enumerate(one["cases"])
]
KNOWN = {
    "tier", "hazard", "at", "lead", "first", "door", "list", "held", "told", "team", "form", "closes", "unused", "groups",
    "language", "last", "helper_form", "why",
}  # fmt: skip


def seen_of(profile: Profile, case: dict[str, Any]) -> Foreseen:
    hours, minutes = case["at"].split(":")
    ctx = made_up_warning(
        POLICY,
        Tier.of(case["tier"]),
        case["hazard"],
        int(hours) * 60 + int(minutes),
        WORKING,
        impact_min=case.get("lead"),
    )
    return foresee(ctx, profile)


def forms(profile: Profile, case: dict[str, Any], kind: str) -> set[str]:
    """In which form those of a kind are written to."""
    hours, minutes = case["at"].split(":")
    at = int(hours) * 60 + int(minutes)
    ctx = made_up_warning(POLICY, Tier.of(case["tier"]), case["hazard"], at, WORKING)
    ctx.workers = ON_SHIFT
    rows = [r for _, _, acts in climb(ctx, made_up_person(profile), at * 60 + 60) for a in acts for r in a.rows]
    return {r.form for r in rows if r.addressee_kind == kind}


@pytest.mark.parametrize(("answers", "case"), CASES)
def test_what_becomes_of_them(answers: dict[str, Any], case: dict[str, Any]) -> None:
    """Who is told first, when somebody comes, and who."""
    assert set(case) <= KNOWN, "a word that nothing looks at"
    profile = example(answers)
    seen = seen_of(profile, case)
    plan = seen.plan
    first = {a.channel for a in seen.acts if a.minute == seen.held_min and a.to != "area"}
    assert set(case["first"]) == first, case["why"]
    assert case.get("told", True) is plan.asked
    if "held" in case:
        assert case["held"] is (seen.held_min > 0), case["why"]
    for word, channel in (("door", "door"), ("list", "fire_service_list")):
        if word in case:
            minute = min((a.minute for a in seen.acts if a.channel == channel), default="never")
            assert case[word] == minute, case["why"]
    if "unused" in case:
        assert case["unused"].items() <= dict(plan.left_out).items(), case["why"]
    looked_at: dict[str, object] = {
        "team": plan.team, "closes": plan.closing, "groups": list(profile.groups), "language": profile.language,
        "last": rank(POLICY, plan, profile.groups, urgent=False) > len(POLICY.shortage.rank) + 2,
    }  # fmt: skip
    assert {name: case[name] for name in looked_at if name in case} == {
        name: value for name, value in looked_at.items() if name in case
    }, case["why"]
    if "form" in case:
        assert {case["form"]} == forms(profile, case, "person"), case["why"]
    if "helper_form" in case:
        assert {case["helper_form"]} == forms(profile, case, "supporter"), case["why"]


def test_each_case_says_why() -> None:
    """In one sentence; a file is named after who it is about."""
    assert len(FILES) >= 26
    for name, one in FILES.items():
        assert {"who", "is", "cases"} == set(one), name
        for case in one["cases"]:
            assert case["why"].endswith("."), name
