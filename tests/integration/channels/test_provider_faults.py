"""One suite for all drivers: whatever a provider does on the wire has the class that says whether it may be tried again.

Each driver inherits its protocol's faults and says only where it differs, and why. What a provider took and we call not sent
would be sent twice; what it never took and we call accepted would be lost: both are looked at in its own count.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import aiohttp
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from services.channels.drivers.broadcast import CapBroadcast
from services.channels.drivers.chat import chat
from services.channels.drivers.chat.chat import Chat
from services.channels.drivers.email import email
from services.channels.drivers.email.email import Email
from services.channels.drivers.smpp import sms
from services.channels.drivers.smpp.sms import SmsSmpp
from services.channels.drivers.twilio.sms import SmsTwilio
from services.channels.drivers.twilio.voice import VoiceTwilio
from services.channels.drivers.web_push.web_push import WebPush
from services.channels.model import http_call
from services.channels.model.driver import Outcome, Result
from tests.integration.channels.test_smpp import Ears, bound
from tests.integration.channels.test_web_push import Device
from tests.kit import misbehaving as wire
from tests.kit.driving import driving, message
from tests.kit.misbehaving import Provider, misbehaving

PATIENCE_S = 0.5  # ours, shortened: a silent provider is not waited for in a test
SENT_AS = {Outcome.ACCEPTED, Outcome.AMBIGUOUS}
HTTP = {
    "well": Outcome.ACCEPTED, "slow": Outcome.ACCEPTED, "hang": Outcome.AMBIGUOUS, "half_open": Outcome.AMBIGUOUS,
    "accept_then_timeout": Outcome.AMBIGUOUS, "reset": Outcome.AMBIGUOUS, "accept_then_reset": Outcome.AMBIGUOUS,
    "429": Outcome.NOT_SENT, "401": Outcome.PROVIDER_FAULT, "403": Outcome.PROVIDER_FAULT, "500": Outcome.AMBIGUOUS,
    "503": Outcome.AMBIGUOUS, "garbled": Outcome.AMBIGUOUS, "malformed": Outcome.AMBIGUOUS, "redirect": Outcome.PERMANENT,
    "refused": Outcome.NOT_SENT,
}  # fmt: skip
SMTP = {
    "well": Outcome.ACCEPTED, "slow": Outcome.ACCEPTED, "hang": Outcome.AMBIGUOUS, "half_open": Outcome.NOT_SENT,
    "accept_then_timeout": Outcome.AMBIGUOUS, "reset": Outcome.AMBIGUOUS, "accept_then_reset": Outcome.AMBIGUOUS,
    "429": Outcome.NOT_SENT, "401": Outcome.PROVIDER_FAULT, "500": Outcome.NOT_SENT, "garbled": Outcome.AMBIGUOUS,
    "refused": Outcome.NOT_SENT,
}  # fmt: skip
SMPP = {
    "well": Outcome.ACCEPTED, "slow": Outcome.ACCEPTED, "hang": Outcome.AMBIGUOUS, "half_open": Outcome.NOT_SENT,
    "accept_then_timeout": Outcome.AMBIGUOUS, "reset": Outcome.AMBIGUOUS, "accept_then_reset": Outcome.AMBIGUOUS,
    "429": Outcome.NOT_SENT, "401": Outcome.PROVIDER_FAULT, "500": Outcome.AMBIGUOUS, "malformed": Outcome.AMBIGUOUS,
    "refused": Outcome.NOT_SENT,
}  # fmt: skip


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test of a fault is made for each fault of its driver."""
    if "mode" in metafunc.fixturenames:
        metafunc.parametrize("mode", metafunc.cls.means)


class Faults(ABC):
    """What every driver is held to; a subclass gives `means`, `serve` and `ready`."""

    means: ClassVar[Mapping[str, Outcome]]
    serve: ClassVar[Any]
    good = b""
    after: ClassVar[Mapping[str, float]] = {"429": 7.0}  # fault > seconds until it may be tried again

    @abstractmethod
    def ready(self, provider: Provider, patch: pytest.MonkeyPatch, folder: Path) -> AbstractAsyncContextManager[Any]:
        """The driver, set to this provider."""

    def message(self, provider: Provider) -> Any:
        return message(to="+99970001111", channel="sms")

    async def test_each_fault_has_its_class(self, mode: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Told within our patience, by a class that fits what the provider really took."""
        async with (
            misbehaving(type(self).serve, mode, self.good) as provider,
            self.ready(provider, monkeypatch, tmp_path) as driver,
        ):
            async with asyncio.timeout(8 * PATIENCE_S):
                result: Result = await driver.send(self.message(provider))
            assert self.means[mode] is result.outcome, result
            assert not provider.taken or result.outcome in SENT_AS, "it took what we would send again"
            assert provider.taken or result.outcome is not Outcome.ACCEPTED, "it never took what we call accepted"
            assert provider.asked <= 1, "nothing is asked twice by itself"
            assert self.after.get(mode) == result.retry_after
            assert len(result.code) <= 24 or mode == "half_open"

    async def test_a_refused_key_fails_nobody(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Many at once, again and again; when the key is right again the next goes out."""
        async with (
            misbehaving(type(self).serve, "401", self.good) as provider,
            self.ready(provider, monkeypatch, tmp_path) as driver,
        ):
            for _ in range(3):
                found = await asyncio.gather(*(driver.send(self.message(provider)) for _ in range(4)))
                assert {Outcome.PROVIDER_FAULT} == {one.outcome for one in found}
            assert 0 == provider.taken
            provider.mode = "well"
            assert Outcome.ACCEPTED is (await driver.send(self.message(provider))).outcome


class TwilioFaults(Faults):
    """Both drivers of one account. It never redirects: whoever does is not it, and what came of the request is open."""

    means = HTTP | {"redirect": Outcome.AMBIGUOUS}
    serve = staticmethod(wire.http)
    good = b'{"sid": "SM0123456789abcdef0123456789abcdef"}'
    driver: ClassVar[Any]

    @asynccontextmanager
    async def ready(self, provider: Provider, patch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Any]:
        patch.setattr(http_call, "TIMEOUT", aiohttp.ClientTimeout(total=PATIENCE_S, connect=PATIENCE_S))
        given = {
            "BASE_URL": f"http://127.0.0.1:{provider.port}",
            "ACCOUNT_SID": "AC1",
            "AUTH_TOKEN": "t",
            "FROM_NUMBER": "+9991",
        }
        for name, value in given.items():
            patch.setenv(f"TOCSIN_TWILIO_{name}", value)
        async with driving(self.driver) as driver:
            yield driver


class TestSmsTwilio(TwilioFaults):
    driver = SmsTwilio


class TestVoiceTwilio(TwilioFaults):
    driver = VoiceTwilio


class TestWebPush(Faults):
    """A push service's status says all; what stands in the body of a 201 changes nothing."""

    means = HTTP | {"malformed": Outcome.ACCEPTED}
    serve = staticmethod(wire.http)

    def message(self, provider: Provider) -> Any:
        return message(to=Device(f"http://127.0.0.1:{provider.port}/s/1").subscription.as_text())

    @asynccontextmanager
    async def ready(self, provider: Provider, patch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Any]:
        patch.setattr(http_call, "TIMEOUT", aiohttp.ClientTimeout(total=PATIENCE_S, connect=PATIENCE_S))
        key = ec.generate_private_key(ec.SECP256R1())
        (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        for name, value in {
            "KEY": str(folder / "key.pem"),
            "PRIVATE": "true",
            "CONTACT": "mailto:duty@example.org",
        }.items():
            patch.setenv(f"TOCSIN_PUSH_{name}", value)
        async with driving(WebPush) as driver:
            yield driver


class TestCapBroadcast(Faults):
    """A CAP document names itself, so that a receiver knows it again: after a 5xx it is posted once more without harm."""

    means = HTTP | {
        "malformed": Outcome.ACCEPTED,
        "500": Outcome.NOT_SENT,
        "503": Outcome.NOT_SENT,
        "redirect": Outcome.NOT_SENT,
    }
    serve = staticmethod(wire.http)

    @asynccontextmanager
    async def ready(self, provider: Provider, patch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Any]:
        patch.setattr(http_call, "TIMEOUT", aiohttp.ClientTimeout(total=PATIENCE_S, connect=PATIENCE_S))
        patch.setenv("TOCSIN_BROADCAST_URLS", f"http://127.0.0.1:{provider.port}/cap")
        async with driving(CapBroadcast) as driver:
            yield driver


class TestChat(Faults):
    """Apprise tells no cause: every no is ambiguous, a refused key too, and nothing is failed for it."""

    means = {mode: Outcome.ACCEPTED if was is Outcome.ACCEPTED else Outcome.AMBIGUOUS for mode, was in HTTP.items()} | {
        "malformed": Outcome.ACCEPTED
    }
    serve = staticmethod(wire.http)
    after: ClassVar[Mapping[str, float]] = {}

    def message(self, provider: Provider) -> Any:
        return message(to="desk:mei", channel="chat")

    @asynccontextmanager
    async def ready(self, provider: Provider, patch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Any]:
        patch.setattr(chat, "READ_S", PATIENCE_S)
        people = {"desk": f"json://127.0.0.1:{provider.port}/{{address}}"}
        (folder / "chat.yaml").write_text(yaml.safe_dump({"people": people}), "utf-8")
        patch.setenv("TOCSIN_CHAT_FILE", str(folder / "chat.yaml"))
        async with driving(Chat) as driver:
            yield driver

    async def test_a_refused_key_fails_nobody(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """It cannot be told from other noes; it is not PERMANENT, so that the path goes on as for silence."""
        async with misbehaving(wire.http, "401") as provider, self.ready(provider, monkeypatch, tmp_path) as driver:
            found = await asyncio.gather(*(driver.send(self.message(provider)) for _ in range(4)))
        assert {Outcome.AMBIGUOUS} == {one.outcome for one in found}


class TestEmail(Faults):
    """A mail server that says 451 has surely not taken it: unlike a 5xx of HTTP, that is the protocol's word."""

    means = SMTP
    after: ClassVar[Mapping[str, float]] = {"429": 7.0, "500": 60.0}  # where it names no time, a minute
    serve = staticmethod(wire.smtp)

    def message(self, provider: Provider) -> Any:
        return message(to="mei@example.org", channel="email")

    @asynccontextmanager
    async def ready(self, provider: Provider, patch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Any]:
        patch.setattr(email, "BEFORE_S", PATIENCE_S)
        patch.setattr(email, "DATA_S", PATIENCE_S)
        given = {
            "HOST": "127.0.0.1",
            "PORT": str(provider.port),
            "SECURITY": "none",
            "USERNAME": "warn",
            "PASSWORD": "x",
        }
        for name, value in given.items():
            patch.setenv(f"TOCSIN_SMTP_{name}", value)
        async with driving(Email) as driver:
            yield driver


class TestSmsSmpp(Faults):
    """Without a bound session nothing is written: half an open line and a refused one are not sent."""

    means = SMPP
    serve = staticmethod(wire.smpp)
    after: ClassVar[Mapping[str, float]] = {"429": 1.0}  # throttled: SMPP names no time

    @asynccontextmanager
    async def ready(self, provider: Provider, patch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Any]:
        patch.setattr(sms, "CALL_S", PATIENCE_S)
        given = {
            "HOST": "127.0.0.1",
            "PORT": str(provider.port),
            "SYSTEM_ID": "tocsin",
            "PASSWORD": "x",
            "SOURCE": "+12345",
        }
        for name, value in given.items():
            patch.setenv(f"TOCSIN_SMPP_{name}", value)
        ears = Ears()
        async with driving(SmsSmpp, receivers=ears.receivers) as driver:
            if provider.mode not in ("refused", "half_open"):
                await bound(driver)
            yield driver
