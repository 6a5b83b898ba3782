"""A secret that is missing opens nothing: every route, asked with everything an empty key can sign."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from services.channels.drivers.twilio.http import TwilioAccount, TwilioSettings
from services.gateway.intake.trust import Pins
from services.migrations.tables import metadata
from services.shared.crypto.sealing import USES as SIGNING
from services.shared.crypto.sealing import Keys, version_file
from services.shared.crypto.signing import Signer
from services.shared.errors import Broken, NotAllowed
from services.shared.web.auth import who_is
from tests.kit.town import Town, open_town

ID = "0123456789abcdef" * 2
USES = ("answer", "list", "callout", "helper", "device", "shaker", "sms", "sound", "voice", "cookie", "console", "me")
# what anybody may read, and where anybody may ask to be let in; whatever else answers 2xx has let a stranger in
OPEN_TO_ALL = (
    "/static/",
    "/vendor/",
    "/public/",
    "/cap/",
    "/livez",
    "/readyz",
    "/metrics",
    "/me/device.js",
    "/me/device-worker.js",
    "/l/worker.js",
)
LETS_IN = ("/console/sign-in", "/me", "/me/start", "/me/code")
CALLBACKS = (
    "/callbacks/sms_twilio/inbound", f"/callbacks/sms_twilio/status/{ID}.code", f"/callbacks/voice_twilio/status/{ID}.code",
    f"/callbacks/voice_twilio/keys/{ID}.code",
)  # fmt: skip
UNCOUNTED = {
    "instance",
    "registry_challenge",
    "sign_in",
    "account_attempt",
}  # a probe of ours; asking for a code or a sign-in, and being counted for it, is anybody's


def mac(use: str, subject: str) -> bytes:
    return hmac.new(b"", use.encode() + b"\0" + subject.encode(), hashlib.sha256).digest()


def token(use: str) -> str:
    """As a link carries it, had the key been empty."""
    return f"{ID}.{base64.b32encode(mac(use, ID)[:10]).decode().lower()}"


def url64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def cookies() -> Iterator[dict[str, str]]:
    """Whoever may do everything, in each form a cookie was ever made in."""
    actions = ["read", "draft", "send", "cancel", "command", "register", "look"]
    body = json.dumps([[ID, "x", "x", actions, 4, "", [], []], time.time() + 3600], separators=(",", ":")).encode()
    yield {"tocsin": f"{url64(body)}.{url64(hmac.new(b'', b'cookie' + bytes(1) + body, hashlib.sha256).digest())}"}
    subject = f"{ID}.{int(time.time()):x}.nonce"
    yield {"tocsin": f"{subject}.{url64(mac('console', subject))}"}
    subject = f"{'a' * 64}_{ID}_self__{int(time.time() + 3000):x}"
    yield {"tocsin_me": f"{subject}.{base64.b32encode(mac('me', subject)[:10]).decode().lower()}"}
    subject += "_nonce"
    yield {"tocsin_me": f"{subject}.{url64(mac('me', subject))}"}


def tries(pattern: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each cookie, and where there is a token one for each use."""
    yield from ((USES[0], cookie) for cookie in ({}, *cookies()))
    if "token" in pattern:
        yield from ((use, {}) for use in USES[1:])


async def counts(desk: Town) -> dict[str, int]:
    """How many rows each table has."""
    async with desk.node.platform.database.read() as db:
        tables = [t for name, t in metadata.tables.items() if name not in UNCOUNTED]
        return {t.name: int(await db.scalar(sa.select(sa.func.count()).select_from(t)) or 0) for t in tables}


@pytest.fixture
async def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A Tocsin whose every secret is empty, as compose files pass them on."""
    for name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_FROM_NUMBER", "SMPP_PASSWORD", "SMTP_PASSWORD",
                 "DEVICES_PASSWORD", "CELL_BROADCAST_TOKENS", "PUSH_KEY"):  # fmt: skip
        monkeypatch.setenv(f"TOCSIN_{name}", "")
    async with open_town(tmp_path / "data") as made:
        yield made


async def test_no_route_believes_what_an_empty_key_signs(bare: Town) -> None:
    """Each route by each method, with tokens, cookies, Bearer and Twilio's signature made with an empty key."""
    await bare.node.step()
    before, asked = await counts(bare), 0
    form = {
        "From": "+8613800000001",
        "Body": "STOP",
        "MessageSid": "SM" + ID,
        "MessageStatus": "delivered",
        "Digits": "1",
    }
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        routes = [(r.method, r.resource.canonical) for r in bare.node.runner.app.router.routes() if r.resource]
        assert len(routes) > 100
        for method, pattern in routes:
            if method == "HEAD" or pattern == "/" or pattern.startswith(OPEN_TO_ALL):  # the first page is everybody's
                continue
            assert not pattern.startswith("/callbacks/"), f"{pattern}: there, though nobody can sign"
            for use, cookie in tries(pattern):
                parts = (
                    (token(use) if "token" in part else ID) if "{" in part else part for part in pattern.split("/")
                )
                url = bare.url + "/".join(parts)
                headers = {"X-Twilio-Signature": RequestValidator("").compute_signature(url, form)}
                if cookie:
                    headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookie.items())
                else:
                    headers["Authorization"] = "Bearer "
                body = form if method == "POST" else None
                async with session.request(method, url, headers=headers, allow_redirects=False, data=body) as answer:
                    asked += 1
                    inside = answer.status < 300 and pattern not in LETS_IN
                    assert not inside, f"{method} {pattern} with {cookie or use}: {answer.status}"
                    assert answer.status < 500, f"{method} {pattern}: {answer.status}"
                    if 300 <= answer.status < 400:
                        to = answer.headers["Location"].partition("?")[0]
                        assert pattern == "/" or to in ("/console/sign-in", "/me", "/me/code", "/register"), (
                            f"{pattern} > {to}"
                        )
    assert asked > 500
    assert before == await counts(bare)


async def test_a_channel_that_is_not_set_up_has_no_address(bare: Town) -> None:
    """A STOP, an answer, a receipt for it: 404 each, and nothing is kept."""
    before = await counts(bare)
    for path in CALLBACKS:
        for body in ("STOP", "1", "2", "START"):
            form = {"From": "+999718167944", "Body": body, "MessageSid": "SM1", "CallSid": "CA1", "Digits": "2"}
            signature = RequestValidator("").compute_signature(bare.url + path, form)
            async with bare.session.post(
                bare.url + path, data=form, headers={"X-Twilio-Signature": signature}
            ) as answer:
                assert 404 == answer.status, path
    assert before == await counts(bare)


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4), st.text("abc/?=&é", max_size=12))
def test_an_account_without_a_token_verifies_nothing(form: dict[str, str], path: str) -> None:
    """Whatever is signed with the empty token, or with none."""
    url = f"https://warn.example.org/{path}"

    class Asked:
        path_qs = f"/{path}"

        def __init__(self, signature: str) -> None:
            self.headers = {"X-Twilio-Signature": signature}

        async def post(self) -> dict[str, str]:
            return form

    async def believed(signature: str) -> bool:
        account = TwilioAccount(TwilioSettings(auth_token=""), None, "https://warn.example.org")  # type: ignore[arg-type]
        try:
            await account.verified(Asked(signature))  # type: ignore[arg-type]
        except NotAllowed:
            return False
        return True

    for signature in (RequestValidator("").compute_signature(url, form), "", "x"):
        assert not asyncio.run(believed(signature))


async def test_an_empty_key_refuses_the_start(bare: Town, tmp_path: Path) -> None:
    """A key file without bytes, a signer without a key, a pinned certificate without one; an empty API key is nobody's."""
    keys = tmp_path / "keys"
    for name in ("audit.key", "index.key", "channels.key", *(version_file(use, 1) for use in SIGNING)):
        (keys / name).parent.mkdir(parents=True, exist_ok=True)
        (keys / name).touch(mode=0o600)
    for attribute in ("audit", "index", "private"):
        with pytest.raises(Broken, match="0 bytes where 32 are needed"):
            getattr(Keys(keys), attribute)
    for use in SIGNING:
        with pytest.raises(Broken, match="0 bytes where 32 are needed"):
            Keys(keys).signer(use)
    with pytest.raises(Broken, match="has 0 bytes"):
        Signer(b"")
    pins = tmp_path / "pins"
    pins.mkdir()
    (pins / "met@example.org.pem").touch()
    with pytest.raises(Broken):
        Pins(pins).of("met@example.org")
    async with bare.node.platform.database.read() as db:
        assert await who_is(db, "") is None
