"""Serves the console's pages on second persons: asking, preapprovals and reviews. Plain forms, no script."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import pydantic
from aiohttp import web
from msgspec.structs import replace

from services.gateway import store
from services.gateway.approvals import preapprovals
from services.gateway.warnings.acts import Acts
from services.shared.database import locks
from services.shared.errors import Refused
from services.shared.i18n import t, told
from services.shared.powers.may import Thing, may
from services.shared.powers.power import Power
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.tiers import Tier
from services.shared.web.answers import Json, json_body
from services.shared.web.asking import asks, the_warning, what_is_found
from services.shared.web.edge import PLATFORM_DATABASE
from services.shared.web.html import page

CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
LAST = 99


async def the_preapproval(request: web.Request, who: Who) -> Thing:
    """A preapproval: it stands in the address."""
    async with request.app[PLATFORM_DATABASE].read() as db:
        return preapprovals.thing_of(await preapprovals.preapproval_with(db, request.match_info["preapproval_id"]))


class AskIn(pydantic.BaseModel):
    """Whether whoever asks is alone: three are paged at once then, and of a live warning too."""

    model_config = pydantic.ConfigDict(extra="forbid")

    alone: bool = False


class ApprovalPages:
    """The handlers of second persons."""

    def __init__(self, platform: Platform, acts: Acts) -> None:
        self._platform = platform
        self._acts = acts

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """The addresses a browser opens, and the one a program asks."""
        return (
            web.post("/api/v1/warnings/{warning_id}/ask", self.ask_by_api),
            web.post("/console/warnings/{warning_id}/ask", self.ask),
            web.get("/console/warnings/{warning_id}/preapproval", self.preapproval_form),
            web.post("/console/warnings/{warning_id}/preapproval", self.propose),
            web.post("/console/warnings/{warning_id}/review", self.review),
            web.get("/console/preapprovals", self.preapprovals),
            web.post("/console/preapprovals/{preapproval_id}/approve", self.approve),
            web.post("/console/preapprovals/{preapproval_id}/end", self.end),
        )

    # ---- a second person

    @asks(Power.ASK, the_warning)
    async def ask_by_api(self, request: web.Request, who: Who) -> Json[dict[str, str]]:
        """Has others paged who may send it."""
        given = await json_body(request, AskIn)
        warning_id = request.match_info["warning_id"]
        await self._acts.ask(who, warning_id, alone=given.alone)
        return Json({"warning_id": warning_id, "asked": "alone" if given.alone else "next"})

    @asks(Power.ASK, the_warning)
    async def ask(self, request: web.Request, who: Who) -> web.StreamResponse:
        form = await request.post()
        warning_id = request.match_info["warning_id"]
        await self._acts.ask(who, warning_id, alone=str(form.get("alone", "")) == "yes")
        async with self._platform.database.read() as db:
            row = await store.stored(db, warning_id)
        raise web.HTTPSeeOther(f"/live/{warning_id}" + ("" if row.state_state == "active" else "/preview"))

    # ---- preapprovals

    @asks(Power.SEE, what_is_found)
    async def preapprovals(self, request: web.Request, who: Who) -> web.Response:
        """What two approved beforehand, what waits for the second, and what went out by one and is to be reviewed."""
        async with self._platform.database.read() as db:
            found = await preapprovals.preapprovals_of(db, who)
            reviews = await preapprovals.reviews_of(db, who)
        shown = replace(who, proved_at=None)  # a button that asks again who they are is there
        return page(
            "preapprovals.html", who=who, now=self._platform.clock.now(), offset=self._platform.settings.offset_at,
            preapprovals=[(one, may(shown, Power.SEND, preapprovals.thing_of(one)) is None) for one in found], reviews=reviews,
            Tier=Tier, plane=self._platform.settings.plane, clock=_clock,
        )  # fmt: skip

    @asks(Power.PROPOSE, the_warning)
    async def preapproval_form(self, request: web.Request, who: Who) -> web.Response:
        return await self._preapproval_form(request, who)

    async def _preapproval_form(
        self, request: web.Request, who: Who, problem: str = "", field: str = "", given: Mapping[str, str] | None = None
    ) -> web.Response:
        async with self._platform.database.read() as db:
            row = await store.stored(db, request.match_info["warning_id"])
        return page(
            "preapproval.html", status=422 if problem else 200, who=who, row=row, problem=problem, field=field, given=given or {},
            tier=Tier(row.state_tier) if row.state_tier else None, plane=self._platform.settings.plane,
        )  # fmt: skip

    @asks(Power.PROPOSE, the_warning)
    async def propose(self, request: web.Request, who: Who) -> web.StreamResponse:
        form = {name: str(value).strip() for name, value in (await request.post()).items()}
        for field in ("name", "trigger"):
            if len(form.get(field, "")) < 2:
                said = {"name": t("Give it a name."), "trigger": t("Say what must have been seen before it is used.")}[
                    field
                ]
                return await self._preapproval_form(request, who, said, field, form)
        hours = [_minutes(form.get(field, "")) for field in ("from", "to")]
        if None in hours:
            return await self._preapproval_form(request, who, t("Give hours like 22:00."), "from", form)
        try:
            until = self._end_of(form.get("until", ""))
        except ValueError:
            return await self._preapproval_form(request, who, t("Give a day like 2027-06-30."), "until", form)
        async with self._platform.database.write() as tx:
            await locks.acts(tx)
            row = await store.stored(tx, request.match_info["warning_id"])
            try:
                await self._acts.preapprovals.propose(
                    tx, who, row, form["name"][:120], form["trigger"][:400], (hours[0] or 0, hours[1] or 0), until
                )
            except Refused as fault:
                if fault.status != 422:
                    raise
                problem, field = told(fault.message), fault.field
            else:
                problem = field = ""
        if problem:
            return await self._preapproval_form(request, who, problem, field, form)
        raise web.HTTPSeeOther("/console/preapprovals")

    def _end_of(self, day: str) -> float:
        """The end of a day of the jurisdiction, warning time. ValueError for no day."""
        after = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=1)
        local = after.timestamp()
        return local - 60.0 * self._platform.settings.offset_at(local)

    @asks(Power.SEND, the_preapproval)
    async def approve(self, request: web.Request, who: Who) -> web.StreamResponse:
        async with self._platform.database.write() as tx:
            await self._acts.preapprovals.approve(tx, who, request.match_info["preapproval_id"])
        raise web.HTTPSeeOther("/console/preapprovals")

    @asks(Power.SEND, the_preapproval)
    async def end(self, request: web.Request, who: Who) -> web.StreamResponse:
        async with self._platform.database.write() as tx:
            await self._acts.preapprovals.end(tx, who, request.match_info["preapproval_id"])
        raise web.HTTPSeeOther("/console/preapprovals")

    @asks(Power.REVIEW, the_warning)
    async def review(self, request: web.Request, who: Who) -> web.StreamResponse:
        words = str((await request.post()).get("words", "")).strip()
        if len(words) < 2:
            raise Refused("words: say in a few words how it was; it is kept in the log", field="words", rule="required")
        async with self._platform.database.write() as tx:
            await self._acts.preapprovals.reviewed(tx, who, request.match_info["warning_id"], words[:400])
        raise web.HTTPSeeOther("/console/preapprovals")


def _minutes(text: str) -> int | None:
    found = CLOCK.fullmatch(text)
    return int(found[1]) * 60 + int(found[2]) if found else None


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
