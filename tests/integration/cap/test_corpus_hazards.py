"""Every event of the corpus with the hazard it leads to and the rule at its doors, held against what people judged.

The table is made from the alerts themselves. A name that nobody has judged fails the test, as does a judged name that the
corpus does not hold.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.gateway.cap import read
from services.gateway.cap.hazards import hazard_of, respond_of
from services.gateway.cap.model import Info
from services.shared import hazards

CORPUS = Path(os.environ["TOCSIN_CAP_CORPUS"])
FILES = sorted(path for folder in ("alerts", "invalid") for path in (CORPUS / folder).iterdir() if path.is_file())
LONGEST = 200  # a faulty file's event of 5,000 letters is no name

ASK, FORBIDDEN, ALLOWED = "if_commander_says_safe", "forbidden", "allowed"
DOORS = {
    "cold": ALLOWED, "earthquake": ASK, "flash_flood": ASK, "heat": ALLOWED, "landslide": ASK,
    "missing_person": "ask_commander", "rainstorm": ASK, "river_flood": ASK, "snow_ice": ASK, "storm": ASK,
    "thunderstorm": ASK, "tsunami": FORBIDDEN, "typhoon": ASK, "unknown": "ask_commander", "wildfire": ASK,
}  # fmt: skip
JUDGED: dict[str, list[str]] = {
    "cold": [
        "FROST", "Yellow Low Temperature/Ice", "extreme cold", "froid extrême",
    ],
    "earthquake": [
        "Earthquake", "terremoto", "地震",
    ],
    "flash_flood": [
        "Flash Flood Watch", "水庫放流", "水庫洩洪",
    ],
    "heat": [
        "CANICULE", "HITZE", "高溫",
    ],
    "landslide": [
        "Falling rocks, landslide",
    ],
    "missing_person": [
        "Child Abduction",
    ],
    "rainstorm": [
        "Avertissement verte de pluie", "Green warning for rain", "Groene waarschuwing voor regen",
        "Grüne Warnung fur Regen", "Rain/Wet Spell", "降雨",
    ],
    "river_flood": [
        "053/055 Issue Severe Flood Warning EA", "064 Issue Flood Alert EA", "FLOOD", "Flood", "Flood Warning",
        "Flood gnidnep si lla", "河川高水位",
    ],
    "snow_ice": [
        "neige", "snowfall",
    ],
    "storm": [
        "Fortes pluies et vents violents", "High Wind Watch", "ORKANARTIGE BÖEN", "STRONG MONSOON SIGNAL",
        "STURMBÖEN", "Storm", "Strong Winds", "VENTOS FORTES DE MONÇÃO", "Vent de tempéte", "Veðurviðvörun: Vindur",
        "WINDBÖEN", "Weather Warning: Wind", "Wind Advisory", "vent", "wind", "Ветер", "強烈季候風信號",
    ],
    "thunderstorm": [
        "Gewitterwarnung", "SEVERE THUNDERSTORM", "STARKES GEWITTER", "Thunderstorms/Squall lines",
        "Thunderstormwarning", "orages", "thunderstorm", "雷雨",
    ],
    "tsunami": [
        "Tsunami", "Tsunami Cancellation", "Tsunami Information", "Tsunami Warning",
    ],
    "typhoon": [
        "Aviso de Ciclón Tropical en el Atlántico", "Aviso de Ciclón Tropical en el Pacífico",
        "Aviso de zonas de baja presión en el Pacífico con potencial ciclónico", "Hurricane Warning",
        "Tropical Cyclone Alert", "Tropical Cyclone Warning", "開放臨時停車", "颱風",
    ],
    "unknown": [
        "Cap Test Event", "EMOC Activation [...] Incident", "Fire", "Gefahrendurchsage",
        "Homeland Security Advisory System Update", "Local Area Emergency", "Message test",
        "Moderate avalanches warning", "Motor Vehicle Accident", "News", "Other Non-Urgent Alerts",
        "Road Conditions", "SMALL CRAFT CAUTION", "Test Alert", "Test Message", "Update",
        "Vigilance jaune avalanches", "météo", "weather", "停班停課", "空氣品質",
        "結構火災", "血液庫存", "行動電話中斷", "鐵路事故",
    ],
    "wildfire": [
        "Bushfire", "Forest Fires", "Grass Fire", "Incêndios rurais – Povoamento florestal",
    ],
}  # fmt: skip


def events() -> Iterator[Info]:
    for path in FILES:
        for alert in read(path.read_bytes()).alerts:
            yield from (info for info in alert.infos if len(info.event) <= LONGEST)


@pytest.fixture(scope="module")
def table() -> dict[str, set[tuple[str, str]]]:
    """Event name > hazards and door rules that its blocks lead to."""
    found: dict[str, set[tuple[str, str]]] = {}
    for info in events():
        hazard = hazard_of([info])
        found.setdefault(info.event, set()).add((hazard, hazards.known()[hazard].rule.door))
    return found


def test_every_event_of_the_corpus_leads_where_it_was_judged_to(table):
    """By code, word or headline; a name leads to one hazard, whatever else its block says."""
    judged = {event: {(hazard, DOORS[hazard])} for hazard, names in JUDGED.items() for event in names}
    assert sum(map(len, JUDGED.values())) == len(judged) >= 90, "each is judged once"
    assert judged == table


def test_whoever_is_ordered_out_is_reckoned_as_leaving():
    """An alert's own Evacuate goes before what its hazard guesses; a hazard alone orders nobody out of the corpus's floods."""
    for info in events():
        hazard = hazard_of([info])
        if info.response_type == ("Evacuate",):
            assert "evacuate" == respond_of([info], hazard), info.event
        elif hazard == "river_flood":
            assert "evacuate" != respond_of([info], hazard), info.event
