"""Loudspeakers and sirens over MQTT: a siren's pattern by tier, silence, then speech; one delivery to the area.

Accepted is when the broker has every command; what a speaker reports after that is a fact of that speaker and never
evidence of a person. A command names itself, so that a speaker that gets it twice plays it once; the newest delivery ends
whatever is being played. To each speaker in the warned area, as JSON:

    {"command": "siren"|"speak"|"stop"|"test"|"check", "id", "token", "tier", "ending", "drill", "until", "wait_s",
     "siren": {"on_s", "off_s", "times"},                         for siren and test
     "speak": {"url", "sha256", "bytes", "seconds", "languages"}} for speak

`until` is a Unix time after which it is not to be begun; `wait_s` seconds from receipt to the first sound. It answers on
its report topic {"word": "received"|"playing"|"played"|"failed", "token", "reason"} and, at any time, {"word": "alive",
"battery", "trouble"}. The sound is fetched from `url`. A check is answered with received and makes no sound.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import aiomqtt
import sqlalchemy as sa
import structlog
from aiohttp import web

from services.channels.drivers.mqtt import device_store as store
from services.channels.drivers.mqtt.check import WORD as CHECK
from services.channels.drivers.mqtt.check import Checks
from services.channels.drivers.mqtt.devices_file import Speaker, inside, read_speakers
from services.channels.drivers.mqtt.link import DeviceLink, DeviceReport, DeviceSettings, NotConnected
from services.channels.messages.announcement import (
    Sound,
    can_speak,
    read_recordings,
    said_twice,
    speak,
    write_wav,
)
from services.channels.messages.cap_document import read_document
from services.channels.model.driver import (
    AreaTest,
    Channel,
    Outcome,
    Receivers,
    Result,
    Spec,
    Tools,
)
from services.channels.model.final_check import last_look
from services.channels.model.outbound import Outbound
from services.shared.clock import wall
from services.shared.errors import Broken, Fault, NotFound
from services.shared.tiers import Tier

log = structlog.get_logger("loudspeakers")
KIND = "speaker"
PUBLISH_S = 4.0  # for all sirens of one delivery, and again for all speech
VOICE_S = 3.0  # for all announcements of one delivery: with both of the former less than the sender's limit
AT_ONCE = 64
ORDER = ("stop", "siren", "speak")
Command = tuple[Speaker, str, dict[str, object]]
SILENCE_S = 3
REMEMBERED = 64  # deliveries whose commands the broker has in part


@dataclass(frozen=True)
class Pattern:
    """`times` tones of `on_s` seconds, `off_s` apart. Slow: get ready. Fast: go now."""

    on_s: int
    off_s: int
    times: int

    @property
    def seconds(self) -> int:
        return (self.on_s + self.off_s) * self.times


PATTERNS = {Tier.ORANGE: Pattern(8, 4, 3), Tier.RED: Pattern(2, 1, 15)}
DRILL = Pattern(2, 0, 1)  # one tone, in whatever tier: nobody may take it for the real one
TEST = Pattern(1, 0, 1)


class LoudspeakerMqtt:
    """One channel for the whole area."""

    name = "loudspeaker_mqtt"
    channels = (Channel("area_sound", voice=True, links=False),)
    concurrency = 4

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._settings = s = tools.settings.part(DeviceSettings)
        self._speakers, self._faults = read_speakers(s.list)
        self._recordings = read_recordings(s.recordings)
        self._drill = tools.plane == "drill"
        self._sounds: dict[tuple[str, ...], dict[str, object]] = {}
        self._has: OrderedDict[str, set[tuple[str, str]]] = OrderedDict()
        self.link = DeviceLink(s, tools.plane, KIND)
        self._checks = Checks(self.link, tools.signer)

    def why_not(self) -> str:
        if not self._settings.broker or self._settings.list is None:
            return "not_configured"
        if not self._speakers:
            return "no_speaker_in_TOCSIN_DEVICES_LIST"
        if not any(one.sirens for one in self._speakers) and not self._has_voice:
            return "no_voice: install espeak-ng, or give TOCSIN_DEVICES_RECORDINGS"
        return ""

    @property
    def listed(self) -> tuple[Speaker, ...]:
        return self._speakers if self._settings.broker else ()

    @property
    def left_out(self) -> tuple[str, ...]:
        return (*self._faults, *self._recordings.faults)

    @property
    def fault(self) -> str:
        return self.link.fault

    @property
    def silent_s(self) -> float:
        return self._settings.silent_s

    @property
    def _has_voice(self) -> bool:
        return can_speak() or bool(self._recordings.found)

    async def start(self, receivers: Receivers) -> None:
        for fault in self.left_out:
            log.error("left_out", reason=fault)
        async with self._tools.database.write() as tx:
            await store.forget_old(tx)
        self.link.start(self.heard)

    async def stop(self) -> None:
        await self.link.stop()

    async def told(self) -> list[str]:
        if not self._settings.broker:
            return []
        async with self._tools.database.read() as db:
            seen = await store.devices(db, KIND)
        silent = [one.id for one in self._speakers if self.silent(seen.get(one.id))]
        lines = [f"loudspeakers: {len(self._speakers)} known, {len(silent)} silent{': ' if silent else ''}"]
        lines[0] += ", ".join(silent[:10]) + (" ..." if len(silent) > 10 else "")
        if not can_speak():
            lines.append("loudspeakers: espeak-ng is not installed: what no recording says is the siren alone")
        return lines + [f"loudspeakers: left out: {fault}" for fault in self.left_out]

    def silent(self, row: store.DeviceRow | None) -> bool:
        """Whether a device was not heard for too long, or never."""
        return row is None or wall() - row.seen_at > self._settings.silent_s

    # ---- out

    async def send(self, message: Outbound) -> Result:
        """Commands to every speaker inside; those the broker has already are not sent again by this process."""
        try:
            return await self._send(message)
        except Broken:
            log.exception("no_document", warning_id=message.warning_id)
            return Result(Outcome.PERMANENT, code="no document of ours")
        except (sa.exc.SQLAlchemyError, OSError, TimeoutError) as problem:  # a sound could not be kept, or not noted
            log.warning("database_away", reason=type(problem).__name__)
            return Result(Outcome.PROVIDER_FAULT, code="database away")

    async def _send(self, message: Outbound) -> Result:
        document = read_document(message.document)
        if document.drill != self._drill:
            return Result(Outcome.PERMANENT, code=f"{document.status} on {self._tools.plane}")
        chosen = inside(self._speakers, document.area)
        if not chosen:
            return Result(Outcome.PERMANENT, code="no speaker in the area")
        if fault := self.link.fault:
            return Result(Outcome.PROVIDER_FAULT, code=fault)
        has = self._has.setdefault(message.delivery_id, set())
        while len(self._has) > REMEMBERED:
            self._has.popitem(last=False)
        pattern = self._pattern(message, chosen)
        problem = await self._publish(message, self._first(message, chosen, pattern), has)
        late = False
        if not problem:  # what needs no voice is out, whatever the voice does
            speech, late = await self._speech(message, chosen, pattern)
            await last_look()  # a voice takes its time, and what is newer must not be spoken over
            problem = await self._publish(message, speech, has)
        if problem:
            # the same commands again are harmless, for they name themselves; silence is not
            return Result(Outcome.PROVIDER_FAULT, code=problem)
        del self._has[message.delivery_id]
        if late and not any(word != "stop" for _, word in has):
            return Result(Outcome.NOT_SENT, code="voice too slow")
        if not has:
            return Result(Outcome.PERMANENT, code="nothing they can play")
        return Result(Outcome.ACCEPTED, ref=message.delivery_id, code="voice too slow" if late else "")

    async def _publish(self, message: Outbound, commands: Sequence[Command], has: set[tuple[str, str]]) -> str:
        """Why some could not be handed over, or empty; what the broker has is added to `has`, and noted."""
        missing = [(one, word, what) for one, word, what in commands if (one.id, word) not in has]
        places = asyncio.Semaphore(AT_ONCE)
        problems: list[str] = []

        async def one(speaker: Speaker, word: str, what: dict[str, object]) -> None:
            async with places:
                if problems:
                    return
                try:
                    await self.link.command(speaker.id, what, message.seconds_left)
                except (NotConnected, aiomqtt.MqttError) as problem:
                    problems.append(str(problem) if isinstance(problem, NotConnected) else "broker lost")
                else:
                    has.add((speaker.id, word))

        try:
            async with asyncio.timeout(PUBLISH_S):
                for word in ORDER:
                    await last_look()
                    await asyncio.gather(*(one(*each) for each in missing if each[1] == word))
        except TimeoutError:
            problems.append("broker slow")
        if missing:
            async with self._tools.database.write() as tx:
                await store.commanded(tx, message.delivery_id, sorted(has))
        return problems[0] if problems else ""

    def _pattern(self, message: Outbound, chosen: Sequence[Speaker]) -> Pattern | None:
        if message.ending or not any(one.sirens for one in chosen):
            return None
        return DRILL if self._drill else PATTERNS.get(Tier(message.tier))

    def _first(self, message: Outbound, chosen: Sequence[Speaker], pattern: Pattern | None) -> list[Command]:
        """Stop (before an ending) and siren."""
        found = [self._command(message, one, "stop") for one in chosen if message.ending]
        if pattern is not None:
            found += [self._command(message, one, "siren", siren=vars(pattern)) for one in chosen if one.sirens]
        return found

    async def _speech(
        self, message: Outbound, chosen: Sequence[Speaker], pattern: Pattern | None
    ) -> tuple[list[Command], bool]:
        """Speech for those that can, after the siren and a silence; whether some is missing, as the voice took too long."""
        wait = pattern.seconds + SILENCE_S if pattern is not None else 0
        there = tuple(message.spoken_in)
        wanted = {one.id: _languages(there, one.languages) for one in chosen if one.speaks}
        keys = {(message.delivery_id, *languages) for languages in wanted.values()} - self._sounds.keys()
        late = False
        if keys:
            said, late = await self._voices(message, {language for _, *languages in keys for language in languages})
            if len(self._sounds) > REMEMBERED:
                self._sounds.clear()
            for key in keys:
                if sounds := {language: said[language] for language in key[1:] if language in said}:
                    self._sounds[key] = await self._keep(sounds)
        found = [(one, self._sounds.get((message.delivery_id, *wanted[one.id]))) for one in chosen if one.speaks]
        return [self._command(message, one, "speak", wait, speak=said) for one, said in found if said is not None], late

    def _command(self, message: Outbound, speaker: Speaker, word: str, wait_s: int = 0, **what: object) -> Command:
        name = f"{message.delivery_id}-{word}"
        body = {
            "command": word, "id": name, "token": self._tools.signer.token("device", f"{name}-{speaker.id}"),
            "tier": Tier(message.tier).word, "ending": message.ending, "drill": self._drill,
            "until": int(wall()) + message.seconds_left, "wait_s": wait_s, **what,
        }  # fmt: skip
        return speaker, word, body

    # ---- what is said

    async def _voices(self, message: Outbound, languages: Iterable[str]) -> tuple[dict[str, Sound], bool]:
        """Each language that can be said, all within VOICE_S; whether one was not said by then."""
        word = message.ending or Tier(message.tier).word
        by, late = asyncio.get_running_loop().time() + VOICE_S, list[str]()

        async def one(language: str) -> Sound | None:
            usable = message.as_recorded and not self._drill  # else it may order what nobody asks
            recorded = self._recordings.of(message.hazard, word, language) if usable else None
            try:
                async with asyncio.timeout_at(by):
                    sound = recorded or await speak(message.spoken_in[language], language)
            except TimeoutError:
                late.append(language)
                return None
            if sound is None:
                log.error("no_voice", language=language, warning_id=message.warning_id)
            return sound

        order = sorted(languages)
        made = await asyncio.gather(*map(one, order))
        if late:
            log.error("voice_too_slow", languages=late, warning_id=message.warning_id, seconds=VOICE_S)
        return {language: sound for language, sound in zip(order, made, strict=True) if sound is not None}, bool(late)

    async def _keep(self, said: dict[str, Sound]) -> dict[str, object]:
        """The announcement, kept where every process can serve it, as a speaker is told of it."""
        sounds = said_twice(list(said.values()))
        wav = write_wav(sounds)
        async with self._tools.database.write() as tx:
            digest = await store.keep_sound(tx, wav)
        path = f"/callbacks/{self.name}/sound/{self._tools.signer.token('sound', digest)}"
        return {
            "url": f"{self._tools.public_url}{path}",
            "sha256": digest,
            "bytes": len(wav),
            "seconds": round(sum(one.seconds for one in sounds), 1),
            "languages": list(said),
        }

    # ---- in

    def routes(self, receivers: Receivers) -> Iterable[web.AbstractRouteDef]:
        return (web.get(f"/callbacks/{self.name}/sound/{{token}}", self._serve),)

    async def _serve(self, request: web.Request) -> web.Response:
        digest = self._tools.signer.subject("sound", request.match_info["token"])
        async with self._tools.database.read() as db:
            wav = await store.sound(db, digest)
        if wav is None:
            raise NotFound("this announcement is no longer kept", field="token")
        return web.Response(body=wav, content_type="audio/wav", headers={"ETag": f'"{digest}"'})

    async def heard(self, device: str, report: DeviceReport) -> None:
        """A report: that the device is there, and what became of a command that the token names."""
        if all(one.id != device for one in self._speakers):
            log.warning("unknown_speaker", device=device)
            return
        word = report["word"]
        delivery_id, what = self._named(device, str(report.get("token", ""))) if word in store.FACTS else ("", "")
        health = store.Health.of(report, tested=(word, what) == ("played", "test"))
        async with self._tools.database.write() as tx:
            await store.heard(tx, KIND, device, health)
            if what and what != CHECK:
                await store.became(tx, delivery_id, what, device, word, str(report.get("reason", "")))
        if what == CHECK:
            self._checks.heard(delivery_id, device)

    @property
    def stations(self) -> tuple[str, ...]:
        """The speakers."""
        return tuple(one.id for one in self._speakers)

    async def try_area(self, stations: Sequence[str], within: float) -> AreaTest:
        return await self._checks.ask(stations, within)

    def _named(self, device: str, token: str) -> tuple[str, str]:
        """Delivery and word of the command a token was made for; two empty ones where it was not made for this device."""
        try:
            delivery_id, word, owner = self._tools.signer.subject("device", token).split("-", 2)
        except (Fault, ValueError):
            log.warning("forged_report", device=device)
            return "", ""
        return (delivery_id, word) if owner == device else ("", "")

    async def test(self, device: str, test_id: str) -> None:
        """One short tone from one speaker; NotFound where there is none of that name with a tone."""
        if all(one.id != device or not one.sirens for one in self._speakers):
            raise NotFound(f"there is no speaker {device!r} with a tone of its own", field="device")
        token = self._tools.signer.token("device", f"{test_id}-test-{device}")
        body = {
            "command": "test", "id": f"{test_id}-test", "token": token, "drill": True, "until": int(wall()) + 60,
            "wait_s": 0, "siren": vars(TEST),
        }  # fmt: skip
        await self.link.command(device, body, 60)
        async with self._tools.database.write() as tx:
            await store.commanded(tx, test_id, [(device, "test")])


def _languages(there: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the warning that are spoken where the speaker stands, in its order; all where none of them is."""
    found = [t for w in wanted for t in there if t.lower() == w.lower() or t.lower().split("-")[0] == w.lower()]
    return tuple(dict.fromkeys(found)) or there


DRIVER = Spec(LoudspeakerMqtt.name, LoudspeakerMqtt)
