"""Voice over Twilio: a call that says the warning twice and takes one key; an answering machine is nobody.

heard = 20 seconds with a person, or a key. Digits as on every channel: 1 going, 2 help, 3 not there, 4 spoken with,
5 cannot reach, 9 say it again (no evidence).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache, partial
from typing import NamedTuple
from urllib.parse import quote_plus, urlencode
from xml.sax.saxutils import escape

import sqlalchemy as sa
from aiohttp import web

from services.channels.drivers.twilio.http import TwilioAccount, TwilioSettings
from services.channels.http.request import form_number
from services.channels.messages.frames import frame_for, language_of_lines
from services.channels.messages.phrases import answered_as, of_instruction
from services.channels.model.driver import (
    Channel,
    Outcome,
    Receivers,
    Result,
    Spec,
    StatusAnswer,
    StatusQuestion,
    Tools,
)
from services.channels.model.outbound import Outbound
from services.channels.model.report import Report
from services.channels.model.window import Window
from services.channels.outcomes.fold import fits, not_ours
from services.channels.replies.matching import answer_of, asks_of, by_of
from services.channels.replies.relay import passed_on
from services.shared.database.rows import columns, row_of
from services.shared.ledger.evidence import Evidence
from services.shared.ledger.params import CallTimes, Params
from services.shared.ledger.states import SendState
from services.shared.ledger.tables import delivery
from services.shared.people import languages
from services.shared.people.languages import base_of
from services.shared.text.sentences import first, prefixes, sentences

HEARD_S = 20
NO_KEYS_SAID = ("supporter_voice", "officer_voice", "voice_duty")  # a house of many has keys of its own in the text
# call status > (state, evidence); busy, no-answer and failed say that nobody was reached by this try
STATUSES: dict[str, tuple[SendState, Evidence]] = {
    "queued": (SendState.ACCEPTED, Evidence.ACCEPTED),
    "initiated": (SendState.ACCEPTED, Evidence.ACCEPTED),
    "ringing": (SendState.ACCEPTED, Evidence.ACCEPTED),
    "in-progress": (SendState.DELIVERED, Evidence.DELIVERED),
    "completed": (SendState.DELIVERED, Evidence.DELIVERED),
    "busy": (SendState.FAILED, Evidence.NONE),
    "no-answer": (SendState.FAILED, Evidence.NONE),
    "failed": (SendState.FAILED, Evidence.NONE),
    "canceled": (SendState.FAILED, Evidence.NONE),
}
# what a voice may be asked for: Twilio's own languages of <Say> in which we can also say which key to press
VOICES = {
    "en": "en-GB", "en-us": "en-US", "en-au": "en-AU", "en-ca": "en-CA", "en-in": "en-IN", "zh": "zh-CN", "zh-hk": "zh-HK",
    "zh-mo": "zh-HK", "yue": "zh-HK", "zh-tw": "zh-TW", "de": "de-DE", "es": "es-ES", "es-mx": "es-MX", "fr": "fr-FR",
    "fr-ca": "fr-CA", "it": "it-IT", "pt": "pt-PT", "pt-br": "pt-BR",
}  # fmt: skip
# Voices of Amazon Polly, which Twilio lets speak slowly and loudly (SSML prosody in <Say>); its usual ones take no such word.
SLOW_VOICES = {
    "en-GB": "Polly.Amy", "en-US": "Polly.Joanna", "en-AU": "Polly.Nicole", "en-IN": "Polly.Raveena", "zh-CN": "Polly.Zhiyu",
    "de-DE": "Polly.Marlene", "es-ES": "Polly.Conchita", "es-MX": "Polly.Mia", "fr-FR": "Polly.Celine", "fr-CA": "Polly.Chantal",
    "it-IT": "Polly.Carla", "pt-PT": "Polly.Ines", "pt-BR": "Polly.Vitoria",
}  # fmt: skip
SLOW_RATE, LOUD = "75%", "x-loud"
HANG_UP = '<?xml version="1.0" encoding="UTF-8"?><Response><Hangup/></Response>'
_EVENTS = ("initiated", "answered", "completed")
_ALWAYS = urlencode({"StatusCallbackEvent": _EVENTS, "MachineDetection": "Enable"}, doseq=True)
MOST_TWIML = 4000  # characters of the Twiml parameter; above it every call fails with 32018


class CalledRow(NamedTuple):
    """What is known of the call a key was pressed in."""

    warning_id: str
    addressee_kind: str
    language: str
    form: str
    params: Params | None
    person_id: str
    address_key: str
    provider_ref: str
    attempts: int
    send_state: str


def _voice(language: str) -> str:
    """The voice for a language; that of our own sentences where it has none."""
    tag = language.lower().replace("_", "-")
    return VOICES.get(tag) or VOICES.get(base_of(tag)) or VOICES.get(language_of_lines(tag), VOICES["en"])


def _listen(call: CallTimes | None) -> str:
    """Carried in the signed address that is called back: how long this call must be listened to, where it is not 20 s."""
    return f"?listen={call.listen_s}" if call is not None else ""


def _channel(name: str, *kinds: str) -> Channel:
    return Channel(name, kinds, two_way=True, links=False, voice=True, speaks=tuple(VOICES), proof="answered")


def document(spoken: str, language: str, key_url: str, *, keys: str, slow: bool = False) -> str:
    """Said twice inside one Gather: a key ends it at any time. Longer than Twilio takes, it is said once, and without
    its last sentences. `keys` says which key means what; empty where it is not said. `slow`: slowly, loudly, and with
    a second after each sentence, for ears that need it."""
    voice = _voice(language)

    def aloud(said: str) -> str:
        if not slow:
            return f'<Say language="{voice}">{escape(said)}</Say>'
        named = f' voice="{SLOW_VOICES[voice]}"' if voice in SLOW_VOICES else ""
        begin, end = (f'<prosody rate="{SLOW_RATE}" volume="{LOUD}">', "</prosody>") if named else ("", "")
        return '<Pause length="1"/>'.join(
            f'<Say{named} language="{voice}">{begin}{escape(one)}{end}</Say>' for one in sentences(said)
        )

    keys_said = aloud(keys) if keys else ""
    action = escape(key_url, {'"': "&quot;"})

    def made(said: str, times: int) -> str:
        say = f'{aloud(said)}<Pause length="1"/>'
        return (
            f'<?xml version="1.0" encoding="UTF-8"?><Response><Gather numDigits="1" timeout="8" action="{action}">'
            f"{say * times}{keys_said}</Gather></Response>"
        )

    if len(twice := made(spoken, 2)) <= MOST_TWIML:
        return twice
    once = (made(said, 1) for said in (spoken, *prefixes(first(spoken, MOST_TWIML)), ""))
    return next(one for one in once if len(one) <= MOST_TWIML)


def _keys(message: Outbound) -> str:
    if message.channel in NO_KEYS_SAID:
        return ""
    return of_instruction(frame_for(message.language).keys, answered_as(message.instruction, message.tier))


class VoiceTwilio:
    """Channels: mobile and landline of a resident, a facility's duty phones, a supporter, an officer."""

    name = "voice_twilio"
    channels = (
        _channel("voice_mobile", "voice_mobile"),
        _channel("voice_landline", "voice_landline"),
        _channel("voice_duty", "duty_phone_1", "duty_phone_2"),
        _channel("supporter_voice"),
        _channel("officer_voice"),
    )

    def __init__(self, tools: Tools) -> None:
        self._settings = tools.settings.part(TwilioSettings)
        self._tools = tools
        self._account = TwilioAccount(self._settings, tools.session, tools.public_url)
        self._head = self._account.head("Calls")
        self._callbacks = f"{tools.public_url}/callbacks/voice_twilio"
        self._status_url = quote_plus(f"{self._callbacks}/status/")
        self._from = urlencode({"From": self._settings.from_number})
        self._around = lru_cache(64)(self._quoted)
        self._windows = self._account.windows(self.encode)
        self.concurrency = self._settings.concurrency
        self.per_second = self._settings.per_second

    def why_not(self) -> str:
        return self._settings.why_not(voice=True)

    async def start(self, receivers: Receivers) -> None:
        """Connections come with the first call."""
        self._windows.ready()

    async def stop(self) -> None:
        await self._windows.close()

    def window(self, red: bool) -> Window:
        return self._windows.of(red)

    async def send(self, message: Outbound) -> Result:
        """Refused for good where the warning brings no language that the voice speaks: nobody understands it read as another."""
        return await self._windows.send(message)

    def encode(self, message: Outbound) -> bytes | Result:
        """The whole request; only number, tokens and how it rings are a message's own."""
        if not message.spoken:
            return Result(Outcome.PERMANENT, code=f"no voice for {message.language}"[:24])
        token = self._tools.signer.token("voice", message.delivery_id)
        keys = _keys(message) if message.warning_id else ""
        around = self._around if message.of_many else self._quoted  # what speaks of one person is not kept
        before, after = around(message.spoken, message.language, keys, message.slow, len(token))
        return self._head.request(
            f"To={form_number(message.to)}&{self._from}&Twiml={before}{token}{after}"
            f"&StatusCallback={self._status_url}{token}{quote_plus(_listen(message.call))}&{_ALWAYS}"
            f"&Timeout={message.call.ring_s if message.call is not None else 60}"
        )

    def _quoted(self, spoken: str, language: str, keys: str, slow: bool, room: int) -> tuple[str, str]:
        """A document as a form has it, before and after a token of `room` signs: its length decides what is said."""
        before, _, after = quote_plus(
            document(spoken, language, f"{self._callbacks}/key/" + "\0" * room, keys=keys, slow=slow)
        ).partition("%00" * room)
        return before, after

    async def ask(self, question: StatusQuestion) -> StatusAnswer | None:
        """What the provider's record of a call says: that it was answered, never that somebody listened."""
        record = await self._account.record("Calls", question)
        status = str((record or {}).get("status", ""))
        if record is None or status not in STATUSES:
            return None
        state, evidence = STATUSES[status]
        return StatusAnswer(str(record["sid"]), status, state, evidence)

    def twiml(self, message: Outbound) -> str:
        """What a call says once more: with its keys, whoever is called."""
        token = self._tools.signer.token("voice", message.delivery_id)
        return document(
            message.spoken, message.language, f"{self._callbacks}/key/{token}", keys=_keys(message),
            slow=message.slow,
        )  # fmt: skip

    def routes(self, receivers: Receivers) -> Iterable[web.AbstractRouteDef]:
        return (
            web.post("/callbacks/voice_twilio/status/{token}", partial(self._status, receivers)),
            web.post("/callbacks/voice_twilio/key/{token}", partial(self._key, receivers)),
        )

    async def _status(self, receivers: Receivers, request: web.Request) -> web.Response:
        delivery_id = self._tools.signer.subject("voice", request.match_info["token"])
        form = await self._account.verified(request)
        status, sid = form.get("CallStatus", ""), form.get("CallSid", "")
        state, evidence = STATUSES.get(status, (None, Evidence.NONE))
        machine = form.get("AnsweredBy", "").startswith(("machine", "fax"))
        if machine:
            evidence = min(evidence, Evidence.DELIVERED)
        elif status == "completed":
            listen = request.query.get("listen", "")
            heard = int(listen) if listen.isdigit() else HEARD_S
            long_enough = form.get("CallDuration", "0").isdigit() and int(form.get("CallDuration", "0")) >= heard
            evidence = Evidence.HEARD if long_enough else Evidence.ANSWERED
        elif status == "in-progress":
            evidence = Evidence.ANSWERED
        if not self._account.is_ours(form):
            not_ours(self.name, "another account", delivery_id)
        elif state is not None:
            await receivers.recorder.report(
                Report(
                    delivery_id,
                    event_key=f"{sid}:{status}",
                    state=state,
                    evidence=evidence,
                    provider=self.name,
                    ref=sid,
                    reason="machine" if machine else status,
                    to=tuple(receivers.replies.keys_of(form.get("To", ""))),
                )
            )
        return web.Response(status=204)

    def _is_of(self, receivers: Receivers, form: Mapping[str, str], row: CalledRow, delivery_id: str) -> bool:
        """Whether a key was pressed in this delivery's own call."""
        if not self._account.is_ours(form):
            not_ours(self.name, "another account", delivery_id)
            return False
        to = tuple(receivers.replies.keys_of(form.get("To", "")))
        return fits(
            Report(delivery_id, "", provider=self.name, ref=form.get("CallSid", ""), to=to), row, row.provider_ref
        )

    async def _key(self, receivers: Receivers, request: web.Request) -> web.Response:
        delivery_id = self._tools.signer.subject("voice", request.match_info["token"])
        form = await self._account.verified(request)
        digit = form.get("Digits", "")
        async with self._tools.database.read() as db:
            query = sa.select(*columns(CalledRow, delivery)).where(delivery.c.delivery_id == delivery_id)
            row = await row_of(db, CalledRow, query)
        if row is None or not self._is_of(receivers, form, row, delivery_id):
            return web.Response(text=HANG_UP, content_type="application/xml")
        language = languages.first_of(row.language, VOICES) or "en"  # thanks are said in what there is a voice for
        answer = answer_of(digit)
        if digit == "9" or answer is None:
            again = await receivers.replies.say_again(delivery_id)
            text = self.twiml(again)
        else:
            await receivers.recorder.report(
                Report(
                    delivery_id,
                    event_key=f"{form.get('CallSid', '')}:key:{digit}",
                    state=SendState.DELIVERED,
                    evidence=Evidence.ACKNOWLEDGED,
                    answer=answer,
                    by=by_of(row.addressee_kind),
                    asks=asks_of(row, answer),
                    ref=form.get("CallSid", ""),
                )
            )
            for report in passed_on(row, answer, f"{form.get('CallSid', '')}:key:{digit}"):
                await receivers.recorder.report(report)
            voice = VOICES[language_of_lines(language)]
            thanks = escape(await receivers.replies.thanks(answer, row.warning_id, language, row.person_id))
            text = f'<?xml version="1.0" encoding="UTF-8"?><Response><Say language="{voice}">{thanks}</Say><Hangup/></Response>'
        return web.Response(text=text, content_type="application/xml")


DRIVER = Spec(VoiceTwilio.name, VoiceTwilio)
