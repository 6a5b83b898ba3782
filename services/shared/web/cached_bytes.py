"""Serves what is the same for everybody from memory, with a strong ETag."""

from __future__ import annotations

import hashlib
from pathlib import Path

from aiohttp import web

_STATIC = {
    name: ((Path(__file__).with_name("static") / name).read_bytes(), kind)
    for name, kind in (("tocsin.css", "text/css"), ("icon.svg", "image/svg+xml"), ("passkey.js", "text/javascript"))
}


async def static(request: web.Request) -> web.StreamResponse:
    """The one stylesheet, the icon and the script of passkeys, from memory."""
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
