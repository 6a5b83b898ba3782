"""Serves how a warning is begun: by a template, when it comes and where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aiohttp import web
from msgspec.structs import replace

from services.gateway.drafting import estimate, places, sketch_store
from services.gateway.drafting.risk_zones import CLASSES, by_class, from_class, zones_of
from services.gateway.drafting.sketch import SketchContent
from services.gateway.warnings.acts import Acts
from services.gateway.web.sketch_frame import OWN_TEMPLATE, SketchFrame
from services.shared.audit import trail
from services.shared.errors import Refused
from services.shared.hazards import known
from services.shared.hazards.instructions import NAMES
from services.shared.powers.may import must
from services.shared.powers.power import Power
from services.shared.powers.who import Who
from services.shared.tiers import TIER_WORDS, Tier
from services.shared.web.asking import asks, what_is_found, what_is_sent

SAME = "same"  # the place of an own template
RISK = "risk:"  # what a risk zone's button says before its key, or before a class
CLASS_WORDS = [str(one) for one in CLASSES]


class SketchStartPages:
    """The handlers of /send and /send/new."""

    def __init__(self, frame: SketchFrame, acts: Acts) -> None:
        self._frame = frame
        self._acts = acts

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """The addresses a browser opens."""
        return (
            web.get("/send", self.start),
            web.get("/send/new", self.zone_form),
            web.post("/send/new", self.begin),
        )

    @asks(Power.WRITE, what_is_found)
    async def start(self, request: web.Request, who: Who) -> web.Response:
        """What is being written, and what can be begun."""
        async with self._frame.platform.database.read() as db:
            going_on, own = await sketch_store.open_of(db, who), await sketch_store.templates_of(db, who)
        return self._frame.page("sketch_start.html", who, sketches=going_on, own=own, templates=self._templates(who))

    def _templates(self, who: Who) -> Mapping[str, list[tuple[Tier, str]]]:
        """Hazard > tier and instruction, the highest tier first; what the grant may go out with alone."""
        found: dict[str, list[tuple[Tier, str]]] = {}
        for hazard, tier, instruction in self._frame.reader.texts.cells():
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
        content = await self._begun_with(who, template)
        async with self._frame.platform.database.read() as db:
            zones = await places.choices(db, who, find)
            risks = await zones_of(db, who, content.hazard)
        return self._frame.page(
            "sketch_zone.html", who, status, chosen=template, content=content,
            tier=Tier.of(content.tier) if content.tier else None, placed=content.placed,
            zones=zones, find=find, impact=impact, problem=problem, risks=risks, levels=by_class(risks),
        )  # fmt: skip

    @asks(Power.WRITE, what_is_sent)
    async def begin(self, request: web.Request, who: Who) -> web.StreamResponse:
        """A sketch is begun. With a zone it is ready to be checked, else it is written on."""
        form = await request.post()
        template, zone, impact = (str(form.get(name, ""))[:241].strip() for name in ("template", "zone", "impact"))
        now = self._frame.platform.clock.now()
        content = replace(await self._begun_with(who, template), impact=impact)
        content = await self._placed(who, content, zone)
        content = self._frame.reader.settled(content, now)
        async with self._frame.platform.database.read() as db:
            reading = await self._frame.reader.read(db, who, content, now)
        wrong = next((one.text for one in reading.findings if one.field == "impact"), "")
        if wrong:
            return await self._zone_form(who, template, impact=impact, problem=wrong, status=422)
        async with self._frame.platform.database.write() as tx:
            sketch_id = await sketch_store.begin(tx, who, content, now)
            await estimate.ask(tx, self._frame.platform, reading)
            await trail.record(
                tx, who.label, "sketch_begin", sketch_id, "a warning is written", {"hazard": content.hazard}
            )
        self._acts.done()
        whole = "=" in zone or zone == SAME or zone.startswith(RISK)
        raise web.HTTPSeeOther(f"/send/{sketch_id}/check" if whole else f"/send/{sketch_id}")

    async def _placed(self, who: Who, content: SketchContent, zone: str) -> SketchContent:
        """The content where one of the second step's buttons says: an area, a risk zone, those of a class and above."""
        if "=" not in zone and not zone.startswith(RISK):
            return content
        elsewhere = replace(content, areas=(), risk_zones=(), corners="", circle="", geojson="")
        if not zone.startswith(RISK):
            return replace(elsewhere, areas=(zone,))
        chosen = zone.removeprefix(RISK)
        if chosen not in CLASS_WORDS:
            return replace(elsewhere, risk_zones=(chosen,))
        async with self._frame.platform.database.read() as db:
            return replace(elsewhere, risk_zones=from_class(await zones_of(db, who, content.hazard), int(chosen)))

    async def _begun_with(self, who: Who, template: str) -> SketchContent:
        """What a template says: one of the texts there are, or the authority's own."""
        if not template.startswith(OWN_TEMPLATE):
            return _from_template(template)
        async with self._frame.platform.database.read() as db:
            row = await sketch_store.find(db, template.removeprefix(OWN_TEMPLATE))
        must(who, Power.WRITE, sketch_store.thing_of(row))
        if row is None or not row.template or row.given_up_at is not None:
            raise Refused(
                "template: choose one of the page Write a warning", field="template", rule="closed_list",
                given=template[:80], remedy="open the page Write a warning and choose there",
            )  # fmt: skip
        return row.written


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
