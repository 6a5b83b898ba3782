"""Broadcast: the warning's CAP 1.2 document, posted to every broadcaster's address; one delivery to the area.

It is the published document, byte for byte: signed where TOCSIN_CAP_SIGN_KEY is set. Radio, TV and sign owners take it
from there. It is mentioned in each path and never evidence of a person.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

import aiohttp
from pydantic_settings import SettingsConfigDict

from services.channels.driver import Outcome, Result, Road, Spec, Station, Tools, Tried
from services.channels.last_look import Overtaken
from services.channels.link_document import TYPE, judged, link_document
from services.channels.outbound import Outbound
from services.channels.outcome import LATE
from services.shared.settings import Environment

_TIMEOUT = aiohttp.ClientTimeout(total=10, connect=3)
WORST = (
    Outcome.PROVIDER_FAULT,
    Outcome.NOT_SENT,
    Outcome.AMBIGUOUS,
    Outcome.PERMANENT,
)  # the first that any of them has
REMEMBERED = 256


class BroadcastSettings(Environment):
    """TOCSIN_BROADCAST_URLS: addresses that take a CAP document by POST, joined by commas."""

    model_config = SettingsConfigDict(env_prefix="TOCSIN_BROADCAST_")

    urls: str = ""


class CapBroadcast:
    """One road for the whole area."""

    name = "cap_broadcast"
    roads = (Road("broadcast", links=True),)
    concurrency = 4

    def __init__(self, tools: Tools) -> None:
        self._urls = list(dict.fromkeys(u.strip() for u in BroadcastSettings().urls.split(",") if u.strip()))
        self._session = tools.session
        self._public_url = tools.public_url
        self._done: OrderedDict[str, dict[str, Result]] = OrderedDict()  # delivery > address > its last word

    def why_not(self) -> str:
        return "" if self._urls else "not_configured"

    async def send(self, message: Outbound) -> Result:
        """Accepted when every broadcaster took it; one that did not is asked again, alone as long as this process lives.

        One that was silent may get it twice: a CAP document names itself, so that a receiver knows it again.
        """
        done = self._done.setdefault(message.delivery_id, {})
        while len(self._done) > REMEMBERED:
            self._done.popitem(last=False)
        asked = [url for url in self._urls if url not in done]
        results = await asyncio.gather(*(self._post(url, message.document) for url in asked))
        for url, result in zip(asked, results, strict=True):
            if result.outcome in (Outcome.ACCEPTED, Outcome.PERMANENT):
                done[url] = result
        found = {**dict(zip(asked, results, strict=True)), **done}
        stations = tuple(Station(_host(url), one.outcome, one.code) for url, one in found.items())
        for worst in WORST:
            for result in found.values():
                if result.outcome is worst:
                    return replace(result, stations=stations)
        return Result(Outcome.ACCEPTED, ref=message.delivery_id, stations=stations)

    @property
    def stations(self) -> tuple[str, ...]:
        """The broadcasters' hosts."""
        return tuple(dict.fromkeys(map(_host, self._urls)))

    async def try_area(self, stations: Sequence[str], within: float) -> Tried:
        """A document that says and shows nothing, to every address of theirs."""
        document = link_document(self._public_url)
        theirs = [(_host(url), url) for url in self._urls if _host(url) in stations]
        results = await asyncio.gather(*(self._post(url, document) for _, url in theirs))
        return judged(zip((host for host, _ in theirs), results, strict=True))

    async def _post(self, url: str, document: bytes) -> Result:
        headers = {"Content-Type": TYPE}
        try:
            async with self._session.post(
                url, data=document, headers=headers, timeout=_TIMEOUT, allow_redirects=False
            ) as response:
                if response.status < 300:
                    return Result(Outcome.ACCEPTED)
                if response.status in (401, 403):
                    return Result(Outcome.PROVIDER_FAULT, code=str(response.status))
                kind = (
                    Outcome.PERMANENT if 400 <= response.status < 500 and response.status != 429 else Outcome.NOT_SENT
                )
                after = response.headers.get("Retry-After", "")
                return Result(kind, code=str(response.status), retry_after=float(after) if after.isdecimal() else None)
        except Overtaken:
            return Result(Outcome.NOT_SENT, code=LATE)
        except aiohttp.ClientConnectorError as problem:
            return Result(Outcome.NOT_SENT, code=type(problem).__name__)
        except (aiohttp.ClientError, TimeoutError) as problem:
            return Result(Outcome.AMBIGUOUS, code=type(problem).__name__)


def _host(url: str) -> str:
    """Where an address lies, with its port where it names one."""
    return urlsplit(url).netloc.rpartition("@")[2] or url


DRIVER = Spec(CapBroadcast.name, CapBroadcast)
