"""Cell broadcast: the warning's CAP document, handed over HTTPS to every mobile operator's gateway; one delivery to the area.

What is posted (application/cap+xml) is the published document, byte for byte, so that its signature stays whole. What phones are
to show stands beside it, one header line a language, the most read first, as a structured field (RFC 8941):

    Cell-Broadcast: "zh-CN";identifier=4371;serial=17680;scheme=72;pages=2;text=:5riF5rC0...:

`identifier` and `serial` are those of 3GPP TS 23.041, `scheme` its data coding scheme, `text` UTF-8, within fifteen pages.
A gateway that makes pages of the document itself needs the identifiers alone. A Cancel says by its references what to stop.

Each operator has a primary and, if it likes, a secondary route. A document keeps its identifier and serial number whenever it is
handed over, so that a gateway knows it again. A 2xx says that the gateway has it, never that a phone showed it.
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import structlog
from multidict import CIMultiDict
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.channels.drivers.cell_broadcast.operators import PREFIX, Operator, read_operators
from services.channels.messages.cap_document import CapDocument, DocumentInfo, read_document
from services.channels.messages.cell_broadcast_identifiers import Profile, identifier, is_of_a_drill, serial_number
from services.channels.messages.cell_broadcast_pages import code
from services.channels.messages.cell_broadcast_text import as_one, words_of
from services.channels.model.driver import (
    AreaTest,
    Channel,
    Outcome,
    Result,
    Spec,
    Station,
    Tools,
)
from services.channels.model.http_call import NotSent, Response, http_call
from services.channels.model.outbound import Outbound
from services.channels.model.outcome import LATE
from services.channels.providers.link_document import TYPE, judged, link_document
from services.shared.errors import Broken
from services.shared.settings import Environment

log = structlog.get_logger("cell_broadcast")
TIMEOUT = aiohttp.ClientTimeout(total=5, connect=3)  # two routes one after the other, within the call's limit
# status > what it means; other 3xx are faults of ours (an address that moved), other 4xx refuse this document for good
STATUSES: dict[int, Outcome] = {
    **dict.fromkeys((401, 403, 404, 405, 407), Outcome.PROVIDER_FAULT),  # our key, certificate or address
    **dict.fromkeys((408, 425, 429), Outcome.NOT_SENT),
}
KNOWN_ALREADY = 409
WORST = (
    Outcome.PROVIDER_FAULT,
    Outcome.NOT_SENT,
    Outcome.AMBIGUOUS,
    Outcome.PERMANENT,
)  # the first that any operator has
LANGUAGES = 4  # header lines; the document has them all
_NO_TAG = re.compile(r"[^A-Za-z0-9-]")  # a foreign alert may write anything


class CellBroadcastSettings(Environment):
    """TOCSIN_CELL_BROADCAST_...; without operators the channel says `not_configured`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX)

    operators: str = Field("", description="name=https://primary|https://secondary, with commas between operators")
    tokens: SecretStr = Field(SecretStr(""), description="name=bearer token, with commas between operators")
    cert: Path | None = Field(None, description="PEM certificate we show every gateway, with its key in `key`")
    key: Path | None = None
    ca: Path | None = Field(None, description="PEM certificates the gateways' are checked against; empty: the system's")
    profile: Profile = Field("eu_alert", description="the country's table of message identifiers: eu_alert, wea, uk")
    language: str = Field("", description="the language most people read, as zh; empty: the document's first")


class CellBroadcast:
    """One channel for the whole area."""

    name = "cell_broadcast"
    channels = (Channel("cell_broadcast", links=False),)
    concurrency = 4

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._settings = s = tools.settings.part(CellBroadcastSettings)
        self._operators = read_operators(s.operators, s.tokens.get_secret_value())
        self._tls = _tls(s)

    def why_not(self) -> str:
        return "" if self._operators else "not_configured"

    async def told(self) -> list[str]:
        if not self._operators:
            return []
        single = [one.name for one in self._operators if len(one.routes) == 1]
        lines = [f"cell broadcast: {len(self._operators)} operators, identifiers by {self._settings.profile}"]
        return lines + [f"cell broadcast: {name} has one route: give a second one behind |" for name in single]

    async def send(self, message: Outbound) -> Result:
        """Accepted when every operator has it; those that have it, or refused it for good, are not asked again."""
        try:
            document = read_document(message.document)
            if document.drill != (self._tools.plane == "drill"):
                return Result(Outcome.PERMANENT, code=f"{document.status} on {self._tools.plane}")
            headers = self.headers(document)
        except Broken:
            log.exception("no_document", warning_id=message.warning_id)
            return Result(Outcome.PERMANENT, code="no document of ours")
        asked = [one for one in self._operators if one.name not in message.settled]
        results = await asyncio.gather(*(self._operator(one, message, headers) for one in asked))
        found = {name: Result(outcome, code="before") for name, outcome in message.settled.items()}
        for one, result in zip(asked, results, strict=True):
            found[one.name] = result
            log.info("cell_broadcast", operator=one.name, outcome=result.outcome.value, code=result.code)
        stations = tuple(Station(one.name, found[one.name].outcome, found[one.name].code) for one in asked)
        for worst in WORST:
            if those := {name: r for name, r in found.items() if r.outcome is worst}:
                name, first = next(((n, r) for n, r in those.items() if r.code != LATE), next(iter(those.items())))
                waits = [r.retry_after for r in those.values() if r.retry_after is not None]
                code = LATE if first.code == LATE else f"{name}: {first.code}"[:24]
                return Result(worst, code=code, retry_after=max(waits, default=None), stations=stations)
        return Result(Outcome.ACCEPTED, ref=document.identifier, stations=stations)

    @property
    def stations(self) -> tuple[str, ...]:
        """The operators."""
        return tuple(one.name for one in self._operators)

    async def try_area(self, stations: Sequence[str], within: float) -> AreaTest:
        """A document without words or identifier, to their primary and secondary routes: both must hold on the day."""
        document = link_document(self._tools.public_url)
        routes = [
            (f"{one.name}, route {n}", one, url)
            for one in self._operators
            for n, url in enumerate(one.routes, 1)
            if one.name in stations
        ]

        async def by(one: Operator, url: str) -> Result:
            return await self._post(url, document, _with_token(one, CIMultiDict({"Content-Type": TYPE})))

        results = await asyncio.gather(*(by(one, url) for _, one, url in routes))
        return judged(zip((name for name, _, _ in routes), results, strict=True))

    # ---- what phones show

    def headers(self, document: CapDocument) -> CIMultiDict[str]:
        """The document's kind, and a line for each language."""
        found: CIMultiDict[str] = CIMultiDict({"Content-Type": TYPE})
        for place, info in enumerate(self._blocks(document)):
            number = identifier(self._settings.profile, document, info, first=place == 0)
            if is_of_a_drill(number) is not document.drill:
                raise Broken(f"identifier {number} is not one for a document of status {document.status}")
            coded = code(words_of(info, drill=document.drill))
            text = base64.b64encode(coded.text.encode()).decode()
            found.add(
                "Cell-Broadcast",
                f'"{_NO_TAG.sub("", info.language)[:35]}";identifier={number};serial={serial_number(document.identifier, place)}'
                f";scheme={coded.scheme};pages={len(coded.pages)};text=:{text}:",
            )
        return found

    def _blocks(self, document: CapDocument) -> Sequence[DocumentInfo]:
        """One a language, by the strongest identifier of several; the most read language first."""
        groups: dict[str, list[DocumentInfo]] = {}
        for info in document.infos:
            groups.setdefault(info.language, []).append(info)
        best = {
            language: as_one(sorted(group, key=lambda info: self._rank(document, info)))
            for language, group in groups.items()
        }
        wanted = self._settings.language.lower()
        order = sorted(best, key=lambda tag: not (wanted and tag.lower().split("-")[0] == wanted.split("-")[0]))
        return [best[tag] for tag in order][:LANGUAGES]

    def _rank(self, document: CapDocument, info: DocumentInfo) -> int:
        return identifier(self._settings.profile, document, info, first=True)

    # ---- handing over

    async def _operator(self, one: Operator, message: Outbound, headers: CIMultiDict[str]) -> Result:
        """The first route that takes it; silent or faulty ones leave the operator's worst answer."""
        headers = _with_token(one, headers)
        unclear = message.again
        tried: list[Result] = []
        for url in one.routes:
            result = await self._post(url, message.document, headers)
            if result.code == str(KNOWN_ALREADY) and unclear:
                result = Result(Outcome.ACCEPTED, code=result.code)  # it is what we could not know: they have it
            if result.outcome is Outcome.AMBIGUOUS:
                unclear = True
            tried.append(result)
            if result.outcome in (Outcome.ACCEPTED, Outcome.PERMANENT):
                return result
        # unclear on one route is unclear for the operator, whatever the other says
        order = (Outcome.AMBIGUOUS, Outcome.PROVIDER_FAULT, Outcome.NOT_SENT)
        return min(tried, key=lambda r: order.index(r.outcome))

    async def _post(self, url: str, document: bytes, headers: CIMultiDict[str]) -> Result:
        match await http_call(
            self._tools.session, "POST", url, headers=headers, data=document, timeout=TIMEOUT, tls=self._tls
        ):
            case Response() as answer:
                return _outcome(answer)
            case NotSent(because="no tls") as failed:  # the certificates do not fit together: a person must look
                return Result(Outcome.PROVIDER_FAULT, code=failed.code)
            case failed:
                return failed.result


def _with_token(one: Operator, headers: CIMultiDict[str]) -> CIMultiDict[str]:
    found = headers.copy()
    if one.token:
        found["Authorization"] = f"Bearer {one.token}"
    return found


def _outcome(answer: Response) -> Result:
    status = answer.status
    if status < 300:
        return Result(Outcome.ACCEPTED, code=str(status))
    if status in STATUSES:
        return Result(STATUSES[status], code=str(status), retry_after=answer.retry_after)
    if status < 400:
        return Result(Outcome.PROVIDER_FAULT, code=str(status))
    kind = Outcome.PERMANENT if status < 500 else Outcome.AMBIGUOUS
    return Result(kind, code=str(status), retry_after=answer.retry_after)


def _tls(s: CellBroadcastSettings) -> ssl.SSLContext | None:
    if (s.cert is None) != (s.key is None):
        raise Broken(f"{PREFIX}CERT and {PREFIX}KEY belong together: give both, or neither")
    if s.cert is None and s.ca is None:
        return None
    try:
        context = ssl.create_default_context(cafile=str(s.ca) if s.ca else None)
        if s.cert is not None:
            context.load_cert_chain(s.cert, s.key)
    except (OSError, ssl.SSLError) as problem:
        raise Broken(f"{PREFIX}CA, CERT or KEY cannot be used: {problem}") from problem
    return context


DRIVER = Spec(CellBroadcast.name, CellBroadcast)
