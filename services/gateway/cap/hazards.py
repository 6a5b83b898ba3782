"""Which of the policy's hazards an alert is about, and what it asks people to do; codes first, then words.

The keys are those of the policy's `hazards`. What fits none (a bush fire, an avalanche, an attack) is `unknown`, which
asks the commander: a near miss could send people out into the wrong thing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from services.gateway.cap.model import Info

HAZARDS = (
    "toxic_release", "local_tsunami", "flash_flood", "landslide", "aftershock", "power_cut", "heat_or_cold", "storm",
    "unknown",
)  # fmt: skip
"""In the order in which one goes before another where an alert names several."""

RESPOND = {
    "flash_flood": "evacuate",
    "landslide": "evacuate",
    "toxic_release": "shelter_in",
    "local_tsunami": "evacuate",
    "heat_or_cold": "check_on",
    "power_cut": "check_on",
    "storm": "shelter_in",
    "aftershock": "as_told",
    "unknown": "as_told",
}
"""What people do where the alert itself does not say: as in the policy."""

_SAME = {
    "toxic_release": "HMW CHW NUW RHW CDW",
    "local_tsunami": "TSW TSA",
    "flash_flood": "FFW FFA FFS FLW FLA FLS CFW CFA SSW SSA DBW DBA",
    "landslide": "LSW",
    "aftershock": "EQW",
    "power_cut": "POS",
    "heat_or_cold": "EHW EHA HTY ECW ECA WCW FRW FZW",
    "storm": "TOR TOA SVR SVA SVS HUW HUA HLS TRW TRA TYW BZW WSW WSA HWW HWA DSW SMW SQW EWW",
}
_EVENT_CODES = {
    "toxic_release": "hazmat chemical biological radiological nuclear airborneHazard gasLeak toxicPlume",
    "local_tsunami": "tsunami",
    "flash_flood": "flashFlood flood ReservoirDis highWater damBreak damOverflow stormSurge dikeBreak overflow",
    "landslide": "landslide debrisFlow mudslide DebrisFlow",
    "aftershock": "earthquake",
    "power_cut": "powerOutage electricity utility powerOut",
    "heat_or_cold": "heat temperature heatHumidity windChill frost freeze cold heatWave lowTemperature",
    "storm": "thunderstorm tornado hurricane typhoon rainfall wind windstorm snowfall blizzard storm galeWind rain "
    "tropicalStorm tropStorm freezingRain winterStorm duststorm extremely-rain",
}
_AWARENESS_TYPE = {
    "1": "storm", "2": "storm", "3": "storm", "5": "heat_or_cold", "6": "heat_or_cold", "7": "flash_flood",
    "10": "storm", "12": "flash_flood", "13": "flash_flood",
}  # fmt: skip
_DWD_GROUP = {"THUNDERSTORM": "storm", "WIND": "storm", "TORNADO": "storm", "RAIN": "storm", "SNOWFALL": "storm"}
_BY_CODE: dict[str, str] = {
    word.casefold(): hazard
    for table in (_SAME, _EVENT_CODES)
    for hazard, words in table.items()
    for word in words.split()
}

# Beginnings of words in languages that part them; a blank at the end asks for the whole word.
_STEMS: dict[str, str] = {
    "toxic_release": "toxi|hazmat|hazardous material|chemical|chlor|ammonia|gas leak|radiolog|nuclear|chimique"
    "|gefahrstoff|giftig|chemieunfall|rauchgas|químic|quimic|ядовит|химическ",
    "local_tsunami": "tsunami|maremoto|цунами",
    "flash_flood": "flood|flashflood|inondation|crue |crues |inundaci|crecida|desbordamiento|inunda|cheia |alluvion"
    "|piena |esondazion|наводнен|паводок|dam break|dam fail|storm surge|שיטפ|שטפונ|فيضان|سيول",
    "landslide": "landslide|mudslide|debris flow|rockfall|falling rocks|glissement|deslizamiento|deslave|derrumbe"
    "|deslizamento|frana |frane |оползен|сель ",
    "aftershock": "earthquake|aftershock|séisme|tremblement de terre|terremoto|sismo|землетряс|רעידת אדמה|زلزال",
    "power_cut": "power cut|power outage|power fail|blackout|panne d'électricité|apagón|corte de luz|blecaute"
    "|отключение электро",
    "heat_or_cold": "heat |heatwave|hot |cold |frost|freez|low temperature|high temperature|canicule|grand froid"
    "|froid |ola de calor|calor |frío |onda de calor|caldo |ondata di|жара |мороз|موجة حر",
    "storm": "storm|thunder|tornado|hurricane|typhoon|cyclone|wind |winds |windy|gale |gales |squall|rain |rains "
    "|rainfall|rainstorm|hail |hailstorm|snow|blizzard|monsoon|ice |orage |orages |tempête|tempéte|vent |vents |pluie"
    "|neige|tormenta|huracán|ciclón|viento|lluvia|nevada |vento |ventos |chuva|temporal|pioggia|piogge|neve |ветер"
    "|гроза|грозы|шторм|дожд|ливень|ураган|метель|vindur|رياح|عاصفة",
}
# Chinese, and the ends of German compounds.
_WITHIN: dict[str, str] = {
    "toxic_release": "有毒|毒气|毒氣|危险化学|危化|氯气|核泄漏|化學災",
    "local_tsunami": "海啸|海嘯|津波",
    "flash_flood": "hochwasser|überschwemmung|überflutung|sturzflut|山洪|洪水|水庫放流|水库泄洪|洩洪|泄洪|河川高水位"
    "|内涝|淹水|溃坝|潰壩|風暴潮|风暴潮|洪涝",
    "landslide": "erdrutsch|hangrutsch|felssturz|滑坡|泥石流|地质灾害|地質災害|土石流|落石|塌方",
    "aftershock": "erdbeben|地震|余震|餘震",
    "power_cut": "stromausfall|停电|停電|断电",
    "heat_or_cold": "hitze|kälte|frost|高温|高溫|寒潮|低温|低溫|霜冻|霜凍|冰冻|寒害",
    "storm": "gewitter|sturm|böen|orkan|unwetter|starkregen|dauerregen|schneefall|台风|颱風|暴雨|大雨|降雨|雷雨"
    "|雷电|雷電|大风|大風|冰雹|强对流|暴雪|季候風|龙卷|沙尘",
}


def _pattern(hazard: str) -> re.Pattern[str]:
    stems = "|".join(re.escape(s.strip()) + (r"\b" if s.endswith(" ") else "") for s in _STEMS[hazard].split("|"))
    return re.compile(rf"\b(?:{stems})|{_WITHIN[hazard]}", re.IGNORECASE)


_COMPILED = {hazard: _pattern(hazard) for hazard in _STEMS}


def hazard_of(infos: Iterable[Info]) -> str:
    """The policy's hazard: by event code, else by the event's words, else by the headline's."""
    infos = tuple(infos)
    for named in (
        [_by_code(pair) for info in infos for pair in (*info.event_code, *info.parameter)],
        [_by_words(info.event) for info in infos],
        [_by_words(info.headline) for info in infos],
    ):
        found = set(filter(None, named))
        for hazard in HAZARDS:
            if hazard in found:
                return hazard
    return "unknown"


def _by_code(pair: tuple[str, str]) -> str | None:
    name, value = pair
    if name == "awareness_type":
        return _AWARENESS_TYPE.get(value.split(";")[0].strip())
    if name == "GROUP":
        return _DWD_GROUP.get(value)
    if name == "SAME" or "event" in name.casefold():
        return _BY_CODE.get(value.casefold())
    return None


def _by_words(text: str) -> str | None:
    return next((hazard for hazard in HAZARDS if hazard in _COMPILED and _COMPILED[hazard].search(text)), None)


_ASKED = {
    "Evacuate": "evacuate", "Shelter": "shelter_in", "Execute": "execute", "Avoid": "avoid", "Prepare": "prepare",
    "Monitor": "monitor", "Assess": "assess", "AllClear": "all_clear", "None": "none",
}  # fmt: skip
"""CAP's response types in our words, in the order in which one goes before another."""


def asked_of(infos: Iterable[Info]) -> str:
    """What the alert itself asks; empty where it names no response, as_told where it asks both for leaving and for staying."""
    named = {word for info in infos for word in info.response_type}
    if {"Evacuate", "Shelter"} <= named:
        return "as_told"
    return next((ours for word, ours in _ASKED.items() if word in named), "")


def respond_of(infos: Iterable[Info], hazard: str) -> str:
    """evacuate, shelter_in, check_on or as_told: what paths reckon with. Never said to anybody: see `asked_of`.

    An alert that names another response moves nobody; only where it names none does the hazard say what people do.
    """
    asked = asked_of(infos)
    if asked in ("evacuate", "shelter_in", "as_told"):
        return asked
    guessed = RESPOND[hazard]
    return "as_told" if asked and guessed in ("evacuate", "shelter_in") else guessed
