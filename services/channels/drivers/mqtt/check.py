"""Tests the way to each loudspeaker and back with a command that makes no sound."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import aiomqtt

from services.channels.drivers.mqtt.link import DeviceLink, NotConnected
from services.channels.model.driver import AreaTest
from services.shared.bus.outbox import new_id
from services.shared.clock import wall
from services.shared.crypto.signing import Signer

WORD = "check"
AT_ONCE = 64
NAMED = 3  # silent ones that are named


class Checks:
    """The checks this process has out. Every process hears every report, so the one that asked hears the answers."""

    def __init__(self, link: DeviceLink, signer: Signer) -> None:
        self._link = link
        self._signer = signer
        self._silent: dict[str, set[str]] = {}
        self._answered = asyncio.Event()

    def heard(self, check_id: str, device: str) -> None:
        """An answer; one that comes late, or to another process, is nothing here."""
        self._silent.get(check_id, set()).discard(device)
        self._answered.set()

    async def ask(self, devices: Sequence[str], within: float) -> AreaTest:
        """Passed where one of them answered: then broker and network hold, and who was silent is named."""
        if fault := self._link.fault:
            return AreaTest(False, fault)
        check_id = new_id()
        silent = self._silent[check_id] = set(devices)
        try:
            async with asyncio.timeout(within):
                await self._command(check_id, devices, int(within))
                while silent:
                    self._answered.clear()
                    await self._answered.wait()
        except NotConnected:
            return AreaTest(False, "the broker was lost")
        except TimeoutError:
            pass  # who is silent is told below
        finally:
            del self._silent[check_id]
        heard, named = len(devices) - len(silent), ", ".join(sorted(silent)[:NAMED])
        more = f"; silent: {named}{' ...' if len(silent) > NAMED else ''}" if silent else ""
        return AreaTest(heard > 0, f"{heard} of {len(devices)} answered{more}")

    async def _command(self, check_id: str, devices: Sequence[str], seconds: int) -> None:
        places = asyncio.Semaphore(AT_ONCE)
        lost: list[str] = []

        async def one(device: str) -> None:
            name = f"{check_id}-{WORD}"
            body: dict[str, object] = {
                "command": WORD, "id": name, "token": self._signer.token("device", f"{name}-{device}"), "drill": True,
                "until": int(wall()) + seconds, "wait_s": 0,
            }  # fmt: skip
            async with places:
                try:
                    await self._link.command(device, body, seconds)
                except (NotConnected, aiomqtt.MqttError) as problem:  # slow for one of them: it counts as silent
                    lost.append(str(problem))

        await asyncio.gather(*map(one, devices))
        if len(lost) == len(devices):
            raise NotConnected(lost[0])
