"""A machine signs its requests (RFC 9421): what it signed is taken once, and every part that is wrong is named."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import http_sf
import pytest
import sqlalchemy as sa
from aiohttp.test_utils import make_mocked_request
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_public_key
from yarl import URL

from services.shared.audit import trail
from services.shared.clock import wall
from services.shared.tiers import Tier
from services.shared.web import signed_requests
from services.shared.web.auth import create_key, revoke_key
from services.shared.web.signed_requests import read_signature, signature_base
from tests.kit import alerts
from tests.kit.town import Town, open_town

SIGN = Path(__file__).parents[3] / "tools" / "peers" / "sign.js"
# RFC 9421, B.1.4 and B.2.6
PUBLIC = b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n-----END PUBLIC KEY-----\n"
SENT = {
    "Host": "example.com",
    "Date": "Tue, 20 Apr 2021 02:07:55 GMT",
    "Content-Type": "application/json",
    "Content-Length": "18",
    "Signature-Input": 'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length")'
    ';created=1618884473;keyid="test-key-ed25519"',
    "Signature": "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
}
ALL = ("@method", "@authority", "@path", "@query", "content-digest")


def test_the_vector_of_the_rfc_holds_and_altered_does_not() -> None:
    key: Any = load_pem_public_key(PUBLIC)
    request = make_mocked_request("POST", "/foo?param=Value&Pet=dog", headers=SENT)
    signature = read_signature(request)
    key.verify(signature.octets, signature_base(request, signature.covered, signature.written))
    for method, path, headers in (
        ("PUT", "/foo", SENT),
        ("POST", "/fop", SENT),
        ("POST", "/foo", SENT | {"Host": "example.org"}),
        ("POST", "/foo", SENT | {"Content-Length": "19"}),
    ):
        request = make_mocked_request(method, path, headers=headers)
        with pytest.raises(InvalidSignature):
            key.verify(signature.octets, signature_base(request, signature.covered, signature.written))


class Machine:
    """A sender with a private key of its own."""

    def __init__(self, town: Town, key_id: str, private: Ed25519PrivateKey) -> None:
        self.town, self.key_id, self.private = town, key_id, private

    def signed(
        self, method: str, path: str, body: bytes, *, covered: tuple[str, ...] = ALL, **params: Any
    ) -> dict[str, str]:
        """The fields of a request; `params` in place of the usual ones, None leaves one out."""
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        values = {
            "@method": method,
            "@authority": urlsplit(self.town.url).netloc,
            "@path": path.partition("?")[0],
            "@query": f"?{path.partition('?')[2]}",
            "content-digest": f"sha-256=:{digest}:",
        }
        usual = {"created": int(wall()), "keyid": self.key_id, "nonce": secrets.token_urlsafe(16)} | params
        inner: Any = (
            [(name, {}) for name in covered],
            {name: value for name, value in usual.items() if value is not None},
        )
        written = http_sf.ser({"s": inner}).partition("=")[2]
        lines = [f'"{name}": {values[name]}' for name in covered] + [f'"@signature-params": {written}']
        octets = base64.b64encode(self.private.sign("\n".join(lines).encode())).decode()
        return {
            "Content-Type": "application/cap+xml",
            "Content-Digest": values["content-digest"],
            "Signature-Input": f"s={written}",
            "Signature": f"s=:{octets}:",
        }

    async def send(
        self, headers: dict[str, str], body: bytes, path: str = "/api/v1/warnings?strict=false&release=false"
    ) -> tuple[int, Any]:
        async with self.town.session.post(self.town.url + path, data=body, headers=headers) as response:
            return response.status, await response.json(content_type=None)


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    async with open_town(tmp_path, start=alerts.START) as town:
        private = Ed25519PrivateKey.generate()
        key_id = await create_key(
            town.node.platform.database, name=town.authority, label="river gauge", actions=["read", "draft"],
            max_tier=Tier.RED, alone=None, public_key=private.public_key().public_bytes_raw(),
        )  # fmt: skip
        yield Machine(town, key_id, private)


PATH, BODY = "/api/v1/warnings?strict=false&release=false", alerts.flood("R-SIGNED").encode()


async def test_a_signed_alert_is_taken_and_the_log_names_the_machine(machine: Machine) -> None:
    """Once: the same request again is refused, also by a process that has just started, for the nonce is in the database."""
    headers = machine.signed("POST", PATH, BODY)
    status, taken = await machine.send(headers, BODY)
    assert (202, "draft") == (status, taken["state"]), taken
    status, again = await machine.send(headers, BODY)
    assert (401, "nonce") == (status, again["field"])
    actors = await machine.town.rows(sa.select(trail.audit_log.c.actor).where(trail.audit_log.c.act == "take"))
    assert {"river gauge"} == {row.actor for row in actors}
    headers = machine.signed("GET", "/api/v1/warnings", b"", covered=ALL[:4])
    async with machine.town.session.get(f"{machine.town.url}/api/v1/warnings", headers=headers) as response:
        assert 200 == response.status


@pytest.mark.parametrize(
    ("field", "params"),
    [
        ("created", {"created": None}),
        ("created", {"created": 1618884473}),
        ("created", {"expires": 1}),
        ("nonce", {"nonce": None}),
        ("nonce", {"nonce": "short"}),
        ("keyid", {"keyid": None}),
        ("keyid", {"keyid": "0" * 32}),
        ("alg", {"alg": "hmac-sha256"}),
        *(("Signature-Input", {"covered": tuple(one for one in ALL if one != left)}) for left in ALL),
    ],
)
async def test_each_part_that_is_wrong_is_named(machine: Machine, field: str, params: dict[str, Any]) -> None:
    status, fault = await machine.send(machine.signed("POST", PATH, BODY, **params), BODY)
    assert (401, field, "signature") == (status, fault["field"], fault["rule"]), fault


async def test_what_was_signed_is_what_came(machine: Machine) -> None:
    """Another body, path, query, key or field, and a signature that is none: refused, and nothing is taken."""
    before = await machine.town.shape()
    signed = machine.signed("POST", PATH, BODY)
    other = BODY.replace(b"R-SIGNED", b"R-OTHER1")
    tries = [
        ("Content-Digest", signed, other, PATH),
        ("Signature", signed, BODY, "/api/v1/warnings?strict=true&release=false"),
        ("Signature", signed | {"Host": "elsewhere.example"}, BODY, PATH),
        ("Signature", signed | {"Signature": "s=:AAAA:"}, BODY, PATH),
        ("Signature", signed | {"Signature": "t=:AAAA:"}, BODY, PATH),
        ("Signature-Input", signed | {"Signature-Input": "s=("}, BODY, PATH),
        ("Content-Type", signed | {"Content-Type": "text/csv"}, BODY, PATH),
    ]
    for field, headers, body, path in tries:
        status, fault = await machine.send(headers, body, path)
        assert (401, field) == (status, fault["field"]), fault
    assert before == await machine.town.shape()
    assert 202 == (await machine.send(signed, BODY))[0], "what is refused spends no nonce"


async def test_time_and_revocation_end_it(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The skew to both sides; a nonce is kept longer than its signature is taken; a revoked key signs nothing."""
    headers, now = machine.signed("POST", PATH, BODY), wall()
    for later in (signed_requests.SKEW_S + 2, -signed_requests.SKEW_S - 2):
        with monkeypatch.context() as patch:
            patch.setattr(signed_requests, "wall", lambda later=later: now + later)
            assert "created" == (await machine.send(headers, BODY))[1]["field"]
    early = machine.signed("POST", PATH, BODY, created=int(now + signed_requests.SKEW_S - 5))
    assert 202 == (await machine.send(early, BODY))[0]
    monkeypatch.setattr(signed_requests, "wall", lambda: now + 2 * signed_requests.SKEW_S - 10)
    await machine.send(machine.signed("POST", PATH, BODY, created=int(now + 2 * signed_requests.SKEW_S - 10)), BODY)
    assert "nonce" == (await machine.send(early, BODY))[1]["field"]
    monkeypatch.undo()
    await revoke_key(machine.town.node.platform.database, machine.key_id, actor="tests", reason="stolen")
    assert "keyid" == (await machine.send(machine.signed("POST", PATH, BODY), BODY))[1]["field"]


async def test_its_grant_binds_a_signed_request_and_the_id_opens_nothing(machine: Machine) -> None:
    """The key's id is no key; what the grant does not hold is refused as ever."""
    async with machine.town.session.get(
        f"{machine.town.url}/api/v1/warnings", headers={"Authorization": f"Bearer {machine.key_id}"}
    ) as response:
        assert 401 == response.status
    headers = machine.signed("GET", "/console/log", b"", covered=ALL[:4])
    async with machine.town.session.get(f"{machine.town.url}/console/log", headers=headers) as response:
        assert 403 == response.status


@pytest.mark.parametrize(
    "query", ["?strict=false&release=false", "?release=false&strict=false&x=%E6%B4%AA%2F%2B+", "?release=false&"]
)
async def test_what_another_library_signs_is_taken(machine: Machine, query: str) -> None:
    """npm's http-message-signatures, also with an address that has odd signs in it."""
    url = f"{machine.town.url}/api/v1/warnings{query}"
    private = machine.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    digest = base64.b64encode(hashlib.sha512(BODY).digest()).decode()
    asked = {
        "method": "POST", "url": url, "private": private, "keyid": machine.key_id, "created": int(wall()),
        "nonce": secrets.token_urlsafe(16), "fields": [*ALL, "content-type"],
        "headers": {"content-type": "application/cap+xml", "content-digest": f"sha-512=:{digest}:"},
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec("node", str(SIGN), stdin=PIPE, stdout=PIPE)
    said, _ = await process.communicate(json.dumps(asked).encode())
    headers = json.loads(said)
    async with machine.town.session.post(URL(url, encoded=True), data=BODY, headers=headers) as response:
        assert 202 == response.status, await response.text()
