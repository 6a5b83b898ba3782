"""What the Twilio drivers write is the form they mean, octet for octet, though most of it was encoded for another message."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast
from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from services.channels.drivers.twilio.sms import SmsTwilio
from services.channels.drivers.twilio.voice import VoiceTwilio, document
from services.channels.http.request import RequestHead, form_number, form_text
from services.channels.messages.phrases import LINES
from services.channels.messages.prepare import SLOW
from services.channels.model.driver import Outcome, Result, Tools
from services.shared.clock import StepClock
from services.shared.crypto.signing import Signer
from services.shared.errors import Fault
from services.shared.ledger.params import CallTimes
from services.shared.settings import Settings
from tests.kit.driving import message

PUBLIC = "https://warn.example.org/a b"
SIGNER = Signer(b"k" * 32)
HEAD = (
    "POST /2010-04-01/Accounts/AC1/{}.json HTTP/1.1\r\nHost: api.twilio.com\r\nUser-Agent: Tocsin\r\nAccept: */*\r\n"
    "Accept-Encoding: identity\r\nAuthorization: Basic QUMxOnQ=\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    "Content-Length: {}\r\n\r\n{}"
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


def made(kind: Any, monkeypatch: pytest.MonkeyPatch, **more: str) -> Any:
    for name, value in ({"ACCOUNT_SID": "AC1", "AUTH_TOKEN": "t", "FROM_NUMBER": "+9991"} | more).items():
        monkeypatch.setenv(f"TOCSIN_TWILIO_{name}", value)
    return kind(cast(Any, Tools)(None, None, SIGNER, StepClock(0.0), PUBLIC, settings=Settings()))


@pytest.mark.parametrize(
    ("more", "sender"),
    [({}, {"From": "+9991"}), ({"MESSAGING_SERVICE_SID": "MG&1"}, {"MessagingServiceSid": "MG&1"})],
)
@pytest.mark.parametrize("text", ["Go now & up: 50 % https://warn.example.org/a/tok €", "马上走\n😀+", ""])
def test_a_text_message(
    text: str, more: dict[str, str], sender: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = made(SmsTwilio, monkeypatch, **more)
    for n, to in enumerate(("+99970001111", "+99970002222", "99970003333", "+999 7", "+٣", "")):
        one = message(delivery_id=f"{n:032x}", to=to, text=text, seconds_left=60 + n, of_many=bool(n % 2))
        token = SIGNER.token("sms", one.delivery_id)
        form = urlencode(
            {"To": to, "Body": text, "StatusCallback": f"{PUBLIC}/callbacks/sms_twilio/status/{token}#rc=5&rp=all",
             "ValidityPeriod": str(60 + n), **sender}
        )  # fmt: skip
        assert HEAD.format("Messages", len(form), form).encode() == driver.encode(one)


@pytest.mark.parametrize("spoken", ["Go <now> & up.", "马上走。" * 400, "Leave. " * 900], ids=["short", "once", "cut"])
@pytest.mark.parametrize("call", [None, CallTimes(ring_s=25, listen_s=9)])
@pytest.mark.parametrize(("channel", "warning_id"), [("voice_mobile", "a" * 32), ("officer_voice", "a"), ("sms", "")])
def test_a_call(
    spoken: str, call: CallTimes | None, channel: str, warning_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = made(VoiceTwilio, monkeypatch)
    for n in range(2):
        one = message(
            delivery_id=f"{n:032x}", to="+9992", spoken=spoken, language="zh", call=call, channel=channel, warning_id=warning_id,
            of_many=bool(n), instruction="stay_in",
        )  # fmt: skip
        token = SIGNER.token("voice", one.delivery_id)
        url = f"{PUBLIC}/callbacks/voice_twilio"
        keys = LINES["zh"].keys["stay_in"] if channel == "voice_mobile" else ""
        form = urlencode(
            {"To": "+9992", "From": "+9991", "Twiml": document(spoken, "zh", f"{url}/key/{token}", keys=keys),
             "StatusCallback": f"{url}/status/{token}" + ("?listen=9" if call else ""),
             "StatusCallbackEvent": ["initiated", "answered", "completed"], "MachineDetection": "Enable",
             "Timeout": "25" if call else "60"}, doseq=True,
        )  # fmt: skip
        assert HEAD.format("Calls", len(form), form).encode() == driver.encode(one)


def test_a_call_without_words_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    found = made(VoiceTwilio, monkeypatch).encode(message(spoken="", language="xx"))
    assert Result(Outcome.PERMANENT, code="no voice for xx") == found


@given(TEXTS, st.booleans())
def test_a_text_is_the_same_form(text: str, of_many: bool) -> None:
    assert urlencode({"Body": text}) == f"Body={form_text(text, of_many)}"


def test_what_speaks_of_one_person_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A helper's text names whom they help: it is encoded for its call and gone; what many get is encoded once."""
    encoded: list[str] = []

    def quoted(text: str) -> str:
        encoded.append(text)
        return quote_plus(text)

    monkeypatch.setattr("services.channels.http.request.quote_plus", quoted)
    monkeypatch.setattr("services.channels.http.request._kept", lru_cache(quoted))
    monkeypatch.setattr("services.channels.drivers.twilio.voice.quote_plus", quoted)
    sms, voice = made(SmsTwilio, monkeypatch), made(VoiceTwilio, monkeypatch)
    for of_many, times in ((False, 2), (True, 1)):
        encoded.clear()
        for n in range(2):
            words = f"See to Wang Fang at once, {of_many}."
            one = message(delivery_id=f"{n:032x}", text=words, spoken=words, warning_id="a" * 32, of_many=of_many)
            assert quote_plus(words).encode() in sms.encode(one)
            voice.encode(one)
        assert 2 * times == len([text for text in encoded if "Wang Fang" in text])


@given(TEXTS)
def test_a_number_is_the_same_form(number: str) -> None:
    assert urlencode({"To": number}) == f"To={form_number(number)}"


@pytest.mark.parametrize("wrong", ["a\r\nX-More: 1", "a\n", "ä", "\0"])
def test_a_field_holds_no_second_one(wrong: str) -> None:
    with pytest.raises(ValueError, match="'X-One' is no field"):
        RequestHead("POST", "http://provider/x", {"X-One": wrong})


def test_an_address_is_written_as_the_request_has_it() -> None:
    """Escaped, with the port where it is not the scheme's own."""
    head = RequestHead("GET", "http://[::1]:8080/a b/ä?q=ö&r=%20", {}).request().decode()
    assert head.startswith("GET /a%20b/%C3%A4?q=%C3%B6&r=%20 HTTP/1.1\r\nHost: [::1]:8080\r\n")
    assert "Host: xn--bcher-kva.example\r\n" in RequestHead("GET", "https://bücher.example:443/", {}).request().decode()


@pytest.mark.parametrize("wrong", ["http://", "ftp://provider", "provider"])
def test_a_base_address_that_is_none_is_said_at_the_start(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Fault, match=f"BASE_URL.*base address: {wrong!r} is none"):
        made(SmsTwilio, monkeypatch, BASE_URL=wrong)


def test_for_ears_that_need_it_a_call_is_slow_and_loud(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a voice that can, at three quarters of the pace, with a pause after each sentence; said twice; other calls as before."""
    said = "Leave now. Do not cross water."
    plain = document(said, "en-US", "https://x/key/t", keys="Press 2 for help.")
    slow = document(said, "en-US", "https://x/key/t", keys="Press 2 for help.", slow=True)
    root = etree.fromstring(slow.encode())
    spoken = list(root.iter("Say"))
    assert ["Leave now.", "Do not cross water."] * 2 + ["Press 2 for help."] == [
        "".join(one.itertext()) for one in spoken
    ]
    assert {("Polly.Joanna", "en-US")} == {(one.get("voice"), one.get("language")) for one in spoken}
    assert {("75%", "x-loud")} == {(one.get("rate"), one.get("volume")) for one in root.iter("prosody")}
    assert 4 == len(list(root.iter("Pause")))
    assert "prosody" not in plain
    driver = made(VoiceTwilio, monkeypatch)
    one = message(to="+9992", spoken=said, language="en-US", channel="voice_mobile", slow=True)
    assert b"prosody" in cast(bytes, driver.encode(one))
    other = document(said, "zh-TW", "https://x/key/t", keys="", slow=True)  # no voice of that name: pauses alone
    assert (4, False) == (len(list(etree.fromstring(other.encode()).iter("Say"))), "prosody" in other)


def test_whose_form_asks_for_it_is_spoken_to_slowly() -> None:
    """A group's form says so: to whom it is read slowly, and who hears little."""
    for form, slow in (
        ("slow_spoken", True),
        ("plain+loud_slow", True),
        ("plain", False),
        ("spoken+screen_reader", False),
    ):
        assert slow is bool(SLOW & {*form.split("+")})
