"""What the provider's stand-in keeps: messages, calls, and the log of accepts; looked up by its API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from aiohttp import web

from services.sim.shapes import (
    API,
    Call,
    MessageResource,
    answer,
    in_time,
    listing,
    refusal,
)

Kind = Literal["sms", "call", "email"]


@dataclass(frozen=True)
class Accept:
    """One thing the stand-in took: for which delivery, at which wall and warning time."""

    kind: Kind
    sid: str
    to: str
    delivery: str
    at_wall: float
    at: float


class Records:
    """One account's records; `allowed` says whether a request carries its credentials."""

    def __init__(self, account_sid: str, allowed: Callable[[web.Request], bool]) -> None:
        self.account_sid = account_sid
        self._allowed = allowed
        self.messages: dict[str, MessageResource] = {}
        self.calls: dict[str, Call] = {}
        self.accepts: list[Accept] = []

    def routes(self) -> list[web.RouteDef]:
        """GET of one and of lists, and the log."""
        return [
            web.get(f"{API}/{{account}}/Messages.json", self._messages_list),
            web.get(f"{API}/{{account}}/Calls.json", self._calls_list),
            web.get(f"{API}/{{account}}/Messages/{{sid}}.json", self._message_get),
            web.get(f"{API}/{{account}}/Calls/{{sid}}.json", self._call_get),
            web.get("/sandbox/log", self._log),
        ]

    async def _messages_list(self, request: web.Request) -> web.StreamResponse:
        found = [m for m in self.messages.values() if in_time(request.query, "DateSent", m.sent)]
        return self._list(request, "messages", list(found))

    async def _calls_list(self, request: web.Request) -> web.StreamResponse:
        found = [
            c
            for c in self.calls.values()
            if in_time(request.query, "StartTime", c.started)
            and in_time(request.query, "EndTime", c.ended)
            and request.query.get("Status", c.status) == c.status
        ]
        return self._list(request, "calls", list(found))

    def _list(self, request: web.Request, name: str, found: list[MessageResource | Call]) -> web.StreamResponse:
        if not self._allowed(request):
            return refusal(20003)
        for field, parameter in (("To", "To"), ("From", "From")):
            if wanted := request.query.get(parameter):
                found = [one for one in found if one.form.get(field) == wanted]
        path = f"{API}/{self.account_sid}/{name.title()}.json"
        return answer(listing(path, request.query, name, found[::-1], self.account_sid))

    async def _message_get(self, request: web.Request) -> web.StreamResponse:
        return self._one(request, self.messages)

    async def _call_get(self, request: web.Request) -> web.StreamResponse:
        return self._one(request, self.calls)

    def _one(self, request: web.Request, kept: Mapping[str, MessageResource | Call]) -> web.StreamResponse:
        if not self._allowed(request):
            return refusal(20003)
        one = kept.get(request.match_info["sid"])
        return refusal(20404) if one is None else answer(one.as_json(self.account_sid))

    async def _log(self, request: web.Request) -> web.StreamResponse:
        """The accepts; without numbers unless asked, since a log is copied about."""
        rows = [asdict(a) for a in self.accepts]
        if request.query.get("numbers") != "yes":
            for row in rows:
                row["to"] = "..." + row["to"][-3:]
        return answer({"accepts": rows})
