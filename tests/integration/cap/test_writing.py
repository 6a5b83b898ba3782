"""The writer: strict CAP 1.2 of whatever the model holds, and the same again when read back."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from services.gateway.cap import Alert, Area, Info, Reference, Resource, fingerprint, geometry, meaning, read, write
from services.gateway.cap.model import CATEGORIES, CERTAINTIES, RESPONSE_TYPES, SEVERITIES, URGENCIES
from services.shared.errors import Refused
from tests.kit.cap_build import NS, alert, info

HERE = Path(__file__).parents[2] / "kit" / "cap"


def one(data: bytes) -> Alert:
    return read(data).alerts[0]


def texts(data: bytes, tag: str) -> list[str | None]:
    return [element.text for element in etree.fromstring(data).iter(f"{{{NS}}}{tag}")]


def test_a_whole_alert_comes_back_whole():
    """Every field of both language blocks."""
    before = one((HERE / "flood-zh-en.xml").read_bytes())
    after = read(write(before), strict=True)
    assert ("accept", fingerprint(before)) == (after.verdict, fingerprint(after.alerts[0]))
    assert ["zh-CN", "en-GB"] == texts(write(before), "language")


def test_it_writes_well_formed_utf_8_that_xmllint_accepts(tmp_path):
    """A declaration, the CAP 1.2 namespace, no BOM."""
    data = write(one(alert(info(event="山洪"))))
    assert data.startswith(b"<?xml version='1.0' encoding='UTF-8'?>\n<alert xmlns=\"" + NS.encode())
    (tmp_path / "alert.xml").write_bytes(data)
    subprocess.run(["xmllint", "--noout", "--nonet", str(tmp_path / "alert.xml")], check=True, timeout=30)


def test_times_and_polygons_are_the_standards():
    """UTC is -00:00, fractions go, open polygons are closed, exchanged ones turned, wrapped ones brought back."""
    inner = (
        "<areaDesc>x</areaDesc><polygon>30,110 30,111 31,111</polygon>"
        "<polygon>-17,179 -17,181 -16,181 -16,179 -17,179</polygon>"
    )
    data = write(one(alert(info(inner), sent="2026-07-09T07:00:00.5Z")))
    assert ["2026-07-09T07:00:00-00:00"] == texts(data, "sent")
    assert ["30,110 30,111 31,111 30,110", "-17,179 -17,-179 -16,-179 -16,179 -17,179"] == texts(data, "polygon")
    turned = info("<areaDesc>x</areaDesc><polygon>110,30 111,30 111,31 110,30</polygon>")
    assert ["30,110 30,111 31,111 30,110"] == texts(write(one(alert(turned))), "polygon")


def test_embedded_files_are_stripped():
    """As a forwarder must; kept where the caller asks for the whole."""
    file = "<resourceDesc>a</resourceDesc><mimeType>text/html</mimeType><uri>a.html</uri><derefUri>AA==</derefUri>"
    before = one(alert(info(more=f"<resource>{file}</resource>")))
    assert ([], []) == (texts(write(before), "derefUri"), texts(write(before), "uri"))
    assert (["AA=="], ["a.html"]) == (
        texts(write(before, embedded=True), "derefUri"),
        texts(write(before, embedded=True), "uri"),
    )


def test_an_update_that_names_nothing_is_written_as_the_alert_it_is_taken_for():
    """The standard asks updates for references."""
    assert ["Alert"] == texts(write(one(alert(msgType="Update"))), "msgType")


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"identifier": ""}, "cap.3.missing_required"),
        ({"identifier": "A B"}, "cap.4.identifier_characters"),
        ({"sender": "a,b"}, "cap.4.identifier_characters"),
        ({"status": "Real"}, "cap.7.status_unknown"),
        ({"msg_type": "Cancel"}, "cap.10.cancel_without_references"),
        ({"scope": ""}, "cap.3.missing_required"),
    ],
)
def test_what_no_standard_allows_is_refused(changed, rule):
    """With the rule and the place, before it leaves the house."""
    with pytest.raises(Refused) as refused:
        write(replace(one(alert()), **changed))
    assert rule == refused.value.rule
    assert refused.value.field.startswith("/alert")
    assert refused.value.remedy


_words = st.text(
    alphabet=st.characters(codec="utf-8") | st.sampled_from("<>&;#/ \n\t\x00\u202e"),
    max_size=40,
)
_names = st.from_regex(r"[A-Za-z0-9.@:_-]{1,20}", fullmatch=True)
_times = st.builds(
    lambda s, m: datetime.fromtimestamp(s, timezone(timedelta(minutes=m))),
    st.integers(1_000_000_000, 3_000_000_000),
    st.integers(-14 * 60, 14 * 60),
)
_pairs = st.lists(st.tuples(_names, _words), max_size=3).map(tuple)
_degrees = st.floats(-80, 80, allow_nan=False)
_areas = st.builds(
    Area,
    desc=_words,
    polygons=st.lists(st.lists(st.tuples(_degrees, _degrees), min_size=3, max_size=6).map(tuple), max_size=2).map(
        tuple
    ),
    circles=st.lists(st.tuples(_degrees, _degrees, st.floats(0, 900)), max_size=2).map(tuple),
    geocodes=_pairs,
    altitude=st.none() | st.floats(-1e4, 1e5),
)
_infos = st.builds(
    Info,
    language=st.sampled_from(["en-US", "zh-CN", "und"]),
    category=st.lists(st.sampled_from(CATEGORIES), min_size=1, max_size=3, unique=True).map(tuple),
    event=_words.map(lambda text: "Flood " + text),
    response_type=st.lists(st.sampled_from(RESPONSE_TYPES), max_size=2, unique=True).map(tuple),
    urgency=st.sampled_from(URGENCIES),
    severity=st.sampled_from(SEVERITIES),
    certainty=st.sampled_from(CERTAINTIES),
    audience=_words,
    event_code=_pairs,
    effective=st.none() | _times,
    onset=st.none() | _times,
    expires=st.none() | _times,
    sender_name=_words,
    headline=_words,
    description=_words,
    instruction=_words,
    web=st.just("") | st.just("https://example.org/a?b=c&d=1"),
    contact=_words,
    parameter=_pairs,
    resources=st.lists(st.builds(Resource, desc=_words, mime_type=_names), max_size=1).map(tuple),
    areas=st.lists(_areas, max_size=2).map(tuple),
)
_alerts = st.builds(
    Alert,
    identifier=_names,
    sender=_names,
    sent=_times,
    status=st.sampled_from(["Actual", "Test", "Exercise"]),
    msg_type=st.sampled_from(["Alert", "Update"]),
    scope=st.just("Public"),
    addresses=st.lists(_names, max_size=2).map(tuple),
    code=st.lists(_names, max_size=2).map(tuple),
    note=_words,
    source=_words,
    references=st.lists(st.builds(Reference, _names, _names, _times), max_size=2).map(tuple),
    incidents=st.lists(_names, max_size=2).map(tuple),
    infos=st.lists(_infos, min_size=1, max_size=2).map(tuple),
)


@given(_alerts)
@settings(max_examples=250, derandomize=True, deadline=None)
@pytest.mark.long
def test_whatever_is_written_means_the_same_when_read(model):
    """Any model the writer accepts: read, written and read again it means the same, in the same place."""
    try:
        first = write(model)
    except Refused:
        return
    before = one(first)
    after = one(write(before))
    assert meaning(before) == meaning(after)
    assert fingerprint(replace(before, infos=())) == fingerprint(replace(after, infos=()))
    assert [i.description for i in before.infos] == [i.description for i in after.infos]
    here, there = geometry(before), geometry(after)
    assert here.geocodes == there.geocodes
    assert (here.geom is None) == (there.geom is None)
    if here.geom is not None and there.geom is not None:
        assert here.geom.symmetric_difference(there.geom).area < 1e-9


def test_numbers_are_written_without_exponents():
    """A corner a hair off the equator stays a number every reader knows."""
    ring = ((1e-7, 110.0), (0.1, 110.0), (0.1, 110.25), (1e-7, 110.0))
    before = one(alert())
    model = replace(before, infos=(replace(before.infos[0], areas=(Area("x", (ring,)),)),))
    assert ["0.0000001,110 0.1,110 0.1,110.25 0.0000001,110"] == texts(write(model), "polygon")
