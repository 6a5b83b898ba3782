"""Every installed driver keeps the checklist; the Twilio drivers tell honestly what an answer means."""

from __future__ import annotations

from importlib.metadata import entry_points
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.channels.drivers.email.email import Email
from services.channels.drivers.twilio.http import outcome
from services.channels.drivers.twilio.sms import SmsTwilio
from services.channels.model.driver import Channel, Outcome, Reports, Result, Spec, Tools
from services.channels.model.http_call import Response
from services.channels.model.outbound import Outbound
from services.channels.providers.catalogue import channel_rows
from services.channels.providers.country_limits import CountryLimits
from services.shared.clock import StepClock
from services.shared.crypto.signing import Signer
from services.shared.settings import Settings
from tests.kit.driving import driving, message

POINTS = sorted(entry_points(group="tocsin.drivers"), key=lambda p: p.name)


@pytest.mark.parametrize("point", POINTS, ids=[p.name for p in POINTS])
async def test_a_driver_is_one_file_and_one_line(point: Any) -> None:
    """The entry point's name and the driver's are one; channels are named; it can say why it cannot send."""
    spec = point.load()
    assert isinstance(spec, Spec)
    assert point.name == spec.name
    assert point.value.startswith("services.channels.drivers.")
    async with aiohttp.ClientSession() as session:
        tools = cast(Any, Tools)(
            session, None, Signer(b"k" * 32), StepClock(0.0), "http://127.0.0.1", settings=Settings()
        )
        driver = spec.make(tools)
        assert spec.name == driver.name
        assert driver.channels
        assert all(isinstance(r, Channel) for r in driver.channels)
        assert driver.concurrency >= 1
        assert isinstance(driver.why_not(), str)
        if isinstance(driver, Reports):
            assert all(r.path.startswith(f"/callbacks/{spec.name}/") for r in driver.routes(cast(Any, None)))  # type: ignore[attr-defined]


def driver(name: str, why: str) -> Any:
    return SimpleNamespace(name=name, channels=(Channel("sms", ("sms",), two_way=True),), why_not=lambda: why)


@pytest.mark.parametrize(
    ("operator", "aggregator", "chosen"),
    [
        ("", "not_configured", "a_operator"),
        ("not_configured", "", "b_aggregator"),
        ("", "", "a_operator"),
        ("not_configured", "not_configured", "a_operator"),
    ],
)
def test_a_channel_that_two_channels_offer_is_one_that_works(operator: str, aggregator: str, chosen: str) -> None:
    """Whatever their order; of two that work the first by name."""
    both = [driver("a_operator", operator), driver("b_aggregator", aggregator)]
    for order in (both, both[::-1]):
        rows = channel_rows(order, CountryLimits({}))
        assert [("sms", chosen)] == [(r["channel"], r["driver"]) for r in rows]
        assert rows[0]["working"] is not bool(rows[0]["why"])


ANSWERS = [
    (201, b'{"sid": "SM1"}', None, Outcome.ACCEPTED),
    (201, b'{"sid": "XX1"}', None, Outcome.AMBIGUOUS),
    (200, b"<html>", None, Outcome.AMBIGUOUS),
    (201, b'{"sid": "SM', None, Outcome.AMBIGUOUS),
    (429, b'{"code": 20429}', "7", Outcome.NOT_SENT),
    (401, b'{"code": 20003}', None, Outcome.PROVIDER_FAULT),
    (403, b"", None, Outcome.PROVIDER_FAULT),
    (400, b'{"code": 21211}', None, Outcome.PERMANENT),
    (400, b'{"code": 21606}', None, Outcome.PROVIDER_FAULT),
    (404, b"{}", None, Outcome.PERMANENT),
    (500, b"", None, Outcome.AMBIGUOUS),
    (503, b"{}", None, Outcome.AMBIGUOUS),
]


@pytest.mark.parametrize(("status", "body", "after", "meant"), ANSWERS)
def test_what_an_answer_means(status: int, body: bytes, after: str | None, meant: Outcome) -> None:
    """Our key refused fails nobody; a 5xx or a 2xx that cannot be read may have been accepted."""
    found = outcome(Response(status, float(after) if after else None, body))
    assert meant is found.outcome
    assert (7.0 if after else None) == found.retry_after


@pytest.mark.parametrize("how", ["refused", "closed", "hang"])
async def test_a_failure_before_or_after_the_request(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listening: surely not sent. Connection lost or silence after the request: ambiguous."""

    async def handler(request: web.Request) -> web.Response:
        await request.read()
        assert request.transport is not None
        if how == "closed":
            request.transport.close()
        raise web.HTTPGatewayTimeout

    app = web.Application()
    app.router.add_post("/{tail:.*}", handler)
    async with TestServer(app) as server:
        base = "http://127.0.0.1:9" if how == "refused" else str(server.make_url("")).rstrip("/")
        given = {"BASE_URL": base, "ACCOUNT_SID": "AC1", "AUTH_TOKEN": "t", "FROM_NUMBER": "+9991"}
        for name, value in given.items():
            monkeypatch.setenv(f"TOCSIN_TWILIO_{name}", value)
        async with driving(SmsTwilio) as driver:
            result = await driver.send(message(to="+9992"))
    assert {"refused": Outcome.NOT_SENT}.get(how, Outcome.AMBIGUOUS) is result.outcome


async def test_mail_nobody_takes_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """No mail server: try again; nothing was handed over."""
    monkeypatch.setenv("TOCSIN_SMTP_HOST", "127.0.0.1")
    monkeypatch.setenv("TOCSIN_SMTP_PORT", "9")
    async with aiohttp.ClientSession() as session:
        tools = cast(Any, Tools)(
            session, None, Signer(b"k" * 32), StepClock(0.0), "http://127.0.0.1", settings=Settings()
        )
        driver = Email(tools)
        assert "" == driver.why_not()
        message = Outbound("d", "w", "email", "a@example.org", "text", "", "subject", "en", "http://x", 60)
        result: Result = await driver.send(message)
    assert Outcome.NOT_SENT is result.outcome
