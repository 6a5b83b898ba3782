"""Gives the pages of sketches what they share: the sketch of an address, its texts, and how a page is laid out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from aiohttp import web

from services.gateway.drafting import sketch_store
from services.gateway.drafting.alert import identifier_of, incoming_of
from services.gateway.drafting.reading import FormSaid, SketchReader, SketchReading, WritingTexts
from services.gateway.drafting.sketch import SketchFault
from services.gateway.drafting.sketch_store import Sketch
from services.gateway.intake.incoming import Incoming, without_links
from services.gateway.publish.parts import parts_of
from services.gateway.publish.publishing import sender_of
from services.gateway.store import Parts
from services.gateway.web.sketch_form import (
    language_name,
)
from services.shared.errors import Conflict
from services.shared.hazards.instructions import NAMES
from services.shared.i18n import tn, told
from services.shared.powers.changes import WarningChange, WarningVersion, changes
from services.shared.powers.may import Thing
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.tiers import Tier
from services.shared.web.edge import PLATFORM_DATABASE, wants_page
from services.shared.web.html import Written, page

OWN_TEMPLATE = "own."  # what names a template of an authority's own, before its id
FEW_SIGNS = 8  # of a text that would be GSM-7 without them


async def the_sketch(request: web.Request, who: Who) -> Thing:
    """The sketch: it stands in the address."""
    async with request.app[PLATFORM_DATABASE].read() as db:
        return sketch_store.thing_of(await sketch_store.find(db, request.match_info["sketch_id"]))


class SketchFrame:
    """What every page of a sketch needs."""

    def __init__(self, platform: Platform, texts: WritingTexts) -> None:
        self.platform = platform
        self.reader = SketchReader(platform.settings, texts, sender_of(platform.settings, platform.public_url))

    def page(self, name: str, who: Who, status: int = 200, **values: object) -> web.Response:
        settings = self.platform.settings
        return page(
            name, status=status, who=who, plane=settings.plane, offset=settings.offset_at, instructions=NAMES, Tier=Tier,
            language_name=language_name, Written=Written, longer=self._longer, size=size_of, **values,
        )  # fmt: skip

    def _longer(self, text: str) -> str:
        """The few characters that make a text longer; of one that is written with other letters anyway none."""
        found = self.reader.texts.outside(text)
        return found if len(found) <= FEW_SIGNS else ""

    async def row(self, request: web.Request) -> Sketch:
        async with self.platform.database.read() as db:
            row = await sketch_store.stored(db, request.match_info["sketch_id"])
        if row.warning_id and not wants_page(request):
            raise Conflict("it was handed in meanwhile: open it anew", field="sketch_id", rule="state")
        if row.warning_id:
            raise web.HTTPSeeOther(f"/live/{row.warning_id}/preview")
        if row.given_up_at is not None:
            raise web.HTTPSeeOther("/send")
        if row.template:
            raise web.HTTPSeeOther(f"/send/new?template={OWN_TEMPLATE}{row.sketch_id}")
        return row

    def tags(self, row: Sketch) -> list[str]:
        """The languages of its form: those we have words in, and those its author brought."""
        return list(dict.fromkeys((*self.reader.offered(), *row.written.languages, *row.written.words)))

    def incoming(self, reading: SketchReading, who: Who, row: Sketch, sent: float) -> Incoming:
        """The sketch as a message that comes in; Refused where it is not ready."""
        return incoming_of(
            reading, identifier=identifier_of(row.sketch_id, row.version), sender=self.reader.sender_of(who), sent=sent,
            drill=self.platform.settings.plane == "drill",
        )  # fmt: skip

    def parts(self, incoming: Incoming, who: Who) -> Parts:
        """What its texts are made of."""
        settings = self.platform.settings
        incoming = without_links(
            incoming, settings.links(self.platform.public_url)
        )  # as it will be when it is handed in
        place = settings.languages_at(incoming.geocodes)
        return parts_of(incoming, incoming.tier, settings.offset_at, settings.authority or who.authority, place)

    def left_out(self, reading: SketchReading, who: Who, row: Sketch, now: float) -> tuple[str, ...]:
        """What of its words nobody gets, in sentences."""
        if not reading.ready:
            return ()
        incoming = self.incoming(reading, who, row, float(int(now)))
        kept = without_links(incoming, self.platform.settings.links(self.platform.public_url))
        return tuple(told(note) for note in kept.notes if note not in incoming.notes)

    def changes(
        self, reading: SketchReading, before: WarningVersion, who: Who, row: Sketch, now: float
    ) -> list[WarningChange]:
        """What it changes of the warning it takes the place of."""
        incoming = self.incoming(reading, who, row, float(int(now)))
        parts = self.parts(incoming, who)
        after = WarningVersion(
            int(incoming.tier or 0), incoming.expires, {language: parts[language] for language in parts["languages"]},
            reading.place.shape, hazard=parts.get("set", ""), instruction=parts.get("instruction", ""),
        )  # fmt: skip
        return changes(before, after, self.platform.settings.offset_at)

    def forms(self, reading: SketchReading, who: Who, row: Sketch, now: float) -> Mapping[str, Mapping[str, FormSaid]]:
        """Language > channel > what is read or heard there; empty until nothing is missing."""
        if not reading.ready:
            return MappingProxyType({})
        settings = self.platform.settings
        incoming = self.incoming(reading, who, row, float(int(now)))
        parts = self.parts(incoming, who)
        found: dict[str, dict[str, FormSaid]] = {}
        for one in self.reader.texts.every_channel(
            parts, incoming.tier, "0000", settings.hotline, drill=settings.plane == "drill"
        ):
            found.setdefault(one.language, {})[one.channel] = one
        return found


def size_of(form: FormSaid) -> str:
    """How many short messages a text is, and in which alphabet."""
    return f"{tn('{n} part', '{n} parts', form.segments)}, {form.encoding}"


def order(findings: Iterable[SketchFault]) -> list[tuple[str, str]]:
    """Anchor and sentence of each fault."""
    return [(one.field.replace(".", "-"), one.text) for one in findings]
