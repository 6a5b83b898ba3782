"""Our Twilio drivers' requests, whole, against prism on the provider's published document (TOCSIN_TWILIO_SPEC)."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.channels.drivers.twilio.sms import SmsTwilio
from services.channels.drivers.twilio.voice import VoiceTwilio
from services.channels.model.driver import Outcome
from tests.kit.driving import driving, message
from tools.peers.prism import prism
from tools.peers.table import Told

pytestmark = pytest.mark.slow


async def test_prism_takes_what_our_drivers_send(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, peer: Told) -> None:
    """Texts from a number and from a service, and a call: each is made; a service that cannot be is refused."""
    async with prism(tmp_path) as document:
        given = {
            "BASE_URL": document.url,
            "ACCOUNT_SID": "AC" + "0a" * 16,
            "AUTH_TOKEN": "secret",
            "FROM_NUMBER": "+99970000000",
        }
        for name, value in given.items():
            monkeypatch.setenv(f"TOCSIN_TWILIO_{name}", value)
        text = message(channel="sms", to="+99970001111", text="Flood. Go now & up. 马上走")
        for service, meant in (
            ("", Outcome.ACCEPTED),
            ("MG" + "0b" * 16, Outcome.ACCEPTED),
            ("MG-none", Outcome.PERMANENT),
        ):
            monkeypatch.setenv("TOCSIN_TWILIO_MESSAGING_SERVICE_SID", service)
            async with driving(SmsTwilio) as driver:
                result = await driver.send(text)
            assert meant is result.outcome, document.said[-1]
        # its length and its pattern
        assert ["MessagingServiceSid", "MessagingServiceSid"] == [where[-1] for where in document.faults]
        monkeypatch.setenv("TOCSIN_TWILIO_MESSAGING_SERVICE_SID", "")
        async with driving(VoiceTwilio) as driver:
            result = await driver.send(message(channel="voice_mobile", to="+99970001111", spoken="Flood. Go now."))
        assert Outcome.ACCEPTED is result.outcome, document.said[-1]
    assert [201, 201, 422, 201] == [status for status, _ in document.said]
    peer("sms_twilio", "npm prism-cli 5.16.0", "CreateMessage with From, and with MessagingServiceSid")
    peer(
        "voice_twilio",
        "npm prism-cli 5.16.0",
        "CreateCall with TwiML (but for StatusCallbackEvent, a list, which it cannot read)",
    )
