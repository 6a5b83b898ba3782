"""Asks whom a sketch would reach, and reads the answer: the question is that of every preview, about a warning nobody has yet.

What decides the answer gives the question its name. So what was counted just now is not counted again, and no answer to another
question is taken for the one to this. An answer holds for an hour: the register changes.

A sketch that is not ready asks nothing, since only of one that is ready it is known to lie within its author's grant: else a
sketch would count the people of any street for whoever may write.
"""

from __future__ import annotations

from typing import NamedTuple, NotRequired, TypedDict

import sqlalchemy as sa

from services.gateway.drafting.reading import SketchReading
from services.shared.bus.outbox import id_of, new_id, publish
from services.shared.database.engine import Connection
from services.shared.database.rows import columns, row_of
from services.shared.ledger.warnings import warning_preview
from services.shared.messages import WarningIssued, decode
from services.shared.service import Platform

STEP_S = 900.0  # the impact, as exactly as it matters whom it reaches
HOLDS_S = 3600.0  # how long a count is taken for today's
DAY_S = 86400.0


class OneGroup(TypedDict):
    """People of a need group."""

    people: int
    one_channel: int
    no_channel: int


class AtTier(TypedDict):
    """Whom a warning reaches at one tier. Doors needed at once stand against what the teams on shift can do until `turn_back`
    (warning time); `doors_in_all` are asked for while nobody answers. What was counted before an upgrade lacks the latter."""

    by_group: dict[str, OneGroup]
    by_channel: dict[str, int]
    doors_at_0: int
    doors_possible: int
    doors_of_teams: NotRequired[int]
    doors_in_all: NotRequired[int]
    teams: NotRequired[int]
    doors_over_s: NotRequired[float]
    doors_left: NotRequired[int]
    more_teams: NotRequired[int]
    doors_beyond: NotRequired[int]
    turn_back: NotRequired[float]
    not_asked: int
    no_channel: int


class Estimate(TypedDict):
    """People in the area, `estimated` of them by the share of a cell it covers, and by tier whom it reaches."""

    people: int
    estimated: int
    tiers: dict[str, AtTier]


RESPONDS = {
    "leave": "evacuate",
    "go_to_place": "evacuate",
    "go_up": "shelter_in",
    "stay_in": "shelter_in",
    "leave_or_stay": "evacuate",
    "check_on": "check_on",
}
"""An instruction as paths reckon with it; any other moves nobody."""


def question_of(reading: SketchReading) -> str:
    """The name of the question; empty where there is nothing to ask yet."""
    if reading.tier is None or not reading.ready:
        return ""
    place, content = reading.place, reading.content
    when = f"{(reading.impact or 0.0) // STEP_S:.0f}"
    codes = ";".join("=".join(code) for code in place.geocodes)
    return id_of("sketch", content.hazard, reading.tier.word, content.instruction, when, codes, place.geojson)


async def ask(tx: Connection, platform: Platform, reading: SketchReading) -> None:
    """Asks, where nobody has asked the same within the hour."""
    question, now = question_of(reading), platform.clock.now()
    if not question or await _asked(tx, question, now) is not None:
        return
    settings, place = platform.settings, reading.place
    await publish(tx, [
        WarningIssued(
            msg_id=new_id(), plane=settings.plane, warning_id=question, tier=int(reading.tier or 0), kind="alert",
            purpose="preview", chain_id=question, hazard=reading.content.hazard,
            respond=RESPONDS.get(reading.content.instruction, "as_told"), sent=now, expires=reading.ends,
            impact=reading.impact, area=place.geojson if place.rings or place.circles else "", geocodes=place.geocodes,
            replaces=(), ending="", utc_offset_min=settings.offset_at(now), released=now,
            offset_changes=settings.offset_changes(now, reading.ends + DAY_S),
        )
    ])  # fmt: skip


class _Asked(NamedTuple):
    """A question, and its answer where it has come."""

    issued: bytes
    result: Estimate | None


async def _asked(db: Connection, question: str, now: float) -> _Asked | None:
    found = await row_of(
        db, _Asked, sa.select(*columns(_Asked, warning_preview)).where(warning_preview.c.warning_id == question)
    )
    asked = decode(found.issued) if found is not None else None
    return found if isinstance(asked, WarningIssued) and now - asked.released < HOLDS_S else None


async def answer(db: Connection, reading: SketchReading, now: float) -> Estimate | None:
    """What was counted; None where nothing is there yet."""
    question = question_of(reading)
    found = await _asked(db, question, now) if question else None
    return found.result if found is not None else None
