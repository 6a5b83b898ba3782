"""Broadcast: the warning's CAP 1.2 document, posted to every broadcaster's address; one delivery to the area.

It is the published document, byte for byte: signed where TOCSIN_CAP_SIGN_KEY is set. Radio, TV and sign owners take it
from there. It is mentioned in each path and never evidence of a person.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from pydantic_settings import SettingsConfigDict

from services.channels.model.driver import (
    AreaTest,
    Channel,
    Outcome,
    Result,
    Spec,
    Station,
    Tools,
)
from services.channels.model.http_call import Response, http_call
from services.channels.model.outbound import Outbound
from services.channels.model.outcome import LATE
from services.channels.providers.link_document import TYPE, judged, link_document
from services.shared.errors import Refused
from services.shared.settings import Environment

WORST = (
    Outcome.PROVIDER_FAULT,
    Outcome.NOT_SENT,
    Outcome.AMBIGUOUS,
    Outcome.PERMANENT,
)  # the first that any of them has


class BroadcastSettings(Environment):
    """TOCSIN_BROADCAST_URLS: addresses that take a CAP document by POST, joined by commas."""

    model_config = SettingsConfigDict(env_prefix="TOCSIN_BROADCAST_")

    urls: str = ""


class CapBroadcast:
    """One channel for the whole area."""

    name = "cap_broadcast"
    channels = (Channel("broadcast", links=True),)
    concurrency = 4

    def __init__(self, tools: Tools) -> None:
        self._urls = read_urls(tools.settings.part(BroadcastSettings).urls)
        self._session = tools.session
        self._public_url = tools.public_url

    def why_not(self) -> str:
        return "" if self._urls else "not_configured"

    async def send(self, message: Outbound) -> Result:
        """Accepted when every broadcaster took it; those that took it, or refused it for good, are not asked again.

        One that was silent may get it twice: a CAP document names itself, so that a receiver knows it again.
        """
        asked = [(name, url) for name, url in self._urls.items() if name not in message.settled]
        results = await asyncio.gather(*(self._post(url, message.document) for _, url in asked))
        stations = tuple(Station(name, one.outcome, one.code) for (name, _), one in zip(asked, results, strict=True))
        found = [*results, *(Result(outcome) for outcome in message.settled.values())]
        for worst in WORST:
            if those := [one for one in found if one.outcome is worst]:
                first = next((one for one in those if one.code != LATE), those[0])
                return replace(first, stations=stations)
        return Result(Outcome.ACCEPTED, ref=message.delivery_id, stations=stations)

    @property
    def stations(self) -> tuple[str, ...]:
        """The broadcasters, by where their addresses lie."""
        return tuple(self._urls)

    async def try_area(self, stations: Sequence[str], within: float) -> AreaTest:
        """A document that says and shows nothing, to every address of theirs."""
        document = link_document(self._public_url)
        results = await asyncio.gather(*(self._post(self._urls[name], document) for name in stations))
        return judged(zip(stations, results, strict=True))

    async def _post(self, url: str, document: bytes) -> Result:
        match await http_call(self._session, "POST", url, headers={"Content-Type": TYPE}, data=document):
            case Response() as answer:
                return _outcome(answer)
            case failed:
                return failed.result


def _outcome(answer: Response) -> Result:
    """What a broadcaster's answer means."""
    if answer.status < 300:
        return Result(Outcome.ACCEPTED)
    if answer.status in (401, 403):
        return Result(Outcome.PROVIDER_FAULT, code=str(answer.status))
    kind = Outcome.PERMANENT if 400 <= answer.status < 500 and answer.status != 429 else Outcome.NOT_SENT
    return Result(kind, code=str(answer.status), retry_after=answer.retry_after)


def read_urls(given: str) -> dict[str, str]:
    """Where an address lies (with its number where several lie there) > the address. An address may hold a key: neither a
    name nor Refused shows more of it than host and port."""
    urls = list(dict.fromkeys(part for part in (p.strip() for p in given.split(",")) if part))
    places = [_place(url, n) for n, url in enumerate(urls, 1)]
    names = [
        f"{place} ({places[:n].count(place) + 1})" if places.count(place) > 1 else place
        for n, place in enumerate(places)
    ]
    return dict(zip(names, urls, strict=True))


def _place(url: str, n: int) -> str:
    """Host and port of the n-th address."""
    try:
        one = urlsplit(url)
        if one.scheme in ("http", "https") and one.hostname and one.port != 0:
            return one.netloc.rpartition("@")[2]
    except ValueError:
        pass  # said below
    raise Refused(
        f"TOCSIN_BROADCAST_URLS: number {n} is no address: give https://host/path, with commas between",
        field="TOCSIN_BROADCAST_URLS", rule="address", given=f"number {n}",
    )  # fmt: skip


DRIVER = Spec(CapBroadcast.name, CapBroadcast)
