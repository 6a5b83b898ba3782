"""A mail server on loopback whose readers open the answer link of what they get."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default

from aiosmtpd.smtp import SMTP, Envelope, Session

_LINK = re.compile(r"https?://\S+/a/\S+")


@dataclass(frozen=True)
class Mail:
    """One e-mail as it came; `delivery` is the id in its Message-ID."""

    to: str
    subject: str
    body: str
    delivery: str
    link: str


class Mailbox:
    """Takes mail for everybody; `arrived` is told of each."""

    def __init__(self, arrived: Callable[[Mail], None]) -> None:
        self._arrived = arrived
        self._server: asyncio.Server | None = None
        self.refuse: dict[str, str] = {}  # address > SMTP reply such as "550 5.1.1 no such user"
        self.mails: list[Mail] = []
        self.port = 0

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listens on the running loop; port 0 takes a free one."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, enable_SMTPUTF8=True, hostname="localhost", ident="mailbox", loop=loop), host, port
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Takes no more."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accepts every address but those told to refuse."""
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keeps the mail, one for each recipient, and tells whoever reads it."""
        content = envelope.content
        raw = content if isinstance(content, bytes) else (content or "").encode()
        message = BytesParser(EmailMessage, policy=default).parsebytes(raw)
        part = message.get_body(("plain", "html"))
        body = part.get_content() if part is not None else ""
        link = _LINK.search(body)
        delivery = str(message.get("Message-ID", "")).strip("<>").partition("@")[0]
        for to in envelope.rcpt_tos:
            mail = Mail(to, str(message.get("Subject", "")), body, delivery, link.group(0) if link else "")
            self.mails.append(mail)
            self._arrived(mail)
        return "250 OK"
