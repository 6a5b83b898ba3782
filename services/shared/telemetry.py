"""Logs: structlog, one JSON line per unit of work, and a second line of defence against personal data in them."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_PHONE = re.compile(r"(?<![\w.])\+?\d[\d \-]{7,}\d(?![\w.])")
_ALLOWED_NUMBERS = frozenset({"timestamp", "port", "pid"})


def _mask(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """No phone number leaves in a log, even where somebody logged one by mistake; ids are hex and stay."""
    for key, value in event.items():
        if isinstance(value, str) and key not in _ALLOWED_NUMBERS:
            event[key] = _PHONE.sub("[number]", value)
    return event


def configure(level: str = "INFO", *, pretty: bool | None = None) -> None:
    """JSON lines on stderr, or readable ones where stderr is a terminal."""
    pretty = sys.stderr.isatty() if pretty is None else pretty
    renderer: Any = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer(ensure_ascii=False)
    processors: list[Any] = [
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
