"""Writes a sketch as a CAP alert, which goes the way of every alert that comes in: one rule for all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from services.gateway.cap import Alert, Area, Info, Reference, write
from services.gateway.cap.hazards import OUR_CODE
from services.gateway.drafting.reading import SketchReading, WordsIn
from services.gateway.intake.incoming import Incoming, from_cap
from services.shared.errors import Refused
from services.shared.hazards import UNKNOWN, known
from services.shared.tiers import Tier

LEVELS = {  # a tier in CAP's words, which are read back as that tier
    Tier.BLUE: ("Future", "Minor"), Tier.YELLOW: ("Expected", "Moderate"), Tier.ORANGE: ("Immediate", "Severe"),
    Tier.RED: ("Immediate", "Extreme"),
}  # fmt: skip
RESPONSES = {  # an instruction in CAP's words; the others have none
    "leave": ("Evacuate",), "go_to_place": ("Evacuate",), "go_up": ("Shelter",), "stay_in": ("Shelter",),
    "leave_or_stay": ("Evacuate",), "avoid": ("Avoid",), "boil": ("Execute",), "prepare": ("Prepare",),
    "monitor": ("Monitor",), "none": ("None",),
}  # fmt: skip
ASKED = {"check_on": "check_on"}  # what CAP has no word for and is said beside it


def identifier_of(sketch_id: str, version: int) -> str:
    return f"sketch-{sketch_id}-{version}"


def incoming_of(reading: SketchReading, *, identifier: str, sender: str, sent: float, drill: bool) -> Incoming:
    """The sketch as a message that comes in. Refused where it is not ready."""
    if reading.tier is None or reading.findings:
        raise Refused(
            "the sketch is not ready to be handed in: put right what its page names", field="sketch_id", rule="ready"
        )
    written = _written(reading, reading.tier, identifier, sender, sent, drill)
    taken = replace(from_cap(written, strict=False, via="console"), sketched=True)
    asked = ASKED.get(reading.content.instruction)
    if asked is not None:
        taken = replace(taken, asked=asked, respond=asked)
    if reading.content.place_open and any(reading.content.place_to.values()):
        taken = replace(taken, go_to={tag: reading.content.place_to[tag] for tag in reading.told})
    return taken


def _written(reading: SketchReading, tier: Tier, identifier: str, sender: str, sent: float, drill: bool) -> bytes:
    at, before = datetime.fromtimestamp(sent, UTC), reading.follows
    follows = (
        (Reference(before.sender, before.identifier, datetime.fromtimestamp(before.sent, UTC)),)
        if before is not None
        else ()
    )
    alert = Alert(
        identifier=identifier, sender=sender, sent=at, status="Exercise" if drill else "Actual",
        msg_type="Update" if follows else "Alert", references=follows, scope="Public",
        infos=tuple(_info(reading, tier, told, at) for told in reading.told.values()),
    )  # fmt: skip
    return write(alert)


def _info(reading: SketchReading, tier: Tier, told: WordsIn, sent: datetime) -> Info:
    hazard, said, place = reading.content.hazard, told.said, reading.place
    urgency, severity = LEVELS[tier]
    impact = datetime.fromtimestamp(reading.impact, UTC) if reading.impact is not None else None
    return Info(
        language=told.tag, category=(known().get(hazard, known()[UNKNOWN]).category,), event=told.event or said.headline,
        response_type=RESPONSES.get(reading.content.instruction, ()), urgency=urgency, severity=severity, certainty="Likely",
        event_code=((OUR_CODE, hazard),), onset=impact if impact is not None and impact > sent else None,
        expires=datetime.fromtimestamp(int(reading.ends), UTC), sender_name=said.source, headline=said.headline,
        description=said.what, instruction=said.action,
        areas=(Area(desc=said.where, polygons=place.rings, circles=place.circles, geocodes=place.geocodes),),
    )  # fmt: skip
