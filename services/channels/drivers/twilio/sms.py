"""SMS over Twilio: Messages resource out, signed status callbacks and inbound messages back."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from html import escape
from urllib.parse import quote_plus, urlencode

from aiohttp import web

from services.channels.drivers.twilio.http import TwilioAccount, TwilioSettings, reason
from services.channels.http.request import form_number, form_text
from services.channels.model.driver import (
    Channel,
    Receivers,
    Result,
    Spec,
    StatusAnswer,
    StatusQuestion,
    Tools,
)
from services.channels.model.inbound import Inbound
from services.channels.model.outbound import Outbound
from services.channels.model.report import Report
from services.channels.model.window import Window
from services.channels.outcomes.fold import not_ours
from services.shared.ledger.evidence import Evidence
from services.shared.ledger.states import SendState

# message status > (state, evidence); what is not here says nothing yet. 'read' is WhatsApp's and RCS's.
STATUSES: dict[str, tuple[SendState, Evidence]] = {
    "accepted": (SendState.ACCEPTED, Evidence.ACCEPTED),
    "queued": (SendState.ACCEPTED, Evidence.ACCEPTED),
    "sending": (SendState.ACCEPTED, Evidence.ACCEPTED),
    "sent": (SendState.ACCEPTED, Evidence.ACCEPTED),
    "delivered": (SendState.DELIVERED, Evidence.DELIVERED),
    "read": (SendState.DELIVERED, Evidence.OPENED),
    "undelivered": (SendState.FAILED, Evidence.NONE),
    "failed": (SendState.FAILED, Evidence.NONE),
    "canceled": (SendState.FAILED, Evidence.NONE),
}

_EVENTS = quote_plus("#rc=5&rp=all")


class SmsTwilio:
    """Channels: to a resident, to their supporter, to an officer."""

    name = "sms_twilio"
    channels = (
        Channel("sms", ("sms",), two_way=True, proof="delivered"),
        Channel("supporter_sms", two_way=True, proof="delivered"),
        Channel("officer_sms", two_way=True, proof="delivered"),
    )

    def __init__(self, tools: Tools) -> None:
        self._settings = tools.settings.part(TwilioSettings)
        self._tools = tools
        self._account = TwilioAccount(self._settings, tools.session, tools.public_url)
        self._head = self._account.head("Messages")
        self._callback = quote_plus(f"{tools.public_url}/callbacks/sms_twilio/status/")
        pool = self._settings.messaging_service_sid
        self._sender = urlencode({"MessagingServiceSid": pool} if pool else {"From": self._settings.from_number})
        self._windows = self._account.windows(self.encode)
        self.concurrency = self._settings.concurrency
        self.per_second = self._settings.per_second

    def why_not(self) -> str:
        return self._settings.why_not(voice=False)

    async def start(self, receivers: Receivers) -> None:
        """Connections come with the first message."""
        self._windows.ready()

    async def stop(self) -> None:
        await self._windows.close()

    def window(self, red: bool) -> Window:
        return self._windows.of(red)

    async def send(self, message: Outbound) -> Result:
        return await self._windows.send(message)

    def encode(self, message: Outbound) -> bytes:
        """The whole request; only number, callback's token and time are a message's own."""
        token = self._tools.signer.token("sms", message.delivery_id)  # nothing of it has to be quoted
        text = form_text(message.text, message.of_many)
        return self._head.request(
            f"To={form_number(message.to)}&Body={text}"
            f"&StatusCallback={self._callback}{token}{_EVENTS}&ValidityPeriod={message.seconds_left}&{self._sender}"
        )

    async def ask(self, question: StatusQuestion) -> StatusAnswer | None:
        """What the provider's record of a message says; one whose text we know is found among those to that number."""
        record = await self._account.record("Messages", question, body=question.text)
        status = str((record or {}).get("status", ""))
        if record is None or status not in STATUSES:
            return None
        state, evidence = STATUSES[status]
        return StatusAnswer(str(record["sid"]), status, state, evidence, str(record.get("error_code") or ""))

    def routes(self, receivers: Receivers) -> Iterable[web.AbstractRouteDef]:
        return (
            web.post("/callbacks/sms_twilio/status/{token}", partial(self._status, receivers)),
            web.post("/callbacks/sms_twilio/inbound", partial(self._inbound, receivers)),
        )

    async def _status(self, receivers: Receivers, request: web.Request) -> web.Response:
        delivery_id = self._tools.signer.subject("sms", request.match_info["token"])
        form = await self._account.verified(request)
        status = form.get("MessageStatus", "")
        state, evidence = STATUSES.get(status, (None, Evidence.NONE))
        if not self._account.is_ours(form):
            not_ours(self.name, "another account", delivery_id)
        elif state is not None:
            await receivers.recorder.report(
                Report(
                    delivery_id,
                    event_key=f"{form.get('MessageSid', '')}:{status}",
                    state=state,
                    evidence=evidence,
                    provider=self.name,
                    ref=form.get("MessageSid", ""),
                    reason=status,
                    code=reason(form.get("ErrorCode", "")),
                    to=tuple(receivers.replies.keys_of(form.get("To", ""))),
                )
            )
        return web.Response(status=204)

    async def _inbound(self, receivers: Receivers, request: web.Request) -> web.Response:
        form = await self._account.verified(request)
        reply = await receivers.replies.inbound(
            Inbound(
                "sms",
                form.get("From", ""),
                form.get("Body", ""),
                f"in:{form.get('MessageSid', '')}",
                form.get("OptOutType", ""),
            )
        )
        message = f"<Message>{escape(reply)}</Message>" if reply else ""
        return web.Response(
            text=f'<?xml version="1.0" encoding="UTF-8"?><Response>{message}</Response>', content_type="application/xml"
        )


DRIVER = Spec(SmsTwilio.name, SmsTwilio)
