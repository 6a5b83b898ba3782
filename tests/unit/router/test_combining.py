"""What a person with several needs gets, case by case: team, form, refusals, the order of their channels."""

from __future__ import annotations

import pytest

from services.router.explaining.explain import CHANNELS
from services.router.explaining.explain import WORKING as ALL
from services.router.explaining.foresee import made_up_warning
from services.router.planning.walk import area_acts
from services.shared.messages import Profile
from services.shared.tiers import Tier
from tests.unit.router.test_steps import POLICY, climb, context, person

WORKING = dict.fromkeys(CHANNELS, "")


def profile(
    *groups: str, channels: tuple[str, ...] = ("sms", "voice_mobile"), refused: tuple[str, ...] = ()
) -> Profile:
    return Profile("p", "resident", groups, (), "en", channels, left_out=tuple((kind, "said_no") for kind in refused))


@pytest.mark.parametrize(
    ("groups", "team"),
    [
        (("other_language", "deaf_signing"), "officer+phrase_card+sign_volunteer"),
        (("deaf_signing", "mobility"), "lift_team+sign_volunteer"),
        (("mobility", "deaf_signing"), "lift_team+sign_volunteer"),
        (("deafblind", "mobility"), "lift_team+tactile_interpreter"),
        (("deaf_text", "mobility"), "lift_team+written_card"),
        (("cognitive", "mobility"), "lift_team+known_officer"),
        (("minor", "mobility"), "lift_team"),
        (("blind", "other_language"), "officer+phrase_card+guide"),
        (("mobility", "power_medical"), "lift_team+nurse_or_lift"),
        (("facility", "deaf_signing", "mobility"), "liaison_team+lift_team+sign_volunteer"),
        (("older_alone",), "officer"),
    ],
)
def test_the_heaviest_team_comes_and_brings_the_skills_of_all_her_needs(groups: tuple[str, ...], team: str) -> None:
    """Whatever the order in which the needs stand: who lifts a deafblind person can also tell them so."""
    assert team == POLICY.plan(profile(*groups), Tier.RED, "flash_flood", False, WORKING).team


@pytest.mark.parametrize(
    ("groups", "form"),
    [
        (("low_vision", "cognitive"), "easy_read"),
        (("deaf_text", "older_alone"), "short_plain"),
        (("older_alone", "low_vision"), "slow_spoken"),
        (("other_language", "blind"), "spoken"),
        (("general",), "plain"),
    ],
)
def test_the_form_is_the_one_that_most_can_do_with(groups: tuple[str, ...], form: str) -> None:
    """The first of the one fixed list that any of their needs asks for."""
    plan = POLICY.plan(profile(*groups), Tier.RED, "flash_flood", False, WORKING)
    assert form == plan.form.partition("+")[0]


@pytest.mark.parametrize(
    ("flags", "channels", "driver", "spared"),
    [
        (("deaf", "bed_shaker"), ("sms", "email", "bed_shaker"), "", True),
        (("deaf", "bed_shaker"), ("sms", "email", "bed_shaker"), "not_configured", False),
        (("deaf", "bed_shaker"), ("sms", "email"), "", False),  # theirs hangs on their telephone, not on us
        (("deaf",), ("sms", "email", "bed_shaker"), "", False),
        (
            ("deaf", "bed_shaker"),
            ("sms", "bed_shaker"),
            "",
            False,
        ),  # it wakes and says nothing: one channel they are told by
    ],
)
def test_a_bed_shaker_spares_the_door_at_night_only_where_it_is_ours_and_tells_nobody_anything(
    flags: tuple[str, ...], channels: tuple[str, ...], driver: str, spared: bool
) -> None:
    """And beside it two other channels are needed, as for everybody."""
    who = Profile("p", "resident", ("deaf_text",), flags, "en", channels)
    plan = POLICY.plan(who, Tier.RED, "flash_flood", True, WORKING | {"bed_shaker": driver})
    assert ("bed_shaker" in [use.channel for use in plan.channels]) is (driver == "" and "bed_shaker" in channels)
    assert len([r for r in channels if r != "bed_shaker"]) == plan.usable
    assert spared is not ("no_bed_shaker" in plan.facts or plan.usable < 2)


def test_what_she_refused_is_not_used_and_her_refusal_is_the_reason_that_is_given() -> None:
    """Not that they have no such number: they have, and said no."""
    plan = POLICY.plan(
        profile("general", channels=("sms",), refused=("voice_mobile",)), Tier.RED, "flash_flood", False, WORKING
    )
    assert ["sms"] == [use.channel for use in plan.channels]
    assert "said_no" == dict(plan.left_out)["voice_mobile"]


def test_the_next_channel_is_the_next_in_her_order() -> None:
    """Of two that were not tried, the one before the other."""
    four = climb(
        context(Tier.ORANGE), person("sms", "voice_mobile", "voice_landline", "email", groups=("general",)), 10
    )
    assert [(0.0, "sms"), (0.0, "voice_mobile"), (10.0, "voice_landline")] == [(at, channel) for at, channel, _ in four]


@pytest.mark.parametrize(
    ("hazard", "sweep", "channels"),
    [
        ("storm", "", ALL),
        ("toxic_release", "hazard_forbids", ALL),
        ("storm", "no_driver", {channel: why for channel, why in ALL.items() if channel != "sweep"}),
        ("storm", "link_test", ALL | {"sweep": "link_test"}),
    ],
)
def test_what_goes_to_the_whole_area(hazard: str, sweep: str, channels: dict[str, str]) -> None:
    """The tier's words, whoever lives there; a street is swept after half an hour, where people may be sent and it can be."""
    done = area_acts(made_up_warning(POLICY, Tier.RED, hazard, 720, channels))
    assert ["broadcast", "cell_broadcast", "area_sound", "street_sweep"] == [act.word for act in done]
    assert [0, 0, 0, 30] == [(act.at - 720 * 60) / 60 for act in done]
    assert ["", "", "", sweep] == [act.left_out for act in done]
