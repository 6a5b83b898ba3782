"""Lists the addresses that ask for no key: what opens each instead, and what of it may be seen.

A route is either marked (`asking.asks`) or stands here; a test walks all there are. A new page under /console, /live,
/report, /people, /open or /channels that is neither is a fault, not a public page.
"""

from __future__ import annotations

from typing import NamedTuple

from aiohttp import web

from services.shared.powers.power import BOUNDS
from services.shared.web.asking import rule_of


class OpenTo(NamedTuple):
    """`by`: what opens the address; `what`: the object rule, in words."""

    by: str
    what: str


EVERYBODY = OpenTo("nothing", "what went out")
RESIDENT = OpenTo("a code to one's phone, then a cookie", "one's own entry")
OPEN_ROUTES: dict[str, OpenTo] = {
    "/": EVERYBODY,
    "/static/{name}": EVERYBODY,
    "/vendor/{address}/{name}": EVERYBODY,
    "/cap/atom.xml": EVERYBODY,
    "/console/sign-in": OpenTo("a passkey, or a password and a code; a key while nobody has an account", "none"),
    "/console/sign-in/office": OpenTo("nothing: it leads to the office's own sign-in", "none"),
    "/console/sign-in/office/back": OpenTo("what the office vouches for, to the browser that asked", "that sign-in"),
    "/console/invited/{secret}": OpenTo("a link, once", "one account, until it has a way to sign in"),
    "/console/sign-out": OpenTo("a cookie", "that sign-in"),
    "/l/{token}": OpenTo("a link, on the device that opened it", "one list, while its warning runs"),
    "/l/{token}/open": OpenTo("a link, or a link and its code", "one list, while its warning runs"),
    "/l/{token}/sign": OpenTo("a link, on the device that opened it", "signs of life of the team of that list"),
    "/l/{token}/taken": OpenTo("a link, on the device that opened it", "the fire service's word on its list"),
    "/l/worker.js": EVERYBODY,
    "/l/{token}/events": OpenTo("a link, on the device that opened it", "visits of that list"),
    "/l/{token}/{delivery_id}": OpenTo("a link, on the device that opened it", "one visit of that list"),
    "/a/signs/{file}": EVERYBODY,
    "/a/{token}": OpenTo("a link", "one delivery; nobody is named once its warning is over"),
    "/a/{token}/help": OpenTo("a link", "what help was asked for with one delivery"),
    "/a/{token}/aloud": OpenTo("a link", "the words of one warning"),
    "/a/v/{token}": OpenTo("a link", "one callout"),
    "/me/helper/{token}": OpenTo("a link", "one invitation"),
    "/register/told/{token}": OpenTo("a link", "one's own entry, which somebody else made"),
    "/livez": OpenTo("nothing, from beside", "none"),
    "/readyz": OpenTo("nothing, from beside", "none"),
    "/metrics": OpenTo("nothing, from beside", "counts"),
}
REGISTERING = OpenTo(
    "nothing, then a cookie of that browser", "what it fills in; a code to the phone before it is kept"
)
OPEN_UNDER: dict[str, OpenTo] = {
    "/cap/": EVERYBODY,
    "/public/": EVERYBODY,
    "/me": RESIDENT,
    "/register": REGISTERING,
    "/callbacks/": OpenTo("a MAC in the address and the provider's signature", "one delivery"),
}


class RouteSaid(NamedTuple):
    """A route with its rule, as `tocsin routes` prints it."""

    method: str
    path: str
    asks: str
    bound: str


def routes_said(app: web.Application) -> list[RouteSaid]:
    """Every route of an application, by path. LookupError names one that has no rule."""
    return sorted(
        (_said(route) for route in app.router.routes() if route.method != "HEAD"),
        key=lambda one: (one.path, one.method),
    )


def _said(route: web.AbstractRoute) -> RouteSaid:
    path = route.resource.canonical if route.resource is not None else ""
    if (rule := rule_of(route.handler)) is not None:
        bound = BOUNDS[rule.act]
        needs = f"{bound.action} and {bound.more}" if bound.more else bound.action
        return RouteSaid(route.method, path, f"{rule.act} ({needs})", rule.in_words())
    found = OPEN_ROUTES.get(path) or next((o for start, o in OPEN_UNDER.items() if path.startswith(start)), None)
    if found is None:
        raise LookupError(f"{route.method} {path} asks nobody who may: mark its handler, or list it as open")
    return RouteSaid(route.method, path, f"open by {found.by}", found.what)
