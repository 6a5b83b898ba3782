"""Lines, counts and spans: one a unit of work, by route pattern, ids only."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Iterator

import aiohttp
import pytest
import sqlalchemy as sa
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from structlog.testing import capture_logs

from services.shared import telemetry
from services.shared.errors import Broken, NotFound
from services.shared.web.edge import faults_as_answers

TOKEN = "s3cr3t-token"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry.trace_to(provider)
    yield exporter
    telemetry.trace_to(None)
    provider.shutdown()


def application() -> web.Application:
    """Pages that answer, that have nothing, that break, and one that is asked every few seconds."""

    async def page(request: web.Request) -> web.Response:
        return web.Response(text="page")

    async def nothing(request: web.Request) -> web.Response:
        raise NotFound(f"there is no list {request.match_info['token']}")

    async def broken(request: web.Request) -> web.Response:
        raise Broken(f"the number +8613800138000 of {TOKEN} is broken")

    async def gone(request: web.Request) -> web.Response:
        raise asyncio.CancelledError

    async def away(request: web.Request) -> web.Response:
        raise sa.exc.OperationalError("SELECT", {}, ConnectionError("the server went"))

    async def wrong(request: web.Request) -> web.Response:
        raise sa.exc.ProgrammingError("SELEKT", {}, SyntaxError("no such word"))

    async def body(request: web.Request) -> web.Response:
        raise ConnectionResetError("the caller went in the middle of its body")

    app = web.Application(middlewares=[telemetry.canonical_line, faults_as_answers])
    app.router.add_get("/l/{token}", page)
    app.router.add_get("/a/{token}", nothing)
    app.router.add_get("/b/{token}", broken)
    app.router.add_get("/gone", gone)
    app.router.add_get("/away", away)
    app.router.add_get("/wrong", wrong)
    app.router.add_get("/body", body)
    app.router.add_get("/livez", page)
    return app


async def asked(*paths: str) -> list[dict[str, object]]:
    """The request lines after asking for these paths."""
    async with TestClient(TestServer(application())) as client:
        with capture_logs() as lines:
            for path in paths:
                async with client.get(path) as response:
                    await response.read()
    return [dict(line) for line in lines if line["event"] == "request"]


async def test_a_request_is_one_line_with_its_route_and_never_its_path() -> None:
    """Method, route pattern, status, seconds; no token, no query."""
    lines = await asked(f"/l/{TOKEN}?q={TOKEN}", f"/a/{TOKEN}", f"/b/{TOKEN}", f"/{TOKEN}")
    assert [("/l/{token}", 200), ("/a/{token}", 404), ("/b/{token}", 500), ("-", 404)] == [
        (line["route"], line["status"]) for line in lines
    ]
    assert {"event", "log_level", "method", "route", "status", "seconds"} == set(lines[0])
    assert TOKEN not in json.dumps(lines)


async def test_machines_that_ask_every_few_seconds_leave_no_line_at_the_usual_level() -> None:
    """A probe that is right is said at debug."""
    lines = await asked("/livez")
    assert ["debug"] == [line["log_level"] for line in lines]


async def test_requests_and_sends_are_counted() -> None:
    """By method, route and status; by driver and outcome."""
    before, sent = telemetry.requests["GET", "/l/{token}", 200][0], telemetry.sends["d", "accepted"]
    await asked("/l/1", "/l/2")
    telemetry.sent("d", "accepted")
    assert before + 2 == telemetry.requests["GET", "/l/{token}", 200][0]
    assert sent + 1 == telemetry.sends["d", "accepted"]


async def test_a_request_that_is_cancelled_is_counted_as_that() -> None:
    """Neither a success nor an error of ours: the caller hung up, or we stopped."""
    before = telemetry.requests["GET", "/gone", 499][0]
    async with TestClient(TestServer(application())) as client:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await client.get("/gone")
    assert before + 1 == telemetry.requests["GET", "/gone", 499][0]


async def test_a_database_that_is_away_is_said_and_is_no_fault_of_the_callers() -> None:
    """503 with a time to come back, so that a provider sends its receipt again; a statement of ours that is wrong is 500."""
    async with TestClient(TestServer(application())) as client:
        async with client.get("/away") as response:
            document = await response.json(content_type="application/problem+json")
            assert (503, "5") == (response.status, response.headers["Retry-After"])
        assert "the database does not answer just now: send it again in a few seconds" == document["title"]
        async with client.get("/wrong") as response:
            assert 500 == response.status


async def test_a_request_whose_caller_went_is_no_error_of_ours() -> None:
    """Cut off in the middle of its body: counted as a caller that has gone."""
    lines = await asked_in_vain("/body")
    assert [("/body", 499)] == [(line["route"], line["status"]) for line in lines]


async def asked_in_vain(path: str) -> list[dict[str, object]]:
    """The request lines where no answer is to be had."""
    async with TestClient(TestServer(application())) as client:
        with capture_logs() as lines, contextlib.suppress(aiohttp.ClientError):
            async with client.get(path) as response:
                await response.read()
    return [dict(line) for line in lines if line["event"] == "request"]


async def test_a_request_is_one_span_named_by_its_route(spans: InMemorySpanExporter) -> None:
    """With method, route and status, an error where it failed, and nothing of what was sent."""
    await asked(f"/l/{TOKEN}?q={TOKEN}", f"/b/{TOKEN}")
    good, bad = spans.get_finished_spans()
    assert ("GET /l/{token}", "GET /b/{token}") == (good.name, bad.name)
    assert {"http.request.method": "GET", "http.route": "/l/{token}", "http.response.status_code": 200} == dict(
        good.attributes or {}
    )
    assert (True, False) == (good.status.is_unset, bad.status.is_ok)
    assert TOKEN not in good.to_json() + bad.to_json()
    assert "8613800138000" not in bad.to_json()


def test_a_unit_of_work_is_a_span_of_ids_and_its_error_has_no_words(spans: InMemorySpanExporter) -> None:
    """What is not given is left out; an exception is its name, since its words may quote an address."""
    with telemetry.span("handle", msg_id="m1", topic="DeliveryDue", consumer="channels", tier=4):
        pass
    with pytest.raises(Broken), telemetry.span("send", delivery_id="d1", driver="sms_twilio"):
        raise Broken("+8613800138000 is broken")
    handled, failed = spans.get_finished_spans()
    assert {
        "tocsin.msg_id": "m1", "tocsin.topic": "DeliveryDue", "tocsin.consumer": "channels", "tocsin.tier": 4,
    } == dict(handled.attributes or {})  # fmt: skip
    assert {"tocsin.delivery_id": "d1", "tocsin.driver": "sms_twilio", "error.type": "Broken"} == dict(
        failed.attributes or {}
    )
    assert (False, ()) == (failed.status.is_ok, failed.events)
    assert "8613800138000" not in failed.to_json()


def test_a_call_without_a_task_is_a_span_of_its_own_times(spans: InMemorySpanExporter) -> None:
    telemetry.called("d1", "sms_twilio", 4, 10.0, 12.5)
    (one,) = spans.get_finished_spans()
    assert ("send", 10_000_000_000, 12_500_000_000) == (one.name, one.start_time, one.end_time)
    assert {"tocsin.delivery_id": "d1", "tocsin.driver": "sms_twilio", "tocsin.tier": 4} == dict(one.attributes or {})


def test_without_a_provider_a_span_costs_nothing() -> None:
    """The same empty context every time."""
    assert telemetry.span("send", delivery_id="d1") is telemetry.span("handle", msg_id="m1")


def test_traces_are_off_unless_asked_for_and_say_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an endpoint nothing happens; with one and without the extra, a warning says what to install."""
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    assert False is telemetry.configure_tracing("gateway")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with capture_logs() as lines:
        assert False is telemetry.configure_tracing("gateway")
    assert ["no_traces"] == [line["event"] for line in lines]
