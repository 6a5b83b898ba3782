"""Serves the live page, the preview and one path in words: plain forms, no script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import shapely
import sqlalchemy as sa
from aiohttp import web
from msgspec.structs import replace
from shapely.geometry.base import BaseGeometry

from services.router.explaining import previews
from services.router.planning.contexts import Contexts
from services.router.report import report, snapshot, stream
from services.router.report.api import say_doors
from services.shared.audit import trail
from services.shared.database.engine import Connection
from services.shared.errors import NotFound, Refused
from services.shared.hazards.instructions import NAMES
from services.shared.i18n import t
from services.shared.ledger import areas
from services.shared.ledger.approvals import asked_about, has_preapprovals
from services.shared.ledger.warnings import warning_scope, warning_state, warning_text
from services.shared.powers.approval import LARGE_PEOPLE, approval_of, in_short
from services.shared.powers.changes import changes, replaced_by, version_of
from services.shared.powers.ground import contradicts, km2, neighbours
from services.shared.powers.may import may
from services.shared.powers.power import Power
from services.shared.powers.warnings import warning_thing
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.tiers import Tier
from services.shared.web.area_picture import known_shape, outlines, picture_of
from services.shared.web.asking import asks, the_warning
from services.shared.web.html import for_reader, page

PREVIEW_PATIENCE_S = 15  # after that a duty officer may decide without the figures


class Spoken(Protocol):
    """One text on one channel, as a preview shows it."""

    @property
    def language(self) -> str: ...
    @property
    def channel(self) -> str: ...


class PreviewTexts(Protocol):
    """Makes every channel's text of a warning's parts."""

    def __call__(
        self, parts: Mapping[str, Any], tier: Tier | None, number: str, hotline: str, *, drill: bool, ending: str = ""
    ) -> Sequence[Spoken]: ...


class LivePages:
    """The handlers of /live."""

    def __init__(self, platform: Platform, contexts: Contexts, say: PreviewTexts | None = None) -> None:
        self._platform = platform
        self._contexts = contexts
        self._say = say
        self.snapshots = snapshot.Snapshots(platform, contexts)
        self.live_stream = stream.LiveStream(platform, self.snapshots)

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """The addresses a browser opens."""
        return (
            web.get("/live/{warning_id}", self.live),
            web.get("/live/{warning_id}/stream", self.stream),
            web.get("/live/{warning_id}/preview", self.preview),
            web.get("/live/{warning_id}/path/{person_id}", self.path),
            web.get("/live/{warning_id}/doors", self.doors_form),
            web.post("/live/{warning_id}/doors", self.doors),
        )

    @asks(Power.WATCH, the_warning)
    async def live(self, request: web.Request, who: Who) -> web.Response:
        """The live page; with a script it follows its stream, without one it renews itself."""
        async with self._platform.database.read() as db:
            values = await self.snapshots.of(db, request.match_info["warning_id"], who, still="still" in request.query)
        shown = snapshot.parts(values)
        return page("live.html", **values, parts=list(shown.items()), have=stream.said_have(snapshot.marks(shown)))

    @asks(Power.WATCH, the_warning)
    async def stream(self, request: web.Request, who: Who) -> web.StreamResponse:
        """The parts of the live page as they change (text/event-stream)."""
        return await self.live_stream.serve(request, who)

    def stop(self) -> None:
        """Ends the streams: whoever reads one comes back to another process."""
        self.live_stream.stop()

    @asks(Power.PREVIEW, the_warning)
    async def preview(self, request: web.Request, who: Who) -> web.Response:
        """Whom it reaches, by group and channel, and who has no channel; the deciding buttons post to the console."""
        warning_id = request.match_info["warning_id"]
        async with self._platform.database.read() as db:
            kept = await previews.kept(db, warning_id)
            state = (await db.execute(sa.select(warning_state).where(warning_state.c.warning_id == warning_id))).first()
            text = (await db.execute(sa.select(warning_text).where(warning_text.c.warning_id == warning_id))).first()
            if state is None or text is None:
                raise NotFound(f"there is no draft {warning_id}", field="warning_id", given=warning_id)
            thing = await warning_thing(db, who, warning_id)
            now, plane = self._platform.clock.now(), self._platform.settings.plane
            approval = await approval_of(db, warning_id, plane, now)
            where = (await db.execute(sa.select(warning_scope).where(warning_scope.c.warning_id == warning_id))).one()
            asked = await asked_about(db, warning_id)
            preapprovals = await has_preapprovals(db, state.authority, now)
            before, after = await replaced_by(db, warning_id), await version_of(db, warning_id)
            ground = await _ground(db, where.area, where.geocodes)
            around = await outlines(db) if ground is not None else []
            others = await neighbours(db, state.chain_id, where.area, where.geocodes, now)
        shown = replace(who, proved_at=None)  # a button that asks again who they are is there
        parts = text.parts
        hazard = parts.get("set") or "unknown"
        waited = request.query.get("waited", "")
        chosen = {name: request.query.get(name, "") for name in ("tier", "reason", "doors")}  # before Enter was pressed
        return page(
            "preview.html",
            who=who,
            warning_id=warning_id,
            state=state,
            tier=Tier(state.tier) if state.tier else None,
            result=kept.result if kept is not None else None,
            approves=approval.seal,
            asked=asked,
            preapprovals=preapprovals,
            may_ask=may(shown, Power.ASK, thing) is None,
            proposes=may(shown, Power.PROPOSE, thing) is None and state.tier and not state.ending,
            before=before if not state.ending else None,
            changed_parts=changes(before, after, self._platform.settings.offset_at) if before and after else [],
            typed=where.braked or (approval.people or 0) >= LARGE_PEOPLE,
            to_type=[in_short(parts[language]["place"]) for language in parts["languages"]],
            km2=where.km2 or km2(ground),  # an ending's is not kept
            picture=picture_of(ground, around),
            overlaps=[(o, contradicts(parts.get("instruction", ""), state.ending, o)) for o in others],
            for_reader_of=_for_reader_of,
            Tier=Tier,
            waited=int(waited) if waited.isdecimal() and len(waited) < 4 else 0,
            patience=PREVIEW_PATIENCE_S,
            chosen=chosen,
            tiers=[one for one in Tier if may(shown, Power.SEND, replace(thing, tier=int(one))) is None],
            unsendable=may(shown, Power.SEND, thing) or (may(shown, Power.END, thing) if state.ending else None),
            says_doors=may(shown, Power.SAY_DOORS, thing) is None,
            ends=may(shown, Power.END, thing) is None,
            returns=bool(parts.get("sketched")) and may(shown, Power.HAND_BACK, thing) is None,
            pressed="doors" in request.query or "tier" in request.query,
            hazard=hazard,
            instruction=parts.get("instruction", ""),
            plane=self._platform.settings.plane,
            door_rule=self._contexts.current.door_rule(hazard),
            part=_for_reader_of(parts),
            offset=self._platform.settings.offset_at,
            tier_reason=parts.get("tier_reason", ""),
            notes=parts.get("notes", []),
            instructions=NAMES,
            said=self._said(parts, Tier(state.tier) if state.tier else None, state.number, state.ending),
        )

    def _said(
        self, parts: Mapping[str, Any], tier: Tier | None, number: str, ending: str
    ) -> dict[str, dict[str, Spoken]]:
        """Language > channel > the text; empty where this process was given nothing that makes them."""
        if self._say is None:
            return {}
        settings = self._platform.settings
        found: dict[str, dict[str, Spoken]] = {}
        for one in self._say(parts, tier, number, settings.hotline, drill=settings.plane == "drill", ending=ending):
            found.setdefault(one.language, {})[one.channel] = one
        return found

    @asks(Power.SEE_PEOPLE, the_warning)
    async def path(self, request: web.Request, who: Who) -> web.Response:
        warning_id, person_id = request.match_info["warning_id"], request.match_info["person_id"]
        async with self._platform.database.read() as db:
            found = await report.path(db, self._contexts, warning_id, person_id)
        async with self._platform.database.write() as tx:
            await trail.record(tx, who.label, "read_path", person_id, f"path under {warning_id}")
        return page("path.html", who=who, path=found, plane=self._platform.settings.plane)

    @asks(Power.SAY_DOORS, the_warning)
    async def doors_form(self, request: web.Request, who: Who) -> web.Response:
        """Asks for the commander's word, on a page that does not renew itself while somebody types."""
        return await self._doors_form(request, who)

    async def _doors_form(self, request: web.Request, who: Who, problem: str = "", commander: str = "") -> web.Response:
        warning_id = request.match_info["warning_id"]
        async with self._platform.database.read() as db:
            state = (await db.execute(sa.select(warning_state).where(warning_state.c.warning_id == warning_id))).first()
        if state is None:
            raise NotFound(f"there is no warning {warning_id}", field="warning_id", given=warning_id)
        return page(
            "doors.html",
            status=422 if problem else 200,
            who=who,
            state=state,
            problem=problem,
            commander=commander,
            plane=self._platform.settings.plane,
        )

    @asks(Power.SAY_DOORS, the_warning)
    async def doors(self, request: web.Request, who: Who) -> web.Response:
        form = await request.post()
        word, commander = str(form.get("word", "")), str(form.get("commander", "")).strip()
        if word not in ("safe", "unsafe"):
            raise Refused("word: choose safe or unsafe", field="word", rule="closed_list", given=word)
        if len(commander) < 2:
            return await self._doors_form(request, who, t("Enter who says so, by name and office."), commander)
        warning_id = request.match_info["warning_id"]
        await say_doors(self._platform, self._contexts, who, warning_id, word, commander[:80])
        raise web.HTTPSeeOther(f"/live/{warning_id}")


async def _ground(db: Connection, area: str, geocodes: Sequence[Sequence[str]]) -> BaseGeometry | None:
    """Where the warning is: its polygons and the areas of its codes; None where the register knows none of them."""
    texts, _ = await areas.of_codes(db, [(name, code) for name, code in geocodes])
    shapes = [known_shape(text) for text in [*texts, area] if text]
    return shapely.union_all(shapes) if shapes else None


def _for_reader_of(parts: Mapping[str, dict[str, str]]) -> Mapping[str, str]:
    """What a warning says, in the reader's language where it has it."""
    return for_reader({language: parts[language] for language in parts["languages"]})
