"""A broadcaster on loopback: takes CAP documents by POST and keeps what they name themselves."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web
from lxml import etree

_PARSER = etree.XMLParser(resolve_entities=False, no_network=True)
_CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"


@dataclass(frozen=True)
class Heard:
    """One document: its identifier, sender and sent, and its bytes."""

    identifier: str
    sender: str
    sent: str
    document: bytes


class Broadcaster:
    """Answers 200 to a CAP 1.2 document, 400 to everything else; `failing` answers 503 so many times."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.failing = 0

    def routes(self) -> list[web.RouteDef]:
        """For the sandbox's app."""
        return [web.post("/sandbox/broadcast", self._take), web.get("/sandbox/broadcast", self._show)]

    @property
    def identifiers(self) -> list[str]:
        """What was broadcast, once each, in order of first arrival."""
        return list(dict.fromkeys(h.identifier for h in self.heard))

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.failing > 0:
            self.failing -= 1
            return web.Response(status=503)
        try:
            root = etree.fromstring(body, _PARSER)
        except etree.XMLSyntaxError as problem:
            return web.Response(status=400, text=f"no XML: {problem}")
        if root.tag != f"{_CAP}alert":
            return web.Response(status=400, text="no CAP 1.2 alert")
        found = {name: root.findtext(_CAP + name, "") for name in ("identifier", "sender", "sent")}
        self.heard.append(Heard(document=body, **found))
        return web.Response(text="taken")

    async def _show(self, request: web.Request) -> web.Response:
        return web.json_response({"count": len(self.heard), "identifiers": self.identifiers})
