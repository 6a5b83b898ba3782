"""Serves /channels/lists/WARNING: the links to lists under a warning, made anew and taken back by the command post.

Making a link opens names: it needs the power to, a reason, and leaves an entry.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict, TypeVar

import pydantic
from aiohttp import web

from services.channels.messages import list_links
from services.channels.pages import store
from services.shared.audit import trail
from services.shared.clock import iso
from services.shared.database.engine import Connection
from services.shared.errors import Conflict, NotFound, Refused
from services.shared.i18n import told
from services.shared.ledger import team_signs
from services.shared.powers.may import may
from services.shared.powers.power import Power
from services.shared.powers.warnings import warning_thing
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.web.answers import Created, Json, json_body, refused_by
from services.shared.web.asking import asks, the_warning
from services.shared.web.edge import wants_page
from services.shared.web.html import page

MIN_REASON = 8
M = TypeVar("M", bound=pydantic.BaseModel)


class LinkIn(pydantic.BaseModel):
    """Why a list is opened to somebody."""

    model_config = pydantic.ConfigDict(extra="forbid", str_strip_whitespace=True)

    reason: str = pydantic.Field(min_length=MIN_REASON, max_length=400, description="who gets it, and what for")


class RecallIn(pydantic.BaseModel):
    """Whose links are taken back: one team's, or everybody's."""

    model_config = pydantic.ConfigDict(extra="forbid", str_strip_whitespace=True)

    slot: str = pydantic.Field("", max_length=32, description="a team, or fireservice; empty for every list")
    reason: str = pydantic.Field(min_length=MIN_REASON, max_length=400)


class ListStand(TypedDict):
    """A list of doors and its newest link; times are seconds since 1970."""

    slot: str
    doors: int
    opened_at: float | None
    devices: int
    recalled: bool


class LinkMade(TypedDict):
    """A new link; it opens within an hour, on the device that opens it first."""

    slot: str
    link: str
    open_until: str


class ListsRecalled(TypedDict):
    """Whose links open nothing any more."""

    recalled: list[str]


class ListLinkPages:
    """The handlers of /channels/lists."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return (
            web.get("/channels/lists/{warning_id}", self.stand),
            web.post("/channels/lists/{warning_id}/recall", self.recall),
            web.post("/channels/lists/{warning_id}/{slot}/link", self.link),
        )

    @asks(Power.HANDLE, the_warning)
    async def stand(self, request: web.Request, who: Who) -> Json[list[ListStand]] | web.Response:
        """Every list under the warning: how many doors, whether its link was opened, and on how many devices."""
        if wants_page(request):
            return await self._page(request, who)
        async with self._platform.database.read() as db:
            return Json(await _stand(db, request.match_info["warning_id"]))

    @asks(Power.OPEN_LIST, the_warning)
    async def link(self, request: web.Request, who: Who) -> Created[LinkMade] | web.Response:
        """A new link to one list, for a reason; the earlier ones of that list are taken back."""
        try:
            given = await _given(request, LinkIn)
        except Refused as fault:
            if not wants_page(request):
                raise
            return await self._page(request, who, problem=told(fault.message), status=fault.status)
        warning_id, slot, now = request.match_info["warning_id"], request.match_info["slot"], self._platform.clock.now()
        async with self._platform.database.write() as tx:
            warning = await store.state_of(tx, warning_id)
            if warning is None or slot not in {one["slot"] for one in await _stand(tx, warning_id)}:
                raise NotFound("there is no such list under this warning", field="slot", given=slot[:32])
            if warning.state != "active":
                raise Conflict("the warning is over: its lists name nobody any more", field="warning_id", rule="state")
            n = await list_links.make(tx, warning_id, slot, who.label, now)
            await trail.record(tx, who.label, "make_list_link", warning_id, given.reason, {"slot": slot, "n": n})
        path = list_links.path_of(self._platform.signer("links"), warning_id, slot, n)
        made: LinkMade = {
            "slot": slot, "link": self._platform.public_url + path, "open_until": iso(now + list_links.OPENED_WITHIN_S),
        }  # fmt: skip
        if wants_page(request):
            return await self._page(request, who, made=made)
        return Created(made)

    @asks(Power.HANDLE, the_warning)
    async def recall(self, request: web.Request, who: Who) -> Json[ListsRecalled] | web.Response:
        """Takes the links of one list back, or of every list; who holds one sees nothing from now on."""
        try:
            given = await _given(request, RecallIn)
        except Refused as fault:
            if not wants_page(request):
                raise
            return await self._page(request, who, problem=told(fault.message), status=fault.status)
        warning_id = request.match_info["warning_id"]
        async with self._platform.database.write() as tx:
            there = [one["slot"] for one in await _stand(tx, warning_id)]
            taken = [slot for slot in there if given.slot in ("", slot)]
            if not taken:
                raise NotFound("there is no such list under this warning", field="slot", given=given.slot)
            for slot in taken:
                await list_links.recall(tx, warning_id, slot, self._platform.clock.now())
            await trail.record(tx, who.label, "recall_lists", warning_id, given.reason, {"slots": taken})
        if wants_page(request):
            raise web.HTTPSeeOther(f"/channels/lists/{warning_id}")
        return Json({"recalled": taken})

    async def _page(
        self, request: web.Request, who: Who, *, problem: str = "", made: LinkMade | None = None, status: int = 200
    ) -> web.Response:
        warning_id = request.match_info["warning_id"]
        async with self._platform.database.read() as db:
            warning = await store.state_of(db, warning_id)
            found = await _stand(db, warning_id)
            thing = await warning_thing(db, who, warning_id)
            taken = await team_signs.latest_in_chain(db, warning_id, list_links.RESCUE)
        return page(
            "lists.html", status=status, who=who, warning_id=warning_id, number=warning.number if warning else "",
            lists=found, made=made, taken=taken, problem=problem, plane=self._platform.settings.plane, rescue=list_links.RESCUE,
            offset=self._platform.settings.offset_at, may_open=may(who, Power.OPEN_LIST, thing) is None,
        )  # fmt: skip


async def _given(request: web.Request, model: type[M]) -> M:
    """From JSON, or from a form of the page."""
    if request.content_type == "application/json":
        return await json_body(request, model)
    try:
        return model.model_validate({k: str(v) for k, v in (await request.post()).items() if k in model.model_fields})
    except pydantic.ValidationError as wrong:
        raise refused_by(wrong) from wrong


async def _stand(db: Connection, warning_id: str) -> list[ListStand]:
    doors = await store.doors_by_slot(db, warning_id)
    newest: dict[str, list_links.ListLink] = {}
    for one in await list_links.links_of(db, warning_id):
        newest.setdefault(one.slot, one)
    return [
        {
            "slot": slot, "doors": doors.get(slot, 0), "opened_at": link.opened_at if link else None,
            "devices": len(link.devices) if link else 0, "recalled": link is not None and link.recalled_at is not None,
        }
        for slot in sorted({*doors, *newest})
        for link in [newest.get(slot)]
    ]  # fmt: skip
