"""Our SMPP parts as Debian's Kannel puts them together: GSM-7 with its extended signs, UCS-2, surrogates."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.channels.drivers.smpp.sms import SmsSmpp
from services.channels.model.driver import Outcome
from tests.integration.channels.test_smpp import LONG_EN, LONG_ZH, Ears, bound
from tests.kit.driving import driving, message
from tools.peers.kannel import kannel
from tools.peers.table import Told

pytestmark = pytest.mark.slow

TEXTS = ["Leave now. Going: 1. Help: 2. [€]", LONG_EN, "慢的先走", LONG_ZH, "Flood 🌊 " * 20]


async def test_kannel_reads_each_text_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, peer: Told) -> None:
    """Whatever the number of parts, it is one text there, sign for sign, from the number we send as."""
    async with kannel(tmp_path) as phone:
        given = {
            "HOST": "127.0.0.1",
            "PORT": str(phone.port),
            "SYSTEM_ID": "tocsin",
            "PASSWORD": "x",
            "SOURCE": "+12345",
        }
        for name, value in given.items():
            monkeypatch.setenv(f"TOCSIN_SMPP_{name}", value)
        ears = Ears()
        async with driving(SmsSmpp, receivers=ears.receivers) as driver:
            await bound(driver)
            for n, text in enumerate(TEXTS, 1):
                sent = await driver.send(message(channel="sms", to="+99970000001", text=text))
                assert Outcome.ACCEPTED is sent.outcome
                await phone.until(n)
        assert TEXTS == [text for _, text in phone.texts]
        assert {"+12345"} == {sender for sender, _ in phone.texts}
    peer(
        "sms_smpp",
        "Debian kannel 1.4.5, by smpp34's server",
        f"{len(TEXTS)} texts of one to three parts, GSM-7 and UCS-2",
    )
