"""A feed's server for a test: pages by path on a port of its own, and a log of what was asked."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Publisher:
    """A feed's server on a port of its own: pages by path, and a log of what was asked."""

    url: str = ""
    pages: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def atom(self, *names: str, version: str = "1", more: str = "") -> None:
        """An Atom feed with an entry a name, each linked to /name.xml."""
        entries = "".join(
            f"<entry><id>urn:x:{name}</id><updated>2026-06-10T01:1{version}:00Z</updated>"
            f'<link rel="alternate" type="text/html" href="/{name}.html"/>'
            f'<link rel="alternate" type="application/cap+xml" href="/{name}.xml"/></entry>'
            for name in names
        )
        body = f'<feed xmlns="http://www.w3.org/2005/Atom"><id>x</id>{more}{entries}</feed>'
        self.pages["/feed"] = ("application/atom+xml", body.encode())

    def alert(self, name: str, data: bytes) -> None:
        self.pages[f"/{name}.xml"] = ("application/cap+xml", data)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.path, dict(request.headers)))
        if self.status != 200:
            return web.Response(status=self.status, headers=self.headers)
        if request.path not in self.pages:
            return web.Response(status=404)
        kind, body = self.pages[request.path]
        etag = f'"{hash(body)}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304)
        headers = {"ETag": etag, "Last-Modified": "Wed, 10 Jun 2026 01:10:00 GMT"}
        return web.Response(body=body, content_type=kind, headers={**headers, **self.headers})

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]
