"""The policy: what it promises each person, over all tiers, hazards, hours and generated needs; and what it refuses."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.router.explaining.explain import WORKING
from services.router.explaining.foresee import foresee, made_up_warning
from services.router.planning.contexts import SHIPPED
from services.router.policy.conditions import PREDICATES, parse_condition
from services.router.policy.engine import Policy, read
from services.router.policy.vocabulary import UNFIT_WORDS
from services.shared.errors import Refused
from services.shared.messages import Profile
from services.shared.tiers import Tier
from tests.kit.examples import drawn

POLICY = read(SHIPPED.read_text(encoding="utf-8"))
KINDS = ("sms", "voice_mobile", "voice_landline", "email")
HAZARDS = tuple(POLICY.hazards)
URGENT = (Tier.ORANGE, Tier.RED)
NOON, NIGHT = 12 * 60, 2 * 60

profiles = st.builds(
    lambda kind, groups, flags, order, left, own, supporters: Profile(
        key="k",
        kind=kind,
        groups=tuple(groups) or ("general",),
        flags=tuple(flags),
        language="en",
        channels=tuple(k for k in order if k not in left),
        left_out=tuple((k, "said_no") for k in left),
        own_order=own,
        supporters=tuple(supporters),
    ),
    st.sampled_from(("resident", "subscriber")),
    st.lists(st.sampled_from([g for g in POLICY.groups if g != "facility"]), unique=True, max_size=4),
    st.lists(
        st.sampled_from(("high_support", "cannot_leave", "cannot_judge", "deaf", "bed_shaker", "alone", "opt_in_blue")),
        unique=True,
    ),
    st.permutations(KINDS).flatmap(lambda p: st.integers(0, 4).map(lambda n: p[:n])),
    st.lists(st.sampled_from(KINDS), unique=True, max_size=2),
    st.booleans(),
    st.lists(st.tuples(st.just("sms"), st.booleans()), max_size=2),
)
plans = st.tuples(profiles, st.sampled_from(Tier), st.sampled_from(HAZARDS), st.booleans())


OTHERS = ("supporter", "officer")  # kinds of a channel that goes to somebody else


@settings(max_examples=drawn(400), deadline=None)
@given(plans)
def test_no_channel_she_refused_or_that_has_no_driver(case: tuple[Profile, Tier, str, bool]) -> None:
    """Every channel used goes to a contact they have, that they did not refuse, over a driver that works."""
    profile, tier, hazard, night = case
    channels = {k: v for k, v in WORKING.items() if k != "email"} | {"voice_landline": "not_configured"}
    plan = POLICY.plan(profile, tier, hazard, night, channels)
    refused = {kind for kind, _ in profile.left_out}
    for use in plan.channels:
        if use.kind in OTHERS:
            continue
        assert use.kind in profile.channels
        assert use.kind not in refused
        assert channels[use.channel] == ""
    assert len({use.kind for use in plan.channels}) == len(plan.channels)
    assert plan.supporter is bool(profile.supporters)
    for channel, why in plan.left_out:
        assert why, channel


@settings(max_examples=drawn(400), deadline=None)
@given(plans)
def test_an_unfit_channel_is_used_only_if_she_asked_for_it(case: tuple[Profile, Tier, str, bool]) -> None:
    """No robot call to somebody who cannot hear or follow it, unless they want it."""
    profile, tier, hazard, night = case
    plan = POLICY.plan(profile, tier, hazard, night, WORKING)
    unfit = {kind for g in profile.groups for word in POLICY.groups[g].unfit for kind in UNFIT_WORDS[word]}
    assert not {use.kind for use in plan.channels} & unfit


@settings(max_examples=drawn(600), deadline=None)
@given(plans)
def test_fewer_than_two_channels_means_a_door_at_0(case: tuple[Profile, Tier, str, bool]) -> None:
    """In orange and red nobody has fewer than two usable channels without a door at 0 or the fire service's list."""
    profile, tier, hazard, night = case
    plan = POLICY.plan(profile, tier, hazard, night, WORKING)
    own = [use for use in plan.channels if use.kind not in (*OTHERS, "bed_shaker")]
    usable = len(own) + (1 if any(out for _, out in profile.supporters) else 0)
    assert usable == plan.usable
    if tier in URGENT and usable < 2:
        assert plan.door_applies
        seen = foresee(made_up_warning(POLICY, tier, hazard, NIGHT if night else NOON, WORKING), profile)
        assert 0.0 == seen.door_minute()
    if profile.kind == "subscriber" and usable >= 2:
        assert not plan.door_applies


@settings(max_examples=drawn(400), deadline=None)
@given(plans, st.sampled_from(("", "allowed", "unsafe")))
def test_never_a_door_where_people_may_not_be_sent(case: tuple[Profile, Tier, str, bool], word: str) -> None:
    """Where the hazard forbids it, the commander says unsafe, or they live on a boat, the fire service's list is all there is."""
    profile, tier, hazard, night = case
    seen = foresee(made_up_warning(POLICY, tier, hazard, NIGHT if night else NOON, WORKING, doors=word), profile)
    if POLICY.hazards[hazard].door == "forbidden" or word == "unsafe" or "boat" in profile.groups:
        assert "door" not in seen.channels()
    else:
        assert "fire_service_list" not in seen.channels()


@settings(max_examples=drawn(300), deadline=None)
@given(profiles, st.sampled_from(HAZARDS), st.integers(0, 1439), st.none() | st.integers(1, 300))
def test_by_each_minute_red_has_tried_every_channel_of_orange(
    profile: Profile, hazard: str, at: int, impact: int | None
) -> None:
    """A door counts for an officer who is asked to contact, the fire service's list for a door that is forbidden."""
    seen = {t: foresee(made_up_warning(POLICY, t, hazard, at, WORKING, impact_min=impact), profile) for t in URGENT}
    for act in seen[Tier.ORANGE].acts:
        red = {a.channel for a in seen[Tier.RED].acts if a.minute <= act.minute}
        if red & {"door", "fire_service_list"}:
            red |= {"officer_sms", "superior", "door", "fire_service_list"}
        assert act.channel in red, f"{act.channel} at {act.minute}"


@settings(max_examples=drawn(300), deadline=None)
@given(profiles, st.sampled_from(HAZARDS), st.integers(0, 1439), st.none() | st.integers(1, 300))
def test_everybody_with_a_need_or_few_channels_in_orange_and_red_has_a_last_channel_that_is_a_person(
    profile: Profile, hazard: str, at: int, impact: int | None
) -> None:
    """If nobody answers, a door or a name on the fire service's list comes to every resident, within the hour; of those without
    a need to whoever has fewer than two usable channels."""
    for tier in URGENT:
        ctx = made_up_warning(POLICY, tier, hazard, at, WORKING, impact_min=impact)
        seen = foresee(ctx, profile)
        minute = seen.door_minute()
        if profile.kind == "subscriber" and seen.plan.usable >= 2:
            assert minute is None
        else:
            assert minute is not None
            assert minute <= (15 if tier == Tier.RED else 60)


@settings(max_examples=drawn(200), deadline=None)
@given(profiles)
def test_her_own_order_comes_first(profile: Profile) -> None:
    """Who gave an order of channels is tried in that order."""
    plan = POLICY.plan(profile, Tier.RED, "flash_flood", False, WORKING)
    used = [use.kind for use in plan.channels if use.kind not in OTHERS]
    if profile.own_order:
        assert [k for k in profile.channels if k in used] == used


@pytest.mark.parametrize(("group", "closing_flags"), [("deafblind", "cannot_judge"), ("mobility", "cannot_leave")])
def test_heard_is_no_end(group: str, closing_flags: str) -> None:
    """Pressing 1 does not close the path of somebody who cannot leave or judge alone; help closes nobody's."""
    for answer, by in itertools.product(("leaving", "help"), ("person", "supporter")):
        assert not POLICY.closes(closing_flags, answer, by), (group, answer, by)
    assert POLICY.closes(closing_flags, "moving", "officer")
    for closing in POLICY.closed_if.classes:
        assert not any(POLICY.closes(closing, "help", by) for by in ("person", "supporter", "officer"))


@pytest.mark.parametrize(
    ("local", "night"), [("20:59", False), ("21:00", True), ("00:00", True), ("06:59", True), ("07:00", False)]
)
def test_night_has_no_hole(local: str, night: bool) -> None:
    """21:00 to 07:00 local time is night, the rest is day, in any zone."""
    minutes = int(local[:2]) * 60 + int(local[3:])
    for offset in (-480, 0, 330, 480):
        when = (minutes - offset) * 60.0 + 86400 * 20_000
        assert night is POLICY.is_night(when, offset)
        if night:
            morning = POLICY.morning(when, offset)
            assert 7 * 60 == int(morning // 60 + offset) % 1440
            assert 0 < morning - when <= 10 * 3600


def test_held_at_night_and_not_when_it_is_urgent() -> None:
    """Only blue and yellow wait for the morning."""
    assert {Tier.BLUE, Tier.YELLOW} == set(POLICY.hold.tiers)


FAULTS = [
    ("personal: [sms, voice], form: plain}", "personal: [sms, telepathy], form: plain}", "telepathy"),
    ("combine:\n", "hazards: {storm: {respond: as_told, door: perhaps}}\ncombine:\n", "perhaps"),
    ("if: open & high_support, do: [officer_contact]", "if: open & tired, do: [officer_contact]", "tired"),
    ("if: open & high_support, do: [officer_contact]", "if: __import__('os'), do: [officer_contact]", "only words"),
    ("{at: 60, if: not_delivered_or_unknown", "{at: 600, if: not_delivered_or_unknown", "order of their minutes"),
    ("door: lift_team", "door: helicopter", "helicopter"),
    ("policy: {id: default", "polizei: {id: default", "polizei"),
    ("night: \"21:00-07:00\"", "night: late", "21:00-07:00"),
    ("by: [person, supporter, officer]}\n  cannot_judge", "by: [neighbour]}\n  cannot_judge", "neighbour"),
    ("combine:\n", "hazards: {boredom: {respond: as_told}}\ncombine:\n", "'boredom' is not on the list; use toxic_release"),
    ("tries: 3", "tries: many", "number"),
    ("clock:", "clock: [", "line"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), FAULTS, ids=[said for _, _, said in FAULTS])
def test_a_fault_is_named_with_its_line(old: str, new: str, said: str) -> None:
    """What the file may not say is refused with line, rule and remedy; nothing of it is ever run."""
    text = SHIPPED.read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(Refused) as refused:
        read(text.replace(old, new, 1))
    assert said in refused.value.message
    assert "line " in refused.value.message
    assert refused.value.rule


@settings(max_examples=drawn(300), deadline=None)
@given(st.sets(st.sampled_from(PREDICATES)), st.lists(st.sampled_from(PREDICATES), min_size=3, max_size=3))
def test_conditions_mean_what_they_say(facts: set[str], words: list[str]) -> None:
    """& binds tighter than |; parentheses win."""
    a, b, c = words
    assert ((a in facts and b in facts) or c in facts) is parse_condition(f"{a} & {b} | {c}").holds(facts)
    assert (a in facts and (b in facts or c in facts)) is parse_condition(f"{a} & ({b} | {c})").holds(facts)


def test_a_policy_of_one_channel_still_reaches_the_door() -> None:
    """With SMS alone working, everybody with needs in red has a door at 0 or two channels."""
    channels = {"sms": "", "supporter_sms": "", "door": "", "fire_service_list": "", "officer_sms": ""}
    for group in POLICY.groups:
        profile = Profile("k", "resident", (group,), (), "en", ("sms", "voice_mobile"))
        plan = POLICY.plan(profile, Tier.RED, "flash_flood", False, channels)
        assert plan.door_at_0 or plan.usable >= 2, group
        if "voice_mobile" in dict(plan.left_out):
            assert dict(plan.left_out)["voice_mobile"] in ("no_driver", "unfit"), group


def test_the_shipped_policy_is_whole() -> None:
    """All four tiers, the 23 groups, and a rule for a hazard nobody named."""
    policy: Policy = POLICY
    assert all(policy.steps_of(tier) for tier in Tier)
    assert 23 == len(policy.groups)
    assert "ask" == policy.door_rule("a hazard nobody has heard of")
