"""Signed requests from the provider's stand-in to Tocsin: callbacks, keys and inbound texts, with bounded retries.

A connection that fails, or an answer of 5xx, is tried again after 1, 2, 4, 8 and 16 wall seconds (the real provider
retries up to five times with `#rc=5&rp=all`, within 15 seconds). After that it is lost, and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qs, urldefrag, urlencode

import aiohttp
from twilio.request_validator import RequestValidator
from yarl import URL

from services.sim.agenda import Agenda

_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)
MOST_RETRIES = 5
Heard = Callable[[bytes], Awaitable[None]]


class Postman:
    """One session for everything that goes out from here; `busy` while any request is in flight."""

    def __init__(self, agenda: Agenda, auth_token: str) -> None:
        self._agenda = agenda
        self._validator = RequestValidator(auth_token)  # type: ignore[no-untyped-call]
        self._session: aiohttp.ClientSession | None = None
        self._in_flight = 0
        self.counts: Counter[str] = Counter()

    @property
    def session(self) -> aiohttp.ClientSession:
        """Made at first use, so that it belongs to the running loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=100, keepalive_timeout=15),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=_TIMEOUT,
            )
        return self._session

    @property
    def busy(self) -> bool:
        return self._in_flight > 0

    async def close(self) -> None:
        """Ends the session."""
        if self._session is not None:
            await self._session.close()

    async def post(self, url: str, form: Mapping[str, str], what: str) -> bytes | None:
        """Posts once, signed over the URL without its fragment. Returns the body of a 2xx, None where it should be
        tried again, and b'' where a 4xx refuses it for good."""
        url = urldefrag(url).url
        signature: str = self._validator.compute_signature(url, dict(form))  # type: ignore[no-untyped-call]
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Twilio-Signature": signature,
            "User-Agent": "TwilioProxy/1.1",
        }
        self._in_flight += 1
        try:
            async with self.session.post(
                URL(url, encoded=True), data=urlencode(form).encode(), headers=headers, allow_redirects=False
            ) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError):
            self.counts[f"{what}_unreachable"] += 1
            return None
        finally:
            self._in_flight -= 1
        if response.status >= 500:
            self.counts[f"{what}_{response.status}"] += 1
            return None
        if response.status >= 400:
            self.counts[f"{what}_refused"] += 1
            return b""
        self.counts[what] += 1
        return body

    async def deliver(self, url: str, form: Mapping[str, str], what: str, key: str, heard: Heard | None = None) -> None:
        """Posts now and, where it fails, again later through the agenda; `heard` gets the body of the answer."""
        retries = _retries(url)

        async def once(nth: int) -> None:
            body = await self.post(url, form, what)
            if body is None:
                if nth >= retries:
                    self.counts[f"{what}_lost"] += 1
                    return
                self.counts[f"{what}_retried"] += 1
                wait = self._in_warning_time(2.0**nth)
                self._agenda.at(self._agenda.clock.now() + wait, f"{key}:again:{nth}", lambda: once(nth + 1))
            elif heard is not None:
                await heard(body)

        await once(0)

    def _in_warning_time(self, wall_s: float) -> float:
        """A provider waits in wall time whatever speed we play at; a stepped clock steps over it."""
        a_second = self._agenda.clock.wall_seconds(1.0)
        return wall_s / a_second if a_second > 0 else wall_s


def _retries(url: str) -> int:
    """What the fragment asks for (`rc`), else all: our webhooks have none and are set in the provider's console."""
    given = parse_qs(urldefrag(url).fragment).get("rc", [str(MOST_RETRIES)])[0]
    return min(int(given), MOST_RETRIES) if given.isdigit() else MOST_RETRIES
