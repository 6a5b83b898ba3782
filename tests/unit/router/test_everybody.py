"""What holds for every one of the people in `people/`, whatever the hazard, the tier, the hour and the lead.

The files say what becomes of one of them in one case. Here stands what must never be otherwise: whoever adds a hazard or changes
the policy hears of the first person it fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from services.commands.example_people import example
from services.router.explaining.explain import WORKING
from services.router.explaining.foresee import (
    ON_SHIFT,
    Foreseen,
    ForeseenAct,
    foresee,
    made_up_person,
    made_up_warning,
)
from services.router.planning.rows import rank
from services.router.planning.walk import area_acts, climb
from services.shared.hazards import known
from services.shared.messages import Profile
from services.shared.tiers import Tier
from tests.kit.examples import QUICK
from tests.unit.router.test_people import FILES
from tests.unit.router.test_steps import POLICY

EVERYBODY: dict[str, Profile] = {name: example(one["is"]) for name, one in FILES.items()}
_HAZARDS = (
    "flash_flood", "river_flood", "toxic_release", "gas_leak", "heat", "power_cut", "wildfire", "tsunami", "earthquake",
    "storm_surge", "epidemic", "storm", "public_security",
)  # fmt: skip
HAZARDS = _HAZARDS[::2] if QUICK else _HAZARDS
LEADS: tuple[float, ...] = (10, 60, 170) if QUICK else (10, 30, 60, 90, 170)
URGENT = (Tier.ORANGE, Tier.RED)
DAY, NIGHT = 12 * 60, 2 * 60 + 30
FORBIDDEN = tuple(name for name in HAZARDS if POLICY.door_rule(name) == "forbidden")
WAKES = ("voice_mobile", "voice_landline", "bed_shaker", "supporter", "door", "fire_service_list")
INSTEAD_OF_A_DOOR = {"supporter", "supporter_voice", "officer_sms"}


@cache
def fate(name: str, hazard: str, tier: Tier, hour: int, lead: float | None) -> Foreseen:
    """What becomes of one of them if nobody answers."""
    ctx = made_up_warning(POLICY, tier, hazard, hour, WORKING, impact_min=lead)
    return foresee(ctx, EVERYBODY[name], ())


def acts_of(seen: Foreseen) -> Iterator[ForeseenAct]:
    return (act for act in seen.acts if act.to != "area")


def first_of(seen: Foreseen) -> dict[str, float]:
    """Channel > the minute it is first tried."""
    found: dict[str, float] = {}
    for act in acts_of(seen):
        found[act.channel] = min(act.minute, found.get(act.channel, act.minute))
    return found


def someone_goes(profile: Profile) -> bool:
    """Not to a house in which nobody is, and not to who is away and told where they are."""
    return not {"away", "empty_by_night", "empty_by_day"} & set(profile.flags)


@pytest.mark.parametrize("hazard", HAZARDS)
def test_nobody_is_without_a_path_in_red(hazard: str) -> None:
    """At the first minute, by day and by night, however short the time; and whoever no channel of theirs reaches has a door, or
    where nobody may go the fire service and a person who calls."""
    for name, profile in EVERYBODY.items():
        for hour in (DAY, NIGHT):
            for lead in (None, *LEADS):
                for tier in URGENT:
                    seen = fate(name, hazard, tier, hour, lead)
                    at_once = {act.channel for act in acts_of(seen) if act.minute == 0}
                    assert seen.plan.asked, (name, tier, hour, lead)
                    assert at_once, (name, tier, hour, lead)
                    if seen.plan.usable or not someone_goes(profile):
                        continue
                    if hazard in FORBIDDEN:
                        assert "fire_service_list" in at_once, (name, tier, hour, lead)
                        assert at_once & INSTEAD_OF_A_DOOR, (name, tier, hour, lead)
                    else:
                        assert at_once & {"door", "fire_service_list"}, (name, tier, hour, lead)


@pytest.mark.parametrize("hazard", HAZARDS)
def test_too_few_channels_bring_a_door_at_once_but_for_a_telephone_that_rings_where_nobody_flees(hazard: str) -> None:
    """Two channels are known to reach them, or somebody goes; at night in heat and cold a call comes before a knock."""
    for name, profile in EVERYBODY.items():
        for hour in (DAY, NIGHT):
            for tier in URGENT:
                seen = fate(name, hazard, tier, hour, 60)
                if seen.plan.usable >= 2 or not someone_goes(profile) or "facility" in profile.groups:
                    continue  # a house answers for those who live there
                goes = min(first_of(seen).get(word, 999) for word in ("door", "fire_service_list"))
                if goes:
                    assert (POLICY.respond(hazard, ""), hour) == ("check_on", NIGHT), (name, tier, hour)
                    assert {"voice_mobile", "voice_landline"} & set(first_of(seen)), (name, tier, hour)
                    assert goes <= (6 if tier is Tier.RED else 60), (name, tier, hour)


@pytest.mark.parametrize("hazard", FORBIDDEN)
def test_nobody_is_sent_to_a_door_that_the_hazard_forbids(hazard: str) -> None:
    """Not an officer, not a helper from outside: those are told to phone and to stay away."""
    for name, profile in EVERYBODY.items():
        for tier in Tier:
            for hour in (DAY, NIGHT):
                assert "door" not in first_of(fate(name, hazard, tier, hour, 30)), (name, tier, hour)
        ctx = made_up_warning(POLICY, Tier.RED, hazard, NIGHT, WORKING, impact_min=30)
        ctx.workers = ON_SHIFT
        rows = [r for _, _, acts in climb(ctx, made_up_person(profile), 1e9) for a in acts for r in a.rows]
        asked = {r.form for r in rows if r.addressee_kind in ("supporter", "worker")}
        assert not asked & {"helper", "officer"}, (name, asked)


@pytest.mark.parametrize("hazard", HAZARDS)
def test_a_longer_lead_takes_no_path_away_and_a_shorter_one_puts_none_off(hazard: str) -> None:
    """Each lead has its own order: the shorter it is the earlier each step, and none is left out."""
    for name in EVERYBODY:
        for tier in URGENT:
            for hour in (DAY, NIGHT):
                before = first_of(fate(name, hazard, tier, hour, LEADS[0]))
                for lead in (*LEADS[1:], None):
                    after = first_of(fate(name, hazard, tier, hour, lead))
                    assert before.keys() <= after.keys(), (name, tier, hour, lead)
                    late = [channel for channel in before if before[channel] > after[channel]]
                    assert not late, (name, tier, hour, lead, late)
                    before = after


@pytest.mark.parametrize("hazard", HAZARDS)
def test_night_takes_no_path_away_that_wakes(hazard: str) -> None:
    """Night adds and never replaces: who is called, shaken, visited by day is by night."""
    for name, profile in EVERYBODY.items():
        if not someone_goes(profile):
            continue
        for tier in URGENT:
            for lead in (10, 170, None):
                day, night = (first_of(fate(name, hazard, tier, hour, lead)) for hour in (DAY, NIGHT))
                assert {c for c in day if c in WAKES} <= night.keys(), (name, tier, lead)


@pytest.mark.parametrize("hazard", HAZARDS)
def test_a_higher_tier_reaches_whom_a_lower_one_reaches(hazard: str) -> None:
    """By every channel, and by none of them later, where neither waits for the morning."""
    for name in EVERYBODY:
        for lead in (10, 60, None):
            before = first_of(fate(name, hazard, Tier.YELLOW, DAY, lead))
            for tier in URGENT:
                after = first_of(fate(name, hazard, tier, DAY, lead))
                # a deadline is a door of its own at every tier; an officer who is asked to contact is spared by one who goes
                missing = before.keys() - after.keys() - {"officer_sms"}
                assert not missing, (name, tier, lead, missing)
                late = [c for c in before.keys() & after.keys() if before[c] < after[c]]
                assert not late, (name, tier, lead, late)
                before = after


@pytest.mark.parametrize("hazard", HAZARDS)
def test_nobody_is_reached_by_what_they_refused(hazard: str) -> None:
    """What they said no to, what has said STOP, a machine's call to whom it does not fit."""
    for name, profile in EVERYBODY.items():
        no = {kind for kind, why in profile.left_out if why in ("said_no", "stopped")} - set(profile.unverified)
        for tier in Tier:
            for hour in (DAY, NIGHT):
                seen = fate(name, hazard, tier, hour, 60)
                unfit = {channel for channel, why in seen.plan.left_out if why == "unfit"}
                assert not first_of(seen).keys() & (no | unfit), (name, tier, hour)


def test_nobody_waits_at_night_for_what_is_deadly_by_the_morning() -> None:
    """Whoever lives by a machine is told of a power cut at once, unless its battery outlasts the night; a danger that begins
    before the morning is told to all it is for."""
    for name, profile in EVERYBODY.items():
        lasts = [int(f.removeprefix("backup_")) for f in profile.flags if f.removeprefix("backup_").isdigit()]
        seen = fate(name, "power_cut", Tier.YELLOW, NIGHT, None)
        if "power_medical" in profile.groups:
            outlasts = bool(lasts) and lasts[0] - 60 >= 270
            assert outlasts is (seen.held_min > 0), name
        for hazard in HAZARDS:
            assert 0 == fate(name, hazard, Tier.YELLOW, NIGHT, 90).held_min, (name, hazard)
            for tier in URGENT:
                assert 0 == fate(name, hazard, tier, NIGHT, None).held_min, (name, hazard, tier)


def test_nothing_but_a_knock_wakes_who_does_not_hear() -> None:
    """At night in red, without a shaker that a warning reaches, somebody goes at once; where nobody may, the name is given."""
    for name, profile in EVERYBODY.items():
        if "deaf" not in profile.flags or not someone_goes(profile):
            continue
        for hazard in HAZARDS:
            seen = fate(name, hazard, Tier.RED, NIGHT, 60)
            first = first_of(seen)
            shaken = "bed_shaker" in profile.channels and hazard != "power_cut"
            goes = first.get("fire_service_list" if hazard in FORBIDDEN else "door", 999)
            assert goes <= (5 if shaken else 0), (name, hazard)
            if shaken:
                assert 0 == first["bed_shaker"], (name, hazard)


def test_who_has_no_road_and_who_cannot_leave_come_before_who_is_told_and_walks() -> None:
    """Where teams are too few: a house of many, who has no channel, who cannot leave, and last who needs nothing."""
    found: dict[str, int] = {}
    for name, profile in EVERYBODY.items():
        plan = fate(name, "flash_flood", Tier.RED, NIGHT, 60).plan
        found[name] = rank(POLICY, plan, profile, urgent=False)
    for before, after in (
        ("deaf_signer_with_sms_alone", "wheelchair_sixth_floor_with_lift"),
        ("deaf_signer_with_sms_alone", "deaf_signer_with_a_shaker"),
        ("deafblind_daughter_far_away", "deaf_signer_with_sms_alone"),
        ("nursing_home", "old_alone_without_a_phone"), ("old_alone_without_a_phone", "wheelchair_sixth_floor_with_lift"),
        ("sleeps_under_a_bridge", "bedridden_wife_at_home"), ("bedridden_wife_at_home", "learning_disability_mother_near"),
        ("learning_disability_mother_near", "family_in_a_basement"), ("family_in_a_basement", "low_vision_with_a_mobile"),
        ("cannot_open_the_door", "mailbox_alone"), ("needs_care_wife_at_home", "adult_with_a_landline"),
    ):  # fmt: skip
        assert found[before] < found[after], (before, after, found[before], found[after])


def test_every_hazard_there_is_gives_everybody_a_path_in_red() -> None:
    """A hazard that somebody adds is one of them from that day."""
    for hazard in known():
        for name in EVERYBODY:
            assert any(acts_of(fate(name, hazard, Tier.RED, NIGHT, None))), (name, hazard)
        sounds = {
            act.word for act in area_acts(made_up_warning(POLICY, Tier.RED, hazard, NIGHT, WORKING)) if not act.left_out
        }
        assert "broadcast" in sounds, hazard
