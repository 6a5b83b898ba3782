"""SMS over SMPP 3.4, as operators and aggregators offer it: texts in parts, receipts by the provider's names, replies.

A part that is under way and not answered leaves its outcome unknown; a command_status other than 0 is a refusal. Source:
SMPP 3.4 issue 1.2: 5.1.3 command_status; what comes in is read in `deliver_sm`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import Literal

import smpp34
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.channels.drivers.smpp import pdu
from services.channels.drivers.smpp.deliver_sm import DeliveryReceipt, Joiner, names, receipt_of
from services.channels.drivers.smpp.line import SmppLine, Submitted, Unanswered
from services.channels.drivers.smpp.places import WindowPlaces
from services.channels.drivers.smpp.session import SmppSession
from services.channels.drivers.smpp.window import PartsInOrder, SmppWindow
from services.channels.messages.sms_encoding import SmsPart, parts, pieces, split
from services.channels.model.driver import Channel, Outcome, Receivers, Result, Spec, Tools
from services.channels.model.final_check import last_look
from services.channels.model.inbound import Inbound
from services.channels.model.outbound import Outbound
from services.channels.model.outcome import LATE
from services.channels.model.report import PartReceipt, Report
from services.channels.model.telling import Telling, settle
from services.channels.model.window import Done, MayGo, Window
from services.shared.people import phone_numbers
from services.shared.settings import Environment
from services.shared.tiers import Tier

SHORT_CODE = 6  # digits up to which an address is a service's and no phone's
WINDOW_S = 1.5  # with a call less than the sender waits
CALL_S = 10.0
# command_status > what it means for this message; whatever else is not 0 is a refusal that may pass
STATUSES: dict[int, Outcome] = {
    0x08: Outcome.AMBIGUOUS,  # ESME_RSYSERR: it broke somewhere, perhaps after it had taken the message
    0x0A: Outcome.PROVIDER_FAULT,  # ESME_RINVSRCADR: our sender is not allowed
    0x0D: Outcome.PROVIDER_FAULT,  # ESME_RBINDFAIL
    0x0E: Outcome.PROVIDER_FAULT,  # ESME_RINVPASWD
    0x0F: Outcome.PROVIDER_FAULT,  # ESME_RINVSYSID
    0x0B: Outcome.PERMANENT,  # ESME_RINVDSTADR
    0x33: Outcome.PERMANENT,  # ESME_RINVNUMDESTS
    0x50: Outcome.PERMANENT,  # ESME_RINVDSTTON
    0x51: Outcome.PERMANENT,  # ESME_RINVDSTNPI
}
_kept_pieces = lru_cache(256)(pieces)
TOO_LATE = Result(Outcome.NOT_SENT, code=LATE)  # ours, not the provider's
THROTTLED = (0x14, 0x58)  # ESME_RMSGQFUL, ESME_RTHROTTLED


class SmppSettings(Environment):
    """TOCSIN_SMPP_...; without a host the channel says `not_configured`."""

    model_config = SettingsConfigDict(env_prefix="TOCSIN_SMPP_")

    host: str = ""
    port: int = Field(2775, ge=1, le=65535)
    system_id: str = ""
    password: SecretStr = SecretStr("")
    system_type: str = ""
    tls: bool = False
    source: str = Field("", description="sender: a number with +, a short code, or a name of at most 11 letters")
    region: str = Field("", description="country of national numbers that reply, as CN or KE")
    receipt_ids: Literal["any", "same", "decimal"] = Field(
        "any",
        description="same: receipts name a message as it was named; decimal: in decimal what was hex; any: whichever fits "
        "one message alone",
    )
    concurrency: int = Field(10, ge=1, le=1000, description="the window: parts under way at once, as contracted")
    per_second: float = Field(0.0, ge=0, description="contracted rate; 0 is no limit")


class SmsSmpp:
    """Channels: to a resident, to their supporter, to an officer."""

    name = "sms_smpp"
    channels = (
        Channel("sms", ("sms",), two_way=True, proof="delivered"),
        Channel("supporter_sms", two_way=True, proof="delivered"),
        Channel("officer_sms", two_way=True, proof="delivered"),
    )

    def __init__(self, tools: Tools) -> None:
        self._settings = s = tools.settings.part(SmppSettings)
        self._tools = tools
        self._from = pdu.sender(s.source)
        self.concurrency = s.concurrency
        self.per_second = s.per_second
        self._places = WindowPlaces(s.concurrency, lambda: WINDOW_S)
        self._telling = Telling(self._room)
        self._windows = {red: SmppWindow(red, self._places, self._begin) for red in (True, False)}
        self._joiner = Joiner()
        self._link = SmppSession(self._bind)

    def why_not(self) -> str:
        return "" if self._settings.host and self._settings.system_id else "not_configured"

    async def _bind(self, heard: Callable[[smpp34.DeliverSm], None]) -> SmppLine:
        s = self._settings
        tls = ssl.create_default_context() if s.tls else None
        body = pdu.bind(s.system_id, s.password.get_secret_value(), s.system_type)
        return await SmppLine.bound(s.host, s.port, tls, body, heard, CALL_S)

    async def start(self, receivers: Receivers) -> None:
        self._link.start(partial(self._heard, receivers))

    async def stop(self) -> None:
        self._joiner.no_more()
        await self._link.stop()

    def window(self, red: bool) -> Window:
        return self._windows[red]

    def _room(self) -> None:
        """Red hears of it first."""
        for red in (True, False):
            told = self._windows[red].on_room
            if told is not None and self._places.free > 0:
                told()

    def _begin(self, message: Outbound, done: Done, may_go: MayGo, there: bool) -> bool:
        """Whether it takes the place: not where it must not go any more, or nothing of it can go out."""
        if not there or not may_go():
            self._telling.tell(done, TOO_LATE)
            return False
        bodies = self._parts(message)
        if isinstance(bodies, Result):
            self._telling.tell(done, bodies)
            return False
        PartsInOrder(bodies, self._submit, partial(self._ended, done)).next()
        return True

    def _ended(self, done: Done, result: Result) -> None:
        self._places.leave()
        self._telling.tell(done, result)

    async def send(self, message: Outbound) -> Result:
        """All parts, one after the other, so that they arrive in order; accepted when every one is.

        What waits for a place may be cancelled meanwhile, and was surely not sent.
        """
        place: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._places.ask(message.tier == Tier.RED, partial(_offered, place))
        try:
            if not await place:
                return TOO_LATE
            await last_look()
            bodies = self._parts(message)
            if isinstance(bodies, Result):
                return bodies
            result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
            sending = PartsInOrder(bodies, self._submit, partial(settle, result))
            sending.next()
            try:
                return await result
            finally:
                sending.stop()
        finally:
            if place.done() and not place.cancelled() and place.result():
                self._places.leave()

    def _parts(self, message: Outbound) -> list[bytes] | Result:
        """What is submitted; or why nothing is."""
        try:
            # a code or a notice is one person's, and nothing of it is kept
            found = (_kept_pieces if message.warning_id else pieces)(message.text)
            cut = parts(*found, int(message.delivery_id[:2], 16))
        except ValueError:
            return Result(Outcome.PERMANENT, code="too long")
        line = self._link.session
        if line is None or not line.is_open:
            return Result(Outcome.NOT_SENT, code="not_bound")
        return self._bodies(message.to, cut, message.seconds_left)

    def _bodies(self, to: str, cut: Iterable[SmsPart], seconds_left: int) -> list[bytes]:
        number, period = to.lstrip("+").encode("ascii", "replace"), pdu.period(seconds_left)
        return [pdu.submit(self._from.before, number, part, period) for part in cut]

    def _submit(self, body: bytes, told: Callable[[Result], None]) -> None:
        """One part."""
        line = self._link.session
        if line is None:
            told(Result(Outcome.NOT_SENT, code="not_bound"))
        else:
            line.submit(body, lambda answer: told(self._result(answer)))

    def _result(self, answer: Submitted | Unanswered) -> Result:
        """What the answer to a part means."""
        if isinstance(answer, Unanswered):
            return Result(Outcome.AMBIGUOUS, code=answer.code)
        status = answer.status
        if status == 0:
            if not answer.message_id:
                return Result(Outcome.AMBIGUOUS, code="no message_id")
            return Result(Outcome.ACCEPTED, ref=self._name(answer.message_id))
        throttled = status in THROTTLED
        return Result(
            STATUSES.get(status, Outcome.NOT_SENT), code=f"0x{status:08x}", retry_after=1.0 if throttled else None,
            too_fast=throttled,
        )  # fmt: skip

    def _name(self, message_id: str) -> str:
        """The part's name as it is kept: case and leading zeros do not count."""
        found = names(message_id)
        if self._settings.receipt_ids == "decimal" and len(found) > 1:
            return found[1]
        return found[0]

    # ---- what comes in

    async def _heard(self, receivers: Receivers, event: smpp34.DeliverSm, came: float) -> None:
        receipt = receipt_of(event)
        if receipt is None:
            await self._reply(receivers, event, came)
        elif receipt.ref and receipt.state:
            await self._receipt(receivers, event, receipt)

    async def _receipt(self, receivers: Receivers, event: smpp34.DeliverSm, receipt: DeliveryReceipt) -> None:
        """A receipt is from the phone to us; some SMSCs turn that round, and some name no phone."""
        ref, *others = names(receipt.ref)
        kept = tuple(others) if self._settings.receipt_ids == "any" else ()
        phones = [(event.source_addr, event.source_addr_ton), (event.destination_addr, event.dest_addr_ton)]
        own = self._from.address
        to = {
            key
            for address, ton in phones
            if address.lstrip("+").isdigit() and len(address) > SHORT_CODE and address.lstrip("+") != own
            for key in receivers.replies.keys_of(self._phone(address, ton))
        }
        part = PartReceipt(self.name, ref, receipt.state, receipt.code, kept, tuple(sorted(to)))
        await receivers.recorder.report(Report("", event_key=f"{ref}:{receipt.state}", part=part))

    async def _reply(self, receivers: Receivers, event: smpp34.DeliverSm, came: float) -> None:
        text = await self._joiner.whole(event)
        if text is None:
            return
        phone = self._phone(event.source_addr, event.source_addr_ton)
        # the protocol names no reply: the same words from the same phone within a minute are one
        key = receivers.replies.code_of("smpp reply", f"{phone}|{text}|{int(came // 60)}")
        answer = await receivers.replies.inbound(Inbound("sms", phone, text, f"in:{key}"))
        self._joiner.done(event)
        if answer and (line := self._link.session) is not None:
            for body in self._bodies(phone, split(answer, ord(key[0])), 3600):
                await line.call(body)

    def _phone(self, address: str, ton: int) -> str:
        """With + and country code, as it is in the register."""
        if ton != pdu.INTERNATIONAL and self._settings.region and not address.startswith("+"):
            return phone_numbers.normal(address, self._settings.region) or "+" + address
        return phone_numbers.modern("+" + address.lstrip("+"))


def _offered(place: asyncio.Future[bool], there: bool) -> bool:
    """Nobody may be waiting for it any more."""
    if place.done():
        return False
    place.set_result(there)
    return there


DRIVER = Spec(SmsSmpp.name, SmsSmpp)
