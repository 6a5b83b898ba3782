"""Reads a policy file into a Policy, refusing with line, rule and remedy whatever it does not know.

Every entry is looked at by name; what no line here asks for is refused, so nothing in a file is without effect.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Any

from services.router.policy import vocabulary as w
from services.router.policy.conditions import ALWAYS, Condition, parse_condition
from services.router.policy.engine import Policy
from services.router.policy.rules import ChannelsDown, Closing, Goals, Group, Hazard, OfficialEscalation, Step, TierRule
from services.router.policy.source import Path, PolicySource
from services.shared.errors import Refused
from services.shared.tiers import TIER_WORDS, Tier

_EARLIER = re.compile(r"earlier of (\d+) and impact-(\d+)")
_SPAN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_SILENT = re.compile(r"area_silent_min\s*>=\s*(\d+)")
_ALONE = re.compile(r"guardian_silent_(\d+)_min")


def read(text: str) -> Policy:
    """The checked policy."""
    f = PolicySource(text)
    for name in f.data:
        if name not in w.SECTIONS:
            raise f.refuse([str(name)], f"there is no section {name!r}; use {', '.join(w.SECTIONS)}", "section", name)
    for name in w.SECTIONS:
        f.at([name])
    f.keys(["policy"], ("id", "version", "reviewed", "review_every_months"))
    f.keys(["clock"], ("evaluate_at", "night"))
    f.word(["clock", "evaluate_at"], ("step_time",))
    f.keys(["hold"], ("tiers", "when", "unless", "recheck_before_release"))
    f.word(["hold", "when"], ("night",))
    f.keys(["voice_call"], ("listen_s", "tries", "within_min", "ring_s"))
    f.keys(["impact_time"], ("use", "unknown_means_slack_min"))
    f.word(["impact_time", "use"], ("earliest",))
    f.keys(["evidence"], ("escalation",))
    if f.words(["evidence", "escalation"], w.EVIDENCE_ORDER) != w.EVIDENCE_ORDER:
        raise f.refuse(
            ["evidence", "escalation"],
            f"write the ledger's steps, weakest first: {', '.join(w.EVIDENCE_ORDER)}",
            "escalation",
        )
    f.keys(["reached"], ("evidence_at_least", "or_answer", "or"))
    f.keys(
        ["combine"], ("order", "bans", "door", "fewer_than_two_usable_channels", "wait_for_skill_min"),
        ("order", "bans", "door", "fewer_than_two_usable_channels", "wait_for_skill_min"),
    )  # fmt: skip
    order = f.words(["combine", "order"], ("own_order", "groups_interleaved"))
    if "groups_interleaved" not in order or order[-1] == "own_order":
        raise f.refuse(["combine", "order"], "end with groups_interleaved: not everybody gave an order", "order", order)
    f.word(["combine", "bans"], ("only_what_the_person_said",))
    f.word(["combine", "door"], ("heaviest_team",))
    few: Path = ["combine", "fewer_than_two_usable_channels"]
    f.keys(few, ("tiers", "do"))
    f.word([*few, "do"], ("door_at_0_or_fire_service_list",))
    f.keys(["head_start"], ("tiers_up", "text", "at_red"))
    f.keys(["tiers"], TIER_WORDS, TIER_WORDS)
    f.keys(["closed_if"], ("default", "cannot_judge", "cannot_leave", "commander"))
    f.keys(["closed_if", "commander"], ("ending",))
    groups = f.at(["groups"])
    if not isinstance(groups, dict) or "general" not in groups:
        raise f.refuse(["groups"], "add the group 'general': most people are in no other", "required")
    return Policy(
        id=str(f.at(["policy", "id"])),
        version=f.whole(["policy", "version"], 1),
        reviewed=_reviewed(f),
        review_every_months=f.whole(["policy", "review_every_months"], 1, 60),
        night=_night(f),
        hold_tiers=_held(f),
        hold_unless=frozenset(f.words(["hold", "unless"], w.HOLD_UNLESS)),
        hold_recheck=f.flag(["hold", "recheck_before_release"]),
        voice_listen_s=f.whole(["voice_call", "listen_s"], 1, 300),
        voice_tries=f.whole(["voice_call", "tries"], 1, 10),
        voice_within_s=60 * f.number(["voice_call", "within_min"], 0, 60),
        voice_ring_s=f.whole(["voice_call", "ring_s"], 5, 600),
        unknown_slack_min=f.number(["impact_time", "unknown_means_slack_min"], 0, 1440),
        reached_evidence=f.word(["reached", "evidence_at_least"], w.EVIDENCE_ORDER),
        reached_answers=frozenset(f.words(["reached", "or_answer"], (*w.ANSWERS, "help"))),
        reached_by_supporter=f.word(["reached", "or"], ("", "supporter_spoke"), "") != "",
        closings={name: _closing(f, name) for name in ("default", "cannot_judge", "cannot_leave")},
        commander_endings=frozenset(f.words(["closed_if", "commander", "ending"], w.COMMANDER_ENDINGS)),
        hazards=_hazards(f),
        groups={str(name): _group(f, str(name)) for name in groups},
        own_order_first=order[0] == "own_order",
        few_channels_tiers=f.tiers([*few, "tiers"]),
        skill_wait_s=60 * f.number(["combine", "wait_for_skill_min"], 0, 10),
        head_start_tiers=f.whole(["head_start", "tiers_up"], 0, 3),
        head_start_text=f.word(["head_start", "text"], ("", "leave_early"), ""),
        head_start_door_at_red=f.word(["head_start", "at_red"], ("", "door_at_0"), "") == "door_at_0",
        tiers={Tier.of(word): _tier(f, word) for word in TIER_WORDS},
        facility=_steps(f, ["facility_escalation"], w.FACILITY_WORDS),
        officials=_officials(f),
        rank=f.words(["shortage", "rank"], w.SHORTAGE_FACTS),
        shortage_then=_shortage(f),
        channels_down=_channels_down(f),
        ending_to=_ending(f),
        expiry_ask_s=_expiry(f),
        doors_outlast_expiry=f.word(["expiry", "doors_under_way"], ("go_on",)) == "go_on",
        personal_per_week=_fatigue(f),
        merge_same_hazard_s=3600 * f.number(["fatigue", "merge_same_hazard_h"], 0, 168),
        door_order=_door_list(f),
        per_team_max=f.whole(["door_list", "per_team_max"], 1, 200),
        print_turn_back=f.flag(["door_list", "print_turn_back_time"]),
        never_reorder=f.flag(["door_list", "never_reorder_begun"]),
        second_knock_s=60 * f.number(["door_list", "second_knock_min"], 1, 240, default=40),
        update_s=_updates(f),
        goals=_goals(f),
        text=text,
    )


def _reviewed(f: PolicySource) -> str:
    given = str(f.at(["policy", "reviewed"]))
    try:
        return date.fromisoformat(given).isoformat()
    except ValueError as wrong:
        raise f.refuse(["policy", "reviewed"], f"give a day like 2026-11-22, not {given!r}", "date", given) from wrong


def _night(f: PolicySource) -> tuple[int, int]:
    given = f.at(["clock", "night"])
    match = _SPAN.fullmatch(str(given))
    if match is None:
        raise f.refuse(["clock", "night"], f"give a span like 21:00-07:00, not {given!r}", "span", given)
    a, b, c, d = (int(x) for x in match.groups())
    if (a, b) == (c, d):
        raise f.refuse(["clock", "night"], "the night must begin and end at different times", "span", given)
    return a * 60 + b, c * 60 + d


def _held(f: PolicySource) -> frozenset[Tier]:
    tiers = f.tiers(["hold", "tiers"])
    if tiers & {Tier.ORANGE, Tier.RED}:
        raise f.refuse(["hold", "tiers"], "orange and red are never held; hold blue and yellow at most", "hold")
    return tiers


def _closing(f: PolicySource, name: str) -> Closing:
    path: Path = ["closed_if", name]
    f.keys(path, ("answers", "by"))
    return Closing(frozenset(f.words([*path, "answers"], w.ANSWERS)), frozenset(f.words([*path, "by"], w.ANSWERERS)))


_HAZARD_KEYS = (
    "respond", "door", "area_sound_at", "sweep", "instead", "after_impact", "evacuate", "first", "deadline",
)  # fmt: skip


def _hazards(f: PolicySource) -> dict[str, Hazard]:
    hazards = f.at(["hazards"])
    if not isinstance(hazards, dict) or "unknown" not in hazards:
        raise f.refuse(["hazards"], "add the hazard 'unknown': a warning may not say what it is", "required")
    found: dict[str, Hazard] = {}
    for name in hazards:
        path: Path = ["hazards", str(name)]
        given = f.keys(path, _HAZARD_KEYS)
        door = f.word([*path, "door"], w.DOOR_RULES, "" if "door" in given else "ask_commander")
        forbidden = door == "forbidden"
        for key in ("instead", "after_impact"):
            if key in given and not forbidden:
                raise f.refuse([*path, key], f"{key} is for hazards with door: forbidden; take it out", "door")
        instead = f.words([*path, "instead"], w.INSTEAD_WORDS, ("fire_service_list",))
        if "fire_service_list" not in instead:
            raise f.refuse([*path, "instead"], "add fire_service_list: a name must not stand nowhere", "door", instead)
        first = f.word([*path, "first"], ("", *map(str, f.at(["groups"]))), "")
        deadline = f.word([*path, "deadline"], ("", "backup_min - travel_min"), "")
        if deadline and not first:
            raise f.refuse([*path, "deadline"], "say for whom: add first: power_medical", "required")
        never = f.word([*path, "evacuate"], ("", "never"), "") == "never"
        respond = f.word([*path, "respond"], w.RESPONSES)
        if never and respond == "evacuate":
            raise f.refuse([*path, "evacuate"], "respond says evacuate and evacuate says never; keep one", "respond")
        sound = f.number([*path, "area_sound_at"], 0, 1440) if "area_sound_at" in given else None
        found[str(name)] = Hazard(
            respond=respond,
            door=door,
            area_sound_s=None if sound is None else 60 * sound,
            sweep=f.word([*path, "sweep"], ("", "forbidden"), "") == "",
            instead=instead,
            door_check_after_impact=f.word([*path, "after_impact"], ("", "door_check"), "") != "",
            never_evacuate=never,
            first=first,
            backup_deadline=bool(deadline),
        )
    return found


_GROUP_KEYS = (
    "personal", "form", "night_adds", "unfit", "household_voice", "door", "door_first", "head_start", "high_support_at",
    "slack_bucket", "alone_if", "first", "escalation",
)  # fmt: skip


def _group(f: PolicySource, name: str) -> Group:
    path: Path = ["groups", name]
    given = f.keys(path, _GROUP_KEYS)
    if not given.get("personal"):
        raise f.refuse(path, "say in which order this group is reached: personal: [...]", "required")
    form, *extras = str(given.get("form", "plain")).split("+")
    f.check([*path, "form"], form, w.FORMS)
    for extra in extras:
        f.check([*path, "form"], extra, w.FORM_EXTRAS)
    alone = given.get("alone_if")
    match = _ALONE.fullmatch(str(alone)) if alone is not None else None
    if alone is not None and match is None:
        raise f.refuse([*path, "alone_if"], "write guardian_silent_5_min, with your minutes", "closed_list", alone)
    if given.get("high_support_at") == "when_alone" and match is None:
        raise f.refuse(
            [*path, "alone_if"], "say when somebody counts as alone: alone_if: guardian_silent_5_min", "required"
        )
    return Group(
        personal=f.words([*path, "personal"], w.CHANNEL_WORDS_ALL),
        form=form,
        extras=tuple(extras),
        night_adds=f.words([*path, "night_adds"], w.CHANNEL_WORDS_ALL, ()),
        unfit=f.words([*path, "unfit"], tuple(w.UNFIT_WORDS), ()),
        household_voice=f.word([*path, "household_voice"], ("", "allowed"), "") != "",
        door=f.word([*path, "door"], w.TEAMS, "officer"),
        door_first=f.flag([*path, "door_first"], False),
        head_start=f.flag([*path, "head_start"], False),
        high_support_at=f.word([*path, "high_support_at"], w.HIGH_SUPPORT, ""),
        slack_bucket=int(f.number([*path, "slack_bucket"], -8, 8, default=0)),
        alone_after_s=60.0 * int(match[1]) if match else None,
        first=f.flag([*path, "first"], False),
        escalation=f.word([*path, "escalation"], ("", "facility"), ""),
    )


def _tier(f: PolicySource, word: str) -> TierRule:
    path: Path = ["tiers", word]
    given = f.keys(path, ("personal", "ack", "steps", "end", "unknown_after_s"), ("steps", "end"))
    rule = TierRule(
        personal=f.word([*path, "personal"], w.PERSONAL, "all"),
        ack=f.word([*path, "ack"], w.ACKS, "none"),
        steps=_steps(f, [*path, "steps"], (*w.AREA_WORDS, *w.PERSON_WORDS)),
        end=f.word([*path, "end"], w.TIER_ENDS),
        unknown_after_s=f.number([*path, "unknown_after_s"], 10, 3600) if "unknown_after_s" in given else None,
    )
    if word in ("orange", "red"):
        if rule.end in ("sent", "officer_contact"):
            raise f.refuse(
                [*path, "end"], "orange and red end closed: sending or asking is no end there", "end", rule.end
            )
        if not any("door" in step.do for step in rule.steps):
            raise f.refuse([*path, "steps"], "add a step with do: [door]: the last channel is a person", "door")
        if rule.ack != "all_registered":
            raise f.refuse([*path, "ack"], "orange and red wait for everybody's answer: ack: all_registered", "ack")
    return rule


_STEP_KEYS = ("at", "every", "if", "do", "mode", "ask", "until")


def _steps(f: PolicySource, path: Path, allowed: Sequence[str]) -> tuple[Step, ...]:
    values = f.at(path)
    if not isinstance(values, list) or not values:
        raise f.refuse(path, f"give a list of steps, not {values!r}", "list", values)
    steps = [_step(f, [*path, n], n, allowed) for n in range(len(values))]
    if any(a.at > b.at for a, b in pairwise(s for s in steps if not s.every)):
        raise f.refuse(path, "the steps must stand in the order of their minutes", "order")
    if any(s.every for s in steps[:-1]):
        raise f.refuse(path, "a step that comes again (every:) stands last", "order")
    return tuple(steps)


def _step(f: PolicySource, here: Path, index: int, allowed: Sequence[str]) -> Step:
    given = f.keys(here, _STEP_KEYS)
    f.word([*here, "mode"], ("parallel",), "parallel")
    asks = f.words([*here, "ask"], w.ASKS, ())
    do = f.words([*here, "do"], allowed, () if asks else None)
    if not do and not asks:
        raise f.refuse([*here, "do"], "say what is done: do: [...]", "required")
    if ("at" in given) == ("every" in given):
        raise f.refuse(here, "give at: or every:, one of them", "required")
    if ("every" not in given) and ("until" in given or asks):
        raise f.refuse(here, "ask and until go with every:", "required")
    before: float | None = None
    every: float | None = None
    at = given.get("at")
    if "every" in given:
        every = 60 * f.number([*here, "every"], 1, 1440)
        minutes = every / 60
    elif isinstance(at, str) and (match := _EARLIER.fullmatch(at)):
        minutes, before = float(match.group(1)), 60 * float(match.group(2))
    elif isinstance(at, str):
        raise f.refuse([*here, "at"], f"give minutes, or 'earlier of 60 and impact-90', not {at!r}", "number", at)
    else:
        minutes = f.number([*here, "at"], 0, 1440)
    name = f"{here[1] if here[0] == 'tiers' else 'facility'}.{index}"
    until = f.word([*here, "until"], ("", *w.UNTILS), "")
    return Step(name, 60 * minutes, do, _condition(f, [*here, "if"], given), before, every, asks, until)


def _condition(f: PolicySource, path: Path, given: Any) -> Condition:
    if "if" not in given:
        return ALWAYS
    try:
        return parse_condition(str(given["if"]))
    except Refused as wrong:
        raise f.refuse(path, wrong.message, wrong.rule, wrong.given) from wrong


def _officials(f: PolicySource) -> OfficialEscalation:
    path = "official_escalation"
    f.keys([path], ("tries", "within_min", "then", "then_door"))
    return OfficialEscalation(
        tries=f.whole([path, "tries"], 1, 10),
        within_s=60 * f.number([path, "within_min"], 1, 60),
        superior=f.word([path, "then"], ("", "superior"), "") != "",
        then_door=f.flag([path, "then_door"], False),
    )


def _shortage(f: PolicySource) -> tuple[str, ...]:
    f.keys(["shortage"], ("if", "rank", "then", "show"))
    f.word(["shortage", "if"], ("doors_needed > doors_possible",))
    f.word(["shortage", "show"], ("names_left_over",))
    then = f.words(["shortage", "then"], w.SHORTAGE_THEN)
    if "fire_service" not in then:
        raise f.refuse(["shortage", "then"], "add fire_service: who is left over must stand on somebody's list", "door")
    return then


def _channels_down(f: PolicySource) -> ChannelsDown:
    path = "channels_down"
    f.keys([path], ("if", "do", "officers_alone_after_min"))
    given = str(f.at([path, "if"]))
    match = _SILENT.fullmatch(given)
    if match is None or int(match[1]) < 1:
        raise f.refuse([path, "if"], "write area_silent_min >= 5, with your minutes", "condition", given)
    alone = f.number([path, "officers_alone_after_min"], 1, 240)
    if alone < int(match[1]):
        raise f.refuse([path, "officers_alone_after_min"], "give at least the minutes of the silence", "number", alone)
    return ChannelsDown(60.0 * int(match[1]), f.words([path, "do"], w.DOWN_DO), 60 * alone)


def _ending(f: PolicySource) -> frozenset[str]:
    f.keys(["ending"], ("kinds", "to", "door_at_night"))
    kinds = f.words(["ending", "kinds"], w.ENDING_KINDS)
    if missing := [k for k in w.ENDING_KINDS if k not in kinds]:
        raise f.refuse(["ending", "kinds"], f"add {', '.join(missing)}: a warning may have to end so", "required")
    f.word(["ending", "door_at_night"], ("never",))
    to = f.words(["ending", "to"], w.ENDING_TO)
    if "all_attempted" not in to:
        raise f.refuse(["ending", "to"], "add all_attempted: who got the warning must hear its end", "required")
    return frozenset(to)


def _expiry(f: PolicySource) -> tuple[float, ...]:
    f.keys(["expiry"], ("orange_and_red", "ask_before_min", "doors_under_way"))
    f.word(["expiry", "orange_and_red"], ("ask_duty_officer",))
    path: Path = ["expiry", "ask_before_min"]
    values = f.at(path)
    if not isinstance(values, list) or not values:
        raise f.refuse(path, "give minutes in [ ], like [30, 10]", "list", values)
    return tuple(60 * f.number([*path, n], 1, 1440) for n in range(len(values)))


def _fatigue(f: PolicySource) -> dict[Tier, int]:
    f.keys(["fatigue"], ("personal_per_week", "merge_same_hazard_h"))
    given = f.keys(["fatigue", "personal_per_week"], ("blue", "yellow"))
    return {Tier.of(word): f.whole(["fatigue", "personal_per_week", word], 1, 100) for word in given}


def _door_list(f: PolicySource) -> tuple[str, ...]:
    path = "door_list"
    f.keys(
        [path],
        ("order", "per_team_max", "team", "print_turn_back_time", "never_reorder_begun", "second_knock_min"),
    )
    if f.whole([path, "team"], 1, 4) < 2:
        raise f.refuse([path, "team"], "nobody goes to a door alone: 2 or more", "team", 1)
    return f.words([path, "order"], w.DOOR_ORDER)


def _updates(f: PolicySource) -> dict[Tier, float]:
    f.keys(["updates"], ("red_min", "orange_min"), ("red_min", "orange_min"))
    return {
        Tier.RED: 60 * f.number(["updates", "red_min"], 1, 1440),
        Tier.ORANGE: 60 * f.number(["updates", "orange_min"], 1, 1440),
    }


def _goals(f: PolicySource) -> Goals:
    f.keys(["goals"], ("before_impact", "worst_group_t90_over_general"))
    before: Path = ["goals", "before_impact"]
    f.keys(before, ("facilities_spoken_10_min", "cannot_leave_moving_15_min_before"))
    return Goals(
        f.number([*before, "facilities_spoken_10_min"], 0, 1),
        f.number([*before, "cannot_leave_moving_15_min_before"], 0, 1),
        f.number(["goals", "worst_group_t90_over_general"], 1, 10),
    )
