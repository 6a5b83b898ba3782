"""A stub Tocsin that keeps what it is told, a client that sends as our drivers do, and time that is moved."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import web
from twilio.request_validator import RequestValidator

from services.shared.clock import StepClock
from services.sim.world import World

START = 1_780_000_000.0 - 1_780_000_000.0 % 86400 + 10 * 3600  # ten in the morning, UTC


@dataclass
class Stub:
    """Stands where Tocsin will: keeps callbacks, inbound texts and keys, with whether their signature was right."""

    url: str = ""
    token: str = ""
    told: list[tuple[str, dict[str, str], bool]] = field(default_factory=list)
    reply: str = ""
    key_twiml: str = "<Response><Say>Thank you.</Say><Hangup/></Response>"
    refuse: int = 0  # answer 503 to so many requests
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, count: int) -> None:
        """Waits until so many requests have come."""
        async with asyncio.timeout(5):
            while len(self.told) < count:
                await self.news.wait()
                self.news.clear()

    def of(self, path: str) -> list[dict[str, str]]:
        """The forms that came to paths that begin so."""
        return [form for where, form, _ in self.told if where.startswith(path)]

    async def take(self, request: web.Request) -> web.Response:
        if self.refuse > 0:
            self.refuse -= 1
            return web.Response(status=503)
        form = {k: str(v) for k, v in (await request.post()).items()}
        signature = request.headers.get("X-Twilio-Signature", "")
        right = RequestValidator(self.token).validate(self.url + request.path_qs, form, signature)
        self.told.append((request.path, form, right))
        self.news.set()
        if "/key/" in request.path:
            return web.Response(text=self.key_twiml, content_type="application/xml")
        if request.path.endswith("/inbound"):
            text = f"<Response><Message>{self.reply}</Message></Response>" if self.reply else "<Response/>"
            return web.Response(text=text, content_type="application/xml")
        return web.Response(status=204)


async def listen(app: web.Application) -> tuple[web.AppRunner, str]:
    """A server on a free loopback port and its URL."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


async def settle(world: World, seconds: float = 4 * 3600) -> None:
    """Moves time from event to event until nothing is left or `seconds` are over."""
    clock = world.agenda.clock
    assert isinstance(clock, StepClock)
    end = clock.now() + seconds
    while True:
        while await world.agenda.run_due():
            pass
        when = world.agenda.next_at()
        if when is None or when > end:
            return
        clock.advance_to(max(when, clock.now()))


class Client:
    """Sends as our drivers do."""

    def __init__(self, world: World, stub: Stub, session: aiohttp.ClientSession) -> None:
        self.world, self.stub, self.session = world, stub, session
        self.auth = {"Authorization": aiohttp.encode_basic_auth(world.account_sid, world.auth_token)}
        self.base = f"{world.url}/2010-04-01/Accounts/{world.account_sid}"

    async def sms(self, to: str, body: str, delivery: str, timeout: float = 5, **more: str) -> Any:
        form = {
            "To": to,
            "From": "+99970000001",
            "Body": body,
            "StatusCallback": f"{self.stub.url}/callbacks/sms_twilio/status/{delivery}.mac#rc=5&rp=all",
            "ValidityPeriod": "3600",
        }
        return await self._post("Messages", form | more, timeout)

    async def call(self, to: str, said: str, delivery: str, timeout: float = 5) -> Any:
        action = f"{self.stub.url}/callbacks/voice_twilio/key/{delivery}.mac"
        form = {
            "To": to,
            "From": "+99970000001",
            "Twiml": f'<Response><Gather timeout="8" action="{action}"><Say>{said}</Say></Gather></Response>',
            "StatusCallback": f"{self.stub.url}/callbacks/voice_twilio/status/{delivery}.mac",
            "StatusCallbackEvent": ["initiated", "ringing", "answered", "completed"],
            "MachineDetection": "Enable",
            "Timeout": "60",
        }
        return await self._post("Calls", form, timeout)

    async def _post(self, resource: str, form: Any, timeout: float) -> Any:
        async with self.session.post(
            f"{self.base}/{resource}.json",
            data=urlencode(form, doseq=True).encode(),
            headers=self.auth | {"Content-Type": "application/x-www-form-urlencoded"},
            timeout=aiohttp.ClientTimeout(total=timeout),
        ) as response:
            return response.status, await response.json(), response.headers
