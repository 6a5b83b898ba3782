"""Serves the edge every service shares: problem documents, callers, pages, and the table of paths."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import ClassVar, Generic, NamedTuple, TypeVar
from urllib.parse import urlsplit

import jinja2
import pydantic
import sqlalchemy as sa
import structlog
from aiohttp import web
from markupsafe import Markup, escape

from services.shared import i18n, labels
from services.shared.client_address import Network
from services.shared.database import disk
from services.shared.database.engine import Database, may_be_tried_again
from services.shared.errors import Busy, Fault, NotAllowed, NotFound, Refused
from services.shared.i18n import t, told
from services.shared.model_faults import said_of
from services.shared.people.languages import choose
from services.shared.text.invisible_signs import plain_signs
from services.shared.tiers import NAMES, Tier, title
from services.shared.web.auth import Action, Signer, Who, signed_in, who_is
from services.shared.web.cached_bytes import static
from services.shared.web.fair_turns import ALONE, BESIDE_SENDING, PROXIES, TURNS, Turns, from_beside, in_turn

log = structlog.get_logger("web")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
M = TypeVar("M", bound=pydantic.BaseModel)
T = TypeVar("T")

PREFIXES: tuple[tuple[str, str], ...] = (  # path prefix > service; the embedded app and a proxy file are made of it
    ("/api/v1/warnings", "gateway"),
    ("/console", "gateway"),
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
COOKIE = "tocsin"
ME_COOKIE = "tocsin_me"  # a resident's
LANGUAGE_COOKIE = "tocsin_lang"
KEPT_LANGUAGE_S = 365 * 86400.0
CSP = (
    "default-src 'self'; script-src 'none'; style-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
SCRIPTED = CSP.replace(
    "script-src 'none'", "script-src 'self'"
)  # the one page that cannot work without: push needs one
PLATFORM_DATABASE = web.AppKey("database", Database)
PLATFORM_SIGNER = web.AppKey("signer", Signer)
PLATFORM_HTTPS = web.AppKey("https", bool)
PUBLIC = ("/public/", "/cap/", "/static/")
OWN_LINKS = ("/callbacks/", "/l/", "/a/")  # a signed link is a key
HEALTH = ("/livez", "/readyz", "/metrics")
SIGN_INS = ("/console", "/me")  # where a form signs in: another site must not sign anybody in as somebody else
MAX_BODY = 2 * 1024 * 1024
LIST_PATH, MAX_LIST = "/people/import", 1024**3  # a list of people is read from the disk, not from memory: bytes of one


def problem(status: int, title: str, **members: object) -> web.Response:
    """An RFC 9457 problem document."""
    body = {"type": "about:blank", "title": title, "status": status, **{k: v for k, v in members.items() if v}}
    return web.Response(
        status=status, text=json.dumps(body, ensure_ascii=False, default=str), content_type="application/problem+json"
    )


def problem_of(fault: Fault) -> web.Response:
    """The problem document of a fault."""
    if isinstance(fault, Refused):
        given = str(fault.given)[:200] if fault.given is not None else None
        response = problem(
            fault.status,
            told(fault.message),
            field=fault.field,
            rule=fault.rule,
            given=given,
            remedy=told(fault.remedy),
        )
    else:
        response = problem(fault.status, told(fault.message))
    if isinstance(fault, Busy):
        response.headers["Retry-After"] = str(fault.retry_after)
    if fault.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def wants_page(request: web.Request) -> bool:
    """A browser asks for HTML; programs and providers do not."""
    return "text/html" in request.headers.get("Accept", "")


_link: ContextVar[Callable[[str], str] | None] = ContextVar(
    "link", default=None
)  # language > this page's address in it


def link_by(link: Callable[[str], str]) -> None:
    """From here on, in this task, a page's links to its other languages are made so."""
    _link.set(link)


def chosen_language(request: web.Request) -> str:
    """The language that was chosen on a page of ours, now or before; empty where none was."""
    return i18n.best(request.query.get("lang", "")[:35]) or i18n.best(cookie_of(request, LANGUAGE_COOKIE)[:35])


@web.middleware
async def in_language(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers in the language that was chosen, else in the first offered one the caller accepts, else in English."""
    accepted = i18n.accepted(request.headers.get("Accept-Language", "")[:400])
    i18n.speak(chosen_language(request) or i18n.best(accepted) or i18n.SOURCE)
    # a path of its own and no host: `//elsewhere` would be one
    _link.set(
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
                raise web.HTTPSeeOther("/console/sign-in") from fault
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
        response.headers.setdefault("Content-Security-Policy", CSP)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        # not no-referrer: with that a browser sends our own forms as coming from nowhere (Origin: null)
        response.headers.setdefault("Referrer-Policy", "same-origin")
        response.headers.setdefault("Cache-Control", "no-store")
    return response


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


def _by_browser(request: web.Request) -> bool:
    """Whether a form may act in somebody's name: it comes with a cookie of ours, or is there to get one."""
    ours = any(cookie_of(request, name) for name in (COOKIE, ME_COOKIE))
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
    claims = "Authorization" in request.headers or cookie_of(request, COOKIE) or cookie_of(request, ME_COOKIE)
    if public or not (claims or path.startswith(OWN_LINKS) or (path in HEALTH and from_beside(request))):
        await in_turn(request)
        return await handler(request)
    try:
        return await handler(request)
    except (NotAllowed, NotFound, web.HTTPNotFound):
        await in_turn(request)
        raise


async def caller(request: web.Request, action: Action, tier: Tier | None = None) -> Who:
    """The authenticated caller, by API key or cookie, whose grant covers the action."""
    database = request.app[PLATFORM_DATABASE]
    header = request.headers.get("Authorization", "")
    who: Who | None = None
    if header:
        scheme, _, key = header.partition(" ")
        if scheme.lower() == "bearer":
            async with database.read() as db:
                who = await who_is(db, key.strip())
    elif cookie := cookie_of(request, COOKIE):
        who = await signed_in(database, request.app[PLATFORM_SIGNER], cookie)
    if who is None:
        fault = NotAllowed(
            "give an API key that is known here: Authorization: Bearer <key>",
            field="Authorization",
            rule="api-key",
            remedy="make one with: tocsin key create",
        )
        fault.status = 401
        raise fault
    who.must(action, tier)
    return who


async def json_body(request: web.Request, model: type[M]) -> M:
    """The body as a model; Refused names the first field that is wrong, what was given and the rule."""
    try:
        return model.model_validate_json(await request.read())
    except pydantic.ValidationError as wrong:
        raise refused_by(wrong) from wrong


def refused_by(wrong: pydantic.ValidationError) -> Refused:
    """The first fault of a pydantic validation, as one sentence."""
    first = wrong.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "body"
    return Refused(
        f"{where}: {said_of(first).sentence}",
        field=where,
        rule=first["type"],
        given=repr(first.get("input"))[:200],
        remedy=f"correct {where} and send it again",
    )


class Json(web.Response, Generic[T]):
    """JSON with non-ASCII left readable. Its kind, as in `-> Json[Coverage]`, is the answer's schema in openapi.json."""

    code: ClassVar[int] = 200

    def __init__(self, value: T, *, status: int | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(
            status=status or self.code,
            text=json.dumps(value, ensure_ascii=False),
            content_type="application/json",
            headers=headers,
        )


class Created(Json[T]):
    """JSON about what was made just now."""

    code = 201


class Accepted(Json[T]):
    """JSON about what is written down and goes on by itself."""

    code = 202


_SERVICES = Path(__file__).resolve().parents[2]


class Written(str):
    """Text of a form that somebody goes on writing: shown as it was written, sign by sign."""

    __slots__ = ()


def _shown(value: object) -> object:
    """What a page shows of a value: nothing in it turns the reading direction of what stands beside it."""
    if not isinstance(value, str) or isinstance(value, Written):
        return value
    plain = plain_signs(value)
    return value if plain == value else type(value)(plain)


_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(
        [_SERVICES / name / "templates" for name in ("shared", "gateway", "registry", "router", "channels")]
    ),
    autoescape=True,
    finalize=_shown,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def rendered(template: str, **values: object) -> str:
    """A whole HTML page as text."""
    return _templates.get_template(template).render(**values)


def page(template: str, status: int = 200, **values: object) -> web.Response:
    """A whole HTML page."""
    return web.Response(status=status, text=rendered(template, **values), content_type="text/html")


def local_time(when: float, offset: int | Callable[[float], int]) -> str:
    """'Sun 22 Nov 09:40 (UTC+08:00)': never a time without its zone.

    `offset` are minutes east of UTC, or what gives them for a time: two times may lie on two sides of a clock change.
    """
    minutes = offset if isinstance(offset, int) else offset(when)
    return i18n.moment(datetime.fromtimestamp(when, timezone(timedelta(minutes=minutes))))


class Offer(NamedTuple):
    """A language a page can be read in, and the link that chooses it."""

    tag: str
    name: str
    link: str
    chosen: bool


def _offers() -> Sequence[Offer]:
    """The languages this page can be read in; none on the answer to a form, whose address may open nothing."""
    if (link := _link.get()) is None:
        return ()
    return [Offer(tag, name, link(tag), tag == i18n.language()) for tag, name in i18n.offered().items()]


def _escaped(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value if isinstance(value, int | float) else escape(value) for name, value in values.items()}


def _t(message: str, /, **values: object) -> Markup:
    """`i18n.t` for a template: the catalogue's sentence may hold markup, what is filled in never does."""
    return Markup(t(message, **_escaped(values)))  # noqa: S704  ours; its values are escaped


def _tn(one: str, many: str, n: int, /, **values: object) -> Markup:
    return Markup(i18n.tn(one, many, n, **_escaped(values)))  # noqa: S704


def _tc(context: str, message: str, /, **values: object) -> Markup:
    return Markup(i18n.tc(context, message, **_escaped(values)))  # noqa: S704


def for_reader(texts: Mapping[str, T]) -> T:
    """Of what is there by language, that of the page's language, else the first."""
    return texts[choose(i18n.language(), list(texts)) or next(iter(texts))]


def _label(table: str, key: str) -> str:
    """What a key is called, by the table of `labels` it stands in."""
    return labels.say(getattr(labels, table), key)


def _labels_of(table: str, keys: Sequence[str]) -> str:
    return labels.all_of(getattr(labels, table), keys)


_templates.filters["local_time"] = local_time
_templates.filters["listed"] = i18n.listed
_templates.filters["told"] = i18n.told
_templates.filters["for_reader"] = for_reader
_templates.globals |= {
    "Tier": Tier, "tier_names": NAMES, "title": title, "t": _t, "tn": _tn, "tc": _tc, "label": _label,
    "labels_of": _labels_of, "team": labels.team, "hazard_name": labels.hazard,
    "language": i18n.language, "direction": i18n.direction, "offers": _offers,
}  # fmt: skip


def make_app(
    database: Database, signer: Signer, *, https: bool = False, proxies: tuple[Network, ...] = (), sends: bool = True
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
    app[PLATFORM_SIGNER] = signer
    app[PLATFORM_HTTPS] = https
    app.router.add_get("/static/{name}", static)
    return app
