"""The policy language: every word does something or is refused with line, rule and remedy; channels too weak for a step."""

from __future__ import annotations

import ast
import copy
import json
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from services.channels.drivers.twilio.sms import SmsTwilio
from services.channels.drivers.twilio.voice import VoiceTwilio
from services.commands import texts
from services.commands.policy import app
from services.router.planning.contexts import SHIPPED
from services.router.policy import engine as policy_module
from services.router.policy import rules, steps
from services.router.policy.abilities import Abilities, as_yaml, faults, installed, read_channels
from services.router.policy.engine import Policy, read
from services.shared import hazards, i18n
from services.shared.errors import Refused
from services.shared.input.fields import json_schema
from services.shared.input.files import Entry
from services.shared.tiers import TIER_WORDS
from tests.kit.examples import QUICK

RULES = """
hazards:                     # rules of a council's own, in place of those in the hazards' files
  toxic_release: {respond: shelter_in, door: forbidden, sweep: forbidden,
                  instead: [voice, sms, supporter_by_phone, fire_service_list]}
  tsunami: {respond: evacuate, door: forbidden, sweep: forbidden, after_impact: door_check}
  heat:  {respond: check_on, door: allowed, evacuate: never}
  power_cut:     {respond: check_on, door: allowed, first: power_medical, deadline: backup_min - travel_min}
  storm:         {respond: shelter_in, door: allowed, area_sound_at: 5}
"""
TEXT = SHIPPED.read_text(encoding="utf-8") + RULES
POLICY = read(TEXT)


def leaves(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, (*path, key))
    else:
        yield path, node


def put(data: Any, path: tuple[Any, ...], value: Any) -> None:
    for part in path[:-1]:
        data = data[part]
    data[path[-1]] = value


DATA = yaml.safe_load(TEXT)


def as_json(text: str) -> Any:
    """As an editor's language server sees it: a day is text."""
    return json.loads(json.dumps(yaml.load(text, yaml.CSafeLoader), default=str))


DATA_AS_JSON = as_json(TEXT)
LEAVES = list(leaves(DATA))[:: 10 if QUICK else 1]


def others(value: Any) -> tuple[Any, Any]:
    """Another value of the same kind, and one of another kind."""
    if isinstance(value, bool):
        return (not value, "words")
    if isinstance(value, int | float):
        return (value + 1 if value != 1.0 else 0.5, "words")
    return (value[:-1], 7) if isinstance(value, list) else ("", 7)


def built(data: Any) -> Policy | Refused:
    try:
        return read(json.dumps(data, default=str))  # JSON is YAML, and written faster
    except Refused as refused:
        return refused


def same(a: Policy, b: Policy) -> bool:
    return all(getattr(a, name) == getattr(b, name) for name in Policy.model_fields)


def changed(path: tuple[Any, ...], value: Any) -> Policy | Refused:
    data = copy.deepcopy(DATA)
    put(data, path, value)
    return built(data)


def test_no_word_of_the_file_is_dead() -> None:
    """Whatever entry is given another value: the policy is another one, or the file is refused with its line."""
    dead = []
    for path, now in LEAVES:
        seen = [changed(path, value) for value in others(now)]
        assert not [s for s in seen if isinstance(s, Refused) and "line " not in s.message], path
        moved = any(isinstance(s, Policy) and not same(s, POLICY) for s in seen)
        if not moved and not all(isinstance(s, Refused) for s in seen):
            dead.append(path)
    assert [] == dead


def test_every_entry_that_is_left_out_is_missed_or_changes_the_policy() -> None:
    """Nothing may be forgotten in silence."""
    for path, _ in LEAVES:
        data = copy.deepcopy(DATA)
        around = data
        for part in path[:-1]:
            around = around[part]
        value = around.pop(path[-1])
        seen = built(data)
        if isinstance(seen, Refused):
            assert "line " in seen.message
            continue
        left = same(seen, POLICY)
        default = (path[-1], value) in (("form", "plain"), ("door", "officer"), ("personal", "all"), ("ack", "none"),
                                        ("second_knock_min", 40), ("way_out_min", 10), ("turn_back_margin_min", 10),
                                         ("opened_within_min", 10),
                                        ("way_out_by_zone_min", {}), ("check_in_min", 30), ("check_in_grace_min", 5),
                                        ("check_in_alarm_min", 10), ("relief_h", 4),
                                        ("fire_service_takes_up_min", 10))  # fmt: skip
        assert not left or default, path


def sections() -> Iterator[type[Entry]]:
    for module in (policy_module, rules, steps, hazards):
        for kind in vars(module).values():
            if (
                isinstance(kind, type)
                and issubclass(kind, Entry)
                and kind.__module__ == module.__name__
                and kind not in (hazards.Hazard, hazards.Alerts)
            ):
                yield kind


def test_every_field_of_the_policy_is_read_by_the_engine() -> None:
    """What a section holds, some module of the router looks at; an entry that may say one thing alone is held by that."""
    names = {
        name
        for kind in sections()
        for name, field in kind.model_fields.items()
        if typing.get_origin(field.annotation) is not typing.Literal
    }
    used: set[str] = set()
    for file in Path(policy_module.__file__).parents[1].rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        used |= {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Load)}
    said_once = {"evidence", "kinds", "team", *TIER_WORDS}  # checked to be whole; tiers are asked for by name
    assert set() == names - used - said_once


def test_the_schema_beside_the_policy_is_the_models(tmp_path: Path) -> None:
    """An editor completes by what the reader checks; remade with: tocsin policy schema."""
    beside = SHIPPED.with_name("policy.schema.json").read_text(encoding="utf-8")
    assert json.loads(beside) == json_schema(Policy, "Policy of Tocsin")
    assert TEXT.startswith("# yaml-language-server: $schema=policy.schema.json\n")
    assert beside == CliRunner().invoke(app, ["schema"]).output
    of_hazards = (hazards.FOLDER / "hazard.schema.json").read_text(encoding="utf-8")
    assert of_hazards == CliRunner().invoke(app, ["schema", "--hazard"]).output
    of_texts = (i18n.FOLDER / "hazard_texts.schema.json").read_text(encoding="utf-8")
    assert of_texts == CliRunner().invoke(texts.app, ["schema"]).output


def test_the_schema_takes_what_ships_and_refuses_what_the_reader_refuses() -> None:
    """All but what hangs on two entries at once, which a schema does not say."""
    schema = jsonschema.Draft202012Validator(json_schema(Policy, "Policy of Tocsin"))
    jsonschema.Draft202012Validator.check_schema(json_schema(Policy, "Policy of Tocsin"))
    assert [] == list(schema.iter_errors(DATA_AS_JSON))
    passed = {said for old, new, said in FAULTS if schema.is_valid(as_json(TEXT.replace(old, new, 1)))}
    assert passed <= {"rich_people", "groups_interleaved", "at least", "twice", "everybody's answer", "weakest first",
                      "sending or asking is no end", "general", "minutes", "never held", "alone"}  # fmt: skip


FAULTS = [
    ("evaluate_at: step_time", "evaluate_at: release", "step_time"),
    ("tiers: [blue, yellow], when", "tiers: [blue, orange], when", "never held"),
    ("unless: [onset_before_morning, deadly_before_morning, facility]", "unless: [rain]", "rain"),
    ("listen_s: 20", "listen_s: 0", "1 to 300"),
    ("use: earliest", "use: latest", "earliest"),
    ("earlier of 15 and 10% of lead, at least 2", "earlier of 15 and 10% of lead, at least 20", "at least"),
    ("earlier of 15 and 10% of lead, at least 2", "earlier of 15 and a tenth of lead", "% of lead"),
    ("[accepted, delivered, opened", "[delivered, accepted, opened", "weakest first"),
    ("or: supporter_spoke", "or: supporter_saw", "supporter_saw"),
    ("evacuate: never", "evacuate: always", "always"),
    ("first: power_medical", "first: rich_people", "rich_people"),
    ("deadline: backup_min - travel_min", "deadline: __import__('os')", "backup_min"),
    ("door: allowed, evacuate", "door: allowed, instead: [sms], evacuate", "take it out"),
    ("supporter_by_phone, fire_service_list]", "supporter_by_phone]", "fire_service_list"),
    ("sign_video, door", "sign_videos, door", "sign_videos"),
    ("alone_if: guardian_silent_5_min", "alone_if: guardian_asleep", "guardian_silent_5_min"),
    ("slack_bucket: -1", "slack_bucket: soon", "number"),
    ("order: [own_order, groups_interleaved]", "order: [own_order]", "groups_interleaved"),
    ("wait_for_skill_min: 10", "wait_for_skill_min: 30", "0 to 10"),
    ("tiers_up: 1", "tiers_up: 1.5", "whole"),
    ("mode: parallel}\n      - {at: 5", "mode: slowly}\n      - {at: 5", "slowly"),
    ("    end: closed\n", "    end: sent\n", "sending or asking is no end"),
    ("ask: [moved_of_headcount]", "ask: [names]", "names"),
    ("until: all_safe", "until: bored", "bored"),
    ("then_door: true", "then_door: maybe", "true or false"),
    ("if: doors_needed > doors_possible", "if: doors_needed > 3", "doors_possible"),
    ("then: [neighbour_call, fire_service, loudhailer]", "then: [neighbour_call]", "somebody's list"),
    ("if: area_silent_min >= 5", "if: area_silent_min >= os.getpid()", "area_silent_min"),
    ("officers_alone_after_min: 15", "officers_alone_after_min: 3", "at least"),
    ("checking, not_ours]", "checking]", "not_ours"),
    ("to: [all_attempted, supporters", "to: [supporters", "all_attempted"),
    ("ask_before_min: [30, 10]", "ask_before_min: []", "minutes"),
    ("personal_per_week: {blue: 1, yellow: 3}", "personal_per_week: {red: 1}", "red"),
    ("team: 2", "team: 1", "alone"),
    ("never_reorder_begun: true", "never_reorder_begun: 1", "true or false"),
    ("red_min: 30, ", "", "red_min"),
    ("facilities_spoken_10_min: 1.0", "facilities_spoken_10_min: 2", "0 to 1"),
    ("reviewed: 2026-11-22", "reviewed: soon", "2026-11-22"),
    ("  general:         {personal: [sms, voice], form: plain}\n", "", "general"),
    ("  blind: ", "  general: {personal: [sms]}\n  blind: ", "twice"),
    ("personal: [sms, push]", "personal: [sms, sms]", "twice"),
    ("    ack: all_registered\n", "", "everybody's answer"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "said"), FAULTS, ids=[f"{n}-{said[:20]}" for n, (_, _, said) in enumerate(FAULTS)]
)
def test_each_closed_list_refuses_with_line_and_remedy(old: str, new: str, said: str) -> None:
    """One fault of each kind: the message says the line, the entry and what may stand there."""
    assert old in TEXT
    with pytest.raises(Refused) as refused:
        read(TEXT.replace(old, new, 1))
    assert said in refused.value.message
    assert refused.value.message.startswith("line ")
    assert refused.value.rule


def test_the_line_is_the_right_one() -> None:
    """Counted as an editor counts."""
    wrong = TEXT.replace(
        "unfit: [voice_robot], household_voice: allowed, form: short_plain, door",
        "unfit: [telex], form: short_plain, door",
        1,
    )
    line = next(n for n, text in enumerate(wrong.splitlines(), 1) if "telex" in text)
    with pytest.raises(Refused) as refused:
        read(wrong)
    assert refused.value.message.startswith(f"line {line}, groups.deaf_text.unfit.1: 'telex'")


CHINA = {  # as an aggregator without replies, links or voice would have to declare itself
    "sms": Abilities(two_way=False, links=False, repeats_per_day=2, templates_only=True),
    "supporter_sms": Abilities(two_way=False, links=False),
    "officer_sms": Abilities(two_way=False, links=False),
}


def test_channels_that_lack_what_a_step_needs_are_refused() -> None:
    """No reply, no link, no voice, too few repeats, templates only: each is named once for each entry, with a remedy."""
    found = list(faults(POLICY, CHINA))
    assert {"two_way", "links", "templates_only"} == {f.rule for f in found}
    assert all(
        f.message.startswith("line ") and ("use" in f.message or "take" in f.message or "add" in f.message)
        for f in found
    )
    weak = {"voice_mobile": Abilities(voice=True, repeats_per_day=2), "voice_landline": Abilities(voice=False)}
    rules = {(f.field, f.rule) for f in faults(POLICY, weak)}
    assert ("voice_call.tries", "repeats_per_day") in rules
    assert ("groups.older_alone.personal", "voice") in rules
    once = {"sms": Abilities(repeats_per_day=1)}
    assert {"repeats_per_day"} == {f.rule for f in faults(POLICY, once)}
    duty = {"voice_duty": Abilities(voice=True, two_way=False, repeats_per_day=3)}
    assert {"two_way", "repeats_per_day"} == {f.rule for f in faults(POLICY, duty) if f.field == "facility_escalation"}


def test_what_ships_fits_the_channels_that_ship(tmp_path: Path) -> None:
    """And a channel that is not there at all is no fault."""
    channels = installed({"sms": SmsTwilio, "voice": VoiceTwilio})
    assert {"sms", "voice_mobile", "officer_voice"} <= set(channels)
    assert [] == list(faults(POLICY, channels))
    assert [] == list(faults(POLICY, {}))
    (tmp_path / "channels.yaml").write_text(as_yaml(channels))
    assert channels == read_channels(tmp_path / "channels.yaml")


def test_a_declaration_of_channels_is_closed_too(tmp_path: Path) -> None:
    """A misspelt ability would read as having it."""
    (tmp_path / "channels.yaml").write_text("sms: {two_ways: false}")
    with pytest.raises(
        Refused, match=r"channels.yaml: line 1, sms.two_ways: 'two_ways' is not known here; use links, repeats"
    ):
        read_channels(tmp_path / "channels.yaml")
