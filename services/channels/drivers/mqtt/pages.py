"""Serves /open/devices: the state of loudspeakers and shakers, as a page or JSON, and a test tone for one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypedDict

import aiomqtt
from aiohttp import web

from services.channels.drivers.mqtt import device_store as store
from services.channels.drivers.mqtt.devices_file import Listed, Speaker
from services.channels.drivers.mqtt.link import NotConnected
from services.channels.model.driver import Driver
from services.shared.audit import trail
from services.shared.bus.outbox import new_id
from services.shared.clock import wall
from services.shared.errors import Busy, NotFound
from services.shared.i18n import mark
from services.shared.powers.power import Power
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.web.answers import Accepted, Json
from services.shared.web.asking import asks, the_installation
from services.shared.web.edge import wants_page
from services.shared.web.html import page

WORDS = {"siren": "siren", "speak": "speech", "test": "test"}


class SpeakerState(TypedDict):
    """What is known of one speaker; ages in whole seconds, null where it never was; `last` by what it was to do."""

    id: str
    name: str
    kind: str
    zone: str
    silent: bool
    heard_s: int | None
    battery: int | None
    trouble: str
    tested_s: int | None
    last: dict[str, dict[str, int | str | None]]


class ShakersState(TypedDict):
    """How many shakers were ever heard, are silent now, and are low."""

    heard: int
    silent: int
    battery_low: int


class DevicesState(TypedDict):
    """The devices' broker, its speakers (silent ones first) and shakers."""

    broker: str
    silent: int
    speakers: list[SpeakerState]
    left_out: list[str]
    shakers: ShakersState


class ToneAsked(TypedDict):
    """Which speaker was asked for a tone."""

    device: str
    asked: bool


class DevicePages:
    """The handlers of /open/devices."""

    def __init__(self, platform: Platform, drivers: Mapping[str, Driver]) -> None:
        self._platform = platform
        self._channel = next((d for d in drivers.values() if isinstance(d, Listed)), None)

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """GET /open/devices; POST /open/devices/test (device)."""
        return (web.get("/open/devices", self.show), web.post("/open/devices/test", self.test))

    @asks(Power.SEE_PLANT, the_installation)
    async def show(self, request: web.Request, who: Who) -> Json[DevicesState] | web.Response:
        """Silent ones first. Of shakers only how many: which one is whose is nobody's business here."""
        async with self._platform.database.read() as db:
            seen, shakers = await store.devices(db, "speaker"), await store.devices(db, "shaker")
            last = await store.last_commands(db)
        channel, now = self._channel, wall()
        silent_s = channel.silent_s if channel is not None else 0
        rows = [
            _row(one, seen.get(one.id), last, now, silent_s) for one in (channel.listed if channel is not None else ())
        ]
        rows.sort(key=lambda row: (not row["silent"], row["id"]))
        found: DevicesState = {
            "broker": (channel.fault or mark("connected"))
            if channel is not None and channel.listed
            else mark("not configured"),
            "silent": sum(bool(row["silent"]) for row in rows),
            "speakers": rows,
            "left_out": list(channel.left_out) if channel is not None else [],
            "shakers": {
                "heard": len(shakers),
                "silent": sum(now - row.seen_at > silent_s for row in shakers.values()),
                "battery_low": sum(row.battery is not None and row.battery < 20 for row in shakers.values()),
            },
        }
        if not wants_page(request):
            return Json(found)
        return page("devices.html", who=who, found=found, plane=self._platform.settings.plane,
                    may_test="command" in who.actions)  # fmt: skip

    @asks(Power.TRY_PLANT, the_installation)
    async def test(self, request: web.Request, who: Who) -> Accepted[ToneAsked]:
        """A tone of a second, written down before it sounds; the speaker's own report says whether it was played."""
        device = str((await request.post()).get("device", ""))[:40]
        if self._channel is None:
            raise NotFound("there are no speakers here", field="device")
        async with self._platform.database.write() as tx:
            await trail.record(tx, who.label, "device.test", device, "a short tone from one speaker", {})
        try:
            await self._channel.test(device, new_id())
        except (NotConnected, aiomqtt.MqttError) as problem:
            raise Busy("the devices' broker does not answer just now: try again in a few seconds") from problem
        if wants_page(request):
            raise web.HTTPSeeOther("/open/devices")
        return Accepted({"device": device, "asked": True})


def _row(
    one: Speaker,
    seen: store.DeviceRow | None,
    last: Mapping[tuple[str, str], store.CommandRow],
    now: float,
    silent_s: float,
) -> SpeakerState:
    """What is known of one speaker; ages in whole seconds, null where it never was."""

    def ago(at: float | None) -> int | None:
        return None if at is None else max(0, int(now - at))

    commands = {
        said: {name: ago(getattr(row, f"{name}_at")) for name in ("sent", *store.FACTS)} | {"reason": row.reason}
        for word, said in WORDS.items()
        if (row := last.get((one.id, word))) is not None
    }
    return {
        "id": one.id, "name": one.name, "kind": one.kind, "zone": one.zone,
        "silent": seen is None or now - seen.seen_at > silent_s,
        "heard_s": ago(seen.seen_at if seen is not None else None),
        "battery": seen.battery if seen is not None else None,
        "trouble": seen.trouble if seen is not None else "",
        "tested_s": ago(seen.tested_at if seen is not None else None),
        "last": commands,
    }  # fmt: skip
