"""Serves what a shift hands over: notes and acts, the whole of a warning to print, and its figures as files."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from aiohttp import web

from services.router.report import report, shift, snapshot
from services.router.store import tables
from services.shared.audit import trail
from services.shared.errors import Refused
from services.shared.i18n import english, told
from services.shared.ledger.warnings import warning_state
from services.shared.powers.may import may
from services.shared.powers.power import Power
from services.shared.powers.warnings import warning_thing
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.web.asking import asks, the_warning
from services.shared.web.html import page


class ShiftPages:
    """Its handlers."""

    def __init__(self, platform: Platform, snapshots: snapshot.Snapshots) -> None:
        self._platform = platform
        self._snapshots = snapshots

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return (
            web.get("/live/{warning_id}/shift", self.shift),
            web.post("/live/{warning_id}/shift", self.keep),
            web.get("/live/{warning_id}/all", self.everything),
            web.get("/live/{warning_id}/figures.csv", self.figures),
            web.get("/live/{warning_id}/missing.csv", self.missing),
        )

    @asks(Power.WATCH, the_warning)
    async def shift(self, request: web.Request, who: Who) -> web.Response:
        """Notes, acts and the files, on a page that does not renew itself while somebody writes."""
        return await self._shift(request, who)

    async def _shift(self, request: web.Request, who: Who, problem: str = "", text: str = "") -> web.Response:
        warning_id = request.match_info["warning_id"]
        async with self._platform.database.read() as db:
            chain_id, chain = await shift.chain_of(db, warning_id)
            thing = await warning_thing(db, who, warning_id)
            return page(
                "shift.html", status=422 if problem else 200, who=who, warning_id=warning_id, problem=problem, text=text,
                notes=await shift.notes(db, chain_id), acts=await shift.acts(db, chain),
                may_write=may(who, Power.HANDLE, thing) is None, may_see=may(who, Power.SEE_PEOPLE, thing) is None,
                offset=self._platform.settings.offset_at, plane=self._platform.settings.plane,
            )  # fmt: skip

    @asks(Power.HANDLE, the_warning)
    async def keep(self, request: web.Request, who: Who) -> web.Response:
        """One note; what is wrong with it is said beside it, and the text stays."""
        warning_id, text = request.match_info["warning_id"], str((await request.post()).get("text", ""))
        try:
            async with self._platform.database.write() as tx:
                await shift.keep(tx, who, warning_id, text, self._platform.clock.now())
        except Refused as wrong:
            return await self._shift(request, who, told(wrong.message), text)
        raise web.HTTPSeeOther(f"/live/{warning_id}/shift")

    @asks(Power.WATCH, the_warning)
    async def everything(self, request: web.Request, who: Who) -> web.Response:
        """One page that prints whole; people by id, and only for who may see them."""
        warning_id = request.match_info["warning_id"]
        async with self._platform.database.read() as db:
            values = await self._snapshots.of(db, warning_id, who, still=True) | {"printed": True}
            if values["may"]["SEE_PEOPLE"]:
                found = await report.missing(db, warning_id, whole=True)
                profiles = await tables.profiles_of(db, {m.profile_key for m in found})
                values["missing"] = [(m, profiles[m.profile_key]) for m in found]
            chain_id, chain = await shift.chain_of(db, warning_id)
            notes, acts = await shift.notes(db, chain_id), await shift.acts(db, chain)
        if values["may"]["SEE_PEOPLE"] and values["missing"]:
            async with self._platform.database.write() as tx:
                detail = {"people": len(values["missing"])}
                await trail.record(
                    tx, who.label, "missing.printed", warning_id, english("the missing by id, to print"), detail
                )
        return page("everything.html", **values, parts=snapshot.parts(values), notes_kept=notes, acts=acts)

    @asks(Power.WATCH, the_warning)
    async def figures(self, request: web.Request, who: Who) -> web.Response:
        """Figures by group and village (text/csv)."""
        async with self._platform.database.read() as db:
            values = await self._snapshots.of(db, request.match_info["warning_id"], who, still=True)
        return _file(
            shift.figures_rows(values["figures"], values["villages"].zones), f"figures-{values['state'].number}"
        )

    @asks(Power.SEE_PEOPLE, the_warning)
    async def missing(self, request: web.Request, who: Who) -> web.Response:
        """All the missing by id, needs and village (text/csv); kept in the audit log."""
        warning_id = request.match_info["warning_id"]
        async with self._platform.database.read() as db:
            found = await report.missing(db, warning_id, whole=True)
            profiles = await tables.profiles_of(db, {m.profile_key for m in found})
            number = await db.scalar(sa.select(warning_state.c.number).where(warning_state.c.warning_id == warning_id))
        async with self._platform.database.write() as tx:
            detail = {"people": len(found)}
            await trail.record(
                tx, who.label, "missing.file", warning_id, english("the missing by id, as a file"), detail
            )
        return _file(shift.missing_rows((m, profiles[m.profile_key]) for m in found), f"missing-{number}")


def _file(rows: list[list[object]], name: str) -> web.Response:
    return web.Response(
        text=shift.as_csv(rows), content_type="text/csv", charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )  # fmt: skip
