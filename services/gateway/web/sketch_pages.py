"""Serves the pages on which a warning is written: template, zone and time; the whole sketch; the check; handing it in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from aiohttp import web
from msgspec.structs import replace

from services.gateway.drafting import places, sketch_store
from services.gateway.drafting.alert import identifier_of, incoming_of
from services.gateway.drafting.picture import picture_of
from services.gateway.drafting.reading import FormSaid, SketchReader, SketchReading, WritingTexts
from services.gateway.drafting.sketch import SketchContent, SketchFault
from services.gateway.drafting.sketch_store import Sketch
from services.gateway.publish.parts import parts_of
from services.gateway.publish.publishing import sender_of
from services.gateway.warnings.acts import Acts
from services.gateway.warnings.admit import Admission
from services.gateway.web.sketch_form import PART_NAMES, SketchDifference, content_of, differences, language_name
from services.shared.audit import trail
from services.shared.errors import Conflict, Refused
from services.shared.hazards import known
from services.shared.hazards.instructions import NAMES
from services.shared.i18n import t, told
from services.shared.powers.may import Thing, may
from services.shared.powers.power import Power
from services.shared.powers.warnings import warning_thing
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.tiers import TIER_WORDS, Tier
from services.shared.web.asking import asks, what_is_found, what_is_sent
from services.shared.web.edge import PLATFORM_DATABASE
from services.shared.web.html import Written, page


async def the_sketch(request: web.Request, who: Who) -> Thing:
    """The sketch: it stands in the address."""
    async with request.app[PLATFORM_DATABASE].read() as db:
        return sketch_store.thing_of(await sketch_store.find(db, request.match_info["sketch_id"]))


class SketchPages:
    """The handlers of /send."""

    def __init__(self, platform: Platform, admission: Admission, acts: Acts, texts: WritingTexts) -> None:
        self._platform = platform
        self._admission = admission
        self._acts = acts
        self._reader = SketchReader(platform.settings, texts, sender_of(platform.settings, platform.public_url))

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """The addresses a browser opens."""
        return (
            web.get("/send", self.start),
            web.get("/send/new", self.zone_form),
            web.post("/send/new", self.begin),
            web.get("/send/{sketch_id}", self.sketch),
            web.post("/send/{sketch_id}", self.save),
            web.get("/send/{sketch_id}/check", self.check),
            web.post("/send/{sketch_id}/hand-in", self.hand_in),
            web.post("/send/{sketch_id}/give-up", self.give_up),
        )

    def _page(self, name: str, who: Who, status: int = 200, **values: object) -> web.Response:
        settings = self._platform.settings
        return page(
            name, status=status, who=who, plane=settings.plane, offset=settings.offset_at, instructions=NAMES, Tier=Tier,
            language_name=language_name, Written=Written, outside=self._reader.texts.outside, **values,
        )  # fmt: skip

    # ---- template, zone and time

    @asks(Power.WRITE, what_is_found)
    async def start(self, request: web.Request, who: Who) -> web.Response:
        """What is being written, and what can be begun."""
        async with self._platform.database.read() as db:
            going_on = await sketch_store.open_of(db, who)
        return self._page("sketch_start.html", who, sketches=going_on, templates=self._templates(who))

    def _templates(self, who: Who) -> Mapping[str, list[tuple[Tier, str]]]:
        """Hazard > tier and instruction, the highest tier first; what the grant may go out with alone."""
        found: dict[str, list[tuple[Tier, str]]] = {}
        for hazard, tier, instruction in self._reader.texts.cells():
            if tier <= who.max_tier and (not who.events or hazard in who.events):
                found.setdefault(hazard, []).append((tier, instruction))
        order = list(known())
        return {
            hazard: sorted(found[hazard], key=lambda one: (-one[0], list(NAMES).index(one[1])))
            for hazard in sorted(found, key=order.index)
        }

    @asks(Power.WRITE, what_is_found)
    async def zone_form(self, request: web.Request, who: Who) -> web.Response:
        """Where, and when it comes: the second step."""
        return await self._zone_form(
            who, request.query.get("template", ""), find=request.query.get("find", "").strip()[:60]
        )

    async def _zone_form(
        self, who: Who, template: str, find: str = "", impact: str = "", problem: str = "", status: int = 200
    ) -> web.Response:
        content = _from_template(template)
        async with self._platform.database.read() as db:
            zones = await places.choices(db, who, find)
        return self._page(
            "sketch_zone.html", who, status, chosen=template, content=content,
            tier=Tier.of(content.tier), zones=zones, find=find, impact=impact, problem=problem,
        )  # fmt: skip

    @asks(Power.WRITE, what_is_sent)
    async def begin(self, request: web.Request, who: Who) -> web.StreamResponse:
        """A sketch is begun. With a zone it is ready to be checked, else it is written on."""
        form = await request.post()
        template, zone, impact = (str(form.get(name, ""))[:241].strip() for name in ("template", "zone", "impact"))
        now = self._platform.clock.now()
        content = replace(_from_template(template), impact=impact, areas=(zone,) if "=" in zone else ())
        content = self._reader.settled(content, now)
        async with self._platform.database.read() as db:
            reading = await self._reader.read(db, who, content, now)
        wrong = next((one.text for one in reading.findings if one.field == "impact"), "")
        if wrong:
            return await self._zone_form(who, template, impact=impact, problem=wrong, status=422)
        async with self._platform.database.write() as tx:
            sketch_id = await sketch_store.begin(tx, who, content, now)
            await trail.record(
                tx, who.label, "sketch_begin", sketch_id, "a warning is written", {"hazard": content.hazard}
            )
        raise web.HTTPSeeOther(f"/send/{sketch_id}/check" if content.areas else f"/send/{sketch_id}")

    # ---- the whole sketch

    @asks(Power.WRITE, the_sketch)
    async def sketch(self, request: web.Request, who: Who) -> web.StreamResponse:
        row = await self._row(request)
        return await self._sketch(who, row, row.written, find=request.query.get("find", "").strip()[:60])

    async def _row(self, request: web.Request) -> Sketch:
        async with self._platform.database.read() as db:
            row = await sketch_store.stored(db, request.match_info["sketch_id"])
        if row.warning_id:
            raise web.HTTPSeeOther(f"/live/{row.warning_id}/preview")
        if row.given_up_at is not None:
            raise web.HTTPSeeOther("/send")
        return row

    async def _sketch(
        self, who: Who, row: Sketch, content: SketchContent, *, find: str = "", status: int = 200,
        clash: list[SketchDifference] | None = None,
    ) -> web.Response:  # fmt: skip
        now = self._platform.clock.now()
        async with self._platform.database.read() as db:
            reading = await self._reader.read(db, who, content, now)
            listed = await places.choices(db, who, find)
            chosen = [one for one in await places.choices(db, who) if one.key in content.areas]
            around = await places.outlines(db)
        zones = [*chosen, *(one for one in listed if one.key not in content.areas)]
        return self._page(
            "sketch_write.html", who, status, row=row, content=content, reading=reading, zones=zones, find=find,
            picture=picture_of(reading.place.shape, around), forms=self._forms(reading, who, row, now),
            hazards=list(known()), tiers=[one for one in reversed(Tier) if one <= who.max_tier],
            offered=self._reader.offered(), part_names=PART_NAMES, clash=clash,
            fault_of=_fault_of(reading.findings), order=_order,
        )  # fmt: skip

    @asks(Power.WRITE, the_sketch)
    async def save(self, request: web.Request, who: Who) -> web.StreamResponse:
        """Keeps what was typed, right or wrong. Where a colleague has changed it meanwhile both are shown."""
        row, form = await self._row(request), await request.post()
        now, version = self._platform.clock.now(), str(form.get("version", ""))
        content = self._reader.settled(content_of(form, self._reader.offered()), now)
        async with self._platform.database.read() as db:
            names = (await places.place_of(db, content)).names
            earlier = (await places.place_of(db, row.written)).names
        content = self._reader.without_suggested(content, row.written, who, (names, earlier), now)
        seen = int(version) if version.isdecimal() and len(version) < 10 else 0
        if content != row.written:
            changed = False
            if seen == row.version:
                async with self._platform.database.write() as tx:
                    changed = await sketch_store.change(tx, who, row, content, now)
            if not changed:
                row = await self._row(request)
                return await self._sketch(who, row, content, status=409, clash=differences(content, row.written))
        if "check" in form:
            raise web.HTTPSeeOther(f"/send/{row.sketch_id}/check")
        find = str(form.get("find", "")).strip()[:60]
        where = str(form.get("at", ""))
        to = web.HTTPSeeOther(
            request.rel_url.with_query({"find": find} if find else {}).with_fragment(where if where.isalpha() else None)
        )
        raise to

    @asks(Power.WRITE, the_sketch)
    async def give_up(self, request: web.Request, who: Who) -> web.StreamResponse:
        row = await self._row(request)
        async with self._platform.database.write() as tx:
            await sketch_store.give_up(tx, row.sketch_id, self._platform.clock.now())
            await trail.record(tx, who.label, "sketch_give_up", row.sketch_id, "nothing of it was sent")
        raise web.HTTPSeeOther("/send")

    # ---- checking it, and handing it in

    @asks(Power.WRITE, the_sketch)
    async def check(self, request: web.Request, who: Who) -> web.StreamResponse:
        return await self._check(who, await self._row(request))

    async def _check(self, who: Who, row: Sketch, problem: str = "", status: int = 200) -> web.Response:
        now = self._platform.clock.now()
        async with self._platform.database.read() as db:
            reading = await self._reader.read(db, who, row.written, now)
            around = await places.outlines(db)
        alone = reading.tier is not None and reading.tier <= who.alone and "send" in who.actions
        return self._page(
            "sketch_check.html", who, status, row=row, reading=reading, picture=picture_of(reading.place.shape, around),
            forms=self._forms(reading, who, row, now), alone=alone, problem=problem,
            order=_order,
        )  # fmt: skip

    def _forms(self, reading: SketchReading, who: Who, row: Sketch, now: float) -> Mapping[str, Mapping[str, FormSaid]]:
        """Language > channel > what is read or heard there; empty until nothing is missing."""
        if not reading.ready:
            return MappingProxyType({})
        settings = self._platform.settings
        incoming = incoming_of(
            reading, identifier=identifier_of(row.sketch_id, row.version), sender=self._reader.sender_of(who),
            sent=float(int(now)), drill=settings.plane == "drill",
        )  # fmt: skip
        place = settings.languages_at(incoming.geocodes)
        parts = parts_of(incoming, incoming.tier, settings.offset_at, settings.authority or who.authority, place)
        found: dict[str, dict[str, FormSaid]] = {}
        for one in self._reader.texts.every_channel(
            parts, incoming.tier, "0000", settings.hotline, drill=settings.plane == "drill"
        ):
            found.setdefault(one.language, {})[one.channel] = one
        return found

    @asks(Power.WRITE, the_sketch)
    async def hand_in(self, request: web.Request, who: Who) -> web.StreamResponse:
        """It becomes a draft like any alert that is pasted, and whoever may send it is asked."""
        row, form = await self._row(request), await request.post()
        if str(form.get("version", "")) != str(row.version):
            changed = t("{name} has changed it meanwhile: look at it again.", name=row.changed_name)
            return await self._check(who, row, changed, 409)
        now = self._platform.clock.now()
        async with self._platform.database.write() as tx:
            row = await sketch_store.date_it(tx, row.sketch_id, now)
            reading = await self._reader.read(tx, who, row.written, row.sent_at or now)
        try:
            incoming = incoming_of(
                reading, identifier=identifier_of(row.sketch_id, row.version), sender=self._reader.sender_of(who),
                sent=row.sent_at or now, drill=self._platform.settings.plane == "drill",
            )  # fmt: skip
            taken = await self._admission.admit(who, incoming, release=False)
        except Refused as fault:
            async with self._platform.database.write() as tx:
                await sketch_store.undate(tx, row.sketch_id)
            return await self._check(who, row, told(fault.message), fault.status)
        async with self._platform.database.write() as tx:
            await sketch_store.handed_in(tx, row.sketch_id, taken.warning_id)
            thing = await warning_thing(tx, who, taken.warning_id)
            await trail.record(
                tx, who.label, "sketch_hand_in", row.sketch_id, "handed in", {"warning_id": taken.warning_id}
            )
        if may(replace(who, proved_at=None), Power.SEND, thing) is not None:
            try:
                await self._acts.ask(who, taken.warning_id)
            except Conflict as decided:  # somebody was quicker, or nothing waits
                if decided.rule != "state":
                    raise
        raise web.HTTPSeeOther(f"/live/{taken.warning_id}/preview")


def _from_template(template: str) -> SketchContent:
    """`flash_flood.red.leave`, as the first step's links have it. Refused for what is none."""
    hazard, _, rest = template.partition(".")
    tier, _, instruction = rest.partition(".")
    if hazard not in known() or tier not in TIER_WORDS or instruction not in NAMES:
        raise Refused(
            "template: choose one of the page Write a warning", field="template", rule="closed_list", given=template[:80],
            remedy="open the page Write a warning and choose there",
        )  # fmt: skip
    return SketchContent(hazard=hazard, tier=tier, instruction=instruction)


def _order(findings: Iterable[SketchFault]) -> list[tuple[str, str]]:
    """Anchor and sentence of each fault."""
    return [(one.field.replace(".", "-"), one.text) for one in findings]


def _fault_of(findings: Iterable[SketchFault]) -> Mapping[str, str]:
    """Field > its first fault."""
    found: dict[str, str] = {}
    for one in findings:
        found.setdefault(one.field, one.text)
    return found
