"""SMS over SMPP 3.4, as operators and aggregators offer it: texts in parts, receipts by the provider's names, replies.

An exception while a part is under way leaves its outcome unknown; a command_status other than 0 is a refusal. Source:
SMPP 3.4 issue 1.2: 5.1.3 command_status; what comes in is read in `deliver_sm`.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Literal

import smpp34
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.channels.drivers.smpp.deliver_sm import DeliveryReceipt, Joiner, names, receipt_of
from services.channels.drivers.smpp.session import SmppSession
from services.channels.messages.sms_encoding import SmsPart, split
from services.channels.model.driver import Channel, Outcome, Receivers, Result, Spec, Tools
from services.channels.model.final_check import last_look
from services.channels.model.inbound import Inbound
from services.channels.model.outbound import Outbound
from services.channels.model.outcome import LATE
from services.channels.model.report import PartReceipt, Report
from services.shared.people import phone_numbers
from services.shared.settings import Environment

INTERNATIONAL, NATIONAL, ALPHANUMERIC, ISDN = 1, 2, 5, 1  # type of number, numbering plan
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
        self._from = _source(s.source)
        self.concurrency = s.concurrency
        self.per_second = s.per_second
        self._window = asyncio.Semaphore(s.concurrency)
        self._joiner = Joiner()
        self._link = SmppSession(self._client)

    def why_not(self) -> str:
        return "" if self._settings.host and self._settings.system_id else "not_configured"

    def _client(self) -> smpp34.Client:
        s = self._settings
        return smpp34.Client(
            s.host, s.port, s.system_id, s.password.get_secret_value(), bind_type="TRX",
            system_type=s.system_type, tls=s.tls, window_size=s.concurrency, connect_timeout_ms=5000,
        )  # fmt: skip

    async def start(self, receivers: Receivers) -> None:
        self._link.start(partial(self._heard, receivers))

    async def stop(self) -> None:
        self._joiner.no_more()
        await self._link.stop()

    async def send(self, message: Outbound) -> Result:
        """All parts, one after the other, so that they arrive in order; accepted when every one is.

        It waits for a place in the window here and not in the library: what waits may be cancelled meanwhile, and was
        surely not sent.
        """
        try:
            async with asyncio.timeout(WINDOW_S):
                await self._window.acquire()
        except TimeoutError:
            return Result(Outcome.NOT_SENT, code=LATE)  # ours, not the provider's
        try:
            await last_look()
            return await self._parts(message)
        finally:
            self._window.release()

    async def _parts(self, message: Outbound) -> Result:
        try:
            parts = split(message.text, int(message.delivery_id[:2], 16))
        except ValueError:
            return Result(Outcome.PERMANENT, code="too long")
        names: list[str] = []
        for part in parts:
            result = await self._submit(message.to, part, message.seconds_left)
            if result.outcome is not Outcome.ACCEPTED:
                # a part is out: whether they got anything readable nobody knows
                return Result(Outcome.AMBIGUOUS, code=f"part {len(names) + 1}: {result.code}") if names else result
            names.append(result.ref)
        return Result(Outcome.ACCEPTED, ref=names[0], parts=tuple(names))

    async def _submit(self, to: str, part: SmsPart, seconds_left: int) -> Result:
        session = self._link.session
        if session is None:
            return Result(Outcome.NOT_SENT, code="not_bound")
        source, ton, npi = self._from
        try:
            async with asyncio.timeout(CALL_S):
                answer = await asyncio.ensure_future(
                    session.submit_sm(
                        to.lstrip("+"), part.octets, source_addr=source, source_addr_ton=ton, source_addr_npi=npi,
                        dest_addr_ton=INTERNATIONAL, dest_addr_npi=ISDN, esm_class=part.esm_class,
                        data_coding=part.data_coding, registered_delivery=1, validity_period=_period(seconds_left),
                    )
                )  # fmt: skip
        except (smpp34.SmppError, TimeoutError) as problem:
            return Result(Outcome.AMBIGUOUS, code=type(problem).__name__)
        if answer.is_success:
            if not answer.message_id:
                return Result(Outcome.AMBIGUOUS, code="no message_id")
            return Result(Outcome.ACCEPTED, ref=self._name(answer.message_id))
        status = answer.command_status
        outcome = STATUSES.get(status, Outcome.NOT_SENT)
        throttled = status in THROTTLED
        return Result(outcome, code=f"0x{status:08x}", retry_after=1.0 if throttled else None, too_fast=throttled)

    def _name(self, message_id: str) -> str:
        """The part's name as it is kept: case and leading zeros do not count."""
        found = names(message_id)
        if self._settings.receipt_ids == "decimal" and len(found) > 1:
            return found[1]
        return found[0]

    # ---- what comes in

    async def _heard(self, receivers: Receivers, event: smpp34.DeliverSmEvent, came: float) -> None:
        receipt = receipt_of(event)
        if receipt is None:
            await self._reply(receivers, event, came)
        elif receipt.ref and receipt.state:
            await self._receipt(receivers, event, receipt)

    async def _receipt(self, receivers: Receivers, event: smpp34.DeliverSmEvent, receipt: DeliveryReceipt) -> None:
        """A receipt is from the phone to us; some SMSCs turn that round, and some name no phone."""
        ref, *others = names(receipt.ref)
        kept = tuple(others) if self._settings.receipt_ids == "any" else ()
        phones = [(event.source_addr, event.source_addr_ton), (event.destination_addr, event.dest_addr_ton)]
        own = self._from[0]
        to = {
            key
            for address, ton in phones
            if address.lstrip("+").isdigit() and len(address) > SHORT_CODE and address.lstrip("+") != own
            for key in receivers.replies.keys_of(self._phone(address, ton))
        }
        part = PartReceipt(self.name, ref, receipt.state, receipt.code, kept, tuple(sorted(to)))
        await receivers.recorder.report(Report("", event_key=f"{ref}:{receipt.state}", part=part))

    async def _reply(self, receivers: Receivers, event: smpp34.DeliverSmEvent, came: float) -> None:
        text = await self._joiner.whole(event)
        if text is None:
            return
        phone = self._phone(event.source_addr, event.source_addr_ton)
        # the protocol names no reply: the same words from the same phone within a minute are one
        key = self._tools.signer.code("smpp reply", f"{phone}|{text}|{int(came // 60)}")
        answer = await receivers.replies.inbound(Inbound("sms", phone, text, f"in:{key}"))
        self._joiner.done(event)
        if answer:
            for part in split(answer, ord(key[0])):
                await self._submit(phone, part, 3600)

    def _phone(self, address: str, ton: int) -> str:
        """With + and country code, as it is in the register."""
        if ton != INTERNATIONAL and self._settings.region and not address.startswith("+"):
            return phone_numbers.normal(address, self._settings.region) or "+" + address
        return phone_numbers.modern("+" + address.lstrip("+"))


def _source(text: str) -> tuple[str, int, int]:
    """Address, type of number and plan of our sender."""
    if text.startswith("+"):
        return text[1:], INTERNATIONAL, ISDN
    if text.isdigit() or not text:
        return text, 0, ISDN if text else 0
    return text, ALPHANUMERIC, 0


def _period(seconds: int) -> str:
    """validity_period, relative (7.1.1.2): the SMSC drops what comes too late."""
    minutes, second = divmod(max(1, seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return f"0000{min(days, 31):02d}{hour:02d}{minute:02d}{second:02d}000R"


DRIVER = Spec(SmsSmpp.name, SmsSmpp)
