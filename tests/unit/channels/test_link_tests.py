"""Link tests: which channels are left out by what failed; and the file that asks for them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.channels.model.driver import Channel, Driver
from services.channels.providers.country_limits import CountryLimits
from services.channels.providers.link_test_file import load_link_tests
from services.channels.providers.link_tests import LinkTests, failed_twice, left_out
from services.shared.clock import StepClock
from services.shared.database.engine import Database
from services.shared.errors import Refused

CHANNELS = {"sms": "delivered", "voice_mobile": "answered"}


PROVIDERS = {
    "sms": ["a", "b"], "voice_mobile": ["v"], "officer_sms": ["a", "b"], "supporter_sms": ["a", "b"],
    "supporter_voice": ["v"], "fax": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("failures", "out"),
    [
        ({}, set()),
        ({"sms": {"a": 1}}, set()),
        ({"sms": {"a": 2}}, set()),
        ({"sms": {"a": 2, "b": 2}}, {"sms"}),
        ({"sms": {"a": 2, "b": 1}}, set()),
        ({"voice_mobile": {"v": 5}}, {"voice_mobile"}),
        ({"sms": {"a": 2, "b": 3}, "voice_mobile": {"v": 2}}, set()),
        ({"officer_sms": {"a": 2, "b": 2}}, set()),
        ({"supporter_sms": {"a": 2, "b": 2}}, {"supporter_sms"}),
        ({"supporter_sms": {"a": 2, "b": 2}, "supporter_voice": {"v": 2}}, set()),
    ],
    ids=["none", "once", "one of two providers", "both", "one of them once", "the other channel", "every personal channel",
         "officers'", "supporters' texts", "supporters' all"],
)  # fmt: skip
def test_a_channel_is_left_out_when_all_who_carry_it_failed_twice_unless_every_personal_channel_does(
    failures: dict[str, dict[str, int]], out: set[str]
) -> None:
    """A provider that is not tried may well work; where nothing works the test is likelier wrong, and trying reaches more."""
    bad = failed_twice(failures, PROVIDERS)
    assert out == left_out(bad, {"sms", "voice_mobile"}, {"supporter_sms", "supporter_voice"})


@given(st.dictionaries(st.sampled_from("abc"), st.dictionaries(st.sampled_from("xyz"), st.integers(0, 4))))
def test_one_personal_channel_is_always_left(failures: dict[str, dict[str, int]]) -> None:
    bad = failed_twice(failures, {"a": ["x", "y"], "b": ["z"], "c": ["x"]})
    assert left_out(bad, {"a", "b", "c"}, set()) != {"a", "b", "c"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "- {channel: fax, to: '+99970001111'}",
            "line 1, 1.channel: channel 'fax' cannot be tried: use sms, voice_mobile",
        ),
        ("- {channel: sms, to: '+99970001111'}\n- {channel: sms, to: '+1'}", "line 2, 2.to"),
        (
            "- {channel: sms, to: '+99970001111'}\n- {channel: sms, to: '+999700'}",
            "line 2, 2.channel: sms has a test already",
        ),
        ("- {channel: sms}", "line 1, 1.to"),
        ("- {channel: sms, to: '+99970001111', every: 5}", "1.every"),
        ("- {channel: sms, to: '+99970001111', proof: read}", "1.proof"),
        ("- {channel: sms, to: '+99970001111', proof: answered}", "sms never says answered: use delivered"),
        ("- {channel: sms, too: x}", "1.too: 'too' is not known here; use channel, every, proof"),
        ("channel: sms", "give a list"),
        ("- [", "correct the YAML"),
    ],
    ids=[
        "channel",
        "address",
        "twice",
        "no address",
        "too often",
        "proof",
        "more than it can",
        "word",
        "shape",
        "yaml",
    ],
)
def test_a_slip_in_the_file_is_told_by_entry_and_field(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "tests.yaml").write_text(text)
    with pytest.raises(Refused) as refused:
        load_link_tests(tmp_path / "tests.yaml", CHANNELS)
    assert said in refused.value.message


def test_a_file_that_is_not_there_is_told_and_none_is_no_test(tmp_path: Path) -> None:
    assert [] == load_link_tests(None, CHANNELS)
    (tmp_path / "tests.yaml").write_text("- {channel: voice_mobile, to: '+99970001111'}")
    tests = load_link_tests(tmp_path / "tests.yaml", CHANNELS)
    assert ["answered"] == [one.proof for one in tests]  # the most a call can prove
    with pytest.raises(Refused, match="give a file that can be read"):
        load_link_tests(tmp_path / "none.yaml", CHANNELS)


@pytest.mark.parametrize("channel", ["door", "broadcast", "area_sound", "fire_service_list"])
def test_what_would_sound_the_siren_or_send_somebody_cannot_be_tried(tmp_path: Path, channel: str) -> None:
    (tmp_path / "tests.yaml").write_text(f"- {{channel: {channel}, to: '+99970001111'}}")
    found = SimpleNamespace(
        name="d",
        concurrency=1,
        channels=(Channel("sms", ("sms",)), Channel("officer_sms"), Channel(channel)),
        why_not=lambda: "",
    )
    with pytest.raises(Refused, match="officer_sms, sms"):
        LinkTests(
            cast(Database, None),
            StepClock(0.0),
            [cast(Driver, found)],
            CountryLimits({}),
            b"k",
            tmp_path / "tests.yaml",
        )
