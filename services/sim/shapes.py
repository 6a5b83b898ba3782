"""Twilio's resources and errors as JSON: the shapes of its API of 2010-04-01, as its OpenAPI document gives them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import urlencode

from aiohttp import web

from services.channels.messages.render import segments

API = "/2010-04-01/Accounts"

ERRORS: dict[int, tuple[int, str]] = {  # code > (HTTP status, message); www.twilio.com/docs/api/errors
    20003: (401, "Authenticate"),
    20404: (404, "The requested resource was not found"),
    20429: (429, "Too Many Requests"),
    20503: (503, "Service Unavailable"),
    21201: (400, "No 'To' number is specified"),
    21205: (400, "Url parameter is required."),
    21211: (400, "The 'To' number is not a valid phone number"),
    21213: (400, "'From' phone number is required"),
    21408: (400, "Permission to send an SMS has not been enabled for the region indicated by the 'To' number"),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' phone number is required."),
    21604: (400, "A 'To' phone number is required."),
    21606: (400, "The 'From' phone number provided is not a valid message-capable Twilio phone number."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21614: (400, "'To' number is not a valid mobile number"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit"),
    32018: (400, "Twiml size exceeded maximum allowed value of 4000 characters"),
}
CARRIER = {
    30003: "Unreachable destination handset",
    30006: "Landline or unreachable carrier",
    30036: "Validity Period Expired",
}

_OF_A_CALL = ("notifications", "recordings", "events")


@dataclass
class MessageResource:
    """One SMS as the provider knows it. Times are warning time."""

    sid: str
    form: Mapping[str, str]
    created: float
    status: str = "queued"
    updated: float = 0.0
    sent: float | None = None
    error: int | None = None
    reversed: bool = False
    duplicated: bool = False
    held: list[dict[str, str]] = field(default_factory=list)

    def as_json(self, account_sid: str) -> dict[str, object]:
        """The Message resource."""
        uri = f"{API}/{account_sid}/Messages/{self.sid}"
        return {
            "account_sid": account_sid,
            "api_version": "2010-04-01",
            "body": self.form.get("Body"),
            "date_created": rfc2822(self.created),
            "date_sent": rfc2822(self.sent) if self.sent is not None else None,
            "date_updated": rfc2822(self.updated or self.created),
            "direction": "outbound-api",
            "error_code": self.error,
            "error_message": CARRIER.get(self.error, "Unknown error") if self.error else None,
            "from": self.form.get("From"),
            "messaging_service_sid": self.form.get("MessagingServiceSid"),
            "num_media": "0",
            "num_segments": str(segments(self.form.get("Body", "")).count),
            "price": None,
            "price_unit": None,
            "sid": self.sid,
            "status": self.status,
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": self.form.get("To"),
            "uri": f"{uri}.json",
        }


@dataclass
class Call:
    """One call as the provider knows it. Times are warning time."""

    sid: str
    form: Mapping[str, str]
    events: frozenset[str]
    created: float
    status: str = "queued"
    updated: float = 0.0
    started: float | None = None
    ended: float | None = None
    duration: int | None = None
    answered_by: str | None = None
    reversed: bool = False
    duplicated: bool = False
    held: list[dict[str, str]] = field(default_factory=list)

    def as_json(self, account_sid: str) -> dict[str, object]:
        """The Call resource."""
        uri = f"{API}/{account_sid}/Calls/{self.sid}"
        return {
            "account_sid": account_sid,
            "answered_by": self.answered_by,
            "api_version": "2010-04-01",
            "caller_name": None,
            "date_created": rfc2822(self.created),
            "date_updated": rfc2822(self.updated or self.created),
            "direction": "outbound-api",
            "duration": None if self.duration is None else str(self.duration),
            "end_time": rfc2822(self.ended) if self.ended is not None else None,
            "forwarded_from": None,
            "from": self.form.get("From"),
            "from_formatted": self.form.get("From"),
            "group_sid": None,
            "parent_call_sid": None,
            "phone_number_sid": None,
            "price": None,
            "price_unit": "USD",
            "queue_time": "0",
            "sid": self.sid,
            "start_time": rfc2822(self.started) if self.started is not None else None,
            "status": "queued" if self.status == "initiated" else self.status,
            "subresource_uris": {part: f"{uri}/{part.title()}.json" for part in _OF_A_CALL},
            "to": self.form.get("To"),
            "to_formatted": self.form.get("To"),
            "trunk_sid": None,
            "uri": f"{uri}.json",
        }


def rfc2822(when: float) -> str:
    """Twilio writes times so, in UTC."""
    return format_datetime(datetime.fromtimestamp(when, UTC))


def answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    return web.Response(
        body=json.dumps(body).encode(), status=status, headers=headers, content_type="application/json", charset="utf-8"
    )


def refusal(code: int, headers: Mapping[str, str] | None = None) -> web.Response:
    """The error body of a code: {code, message, more_info, status}."""
    status, message = ERRORS.get(code, (400, "Bad Request"))
    body = {
        "code": code,
        "message": message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return answer(body, status, headers)


def listing(
    path: str, query: Mapping[str, str], name: str, found: Sequence[MessageResource | Call], account_sid: str
) -> dict[str, object]:
    """One page of a list, newest first, as the API pages it (PageSize 50, at most 1000; Page from 0)."""
    size = min(max(_whole(query.get("PageSize"), 50), 1), 1000)
    number = max(_whole(query.get("Page"), 0), 0)
    page = found[number * size : (number + 1) * size]
    others = {k: v for k, v in query.items() if k not in ("Page", "PageSize")}

    def uri(of: int) -> str:
        return f"{path}?{urlencode({**others, 'PageSize': str(size), 'Page': str(of)})}"

    return {
        name: [one.as_json(account_sid) for one in page],
        "first_page_uri": uri(0),
        "previous_page_uri": uri(number - 1) if number else None,
        "next_page_uri": uri(number + 1) if (number + 1) * size < len(found) else None,
        "uri": uri(number),
        "page": number,
        "page_size": size,
        "start": number * size,
        "end": number * size + max(len(page) - 1, 0),
    }


def _whole(given: str | None, other: int) -> int:
    return int(given) if given and given.isdigit() else other


def in_time(query: Mapping[str, str], name: str, when: float | None) -> bool:
    """Whether a time fits the filters `name`, `name<` (on or before) and `name>` (on or after), dates in UTC."""
    for sign in ("", "<", ">"):
        given = query.get(name + sign)
        if not given:
            continue
        if when is None:
            return False
        start = datetime.fromisoformat(given.replace("Z", "+00:00"))
        start = start.replace(tzinfo=UTC) if start.tzinfo is None else start
        low = start.timestamp()
        high = low + (86400 if len(given) == 10 else 1)  # a date is the whole day
        if (sign == "" and not low <= when < high) or (sign == "<" and when >= high) or (sign == ">" and when < low):
            return False
    return True
