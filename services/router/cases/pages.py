"""Serves cases: /live/{id}/cases for people, /report/{id}/cases for programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict
from urllib.parse import urlencode

import pydantic
import sqlalchemy as sa
from aiohttp import web

from services.router.cases import arranging, view
from services.router.cases.handling import CaseIn, act
from services.shared.audit import trail
from services.shared.bus.outbox import new_id
from services.shared.database.engine import Connection
from services.shared.errors import Conflict, Refused
from services.shared.i18n import t, told
from services.shared.ledger import opened_calls
from services.shared.ledger.warnings import warning_state
from services.shared.powers.may import may
from services.shared.powers.power import Power
from services.shared.powers.warnings import warning_thing
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.web.answers import Json, json_body, refused_by
from services.shared.web.asking import asks, the_warning
from services.shared.web.html import page
from services.shared.web.opening_order import REASON_KEPT

MIN_REASON = 8
FIELDS = tuple(CaseIn.model_fields)


class Cases(TypedDict):
    """A warning's cases, the worst first, and how many are open in all."""

    warning_id: str
    totals: view.CaseTotals
    cases: list[view.CaseState]


class CasePages:
    """Its handlers."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return (
            web.get("/live/{warning_id}/cases", self.list_page),
            web.post("/live/{warning_id}/names", self.names),
            web.post("/live/{warning_id}/cases/{case_id}", self.tap),
            web.get("/report/{warning_id}/cases", self.list_json),
            web.post("/report/{warning_id}/cases/{case_id}", self.act),
        )

    @asks(Power.WATCH, the_warning)
    async def list_json(self, request: web.Request, who: Who) -> Json[Cases]:
        async with self._platform.database.read() as db:
            found = await self._shown(db, request, who)
            totals = await view.totals(db, request.match_info["warning_id"])
        return Json({"warning_id": request.match_info["warning_id"], "totals": totals, "cases": found})

    async def _shown(self, db: Connection, request: web.Request, who: Who) -> list[view.CaseState]:
        """Its cases; who they are about only for whoever may handle them."""
        warning_id = request.match_info["warning_id"]
        found = await view.cases(db, warning_id, self._platform.clock.now())
        handles = may(who, Power.HANDLE, await warning_thing(db, who, warning_id)) is None
        return found if handles else view.without_people(found)

    @asks(Power.HANDLE, the_warning)
    async def act(self, request: web.Request, who: Who) -> Json[view.CaseState]:
        given = await json_body(request, CaseIn)
        warning_id, case_id = request.match_info["warning_id"], request.match_info["case_id"]
        await act(self._platform, who, warning_id, case_id, given)
        async with self._platform.database.read() as db:
            return Json(await view.case_shown(db, case_id, self._platform.clock.now()))

    @asks(Power.WATCH, the_warning)
    async def list_page(self, request: web.Request, who: Who) -> web.Response:
        return await self._list(request, who)

    async def _list(self, request: web.Request, who: Who, problem: str = "", about: str = "") -> web.Response:
        warning_id, now = request.match_info["warning_id"], self._platform.clock.now()
        async with self._platform.database.read() as db:
            found = await self._shown(db, request, who)
            totals = await view.totals(db, warning_id)
            state = (await db.execute(sa.select(warning_state).where(warning_state.c.warning_id == warning_id))).one()
            standing = [c for c in found if c["state"] != "closed"]
            thing, sign_in = await warning_thing(db, who, warning_id), arranging.sign_in_of(request)
            shown = arranging.by_village(standing, asked := arranging.asked_of(request))
            opens = may(who, Power.OPEN_LIST, thing) is None and any(c["person_id"] for v in shown for c in v.cases)
            reason = await opened_calls.reason_given(db, who.actor, state.chain_id, sign_in) if opens else ""
        return page(
            "cases.html",
            status=422 if problem else 200,
            who=who,
            warning_id=warning_id,
            number=state.number,
            totals=totals,
            standing=len(standing),
            villages=[
                (v.zone_id, [{**c, "event": new_id(), "life": arranging.at_risk(c)} for c in v.cases]) for v in shown
            ],
            zones=sorted({c["zone_id"] for c in standing if c["zone_id"]}),
            asked=asked,
            query=request.query_string,
            done=[c for c in found if c["state"] == "closed"],
            opens=opens,
            reason=reason,
            may_see=may(who, Power.SEE_PEOPLE, thing) is None,
            now=now,
            offset=self._platform.settings.offset_at,
            may="command" in who.actions,
            problem=problem,
            about=about,
            plane=self._platform.settings.plane,
        )

    @asks(Power.OPEN_LIST, the_warning)
    async def names(self, request: web.Request, who: Who) -> web.StreamResponse:
        """Has channels open who calls, for a reason that is asked once a sign-in; the page of names is theirs."""
        warning_id, typed = request.match_info["warning_id"], str((await request.post()).get("reason", ""))
        async with self._platform.database.write() as tx:
            chain_id, sign_in = await view.chain_of(tx, warning_id), arranging.sign_in_of(request)
            kept = await opened_calls.reason_given(tx, who.actor, chain_id, sign_in)
            reason = kept or " ".join(typed.split())[:400]
            if len(reason) < MIN_REASON:
                raise Refused(
                    "say why you look: each person reads it later", field="reason", rule="required", given=reason,
                    remedy=t("write at least {MIN_REASON} characters; it is asked once a warning", MIN_REASON=MIN_REASON),
                )  # fmt: skip
            if not kept:
                await trail.record(
                    tx, who.label, REASON_KEPT, chain_id, reason, {"caller_id": who.actor, "sign_in": sign_in}
                )
            standing = [c for c in await self._shown(tx, request, who) if c["state"] != "closed"]
            wanted = [
                one for village in arranging.by_village(standing, arranging.asked_of(request)) for one in village.cases
            ]
            calls, order_id = await arranging.calls_of(tx, wanted), new_id()
            await opened_calls.give(tx, order_id, who.actor, chain_id, sign_in, reason, calls)
        raise web.HTTPSeeOther(f"/open/calls/{order_id}")

    @asks(Power.HANDLE, the_warning)
    async def tap(self, request: web.Request, who: Who) -> web.Response:
        """One act of the form; what is wrong with it is said beside the list, which is shown as it stands now."""
        form = await request.post()
        warning_id, case_id = request.match_info["warning_id"], request.match_info["case_id"]
        try:
            given = CaseIn.model_validate({name: str(form[name]) for name in FIELDS if name in form})
        except pydantic.ValidationError as wrong:
            return await self._list(request, who, told(refused_by(wrong).message), case_id)
        try:
            await act(self._platform, who, warning_id, case_id, given)
        except (Conflict, Refused) as wrong:
            if wrong.status == 404:
                raise
            return await self._list(request, who, told(wrong.message), case_id)
        asked = "?" + urlencode(arranging.asked_of(request)._asdict()) if request.query_string else ""
        raise web.HTTPSeeOther(f"/live/{warning_id}/cases{asked}#case-{case_id[:8]}")
