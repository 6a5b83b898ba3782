"""Serves the page on which a warning is written, which saves itself; an update and a template begin or come of it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta, timezone
from functools import partial, wraps

from aiohttp import web
from markupsafe import Markup
from msgspec.structs import replace

from services.gateway import store
from services.gateway.drafting import estimate, places, sketch_store
from services.gateway.drafting.risk_zones import chosen_zones, zones_of
from services.gateway.drafting.sketch import SketchContent, SketchFault
from services.gateway.drafting.sketch_store import Sketch
from services.gateway.drafting.updating import sketch_of
from services.gateway.warnings.acts import Acts
from services.gateway.web.sign_in import SignInPages
from services.gateway.web.sketch_form import (
    PART_NAMES,
    SketchDifference,
    content_of,
    differences,
    fields_of,
    kept_fields,
)
from services.gateway.web.sketch_frame import SketchFrame, order, size_of, the_sketch
from services.shared.audit import trail
from services.shared.errors import Conflict, NotAllowed, Refused
from services.shared.hazards import known
from services.shared.i18n import t
from services.shared.powers.may import must
from services.shared.powers.power import Power
from services.shared.powers.who import Who
from services.shared.tiers import Tier
from services.shared.web.answers import Json
from services.shared.web.area_picture import outlines, picture_of
from services.shared.web.asking import asks, the_warning
from services.shared.web.edge import wants_page

PATH = "/send/"


def keeping_what_was_typed(
    handler: Callable[[SketchPages, web.Request], Awaitable[web.StreamResponse]],
) -> Callable[[SketchPages, web.Request], Awaitable[web.StreamResponse]]:
    """Whose sign-in is over signs in again and finds what they typed in the form."""

    @wraps(handler)
    async def kept(self: SketchPages, request: web.Request) -> web.StreamResponse:
        try:
            return await handler(self, request)
        except NotAllowed as over:
            if over.status != 401 or not wants_page(request):
                raise
            return await self.sign_in.again(request, 401, text=kept_fields(await request.post()), to=request.path)

    return kept


class SketchPages:
    """The handlers of /send/{sketch_id}."""

    def __init__(self, frame: SketchFrame, acts: Acts, sign_in: SignInPages) -> None:
        self._frame = frame
        self.sign_in = sign_in
        self._acts = acts

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """The addresses a browser opens."""
        return (
            web.post("/send/update/{warning_id}", self.update),
            web.get("/send/{sketch_id}", self.sketch),
            web.get("/send/{sketch_id}/outlines", self.outlines),
            web.post("/send/{sketch_id}", self.save),
            web.post("/send/{sketch_id}/template", self.keep),
            web.post("/send/{sketch_id}/give-up", self.give_up),
        )

    @asks(Power.WRITE, the_warning)
    async def update(self, request: web.Request, who: Who) -> web.StreamResponse:
        """A sketch of a warning that went out, to be changed and handed in as its update."""
        platform = self._frame.platform
        async with platform.database.write() as tx:
            row = await store.stored(tx, request.match_info["warning_id"])
            if row.state_ending or row.state_released_at is None:
                raise Conflict(
                    "only a warning that went out is updated: send it first, or write a new one", field="warning_id",
                    rule="state", given=row.state_state,
                )  # fmt: skip
            content = await sketch_of(tx, row, self._frame.reader.offered(), platform.settings.offset_at)
            sketch_id = await sketch_store.begin(tx, who, content, platform.clock.now())
            detail = {"updates": row.warning_id}
            await trail.record(tx, who.label, "sketch_begin", sketch_id, "an update is written", detail)
        raise web.HTTPSeeOther(f"/send/{sketch_id}")

    @asks(Power.WRITE, the_sketch)
    async def sketch(self, request: web.Request, who: Who) -> web.StreamResponse:
        row = await self._frame.row(request)
        return await self._sketch(who, row, row.written, find=request.query.get("find", "").strip()[:60])

    async def _sketch(
        self, who: Who, row: Sketch, content: SketchContent, *, find: str = "", status: int = 200,
        clash: list[SketchDifference] | None = None, version: int | None = None, typed_before: bool = False,
    ) -> web.Response:  # fmt: skip
        now = self._frame.platform.clock.now()
        async with self._frame.platform.database.read() as db:
            reading = await self._frame.reader.read(db, who, content, now)
            listed = await places.choices(db, who, find)
            chosen = await places.chosen(db, content)
            risks = await chosen_zones(db, content.risk_zones)
            risks += [one for one in await zones_of(db, who, content.hazard) if one.key not in content.risk_zones]
            around = await outlines(db)
        zones = [*chosen, *(one for one in listed if one.key not in content.areas)]
        return self._frame.page(
            "sketch_write.html", who, status, row=row, content=content, reading=reading, zones=zones, find=find, risks=risks,
            picture=picture_of(reading.place.shape, around), forms=self._frame.forms(reading, who, row, now),
            saved=self._saved_at(row), typed_before=typed_before, version=row.version if version is None else version,
            hazards=list(known()), tiers=[one for one in reversed(Tier) if one <= who.max_tier or one.word == content.tier],
            offered=self._frame.tags(row), part_names=PART_NAMES, clash=clash,
            fault_of=_fault_of(reading.findings),
            wrong=partial(_marked, _fault_of(reading.findings)), order=order,
        )  # fmt: skip

    async def typed_before(self, who: Who, to: str, kept: str) -> web.StreamResponse:
        """The page of a sketch with what somebody had typed when their sign-in was over; they save it themselves."""
        async with self._frame.platform.database.read() as db:
            row = await sketch_store.find(db, to.removeprefix(PATH).partition("?")[0].partition("#")[0])
        must(who, Power.WRITE, sketch_store.thing_of(row))
        if row is None or row.warning_id or row.given_up_at is not None:
            raise web.HTTPSeeOther(to)
        fields = fields_of(kept)
        content = self._frame.reader.settled(
            content_of(fields, self._frame.tags(row), row.written), self._frame.platform.clock.now()
        )
        seen = str(fields.get("version", ""))
        return await self._sketch(
            who, row, content, typed_before=True, version=int(seen) if re.fullmatch("[0-9]{1,9}", seen) else 0
        )

    async def _saved(self, who: Who, row: Sketch, now: float) -> web.Response:
        """For the page's own script: the version, when it was saved, what is suggested now, and what phones would get."""
        async with self._frame.platform.database.read() as db:
            reading = await self._frame.reader.read(db, who, row.written, now)
        following = {} if row.written.updates else reading.told  # the words of an update follow no template
        suggested = {
            f"{part}.{tag}": getattr(one.suggested, part) for tag, one in following.items() for part in PART_NAMES
        }
        texts = {
            f"{tag}.{channel}": {"text": one.text, "size": size_of(one)}
            for tag, of_channels in self._frame.forms(reading, who, row, now).items()
            for channel, one in of_channels.items() if one.segments
        }  # fmt: skip
        return Json({"version": row.version, "saved": self._saved_at(row), "suggested": suggested, "texts": texts})

    def _saved_at(self, row: Sketch) -> str:
        """'Saved 09:41:05 by Li Na.'"""
        zone = timezone(timedelta(minutes=self._frame.platform.settings.offset_at(row.changed_at)))
        at = f"{datetime.fromtimestamp(row.changed_at, zone):%H:%M:%S}"
        return t("Saved {time} by {name}.", time=at, name=row.changed_name)

    @asks(Power.WRITE, the_sketch)
    async def outlines(self, request: web.Request, who: Who) -> Json[places.AreaOutlines]:
        """Outlines of the register's areas to draw over, as GeoJSON; those of the sketch are `chosen`."""
        row = await self._frame.row(request)
        async with self._frame.platform.database.read() as db:
            return Json(await places.drawn_over(db, row.written))

    @keeping_what_was_typed
    @asks(Power.WRITE, the_sketch)
    async def save(self, request: web.Request, who: Who) -> web.StreamResponse:
        """Keeps what was typed, right or wrong. Where a colleague has changed it meanwhile both are shown."""
        row, form = await self._frame.row(request), await request.post()
        now, version = self._frame.platform.clock.now(), str(form.get("version", ""))
        content = self._frame.reader.settled(content_of(form, self._frame.tags(row), row.written), now)
        seen = int(version) if version.isdecimal() and len(version) < 10 else 0
        if content != row.written:
            changed = False
            if seen == row.version:
                async with self._frame.platform.database.write() as tx:
                    changed = await sketch_store.change(tx, who, row, content, now)
                    await estimate.ask(tx, self._frame.platform, await self._frame.reader.read(tx, who, content, now))
                self._acts.done()
            row = await self._frame.row(request)
            if not changed and content != row.written:
                if not wants_page(request):
                    raise Conflict(
                        f"{row.changed_name} has changed it while you wrote: press Save, and both are shown", field="version",
                        rule="version", given=version,
                    )  # fmt: skip
                return await self._sketch(who, row, content, status=409, clash=differences(content, row.written))
        if not wants_page(request):
            return await self._saved(who, row, now)
        if "check" in form:
            raise web.HTTPSeeOther(f"/send/{row.sketch_id}/check")
        find = str(form.get("find", "")).strip()[:60]
        where = str(form.get("at", ""))
        to = web.HTTPSeeOther(
            request.rel_url.with_query({"find": find} if find else {}).with_fragment(where if where.isalpha() else None)
        )
        raise to

    @asks(Power.WRITE, the_sketch)
    async def keep(self, request: web.Request, who: Who) -> web.StreamResponse:
        """A copy of what is saved becomes an own template: all but its times, what it would take the place of, and that a
        place is open: that is confirmed anew each time."""
        row, name = await self._frame.row(request), str((await request.post()).get("template", "")).strip()[:80]
        if len(name) < 2:
            raise Refused("template: give it a name, so that others find it", field="template", rule="required")
        content = replace(row.written, impact="", ends="", updates="", place_open=False)
        async with self._frame.platform.database.write() as tx:
            template = await sketch_store.begin(tx, who, content, self._frame.platform.clock.now(), template=name)
            await trail.record(tx, who.label, "sketch_template", template, name)
        raise web.HTTPSeeOther("/send")

    @asks(Power.WRITE, the_sketch)
    async def give_up(self, request: web.Request, who: Who) -> web.StreamResponse:
        """What is written, or a template of one's own, is listed no more."""
        async with self._frame.platform.database.read() as db:
            row = await sketch_store.stored(db, request.match_info["sketch_id"])
        async with self._frame.platform.database.write() as tx:
            await sketch_store.give_up(tx, row.sketch_id, self._frame.platform.clock.now())
            await trail.record(tx, who.label, "sketch_give_up", row.sketch_id, "nothing of it was sent")
        raise web.HTTPSeeOther("/send")

    # ---- checking it, and handing it in


def _marked(faults: Mapping[str, str], field: str) -> Markup:
    """The attributes that mark a field as wrong; nothing for one that is not."""
    if field not in faults:
        return Markup("")
    return Markup(' aria-invalid="true" aria-describedby="{}-wrong"').format(field.replace(".", "-"))


def _fault_of(findings: Iterable[SketchFault]) -> Mapping[str, str]:
    """Field > its first fault."""
    found: dict[str, str] = {}
    for one in findings:
        found.setdefault(one.field, one.text)
    return found
