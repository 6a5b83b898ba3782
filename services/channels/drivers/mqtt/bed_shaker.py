"""Bed shakers and 520 Hz sounders over MQTT: they wake who does not hear a telephone. The contact's address is the device's id.

To the device, as JSON:

    {"command": "wake"|"stop", "id", "token", "tier", "ending", "drill", "until",
     "pulse": {"on_s", "off_s", "times"}, "tone_hz": 520}

It answers on its report topic {"word": "received"|"shaking"|"pressed"|"failed", "token", "digit", "reason"} and, at any time,
{"word": "alive", "battery", "trouble"}. `shaking` is delivered; `pressed` is somebody's hand, acknowledged, with the answer of
the one digit table where the device has more than one button. Once that is on disk it gets {"command": "noted", "id",
"digit"}, may show it, and stops repeating the press. It is not told what is said: text and names stay here.
"""

from __future__ import annotations

from functools import partial

import aiomqtt
import structlog

from services.channels.drivers.mqtt import device_store as store
from services.channels.drivers.mqtt.link import ID_RULE, DeviceLink, DeviceReport, DeviceSettings, NotConnected
from services.channels.model.driver import Channel, Outcome, Receivers, Result, Spec, Tools
from services.channels.model.outbound import Outbound
from services.channels.model.report import Report
from services.channels.replies.matching import answer_of
from services.shared.bus.outbox import new_id
from services.shared.clock import wall
from services.shared.errors import Fault
from services.shared.ledger.evidence import Evidence
from services.shared.ledger.states import SendState
from services.shared.tiers import Tier

log = structlog.get_logger("shakers")
KIND = "shaker"
PULSES = {Tier.BLUE: (1, 2, 5), Tier.YELLOW: (1, 2, 10), Tier.ORANGE: (2, 2, 30), Tier.RED: (3, 1, 60)}
NOTED_S = 60
TONE_HZ = 520  # square wave: wakes nine in ten who are hard of hearing, where the usual beep wakes every second
# word > what it says of the delivery; received says only that the device is there
WORDS = {
    "shaking": (SendState.DELIVERED, Evidence.DELIVERED),
    "pressed": (SendState.DELIVERED, Evidence.ACKNOWLEDGED),
    "failed": (SendState.FAILED, Evidence.NONE),
}


class BedShakerMqtt:
    """Channel: to a resident's own device."""

    name = "bed_shaker_mqtt"
    channels = (Channel("bed_shaker", ("bed_shaker",), two_way=True, links=False, proof="delivered"),)
    concurrency = 64

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._settings = tools.settings.part(DeviceSettings)
        self.link = DeviceLink(self._settings, tools.plane, KIND)

    def why_not(self) -> str:
        return "" if self._settings.broker else "not_configured"

    async def start(self, receivers: Receivers) -> None:
        self.link.start(partial(self._heard, receivers))

    async def stop(self) -> None:
        await self.link.stop()

    async def told(self) -> list[str]:
        if not self._settings.broker:
            return []
        async with self._tools.database.read() as db:
            seen = await store.devices(db, KIND)
        silent = [name for name, row in seen.items() if wall() - row.seen_at > self._settings.silent_s]
        return [f"bed shakers: {len(seen)} heard so far, {len(silent)} silent now"]

    async def send(self, message: Outbound) -> Result:
        """Accepted when the broker has it; a device that gets it twice knows it by its id."""
        if not ID_RULE.fullmatch(message.to):
            return Result(Outcome.PERMANENT, code="no device id")
        on_s, off_s, times = PULSES[Tier(message.tier or Tier.BLUE)]
        body = {
            "command": "stop" if message.ending else "wake",  # nobody is shaken out of sleep because it is over
            "id": message.delivery_id,
            "token": self._tools.signer.token("shaker", f"{message.delivery_id}-{message.to}"),
            "tier": Tier(message.tier or Tier.BLUE).word,
            "ending": message.ending,
            "drill": self._tools.plane == "drill",
            "until": int(wall()) + message.seconds_left,
            "pulse": {"on_s": on_s, "off_s": off_s, "times": times},
            "tone_hz": TONE_HZ,
        }
        try:
            await self.link.command(message.to, body, message.seconds_left)
        except NotConnected as problem:
            return Result(Outcome.PROVIDER_FAULT, code=str(problem))
        except aiomqtt.MqttError:
            return Result(Outcome.AMBIGUOUS, code="broker lost")
        return Result(Outcome.ACCEPTED, ref=message.delivery_id)

    async def _heard(self, receivers: Receivers, device: str, report: DeviceReport) -> None:
        """Records a report under the delivery its token names; notes the device as there, by a code of its id."""
        code = receivers.replies.code_of("shaker there", device)
        async with self._tools.database.write() as tx:
            await store.heard(tx, KIND, code, store.Health.of(report))
        word, digit = report["word"], str(report.get("digit", ""))[:1]
        if word not in WORDS:
            return
        try:
            delivery_id, owner = self._tools.signer.subject("shaker", str(report.get("token", ""))).split("-", 1)
        except (Fault, ValueError):
            log.warning("forged_report")
            return
        if owner != device:
            log.warning("forged_report")
            return
        state, evidence = WORDS[word]
        pressed = word == "pressed"
        await receivers.recorder.report(
            Report(
                delivery_id,
                event_key=f"{delivery_id}:{word}{digit if pressed else ''}",
                state=state,
                evidence=evidence,
                answer=answer_of(digit) if pressed else None,
                by="person" if pressed else "",
                reason=str(report.get("reason", "") or word)[:80],
            )
        )
        if pressed:
            await self._noted(device, delivery_id, digit)

    async def _noted(self, device: str, delivery_id: str, digit: str) -> None:
        """Tells the device that its press is on disk; one that does not hear it presses again, which is the same event."""
        body = {"command": "noted", "id": f"{delivery_id}-noted-{new_id()[:8]}", "digit": digit}
        try:
            await self.link.command(device, body, NOTED_S)
        except (NotConnected, aiomqtt.MqttError) as problem:
            log.info("not_noted", reason=str(problem))


DRIVER = Spec(BedShakerMqtt.name, BedShakerMqtt)
