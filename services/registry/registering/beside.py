"""Serves /people/register: the same questions, asked by a worker who sits beside the person; and whom staff must go and see.

No code is needed: the worker's name stands in the log, and the person can read it.
"""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from services.registry.registering import errands
from services.registry.registering.entering import put_in_beside
from services.registry.registering.pages import RegisterBase
from services.registry.registering.villages import some_villages, spot_in, village_of
from services.shared.powers.power import Power
from services.shared.powers.who import Who
from services.shared.text.invisible_signs import plain_signs
from services.shared.web.asking import asks, what_is_found, what_is_sent
from services.shared.web.html import page


class BesidePages(RegisterBase):
    """The handlers of /people/register and /people/errands."""

    base = "/people/register"
    beside = True

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return (
            web.get("/people/register", self.begin),
            web.get("/people/register/done", self.done_beside),
            web.post("/people/register/stop", self.stop_beside),
            web.post("/people/register/send", self.send),
            web.get("/people/register/{step:[a-z]+}", self.ask_beside),
            web.post("/people/register/{step:[a-z]+}", self.answer_beside),
            web.get("/people/errands", self.errands),
            web.post("/people/errands/{errand_id:[0-9a-f]{32}}", self.settle),
        )

    @asks(Power.ENTER, what_is_found)
    async def begin(self, request: web.Request, who: Who) -> web.Response:
        return await self.first(request)

    @asks(Power.ENTER, what_is_found)
    async def ask_beside(self, request: web.Request, who: Who) -> web.Response:
        """One question."""
        return await self.ask(request)

    @asks(Power.ENTER, what_is_sent)
    async def answer_beside(self, request: web.Request, who: Who) -> web.StreamResponse:
        """Its answer."""
        return await self.answer(request)

    @asks(Power.ENTER, what_is_sent)
    async def stop_beside(self, request: web.Request, who: Who) -> web.StreamResponse:
        return await self.stop(request)

    @asks(Power.ENTER, what_is_found)
    async def done_beside(self, request: web.Request, who: Who) -> web.Response:
        return await self.done(request)

    @asks(Power.ENTER, what_is_sent)
    async def send(self, request: web.Request, who: Who) -> web.StreamResponse:
        """Puts them into the register, in the worker's name."""
        half = await self.whole(request)
        async with self._platform.database.read() as db:
            spot = await spot_in(db, await village_of(db, half.village) if half.village else None)
        async with self._store.handed_in(request) as first:
            if first:
                await put_in_beside(self._platform, self._access, half, spot, who)
        response = web.HTTPSeeOther(f"{self.base}/done?how={'beside' if half.village else 'place'}")
        await self._store.drop(request, response)
        raise response

    # ---- whom staff must go and see

    @asks(Power.ENTER, what_is_found)
    async def errands(self, request: web.Request, who: Who) -> web.Response:
        """Whom to visit, and why: by id and place, without names; a look at the person says more, with a reason."""
        async with self._platform.database.read() as db:
            found = await errands.open_errands(db, who)
            villages, _ = await some_villages(db)
        return page(
            "errands.html", who=who, found=found, villages=villages, offset=self._platform.settings.offset_at,
            plane=self._platform.settings.plane, settled=request.query.get("settled", "") == "1",
        )  # fmt: skip

    @asks(Power.ENTER, what_is_sent)
    async def settle(self, request: web.Request, who: Who) -> web.StreamResponse:
        """After the visit: they stay in the register from now on, or are taken out."""
        form = await request.post()
        kept, village = str(form.get("act", "")), plain_signs(str(form.get("village", "")))[:250]
        await errands.settle(self._platform, who, request.match_info["errand_id"], kept, village)
        raise web.HTTPSeeOther("/people/errands?settled=1")
