"""What single sources mean by their codes, as data: who they are, which parameter carries their level, which lie.

Seen in real alerts unless a comment says otherwise. A source not listed here is read by the default table. Adding a
country is one row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache

from services.gateway.cap.model import Alert
from services.shared.tiers import Tier

NOTHING = "nothing"
"""A level that says there is nothing to warn of (MeteoAlarm's green)."""

Level = Tier | str


@dataclass(frozen=True, slots=True)
class AlertSource:
    """How one family of senders is read.

    `senders` are patterns on `sender`; `marks` are beginnings of names of `code`, parameters, event codes and
    geocodes. `levels` name, in order, the parameters or event codes that carry the level, with what each word in
    their value means. `headline` finds it in headline or event. `unreliable` codes are ignored; `severity_alone`
    leaves urgency and certainty out; `notices` are event codes that tell of a service, not a hazard, with the
    highest tier they may get; `caps` are (parameter, value) pairs with the highest tier; `endings` are (name,
    value) pairs that end a warning; `quiet` are parameters whose presence says that nothing new is told;
    `life` names the parameter with the hazard's own end; `offset` is that of a clock that writes none;
    `incident_is_event`: messages of one `incidents` are one chain although they do not name each other.
    """

    name: str
    senders: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    levels: tuple[tuple[str, Mapping[str, Level]], ...] = ()
    headline: tuple[tuple[str, Level], ...] = ()
    unreliable: frozenset[str] = frozenset()
    severity_alone: bool = False
    notices: Mapping[str, Tier] = field(default_factory=dict)
    caps: Mapping[tuple[str, str], Tier] = field(default_factory=dict)
    endings: frozenset[tuple[str, str]] = frozenset()
    quiet: frozenset[str] = frozenset()
    life: str = ""
    offset: timedelta | None = None
    incident_is_event: bool = False


B, Y, O, R = Tier.BLUE, Tier.YELLOW, Tier.ORANGE, Tier.RED  # noqa: E741 - the four columns of the tables below
_COLOURS: dict[str, Level] = {"yellow": Y, "orange": O, "red": R, "amber": O, "blue": B}
_AWARENESS: dict[str, Level] = {**_COLOURS, "green": NOTHING}
_HAN: dict[str, Level] = {"红": R, "紅": R, "橙": O, "黄": Y, "黃": Y, "蓝": B, "藍": B, "綠": B, "绿": B}
# Levels I and II [K]: III with 较重 was seen, the others follow the national scale.
_CHINA_HEADLINE: tuple[tuple[str, Level], ...] = (
    (r"红色|Ⅰ级|(?<![IVX])I级|特别严重|\bred\b", R),
    (r"橙色|Ⅱ级|(?<![IVX])II级|严重|\borange\b", O),
    (r"黄色|Ⅲ级|(?<![IVX])III级|较重|\byellow\b", Y),
    (r"蓝色|Ⅳ级|(?<![IVX])IV级|/一般|\bblue\b", B),
)
_AUSTRALIA: dict[str, Level] = {
    "emergency warning": R, "emergency": R, "watch and act": O, "watch & act": O, "advice": Y,
    "not applicable": B, "planned burn": B, "information": B,
}  # fmt: skip
# The traffic light of SIAT-CT, from a cyclone's distance and strength. Purple was seen for the strongest.
_MEXICO: dict[str, Level] = {
    **_COLOURS, "purple": R, "green": B,
    "roja": R, "rojo": R, "morado": R, "naranja": O, "amarilla": Y, "amarillo": Y, "verde": B, "azul": B,
}  # fmt: skip
_TAIWAN_SERVICES = "workSchlClos Parking bloodSupply Mobiles railIncident channelClose Communications"
_CODES_UNRELIABLE = frozenset({"urgency", "certainty"})

SOURCES: tuple[AlertSource, ...] = (
    AlertSource(
        "China",
        senders=(r"(?:.*[@.])?cma(?:\.(?:gov\.)?cn)?", r".*12379.*"),
        marks=("CPEAS",),
        headline=_CHINA_HEADLINE,
        unreliable=_CODES_UNRELIABLE,
        severity_alone=True,
    ),
    AlertSource(
        "Taiwan",
        senders=(r".*\.gov\.tw",),
        marks=("profile:CAP-TWP", "Taiwan_Geocode"),
        levels=(("alert_color", _HAN),),
        # The colours of airQuality are those of the air quality index: red is unhealthy, not "go now".
        notices={**dict.fromkeys(_TAIWAN_SERVICES.split(), B), "airQuality": Y},
    ),
    AlertSource(
        "MoWaS",
        senders=(r"DE-[A-Z]{2}-.*",),
        marks=("profile:DE-BBK", "instructionCode", "warnVerwaltungsbereiche"),
        unreliable=frozenset({"certainty"}),
        severity_alone=True,
    ),
    # DWD's awareness_level, where it has one, may stand a grade above its severity: the severity is its own.
    AlertSource("DWD", senders=(r".*@dwd\.de",), marks=("WARNCELLID",), severity_alone=True),
    AlertSource(
        "MeteoAlarm", marks=("awareness_level",), levels=(("awareness_level", _AWARENESS),), severity_alone=True
    ),
    AlertSource(
        "Iceland", senders=(r"IMO-Icelandic_Met_Office.*",), levels=(("Color", _AWARENESS),), severity_alone=True
    ),
    AlertSource(
        "CAP-CP",
        senders=(r".*@(?:ec\.gc\.ca|canada\.ca)", r".*alertable\.ca", r".*Pelmorex.*"),
        marks=("profile:CAP-CP", "layer:SOREM", "layer:EC-MSC-SMC"),
        levels=(("layer:SOREM:2.0:WirelessImmediate", {"yes": R}),),
        notices={"testMessage": B},
        quiet=frozenset({"profile:CAP-CP:0.4:MinorChange"}),
    ),
    AlertSource(
        "CAP-AU",
        senders=(r".*\.gov\.au",),
        marks=("urn:oasis:names:tc:emergency:cap:1.2:profile:CAP-AU", "AlertLevel", "AustralianWarningSystem"),
        levels=(("AlertLevel", _AUSTRALIA),),
        incident_is_event=True,
    ),
    AlertSource(
        "NWS/IPAWS",
        senders=(r".*@(?:.*\.)?noaa\.gov", r".*\.noaa\.gov/.*", r".*@.*\.(?:dhs|fema)\.gov"),
        marks=("IPAWS", "EAS-ORG", "VTEC", "SAME", "profile:CAP-TSU"),
        notices=dict.fromkeys(("RMT", "RWT", "DMO", "NPT", "ADR", "NIC", "NMN"), B),
        caps={("WEAHandling", "Public Safety"): Y, ("SAME", "CAE"): Y, ("SAME", "BLU"): Y},
        endings=frozenset({("TsunamiSystemCategory", "Cancellation"), ("event", "Tsunami Cancellation")}),
        life="eventEndingTime",
    ),
    AlertSource(
        "Mexico",
        senders=(r"smn\.cna\.gob\.mx", r".*conagua.*", r".*sasmex.*", r".*cires\.org\.mx"),
        levels=(("semáforo", _MEXICO),),
        unreliable=_CODES_UNRELIABLE,
        offset=timedelta(hours=-6),
    ),
    # Only Alert and Cancel, and the three codes say nothing: the grade stands in the event's words.
    AlertSource(
        "UK floods",
        senders=(r"www\.gov\.uk/environment-agency", r".*naturalresources\.wales.*", r".*sepa\.org\.uk"),
        headline=(
            (r"\bsevere flood warning\b", R),
            (r"\bflood warning\b", O),
            (r"\bflood alert\b", Y),
            (r"\bno longer in force\b", B),
        ),
        unreliable=_CODES_UNRELIABLE,
        severity_alone=True,
    ),
    AlertSource("UK Emergency Alerts", senders=(r".*@notifications\.service\.gov\.uk",)),
    AlertSource(
        "GDACS",
        senders=(r".*@gdacs\.org",),
        levels=(("alertlevel", {"red": R, "orange": O, "green": B}),),
        unreliable=_CODES_UNRELIABLE,
        incident_is_event=True,
    ),
    AlertSource("Switzerland", senders=(r".*@alertswiss\.ch",), unreliable=_CODES_UNRELIABLE),
)

DEFAULT = AlertSource("default")


@lru_cache(maxsize=4096)
def _by_sender(sender: str) -> AlertSource | None:
    sender = sender[:300]
    for source in SOURCES:
        if any(re.fullmatch(pattern, sender, re.IGNORECASE) for pattern in source.senders):
            return source
    return None


def offset_of(sender: str) -> timedelta | None:
    """The offset of a sender's own clock, for those that write times without one."""
    source = _by_sender(sender)
    return source.offset if source else None


def source_of(alert: Alert) -> AlertSource:
    """How this alert is to be read: by its sender, else by its marks, else as the standard says.

    MeteoAlarm's level, where an alert carries one, goes before marks of a geocode.
    """
    known = _by_sender(alert.sender)
    if known is not None:
        return known
    names = set(alert.code)
    for info in alert.infos:
        names.update(name for name, _ in info.parameter + info.event_code)
        names.update(name for area in info.areas for name, _ in area.geocodes)
    by_name = {source.name: source for source in SOURCES}
    if "awareness_level" in names:
        return by_name["MeteoAlarm"]
    for source in SOURCES:
        if any(name.startswith(mark) for mark in source.marks for name in names):
            return source
    return DEFAULT
