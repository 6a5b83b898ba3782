"""The CAP 1.2 document that broadcasters and feeds get: strict, by our own writer, with our tier as a parameter."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import shapely

from services.gateway.cap import Alert, Area, Info, Reference, read, write
from services.gateway.incoming import HAZARDS
from services.shared.tier import Tier

_LEVELS = {  # our tier in CAP's words, for a warning that did not come as CAP
    Tier.BLUE: ("Future", "Minor"),
    Tier.YELLOW: ("Expected", "Moderate"),
    Tier.ORANGE: ("Expected", "Severe"),
    Tier.RED: ("Immediate", "Extreme"),
}
_RESPONSES = {"evacuate": "Evacuate", "shelter_in": "Shelter", "check_on": "Monitor", "as_told": "Monitor"}
_CATEGORIES = dict.fromkeys(HAZARDS, "Other") | {
    "flash_flood": "Met",
    "landslide": "Geo",
    "toxic_release": "CBRNE",
    "local_tsunami": "Geo",
    "heat_or_cold": "Met",
    "power_cut": "Infra",
    "storm": "Met",
    "aftershock": "Geo",
}
_ENDED = ("danger_lower_stay_away", "may_return", "sent_by_mistake", "not_ours")


def cap_document(row: Any, tier: Tier, parts: dict[str, Any]) -> bytes:
    """A released warning: the alert as it came, written strictly; or one made of a JSON warning's parts."""
    if row.via != "json":
        alert = read(row.raw).alerts[0]
        infos = tuple(replace(i, parameter=(*i.parameter, ("tocsin:tier", tier.word))) for i in alert.infos)
        return write(replace(alert, infos=infos))
    sent = datetime.fromtimestamp(row.sent, UTC)
    return write(_alert(row, tier, parts, row.identifier, sent, row.msg_type, _references(row)))


def ending_document(row: Any, tier: Tier, parts: dict[str, Any]) -> bytes:
    """An ending: a Cancel that names what it ends, or an Update while we are checking; an all-clear says AllClear."""
    kind = row.state_ending
    if row.via != "ending":
        alert = read(row.raw).alerts[0]
        return write(alert)
    sent = datetime.fromtimestamp(row.sent, UTC)
    alert = _alert(
        row, tier, parts, row.identifier, sent, "Update" if kind == "checking" else "Cancel", _references(row)
    )
    response = "Monitor" if kind == "checking" else "AllClear"
    infos = tuple(replace(i, response_type=(response,), urgency="Past", severity="Minor") for i in alert.infos)
    return write(replace(alert, infos=infos, note=kind.replace("_", " ")))


def _references(row: Any) -> tuple[Reference, ...]:
    return tuple(
        Reference(sender, identifier, datetime.fromtimestamp(sent, UTC) if sent else None)
        for sender, identifier, sent in row.sense.get("references", [])
    )


def _alert(
    row: Any,
    tier: Tier,
    parts: dict[str, Any],
    identifier: str,
    sent: datetime,
    msg_type: str,
    references: tuple[Reference, ...],
) -> Alert:
    urgency, severity = _LEVELS[tier]
    impact = row.sense.get("impact")
    infos = []
    for language in parts["languages"]:
        part = parts[language]
        infos.append(
            Info(
                language=language,
                category=(_CATEGORIES.get(row.sense["hazard"], "Other"),),
                event=part["hazard"],
                response_type=(_RESPONSES[row.sense["respond"]],),
                urgency=urgency,
                severity=severity,
                certainty="Likely",
                onset=datetime.fromtimestamp(impact, UTC) if impact else None,
                expires=datetime.fromtimestamp(row.state_expires_at, UTC),
                sender_name=part["source"],
                headline=part["hazard"],
                description=part["description"],
                instruction=part["action"],
                parameter=(("tocsin:tier", tier.word),),
                areas=(_area(row, part["place"]),),
            )
        )
    return Alert(
        identifier=identifier,
        sender=row.sender,
        sent=sent,
        status=row.status,
        msg_type=msg_type,
        scope="Public",
        references=references,
        infos=tuple(infos),
    )


def _area(row: Any, place: str) -> Area:
    """Polygons as (lat, lon) rings; holes are filled, since CAP has none: whoever lies in one is warned too."""
    polygons: list[tuple[tuple[float, float], ...]] = []
    if row.area:
        shape = shapely.from_geojson(row.area)
        for part in shapely.get_parts(shape):
            if part.geom_type == "Polygon":
                polygons.append(tuple((round(lat, 6), round(lon, 6)) for lon, lat in part.exterior.coords))
    geocodes = tuple((str(a), str(b)) for a, b in row.geocodes)
    return Area(desc=place or "see polygon", polygons=tuple(polygons), geocodes=geocodes)
