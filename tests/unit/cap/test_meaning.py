"""What an alert means: tier, hazard, response, expiry; and what never raises it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.gateway.cap import Meaning, meaning, read
from services.gateway.cap.sources import SOURCES
from services.shared.tiers import Tier
from tests.kit.cap_build import alert, info

B, Y, O, R = Tier.BLUE, Tier.YELLOW, Tier.ORANGE, Tier.RED  # noqa: E741 - the columns of the table below
SENT = datetime(2026, 7, 9, 7, 0, tzinfo=UTC)
HAND = "duty@example.org"


def sense(infos: str | None = None, more: str = "", **changed: str) -> Meaning:
    return meaning(read(alert(infos, more, **changed)).alerts[0])


def level(severity: str, urgency: str = "Immediate", certainty: str = "Observed", **changed: str) -> Tier | None:
    return sense(info(severity=severity, urgency=urgency, certainty=certainty), **changed).tier


def with_parameter(name: str, value: str, *, tag: str = "parameter", sender: str = HAND, **codes: str) -> Meaning:
    pair = f"<{tag}><valueName>{name}</valueName><value>{value}</value></{tag}>"
    return sense(info(more=pair, **codes), sender=sender)


@pytest.mark.parametrize(
    ("severity", "tiers"),
    [
        ("Extreme", {"Immediate": R, "Expected": R, "Future": O, "Past": O}),
        ("Severe", {"Immediate": O, "Expected": O, "Future": Y, "Past": Y}),
        ("Moderate", {"Immediate": Y, "Expected": Y, "Future": Y, "Past": B}),
        ("Minor", {"Immediate": B, "Expected": B, "Future": B, "Past": B}),
    ],
)
def test_the_default_table(severity, tiers):
    """Severity by urgency, for a source nobody knows."""
    assert tiers == {urgency: level(severity, urgency) for urgency in tiers}


@pytest.mark.parametrize("unknown", ["urgency", "severity", "certainty"])
def test_any_unknown_is_held_for_a_person(unknown):
    """No tier, and the reason says which code."""
    got = sense(info(**{unknown: "Unknown"}))
    assert got.tier is None
    assert f"{unknown} Unknown" in got.tier_reason


def test_an_unlikely_extreme_is_held():
    """Contradictory codes are for a person; an unlikely minor is blue."""
    assert None is level("Extreme", certainty="Unlikely")
    assert B is level("Moderate", certainty="Unlikely")


def test_the_gravest_block_gives_the_tier():
    """One block red, one yellow: red. One orange, one unknown: orange goes out. One yellow, one unknown: held."""
    assert R is sense(info(severity="Moderate") + info(severity="Extreme")).tier
    assert O is sense(info(severity="Severe") + info(severity="Unknown")).tier
    assert None is sense(info(severity="Moderate") + info(severity="Unknown")).tier


def test_a_cancel_never_raises():
    """An all-clear sent as Cancel, still Extreme and Immediate, is an ending at the lowest tier."""
    more = f"<references>{HAND},TEST-0,2026-07-09T14:00:00+08:00</references>"
    got = sense(info(severity="Extreme"), more, msgType="Cancel")
    assert (True, B, "as_told") == (got.ending, got.tier, got.respond)


def test_an_all_clear_never_raises():
    """Every block AllClear: an ending. One of two: the other block alone counts."""
    assert (True, B) == ((got := sense(info(severity="Extreme", responseType="AllClear"))).ending, got.tier)
    mixed = sense(info(severity="Extreme", responseType="AllClear") + info(severity="Moderate"))
    assert (False, Y) == (mixed.ending, mixed.tier)


def test_a_tsunami_cancellation_ends_although_it_is_an_update():
    """The centre says it in an event code."""
    got = with_parameter("TsunamiSystemCategory", "Cancellation", tag="eventCode", sender="wcatwc@noaa.gov")
    assert got.ending


@pytest.mark.parametrize(
    ("source", "sender", "name", "value", "tier"),
    [
        ("MeteoAlarm", HAND, "awareness_level", "2; yellow; Moderate", Y),
        ("MeteoAlarm", HAND, "awareness_level", "4;Red;Extreme", R),
        ("MeteoAlarm", HAND, "awareness_level", "1; Green; Minor", None),
        ("Iceland", "IMO-Icelandic_Met_Office", "Color", "Orange", O),
        ("Taiwan", "weather@cwa.gov.tw", "alert_color", "紅色", R),
        ("Taiwan", "weather@cwa.gov.tw", "alert_color", "黃色", Y),
        ("CAP-AU", "webmaster@rfs.nsw.gov.au", "AlertLevel", "Watch and Act", O),
        ("CAP-AU", "webmaster@rfs.nsw.gov.au", "AlertLevel", "Emergency Warning", R),
        ("CAP-AU", HAND, "AlertLevel", "Advice", Y),
        ("CAP-CP", "cap-pac@canada.ca", "layer:SOREM:2.0:WirelessImmediate", "Yes", R),
        ("Mexico", "smn.cna.gob.mx", "semáforo", "orange", O),
        ("GDACS", "info-gdacs@gdacs.org", "alertlevel", "Green", B),
        ("NWS/IPAWS", "chief@county.example", "WEAHandling", "Public Safety", Y),
    ],
)
def test_sources_that_say_their_level_elsewhere(source, sender, name, value, tier):
    """By the source's own parameter, also where its codes say Unknown or more; green is nothing to warn of."""
    codes = {"severity": "Extreme"}
    if source == "NWS/IPAWS":
        pair = "<parameter><valueName>EAS-ORG</valueName><value>CIV</value></parameter>"
        more = pair + f"<parameter><valueName>{name}</valueName><value>{value}</value></parameter>"
        got = sense(info(more=more, **codes), sender=sender)
    else:
        got = with_parameter(name, value, sender=sender, **codes)
    assert (source, tier) == (got.source, got.tier)
    assert (tier is None) == got.nothing_to_warn


@pytest.mark.parametrize(
    ("headline", "tier"),
    [
        ("清水县气象台发布暴雨红色预警信号[Ⅰ级/特别严重]", R),
        ("清水县气象台发布暴雨橙色预警信号[Ⅱ级/严重]", O),
        ("清水县气象台发布大风预警[Ⅲ级/较重]", Y),
        ("清水县气象台发布大风蓝色预警[Ⅳ级/一般]", B),
        ("Rainstorm Red Warning Signal", R),
        ("清水县气象台发布大风预警", O),
    ],
)
def test_china_says_its_level_in_the_headline(headline, tier):
    """Urgency and certainty are always Unknown; without a colour the severity alone counts."""
    pair = "<valueName>CPEAS Geographic Code</valueName><value>420000000000</value>"
    got = sense(
        info(
            f"<areaDesc>x</areaDesc><geocode>{pair}</geocode>",
            headline=headline,
            urgency="Unknown",
            certainty="Unknown",
        ),
        sender="gov@qingshui.example",
    )
    assert ("China", tier) == (got.source, got.tier)


@pytest.mark.parametrize(
    ("event", "tier"), [("Issue Severe Flood Warning EA", R), ("Issue Flood Warning", O), ("Issue Flood Alert EA", Y)]
)
def test_uk_floods_say_their_grade_in_the_event(event, tier):
    """The three codes are ignored there."""
    got = sense(info(event=event, headline=None, severity="Minor"), sender="www.gov.uk/environment-agency")
    assert ("UK floods", tier) == (got.source, got.tier)


def test_german_severity_counts_alone():
    """DWD and MoWaS: urgency adds nothing."""
    for sender in ("opendata@dwd.de", "DE-HE-KS-SE106"):
        assert O is level("Severe", "Future", sender=sender)


def test_service_notices_are_no_emergencies():
    """Schools closed, sent as Extreme and Immediate, is blue; a missing child is yellow; air quality's red yellow."""
    for value, tier in (("workSchlClos", B), ("airQuality", Y)):
        got = with_parameter(
            "profile:CAP-TWP:Event:1.0", value, tag="eventCode", sender="x@dgpa.gov.tw", severity="Extreme"
        )
        assert tier is got.tier
    assert Y is with_parameter("SAME", "CAE", tag="eventCode").tier


def test_the_great_families_of_senders_have_a_row_each():
    """China, MeteoAlarm, Germany, the US, Canada, Australia, Taiwan, Mexico, the United Kingdom."""
    names = {source.name for source in SOURCES}
    assert {
        "China",
        "MeteoAlarm",
        "DWD",
        "MoWaS",
        "NWS/IPAWS",
        "CAP-CP",
        "CAP-AU",
        "Taiwan",
        "Mexico",
        "UK floods",
    } <= names


def test_a_minor_change_need_not_be_told_again():
    """Canada marks it; only on an update."""
    more = f"<references>{HAND},TEST-0,2026-07-09T14:00:00+08:00</references>"
    pair = "<parameter><valueName>profile:CAP-CP:0.4:MinorChange</valueName><value>text</value></parameter>"
    assert sense(info(more=pair), more, sender="cap-pac@canada.ca", msgType="Update").quiet
    assert not sense(info(more=pair), sender="cap-pac@canada.ca").quiet


@pytest.mark.parametrize(
    ("changed", "hazard"),
    [
        ({"event": "Flash flood"}, "flash_flood"),
        ({"event": "山洪灾害"}, "flash_flood"),
        ({"event": "Hochwasserwarnung"}, "river_flood"),
        ({"event": "泥石流"}, "landslide"),
        ({"event": "氯气泄漏"}, "toxic_release"),
        ({"event": "Chlorine release"}, "toxic_release"),
        ({"event": "Tsunami Warning"}, "tsunami"),
        ({"event": "地震"}, "earthquake"),
        ({"event": "Power outage"}, "power_cut"),
        ({"event": "CANICULE"}, "heat"),
        ({"event": "寒潮"}, "cold"),
        ({"event": "台风"}, "typhoon"),
        ({"event": "ORKANARTIGE BÖEN"}, "storm"),
        ({"event": "Ветер"}, "storm"),
        ({"event": "Bushfire", "headline": "Cactus Gully"}, "wildfire"),
        ({"event": "Storage of cruel events in Thailand, never nice", "headline": "x"}, "unknown"),
        ({"event": "Warning", "headline": "Thunderstorm with flash flood"}, "flash_flood"),
    ],
)
def test_hazards_by_words(changed, hazard):
    """The event's words, in the languages alerts come in; whole words where a stem would hit others."""
    assert hazard == sense(info(**changed)).hazard


def test_hazards_by_code_go_before_words():
    """A SAME code, an awareness type."""
    assert "toxic_release" == with_parameter("SAME", "HMW", tag="eventCode", event="Warning").hazard
    assert "heat" == with_parameter("awareness_type", "5; high-temperature", event="Warning").hazard


def test_the_alert_says_what_to_do_before_the_hazard_does():
    """Evacuate or Shelter is followed; both: its own words; another: nobody is moved; none: as the policy has it."""
    assert "shelter_in" == sense(info(responseType="Shelter")).respond
    assert "evacuate" == sense(info(responseType="Evacuate", event="Chlorine release")).respond
    assert "as_told" == sense(info(responseType="Monitor", event="Chlorine release")).respond
    assert "shelter_in" == sense(info(responseType=None, event="Chlorine release")).respond
    assert "as_told" == sense(info(responseType="Shelter</responseType><responseType>Evacuate")).respond


def test_expiry():
    """The latest of the blocks; 24 hours where one has none, or where it ends as it is sent."""
    early, late = "2026-07-09T20:00:00+08:00", "2026-07-11T20:00:00+08:00"
    assert datetime(2026, 7, 11, 12, 0, tzinfo=UTC) == sense(info(expires=early) + info(expires=late)).expires
    assert SENT + timedelta(hours=24) == sense(info(expires=None)).expires
    assert SENT + timedelta(hours=24) == sense(info(expires=early) + info(expires=None)).expires
    assert SENT + timedelta(hours=24) == sense(info(expires="2026-07-09T15:00:00+08:00")).expires
    assert "24 hours" in sense(info(expires=None)).expires_reason


def test_the_hazards_own_end_where_the_message_ends_earlier():
    """NWS: expires is the message's life, eventEndingTime the hazard's."""
    got = with_parameter("eventEndingTime", "2026-07-12T00:00:00-00:00", sender="w-nws.webmaster@noaa.gov")
    assert (datetime(2026, 7, 12, tzinfo=UTC), "eventEndingTime") == (got.expires, got.expires_reason)


def test_impact_is_the_earliest_onset_after_sending():
    """An onset before sending is no impact to come."""
    later = info(onset="2026-07-09T23:00:00+08:00")
    assert datetime(2026, 7, 9, 10, 0, tzinfo=UTC) == sense(info() + later).impact
    assert None is sense(info(onset="2026-07-09T14:00:00+08:00")).impact


@pytest.mark.parametrize(
    ("changed", "hint"),
    [
        ({"headline": "Probealarm - Land Hessen"}, True),
        ({"headline": "今天上午举行防汛演练"}, True),
        ({"description": "This is only a test of the system."}, True),
        ({"headline": "Simulacro nacional"}, True),
        ({"description": "This is not a drill."}, False),
        ({"description": "这不是演习,请马上转移。"}, False),
        ({"headline": "The greatest flood in a century"}, False),
    ],
)
def test_words_of_a_drill_are_a_hint(changed, hint):
    """For a person to see: they decide nothing, the tier stays."""
    got = sense(info(**changed))
    assert (hint, O) == (got.drill_hint, got.tier)


def test_status_exercise_is_a_drill():
    """Whatever its words."""
    assert sense(status="Exercise", more="<note>Autumn 2026</note>").drill_hint


def test_an_alert_without_blocks_is_held():
    """There is nothing to say how grave it is."""
    got = meaning(read(alert("")).alerts[0])
    assert (None, "unknown", SENT + timedelta(hours=24)) == (got.tier, got.hazard, got.expires)
