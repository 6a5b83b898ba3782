"""Mutants of the policy engine: one rule at a time is swapped, dropped or moved by one, and the suite must notice.

    python -m tools.mutants [NUMBER ...]      or: make test-mutants

Each is made in a copy of the project in a temporary folder; the copy's tests run until the first that fails. Prints a
line a mutant and the count; exit 1 if any survives.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_PURE = ("test_people.py", "test_combining.py", "test_policy.py", "test_steps.py", "test_explained.py")
_WALKED = (
    "test_combining.py",
    "test_steps.py",
    "test_paths.py",
    "test_by_the_clock.py",
    "test_policy.py",
    "test_explained.py",
)
_CLOCK = ("test_by_the_clock.py", "test_paths.py", "test_steps.py", "test_policy.py", "test_explained.py")
TESTS = {  # the nearest first: most mutants end there
    "policy/choosing.py": _PURE,
    "policy/engine.py": (*_PURE, "test_paths.py", "test_by_the_clock.py"),
    "doors/assignment.py": ("test_assignment.py", "test_doors.py", "test_short_lead.py", "test_paths.py"),
    "doors/teams.py": ("test_doors.py", "test_short_lead.py", "test_paths.py", *_PURE, "test_by_the_clock.py"),
    "doors/doors.py": ("test_doors.py", "test_short_lead.py", "test_paths.py", *_PURE, "test_by_the_clock.py"),
    "cases/cases.py": ("test_cases.py",),
    "callouts/callouts.py": ("test_callouts.py",),
    **dict.fromkeys(("planning/walk.py", "planning/rows.py", "planning/plan.py"), _WALKED),
    "clock/reactions.py": (*_WALKED, "test_cases.py"),
    **dict.fromkeys(
        ("clock/officials.py", "clock/silence.py", "planning/fatigue.py", "clock/deadlines.py", "clock/watch.py"),
        _CLOCK,
    ),
}
LIMIT_S = 240


@dataclass(frozen=True)
class Mutant:
    """`old` stands in the file once; `what` says which rule goes wrong."""

    file: str
    old: str
    new: str
    what: str


MUTANTS = (
    Mutant("policy/engine.py", "usable < 2", "usable < 1", "one usable channel is enough"),
    Mutant("policy/engine.py", "usable < 2", "usable < 3", "two usable channels are too few"),
    Mutant(
        "policy/engine.py",
        "if tier == Tier.RED and head_start",
        "if tier == Tier.ORANGE and head_start",
        "head start's door at another tier",
    ),
    Mutant(
        "policy/engine.py",
        "start <= minute or minute < end if",
        "start < minute or minute < end if",
        "night begins a minute late",
    ),
    Mutant(
        "policy/engine.py", "minute < end if start > end", "minute <= end if start > end", "night ends a minute late"
    ),
    Mutant("policy/engine.py", "base = bases.pop()", "base = bases.pop(0)", "the lightest team goes"),
    Mutant("policy/engine.py", "if one in parts and one not in BASES]", "if False]", "who lifts brings no interpreter"),
    Mutant("policy/engine.py", "form = min(", "form = max(", "the last form wins"),
    Mutant("policy/choosing.py", "if kind in said:", "if kind in ():", "what the person refused is used"),
    Mutant(
        "policy/choosing.py",
        "kind in unfit and kind not in asked",
        "kind in unfit and kind in asked",
        "unfit channels are used",
    ),
    Mutant(
        "policy/choosing.py",
        "mine = own if profile.own_order",
        "mine = [] if profile.own_order",
        "their own order is ignored",
    ),
    Mutant(
        "policy/engine.py",
        "outside = helper and any(out for",
        "outside = helper and any(not out for",
        "a supporter inside counts",
    ),
    Mutant("policy/engine.py", "Tier(min(tier + self.head_start.tiers_up", "Tier(min(tier + 0", "no head start"),
    Mutant(
        "policy/engine.py",
        'if danger.door == "forbidden" or never_a_team else',
        'if danger.door != "forbidden" or never_a_team else',
        "doors where they are forbidden",
    ),
    Mutant(
        "policy/engine.py",
        'closing="cannot_judge"\n            if "cannot_judge" in flags',
        'closing="default"\n            if "cannot_judge" in flags',
        "who cannot judge closes their own path",
    ),
    Mutant(
        "policy/engine.py",
        "or tier < Tier.YELLOW:",
        "or tier < Tier.RED:",
        "a battery's deadline in red alone",
    ),
    Mutant("policy/choosing.py", "if tier >= Tier.ORANGE:", "if True:", "a list's number in yellow"),
    Mutant(
        "policy/engine.py", 'if "away" in flags and usable:', 'if "away" in flags:', "away and no phone, and no door"
    ),
    Mutant(
        "planning/plan.py",
        'if deadly and "deadly_before_morning"',
        'if False and "deadly_before_morning"',
        "a battery runs dry in the night",
    ),
    Mutant(
        "policy/engine.py",
        "peopled = plan.tier >= Tier.ORANGE",
        "peopled = plan.tier >= Tier.BLUE",
        "houses are moved in blue",
    ),
    Mutant(
        "policy/engine.py",
        '("night" in when and night)',
        '("night" in when and not night)',
        "night's high support by day",
    ),
    Mutant(
        "policy/choosing.py",
        "if not helper_way and not any(",
        "if helper_way and not any(",
        "supporters no list names are forgotten",
    ),
    Mutant(
        "planning/walk.py", "if step.at == 0 and plan.door_at_0", "if step.at == 1 and plan.door_at_0", "no door at 0"
    ),
    Mutant(
        "planning/walk.py",
        "if step.condition.holds(true):",
        "if not step.condition.holds(true):",
        "conditions turned round",
    ),
    Mutant(
        "planning/walk.py",
        'true |= {"alone", "cannot_judge", "high_support"}',
        'true |= {"alone"}',
        "a child alone is not helped sooner",
    ),
    Mutant("planning/walk.py", "if at > until:", "if at >= until:", "a step that is due now waits"),
    Mutant(
        "planning/walk.py",
        "and rule.sweep_forbidden",
        "and not rule.sweep_forbidden",
        "streets are swept where nobody may go",
    ),
    Mutant(
        "planning/walk.py",
        "ctx.channels.get(AREA_CHANNELS[word]",
        "ctx.channels.get(word",
        "an area's channel is looked for by its word",
    ),
    Mutant("planning/walk.py", 'person.answer == "safe"', 'person.answer == ""', "a house is not asked again"),
    Mutant("planning/rows.py", "if before and not again:", "if before and again:", "a channel is tried twice"),
    Mutant(
        "planning/rows.py",
        "policy.voice_call.tries if voice",
        "policy.voice_call.tries - 1 if voice",
        "two calls, not three",
    ),
    Mutant("planning/rows.py", "plan, left[0], step", "plan, left[-1], step", "the last channel before the next"),
    Mutant(
        "planning/rows.py",
        "if urgent:\n        return 0",
        "if urgent:\n        return 9",
        "a call for help waits its turn",
    ),
    Mutant("planning/rows.py", "int(slack // 15) + plan.bucket", "int(slack // 15) - plan.bucket", "basements go last"),
    Mutant(
        "planning/rows.py",
        "if not helper.outside_zone:\n        return",
        "if helper.outside_zone:\n        return",
        "helpers sent through the hazard",
    ),
    Mutant(
        "planning/rows.py",
        "    if standing:\n        return []",
        "    if not standing:\n        return []",
        "no visit, or a second one",
    ),
    Mutant(
        "planning/rows.py", "return rows + fire_list(", "return rows or fire_list(", "a forbidden door leaves no name"
    ),
    Mutant(
        "planning/plan.py",
        "if self.issued.expires <= morning:",
        "if self.issued.expires >= morning:",
        "held until it is over",
    ),
    Mutant("planning/plan.py", "now - since >= wait", "now - since > wait", "a guardian's silence is a moment longer"),
    Mutant(
        "planning/plan.py",
        'if self.doors == "unsafe" or',
        'if self.doors == "" or',
        "the commander's word is not heard",
    ),
    Mutant("clock/reactions.py", "elif since < wait:", "elif since > wait:", "red waits on an unknown send"),
    Mutant(
        "clock/reactions.py",
        "answer == Answer.REFUSED and first",
        "answer == Answer.REFUSED and not first",
        "a refusal ends at once",
    ),
    Mutant(
        "clock/reactions.py",
        "answer == Answer.NO_ANSWER and first",
        "answer == Answer.NO_ANSWER and not first",
        "a silent door is left",
    ),
    Mutant(
        "clock/reactions.py",
        "if not plan.door_applies:\n        away",
        "if plan.door_applies:\n        away",
        "residents end unconfirmed",
    ),
    Mutant(
        "clock/reactions.py",
        "    if waiting_for_door(person):\n",
        "    if not waiting_for_door(person):\n",
        "an end while a door waits",
    ),
    Mutant(
        "clock/reactions.py",
        "d.answer == Answer.CANNOT_REACH",
        "d.answer == Answer.SPOKE",
        "a helper's failure is no news",
    ),
    Mutant(
        "doors/assignment.py",
        "one.listed < most or",
        "one.listed <= most or",
        "a list of one too many",
    ),
    Mutant(
        "doors/assignment.py",
        "<= policy.combine.skill_wait_s and",
        ">= policy.combine.skill_wait_s and",
        "the skill is waited for, or never",
    ),
    Mutant(
        "doors/assignment.py",
        "if self.begun and policy.door_list.never_reorder_begun",
        "if not self.begun and policy.door_list.never_reorder_begun",
        "a begun list is reordered",
    ),
    Mutant("doors/doors.py", "(*left, *back) if", "(*left[1:], *back) if", "one left over is not named"),
    Mutant(
        "doors/assignment.py",
        '_SIZES["need"] - 1, home.rank',
        '_SIZES["need"] - 1, -home.rank',
        "who needs it least comes first",
    ),
    Mutant(
        "clock/officials.py", "int(stage) <= rule.tries", "int(stage) < rule.tries", "an official is called once less"
    ),
    Mutant(
        "clock/officials.py",
        "delivery.c.evidence >= Evidence.HEARD",
        "delivery.c.evidence >= Evidence.DELIVERED",
        "a delivered text is speaking",
    ),
    Mutant("clock/silence.py", ">= max(FEW, SHARE", ">= min(FEW, SHARE", "a few phones off are a silent zone"),
    Mutant("clock/silence.py", "if now - since < wait:", "if now - since > wait:", "silence is not heard"),
    Mutant("planning/fatigue.py", "len(often) >= limit", "len(often) > limit", "one blue more a week"),
    Mutant(
        "planning/fatigue.py",
        "now - w.released < ctx.policy.fatigue.merge",
        "now - w.released > ctx.policy.fatigue.merge",
        "the same again is told again",
    ),
    Mutant(
        "planning/fatigue.py",
        'ctx.tier == Tier.YELLOW and "high_support"',
        'ctx.tier == Tier.BLUE and "high_support"',
        "who needs help gets tired",
    ),
    Mutant(
        "clock/deadlines.py",
        "ctx.plan(who.profile, next_at), step",
        "ctx.plan(who.profile, ctx.issued.released), step",
        "night judged once",
    ),
    Mutant("clock/watch.py", "issued.expires - ask for ask", "issued.expires + ask for ask", "asked when it is over"),
    Mutant(
        "doors/assignment.py",
        "longest * doors_per_hour / 60",
        "1 * doors_per_hour / 60",
        "who is carried takes no longer",
    ),
    Mutant("doors/teams.py", "or n > 0", "or n > 99", "who has been at a door is given none"),
    Mutant(
        "doors/assignment.py", "visited.ends <= back", "visited.begins <= back", "a visit past the time to turn back"
    ),
    Mutant("doors/assignment.py", "return self.urgent or self.facility", "return self.facility", "help waits for room"),
    Mutant("doors/assignment.py", "else TRAVEL_S\n        ends", "else 0.0\n        ends", "no way between grids"),
    Mutant(
        "doors/doors.py",
        "if now >= ctx.last_asked and (late",
        "if now < ctx.last_asked and (late",
        "given up while there is time",
    ),
    Mutant("cases/cases.py", "HELP_S, HELP_AGAIN_S = 120.0", "HELP_S, HELP_AGAIN_S = 240.0", "help waits four minutes"),
    Mutant(
        "cases/cases.py",
        'if owner not in ("", FIRE_SERVICE) else help',
        'if owner != "" else help',
        "a list is an owner",
    ),
    Mutant("cases/cases.py", 'one.asks == "urgent"', 'one.asks == "question"', "perhaps help waits like a question"),
    Mutant("cases/cases.py", 'if active or c.kind == "help"', "if active", "help ends with its warning"),
    Mutant("cases/cases.py", "max(c.told for c in late) > 0", "max(c.told for c in late) > 9", "nobody above is told"),
    Mutant("cases/cases.py", "if one.event_key in known or", "if", "a text told twice is two"),
    Mutant("callouts/callouts.py", "FEW = 3 ", "FEW = 30 ", "all are asked at once"),
    Mutant("callouts/callouts.py", "SILENT_S = 300.0", "SILENT_S = 3000.0", "who is silent keeps it"),
    Mutant("callouts/callouts.py", "and self._of(a) not in self._busy", "", "somebody holds two"),
    Mutant(
        "callouts/callouts.py",
        "opened_at + self._ctx.policy.combine.skill_wait_s:",
        "opened_at + 3600:",
        "a skill is waited for",
    ),
    Mutant("callouts/callouts.py", 'skill != "translator" or', "True or", "a translator of any language"),
    Mutant("callouts/callouts.py", "if a.at > self._let_go", "if a.at >= 0 * self._let_go", "an old yes counts again"),
    Mutant("clock/reactions.py", "and telling < 2", "and telling < 1", "one channel left is enough"),
)


def copy_to(folder: Path) -> None:
    """The parts of the project that the tests of the router need."""
    skip = shutil.ignore_patterns("__pycache__", ".*", "*.pyc", "node_modules")
    for name in ("services", "tests", "tools", "bench"):
        shutil.copytree(ROOT / name, folder / name, ignore=skip)
    shutil.copy(ROOT / "pyproject.toml", folder)


def survives(folder: Path, mutant: Mutant) -> str:
    """Empty where the suite notices, else why not."""
    file = folder / "services" / "router" / mutant.file
    text = file.read_text(encoding="utf-8")
    if text.count(mutant.old) != 1:
        return f"stands {text.count(mutant.old)} times in {mutant.file}: write the mutant anew"
    file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    tests = [str(at) for name in TESTS[mutant.file] for at in (folder / "tests").glob(f"*/router/{name}")]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-n0", *tests],
            cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return ""  # it never ends: noticed
    finally:
        file.write_text(text, encoding="utf-8")
    if done.returncode == 0:
        return "survives"
    if done.returncode != 1:
        return f"the tests did not run: {done.stdout[-400:]} {done.stderr[-400:]}"
    return ""


def main() -> int:
    """All, or those whose numbers are given."""
    wanted = {int(n) for n in sys.argv[1:]} or set(range(1, len(MUTANTS) + 1))
    alive = 0
    with tempfile.TemporaryDirectory(prefix="tocsin-mutants-") as where:
        folder = Path(where)
        copy_to(folder)
        for number, mutant in enumerate(MUTANTS, 1):
            if number not in wanted:
                continue
            begun = time.monotonic()
            why = survives(folder, mutant)
            alive += bool(why)
            took = time.monotonic() - begun
            sys.stdout.write(f"{number:3} {why or 'caught':10} {took:4.0f} s  {mutant.file}: {mutant.what}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(wanted) - alive} of {len(wanted)} mutants caught\n")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
