"""Serves the edge every service shares: the table of paths, languages, faults, headers, and who calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlencode, urlsplit

import sqlalchemy as sa
import structlog
from aiohttp import web

from services.shared import i18n
from services.shared.client_address import Network
from services.shared.database import disk
from services.shared.database.engine import Database, may_be_tried_again
from services.shared.errors import Busy, Fault, NotAllowed, NotFound, NotProved
from services.shared.i18n import t, told
from services.shared.powers.who import Who
from services.shared.web.answers import problem, problem_of
from services.shared.web.auth import signed_in, who_is
from services.shared.web.cached_bytes import static
from services.shared.web.console_scripts import SCRIPTED_PATHS, SCRIPTS
from services.shared.web.cookies import COOKIE, LIST_COOKIE, ME_COOKIE, PLATFORM_HTTPS, cookie_of, lay_cookie
from services.shared.web.fair_turns import ALONE, BESIDE_SENDING, PROXIES, TURNS, Turns, from_beside, in_turn
from services.shared.web.html import link_by, page
from services.shared.web.signed_requests import signing_caller

log = structlog.get_logger("web")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PREFIXES: tuple[tuple[str, str], ...] = (  # path prefix > service; the embedded app and a proxy file are made of it
    ("/api/v1/warnings", "gateway"),
    ("/console", "gateway"),
    ("/send", "gateway"),
    ("/public", "gateway"),
    ("/cap", "gateway"),
    ("/people", "registry"),
    ("/me", "registry"),
    ("/live", "router"),
    ("/report", "router"),
    ("/l", "channels"),
    ("/a", "channels"),
    ("/open", "channels"),
    ("/channels", "channels"),
    ("/callbacks", "channels"),
)
LANGUAGE_COOKIE = "tocsin_lang"
KEPT_LANGUAGE_S = 365 * 86400.0
CSP = (
    "default-src 'self'; script-src 'none'; style-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
SCRIPTED = CSP.replace(
    "script-src 'none'", "script-src 'self'"
)  # the console's pages, and those that cannot work without: push, passkeys
PLATFORM_DATABASE = web.AppKey("database", Database)
PUBLIC = ("/public/", "/cap/", "/static/", "/vendor/")
OWN_LINKS = ("/callbacks/", "/l/", "/a/")  # a signed link is a key
HEALTH = ("/livez", "/readyz", "/metrics")
SIGN_INS = ("/console", "/me")  # where a form signs in: another site must not sign anybody in as somebody else
MAX_BODY = 2 * 1024 * 1024
LIST_PATH, MAX_LIST = "/people/import", 1024**3  # a list of people is read from the disk, not from memory: bytes of one


def wants_page(request: web.Request) -> bool:
    """A browser asks for HTML; programs, providers and a page's own script that follows a stream do not."""
    accepted = request.headers.get("Accept", "")
    return "text/html" in accepted and "text/event-stream" not in accepted


def chosen_language(request: web.Request) -> str:
    """The language that was chosen on a page of ours, now or before; empty where none was."""
    return i18n.best(request.query.get("lang", "")[:35]) or i18n.best(cookie_of(request, LANGUAGE_COOKIE)[:35])


@web.middleware
async def in_language(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers in the language that was chosen, else in the first offered one the caller accepts, else in English."""
    accepted = i18n.accepted(request.headers.get("Accept-Language", "")[:400])
    i18n.speak(chosen_language(request) or i18n.best(accepted) or i18n.SOURCE)
    # a path of its own and no host: `//elsewhere` would be one
    link_by(
        (lambda tag: f"?{request.rel_url.update_query(lang=tag).query_string}") if request.method == "GET" else None
    )
    chosen = i18n.best(request.query.get("lang", "")[:35])
    try:
        response = await handler(request)
    except web.HTTPException as answer:
        if chosen:
            _keep_language(request, answer, chosen)
        raise
    if not response.prepared:
        if response.content_type in ("text/html", "application/problem+json"):
            response.headers.setdefault("Vary", "Accept-Language, Cookie")
        if chosen and response.content_type == "text/html":
            _keep_language(request, response, chosen)
    return response


def _back_to(page_: str, request: web.Request) -> str:
    """A page that leads back to the one that was wanted, or whose form was sent."""
    wanted = request.path_qs if request.method == "GET" else _sent_from(request)
    return page_ if wanted in ("", "/console") else f"{page_}?{urlencode({'to': wanted})}"


def _sent_from(request: web.Request) -> str:
    """The page of ours a form stood on, as the browser says; empty where it says none."""
    said = urlsplit(request.headers.get("Referer", ""))
    if said.netloc != request.host or not said.path.startswith("/"):
        return ""
    return f"{said.path}?{said.query}" if said.query else said.path


def _confirm(request: web.Request) -> web.HTTPException:
    address = f"/console/confirm?{urlencode({'to': request.path_qs})}"
    return web.HTTPSeeOther(address) if request.method == "GET" else web.HTTPTemporaryRedirect(address)


def _keep_language(request: web.Request, response: web.StreamResponse, chosen: str) -> None:
    lay_cookie(response, LANGUAGE_COOKIE, chosen, seconds=KEPT_LANGUAGE_S, https=request.app[PLATFORM_HTTPS])


@web.middleware
async def faults_as_answers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every fault becomes a problem document, or a page for a browser; nothing else leaks."""
    try:
        return await handler(request)
    except Fault as fault:
        if fault.status >= 500:
            resource = request.match_info.route.resource  # its pattern: a path may hold a token
            log.exception("request_failed", route=resource.canonical if resource is not None else "-")
        if wants_page(request):
            if isinstance(fault, NotAllowed) and fault.status == 401:
                raise web.HTTPSeeOther(_back_to("/console/sign-in", request)) from fault
            if isinstance(fault, NotProved):  # and what was sent goes along: once it is them, it is done
                raise _confirm(request) from fault
            return page(
                "fault.html",
                status=fault.status,
                message=told(fault.message),
                remedy=told(getattr(fault, "remedy", "")),
            )
        return problem_of(fault)
    except (sa.exc.SQLAlchemyError, OSError) as trouble:
        if disk.is_full(trouble):
            log.warning("disk_full", reason=type(trouble).__name__)
            return problem_of(disk.full())
        if not isinstance(trouble, (sa.exc.SQLAlchemyError, TimeoutError)) or not may_be_tried_again(trouble):
            raise
        log.warning("database_away", reason=type(trouble).__name__)
        return problem_of(Busy("the database does not answer just now: send it again in a few seconds"))
    except web.HTTPException as answer:
        if answer.status < 400:
            raise
        said = {
            404: t("there is nothing at this address"),
            405: t("this address does not take that method"),
            413: t("the body is larger than {n} bytes", n=MAX_BODY),
        }.get(answer.status, answer.reason)
        if wants_page(request):
            return page("fault.html", status=answer.status, message=str(said).capitalize() + ".", remedy="")
        response = problem(answer.status, str(said))
        if "Allow" in answer.headers:
            response.headers["Allow"] = answer.headers["Allow"]
        return response


@web.middleware
async def headers_on_all(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Security headers, and no form post from another site."""
    if request.method == "POST" and _by_browser(request) and not _same_origin(request):
        foreign = t("This form was sent from another site: open the page here and send it again.")
        response: web.StreamResponse = (
            page("fault.html", status=403, message=foreign, remedy="")
            if wants_page(request)
            else problem(403, foreign, field="Origin", rule="same-origin")
        )
    else:
        response = await handler(request)
    if not response.prepared:
        scripted = request.path.startswith(SCRIPTED_PATHS)
        response.headers.setdefault("Content-Security-Policy", SCRIPTED if scripted else CSP)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        # not no-referrer: with that a browser sends our own forms as coming from nowhere (Origin: null)
        response.headers.setdefault("Referrer-Policy", "same-origin")
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _by_browser(request: web.Request) -> bool:
    """Whether a form may act in somebody's name: it comes with a cookie of ours, or is there to get one."""
    ours = any(cookie_of(request, name) for name in (COOKIE, ME_COOKIE, LIST_COOKIE))
    return ours or request.path.startswith(SIGN_INS)


def _same_origin(request: web.Request) -> bool:
    """What the browser says of where a form came from; programs say nothing."""
    origin = request.headers.get("Origin")
    if origin is None:
        return request.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin")
    return urlsplit(origin).netloc == request.host


@web.middleware
async def strangers_in_turn(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Who has no key, cookie or link of ours, or wants what everybody may read, waits for a turn.

    So does, before the answer, whoever has one that opens nothing: trying keys and links is no quicker than reading.
    """
    path = request.path
    public = path == "/" or path.startswith(PUBLIC)
    signs = "Authorization" in request.headers or "Signature-Input" in request.headers
    claims = signs or cookie_of(request, COOKIE) or cookie_of(request, ME_COOKIE)
    if public or not (claims or path.startswith(OWN_LINKS) or (path in HEALTH and from_beside(request))):
        await in_turn(request)
        return await handler(request)
    try:
        return await handler(request)
    except (NotAllowed, NotFound, web.HTTPNotFound):
        await in_turn(request)
        raise


SIGNED_BY = web.RequestKey("signed_by", Who)


async def known_caller(request: web.Request) -> Who:
    """Who calls, by API key, signature or cookie; NotAllowed (401) where nobody known here does."""
    database = request.app[PLATFORM_DATABASE]
    header = request.headers.get("Authorization", "")
    who: Who | None = None
    if header:
        scheme, _, key = header.partition(" ")
        if scheme.lower() == "bearer":
            async with database.read() as db:
                who = await who_is(db, key.strip())
    elif "Signature-Input" in request.headers:
        if SIGNED_BY not in request:
            request[SIGNED_BY] = await signing_caller(request, database)
        return request[SIGNED_BY]
    elif cookie := cookie_of(request, COOKIE):
        who = await signed_in(database, cookie)
    if who is None:
        fault = NotAllowed(
            "give an API key that is known here and has not ended: Authorization: Bearer <key>",
            field="Authorization",
            rule="api-key",
            remedy="make one with: tocsin key create",
        )
        fault.status = 401
        raise fault
    return who


def make_app(
    database: Database, *, https: bool = False, proxies: tuple[Network, ...] = (), sends: bool = True
) -> web.Application:
    """An empty application with the shared edge. `https`: people reach it so, and cookies say it. `proxies` are ours.

    `sends`: messages go out on the same loop, which strangers may use a tenth of.
    """
    app = web.Application(
        middlewares=[in_language, headers_on_all, faults_as_answers, strangers_in_turn], client_max_size=MAX_BODY
    )
    app[TURNS] = Turns(BESIDE_SENDING if sends else ALONE)
    app[PROXIES] = proxies
    app[PLATFORM_DATABASE] = database
    app[PLATFORM_HTTPS] = https
    app.router.add_get("/static/{name}", static)
    app.router.add_get("/vendor/{address}/{name}", SCRIPTS.serve)
    return app
