"""Serves the public's pages: the first one, warnings in force and past, one page a warning, a fragment to embed, and JSON.

All are made once for everybody and kept as bytes. While the database does not answer they say what was known last, and when.
"""

from __future__ import annotations

import asyncio
import json
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, NoReturn, TypedDict

import sqlalchemy as sa
import structlog
from aiohttp import web

from services.gateway.public_cache import Made, PublicCache, first_after
from services.gateway.publish.board import (
    LAST_PAGE,
    PublicBoard,
    PublicStanding,
    StatusEntry,
    as_json,
    board,
    named,
    past,
)
from services.gateway.store import names_out
from services.shared.clock import iso
from services.shared.database.engine import may_be_tried_again
from services.shared.errors import Busy, NotFound, Refused
from services.shared.i18n import language
from services.shared.service import Platform
from services.shared.tiers import Tier
from services.shared.web.edge import CSP
from services.shared.web.html import link_by, rendered

BOARD_S = 5.0  # so long what is in force may be old here where another process released or ended it
PAGES_KEPT = 20  # of past warnings, for when the database is away
AWAY_S = 3.0  # a database that is silent so long is away
HTML = "text/html; charset=utf-8"
EMBEDDED = CSP.replace("frame-ancestors 'none'", "frame-ancestors *")
log = structlog.get_logger("public")


class StatusJson(TypedDict):
    """What is in force. `stale`: as of `at`, since when the database has not answered."""

    at: str
    stale: bool
    authority: str
    hotline: str
    in_force: list[StatusEntry]
    ended: list[StatusEntry]


@dataclass(frozen=True)
class ListedPage:
    """What is in force, and a page of what is past; whether there are more."""

    board: PublicBoard
    past: Sequence[PublicStanding]
    more: bool


class PublicPages:
    """The handlers of / and of /public but its check page."""

    def __init__(self, platform: Platform, kept: PublicCache) -> None:
        self._platform = platform
        self._kept = kept
        self._last: PublicBoard | None = None
        self._pages: dict[int, ListedPage] = {}  # of past warnings, as they were read last

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return (
            web.get("/", self.home),
            web.get("/public/warnings", self.warnings),
            web.get("/public/warnings/{name}", self.warning),
            web.get("/public/status", self.status),
            web.get("/public/status.json", self.status_json),
        )

    async def home(self, request: web.Request) -> web.Response:
        """What is in force, whose page this is, and the ways in."""
        return (await self._page("home", "public_home.html")).answer(request)

    async def status(self, request: web.Request) -> web.Response:
        """What is in force, as a fragment that any page may embed: the only page of ours that may stand in a frame."""
        response = (await self._page("status", "public_status.html")).answer(request)
        response.headers["Content-Security-Policy"] = EMBEDDED
        return response

    async def _page(self, name: str, template: str) -> Made:
        now = await self._board()

        async def make() -> Made:
            link_by(lambda tag: f"?lang={tag}")
            text = rendered(template, board=now, **self._shared())
            return Made(text.encode(), HTML, until=first_after(now.at, now.changes_at))

        return await self._kept.of((name, language(), now.at, now.stale), make)

    async def status_json(self, request: web.Request) -> Annotated[web.Response, "application/json", StatusJson]:
        """The same for machines, from any origin."""
        now, url = await self._board(), self._platform.public_url
        said: StatusJson = {
            "at": iso(now.at),
            "stale": now.stale,
            "authority": self._platform.settings.authority,
            "hotline": self._platform.settings.hotline,
            "in_force": [as_json(one, url) for one in now.live],
            "ended": [as_json(one, url) for one in now.ended],
        }
        response = Made(json.dumps(said, ensure_ascii=False).encode(), "application/json", 5).answer(request)
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    async def warnings(self, request: web.Request) -> web.Response:
        """In force, then what is past, in pages."""
        page = _page_of(request.query.get("page", ""))

        async def make() -> Made:
            listed = await self._listed(page)
            now = listed.board
            link_by(lambda tag: f"?page={page}&lang={tag}" if page > 1 else f"?lang={tag}")
            text = rendered(
                "public_warnings.html", board=now, past=listed.past, page=page, more=listed.more, **self._shared()
            )
            return Made(text.encode(), HTML, until=first_after(now.at, now.changes_at))

        return (await self._kept.of(("warnings", page, language()), make, BOARD_S)).answer(request)

    async def _listed(self, page: int) -> ListedPage:
        """What is in force and this page of what is past; what was known of it last where the database is away."""
        at = self._platform.clock.now()
        try:
            async with asyncio.timeout(AWAY_S), self._platform.database.read() as db:
                now = await board(db, at)
                rows, more = await past(db, at, page)
        except (sa.exc.SQLAlchemyError, OSError) as trouble:
            known = self._pages.get(page)
            if not _is_away(trouble):
                raise
            log.warning("list_stale", reason=type(trouble).__name__)
            if known is None and page == 1 and self._last is not None:  # the first page was asked for, and not this one
                known = ListedPage(self._last, (), more=False)
            return (
                replace(known, board=replace(known.board, stale=True)) if known is not None else self._unknown(trouble)
            )
        self._pages[page] = ListedPage(now, rows, more)
        while len(self._pages) > PAGES_KEPT:
            self._pages.pop(next(iter(self._pages)))
        return self._pages[page]

    async def warning(self, request: web.Request) -> web.Response:
        """One warning by its number or id, to read and to share."""
        given = request.match_info["name"]
        # a Chinese keyboard types full-width digits, an Arabic one its own
        digits = (
            "".join(str(unicodedata.decimal(c)) for c in given[:40] if c.isdecimal()) if given.isdecimal() else given
        )
        out = await names_out(self._platform, self._kept)
        name = digits if digits in out.numbers or digits in out.ids else ""
        made = await self._kept.of(("warning", name, language()), lambda: self._warned(name)) if name else None
        if made is None or not made.body:
            raise NotFound(
                f"there is no public warning {given[:40]}: look at /public/warnings, or call "
                f"{self._platform.settings.hotline}",
                field="name",
                given=given[:40],
            )
        return made.answer(request)

    async def _warned(self, name: str) -> Made:
        at = self._platform.clock.now()
        async with self._platform.database.read() as db:
            found = await named(db, name, at)
        if found is None:
            return Made(b"", HTML)
        link_by(lambda tag: f"?lang={tag}")
        text = rendered(
            "public_warning.html", one=found, now=at, url=f"{self._platform.public_url}/public/warnings/{name}",
            **self._shared(),
        )  # fmt: skip
        return Made(text.encode(), HTML, until=first_after(at, [found.warning.expires_at]))

    def _shared(self) -> dict[str, object]:
        settings = self._platform.settings
        return {
            "tier_of": _tier, "hotline": settings.hotline, "authority": settings.authority,
            "offset": settings.offset_at, "plane": settings.plane,
        }  # fmt: skip

    async def _board(self) -> PublicBoard:
        return await self._kept.of("board", self._read, BOARD_S)

    async def _read(self) -> PublicBoard:
        """What is in force now; what was known last where the database is away."""
        try:
            async with asyncio.timeout(AWAY_S), self._platform.database.read() as db:
                self._last = await board(db, self._platform.clock.now())
        except (sa.exc.SQLAlchemyError, OSError) as trouble:  # a time-out is an OSError
            if not _is_away(trouble):
                raise
            log.warning("board_stale", reason=type(trouble).__name__)
            return replace(self._last, stale=True) if self._last is not None else self._unknown(trouble)
        return self._last

    def _unknown(self, trouble: BaseException) -> NoReturn:
        raise Busy(
            "what is in force is not known just now: open the page again in a few seconds, or call "
            f"{self._platform.settings.hotline}"
        ) from trouble


def _is_away(trouble: sa.exc.SQLAlchemyError | OSError) -> bool:
    """Whether the database does not answer: a time-out is an OSError."""
    return isinstance(trouble, OSError) or may_be_tried_again(trouble)


def _tier(one: PublicStanding) -> Tier | None:
    return Tier(one.warning.tier) if one.warning.tier else None


def _page_of(given: str) -> int:
    if not given:
        return 1
    if not (given.isascii() and given.isdigit() and len(given) <= 5 and 1 <= int(given) <= LAST_PAGE):
        raise Refused(
            f"page: give the number of a page, 1 to {LAST_PAGE}", field="page", rule="number", given=given[:40]
        )
    return int(given)
