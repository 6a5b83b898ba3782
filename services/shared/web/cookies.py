"""Names, reads, lays and takes the cookies of the service."""

from __future__ import annotations

from aiohttp import web

COOKIE = "tocsin"
ME_COOKIE = "tocsin_me"  # a resident's
TRIP_COOKIE = "tocsin_trip"  # of a browser that is away at an office's own sign-in
REGISTER_COOKIE = "tocsin_register"  # of a browser in which somebody fills in a registration
LIST_COOKIE = "tocsin_list"  # of a device that opened a list of doors
PLATFORM_HTTPS = web.AppKey("https", bool)


def cookie_name(name: str, https: bool) -> str:
    """The name of a cookie of ours. By https no other host of the domain can set it (RFC 6265bis, 4.1.3.2)."""
    return f"__Host-{name}" if https else name


def cookie_of(request: web.Request, name: str) -> str:
    """The value of that cookie of ours, or empty."""
    return request.cookies.get(cookie_name(name, request.app[PLATFORM_HTTPS]), "")


def lay_cookie(response: web.StreamResponse, name: str, value: str, *, seconds: float, https: bool) -> None:
    """For every path, as `__Host-` demands; no script reads it, no other site sends it along with a form."""
    response.set_cookie(
        cookie_name(name, https), value, max_age=int(seconds), httponly=True, samesite="Lax", secure=https, path="/"
    )


def take_cookie(response: web.StreamResponse, name: str, *, https: bool) -> None:
    """The browser forgets it."""
    response.del_cookie(cookie_name(name, https), path="/", secure=https, httponly=True, samesite="Lax")
