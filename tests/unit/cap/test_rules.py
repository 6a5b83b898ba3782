"""Every defect the reader knows, each made alone: its rule, its grade when tolerant, its grade when strict."""

from __future__ import annotations

import pytest

from services.gateway.cap import (
    DEFECTS,
    FEED,
    RULES,
    ReadingLimits,
    read,
)
from services.shared.i18n import speaking, told
from tests.kit.cap_build import HEADER, SQUARE, alert, bare, info

BOW_TIE = "30.0,110.0 30.2,110.2 30.2,110.0 30.0,110.2 30.0,110.0"
TRIPLE = "duty@example.org,TEST-0,2026-07-09T14:00:00+08:00"


def area(inner: str, desc: str = "Nanling") -> bytes:
    return alert(info(f"<areaDesc>{desc}</areaDesc>{inner}"))


def polygon(pairs: str) -> bytes:
    return area(f"<polygon>{pairs}</polygon>")


def circle(text: str) -> bytes:
    return area(f"<circle>{text}</circle>")


def resource(inner: str) -> bytes:
    return alert(info(more=f"<resource>{inner}</resource>"))


CASES: list[tuple[str, bytes]] = [
    ("empty", b" \n"),
    ("not_xml", alert()[:-20]),
    ("not_cap", b"<html><body>503</body></html>"),
    ("not_cap", b"<!DOCTYPE html><html></html>"),
    ("encoding_unknown", b'<?xml version="1.0" encoding="UTF-7"?><alert/>'),
    ("encoding_broken", alert(info(senderName="Zürich")).decode().encode("latin-1")),
    ("namespace_old", alert(ns="urn:oasis:names:tc:emergency:cap:1.1")),
    ("namespace_wrong", alert(ns="urn:oasis:names:tc:emergency:alerts:1.2")),
    ("namespace_wrong", alert(ns="")),
    ("namespace_foreign", alert(ns="http://example.org/other")),
    ("nested_alert", alert(more=f'<Signature xmlns="http://www.w3.org/2000/09/xmldsig#">{bare(alert())}</Signature>')),
    ("enveloped", f"<feed><entry>{bare(alert())}</entry></feed>".encode()),
    ("no_alert", b'<feed xmlns="http://www.w3.org/2005/Atom"><entry><link href="x"/></entry></feed>'),
    ("doctype", b"<?xml version='1.0'?><!-- c --><!DOCTYPE alert [<!ENTITY a 'b'>]>" + alert().split(b"?>\n")[1]),
    ("too_big", alert() + b" " * FEED.bytes),
    ("too_deep", alert(more="<note>" + "<b>" * 40 + "x" + "</b>" * 40 + "</note>")),
    ("too_many_nodes", alert(more="<code>x</code>" * 70_000)),
    ("too_many_alerts", f"<alerts>{bare(alert()) * 2}</alerts>".encode()),
    ("too_many_blocks", alert(info() * 70)),
    ("text_too_long", alert(info(event="F" * 5000))),
    ("control_characters", alert(info(event="Flood\u0085ing"))),
    ("bidi_characters", alert(info(event="Flood \u202egnidne\u202c"))),
    ("order", alert(scope=None, more="<scope>Public</scope><source>x</source>")),
    ("unexpected_element", alert(more="<colour>red</colour>")),
    ("repeated_element", alert(more="<note>a</note><note>b</note>")),
    ("empty_element", alert(more="<references/>")),
    ("missing_required", alert(status=None)),
    ("missing_required", alert(sender="  ")),
    ("repeated_required", alert(sender="a</sender><sender>b")),
    ("identifier_characters", alert(identifier="A B")),
    ("identifier_characters", alert(sender="Some Agency, County")),
    ("time_zulu", alert(sent="2026-07-09T07:00:00Z")),
    ("time_fraction", alert(sent="2026-07-09T15:00:00.25+08:00")),
    ("time_format", alert(sent="2026-07-09 15:00+0800")),
    ("time_format", alert(sent="Thu, 09 Jul 2026 15:00:00 +0800")),
    ("time_calendar", alert(sent="2569-07-09T15:00:00+07:00")),
    ("time_offset_assumed", alert(sent="2026-07-09T15:00:00", sender="smn.cna.gob.mx")),
    ("time_no_offset", alert(sent="2026-07-09T15:00:00")),
    ("time_sign", alert(sent="2026-07-09T15:00:00,08:00")),
    ("sent_unreadable", alert(sent="2026-13-09T15:00:00+08:00")),
    ("time_unreadable", alert(info(onset="this evening"))),
    ("status_unknown", alert(status="Real")),
    ("draft", alert(status="Draft")),
    ("not_actual", alert(status="Test")),
    ("code_case", alert(info(severity="severe"))),
    ("code_case", alert(status="actual")),
    ("exercise_without_note", alert(status="Exercise")),
    ("msg_type_unknown", alert(msgType="Warn")),
    ("references_missing", alert(msgType="Update")),
    ("cancel_without_references", alert(msgType="Cancel", more="<references/>")),
    ("references_on_alert", alert(more=f"<references>{TRIPLE}</references>")),
    ("reference_unreadable", alert(msgType="Update", more="<references>just-an-id</references>")),
    (
        "reference_self",
        alert(msgType="Update", more="<references>{sender},{identifier},{sent}</references>".format(**HEADER)),
    ),
    ("reference_later", alert(msgType="Update", more=f"<references>{TRIPLE.replace('T14', 'T16')}</references>")),
    ("error_without_note", alert(msgType="Error", more=f"<references>{TRIPLE}</references>")),
    ("scope_unknown", alert(scope="Everybody")),
    ("restriction_missing", alert(scope="Restricted")),
    ("restriction_on_other", alert(more="<restriction>Officers</restriction>")),
    ("addresses_missing", alert(scope="Private")),
    ("info_missing", alert("")),
    ("same_language", alert(info() * 2)),
    ("language_tag", alert(info(language="zh_CN"))),
    ("language_tag", alert(info(language="english"))),
    ("category_missing", alert(info(category=None))),
    ("category_unknown", alert(info(category="Weather"))),
    ("event_from_headline", alert(info(event=None))),
    ("event_missing", alert(info(event="", headline=None))),
    ("response_unknown", alert(info(responseType="Run"))),
    ("response_assess", alert(info(responseType="Assess"))),
    ("code_unknown", alert(info(severity="Major"))),
    ("code_missing", alert(info(urgency=""))),
    ("likely_old_word", alert(info(certainty="Very Likely"))),
    ("pair_incomplete", alert(info(more="<parameter><value>3</value></parameter>"))),
    ("value_empty", alert(info(more="<parameter><valueName>level</valueName><value/></parameter>"))),
    ("expires_missing", alert(info(expires=None))),
    ("expires_before_sent", alert(info(expires="2026-07-09T14:00:00+08:00"))),
    ("expires_at_sent", alert(info(expires="2026-07-09T07:00:00-00:00", onset=None))),
    ("onset_after_expires", alert(info(onset="2026-07-11T18:00:00+08:00"))),
    ("expires_far", alert(info(expires="2026-07-20T03:00:00+08:00"))),
    ("headline_long", alert(info(headline="flood " * 30))),
    ("web_not_absolute", alert(info(more="<web>javascript:alert(1)</web>"))),
    ("resource_incomplete", resource("<resourceDesc>map</resourceDesc>")),
    ("resource_size", resource("<resourceDesc>map</resourceDesc><mimeType>image/png</mimeType><size>1 MB</size>")),
    (
        "resource_digest",
        resource(
            "<resourceDesc>map</resourceDesc><mimeType>image/png</mimeType>"
            "<uri>map.png</uri><derefUri>AAAA</derefUri><digest>00</digest>"
        ),
    ),
    ("deref_uri", resource("<resourceDesc>a</resourceDesc><mimeType>text/html</mimeType><derefUri>AA==</derefUri>")),
    ("area_missing", alert(info(None))),
    ("area_desc_missing", area(f"<polygon>{SQUARE}</polygon>", desc="")),
    ("area_text_only", area("")),
    ("area_geocode_only", area("<geocode><valueName>SAME</valueName><value>006109</value></geocode>")),
    ("polygon_open", polygon("30.0,110.0 30.0,110.2 30.2,110.2")),
    ("polygon_format", polygon(SQUARE.replace(" ", ","))),
    ("polygon_empty", area(f"<polygon>{{}}</polygon><polygon>{SQUARE}</polygon>")),
    ("polygon_flat", area(f"<polygon>30,110 30,111 30,110</polygon><polygon>{SQUARE}</polygon>")),
    ("polygon_flat_alone", polygon("30,110 30,111 30,110")),
    ("polygon_unreadable", polygon("NaN,110 30,111 31,111 NaN,110")),
    ("polygon_crossing", polygon(BOW_TIE)),
    ("polygon_tangled", polygon(" ".join(f"{30 + n % 2},{110 + (n * 7919 % 997) / 997:.5f}" for n in range(900)))),
    ("polygon_polar", polygon("80,0 80,90 80,180 80,-90 80,0")),
    ("antimeridian", polygon("-17,179 -17,-179 -16,-179 -16,179 -17,179")),
    ("circle_format", circle("30.0 110.0 5")),
    ("circle_no_radius", circle("30.0,110.0")),
    ("circle_negative", circle("30.0,110.0 -5")),
    ("circle_huge", circle("0,0 20040")),
    ("circle_unreadable", circle("Nanling 5")),
    ("circle_zero", circle("30.0,110.0 0")),
    ("marker_used", circle("30.0,110.0 0")),
    ("out_of_range", polygon("95,200 95,201 96,201 95,200")),
    ("longitude_wrapped", polygon("30,190 30,191 31,191 30,190")),
    ("swapped", polygon("110.0,30.0 111.0,30.0 111.0,31.0 110.0,30.0")),
    ("too_many_corners", circle("30,110 1")),
    ("altitude_unreadable", area(f"<polygon>{SQUARE}</polygon><altitude>high</altitude>")),
    ("ceiling_alone", area(f"<polygon>{SQUARE}</polygon><ceiling>1000</ceiling>")),
    ("ceiling_below", area(f"<polygon>{SQUARE}</polygon><altitude>2000</altitude><ceiling>1000</ceiling>")),
    ("html", alert(info(description="Stay in.&lt;br/&gt;Shut windows."))),
    ("escaped_twice", alert(info(description="&amp;quot;Stay in&amp;quot;"))),
    ("nested_markup", alert(info(description="<section>Stay in.</section>"))),
    ("entity_undeclared", alert(info(description="Stay&nbsp;in."))),
    ("signed", alert(more='<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"/>')),
    ("signed_twice", alert(more='<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"/>' * 2)),
]
# What only shows within other limits than a feed's.
LIMITS = {"too_many_alerts": ReadingLimits(alerts=1), "too_many_corners": ReadingLimits(circles=0)}


@pytest.mark.parametrize(("code", "data"), CASES, ids=[f"{n}-{code}" for n, (code, _) in enumerate(CASES)])
def test_a_defect_made_alone_is_found_at_its_rule_with_its_grades(code, data):
    """Tolerant and strict readers name the same defect, each with its own grade, with the place."""
    defect = DEFECTS[code]
    for strict, grade in ((False, defect.tolerant), (True, defect.strict)):
        reading = read(data, strict=strict, limits=LIMITS.get(code, FEED))
        found = [finding for finding in reading.findings if finding.code == code]
        assert [(defect.rule, grade)] == sorted({(f.rule if f.code != "code_case" else 22, f.grade) for f in found})
        assert found[0].where.startswith("/")
        assert defect.message == found[0].message


def test_the_table_of_cases_misses_no_defect():
    """What a chain alone can see (an identity used again) is tested with the chains."""
    assert set(DEFECTS) - {"identity_reused"} == {code for code, _ in CASES}


def test_all_38_rules_have_a_defect_or_say_what_is_done():
    """Rule 36 asks to say, 24 to have a rule of one's own: each has its finding; nothing is a rule in name only."""
    assert list(range(1, 39)) == sorted(RULES)
    graded_elsewhere = {9, 14, 20, 21}  # their wrong letters are `code_case`, noted at their own number
    assert set(RULES) == {defect.rule for defect in DEFECTS.values()} | graded_elsewhere


def test_every_defect_is_said_in_both_languages():
    """A sentence each, ended, and the Chinese one in Chinese."""
    for defect in DEFECTS.values():
        assert defect.message.endswith("."), defect.code
        with speaking("zh-Hans"):
            said = told(defect.message)
        assert said.endswith("。"), defect.code
        assert any("\u4e00" <= c <= "\u9fff" for c in said), defect.code


def test_strict_is_never_milder_on_what_a_person_must_see():
    """What is held for a person when tolerant is refused when strict, so that its author hears of it."""
    for defect in DEFECTS.values():
        if defect.tolerant in ("quarantine", "reject"):
            assert "reject" == defect.strict, defect.code


def test_code_words_in_other_letters_are_noted_at_their_own_rule():
    """A status in small letters breaks rule 7, a category rule 20, a severity rule 22."""
    reading = read(alert(info(category="met", severity="SEVERE"), status="actual", msgType="alert", scope="public"))
    assert {7, 9, 14, 20, 22} == {f.rule for f in reading.findings if f.code == "code_case"}
    assert "repair" == reading.verdict


def test_a_sound_alert_has_no_findings():
    """Nothing is said where nothing is wrong, by either reader."""
    for strict in (False, True):
        reading = read(alert(), strict=strict)
        assert ((), "accept", 1) == (reading.findings, reading.verdict, len(reading.alerts))


def test_one_kind_of_finding_is_not_repeated_without_end():
    """A thousand equal defects are said twenty times."""
    areas = "</area><area>".join(["<areaDesc/><polygon>30,110 30,111 31,111</polygon>"] * 300)
    reading = read(alert(info(areas)))
    assert 20 == sum(1 for f in reading.findings if f.code == "area_desc_missing")
