"""Writes logs, spans and counts: one line a unit of work, ids only, personal data masked.

Logs are structlog, JSON where nobody watches. Spans go out only where the extra `otel` is installed and
OTEL_EXPORTER_OTLP_ENDPOINT is set; they carry ids and names of ours, never an address, a text or an error's words.
Counts are this process's own and are read by /metrics.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

import structlog
from aiohttp import web
from structlog.typing import EventDict, Processor

if TYPE_CHECKING:  # the extra `otel`
    from opentelemetry.trace import Span, Tracer, TracerProvider

_PHONE = re.compile(r"(?<![\w.])\+?\d[\d \-]{7,}\d(?![\w.])")
_ALLOWED_NUMBERS = frozenset({"timestamp", "port", "pid"})
_QUIET = frozenset({"/livez", "/readyz", "/metrics"})  # asked every few seconds, by machines
_CLIENT_GONE = 499  # no status of HTTP's: the caller hung up before the answer
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})

log = structlog.get_logger("http")
sends: Counter[tuple[str, str]] = Counter()  # (driver, outcome) > attempts
refused: Counter[tuple[str, str]] = Counter()  # (driver, why) > reports that name a delivery they are not of
requests: defaultdict[tuple[str, str, int], list[float]] = defaultdict(lambda: [0, 0.0])  # > number, seconds in all


def _mask(_logger: object, _name: str, event: EventDict) -> EventDict:
    """No phone number leaves in a log, even where somebody logged one by mistake; ids are hex and stay."""
    for key, value in event.items():
        if isinstance(value, str) and key not in _ALLOWED_NUMBERS:
            event[key] = _PHONE.sub("[number]", value)
    return event


def configure(level: str = "INFO", *, pretty: bool | None = None) -> None:
    """JSON lines on stderr, or readable ones where stderr is a terminal."""
    pretty = sys.stderr.isatty() if pretty is None else pretty
    renderer: Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if pretty:  # structlog's own traceback prints the locals of each frame: people's values, and seconds of the loop
        renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if not pretty:
        processors.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*processors, _mask, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    for noisy in ("twilio.http_client", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)  # they would log numbers in URLs


@web.middleware
async def canonical_line(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """One line, one span and one count a request: method, route pattern, status, seconds.

    The pattern and never the path, and no query: a path holds tokens that open lists and answer pages. Put it first
    among the middlewares, so that it sees the status that goes out.
    """
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "-"
    method = request.method if request.method in _METHODS else "other"
    status, begun = 500, time.monotonic()
    with _request_span(f"{method} {route}") as note:
        try:
            response = await handler(request)
            status = response.status
            return response
        except web.HTTPException as answer:
            status = answer.status
            raise
        except (asyncio.CancelledError, ConnectionError):  # also in the middle of its body
            status = _CLIENT_GONE
            raise
        finally:
            seconds = time.monotonic() - begun
            counted = requests[method, route, status]
            counted[0] += 1
            counted[1] += seconds
            note(method, route, status)
            say = log.debug if route in _QUIET and status < 400 else log.info
            say("request", method=method, route=route, status=status, seconds=round(seconds, 4))


def sent(driver: str, outcome: str) -> None:
    """Counts one attempt of a driver by its outcome."""
    sends[driver, outcome] += 1


# ---- spans

_tracer: Tracer | None = None
_OFF: AbstractContextManager[None] = nullcontext()


def configure_tracing(service: str) -> bool:
    """Sends spans to OTEL_EXPORTER_OTLP_ENDPOINT under the name tocsin-<service>; whether it does.

    The variables of OpenTelemetry hold (OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER, ...).
    """
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return False
    try:
        sdk = importlib.import_module("opentelemetry.sdk.trace")
        export = importlib.import_module("opentelemetry.sdk.trace.export")
        resources = importlib.import_module("opentelemetry.sdk.resources")
        otlp = importlib.import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ImportError as missing:
        log.warning("no_traces", missing=missing.name, do="pip install 'tocsin[otel]'")
        return False
    provider = sdk.TracerProvider(resource=resources.Resource.create({"service.name": f"tocsin-{service}"}))
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
    trace_to(provider)
    return True


def trace_to(provider: TracerProvider | None) -> None:
    """Spans go to this OpenTelemetry provider from now on; None ends it."""
    global _tracer
    _tracer = provider.get_tracer("tocsin") if provider is not None else None


def span(
    name: str,
    *,
    warning_id: str = "",
    msg_id: str = "",
    delivery_id: str = "",
    consumer: str = "",
    topic: str = "",
    driver: str = "",
    tier: int = 0,
) -> AbstractContextManager[None]:
    """The time of one unit of work (a message handled, a send); costs nothing where no spans go out.

    What may be said of it are these ids and names and nothing else: there is no parameter for an address.
    """
    if _tracer is None:
        return _OFF
    said: dict[str, str | int] = {
        "tocsin.warning_id": warning_id, "tocsin.msg_id": msg_id, "tocsin.delivery_id": delivery_id,
        "tocsin.consumer": consumer, "tocsin.topic": topic, "tocsin.driver": driver, "tocsin.tier": tier,
    }  # fmt: skip
    return _span(_tracer, name, {key: value for key, value in said.items() if value})


def called(delivery_id: str, driver: str, tier: int, began_at: float, ended_at: float) -> None:
    """A span of a call that is over and had no task of its own; wall seconds."""
    if _tracer is not None:
        said: dict[str, str | int] = {
            "tocsin.delivery_id": delivery_id, "tocsin.driver": driver, "tocsin.tier": tier,
        }  # fmt: skip
        over = _tracer.start_span("send", start_time=int(began_at * 1e9), attributes=said)
        over.end(end_time=int(ended_at * 1e9))


@contextmanager
def _span(tracer: Tracer, name: str, attributes: dict[str, str | int]) -> Iterator[None]:
    with _recorded(tracer, name, attributes):
        yield


@contextmanager
def _request_span(name: str) -> Iterator[Callable[[str, str, int], None]]:
    """Gives the function that says how the request ended."""
    if _tracer is None:
        yield lambda method, route, status: None
        return
    with _recorded(_tracer, name, {}) as current:

        def note(method: str, route: str, status: int) -> None:
            current.set_attribute("http.request.method", method)
            current.set_attribute("http.route", route)
            current.set_attribute("http.response.status_code", status)
            if status >= 500:
                _failed(current)

        yield note


@contextmanager
def _recorded(tracer: Tracer, name: str, attributes: dict[str, str | int]) -> Iterator[Span]:
    """A span whose error is the exception's name: its words may quote what somebody sent."""
    with tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except web.HTTPException:
            raise  # an answer, not an error: its status says which
        except BaseException as problem:
            _failed(current)
            current.set_attribute("error.type", type(problem).__name__)
            raise


def _failed(current: Span) -> None:
    from opentelemetry.trace import Status, StatusCode

    current.set_status(Status(StatusCode.ERROR))
