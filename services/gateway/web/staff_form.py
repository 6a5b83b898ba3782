"""Reads what an administrator grants, field by field, from the form of a page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import shapely
from aiohttp import web
from multidict import MultiDictProxy

from services.shared.accounts.hours import zone_text
from services.shared.accounts.people import Granted
from services.shared.clock import wall
from services.shared.errors import NotAllowed, Refused
from services.shared.i18n import english, mark
from services.shared.input.polygon_limits import tangled_shape
from services.shared.powers.who import Who
from services.shared.settings import Settings
from services.shared.tiers import TIER_WORDS, Tier

CORNERS = 50_000
Form = MultiDictProxy[str | bytes | bytearray | web.FileField]


def surface(text: str) -> str:
    """A GeoJSON's polygons as one MultiPolygon. Refused where it is none, has no surface, or is too much to compute."""
    if text.count("[") > 2 * CORNERS:
        raise _wrong(english("area: it has more than {CORNERS} corners: simplify it to about 10 m", CORNERS=CORNERS))
    try:
        given = shapely.from_geojson(text)
    except (shapely.errors.ShapelyError, ValueError, TypeError) as problem:
        raise _wrong(mark("area: it is no GeoJSON: paste a polygon, longitude first, in WGS 84 degrees")) from problem
    if tangled_shape(given):
        raise _wrong(mark("area: its lines cross each other too often: draw it without crossings"))
    parts = [p for p in shapely.get_parts(shapely.make_valid(given)) if shapely.area(p) > 0]
    whole = shapely.union_all(parts)
    found = [p for p in shapely.get_parts(whole) if p.geom_type == "Polygon"]
    if not found:
        raise _wrong(mark("area: it has no surface: give at least three different corners"))
    return str(shapely.to_geojson(shapely.MultiPolygon(found)))


def _wrong(sentence: str) -> Refused:
    return Refused(sentence, field="area", rule="geojson")


def grant_of(form: Form, who: Who, settings: Settings, before: Granted | None = None) -> Granted:
    """What the form grants. Refused names the field; NotAllowed where an administrator gives more than they have."""
    kind = _said(form, "where")
    area = ""
    if kind == "mine":
        area = who.area
    elif kind == "as before" and before is not None:
        area = before.area
    elif kind == "drawn":
        area = surface(_said(form, "area"))
    elif kind != "anywhere":
        raise Refused("where: choose where they may warn", field="where", rule="closed_list", given=kind)
    grant = Granted(
        [str(role) for role in form.getall("roles", [])], _tier(form, "max_tier"), _tier(form, "alone"),
        area, _words(form, "senders"), _words(form, "events"), _words(form, "names"), _said(form, "hours"),
        zone_text(settings.timezone, settings.utc_offset_min), _end(_said(form, "until")),
    )  # fmt: skip
    no_more_than(who, grant)
    return grant.checked()


def no_more_than(who: Who, grant: Granted) -> None:
    """NotAllowed where somebody may do more than the administrator: by their link they would be them."""
    if grant.alone > who.alone:
        raise NotAllowed(
            "alone: you may grant no more without a second person than you may yourself",
            field="alone",
            rule="grant.alone",
        )
    for name, mine, theirs in (
        ("events", who.events, grant.events),
        ("senders", who.senders, grant.senders),
        ("names", who.names, grant.names),
    ):
        if mine and not (theirs and set(theirs) <= set(mine)):
            raise NotAllowed(
                f"{name}: you may grant {', '.join(mine)}, and no other", field=name, rule=f"grant.{name}",
                given=", ".join(theirs),
            )  # fmt: skip


def _said(form: Form, name: str) -> str:
    return str(form.get(name, "")).strip()


def _words(form: Form, name: str) -> list[str]:
    return [part.strip() for part in _said(form, name).replace(",", ",").split(",") if part.strip()]


def _tier(form: Form, name: str) -> int:
    word = _said(form, name)
    if word == "none" and name == "alone":
        return 0
    if word not in TIER_WORDS:
        raise Refused(f"{name}: use one of {', '.join(TIER_WORDS)}", field=name, rule="closed_list", given=word)
    return int(Tier.of(word))


def _end(given: str) -> float | None:
    """The end of a day (UTC); None for never."""
    if not given:
        return None
    try:
        end = (datetime.fromisoformat(given).replace(tzinfo=UTC) + timedelta(days=1)).timestamp()
    except ValueError as problem:
        raise Refused(
            "until: give a day like 2027-03-31, or nothing", field="until", rule="day", given=given
        ) from problem
    if end <= wall():
        raise Refused(
            "until: this day is over; give a later one, or nothing", field="until", rule="future", given=given
        )
    return end
