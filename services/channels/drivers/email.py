"""E-mail over SMTP: accepted by the mail server is accepted and nothing more; the answer comes by the link in it."""

from __future__ import annotations

from email.message import EmailMessage

import aiosmtplib
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.channels.driver import Outcome, Result, Road, Spec, Tools
from services.channels.outbound import Outbound
from services.shared.settings import Environment


class EmailSettings(Environment):
    """TOCSIN_SMTP_...; without a host the road says `not_configured`."""

    model_config = SettingsConfigDict(env_prefix="TOCSIN_SMTP_", extra="ignore")

    host: str = ""
    port: int = Field(587, ge=1, le=65535)
    username: str = ""
    password: SecretStr = SecretStr("")
    sender: str = "warnings@localhost"
    start_tls: bool | None = Field(None, description="empty: where the server offers it")
    concurrency: int = Field(10, ge=1, le=100)


class Email:
    """One road: a resident's mailbox."""

    name = "email"
    roads = (Road("email", ("email",), two_way=True, links=True),)

    def __init__(self, tools: Tools) -> None:
        self._settings = EmailSettings()
        self.concurrency = self._settings.concurrency

    def why_not(self) -> str:
        return "" if self._settings.host else "not_configured"

    async def send(self, message: Outbound) -> Result:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self._settings.sender, message.to, message.subject
        mail["Message-ID"] = f"<{message.delivery_id}@tocsin>"
        mail["Content-Language"] = message.language
        mail["Importance"] = "high"
        mail.set_content(message.text)
        client = aiosmtplib.SMTP(
            hostname=self._settings.host, port=self._settings.port, timeout=10, start_tls=self._settings.start_tls
        )
        handed_over = False
        try:
            async with client:
                if self._settings.username:
                    await client.login(self._settings.username, self._settings.password.get_secret_value())
                handed_over = True
                await client.send_message(mail)
        except aiosmtplib.SMTPRecipientsRefused as refused:
            code = refused.recipients[0].code if refused.recipients else 550
            return Result(Outcome.NOT_SENT if code < 500 else Outcome.PERMANENT, code=str(code))
        except aiosmtplib.SMTPAuthenticationError as wrong:
            return Result(Outcome.PROVIDER_FAULT, code=str(wrong.code))
        except aiosmtplib.SMTPResponseException as answer:
            return Result(Outcome.NOT_SENT if answer.code < 500 else Outcome.PERMANENT, code=str(answer.code))
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as problem:
            return Result(Outcome.AMBIGUOUS if handed_over else Outcome.NOT_SENT, code=type(problem).__name__)
        return Result(Outcome.ACCEPTED, ref=message.delivery_id)


DRIVER = Spec(Email.name, Email)
