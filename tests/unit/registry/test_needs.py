"""Groups, flags, channels and profiles derived from a person as given."""

from __future__ import annotations

import itertools
from pathlib import Path

import pydantic
import pytest
import yaml

from services.registry.model.facilities import FacilityIn, WorkerIn, facility_profile, on_shift
from services.registry.model.given import NEEDS, WG, ContactIn, PersonIn, SupporterIn, mobile
from services.registry.model.needs import GROUPS, flags, groups, profile
from services.shared.bus.outbox import id_of

YEAR = 2026
PHONE = mobile("+8613800138000")
LANDLINE = ContactIn(kind="voice_landline", address="+862885551234")


def person(**facts: object) -> PersonIn:
    """Somebody with a mobile and no needs, but for what the test gives."""
    given: dict[str, object] = {"person_id": id_of("p"), "lat": 30, "lon": 103, "contacts": PHONE}
    return PersonIn.model_validate(given | facts)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, ("general",)),
        ({"wg": {"hear": 4}, "sign_lang": "csl"}, ("deaf_signing",)),
        ({"wg": {"hear": 3}, "modes": ("sign",)}, ("deaf_signing",)),
        ({"wg": {"hear": 4}}, ("deaf_text",)),
        ({"wg": {"hear": 3}, "modes": ("plain_text",)}, ("deaf_text",)),
        ({"wg": {"hear": 3}}, ("hard_of_hearing",)),
        ({"wg": {"hear": 3}, "modes": ("plain_text", "spoken")}, ("hard_of_hearing",)),
        ({"wg": {"hear": 2}}, ("general",)),
        ({"wg": {"see": 4}}, ("blind",)),
        ({"wg": {"see": 3}}, ("low_vision",)),
        ({"wg": {"see": 3, "hear": 3}}, ("deafblind",)),
        ({"wg": {"see": 4, "hear": 4}, "sign_lang": "csl"}, ("deafblind",)),
        ({"wg": {"walk": 3}}, ("mobility",)),
        ({"moves": "walks_with_aid"}, ("mobility",)),
        ({"carriers_needed": 2}, ("mobility",)),
        ({"wg": {"walk": 2}, "lift": True, "floor": 6}, ("lift_dependent",)),
        ({"wg": {"walk": 3}, "lift": True, "floor": 6}, ("mobility", "lift_dependent")),
        ({"wg": {"walk": 1}, "lift": True, "floor": 6}, ("general",)),
        ({"wg": {"cognition": 3}}, ("cognitive",)),
        ({"psychosocial": True}, ("psychosocial",)),
        ({"wg": {"communicate": 4}}, ("speech",)),
        ({"birth_year": 1956, "lives_alone": True}, ("older_alone",)),
        ({"birth_year": 1957, "lives_alone": True}, ("general",)),
        ({"birth_year": 1940, "only_older_at_home": True}, ("older_only_home",)),
        ({"birth_year": 1951}, ("older_not_alone",)),
        ({"birth_year": 1952}, ("general",)),
        ({"birth_year": 1940, "facility_id": "a" * 32}, ("facility",)),
        ({"boat": True}, ("boat",)),
        ({"quarantine": True}, ("general",)),
        ({"contacts": ()}, ("no_phone",)),
        ({"contacts": (ContactIn(kind="bed_shaker", address="bed-17"),)}, ("no_phone",)),  # it tells them nothing
        ({"contacts": (), "facility_id": "a" * 32}, ("facility",)),
        ({"power_device": "oxygen"}, ("power_medical",)),
        ({"pregnancy_or_newborn": True}, ("newborn_or_late_pregnancy",)),
        ({"basement": True}, ("basement",)),
        ({"floor": -1}, ("basement",)),
        ({"languages": ("ug",)}, ("other_language",)),
        ({"languages": ("ug", "zh-Hans")}, ("general",)),
        ({"birth_year": 2012}, ("minor",)),
        ({"wg": {"see": 9, "hear": 9, "walk": 9}}, ("general",)),
    ],
)
def test_groups(facts, expected):
    """Each rule by itself; 9 (not known) makes no group."""
    assert expected == groups(person(**facts), YEAR)


def test_groups_are_those_of_the_policy_that_ships():
    """The names and their order are the policy file's; a group without a rule there would have no channel."""
    shipped = Path(__file__).resolve().parents[3] / "services" / "router" / "policy" / "policy.yaml"
    assert list(GROUPS) == list(yaml.safe_load(shipped.read_text(encoding="utf-8"))["groups"])


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, ()),
        ({"wg": {"see": 4, "hear": 4}}, ("cannot_judge", "deaf", "door_first", "high_support")),
        ({"wg": {"cognition": 4}}, ("cannot_judge", "high_support")),
        ({"wg": {"hear": 4}, "night_alert": "bed_shaker"}, ("bed_shaker", "deaf")),
        ({"wg": {"hear": 3}}, ()),
        ({"power_device": "ventilator"}, ("cannot_leave", "high_support")),
        ({"moves": "wheelchair"}, ("cannot_leave",)),
        ({"moves": "wheelchair", "own_transport": True}, ()),
        ({"moves": "wheelchair", "own_transport": True, "basement": True}, ("cannot_leave",)),
        ({"moves": "wheelchair", "own_transport": True, "floor": 2}, ("cannot_leave",)),
        ({"status": "away"}, ("away",)),
        ({"moves": "stretcher", "own_transport": True}, ("cannot_leave",)),
        ({"carriers_needed": 2, "own_transport": True}, ("cannot_leave", "high_support")),
        ({"moves": "walks_with_aid"}, ()),
        ({"cannot_open_door": True}, ("high_support",)),
        ({"contacts": ()}, ("door_first", "high_support")),
        ({"facility_id": "a" * 32}, ("cannot_leave", "high_support")),
        ({"facility_id": "a" * 32, "facility_kind": "custody"}, ("cannot_leave", "high_support")),
        ({"facility_id": "a" * 32, "facility_kind": "dormitory"}, ()),
        ({"facility_id": "a" * 32, "facility_kind": "hotel", "moves": "wheelchair"}, ("cannot_leave",)),
        ({"birth_year": 1940, "lives_alone": True}, ("alone",)),
        ({"opt_in": ("blue", "yellow")}, ("opt_in_blue", "opt_in_yellow")),
        ({"birth_year": 2011}, ("minor_own_phone",)),
        ({"birth_year": 2014}, ()),
        ({"birth_year": 2011, "contacts": mobile("+8613800138000", household=True)}, ()),
        (
            {"birth_year": 2011, "lives_alone": True},
            ("alone", "cannot_judge", "child_alone", "high_support", "minor_own_phone"),
        ),
    ],
)
def test_flags(facts, expected):
    """What the policy's conditions ask for, sorted."""
    one = person(**facts)
    assert expected == flags(one, YEAR, groups(one, YEAR))


def test_usable_is_verified_or_given_by_herself_and_not_refused():
    """Channels are usable kinds; a kind of which nothing may be used is left out with its reason."""
    contacts = (
        ContactIn(kind="sms", address="+8613800138000", order=1, said_no=True),
        ContactIn(kind="voice_mobile", address="+8613800138000", order=2, given_by="record"),
        ContactIn(kind="voice_landline", address="+862885551234", order=3, given_by="record", verified=True),
        ContactIn(kind="email", address="a@example.org", order=0),
    )
    facts = profile(person(contacts=contacts), YEAR)
    assert ("email", "voice_landline") == facts.channels
    assert (("sms", "said_no"), ("voice_mobile", "not_verified")) == facts.left_out


def test_one_usable_contact_makes_the_channel():
    """A refused second number does not close the channel of the first."""
    contacts = (LANDLINE, ContactIn(kind="voice_landline", address="+862885551235", said_no=True))
    facts = profile(person(contacts=contacts), YEAR)
    assert (("voice_landline",), ()) == (facts.channels, facts.left_out)


def test_her_own_order_goes_first():
    """`voice` stands for both kinds of call; what they did not name follows."""
    email = ContactIn(kind="email", address="a@example.org")
    facts = profile(person(contacts=(*PHONE, LANDLINE, email), own_channels=("voice", "sms")), YEAR)
    assert ("voice_mobile", "voice_landline", "sms", "email") == facts.channels
    assert facts.own_order


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, ()),
        ({"own_channels": ("sms",)}, ()),
        ({"own_channels": ("voice", "sms")}, ("voice_mobile",)),
        ({"contacts": (*PHONE, LANDLINE.model_copy(update={"household": True}))}, ("voice_landline",)),
        ({"asked_for": ("voice_robot",), "contacts": (*PHONE, LANDLINE)}, ("voice_landline", "voice_mobile")),
        ({"asked_for": ("voice_robot",), "contacts": PHONE[:1]}, ()),
    ],
)
def test_a_deaf_person_may_have_asked_for_voice(facts, expected):
    """By name, by their own order, or because a hearing spouse answers: then that kind of call is fit."""
    assert expected == profile(person(wg={"hear": 4}, **facts), YEAR).asked_for


def test_kind_follows_from_groups():
    """A resident has a need, no phone or a facility; a subscriber has contacts only."""
    assert "subscriber" == profile(person(), YEAR).kind
    assert "subscriber" == profile(person(contacts=(LANDLINE,)), YEAR).kind
    assert "resident" == profile(person(contacts=()), YEAR).kind
    assert "resident" == profile(person(facility_id="a" * 32), YEAR).kind


def test_only_supporters_who_accepted_and_can_be_called():
    """Each as the kind of the first usable channel and whether outside the zone; acceptance vouches for the number."""
    channels = mobile("+8613900139000", given_by="proxy")
    supporters = (
        SupporterIn(contacts=channels, outside_zone=True, accepted=True),
        SupporterIn(contacts=channels, accepted=False),
        SupporterIn(accepted=True),
    )
    assert (("sms", True),) == profile(person(supporters=supporters), YEAR).supporters


def test_profile_says_nothing_of_who_or_where():
    """Two people alike in all the policy may know share one profile, whatever their name, number and home."""
    one = profile(person(call_name="A", address="x", lat=1, lon=2), YEAR)
    other = profile(
        person(person_id=id_of("q"), call_name="B", contacts=mobile("+8613900139000"), note="n", floor=1), YEAR
    )
    assert one == other
    assert 16 == len(one.key)


def test_every_difference_makes_another_key():
    """The key stands for all other fields."""
    variants = [
        person(),
        person(languages=("zh",)),
        person(opt_in=("blue",)),
        person(contacts=()),
        person(contacts=PHONE[:1]),
        person(wg={"see": 4}),
        person(own_channels=("voice",)),
    ]
    keys = [profile(v, YEAR).key for v in variants]
    assert len(keys) == len(set(keys))


def test_no_combination_of_levels_is_left_without_a_group_or_a_door():
    """Whatever the levels, there is a group; who has no usable channel and no facility has a door first."""
    for see, hear, walk, cognition in itertools.product((1, 3, 4, 9), repeat=4):
        wg = {"see": see, "hear": hear, "walk": walk, "cognition": cognition}
        assert groups(person(wg=wg), YEAR)
        assert "door_first" in profile(person(wg=wg, contacts=()), YEAR).flags


def test_facility_is_one_addressee_with_its_duty_lines():
    """Duty lines first, whatever their numbering."""
    facility = FacilityIn(
        facility_id="a" * 32,
        name="Home",
        kind="nursing_home",
        lat=30,
        lon=103,
        contacts=(
            ContactIn(kind="sms", address="+8613800138000"),
            ContactIn(kind="duty_phone_2", address="+862885551235"),
            ContactIn(kind="duty_phone_1", address="+862885551234"),
        ),
    )
    facts = facility_profile(facility, ("en",))
    assert ("facility", ("facility",)) == (facts.kind, facts.groups)
    assert ("duty_phone_1", "duty_phone_2", "sms") == facts.channels
    assert ("cannot_leave", "high_support") == facts.flags


@pytest.mark.parametrize(
    ("shift", "minute", "expected"),
    [
        ("", 0, True),
        ("07:00-19:00", 420, True),
        ("07:00-19:00", 1140, False),
        ("19:00-07:00", 1439, True),
        ("19:00-07:00", 419, True),
        ("19:00-07:00", 420, False),
    ],
)
def test_shift(shift, minute, expected):
    """Start included, end not, over midnight too; no shift is always."""
    assert expected == on_shift(shift, minute)


@pytest.mark.parametrize(
    "wrong",
    [
        {"lat": 91},
        {"lon": float("nan")},
        {"wg": {"see": 5}},
        {"person_id": "x"},
        {"contacts": [{"kind": "sms", "address": "13800138000"}]},
        {"contacts": [{"kind": "email", "address": "nobody"}]},
        {"diagnosis": "x"},
    ],
)
def test_wrong_facts_are_refused(wrong):
    """Out of range, not E.164, or nothing we know."""
    with pytest.raises(pydantic.ValidationError):
        person(**wrong)


def test_wrong_shift_is_refused():
    """A shift is two times of day."""
    with pytest.raises(pydantic.ValidationError):
        WorkerIn(worker_id="a" * 32, shift="25:00-26:00")


@pytest.mark.parametrize(
    ("minutes", "flag"),
    [(None, None), (0, "backup_0"), (14, "backup_0"), (45, "backup_30"), (240, "backup_240"), (100_000, "backup_1440")],
)
def test_how_long_her_device_lasts_is_told_and_never_more_than_it_does(minutes, flag):
    """Rounded down; where nobody said, nothing is told, and the policy sends somebody at once."""
    one = person(power_device="oxygen", backup_min=minutes)
    found = [f for f in profile(one, YEAR).flags if f.startswith("backup_")]
    assert ([flag] if flag else []) == found
    without = person(backup_min=minutes)
    assert not [f for f in profile(without, YEAR).flags if f.startswith("backup_")]


def test_a_need_that_one_answer_makes_stands_in_the_answers_row() -> None:
    """A lot of difficulty, a yes or a device; the weakest value that counts does, and the one below it does not."""
    found = {}
    for need, row in NEEDS.items():
        below, counts = {"level": (2, 3), "yes": (False, True), "one": ("none", "oxygen")}[row.kind]
        for value in (below, counts):
            given = {"wg": {row.field: value}} if row.field in WG else {row.field: value}
            found[need, value] = need in groups(person(**given), YEAR)
    assert {(need, value): value not in (2, False, "none") for need, value in found} == found
    assert set(NEEDS) < set(GROUPS)
    assert {"cognitive", "speech", "psychosocial", "power_medical", "older_only_home"} < set(NEEDS)


HOUSE: dict[str, object] = {"facility_id": "f" * 32, "name": "Hillside", "kind": "school", "lat": 30.0, "lon": 103.0}


@pytest.mark.parametrize(
    ("said", "flags"),
    [
        ({"headcount_day": 340, "headcount_night": 0}, {"heads_day_340", "empty_by_night"}),
        ({"headcount_day": 0, "headcount_night": 45}, {"heads_night_45", "empty_by_day"}),
        ({"headcount_day": 340}, {"heads_day_340"}),  # nobody has said that it is empty at night
        ({"headcount_day": 0, "headcount_night": 0}, set()),  # nobody has said how many are ever there
        ({"headcount_day": 340, "headcount_night": 0, "occupancy": ("2026-11-22", 12, 0)}, {"heads_day_340"}),
        (
            {"kind": "custody", "headcount_day": 90, "headcount_night": 80},
            {"custody", "heads_day_90", "heads_night_80"},
        ),
        ({"kind": "boat"}, {"boat"}),
    ],
)
def test_a_house_says_when_nobody_is_in_it_and_who_alone_moves_it(said: dict[str, object], flags: set[str]) -> None:
    """Only what was said counts: a count that was left out is no nought."""
    house = FacilityIn.model_validate(HOUSE | said)
    assert flags == set(facility_profile(house, ("en",)).flags) - {"cannot_leave", "high_support"}
