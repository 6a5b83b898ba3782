"""E-mail to a real server (aiosmtpd): what its reader finds, whose fault a refusal is, how often a connection is used."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from services.channels.drivers.email import email as email_driver
from services.channels.drivers.email.email import Email
from services.channels.model.driver import Outcome
from services.shared.errors import Refused
from services.shared.tiers import Tier
from tests.kit.driving import driving, message
from tools.peers.table import Told

SILENT = "silent"


@dataclass
class Post:
    """A mail server: what came, and what it says at each command; SILENT says nothing, "drop" hangs up."""

    port: int = 0
    says: dict[str, str] = field(default_factory=dict)
    mails: list[tuple[list[str], EmailMessage, bytes]] = field(default_factory=list)
    connections: int = 0
    encrypted: list[bool] = field(default_factory=list)
    signed_in: list[str] = field(default_factory=list)

    async def _said(self, server: SMTP, at: str, otherwise: str) -> str:
        word = self.says.get(at, otherwise)
        if word == SILENT:
            await asyncio.sleep(60)
        if word == "drop":
            server.transport.close()  # type: ignore[union-attr]
        return word

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        word = await self._said(server, "MAIL", "250 OK")
        if word.startswith("250"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return word

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        word = await self._said(server, f"RCPT {address}", await self._said(server, "RCPT", "250 OK"))
        if word.startswith("250"):
            envelope.rcpt_tos.append(address)
        return word

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        raw = envelope.content
        assert isinstance(raw, bytes)
        read = BytesParser(EmailMessage, policy=default).parsebytes(raw)
        self.mails.append((list(envelope.rcpt_tos), read, raw))
        self.encrypted.append(server.transport.get_extra_info("sslcontext") is not None)  # type: ignore[union-attr]
        return await self._said(server, "DATA", "250 OK")

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        self.signed_in.append(data.login.decode())
        return AuthResult(success=data.password == b"right", handled=False)


@asynccontextmanager
async def post(
    tls: ssl.SSLContext | None = None, *, implicit: bool = False, utf8: bool = True, auth: bool = False
) -> AsyncIterator[Post]:
    """On a free port of loopback."""
    made, loop, open_ = Post(), asyncio.get_running_loop(), set[Any]()

    def factory() -> SMTP:
        made.connections += 1
        one = SMTP(
            made, hostname="localhost", ident="post", loop=loop, enable_SMTPUTF8=utf8, tls_context=None if implicit else tls,
            authenticator=made.authenticate if auth else None, auth_require_tls=not implicit and tls is not None,
            auth_exclude_mechanism=["LOGIN"],
        )  # fmt: skip
        open_.add(one)
        return one

    server = await loop.create_server(factory, "127.0.0.1", 0, ssl=tls if implicit else None)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for one in open_:
            if one.transport is not None:
                one.transport.abort()
        await asyncio.sleep(0)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Of 127.0.0.1, signed by itself: certificate and key."""
    key, folder = ec.generate_private_key(ec.SECP256R1()), tmp_path_factory.mktemp("tls")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "post.example.org")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    files = folder / "cert.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


@pytest.fixture
def tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Any:
    """settings(post, security=..., ...): as variables."""

    def put(there: Post, **more: str) -> None:
        given = {
            "host": "127.0.0.1",
            "port": str(there.port),
            "security": "none",
            "sender": "清水县应急局 <warn@example.org>",
        }
        for name, value in (given | more).items():
            monkeypatch.setenv(f"TOCSIN_SMTP_{name.upper()}", value)

    return put


async def test_a_reader_finds_what_was_written(settings: Any, peer: Told) -> None:
    """Headers whole and folded, to the resident alone, never answered by a machine; seven bits on the way."""
    async with post() as there:
        settings(there)
        subject = "马上走 Go now: flash flood - " + "南岭镇河东、下湾 " * 8
        async with driving(Email) as driver:
            text = "现在离家。\n.\n.. https://warn.example.org/a/x\n" + "长" * 2000
            sent = await driver.send(
                message(to="mei@example.org", text=text, subject=subject + "\n\tBcc: x@example.org")
            )
    assert (Outcome.ACCEPTED, "d" * 32) == (sent.outcome, sent.ref)
    [(to, mail, raw)] = there.mails
    assert ["mei@example.org"] == to
    assert "mei@example.org" == mail["To"]
    assert "清水县应急局 <warn@example.org>" == mail["From"]
    assert " ".join(f"{subject} Bcc: x@example.org".split()) == mail["Subject"]
    assert (None, None) == (mail["Bcc"], mail["Cc"])
    assert text == mail.get_content().replace("\r\n", "\n").rstrip("\n")
    assert f"<{'d' * 32}@warn.example.org>" == mail["Message-ID"]
    assert abs(parsedate_to_datetime(mail["Date"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert ("auto-generated", "zh", "urgent") == (mail["Auto-Submitted"], mail["Content-Language"], mail["Priority"])
    assert None is mail["List-Unsubscribe"], "a warning is no list"
    assert raw.isascii()
    assert max(map(len, raw.splitlines())) <= 998
    peer("email", "aiosmtpd 1.4.6, Python's email", "headers and text of a message in Chinese, to one person")


async def test_a_calm_message_is_not_urgent(settings: Any) -> None:
    async with post() as there:
        settings(there)
        async with driving(Email) as driver:
            await driver.send(message(to="mei@example.org", tier=int(Tier.BLUE)))
    assert (None, None) == (there.mails[0][1]["Priority"], there.mails[0][1]["Importance"])


@pytest.mark.parametrize(
    ("address", "envelope", "utf8", "outcome"),
    [
        ("mei@例子.example.org", "mei@xn--fsqu00a.example.org", True, Outcome.ACCEPTED),
        ("mei@例子.example.org", "mei@xn--fsqu00a.example.org", False, Outcome.ACCEPTED),
        ("美@例子.example.org", "美@xn--fsqu00a.example.org", True, Outcome.ACCEPTED),
        ("美@example.org", "", False, Outcome.PERMANENT),
        ("a@b@c", "", True, Outcome.PERMANENT),
        ("a, b@example.org", "", True, Outcome.PERMANENT),
        ("a@example.org\r\nBcc: b@example.org", "", True, Outcome.PERMANENT),
        ("<a@example.org>, <b@example.org>", "", True, Outcome.PERMANENT),
        ("", "", True, Outcome.PERMANENT),
    ],
)
async def test_addresses_of_every_script_and_none_of_two(
    settings: Any, address: str, envelope: str, utf8: bool, outcome: Outcome
) -> None:
    """A domain is spelt as the network spells it; a name beyond ASCII needs a server that takes it; no address hides another."""
    async with post(utf8=utf8) as there:
        settings(there)
        async with driving(Email) as driver:
            result = await driver.send(message(to=address))
    assert outcome is result.outcome
    assert ([[envelope]] if envelope else []) == [to for to, _, _ in there.mails]


async def test_a_burst_uses_its_connections_again(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as at once are under way; a refused address does not cost one; each is left after so many."""
    async with post() as there:
        settings(there, concurrency="3")
        there.says["RCPT nobody@example.org"] = "550 5.1.1 no such user"
        async with driving(Email) as driver:
            for n in range(4):
                few = [driver.send(message(to=f"p{n}{k}@example.org")) for k in range(3)]
                assert {Outcome.ACCEPTED} == {r.outcome for r in await asyncio.gather(*few)}
                assert Outcome.PERMANENT is (await driver.send(message(to="nobody@example.org"))).outcome
            assert (3, 12) == (there.connections, len(there.mails))
            monkeypatch.setattr(email_driver, "MOST", 1)
            await driver.send(message(to="last@example.org"))
            await driver.send(message(to="last@example.org"))
        assert 13 + 1 == len(there.mails)
        assert there.connections > 3


async def test_a_connection_the_server_left_is_made_again(settings: Any) -> None:
    """Before anything was handed over: nobody notices."""
    async with post() as there:
        settings(there)
        async with driving(Email) as driver:
            await driver.send(message(to="a@example.org"))
            there.says["MAIL"] = "drop"
            assert Outcome.NOT_SENT is (await driver.send(message(to="b@example.org"))).outcome
            there.says.clear()
            assert Outcome.ACCEPTED is (await driver.send(message(to="c@example.org"))).outcome
    assert ["a@example.org", "c@example.org"] == [to[0] for to, _, _ in there.mails]


REFUSALS = [
    ("RCPT", "550 5.1.1 no such user", Outcome.PERMANENT, "550", None),
    ("RCPT", "553 bad mailbox", Outcome.PERMANENT, "553", None),
    ("RCPT", "450 4.2.0 greylisted, try again in 5 minutes", Outcome.NOT_SENT, "450", 300.0),
    ("RCPT", "451 4.7.1 Greylisted for 42s", Outcome.NOT_SENT, "451", 42.0),
    ("RCPT", "451 4.7.1 please come again", Outcome.NOT_SENT, "451", 60.0),
    ("RCPT", "452 4.2.2 mailbox full", Outcome.NOT_SENT, "452", None),
    ("RCPT", "421 4.3.2 shutting down", Outcome.NOT_SENT, "421", None),
    ("RCPT", "530 5.7.0 sign in first", Outcome.PROVIDER_FAULT, "530", None),
    ("MAIL", "550 5.7.1 not your sender", Outcome.PROVIDER_FAULT, "550", None),
    ("MAIL", "530 5.7.0 sign in first", Outcome.PROVIDER_FAULT, "530", None),
    ("MAIL", "451 4.3.0 later", Outcome.NOT_SENT, "451", None),
    ("DATA", "554 5.7.1 looks like spam", Outcome.PERMANENT, "554", None),
    ("DATA", "451 4.3.0 local error", Outcome.NOT_SENT, "451", 60.0),
    ("DATA", "250 OK", Outcome.ACCEPTED, "", None),
]


@pytest.mark.parametrize(("at", "says", "outcome", "code", "after"), REFUSALS)
async def test_a_refusal_is_told_as_whose_it_is(
    settings: Any, at: str, says: str, outcome: Outcome, code: str, after: float | None
) -> None:
    """Theirs for good, theirs for now, or ours; a greylisting server is asked again when it wants to be."""
    async with post() as there:
        settings(there)
        there.says[at] = says
        async with driving(Email) as driver:
            result = await driver.send(message(to="mei@example.org"))
            assert (outcome, code, after) == (result.outcome, result.code, result.retry_after)
            there.says.clear()
            assert Outcome.ACCEPTED is (await driver.send(message(to="mei@example.org"))).outcome


@pytest.mark.parametrize(
    ("at", "says", "outcome"),
    [
        ("MAIL", SILENT, Outcome.NOT_SENT), ("RCPT", SILENT, Outcome.NOT_SENT), ("RCPT", "drop", Outcome.NOT_SENT),
        ("DATA", SILENT, Outcome.AMBIGUOUS), ("DATA", "drop", Outcome.AMBIGUOUS),
    ],
)  # fmt: skip
async def test_silence_before_the_text_and_after_it(
    settings: Any, monkeypatch: pytest.MonkeyPatch, at: str, says: str, outcome: Outcome
) -> None:
    """Before it nothing was sent; after it, it may have been."""
    monkeypatch.setattr(email_driver, "BEFORE_S", 0.4)
    monkeypatch.setattr(email_driver, "DATA_S", 0.4)
    async with post() as there:
        settings(there)
        there.says[at] = says
        async with driving(Email) as driver:
            assert outcome is (await driver.send(message(to="mei@example.org"))).outcome
            there.says.clear()
            assert Outcome.ACCEPTED is (await driver.send(message(to="mei@example.org"))).outcome


@pytest.mark.parametrize(
    ("security", "offered", "trusted", "outcome", "code"),
    [
        ("starttls", "starttls", True, Outcome.ACCEPTED, ""),
        ("starttls", "", True, Outcome.PROVIDER_FAULT, "no STARTTLS offered"),
        ("starttls", "starttls", False, Outcome.PROVIDER_FAULT, "certificate"),
        ("opportunistic", "starttls", True, Outcome.ACCEPTED, ""),
        ("opportunistic", "", True, Outcome.ACCEPTED, ""),
        ("tls", "tls", True, Outcome.ACCEPTED, ""),
        ("tls", "tls", False, Outcome.PROVIDER_FAULT, "certificate"),
        ("none", "starttls", True, Outcome.ACCEPTED, ""),
    ],
)
async def test_encryption_as_the_setting_wants_it(
    settings: Any, tls: ssl.SSLContext, certificate: tuple[Path, Path], security: str, offered: str, trusted: bool,
    outcome: Outcome, code: str,
) -> None:  # fmt: skip
    """What is required and not there is our fault to mend, and nothing goes out in the open."""
    async with post(tls if offered else None, implicit=offered == "tls") as there:
        settings(there, security=security, ca=str(certificate[0]) if trusted else "")
        async with driving(Email) as driver:
            result = await driver.send(message(to="mei@example.org"))
    assert (outcome, code) == (result.outcome, result.code)
    open_ = security == "none" or (security == "opportunistic" and not offered)
    assert ([not open_] if outcome is Outcome.ACCEPTED else []) == there.encrypted


@pytest.mark.parametrize(
    ("security", "encrypted", "password", "outcome", "code", "tried"),
    [
        ("starttls", True, "right", Outcome.ACCEPTED, "", 1),
        ("starttls", True, "wrong", Outcome.PROVIDER_FAULT, "535", 1),
        ("opportunistic", False, "right", Outcome.PROVIDER_FAULT, "no encryption", 0),
        ("none", False, "right", Outcome.ACCEPTED, "", 1),
    ],
)
async def test_signing_in(
    settings: Any, tls: ssl.SSLContext, certificate: tuple[Path, Path], security: str, encrypted: bool, password: str,
    outcome: Outcome, code: str, tried: int,
) -> None:  # fmt: skip
    """A wrong password fails nobody; a password never goes where it could be read, unless the setting says so."""
    async with post(tls if encrypted else None, auth=True) as there:
        settings(there, security=security, ca=str(certificate[0]), username="warn", password=password)
        async with driving(Email) as driver:
            result = await driver.send(message(to="mei@example.org"))
    assert (outcome, code, tried) == (result.outcome, result.code, len(there.signed_in))


async def test_nobody_there_is_not_sent(settings: Any) -> None:
    there = Post(port=9)
    settings(there)
    async with driving(Email) as driver:
        assert Outcome.NOT_SENT is (await driver.send(message(to="mei@example.org"))).outcome


@pytest.mark.parametrize(
    ("name", "value"), [("SENDER", "nobody"), ("SENDER", "a@b, c@d"), ("SECURITY", "maybe"), ("CA", "/nowhere/at.all")]
)
async def test_a_setting_that_is_wrong_is_told(
    settings: Any, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    settings(Post(port=25))
    monkeypatch.setenv(f"TOCSIN_SMTP_{name}", value)
    with pytest.raises(Refused, match=f"TOCSIN_SMTP_{name}"):
        async with driving(Email):
            pass
