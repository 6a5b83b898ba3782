"""Serves the page on which whoever decides gives a draft back to be changed. A plain form, no script."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from services.gateway import store
from services.gateway.drafting.returning import hand_back
from services.gateway.warnings.acts import Acts
from services.shared.database import locks
from services.shared.i18n import t
from services.shared.powers.power import Power
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.tiers import Tier
from services.shared.web.asking import asks, the_warning
from services.shared.web.html import page


class ReturnPages:
    """The handlers of /console/warnings/{warning_id}/return."""

    def __init__(self, platform: Platform, acts: Acts) -> None:
        self._platform = platform
        self._acts = acts

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """The addresses a browser opens."""
        return (
            web.get("/console/warnings/{warning_id}/return", self.return_form),
            web.post("/console/warnings/{warning_id}/return", self.give_back),
        )

    @asks(Power.HAND_BACK, the_warning)
    async def return_form(self, request: web.Request, who: Who) -> web.Response:
        return await self._form(request, who)

    async def _form(self, request: web.Request, who: Who, problem: str = "") -> web.Response:
        async with self._platform.database.read() as db:
            row = await store.stored(db, request.match_info["warning_id"])
        return page(
            "return.html", status=422 if problem else 200, who=who, row=row, problem=problem,
            tier=Tier(row.state_tier) if row.state_tier else None, plane=self._platform.settings.plane,
        )  # fmt: skip

    @asks(Power.HAND_BACK, the_warning)
    async def give_back(self, request: web.Request, who: Who) -> web.StreamResponse:
        """Its writer finds it among what is being written, with the reason."""
        why = str((await request.post()).get("reason", "")).strip()[:400]
        if len(why) < 2:
            return await self._form(request, who, t("Say what is to be changed: whoever wrote it reads it."))
        async with self._platform.database.write() as tx:
            await locks.acts(tx)
            await hand_back(tx, who, request.match_info["warning_id"], why, self._platform.clock.now())
        self._acts.done()
        raise web.HTTPSeeOther("/console")
