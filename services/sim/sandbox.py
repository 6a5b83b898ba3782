"""A stateful stand-in for Twilio: takes messages and calls by its API, plays them to callees, calls back signed.

Every accept is written into `accepts` before anything may go wrong: that log is the judge of what was sent twice.
Nothing here knows Tocsin's tables; it speaks HTTP only.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import re
from collections import Counter
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, urldefrag, urlsplit

from aiohttp import web
from lxml import etree

from services.shared.clock import wall
from services.shared.errors import Refused
from services.shared.web.answers import problem_of
from services.sim.agenda import Agenda
from services.sim.behaviour import Behaviour
from services.sim.callees import Callees, Ring, Text
from services.sim.callplayer import CallPlayer
from services.sim.chance import hexes, words_key
from services.sim.postman import Postman
from services.sim.records import Accept, Kind, Records
from services.sim.shapes import (
    API,
    Call,
    MessageResource,
    answer,
    refusal,
)

MOST_BODY, MOST_TWIML = 1600, 4000  # characters the provider takes
INBOUND = "/callbacks/sms_twilio/inbound"
_XML = etree.XMLParser(resolve_entities=False, no_network=True)
_E164 = re.compile(r"\+[1-9]\d{6,14}")


class Sandbox:
    """One account. `people` are behind the numbers, `behaviour` says what goes wrong."""

    def __init__(
        self,
        agenda: Agenda,
        *,
        account_sid: str,
        auth_token: str,
        people: Callees,
        behaviour: Behaviour | None = None,
        from_number: str = "",
        postman: Postman | None = None,
    ) -> None:
        self.agenda = agenda
        self.account_sid = account_sid
        self.behaviour = behaviour or Behaviour()
        self.postman = postman or Postman(agenda, auth_token)
        self.records = Records(account_sid, self._allowed)
        self.messages, self.calls, self.accepts = self.records.messages, self.records.calls, self.records.accepts
        self.replies: list[tuple[str, str]] = []
        self._people = people
        self.from_number = from_number
        self._basic = "Basic " + base64.b64encode(f"{account_sid}:{auth_token}".encode()).decode()
        self._asked: Counter[str] = Counter()
        self._taken: Counter[str] = Counter()
        self._in_hand = 0
        self._target = ""
        self._released = asyncio.Event()
        self._player = CallPlayer(agenda, self.postman, people, account_sid)
        people.plug_in(self)
        self.app = web.Application(client_max_size=4 * 1024 * 1024)
        self.app.add_routes(
            [
                web.post(f"{API}/{{account}}/Messages.json", self._messages_post),
                web.post(f"{API}/{{account}}/Calls.json", self._calls_post),
                *self.records.routes(),
                web.get("/sandbox/faults", self._faults_get),
                web.post("/sandbox/faults", self._faults_post),
            ]
        )

    def set_target(self, tocsin_url: str) -> None:
        """Where inbound texts go; callbacks go to the URL that comes with each request."""
        self._target = tocsin_url.rstrip("/")

    def release(self) -> None:
        """Ends the requests that hang, before the server stops."""
        self._released.set()

    async def close(self) -> None:
        """Lets hanging requests go and ends the session."""
        self.release()
        await self.postman.close()

    @property
    def busy(self) -> bool:
        """Whether a request in or out is being worked on; one that hangs on purpose is not."""
        return self._in_hand > 0 or self.postman.busy

    def accepts_per_delivery(self) -> Counter[str]:
        """How many times each delivery was accepted: above 1 is a double."""
        return Counter(a.delivery for a in self.accepts)

    # taking messages and calls

    async def _messages_post(self, request: web.Request) -> web.StreamResponse:
        return await self._take(request, self._wrong_message, self._accept_message)

    async def _calls_post(self, request: web.Request) -> web.StreamResponse:
        return await self._take(request, self._wrong_call, self._accept_call)

    async def _take(
        self,
        request: web.Request,
        wrong: Callable[[Mapping[str, str]], int],
        accept: Callable[[dict[str, str], frozenset[str], str, str, str], MessageResource | Call],
    ) -> web.StreamResponse:
        self._in_hand += 1
        try:
            if not self._allowed(request):
                return refusal(20003)
            fields = parse_qs(await request.text(), keep_blank_values=True)
            form = {name: values[0] for name, values in fields.items()}
            delivery = delivery_of(form)
            words = _words_of(request.path, form)
            self._asked[words] += 1
            mode = self.behaviour.mode(words, self._asked[words])
            await self.behaviour.pace()
            if refused := self._before(mode):
                return refused
            if mode == "hang":
                return await self._never(request)
            if code := wrong(form) or self.behaviour.refused_numbers.get(form.get("To", ""), 0):
                return refusal(code)
            events = frozenset(fields.get("StatusCallbackEvent", ["completed"]))
            self._taken[words] += 1
            made = accept(form, events, delivery, f"{words}:{self._taken[words]}", mode)
            if mode == "slow":
                await asyncio.sleep(self.behaviour.slow_ms / 1000)
            elif mode == "malformed":
                return web.Response(status=201, body=b"<html>upstream</html>", content_type="text/html")
            elif mode == "accept_then_timeout":
                return await self._never(request)
            elif mode == "accept_then_reset":
                if request.transport is not None:
                    request.transport.abort()
                return web.Response(status=204)
            return answer(made.as_json(self.account_sid), 201)
        finally:
            self._in_hand -= 1

    def _allowed(self, request: web.Request) -> bool:
        given = request.headers.get("Authorization", "")
        known = hmac.compare_digest(given.encode(), self._basic.encode())
        return known and request.match_info["account"] == self.account_sid

    def _before(self, mode: str) -> web.Response | None:
        """Answers that take nothing on."""
        if mode == "429":
            return refusal(20429, {"Retry-After": str(self.behaviour.retry_after_s)})
        if mode == "5xx":
            return refusal(20503)
        return refusal(20003) if mode == "401" else None

    async def _never(self, request: web.Request) -> web.Response:
        """Holds the connection until the stand-in stops."""
        self._in_hand -= 1
        try:
            await self._released.wait()
        finally:
            self._in_hand += 1
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=204)

    def _wrong_message(self, form: Mapping[str, str]) -> int:
        if not form.get("To"):
            return 21604
        if not _E164.fullmatch(form["To"]):
            return 21211
        if not form.get("Body"):
            return 21602
        if len(form["Body"]) > MOST_BODY:
            return 21617
        if not form.get("MessagingServiceSid"):
            if not form.get("From"):
                return 21603
            if self.from_number and form["From"] != self.from_number:
                return 21606
        return 0

    def _wrong_call(self, form: Mapping[str, str]) -> int:
        if not form.get("To"):
            return 21201
        if not _E164.fullmatch(form["To"]):
            return 21211
        if not form.get("From"):
            return 21213
        if len(form.get("Twiml", "")) > MOST_TWIML:
            return 32018
        return 0 if form.get("Twiml") or form.get("Url") else 21205

    def _accepted(self, kind: Kind, sid: str, to: str, delivery: str) -> None:
        self.accepts.append(Accept(kind, sid, to, delivery, wall(), self.agenda.clock.now()))

    def _accept_message(
        self, form: dict[str, str], events: frozenset[str], delivery: str, key: str, mode: str
    ) -> MessageResource:
        sid = "SM" + hexes(self.behaviour.seed, "sms", key)
        self._accepted("sms", sid, form["To"], delivery)
        now = self.agenda.clock.now()
        message = MessageResource(sid, form, now, reversed=mode == "reversed", duplicated=mode == "duplicated")
        message.status = "accepted" if form.get("MessagingServiceSid") else "queued"
        self.messages[sid] = message
        text = Text(key, sid, form["To"], form.get("From") or self.from_number, form["Body"], now)
        fate = self._people.text(text)
        validity = form.get("ValidityPeriod", "")
        late = validity.isdigit() and fate.done_s > int(validity)
        error = 30036 if late else fate.error
        last = "failed" if late else "undelivered" if fate.error else "delivered"
        steps = [(now, "queued", 0), (now + min(fate.sent_s, fate.done_s), "sent", 0), (now + fate.done_s, last, error)]
        self.agenda.at(now, f"sms:{key}", lambda: self._advance(message, text, steps))
        return message

    async def _advance(self, message: MessageResource, text: Text, steps: list[tuple[float, str, int]]) -> None:
        """Tells each status that is due and puts the next one down."""
        now = self.agenda.clock.now()
        while steps and steps[0][0] <= now:
            _, status, error = steps.pop(0)
            message.status, message.updated = status, now
            form = {
                "AccountSid": self.account_sid,
                "ApiVersion": "2010-04-01",
                "From": text.sender,
                "MessageSid": message.sid,
                "MessageStatus": status,
                "SmsSid": message.sid,
                "SmsStatus": status,
                "To": text.to,
            }
            if status == "sent":
                message.sent = now
            if error:
                message.error = error
                form["ErrorCode"] = str(error)
            if status == "delivered":
                self._people.got(text)
            await self._player.tell(message, form, last=not steps)
        if steps:
            self.agenda.at(steps[0][0], f"sms:{text.key}", lambda: self._advance(message, text, steps))

    def _accept_call(self, form: dict[str, str], events: frozenset[str], delivery: str, key: str, mode: str) -> Call:
        sid = "CA" + hexes(self.behaviour.seed, "call", key)
        self._accepted("call", sid, form["To"], delivery)
        now = self.agenda.clock.now()
        call = Call(sid, form, events, now, reversed=mode == "reversed", duplicated=mode == "duplicated")
        self.calls[sid] = call
        timeout = form.get("Timeout", "")
        ring_s = float(timeout) if timeout.isdigit() else 60.0
        self._player.place(call, Ring(key, sid, form["To"], form["From"], ring_s, now))
        return call

    # the stand-in's own pages

    async def _faults_get(self, request: web.Request) -> web.StreamResponse:
        return answer(self.behaviour.as_json())

    async def _faults_post(self, request: web.Request) -> web.StreamResponse:
        try:
            given = await request.json()
            if not isinstance(given, dict):
                raise Refused("give a JSON object", field="body", rule="shape")
            self.behaviour.change(given)
        except Refused as refused:
            return problem_of(refused)
        except ValueError:
            return problem_of(Refused("the body is no JSON: give an object", field="body", rule="json"))
        return answer(self.behaviour.as_json())

    # the way back

    async def inbound(self, *, sender: str, to: str, body: str, key: str) -> str | None:
        """An SMS from a phone to Tocsin's webhook; later tries go through the agenda and their answer is not heard."""
        sid = "SM" + hexes(self.behaviour.seed, "inbound", key)
        form = {
            "AccountSid": self.account_sid,
            "ApiVersion": "2010-04-01",
            "Body": body,
            "From": sender,
            "MessageSid": sid,
            "NumMedia": "0",
            "NumSegments": "1",
            "SmsMessageSid": sid,
            "SmsSid": sid,
            "SmsStatus": "received",
            "To": to,
        }
        self.replies.append((key, body))
        heard: list[bytes] = []

        async def hear(answered: bytes) -> None:
            heard.append(answered)

        await self.postman.deliver(self._target + INBOUND, form, "inbound", f"in:{key}", hear)
        return messages_in(heard[0]) if heard else None


def messages_in(twiml: bytes) -> str:
    """The texts a messaging TwiML response sends back, joined."""
    if not twiml:
        return ""
    root = etree.fromstring(twiml, _XML)
    return " ".join("".join(str(t) for t in m.itertext()) for m in root.iter("Message"))


def _words_of(path: str, form: Mapping[str, str]) -> str:
    return words_key(
        path.rsplit("/", 1)[-1], form.get("To", ""), form.get("Body", ""), form.get("Twiml", ""), form.get("Url", "")
    )


def delivery_of(form: Mapping[str, str]) -> str:
    """A request's delivery: the id before the MAC in its callback URL, else a hash of number and text."""
    path = urlsplit(urldefrag(form.get("StatusCallback", "")).url).path
    token = path.rsplit("/", 1)[-1].partition(".")[0]
    return token or hexes(0, form.get("To", ""), form.get("Body", ""), form.get("Twiml", ""))
