"""E-mail over SMTP: accepted by the mail server is accepted and nothing more; the answer comes by the link in it.

A refusal of the address is the resident's (5xx: for good; 4xx, greylisting among them: again after a while). One of our name,
password, sender or encryption is our fault and fails nobody. What happens before the text is handed over was surely not
sent; a lost connection or silence after it may have been. A bounce that comes back later as a message is not read: who does
not answer is looked for on other channels anyway.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import aiosmtplib
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.channels.drivers.email.message import address_of, compose, needs_utf8
from services.channels.model.driver import Channel, Outcome, Receivers, Result, Spec, Tools
from services.channels.model.final_check import last_look
from services.channels.model.outbound import Outbound
from services.shared.clock import wall
from services.shared.errors import Refused
from services.shared.settings import Environment

BEFORE_S, DATA_S = 5.0, 6.0  # until the text is handed over; until it is answered
IDLE_S, MOST = 20.0, 50  # a connection is kept so long, and used for so many
GREYLISTED_S = 60.0  # where the server does not say when to come again
_OURS = (530, 534, 535, 538)  # not signed in, or not well enough
_WAIT = re.compile(r"(\d{1,4})\s*(s|sec|m|min)", re.IGNORECASE)


class EmailSettings(Environment):
    """TOCSIN_SMTP_...; without a host the channel says `not_configured`."""

    model_config = SettingsConfigDict(env_prefix="TOCSIN_SMTP_")

    host: str = ""
    port: int = Field(587, ge=1, le=65535)
    username: str = ""
    password: SecretStr = SecretStr("")
    sender: str = "warnings@localhost"
    security: Literal["starttls", "opportunistic", "tls", "none"] = Field(
        "opportunistic",
        description="starttls: or nothing; opportunistic: where offered, and no password without; tls: from the first byte",
    )
    ca: Path | None = Field(
        None, description="PEM certificates that the server's is checked against, instead of the system's"
    )
    concurrency: int = Field(10, ge=1, le=100)


class _Ours(Exception):
    """What the server wants of us and does not get; the words are the code."""


class _Line:
    """A connection that was signed in, and how often it was used."""

    def __init__(self, client: aiosmtplib.SMTP) -> None:
        self.client = client
        self.used = 0
        self.since = wall()

    @property
    def good(self) -> bool:
        return self.client.is_connected and self.used < MOST and wall() - self.since < IDLE_S


class Email:
    """One channel: a resident's mailbox."""

    name = "email"
    channels = (Channel("email", ("email",), two_way=True, links=True),)

    def __init__(self, tools: Tools) -> None:
        self._settings = tools.settings.part(EmailSettings)
        self.concurrency = self._settings.concurrency
        self._host = urlsplit(tools.public_url).hostname or "localhost"
        self._idle: list[_Line] = []
        try:
            self._sender = address_of(self._settings.sender)
        except Refused as wrong:
            raise Refused(
                f"TOCSIN_SMTP_SENDER={self._settings.sender}: {wrong.message}: give one like warnings@example.org",
                field="TOCSIN_SMTP_SENDER", rule=wrong.rule,
            ) from wrong  # fmt: skip
        if self._settings.ca is not None and not self._settings.ca.is_file():
            raise Refused(
                f"TOCSIN_SMTP_CA={self._settings.ca} is no file: give PEM certificates", field="TOCSIN_SMTP_CA"
            )

    def why_not(self) -> str:
        return "" if self._settings.host else "not_configured"

    async def start(self, receivers: Receivers) -> None:
        """Nothing is connected to before there is something to send."""

    async def stop(self) -> None:
        while self._idle:
            await _leave(self._idle.pop())

    async def send(self, message: Outbound) -> Result:
        try:
            to = address_of(message.to)
            text = compose(message, self._sender, to, self._host, datetime.fromtimestamp(wall(), UTC))
        except (Refused, ValueError):
            return Result(Outcome.PERMANENT, code="no address")
        wide = needs_utf8(self._sender, to)
        line: _Line | None = None
        try:
            async with asyncio.timeout(BEFORE_S):
                line = await self._line()
                try:
                    await self._envelope(line, to.addr_spec, wide=wide)
                except aiosmtplib.SMTPServerDisconnected:
                    if not line.used:
                        raise
                    line = _Line(await self._connect())  # it had been left by the server meanwhile
                    await self._envelope(line, to.addr_spec, wide=wide)
            await last_look()
        except (aiosmtplib.SMTPException, OSError, TimeoutError, _Ours) as problem:
            await self._after(line, problem)
            return _before(problem)
        except BaseException:
            await self._after(line, None)
            raise
        result = Result(Outcome.ACCEPTED, ref=message.delivery_id)
        try:
            await line.client.data(text, timeout=DATA_S)
        except aiosmtplib.SMTPDataError as answer:
            result = _refused(answer.code, answer.message)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as problem:
            line.client.close()
            return Result(Outcome.AMBIGUOUS, code=type(problem).__name__)
        except BaseException:
            line.client.close()
            raise
        self._keep(line)
        return result

    async def _line(self) -> _Line:
        """One that is there, else a new one."""
        while self._idle:
            line = self._idle.pop()
            if line.good:
                return line
            await _leave(line)
        return _Line(await self._connect())

    def _keep(self, line: _Line) -> None:
        line.used, line.since = line.used + 1, wall()
        if line.good and len(self._idle) < self.concurrency:
            self._idle.append(line)
        else:
            line.client.close()

    async def _connect(self) -> aiosmtplib.SMTP:
        s = self._settings
        client = aiosmtplib.SMTP(
            hostname=s.host, port=s.port, timeout=BEFORE_S, local_hostname=self._host, use_tls=s.security == "tls",
            start_tls=False, cert_bundle=str(s.ca) if s.ca is not None else None,
        )  # fmt: skip
        try:
            await client.connect()
            await client.ehlo()
            if s.security in ("starttls", "opportunistic"):
                if client.supports_extension("starttls"):
                    await client.starttls()
                    await client.ehlo()
                elif s.security == "starttls":
                    raise _Ours("no STARTTLS offered")
            if s.username:
                if s.security != "none" and client.get_transport_info("sslcontext") is None:
                    raise _Ours("no encryption")
                if not client.supports_extension("auth"):
                    raise _Ours("no AUTH offered")
                await client.login(s.username, s.password.get_secret_value())
        except BaseException:
            client.close()
            raise
        return client

    async def _envelope(self, line: _Line, to: str, *, wide: bool) -> None:
        if wide and not line.client.supports_extension("smtputf8"):
            raise aiosmtplib.SMTPRecipientRefused(553, "no SMTPUTF8", to)
        options, encoding = (["SMTPUTF8"], "utf-8") if wide else ([], "ascii")
        await line.client.mail(self._sender.addr_spec, options=options, encoding=encoding)
        await line.client.rcpt(to, encoding=encoding)

    async def _after(self, line: _Line | None, problem: BaseException | None) -> None:
        """A refused address leaves the connection for the next; whatever else ends it."""
        if line is None:
            return
        if isinstance(problem, aiosmtplib.SMTPRecipientRefused) and problem.code != 421:
            try:
                await line.client.rset(timeout=1.0)
            except (aiosmtplib.SMTPException, OSError, TimeoutError):
                line.client.close()
            else:
                self._keep(line)
        else:
            line.client.close()


async def _leave(line: _Line) -> None:
    try:
        await line.client.quit(timeout=1.0)
    except (aiosmtplib.SMTPException, OSError, TimeoutError):
        line.client.close()


def _before(problem: BaseException) -> Result:
    """What a failure before the text was handed over means: in no case was it sent."""
    cause: BaseException | None = problem
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return Result(Outcome.PROVIDER_FAULT, code="certificate")
        cause = cause.__cause__
    match problem:
        case _Ours():
            return Result(Outcome.PROVIDER_FAULT, code=str(problem))
        case aiosmtplib.SMTPAuthenticationError() | aiosmtplib.SMTPSenderRefused() | aiosmtplib.SMTPHeloError():
            ours = problem.code >= 500  # 4xx of these pass
            return Result(Outcome.PROVIDER_FAULT if ours else Outcome.NOT_SENT, code=str(problem.code))
        case aiosmtplib.SMTPRecipientRefused():
            return _refused(problem.code, problem.message)
        case aiosmtplib.SMTPResponseException():
            return Result(Outcome.NOT_SENT, code=str(problem.code))  # it does not want to speak with us now
        case _:
            return Result(Outcome.NOT_SENT, code=type(problem).__name__)


def _refused(code: int, words: str) -> Result:
    """The address, or the text to it, is refused."""
    if code in _OURS:
        return Result(Outcome.PROVIDER_FAULT, code=str(code))
    if code >= 500:
        return Result(Outcome.PERMANENT, code="553 no SMTPUTF8" if words == "no SMTPUTF8" else str(code))
    if code < 400:
        return Result(Outcome.AMBIGUOUS, code=str(code))
    return Result(Outcome.NOT_SENT, code=str(code), retry_after=_wait(words) if code in (450, 451) else None)


def _wait(words: str) -> float:
    """Seconds until a greylisting server wants to be asked again."""
    found = _WAIT.search(words)
    if found is None:
        return GREYLISTED_S
    seconds = float(found[1]) * (60.0 if found[2].lower().startswith("m") else 1.0)
    return min(max(seconds, 1.0), 3600.0)


DRIVER = Spec(Email.name, Email)
