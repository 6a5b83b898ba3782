"""Web push: what a device and a push service read, judged by others' libraries; and what each answer means."""

from __future__ import annotations

import base64
import json
import os
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from services.channels.drivers.web_push.encryption import MOST_BYTES
from services.channels.drivers.web_push.web_push import WebPush, payload
from services.channels.model.driver import Outcome, Result
from services.shared.errors import Refused
from services.shared.people.push_subscription import Subscription, read
from services.shared.tiers import Tier
from tests.kit.driving import driving, message
from tools.peers.judge import judge
from tools.peers.table import Told


def text64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


@dataclass
class Device:
    """A browser's half: its key, its secret, and where its push service is."""

    endpoint: str = "https://push.example.org/s/1"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    secret: bytes = field(default_factory=lambda: os.urandom(16))

    @property
    def private(self) -> str:
        return text64(self.key.private_numbers().private_value.to_bytes(32))

    @property
    def subscription(self) -> Subscription:
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return Subscription(self.endpoint, text64(point), text64(self.secret))


@dataclass
class Service:
    """A push service: what it was sent, and what it says to it."""

    url: str = ""
    status: int = 201
    headers: dict[str, str] = field(default_factory=dict)
    seen: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@asynccontextmanager
async def push_service() -> AsyncIterator[Service]:
    made = Service()

    async def take(request: web.Request) -> web.Response:
        made.seen.append((dict(request.headers), await request.read()))
        return web.Response(status=made.status, headers=made.headers)

    app = web.Application()
    app.router.add_post("/s/{name}", take)
    async with TestServer(app) as server:
        made.url = str(server.make_url("/s/1"))
        yield made


@pytest.fixture
def vapid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key file, and settings that allow a push service on this machine."""
    key = ec.generate_private_key(ec.SECP256R1())
    file = tmp_path / "vapid.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    monkeypatch.setenv("TOCSIN_PUSH_KEY", str(file))
    monkeypatch.setenv("TOCSIN_PUSH_CONTACT", "mailto:duty@example.org")
    monkeypatch.setenv("TOCSIN_PUSH_PRIVATE", "true")
    return file


async def test_the_device_reads_it_and_the_service_knows_the_sender(vapid: Path, peer: Told) -> None:
    """npm's http_ece opens what a push service was sent; npm's jws verifies the sender for just that service."""
    async with push_service() as service, judge() as node, driving(WebPush) as driver:
        device = Device(service.url)
        sent = await driver.send(message(to=device.subscription.as_text()))
        assert Result(Outcome.ACCEPTED, ref="d" * 32) == sent
        [(headers, body)] = service.seen
        answer = await node.ask(
            "push", body=base64.b64encode(body).decode(), device=device.private, auth=text64(device.secret)
        )
        shown = json.loads(answer["text"])
        assert ("Go now 马上走: flash flood", "Leave now, uphill.\n离家,往高处走。") == (shown["title"], shown["body"])
        assert ("https://warn.example.org/a/tok", "zh", True) == (shown["link"], shown["lang"], shown["urgent"])
        assert ("1800", "high", "c" * 32) == tuple(headers[n] for n in ("TTL", "Urgency", "Topic"))
        assert "aes128gcm" == headers["Content-Encoding"]
        found = re.fullmatch(r"vapid t=(\S+), k=(\S+)", headers["Authorization"])
        assert found is not None
        said = await node.ask("vapid", token=found[1], key=found[2])
        assert said["right"]
        assert service.url.removesuffix("/s/1") == said["claims"]["aud"]
        assert "mailto:duty@example.org" == said["claims"]["sub"]
        assert time.time() < said["claims"]["exp"] < time.time() + 86_400, "a day is the most that is allowed"
        assert "problem" in await node.ask(
            "push", body=base64.b64encode(body).decode(), device=Device().private, auth=text64(device.secret)
        )
    peer("web_push", "npm http_ece 1.2.1, jws 4.0.1", "a message only the device opens; ES256 token of the sender")


async def test_an_update_takes_the_place_of_the_alert(vapid: Path) -> None:
    """One topic and one tag for a chain; calm tiers are not urgent; a notice has a topic of its own."""
    async with push_service() as service, driving(WebPush) as driver:
        to = Device(service.url).subscription.as_text()
        for one in (message(to=to, warning_id="b" * 32), message(to=to, tier=int(Tier.BLUE)),
                    message(to=to, warning_id="", chain_id="", delivery_id="e" * 32)):  # fmt: skip
            await driver.send(one)
    topics = [headers["Topic"] for headers, _ in service.seen]
    assert ["c" * 32, "c" * 32, "e" * 32] == topics
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,32}", topic) for topic in topics)
    assert ["high", "normal", "high"] == [headers["Urgency"] for headers, _ in service.seen]


ANSWERS = [
    (200, {}, Outcome.ACCEPTED, ""),
    (202, {}, Outcome.ACCEPTED, ""),
    (400, {}, Outcome.PERMANENT, "400"),
    (401, {}, Outcome.PROVIDER_FAULT, "401"),
    (403, {}, Outcome.PROVIDER_FAULT, "403"),
    (404, {}, Outcome.PERMANENT, "gone"),
    (410, {}, Outcome.PERMANENT, "gone"),
    (413, {}, Outcome.PERMANENT, "413 too large"),
    (307, {"Location": "http://127.0.0.1:9/"}, Outcome.PERMANENT, "307"),
    (429, {"Retry-After": "17"}, Outcome.NOT_SENT, "429"),
    (429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, Outcome.NOT_SENT, "429"),
    (500, {}, Outcome.AMBIGUOUS, "500"),
    (503, {"Retry-After": "5"}, Outcome.AMBIGUOUS, "503"),
]


@pytest.mark.parametrize(("status", "headers", "meant", "code"), ANSWERS)
async def test_what_an_answer_means(
    vapid: Path, status: int, headers: dict[str, str], meant: Outcome, code: str
) -> None:
    """A subscription that is gone is the resident's alone; a key that is refused is ours; nothing is followed elsewhere."""
    async with push_service() as service, driving(WebPush) as driver:
        service.status, service.headers = status, headers
        result = await driver.send(message(to=Device(service.url).subscription.as_text()))
    assert (meant, code) == (result.outcome, result.code)
    assert (17.0 if headers.get("Retry-After") == "17" else None) == result.retry_after


async def test_nobody_there_is_not_sent(vapid: Path) -> None:
    async with driving(WebPush) as driver:
        result = await driver.send(message(to=Device("http://127.0.0.1:9/s/1").subscription.as_text()))
    assert Outcome.NOT_SENT is result.outcome


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://push.example.org/s/1", "https://127.0.0.1/s/1", "https://10.1.2.3/s/1", "https://[::1]/s/1",
        "https://169.254.169.254/latest", "https://[::ffff:10.0.0.1]/s/1", "https://localhost/s/1",
    ],
)  # fmt: skip
async def test_a_subscription_leads_to_no_private_address(
    vapid: Path, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    """Whoever writes the endpoint cannot make us call inside our own network; a name is looked at when it is resolved."""
    monkeypatch.setenv("TOCSIN_PUSH_PRIVATE", "false")
    async with driving(WebPush) as driver:
        result = await driver.send(message(to=Device(endpoint).subscription.as_text()))
    assert (Outcome.PERMANENT, "endpoint") == (result.outcome, result.code)


async def test_a_name_that_lies_inside_is_not_connected_to(vapid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_PUSH_PRIVATE", "false")

    async def inside(self: Any, host: str, port: int = 0, family: Any = 0) -> list[dict[str, Any]]:
        return [{"hostname": host, "host": "192.168.1.1", "port": port, "family": family, "proto": 0, "flags": 0}]

    monkeypatch.setattr("aiohttp.resolver.ThreadedResolver.resolve", inside)
    async with driving(WebPush) as driver:
        result = await driver.send(message(to=Device("https://push.example.org/s/1").subscription.as_text()))
    assert (Outcome.PERMANENT, "no public address") == (result.outcome, result.code)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "\uff11\uff12\uff17.0.0.1", "127\u30020.0\uff0e1"])
async def test_another_spelling_of_an_inner_address_is_none_the_less(
    vapid: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """As the system's own resolver reads them, or as no name at all."""
    monkeypatch.setenv("TOCSIN_PUSH_PRIVATE", "false")
    async with driving(WebPush) as driver:
        result = await driver.send(message(to=Device(f"https://{host}/s/1").subscription.as_text()))
    assert Outcome.PERMANENT is result.outcome
    assert result.code in ("no public address", "endpoint")


def test_a_long_text_is_cut_and_never_too_large() -> None:
    """By bytes, at the end of a sentence: Chinese takes three each. Of one that is too long nothing is left, but the link is."""
    for text in ("水" * 3000, "a" * 9000, "👩‍👩‍👧" * 900):
        made = payload(message(text=text))
        assert len(made) <= MOST_BYTES
        assert "..." == json.loads(made)["body"]
    for one, count in (("水深不到1.5米。", 300), ("Not deeper than 0.5 m. ", 300)):
        made = payload(message(text=one * count))
        assert MOST_BYTES - 100 < len(made) <= MOST_BYTES
        kept = json.loads(made)["body"].removesuffix(" ...")
        assert "" == (kept + " ").replace(one, "").strip()


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "subscription"), ("{}", "subscription"), ("[1]", "subscription"), ("null", "subscription"),
        ('{"endpoint": "https://push.example.org/s/1", "p256dh": "aa", "auth": "aa"}', "p256dh"),
        ('{"endpoint": "https://push.example.org/s/1", "p256dh": "!", "auth": "aa"}', "p256dh"),
    ],
)  # fmt: skip
async def test_what_is_no_subscription_is_told_and_ends_alone(vapid: Path, text: str, field: str) -> None:
    with pytest.raises(Refused) as told:
        read(text)
    assert field == told.value.field
    async with driving(WebPush) as driver:
        assert Result(Outcome.PERMANENT, code=field) == await driver.send(message(to=text))


async def test_a_point_off_the_curve_ends_alone(vapid: Path) -> None:
    bad = Subscription("https://push.example.org/s/1", text64(b"\x04" + b"\x01" * 64), text64(b"s" * 16))
    async with driving(WebPush) as driver:
        assert Outcome.PERMANENT is (await driver.send(message(to=bad.as_text()))).outcome


@pytest.mark.parametrize("content", ["", "no key", "rsa"])
async def test_a_bad_key_file_is_told_with_the_command_that_makes_a_good_one(vapid: Path, content: str) -> None:
    if content == "rsa":
        key = ec.generate_private_key(ec.SECP384R1())
        content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    vapid.write_text(content)  # noqa: ASYNC240 - a test's own small file
    with pytest.raises(Refused, match="openssl ecparam -genkey -name prime256v1"):
        async with driving(WebPush):
            pass


async def test_without_a_key_there_is_no_such_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    async with driving(WebPush) as driver:
        assert "not_configured" == driver.why_not()


async def test_somebody_to_write_to_is_asked_for(vapid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The public address stands in where it is https."""
    monkeypatch.delenv("TOCSIN_PUSH_CONTACT")
    async with driving(WebPush) as driver:
        assert "" == driver.why_not()
    with pytest.raises(Refused, match="TOCSIN_PUSH_CONTACT"):
        async with driving(WebPush, "http://127.0.0.1:8080"):
            pass
