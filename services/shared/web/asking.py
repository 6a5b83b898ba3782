"""Asks before a handler begins: who calls, and whether they may do this to what the address names.

A handler of a console, an API or a report is marked with the act it is; its route then has a rule, which `tocsin routes`
prints. What an address cannot name (the object is in the body) the handler asks for itself, with `must`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import NamedTuple, Protocol, TypeVar

import sqlalchemy as sa
import structlog
from aiohttp import web
from msgspec.structs import replace

from services.shared.audit import trail
from services.shared.database.engine import may_be_tried_again
from services.shared.errors import NotAllowed, NotProved
from services.shared.powers.may import Thing, must
from services.shared.powers.power import BOUNDS, Power
from services.shared.powers.warnings import warning_thing
from services.shared.powers.who import Who
from services.shared.web.edge import PLATFORM_DATABASE, known_caller

log = structlog.get_logger("powers")
MOST_NOTED = 50  # refusals of one caller that a process writes down in an hour
_refused: dict[str, deque[float]] = {}  # who > when, monotonic
S = TypeVar("S")
R = TypeVar("R")


class About(Protocol):
    """Reads what an address names."""

    __name__: str

    def __call__(self, request: web.Request, who: Who, /) -> Awaitable[Thing | None]: ...


class RouteRule(NamedTuple):
    """What a route asks: the act, and in words what it is about and what binds it."""

    act: Power
    about: str

    def in_words(self) -> str:
        """For the table of routes."""
        bound = BOUNDS[self.act].in_words()
        return f"{self.about}: {bound}" if self.about else bound


async def the_warning(request: web.Request, who: Who) -> Thing:
    """The warning: it stands in the address."""
    async with request.app[PLATFORM_DATABASE].read() as db:
        return await warning_thing(db, who, request.match_info["warning_id"])


async def the_draft(request: web.Request, who: Who) -> Thing:
    """The draft: it stands in the address. Whether it takes another person is asked when it is sent."""
    return replace(await the_warning(request, who), brought_by="")


async def the_installation(request: web.Request, who: Who) -> None:
    """The installation: it belongs to nobody alone."""


async def what_is_sent(request: web.Request, who: Who) -> None:
    """What is sent: the handler asks once it has read it."""


async def what_is_found(request: web.Request, who: Who) -> None:
    """What is found: the handler shows of it what the caller may see."""


def asks(
    act: Power, about: About
) -> Callable[[Callable[[S, web.Request, Who], Awaitable[R]]], Callable[[S, web.Request], Awaitable[R]]]:
    """Marks a handler; it is called with the caller once they may. NotAllowed and NotFound are raised before it begins."""

    def mark(handler: Callable[[S, web.Request, Who], Awaitable[R]]) -> Callable[[S, web.Request], Awaitable[R]]:
        @wraps(handler)
        async def asked(self: S, request: web.Request) -> R:
            who = await known_caller(request)
            try:
                must(who, act)
                must(who, act, await about(request, who))
                return await handler(self, request, who)
            except NotAllowed as fault:
                if not isinstance(fault, NotProved):  # they show who they are, and go on
                    await _note_refusal(request, who, act, fault)
                raise

        words = (about.__doc__ or "").partition(".")[0].partition(":")[0]
        asked.rule = RouteRule(act, words[:1].lower() + words[1:])  # type: ignore[attr-defined]
        return asked

    return mark


async def _note_refusal(request: web.Request, who: Who, act: Power, fault: NotAllowed) -> None:
    """An entry for what somebody known was refused, so many an hour for each: nobody fills the log."""
    now, mine = time.monotonic(), _refused.setdefault(who.actor, deque(maxlen=MOST_NOTED))
    if len(mine) == MOST_NOTED and now - mine[0] < 3600.0:
        return
    mine.append(now)
    subject = next(iter(request.match_info.values()), "") or act.value
    detail = {"act": act.value, "rule": fault.rule or "", "caller_id": who.actor}
    try:
        async with request.app[PLATFORM_DATABASE].write() as tx:
            await trail.record(tx, who.label, "refused", subject[:80], fault.message[:400], detail)
    except (sa.exc.SQLAlchemyError, TimeoutError) as trouble:  # refused all the same
        if not may_be_tried_again(trouble):
            raise
        log.warning("refusal_not_written", reason=type(trouble).__name__)


def rule_of(handler: object) -> RouteRule | None:
    """The rule of a marked handler; None of any other."""
    return getattr(handler, "rule", None)
