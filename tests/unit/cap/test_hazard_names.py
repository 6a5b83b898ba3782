"""Codes and names by which authorities call a danger, and the hazard each leads to: of many countries, none from a document.

Who is hurt if it is wrong stands beside what was once read wrongly.
"""

from __future__ import annotations

import pytest

from services.gateway.cap.hazards import hazard_of
from services.gateway.cap.model import Info
from services.shared import hazards
from services.shared.hazards import ForbiddenRule

SAME = {
    "dam_break": "DBW DBA",
    "flash_flood": "FFW FFA FFS",
    "river_flood": "FLW FLA FLS",
    "storm_surge": "CFW CFA SSW SSA",
    "tsunami": "TSW TSA",
    "landslide": "LSW",
    "wildfire": "FRW WFW WFA",  # a Fire Warning was once read as heat: officers at doors in a fire
    "earthquake": "EQW",
    "typhoon": "HUW HUA HLS TRW TRA TYW TYA",
    "storm": "TOR TOA HWW HWA EWW DSW SMW",
    "thunderstorm": "SVR SVA SVS",
    "snow_ice": "WSW WSA BZW SQW FSW",
    "heat": "EHW EHA HTY",
    "cold": "ECW ECA WCW FZW",
    "toxic_release": "HMW CHW BHW NUW RHW IFW",
    "water_supply": "BWW CWW",
    "power_cut": "POS",
    "epidemic": "DEW",
    "public_security": "LEW BLU",
    "missing_person": "CAE MEP",
    # each of these may be anything: the alert says what to do, and the commander is asked
    "unknown": "AVW AVA CDW CEM EVI EVA SPW LAE TOE VOW FCW IBW SPS ADR DMO RMT RWT NPT NIC EAN",
}
AWARENESS = {
    "storm": "1", "snow_ice": "2", "thunderstorm": "3", "unknown": "4 9 11", "heat": "5", "cold": "6",
    "storm_surge": "7", "fire_danger": "8", "rainstorm": "10", "river_flood": "12", "flash_flood": "13",
}  # fmt: skip
GROUPS = {
    "thunderstorm": "THUNDERSTORM HAIL", "storm": "WIND TORNADO", "rainstorm": "RAIN", "heat": "HEAT", "cold": "FROST",
    "snow_ice": "SNOWFALL SNOWDRIFT GLAZE", "unknown": "FOG THAW UV",
}  # fmt: skip
EVENT_CODES = {  # of Canada, Australia, Taiwan, New Zealand and the disaster lists of the United Nations
    "toxic_release": "chemical biological radiological industryFire Nuclear",
    "public_security": "terrorism dangerPerson airRaidAlert",
    "dam_break": "damOverflow barrierLake",
    "flash_flood": "flashFlood ReservoirDis",
    "river_flood": "flood highWater overflood riverFlood FL",
    "landslide": "debrisFlow landslide",
    "wildfire": "bushFire grassFire wildFire forestFire WF",
    "fire_danger": "fireWeather",
    "tsunami": "tsunami landTsunami beachTsunami TS",
    "earthquake": "earthquake earthquakeEW EQ",
    "typhoon": "tropStorm hurricane typhoon tropCyclone TC",
    "storm": "tornado wind strongWind stormFrcWnd HurricFrcWnd squall galeWind dustStorm",
    "thunderstorm": "thunderstorm",
    "rainstorm": "rainfall",
    "snow_ice": "snowfall blizzard freezeRain winterStorm snowSquall flashFreeze",
    "heat": "heatWave heatHumidity",
    "cold": "windchill coldWave coldSurge frost arcticOut",
    "power_cut": "electric",
    "water_supply": "drinkingWate water",
    "epidemic": "infectious communicable",
    "missing_person": "amber missingPer missingVPer silver",
    "unknown": "avalanche volcano VO fog airQuality explosive fire urbanFire naturalGas civilEmerg roadClose meteor DR",
}
NAMES = {
    "rainstorm": [
        "暴雨", "暴雨红色预警", "大雨特別警報", "記録的短時間大雨情報", "Heavy Rain", "Starkregen",
        "Precipitazioni: pioggia",
    ],
    "snow_ice": [
        "暴雪", "道路结冰", "道路冰雪", "冻雨", "低温雨雪冰冻", "暴風雪警報", "大雪警報", "Black ice", "Glatteis",
        "Ice storm",
    ],
    "cold": ["寒潮", "霜冻", "持续低温", "低温注意報", "Extreme Cold", "Arctic cold wave", "Frostwarnung"],
    "heat": ["高温", "高温中暑", "熱中症警戒アラート", "Heatwave", "Extreme Heat Warning", "Canicule"],
    "storm": [
        "大风", "海上大风", "沙尘暴", "沙尘", "龙卷风", "暴風警報", "竜巻注意情報", "Dust storm", "Tornado Warning",
        "Orkanböen",
    ],
    "thunderstorm": [
        "雷电", "雷暴大风", "雷雨大风", "冰雹", "强对流天气", "雷注意報", "Hail", "Severe Thunderstorm Warning",
    ],
    "typhoon": ["台风", "颱風", "台風情報", "Tropical Cyclone Warning", "Hurricane Warning", "Ciclón tropical"],
    "fire_danger": [
        "森林火险", "草原火险", "Fire Weather Warning", "Red Flag Warning", "Total Fire Ban", "Waldbrandgefahr",
        "Extreme forest fire danger",
    ],
    "wildfire": ["森林火灾", "山火", "Bushfire", "Fire Warning", "Waldbrand", "Feu de forêt", "Incendio forestal"],
    "landslide": ["地质灾害", "地质灾害气象风险", "泥石流", "土砂災害警戒情報", "Mudslide", "暴雨引发山体滑坡"],
    "flash_flood": ["山洪", "山洪灾害气象风险", "Flash Flood Warning", "水库泄洪"],
    "river_flood": [
        "洪水", "中小河流洪水", "城市内涝", "氾濫危険情報", "洪水警報", "Severe Flood Warning", "Hochwasser",
        "Crue de la Loire",
    ],
    "storm_surge": ["风暴潮", "高潮警報", "Storm Surge Warning", "Coastal Flood Advisory", "Sturmflut"],
    "dam_break": ["溃坝", "决堤", "堰塞湖", "Dam failure", "Levee breach"],
    "tsunami": ["海啸", "大津波警報", "津波注意報", "Tsunami Warning"],
    "earthquake": ["地震", "緊急地震速報", "Earthquake"],
    "aftershock": ["强余震", "Strong aftershock after the earthquake"],
    "toxic_release": [
        "氯气泄漏", "毒气泄漏", "危化品泄漏", "Chlorine gas leak", "Toxic smoke", "Nuclear accident", "Ammonia leak",
    ],
    "gas_leak": ["燃气泄漏", "天然气泄漏", "Gas leak", "Natural gas explosion risk", "Gasaustritt", "Fuite de gaz"],
    "public_security": [
        "Active shooter", "持刀伤人", "恐怖袭击", "空襲警報", "ミサイル発射", "Armed person near the school",
    ],
    "power_cut": ["停电", "大面积停电", "Power outage", "Stromausfall"],
    "water_supply": ["停水", "饮用水污染", "Boil water notice", "Verunreinigtes Trinkwasser"],
    "epidemic": ["传染病", "流感疫情", "Disease outbreak", "Epidemic"],
    "missing_person": ["老人走失", "寻人", "AMBER Alert", "Missing person"],
    "unknown": [
        "大雾", "霾", "干旱", "雪崩", "火山喷发", "噴火警報", "波浪警報", "濃霧注意報", "なだれ注意報", "空气重污染",
        "煤气中毒", "Dense Fog Advisory", "Drought", "Avalanche Warning", "Volcanic ash", "Air Quality Alert",
        "Carbon monoxide", "Civil Danger Warning", "High Surf Advisory", "Unexploded bomb", "Structure fire",
        "Armed forces exercise",
    ],
}  # fmt: skip


def about(event: str = "", *codes: tuple[str, str]) -> str:
    return hazard_of([Info(language="en", category=(), event=event, event_code=codes)])


def listed(table: dict[str, str]) -> list[tuple[str, str]]:
    return [(code, hazard) for hazard, codes in table.items() for code in codes.split()]


@pytest.mark.parametrize(
    ("name", "table"),
    [("SAME", SAME), ("awareness_type", AWARENESS), ("GROUP", GROUPS), ("profile:CAP-XX:Event:1.0", EVENT_CODES)],
)
def test_codes(name: str, table: dict[str, str]) -> None:
    """Each leads to one hazard, or to none."""
    found = {code: about("Warning", (name, code)) for code, _ in listed(table)}
    assert dict(listed(table)) == found
    assert len(listed(table)) == len(found)


@pytest.mark.parametrize(("event", "hazard"), [(event, hazard) for hazard, names in NAMES.items() for event in names])
def test_names(event: str, hazard: str) -> None:
    """As authorities write them, in the languages they write in."""
    assert hazard == about(event)


def test_every_hazard_is_found_by_a_name() -> None:
    assert set(hazards.known()) == set(NAMES)


def test_no_code_leads_to_two_hazards() -> None:
    """A code that stands in two files would be read as whichever comes last."""
    seen: dict[str, str] = {}
    for name, hazard in hazards.known().items():
        alerts = hazard.alerts
        for kind, codes in (
            ("code", {code.casefold() for code in (*alerts.same, *alerts.event_codes)}),
            ("awareness", set(alerts.awareness_types)),
            ("group", set(alerts.groups)),
        ):
            for code in codes:
                assert f"{kind} {code}" not in seen, f"{code}: {seen.get(f'{kind} {code}')} and {name}"
                seen[f"{kind} {code}"] = name


def test_whom_nobody_is_sent_to_and_whom_no_siren_wakes() -> None:
    """A plume, a wave, an armed person: nobody is sent. Heat, cold, water, an epidemic, a lost child: no siren."""
    rules = {name: hazard.rule for name, hazard in hazards.known().items()}
    assert {"toxic_release", "tsunami", "public_security"} == {
        name for name, rule in rules.items() if isinstance(rule, ForbiddenRule)
    }
    assert all(rules[name].sweep_forbidden for name in ("toxic_release", "tsunami", "public_security"))
    assert {
        "heat", "cold", "epidemic", "water_supply", "power_cut", "missing_person", "fire_danger", "snow_ice",
        "thunderstorm",
    } == {name for name, rule in rules.items() if rule.area_sound_s is None}  # fmt: skip
    assert {"allowed"} == {rules[name].door for name in ("heat", "cold", "power_cut", "water_supply")}
    assert {"ask_commander"} == {rules[name].door for name in ("epidemic", "missing_person", "fire_danger", "unknown")}


def test_what_goes_out_and_what_stays_in_are_never_one_guess() -> None:
    """Gas that burns is left, gas that poisons is shut out; where one word for all would kill some, nothing is guessed."""
    guessed = {name: hazard.rule.respond for name, hazard in hazards.known().items()}
    assert ("evacuate", "shelter_in") == (guessed["gas_leak"], guessed["toxic_release"])
    for name in ("rainstorm", "typhoon", "river_flood", "earthquake", "aftershock", "fire_danger", "unknown"):
        assert "as_told" == guessed[name], name
