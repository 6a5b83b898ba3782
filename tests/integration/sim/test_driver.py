"""Our own Twilio driver against the stand-in: what each misbehaviour comes to, and signatures it accepts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp import web

from services.channels.drivers.twilio.http import TwilioAccount, TwilioSettings, result_of
from services.channels.drivers.twilio.sms import SmsTwilio
from services.channels.http.pool import Pool
from services.channels.model import http_call
from services.channels.model.driver import Outcome
from services.sim.callees import TextFate
from services.sim.world import World
from tests.kit.driving import driving, message
from tests.kit.provider_stub import listen, settle


@asynccontextmanager
async def driver_for(world: World, public_url: str, monkeypatch: Any) -> AsyncIterator[SmsTwilio]:
    """The driver, made from the environment the world gives."""
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    async with driving(SmsTwilio, public_url) as driver:
        yield driver


@pytest.mark.parametrize(
    ("mode", "outcome"),
    [
        ("ok", Outcome.ACCEPTED),
        ("429", Outcome.NOT_SENT),
        ("401", Outcome.PROVIDER_FAULT),
        ("5xx", Outcome.AMBIGUOUS),
        ("hang", Outcome.AMBIGUOUS),
        ("accept_then_timeout", Outcome.AMBIGUOUS),
        ("accept_then_reset", Outcome.AMBIGUOUS),
        ("malformed", Outcome.AMBIGUOUS),
    ],
)
async def test_each_misbehaviour_is_read_as_what_it_is(world_of, monkeypatch, mode, outcome) -> None:
    """Only a real accept is accepted; whatever may have been accepted is ambiguous, never refused."""
    world = await world_of()
    world.behaviour.change({"queue": [mode]})
    if mode in ("hang", "accept_then_timeout"):
        monkeypatch.setattr(http_call, "TIMEOUT", aiohttp.ClientTimeout(total=1))
    async with driver_for(world, world.url, monkeypatch) as driver:
        result = await driver.send(message(to="+99970001111", text="Go now"))
    assert outcome == result.outcome
    if world.accepts:
        assert outcome in (Outcome.ACCEPTED, Outcome.AMBIGUOUS)


async def test_the_driver_accepts_the_stand_ins_signatures(world_of, session, monkeypatch) -> None:
    """Over the public URL, with a query in it and characters outside ASCII in the form."""
    told: list[dict[str, str]] = []

    async def take(request: web.Request) -> web.Response:
        told.append(await account.verified(request))
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/callbacks/{tail:.*}", take)
    runner, url = await listen(app)
    try:
        world = await world_of()
        for name, value in world.environment.items():
            monkeypatch.setenv(name, value)
        account = TwilioAccount(TwilioSettings(), session, url)
        world.set_target(url)
        monkeypatch.setattr(world.phones, "text", lambda text: TextFate(1.0, 2.0))
        monkeypatch.setattr(world.phones, "got", lambda text: None)
        form = {
            "To": "+99970001111",
            "From": "+99970000001",
            "Body": "马上走",
            "StatusCallback": f"{url}/callbacks/x/d1.mac?plane=drill&n=1#rc=5&rp=all",
        }
        pool = Pool(world.url, 1)
        answer = await pool.call(account.head("Messages").request(urlencode(form)))
        assert Outcome.ACCEPTED == result_of(answer).outcome
        await pool.close()
        await settle(world)
        await world.sandbox.inbound(sender="+99970001111", to="+99970000001", body="1 帮助 & more", key="k")
        assert ["queued", "sent", "delivered"] == [f["MessageStatus"] for f in told if "MessageStatus" in f]
        assert "1 帮助 & more" == told[-1]["Body"]
    finally:
        await runner.cleanup()
