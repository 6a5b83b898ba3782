"""What a provider cannot do in a country: at home the channel is narrower, for a foreign number the message is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.channels.model.driver import Channel, Driver
from services.channels.providers.catalogue import channel_rows, channels_in_use
from services.channels.providers.country_limits import CountryLimits, country_of, load_limits, read_limits
from services.commands.policy import installed_channels
from services.shared.errors import Refused
from services.shared.input.files import Document
from services.shared.settings import Settings

CHANNELS = ("sms_smpp", "sms_twilio", "voice_twilio")
SMS = Channel("sms", ("sms",), two_way=True)


def driver(name: str, *channels: Channel, why: str = "") -> Driver:
    return cast(Driver, SimpleNamespace(name=name, channels=channels, concurrency=1, why_not=lambda: why))


@pytest.fixture
def in_china(monkeypatch: pytest.MonkeyPatch) -> CountryLimits:
    monkeypatch.setenv("TOCSIN_COUNTRY", "CN")
    return load_limits(CHANNELS, Settings())


def test_in_mainland_china_twilio_calls_nobody_and_its_texts_take_no_reply_and_no_link(in_china: CountryLimits) -> None:
    """The channel table says it, so that paths and the policy's check know."""
    calls = driver("voice_twilio", Channel("voice_mobile", ("voice_mobile",), two_way=True, voice=True))
    rows = {r["channel"]: r for r in channel_rows([calls, driver("sms_twilio", SMS)], in_china)}
    assert not rows["voice_mobile"]["working"]
    assert "mainland China" in rows["voice_mobile"]["why"]
    sms = rows["sms"]
    assert (True, False, False, 2) == (sms["working"], sms["two_way"], sms["links"], sms["repeats_per_day"])


def test_an_operators_own_gateway_is_what_it_says_and_goes_before_a_closed_one(in_china: CountryLimits) -> None:
    found = channels_in_use([driver("sms_smpp", SMS), driver("sms_twilio", SMS)], in_china)
    assert SMS == found["sms"]
    other = driver("b_calls", Channel("voice_mobile", voice=True))
    rows = channel_rows([driver("voice_twilio", Channel("voice_mobile", voice=True)), other], in_china)
    assert [("b_calls", True)] == [(r["driver"], r["working"]) for r in rows]


def test_elsewhere_nothing_is_narrower(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_COUNTRY", "KE")
    assert (SMS,) == load_limits(CHANNELS, Settings()).channels(driver("sms_twilio", SMS))


def test_a_number_of_another_country_gets_what_its_own_lets_through() -> None:
    limits = load_limits(CHANNELS, Settings())
    channel = limits.for_number("sms_twilio", SMS, "+8613800138000")
    assert (False, False) == (channel.two_way, channel.links)
    assert SMS == limits.for_number("sms_twilio", SMS, "+254712123456")
    assert SMS == limits.for_number("sms_smpp", SMS, "+8613800138000")
    with pytest.raises(Refused, match="mainland China") as refused:
        limits.for_number("voice_twilio", Channel("voice_mobile"), "+8613800138000")
    assert ("country", "CN") == (refused.value.rule, refused.value.given)


@pytest.mark.parametrize(
    ("number", "country"),
    [("+8613800138000", "CN"), ("+12025550123", "US"), ("someone@example.org", ""), ("+999", ""), ("", "")],
)
def test_the_country_of_what_is_no_number_is_none(number: str, country: str) -> None:
    assert country == country_of(number)


def test_the_policys_check_sees_the_narrower_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    assert installed_channels(Settings())["sms"].two_way
    monkeypatch.setenv("TOCSIN_COUNTRY", "CN")
    here = installed_channels(Settings())
    assert not here["sms"].two_way
    assert "voice_mobile" not in here


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sms_twilio: {CN: {two_ways: false}}", "sms_twilio.CN.two_ways"),
        ("sms_twilio: {CN: {two_way: perhaps}}", "sms_twilio.CN.two_way"),
        ("sms_twillio: {CN: {two_way: false}}", "sms_twillio"),
        ("sms_twilio: {XX: {two_way: false}}", "XX"),
        ("sms_twilio: {NO: {two_way: false}}", "sms_twilio"),
        ("sms_twilio: [CN]", "sms_twilio"),
        ("a: b: c", "mapping values"),
        ("sms_twilio: {CN: {repeats_per_day: -1}}", "repeats_per_day"),
    ],
    ids=["ability", "word", "driver", "country", "yaml's no", "shape", "yaml", "figure"],
)
def test_a_file_with_a_slip_is_refused_by_place(text: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        read_limits(Document(text, name="limits.yaml"), "", CHANNELS)
    assert said in refused.value.message
    assert "limits.yaml" in refused.value.message


def test_a_file_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOCSIN_CHANNEL_LIMITS", str(tmp_path / "none.yaml"))
    with pytest.raises(Refused, match="give a file that can be read"):
        load_limits(CHANNELS, Settings())


def test_a_home_that_is_no_country_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its limits would be nobody's, and channels would be taken for wider than they are."""
    monkeypatch.setenv("TOCSIN_COUNTRY", "XX")
    with pytest.raises(Refused, match="TOCSIN_COUNTRY=XX"):
        load_limits(CHANNELS, Settings())


def test_what_ships_speaks_of_installed_channels_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without one of them starts all the same; a file of its own must be right."""
    assert {} == load_limits(["door"], Settings()).by_driver
    some: Any = load_limits(["sms_twilio"], Settings()).by_driver
    assert {"sms_twilio"} == set(some)
