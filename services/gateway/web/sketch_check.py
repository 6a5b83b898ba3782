"""Serves the check of a sketch, with every text and whom it reaches, and takes it in as an alert."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from typing import Protocol

from aiohttp import web
from msgspec.structs import replace

from services.gateway.approvals.deciders import Decider, deciders
from services.gateway.drafting import estimate, sketch_store
from services.gateway.drafting.place_to_go import places_to_go
from services.gateway.drafting.reading import SketchReading
from services.gateway.drafting.sketch_store import Sketch
from services.gateway.warnings.acts import Acts
from services.gateway.warnings.admit import Admission
from services.gateway.warnings.taken import Taken
from services.gateway.web.sketch_frame import SketchFrame, order, the_sketch
from services.shared.audit import trail
from services.shared.database.engine import Connection
from services.shared.errors import Conflict, NotFound, Refused
from services.shared.i18n import t, told
from services.shared.powers.changes import version_of
from services.shared.powers.may import may
from services.shared.powers.power import Power
from services.shared.powers.warnings import warning_thing
from services.shared.powers.who import Who
from services.shared.tiers import Tier
from services.shared.web.area_picture import outlines, picture_of
from services.shared.web.asking import asks

LOOKS, LOOK_EVERY_S = 12, 0.05  # wall
PATIENCE_S = 15


class FilmBefore(Protocol):
    """A film in a sign language, and where it is fetched."""

    @property
    def language(self) -> str: ...
    @property
    def address(self) -> str: ...


class HeardBefore(Protocol):
    """How a text sounds, and which films there are, before it goes out. `wav` is NotFound where no voice speaks the language."""

    @property
    def speaks(self) -> bool: ...
    async def wav(self, text: str, language: str) -> bytes: ...
    def films(self, hazard: str, tier: Tier, instruction: str) -> Sequence[FilmBefore]: ...


class SketchCheckPages:
    """The handlers of /send/{sketch_id}/check and its handing in."""

    def __init__(self, frame: SketchFrame, admission: Admission, acts: Acts, heard: HeardBefore) -> None:
        self._heard = heard
        self._frame = frame
        self._admission = admission
        self._acts = acts

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """The addresses a browser opens."""
        return (
            web.get("/send/{sketch_id}/check", self.check),
            web.get("/send/{sketch_id}/aloud", self.aloud),
            web.post("/send/{sketch_id}/hand-in", self.hand_in),
        )

    @asks(Power.WRITE, the_sketch)
    async def check(self, request: web.Request, who: Who) -> web.StreamResponse:
        waited = request.query.get("waited", "")
        return await self._check(
            who, await self._frame.row(request), waited=int(waited) if re.fullmatch("[0-9]{1,3}", waited) else 0
        )

    async def _check(
        self, who: Who, row: Sketch, problem: str = "", status: int = 200, waited: int = 0
    ) -> web.Response:
        now = self._frame.platform.clock.now()
        async with self._frame.platform.database.read() as db:
            reading = await self._frame.reader.read(db, who, row.written, now)
            around = await outlines(db)
            before = await version_of(db, reading.follows.warning_id) if reading.follows is not None else None
            going_to = await places_to_go(db, reading)
            waits_for = await self._waits_for(db, who, reading) if reading.ready else None
        if not waited:  # what was counted when it was saved may be of another day
            async with self._frame.platform.database.write() as tx:
                await estimate.ask(tx, self._frame.platform, reading)
            self._acts.done()
        changed = self._frame.changes(reading, before, who, row, now) if before is not None and reading.ready else []
        counted = await self._counted(reading, now)
        counting = counted is None and waited < PATIENCE_S and estimate.question_of(reading) != ""
        highest = max(
            int(reading.tier or 0), before.tier if before is not None else 0
        )  # to lower a red is a word about red
        alone = reading.tier is not None and highest <= who.alone and "send" in who.actions
        return self._frame.page(
            "sketch_check.html", who, status, row=row, reading=reading, picture=picture_of(reading.place.shape, around),
            forms=self._frame.forms(reading, who, row, now), alone=alone, problem=problem,
            estimate=counted, waited=waited, counting=counting, before=before, changed_parts=changed,
            left_out=self._frame.left_out(reading, who, row, now), waits_for=waits_for,
            speaks=self._heard.speaks, films=self._films(reading),
            going_to=going_to,
            order=order,
        )  # fmt: skip

    def _films(self, reading: SketchReading) -> Sequence[FilmBefore]:
        content = reading.content
        return self._heard.films(content.hazard, reading.tier, content.instruction) if reading.tier is not None else ()

    @asks(Power.WRITE, the_sketch)
    async def aloud(self, request: web.Request, who: Who) -> web.Response:
        """What a call would say, as sound (audio/wav)."""
        row, now = await self._frame.row(request), self._frame.platform.clock.now()
        async with self._frame.platform.database.read() as db:
            reading = await self._frame.reader.read(db, who, row.written, now)
        language = request.query.get("lang", "")
        said = self._frame.forms(reading, who, row, now).get(language, {}).get("call")
        if said is None:
            raise NotFound("there is nothing to be heard in this language yet", field="lang", given=language[:20])
        sound = await self._heard.wav(said.text, language)
        return web.Response(body=sound, content_type="audio/wav", headers={"Cache-Control": "no-store"})

    async def _waits_for(self, db: Connection, who: Who, reading: SketchReading) -> list[Decider] | None:
        thing = await self._frame.reader.thing(db, who, reading)
        return await deciders(db, thing, reading.follows.warning_id if reading.follows is not None else "")

    async def _counted(self, reading: SketchReading, now: float) -> estimate.Estimate | None:
        """Whom it reaches; waited for a moment, so that the page is whole as it comes."""
        for _ in range(LOOKS):
            async with self._frame.platform.database.read() as db:
                if (found := await estimate.answer(db, reading, now)) is not None or not estimate.question_of(reading):
                    return found
            await asyncio.sleep(LOOK_EVERY_S)
        return None

    async def _changed(self, who: Who, row: Sketch) -> web.Response:
        changed = t("{name} has changed it meanwhile: look at it again.", name=row.changed_name)
        return await self._check(who, row, changed, 409)

    @asks(Power.WRITE, the_sketch)
    async def hand_in(self, request: web.Request, who: Who) -> web.StreamResponse:
        """It becomes a draft like any alert that is pasted, and whoever may send it is asked."""
        row, form = await self._frame.row(request), await request.post()
        if str(form.get("version", "")) != str(row.version):
            return await self._changed(who, row)
        now = self._frame.platform.clock.now()
        async with self._frame.platform.database.write() as tx:
            dated = await sketch_store.date_it(tx, row, now)
        if dated is None:  # between the look at its version and this
            return await self._changed(who, await self._frame.row(request))
        row = dated

        async def along(tx: Connection, taken: Taken) -> None:
            """What was taken is what is kept: a colleague's save meanwhile takes it back."""
            if not await sketch_store.handed_in(tx, row, taken.warning_id):
                raise Conflict("somebody has changed it meanwhile: look at it again", field="version", rule="version")
            await trail.record(
                tx, who.label, "sketch_hand_in", row.sketch_id, "handed in", {"warning_id": taken.warning_id}
            )

        async with self._frame.platform.database.read() as db:
            reading = await self._frame.reader.read(db, who, row.written, row.sent_at or now)
        try:
            incoming = self._frame.incoming(reading, who, row, row.sent_at or now)
            taken = await self._admission.admit(who, incoming, release=False, along=along)
        except Refused as fault:
            if fault.rule == "version":
                return await self._changed(who, await self._frame.row(request))
            async with self._frame.platform.database.write() as tx:
                await sketch_store.undate(tx, row.sketch_id)
            return await self._check(who, row, told(fault.message), fault.status)
        async with self._frame.platform.database.read() as db:
            thing = await warning_thing(db, who, taken.warning_id)
        if may(replace(who, proved_at=None), Power.SEND, thing) is not None:
            try:
                await self._acts.ask(who, taken.warning_id)
            except Conflict as decided:  # somebody was quicker, or nothing waits
                if decided.rule != "state":
                    raise
        raise web.HTTPSeeOther(f"/live/{taken.warning_id}/preview")
