"""Reads a policy file into a Policy, refusing with line, rule and remedy whatever it does not know."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import yaml

from services.router.conditions import ALWAYS, parse_condition
from services.router.policy import (
    ANSWERERS,
    ANSWERS,
    AREA_WORDS,
    DOOR_RULES,
    FACILITY_WORDS,
    FORMS,
    HELPER_WORDS,
    OFFICER_WORDS,
    PERSON_WORDS,
    PERSONAL,
    RESPONSES,
    SECTIONS,
    TEAMS,
    UNFIT_WORDS,
    WORDS,
    Closing,
    Group,
    Policy,
    Step,
    TierRule,
    parse_tiers,
    parse_yaml,
)
from services.shared.errors import Refused
from services.shared.tier import TIER_WORDS, Tier

_ROAD_WORDS = (*WORDS, *HELPER_WORDS, *OFFICER_WORDS)
_GROUP_KEYS = {
    "personal", "form", "night_adds", "unfit", "door", "door_first", "head_start", "high_support_at", "household_voice",
    "slack_bucket", "first", "ladder",
}  # fmt: skip
_TIER_KEYS = {"personal", "steps", "end", "unknown_after_s", "ack"}
_STEP_KEYS = {"at", "every", "if", "do"}
_EARLIER = re.compile(r"earlier of (\d+) and impact-(\d+)")


class _File:
    """The parsed data together with the line each entry stands on."""

    def __init__(self, text: str) -> None:
        self.data = parse_yaml(text)
        self._root = yaml.compose(text, Loader=yaml.SafeLoader)

    def line(self, path: Sequence[str | int]) -> int:
        node = self._root
        line = 1
        for part in path:
            if isinstance(node, yaml.MappingNode):
                for key, value in node.value:
                    if key.value == str(part):
                        node, line = value, key.start_mark.line + 1
                        break
                else:
                    return line
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = node.start_mark.line + 1
        return line

    def refuse(self, path: Sequence[str | int], message: str, rule: str, given: Any = None) -> Refused:
        where = ".".join(str(p) for p in path)
        return Refused(f"line {self.line(path)}, {where}: {message}", field=where, rule=rule, given=given)

    def section(self, name: str) -> Any:
        if name not in self.data:
            raise self.refuse([name], f"the section {name!r} is missing; add it", "section")
        return self.data[name]

    def word(self, path: Sequence[str | int], value: Any, allowed: Sequence[str]) -> str:
        if value not in allowed:
            raise self.refuse(path, f"{value!r} is not on the list; use {', '.join(allowed)}", "closed_list", value)
        return str(value)

    def words(self, path: Sequence[str | int], values: Any, allowed: Sequence[str]) -> tuple[str, ...]:
        if not isinstance(values, list):
            raise self.refuse(path, f"give a list in [ ], not {values!r}", "list", values)
        return tuple(self.word(path, value, allowed) for value in values)

    def number(self, path: Sequence[str | int], value: Any, low: float = 0) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or value < low:
            raise self.refuse(path, f"give a number of {low} or more, not {value!r}", "number", value)
        return float(value)

    def keys(self, path: Sequence[str | int], value: Any, allowed: set[str]) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise self.refuse(path, f"give entries in {{ }}, not {value!r}", "mapping", value)
        for key in value:
            if key not in allowed:
                raise self.refuse(
                    [*path, key], f"{key!r} is not known here; use {', '.join(sorted(allowed))}", "closed_list", key
                )
        return value


def read(text: str) -> Policy:
    """The checked policy."""
    file = _File(text)
    if not isinstance(file.data, dict):
        raise Refused("the policy file is empty; start from the one that ships", rule="yaml")
    for name in file.data:
        if name not in SECTIONS:
            raise file.refuse([name], f"there is no section {name!r}; use {', '.join(SECTIONS)}", "section", name)
    head = file.keys(["policy"], file.section("policy"), {"id", "version", "reviewed", "review_every_months"})
    tiers = {Tier.of(word): _tier(file, word) for word in TIER_WORDS}
    few = file.section("combine")["fewer_than_two_usable_roads"]
    head_start = file.section("head_start")
    voice = file.section("voice_call")
    reached = file.section("reached")
    return Policy(
        id=str(head["id"]),
        version=int(file.number(["policy", "version"], head["version"], 1)),
        night=_night(file),
        groups={str(name): _group(file, name, value) for name, value in file.section("groups").items()},
        tiers=tiers,
        facility=_steps(
            file, ["facility_ladder"], file.section("facility_ladder"), (*FACILITY_WORDS, "door", "officer_contact")
        ),
        closings=_closings(file),
        hazards=_hazards(file),
        hold_tiers=parse_tiers(file.section("hold")["tiers"]),
        few_roads_tiers=parse_tiers(few["tiers"]),
        head_start_tiers=int(file.number(["head_start", "tiers_up"], head_start["tiers_up"])),
        head_start_door_at_red=head_start.get("at_red") == "door_at_0",
        voice_tries=int(file.number(["voice_call", "tries"], voice["tries"], 1)),
        voice_within_s=60 * file.number(["voice_call", "within_min"], voice["within_min"]),
        reached_evidence=str(reached["evidence_at_least"]),
        reached_answers=frozenset(file.words(["reached", "or_answer"], reached["or_answer"], (*ANSWERS, "help"))),
        rank=tuple(file.section("shortage")["rank"]),
        second_knock_s=60
        * file.number(["door_list", "second_knock_min"], file.section("door_list")["second_knock_min"]),
        text=text,
    )


def _night(file: _File) -> tuple[int, int]:
    given = file.section("clock")["night"]
    match = re.fullmatch(r"(\d\d):(\d\d)-(\d\d):(\d\d)", str(given))
    if match is None:
        raise file.refuse(["clock", "night"], f"give a span like 21:00-07:00, not {given!r}", "span", given)
    a, b, c, d = (int(x) for x in match.groups())
    return a * 60 + b, c * 60 + d


def _group(file: _File, name: str, value: Any) -> Group:
    path = ["groups", name]
    entry = file.keys(path, value, _GROUP_KEYS)
    if "personal" not in entry:
        raise file.refuse(path, "say in which order this group is reached: personal: [...]", "required")
    form = str(entry.get("form", "plain"))
    file.word([*path, "form"], form.partition("+")[0], FORMS)
    return Group(
        personal=file.words([*path, "personal"], entry["personal"], _ROAD_WORDS),
        form=form,
        night_adds=file.words([*path, "night_adds"], entry.get("night_adds", []), _ROAD_WORDS),
        unfit=file.words([*path, "unfit"], entry.get("unfit", []), tuple(UNFIT_WORDS)),
        door=file.word([*path, "door"], entry.get("door", "officer"), TEAMS),
        door_first=bool(entry.get("door_first", False)),
        head_start=bool(entry.get("head_start", False)),
        high_support_at=file.word(
            [*path, "high_support_at"], entry.get("high_support_at", ""), ("", "always", "night", "when_alone")
        ),
        ladder=file.word([*path, "ladder"], entry.get("ladder", ""), ("", "facility")),
    )


def _tier(file: _File, word: str) -> TierRule:
    path: list[str | int] = ["tiers", word]
    tiers = file.section("tiers")
    if word not in tiers:
        raise file.refuse(path, f"the tier {word} has no ladder; add one", "required")
    entry = file.keys(path, tiers[word], _TIER_KEYS)
    unknown = entry.get("unknown_after_s")
    return TierRule(
        personal=file.word([*path, "personal"], entry.get("personal", "all"), PERSONAL),
        steps=_steps(file, [*path, "steps"], entry["steps"], (*AREA_WORDS, *PERSON_WORDS)),
        end=str(entry["end"]),
        unknown_after_s=None if unknown is None else file.number([*path, "unknown_after_s"], unknown),
    )


def _steps(file: _File, path: list[str | int], values: Any, allowed: Sequence[str]) -> tuple[Step, ...]:
    steps = []
    for index, value in enumerate(values):
        here = [*path, index]
        entry = file.keys(here, value, _STEP_KEYS)
        do = file.words([*here, "do"], entry.get("do"), allowed)
        try:
            condition = parse_condition(entry["if"]) if "if" in entry else ALWAYS
        except Refused as wrong:
            raise file.refuse([*here, "if"], wrong.message, wrong.rule, wrong.given) from wrong
        name = f"{path[1] if path[0] == 'tiers' else 'facility'}.{index}"
        before: float | None = None
        every: float | None = None
        at = entry.get("at")
        if "every" in entry:
            every = 60 * file.number([*here, "every"], entry["every"], 1)
            minutes = every / 60
        elif isinstance(at, str) and (match := _EARLIER.fullmatch(at)):
            minutes, before = float(match.group(1)), 60 * float(match.group(2))
        else:
            minutes = file.number([*here, "at"], at)
        steps.append(Step(name, 60 * minutes, do, condition, before, every))
    if any(a.at > b.at for a, b in pairwise(steps)):
        raise file.refuse(path, "the steps must stand in the order of their minutes", "order")
    return tuple(steps)


def _closings(file: _File) -> dict[str, Closing]:
    found = {}
    for name in ("default", "cannot_judge", "cannot_leave"):
        path = ["closed_if", name]
        entry = file.keys(path, file.section("closed_if").get(name), {"answers", "by"})
        found[name] = Closing(
            frozenset(file.words([*path, "answers"], entry["answers"], ANSWERS)),
            frozenset(file.words([*path, "by"], entry["by"], ANSWERERS)),
        )
    return found


def _hazards(file: _File) -> dict[str, Mapping[str, Any]]:
    hazards = file.section("hazards")
    if "unknown" not in hazards:
        raise file.refuse(["hazards"], "add the hazard 'unknown': a warning may not say what it is", "required")
    for name, value in hazards.items():
        path = ["hazards", name]
        file.word([*path, "respond"], value.get("respond"), RESPONSES)
        file.word([*path, "door"], value.get("door"), DOOR_RULES)
    return dict(hazards)
