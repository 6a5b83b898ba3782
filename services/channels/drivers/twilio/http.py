"""Shares between the Twilio drivers: settings, the call, its outcome, the signature of a callback.

Sends go over connections of their own, red's apart: forms encoded once, our time-outs, no redirects, no retry.
A 2xx with a SID is accepted; 429 and refused connections were surely not processed; 401 and 403 are our account's
fault and no person's; any failure after the request was written is ambiguous.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import urlencode

import aiohttp
import structlog
from aiohttp import web
from multidict import MultiDict
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict
from twilio.request_validator import RequestValidator
from yarl import URL

from services.channels.http.connection import Called
from services.channels.http.request import Origin, RequestHead
from services.channels.http.window import Encode, HttpWindows
from services.channels.model.driver import Outcome, Result, StatusQuestion
from services.channels.model.http_call import Response, http_call
from services.shared import telemetry
from services.shared.errors import NotAllowed
from services.shared.input.untrusted import json_of
from services.shared.ledger.states import STOPPED
from services.shared.people import phone_numbers
from services.shared.settings import Environment

log = structlog.get_logger("twilio")
# Twilio error codes > may it be tried again? (www.twilio.com/docs/api/errors); what is not here goes by HTTP status
CODES: dict[int, Outcome] = {
    20003: Outcome.PROVIDER_FAULT,  # authentication
    20005: Outcome.PROVIDER_FAULT,  # account not active
    20429: Outcome.NOT_SENT,  # too many requests
    21211: Outcome.PERMANENT,  # invalid 'To'
    21214: Outcome.PERMANENT,  # 'To' cannot be reached (voice)
    21217: Outcome.PERMANENT,  # invalid number (voice)
    21408: Outcome.PERMANENT,  # country not enabled
    21606: Outcome.PROVIDER_FAULT,  # 'From' is not ours
    21610: Outcome.PERMANENT,  # unsubscribed
    21612: Outcome.PERMANENT,  # no route from this sender
    21614: Outcome.PERMANENT,  # not a mobile number
}
UNSUBSCRIBED = "21610"


class TwilioSettings(Environment):
    """TOCSIN_TWILIO_...; without account and token the channels say `not_configured`."""

    model_config = SettingsConfigDict(env_prefix="TOCSIN_TWILIO_")

    base_url: str = "https://api.twilio.com"
    account_sid: str = ""
    auth_token: SecretStr = SecretStr("")
    from_number: str = ""
    messaging_service_sid: str = ""
    per_second: float = Field(0.0, ge=0, description="contracted rate of the sender; 0 for none")
    concurrency: int = Field(50, ge=1, le=1000)

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        Origin.of(url)
        return url

    def why_not(self, *, voice: bool) -> str:
        """Why these settings cannot send, or empty."""
        if not self.account_sid or not self.auth_token.get_secret_value():
            return "not_configured"
        if voice and not self.from_number:
            return "not_configured"
        return "" if self.from_number or self.messaging_service_sid else "not_configured"


class TwilioAccount:
    """One account over one session."""

    def __init__(self, settings: TwilioSettings, session: aiohttp.ClientSession, public_url: str) -> None:
        self.settings = settings
        self._session = session
        self._public_url = public_url
        token = settings.auth_token.get_secret_value()
        self._auth = aiohttp.encode_basic_auth(settings.account_sid, token) if token else ""
        # with an empty token anybody could sign: then there is nothing to check by, and nothing is believed
        self._validator = RequestValidator(token) if token else None  # type: ignore[no-untyped-call]

    def windows(self, encode: Encode) -> HttpWindows:
        return HttpWindows(self.settings.base_url, self.settings.concurrency, encode, result_of)

    def head(self, resource: str) -> RequestHead:
        """Of the request that creates a message or call."""
        headers = {"Authorization": self._auth, "Content-Type": "application/x-www-form-urlencoded"}
        return RequestHead("POST", self._url(resource), headers)

    def _url(self, resource: str) -> str:
        return f"{self.settings.base_url}/2010-04-01/Accounts/{self.settings.account_sid}/{resource}.json"

    async def get(self, resource: str, query: dict[str, str] | None = None) -> dict[str, object] | None:
        """Reads a record; None where there is none, or no answer."""
        url = self._url(resource)
        if query:
            url += f"?{urlencode(query)}"
        headers = {"Authorization": self._auth}
        match await http_call(self._session, "GET", URL(url, encoded=True), headers=headers, read_body=True):
            case Response(status=200, body=body):
                return _record(body)
            case Response():
                return None
            case failed:
                log.info("cannot_ask", resource=resource.partition("/")[0], reason=failed.code)
                return None

    async def record(self, resource: str, question: StatusQuestion, **like: str) -> dict[str, object] | None:
        """The record a question is about: by its SID, else the one to that number with these fields since that time.

        None where several fit: they cannot be told apart; and where it is of another number, sender or account than the
        message was. Messages and calls are listed newest first.
        """
        if question.ref:
            record = await self.get(f"{resource}/{question.ref}")
            if record is None or (record.get("sid") == question.ref and self._is_of(record, question.to)):
                return record
            telemetry.refused[resource, "another message"] += 1
            log.error(
                "record_of_another_message", resource=resource, asked=question.ref, got=str(record.get("sid"))[:40]
            )
            return None
        page = await self.get(resource, {"To": question.to, "PageSize": "20"})
        listed = (page or {}).get(resource.lower())
        listed = [r for r in listed if isinstance(r, dict)] if isinstance(listed, list) else []
        found = [r for r in listed if _fits(r, question.since, like) and self._is_of(r, question.to)]
        return found[0] if len(found) == 1 else None

    def _is_of(self, record: dict[str, object], to: str) -> bool:
        """Whether a record is of a message of ours to that number; a pool of senders chooses among its own."""
        s = self.settings
        senders = ("", s.from_number) if s.from_number and not s.messaging_service_sid else None
        return (
            bool(set(phone_numbers.forms(str(record.get("to") or ""))) & set(phone_numbers.forms(to)))
            and (record.get("account_sid") or s.account_sid) == s.account_sid
            and (senders is None or (record.get("from") or "") in senders)
        )

    def is_ours(self, form: Mapping[str, str]) -> bool:
        """Whether a callback is of our account."""
        return form.get("AccountSid", "") == self.settings.account_sid

    async def verified(self, request: web.Request) -> dict[str, str]:
        """The callback's form, after its signature over the public URL was checked; NotAllowed otherwise."""
        data = await request.post()
        signed = MultiDict((key, str(value)) for key, value in data.items())  # a field may come several times
        flat = {key: signed[key] for key in signed}
        url = self._public_url + request.path_qs
        signature = request.headers.get("X-Twilio-Signature", "")
        if self._validator is None or not self._validator.validate(url, signed, signature):  # type: ignore[no-untyped-call]
            raise NotAllowed(
                "the signature does not fit this address and form", field="X-Twilio-Signature", rule="hmac"
            )
        return flat


def _fits(record: Mapping[str, object], since: float, like: dict[str, str]) -> bool:
    if not isinstance(record.get("sid"), str) or any(record.get(name) != value for name, value in like.items()):
        return False
    try:
        return parsedate_to_datetime(str(record.get("date_created"))).timestamp() >= since
    except ValueError:
        return False


def reason(code: str) -> str:
    """The ledger's word for a code that says more than that the message failed: the number said STOP."""
    return STOPPED if code == UNSUBSCRIBED else code


def _record(body: bytes) -> dict[str, object] | None:
    """A JSON object; None for whatever else."""
    try:
        found = json_of(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def result_of(called: Called) -> Result:
    """What came of a call."""
    return outcome(called) if isinstance(called, Response) else called.result


def outcome(response: Response) -> Result:
    """What an answer of the provider means."""
    status, answer = response.status, _record(response.body) or {}
    if 200 <= status < 300:
        ref = answer.get("sid")
        if isinstance(ref, str) and ref[:2] in ("SM", "MM", "CA"):
            return Result(Outcome.ACCEPTED, ref=ref)
        return Result(Outcome.AMBIGUOUS, code=f"{status} without a sid")
    code = answer.get("code")
    text = str(code or status)
    if status == 429:
        return Result(Outcome.NOT_SENT, code=text, retry_after=response.retry_after, too_fast=True)
    if status in (401, 403):
        return Result(Outcome.PROVIDER_FAULT, code=text)
    if isinstance(code, int) and code in CODES:
        return Result(CODES[code], code=reason(text))
    if 400 <= status < 500:
        return Result(Outcome.PERMANENT, code=text)
    return Result(Outcome.AMBIGUOUS, code=text)
