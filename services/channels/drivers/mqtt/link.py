"""Keeps the connection to the devices' MQTT broker: commands out at QoS 1, reports in; reconnects when it is lost.

Topics, in plane live or drill, for a kind of device (speaker, shaker), below TOCSIN_DEVICES_TOPIC:

    <topic>/<plane>/<kind>/<id>/command    to one device: JSON, never retained, dropped by the broker when it is too late
    <topic>/<plane>/<kind>/<id>/report     from it: JSON
    <topic>/<plane>/centre/<client>        "here" or, by our Last Will, "gone"; retained

Every channels process has a connection and hears every report: what is told twice changes nothing. A session outlives
its connection for an hour, so that the broker keeps what devices report meanwhile. The library confirms a report before
we have it on disk: a press of somebody's hand is repeated until we say that it is noted.
"""

from __future__ import annotations

import asyncio
import json
import platform
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Required, TypedDict, cast
from urllib.parse import urlsplit

import aiomqtt
import structlog
from aiomqtt import ProtocolVersion, Will
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from services.channels.drivers.mqtt.devices_file import ID
from services.shared.errors import Broken
from services.shared.input.untrusted import json_of
from services.shared.settings import Environment

log = structlog.get_logger("devices")
WAITS_S = (0.5, 1.0, 2.0, 5.0, 10.0)
CALL_S = 4.0
KEEPALIVE_S = 15
SESSION_S = 3600
MOST_REPORT = 4096  # bytes of one
REFUSALS = (
    "authori",
    "user name",
    "identifier",
    "banned",
)  # in the broker's reasons: it is there and does not let us in
ID_RULE = re.compile(ID)


class DeviceReport(TypedDict, total=False):
    """What a device says, as it came: only that there is a word is known."""

    word: Required[str]
    token: object
    digit: object
    reason: object
    battery: object
    trouble: object


Heard = Callable[[str, DeviceReport], Awaitable[None]]


class NotConnected(Exception):
    """There is no broker just now: surely nothing went out."""


class DeviceSettings(Environment):
    """TOCSIN_DEVICES_...: without a broker both channels say `not_configured`."""

    model_config = SettingsConfigDict(env_prefix="TOCSIN_DEVICES_")

    broker: str = Field("", description="mqtts://host:8883, or mqtt://host:1883 inside a network of one's own")
    username: str = ""
    password: SecretStr = SecretStr("")
    ca: Path | None = Field(None, description="PEM certificates the broker's is checked against; empty: the system's")
    cert: Path | None = Field(None, description="PEM certificate we show the broker, with its key in `key`")
    key: Path | None = None
    topic: str = Field("tocsin", pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$")
    port: int = Field(
        8080, validation_alias="TOCSIN_PORT", description="our own: tells two processes of a machine apart"
    )
    client: str = Field(
        "", pattern=r"^[A-Za-z0-9_-]{0,60}$", description="our name at the broker, another for each process"
    )
    list: Path | None = Field(None, description="YAML file of the loudspeakers")
    recordings: Path | None = Field(
        None, description="folder of WAV files that are played instead of a synthetic voice"
    )
    silent_s: int = Field(900, ge=10, description="a device not heard for so long is shown as silent")

    @field_validator("broker")
    @classmethod
    def _address(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.username or parts.path):
            raise ValueError(
                "give mqtts://host or mqtt://host, with :port if it is not the usual one, and nothing else"
            )
        return value

    def tls(self) -> ssl.SSLContext | None:
        """For mqtts; Broken names the file that does not fit."""
        if not self.broker.startswith("mqtts:"):
            return None
        if (self.cert is None) != (self.key is None):
            raise Broken("TOCSIN_DEVICES_CERT and TOCSIN_DEVICES_KEY belong together: give both, or neither")
        try:
            context = ssl.create_default_context(cafile=str(self.ca) if self.ca else None)
            if self.cert is not None:
                context.load_cert_chain(self.cert, self.key)
        except (OSError, ssl.SSLError) as problem:
            raise Broken(f"TOCSIN_DEVICES_CA, _CERT or _KEY cannot be used: {problem}") from problem
        return context


class DeviceLink:
    """One connection for devices of one kind; `heard` gets each report with the id of the device its topic names."""

    def __init__(self, settings: DeviceSettings, plane: str, kind: str, *, waits: tuple[float, ...] = WAITS_S) -> None:
        self._settings = settings
        self._root = f"{settings.topic}/{plane}"
        self._kind = kind
        self._name = f"{settings.client or f'tocsin-{platform.node()[:40]}-{settings.port}'}-{plane}-{kind}"
        self._waits = waits
        self._tls = settings.tls()
        self._client: aiomqtt.Client | None = None
        self._running: asyncio.Task[None] | None = None
        self._handing: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        self.why = "not connected yet"

    @property
    def connected(self) -> bool:
        return self._client is not None

    def start(self, heard: Heard) -> None:
        """Begins to connect, and goes on trying; hands each report to `heard`."""
        self._running = asyncio.create_task(self._run(heard), name=f"devices:{self._kind}")
        self._running.add_done_callback(_ended)

    async def stop(self) -> None:
        """Says that we are gone, and goes."""
        if self._running is None:
            return
        if self._client is not None:
            try:
                await self._client.publish(self._centre, "gone", qos=1, retain=True, timeout=CALL_S)
            except aiomqtt.MqttError as problem:
                log.info("devices_not_told", reason=str(problem))
        self._running.cancel()
        await asyncio.gather(self._running, *self._handing, return_exceptions=True)

    @property
    def fault(self) -> str:
        """Why nothing can be handed over now, in the few letters an attempt has for it; empty while there is a broker."""
        if self.connected:
            return ""
        return "broker refuses us" if any(word in self.why.lower() for word in REFUSALS) else "no broker"

    async def wait_connected(self, seconds: float) -> bool:
        """Whether there is a connection, at the latest then."""
        try:
            async with asyncio.timeout(seconds):
                while not self.connected:
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    @property
    def _centre(self) -> str:
        return f"{self._root}/centre/{self._name}"

    async def command(self, device: str, what: Mapping[str, object], seconds_left: int) -> None:
        """Returns when the broker has it. NotConnected where surely nothing went out; MqttError where that is not known."""
        client = self._client
        if client is None:
            raise NotConnected(self.fault)
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.MessageExpiryInterval = max(1, seconds_left)
        topic = f"{self._root}/{self._kind}/{device}/command"
        body = json.dumps(what, ensure_ascii=False)
        await client.publish(topic, body, qos=1, properties=properties, timeout=CALL_S)

    async def _run(self, heard: Heard) -> None:
        failed = 0
        while True:
            try:
                async with self._make() as client:
                    await client.subscribe(f"{self._root}/{self._kind}/+/report", qos=1)
                    await client.publish(self._centre, "here", qos=1, retain=True)
                    self._client, self.why, failed = client, "", 0
                    self._tell()
                    log.info("devices_connected", kind=self._kind)
                    async for message in client.messages:
                        task = asyncio.create_task(self._take(heard, message))
                        self._handing.add(task)
                        task.add_done_callback(self._handing.discard)
            except aiomqtt.MqttError as problem:
                self.why = str(problem)
            finally:
                self._client = None
            wait = self._waits[min(failed, len(self._waits) - 1)]
            failed += 1
            log.warning("devices_not_connected", kind=self._kind, reason=self.why, tries=failed, again_s=wait)
            await asyncio.sleep(wait)

    def _tell(self) -> None:
        self._news.set()
        self._news.clear()

    def _make(self) -> aiomqtt.Client:
        s = self._settings
        parts = urlsplit(s.broker)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_S
        return aiomqtt.Client(
            parts.hostname or "",
            parts.port or (8883 if self._tls else 1883),
            username=s.username or None,
            password=s.password.get_secret_value() or None,
            identifier=self._name,
            protocol=ProtocolVersion.V5,
            clean_start=False,
            properties=properties,
            will=Will(self._centre, "gone", qos=1, retain=True),
            tls_context=self._tls,
            keepalive=KEEPALIVE_S,
            timeout=CALL_S,
            max_inflight_messages=64,
            max_concurrent_outgoing_calls=256,
        )

    async def _take(self, heard: Heard, message: aiomqtt.Message) -> None:
        """One report that cannot be taken stops no other."""
        device = str(message.topic).split("/")[-2]
        try:
            report = _read(device, message.payload)
        except ValueError as problem:
            log.warning("device_report_refused", kind=self._kind, reason=str(problem)[:200])
            return
        try:
            await heard(device, report)
        except Exception:
            log.exception("device_report_not_taken", kind=self._kind)


def _ended(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (problem := task.exception()) is not None:
        log.critical("devices_ended", reason=repr(problem))


def _read(device: str, payload: object) -> DeviceReport:
    if not ID_RULE.fullmatch(device):
        raise ValueError("the device's name in the topic is no name")
    if not isinstance(payload, bytes) or len(payload) > MOST_REPORT:
        raise ValueError(f"a report is JSON of at most {MOST_REPORT} bytes")
    match json_of(payload, MOST_REPORT):
        case {"word": str()} as found:
            return cast(DeviceReport, found)  # whatever else it says is judged where it is read
        case _:
            raise ValueError("a report is a JSON object with a word")
