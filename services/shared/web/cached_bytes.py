"""Serves what is the same for everybody from memory, with a strong ETag."""

from __future__ import annotations

import hashlib
from pathlib import Path

from aiohttp import web

_TYPES = {".css": "text/css", ".svg": "image/svg+xml", ".js": "text/javascript"}
_STATIC = {
    path.name: (path.read_bytes(), _TYPES[path.suffix])
    for path in sorted(Path(__file__).with_name("static").iterdir())
    if path.suffix in _TYPES
}


async def static(request: web.Request) -> web.StreamResponse:
    """The one stylesheet, the icon and our own scripts, from memory."""
    if (found := _STATIC.get(request.match_info["name"])) is None:
        raise web.HTTPNotFound
    return bytes_to_all(request, *found, "max-age=3600")


def bytes_to_all(request: web.Request, body: bytes, content_type: str, cache: str) -> web.Response:
    """The bytes with a strong ETag, or 304 where the caller has them."""
    etag = hashlib.sha256(body).hexdigest()[:32]
    headers = {"ETag": f'"{etag}"', "Cache-Control": cache}
    if any(one.value in (etag, "*") for one in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, headers={**headers, "Content-Type": content_type})
