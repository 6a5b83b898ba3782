"""Makes a driver's HTTP call and judges what the network did: a Response, NotSent or Ambiguous.

NotSent: no byte of the request can have left. The connection was never made (no such name, refused, no answer in the time for
it, TLS not agreed), the address is none, or the last look before the first byte said no. Ambiguous: everything later. A reset
on a kept connection is ambiguous too: whether the request or the reset came first nobody can tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ssl import SSLContext
from typing import Literal

import aiohttp
from yarl import URL

from services.channels.model.driver import Result
from services.channels.model.final_check import Overtaken
from services.channels.model.outcome import LATE, Outcome

TIMEOUT = aiohttp.ClientTimeout(total=10, connect=3)
MOST_CODE = 24  # letters an attempt has for its code


@dataclass(frozen=True)
class Response:
    """An answer; `retry_after` in seconds where it names them, `body` where it was asked for."""

    status: int
    retry_after: float | None = None
    body: bytes = b""


@dataclass(frozen=True)
class NotSent:
    """Surely nothing went out: it may be sent again."""

    code: str
    because: Literal["no connection", "no tls", "no address", "late"] = "no connection"

    @property
    def result(self) -> Result:
        return Result(Outcome.NOT_SENT, code=self.code)


@dataclass(frozen=True)
class Ambiguous:
    """It may have been taken."""

    code: str

    @property
    def result(self) -> Result:
        return Result(Outcome.AMBIGUOUS, code=self.code)


async def http_call(
    session: aiohttp.ClientSession,
    method: str,
    url: str | URL,
    *,
    headers: Mapping[str, str],
    data: bytes = b"",
    read_body: bool = False,
    timeout: aiohttp.ClientTimeout | None = None,
    tls: SSLContext | None = None,
) -> Response | NotSent | Ambiguous:
    """One request, never repeated and never redirected. Without `read_body` the status alone is the answer."""
    try:
        async with session.request(
            method,
            url,
            headers=headers,
            data=data or None,
            timeout=timeout or TIMEOUT,
            allow_redirects=False,
            ssl=tls or True,
        ) as answer:
            body = await answer.read() if read_body else b""
            return Response(answer.status, seconds(answer.headers.get("Retry-After", "")), body)
    except Overtaken:
        return NotSent(LATE, "late")
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as problem:
        return NotSent(_code(problem), "no address")
    except aiohttp.ClientSSLError as problem:
        return NotSent(_code(problem), "no tls")
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as problem:
        return NotSent(_code(problem))
    except (aiohttp.ClientError, TimeoutError) as problem:
        return Ambiguous(_code(problem))


def _code(problem: Exception) -> str:
    return type(problem).__name__[:MOST_CODE]


def seconds(retry_after: str) -> float | None:
    """Of a Retry-After in seconds; one that is a date says nothing here."""
    return float(retry_after) if retry_after.isascii() and retry_after.isdecimal() else None
