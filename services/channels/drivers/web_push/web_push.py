"""Web push: a notification on the device a resident chose on their page (RFC 8030); what they say comes by its link.

A push service that takes the message is `accepted`: whether the device is on nobody says. 404 and 410 mean that this
subscription is gone; 401 and 403 that our key is refused, which is no resident's fault; 429 and a connection that was
never made were surely not taken; 5xx, silence and a lost connection may have been.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import aiohttp
from aiohttp import web
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.channels.drivers.web_push.encryption import MOST_BYTES, Vapid, encrypt
from services.channels.model.driver import Channel, Outcome, Receivers, Result, Spec, Tools
from services.channels.model.final_check import traced
from services.channels.model.http_call import NotSent, Response, http_call
from services.channels.model.outbound import Outbound
from services.shared.clock import wall
from services.shared.errors import NotFound, Refused
from services.shared.ledger.states import GONE
from services.shared.people.push_subscription import read
from services.shared.settings import Environment
from services.shared.text.sentences import first, prefixes
from services.shared.tiers import Tier
from services.shared.web.outgoing_addresses import CheckedResolver, OutOfReach, check_push_service

_CODES = {404: GONE, 410: GONE, 413: "413 too large"}


class PushSettings(Environment):
    """TOCSIN_PUSH_...; without a key the channel says `not_configured`."""

    model_config = SettingsConfigDict(env_prefix="TOCSIN_PUSH_")

    key: Path | None = Field(None, description="PEM private key on P-256; another key ends all subscriptions")
    contact: str = Field("", pattern="^((mailto:|https://).+)?$", description="whom a push service writes to")
    concurrency: int = Field(20, ge=1, le=200)


class WebPush:
    """One channel: a resident's device."""

    name = "web_push"
    channels = (Channel("push", ("push",), two_way=True, links=True),)

    def __init__(self, tools: Tools) -> None:
        self._settings = tools.settings.part(PushSettings)
        self._private = tools.settings.push_private
        self._vapid: Vapid | None = None
        if self._settings.key is not None:
            contact = self._settings.contact or (tools.public_url if tools.public_url.startswith("https://") else "")
            if not contact:
                raise Refused(
                    "TOCSIN_PUSH_CONTACT: push services want somebody to write to; give mailto:you@example.org",
                    field="TOCSIN_PUSH_CONTACT", rule="required",
                )  # fmt: skip
            self._vapid = Vapid(self._settings.key, contact)
        self.concurrency = self._settings.concurrency
        self._session: aiohttp.ClientSession | None = None

    def why_not(self) -> str:
        return "" if self._vapid else "not_configured"

    async def start(self, receivers: Receivers) -> None:
        """Connections of its own: a resident's device names the host, so each one's address is looked at."""
        resolver = CheckedResolver(private=self._private, remedy="set TOCSIN_PUSH_PRIVATE where that is meant")
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, resolver=resolver),
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[traced()],
        )

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, message: Outbound) -> Result:
        if self._vapid is None or self._session is None:
            return Result(Outcome.NOT_SENT, code="not_configured")
        try:
            device = read(message.to)
            check_push_service(device.endpoint, private=self._private)
            body = encrypt(payload(message), device)
        except (Refused, ValueError) as wrong:
            return Result(Outcome.PERMANENT, code=getattr(wrong, "field", "") or "no key")
        headers = {
            "Authorization": self._vapid.header(device.endpoint, wall()),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(message.seconds_left),
            "Urgency": "high" if message.tier >= Tier.ORANGE else "normal",
            "Topic": topic(message),
        }
        try:
            called = await http_call(self._session, "POST", device.endpoint, headers=headers, data=body)
        except OutOfReach:
            return Result(Outcome.PERMANENT, code="no public address")
        match called:
            case Response() as answer:
                return outcome(answer, message.delivery_id)
            case NotSent(because="no address"):
                return Result(Outcome.PERMANENT, code="endpoint")
            case failed:
                return failed.result

    def routes(self, receivers: Receivers) -> Iterable[web.AbstractRouteDef]:
        return (web.get("/callbacks/web_push/key", self._public),)

    async def _public(self, request: web.Request) -> web.Response:
        """Our public key, which a browser subscribes with."""
        if self._vapid is None:
            raise NotFound("this installation sends no push messages", field="TOCSIN_PUSH_KEY", rule="required")
        return web.Response(text=self._vapid.public)


def topic(message: Outbound) -> str:
    """One for a warning and what follows it: an update replaces what the device has not fetched yet."""
    return (message.chain_id or message.warning_id or message.delivery_id)[:32]


def payload(message: Outbound) -> bytes:
    """What the device shows, as JSON: title, body, link, tag, lang, urgent; of a long body the last sentences are left out."""
    shown = {
        "title": message.subject, "body": message.text, "link": message.link, "tag": topic(message),
        "lang": message.language, "urgent": message.tier >= Tier.ORANGE,
    }  # fmt: skip
    made = json.dumps(shown, ensure_ascii=False).encode()
    if len(made) <= MOST_BYTES:
        return made
    body = first(message.text, MOST_BYTES)  # a character is a byte or more: what is longer never fits
    for shown["body"] in (*(f"{one} ..." for one in prefixes(body)), "..."):
        if len(made := json.dumps(shown, ensure_ascii=False).encode()) <= MOST_BYTES:
            break
    return made


def outcome(answer: Response, ref: str) -> Result:
    """What a push service's answer means."""
    status = answer.status
    if 200 <= status < 300:
        return Result(Outcome.ACCEPTED, ref=ref)
    code = _CODES.get(status, str(status))
    if status == 429:
        return Result(Outcome.NOT_SENT, code=code, retry_after=answer.retry_after)
    if status in (401, 403):
        return Result(Outcome.PROVIDER_FAULT, code=code)
    return Result(Outcome.PERMANENT if status < 500 else Outcome.AMBIGUOUS, code=code)


DRIVER = Spec(WebPush.name, WebPush)
