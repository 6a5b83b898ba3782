"""Real and official alerts, and files of one defect each, from the place TOCSIN_CAP_CORPUS names."""

from __future__ import annotations

import os
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from lxml import etree

from services.gateway.cap import (
    Alert,
    KnownMessage,
    geometry,
    meaning,
    place,
    read,
    sign,
    verify,
    write,
)
from tests.kit.cap_keys import pair

CORPUS = Path(os.environ["TOCSIN_CAP_CORPUS"])
ALERTS = sorted((CORPUS / "alerts").glob("*.xml"))
INVALID = sorted(path for path in (CORPUS / "invalid").iterdir() if path.is_file())
SCHEMA = CORPUS / "CAP-v1.2.xsd"
SECONDS = 1.0

# File: the defects that must be found, then the verdict when tolerant and when strict.
ONE_DEFECT: dict[str, tuple[set[str], str, str]] = {
    "bidi-override-in-event": ({"bidi_characters"}, "repair", "reject"),
    "billion-laughs": ({"doctype"}, "reject", "reject"),
    "cancel-empty-references": ({"empty_element", "cancel_without_references"}, "quarantine", "reject"),
    "ceiling-below-altitude": ({"ceiling_below"}, "repair", "reject"),
    "ceiling-without-altitude": ({"ceiling_alone"}, "repair", "reject"),
    "circle-huge-radius": ({"circle_huge"}, "quarantine", "reject"),
    "circle-negative-radius": ({"circle_negative"}, "quarantine", "reject"),
    "circle-no-radius": ({"circle_no_radius", "marker_used"}, "repair", "reject"),
    "duplicate-identifier-element": ({"repeated_required"}, "reject", "reject"),
    "empty": ({"empty"}, "reject", "reject"),
    "event-5000-chars": ({"text_too_long"}, "quarantine", "reject"),
    "expires-before-sent": ({"expires_before_sent"}, "quarantine", "reject"),
    "external-dtd": ({"doctype"}, "reject", "reject"),
    "html-instead-of-xml": ({"not_cap"}, "reject", "reject"),
    "identifier-comma": ({"identifier_characters"}, "repair", "reject"),
    "identifier-space": ({"identifier_characters"}, "repair", "reject"),
    "language-underscore": ({"language_tag"}, "repair", "reject"),
    "latin1-undeclared": ({"encoding_broken"}, "repair", "reject"),
    "no-namespace": ({"namespace_wrong"}, "repair", "reject"),
    "polygon-3-pairs": ({"polygon_flat_alone"}, "quarantine", "reject"),
    "polygon-comma-separated": ({"polygon_format"}, "repair", "reject"),
    "polygon-lonlat-swapped": ({"swapped"}, "repair", "reject"),
    "polygon-nan": ({"polygon_unreadable"}, "quarantine", "reject"),
    "polygon-open": ({"polygon_open"}, "repair", "reject"),
    "polygon-self-intersecting": ({"polygon_crossing"}, "repair", "repair"),
    "private-no-addresses": ({"addresses_missing"}, "quarantine", "reject"),
    "references-not-triple": ({"reference_unreadable"}, "repair", "reject"),
    "references-self": ({"reference_self"}, "repair", "reject"),
    "restricted-no-restriction": ({"restriction_missing"}, "quarantine", "reject"),
    "restriction-on-public": ({"restriction_on_other"}, "quarantine", "reject"),
    "sender-space": ({"identifier_characters"}, "repair", "reject"),
    "sent-Z": ({"time_zulu"}, "quarantine", "reject"),  # read as UTC, it is sent after it expires
    "sent-comma-offset": ({"time_sign"}, "quarantine", "reject"),
    "sent-fraction": ({"time_fraction"}, "repair", "reject"),
    "sent-month13": ({"sent_unreadable"}, "reject", "reject"),
    "sent-no-offset": ({"time_no_offset"}, "quarantine", "reject"),
    "severity-Major": ({"code_unknown"}, "repair", "reject"),
    "severity-lowercase": ({"code_case"}, "repair", "reject"),
    "truncated": ({"not_xml"}, "reject", "reject"),
    "update-no-references": ({"references_missing"}, "repair", "reject"),
    "utf16": (set(), "accept", "accept"),  # legal XML, only rare
    "wrong-namespace": ({"namespace_wrong"}, "repair", "reject"),
    "xxe-file": ({"doctype"}, "reject", "reject"),
}
FOUND_IN_THE_WILD: dict[str, tuple[set[str], str]] = {
    "bf-wmo-im-invalid_signature": ({"signed"}, "accept"),  # the signature is judged apart
    "bz-wmo-im-invalid_digest": ({"signed"}, "accept"),
    "ca-google-canada_errors": ({"empty_element", "references_missing"}, "repair"),
    "cm-wmo-im-invalid_schema": ({"missing_required"}, "reject"),
    "gb-defra-getMessage-invalid": ({"reference_self", "area_desc_missing"}, "repair"),
    "malformed-earthquake": ({"encoding_broken"}, "repair"),
    "tw-kelvinn-invalid_xmlns": ({"namespace_wrong"}, "repair"),
    "us-google-noaa_errors": ({"code_missing"}, "repair"),
    "us-google-xee": ({"doctype"}, "reject"),
}


def codes(reading) -> set[str]:
    return {finding.code for finding in reading.findings}


def test_at_least_95_of_100_real_alerts_are_accepted_or_repaired():
    """A missing expiry, codes without a table and the like are repaired with a note, not held."""
    verdicts = Counter(read(path.read_bytes()).verdict for path in ALERTS)
    assert len(ALERTS) >= 135
    assert verdicts["accept"] + verdicts["repair"] >= 0.95 * len(ALERTS), verdicts
    assert 0 == verdicts["reject"]


@pytest.mark.parametrize("name", ONE_DEFECT)
def test_a_file_of_one_defect_is_found_out(name):
    """The defect by name, and both verdicts."""
    (path,) = [path for path in INVALID if path.stem == f"authored-{name}"]
    defects, tolerant, strict = ONE_DEFECT[name]
    for mode, verdict in ((False, tolerant), (True, strict)):
        start = time.process_time()
        reading = read(path.read_bytes(), strict=mode)
        assert time.process_time() - start < SECONDS
        assert verdict == reading.verdict
        if not mode:
            assert defects <= codes(reading)


@pytest.mark.parametrize("name", FOUND_IN_THE_WILD)
def test_faulty_files_from_the_wild(name):
    """What validators' own test sets hold."""
    (path,) = [path for path in INVALID if path.name.startswith(name)]
    defects, verdict = FOUND_IN_THE_WILD[name]
    reading = read(path.read_bytes())
    assert verdict == reading.verdict
    assert defects <= codes(reading)


def test_no_faulty_file_is_left_out():
    """Every file of the folder stands in one of the two tables."""
    known = {f"authored-{name}" for name in ONE_DEFECT}
    rest = [path.name for path in INVALID if path.stem not in known]
    assert len(FOUND_IN_THE_WILD) == len(rest)


@pytest.fixture(scope="module")
def read_alerts() -> list[tuple[str, Alert]]:
    return [(path.name, one) for path in (*ALERTS, *INVALID) for one in read(path.read_bytes()).alerts]


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(SCHEMA)))


@pytest.mark.long
def test_what_we_write_is_valid_by_the_official_schema_and_means_the_same(read_alerts, schema):
    """The round trip of every real alert: read, written, read; same meaning, same area, same words."""
    for name, before in read_alerts:
        if before.msg_type == "Cancel" and not before.references:
            continue  # parked, never passed on
        data = write(before)
        assert schema.validate(etree.fromstring(data)), f"{name}: {schema.error_log}"
        after = read(data).alerts[0]
        assert meaning(before) == meaning(after), name
        assert [(i.event, i.headline, i.description, i.instruction) for i in before.infos] == [
            (i.event, i.headline, i.description, i.instruction) for i in after.infos
        ], name
        here, there = geometry(before), geometry(after)
        assert here.geocodes == there.geocodes, name
        assert (here.geom is None) == (there.geom is None), name
        if here.geom is not None and there.geom is not None:
            assert here.geom.symmetric_difference(there.geom).area < 1e-9, name


@pytest.mark.long
def test_written_twice_is_written_the_same(read_alerts):
    """The second writing changes no byte."""
    for name, before in read_alerts[::5]:
        if before.msg_type != "Cancel" or before.references:
            once = write(before)
            assert once == write(read(once).alerts[0]), name


def test_signed_alerts_are_still_valid_by_the_schema(tmp_path):
    """xmllint, with the official schema, on an alert with our signature in it."""
    key, cert = pair("Qingshui")
    path = next(path for path in ALERTS if path.name.startswith("sc-wmo"))
    data = sign(write(read(path.read_bytes()).alerts[0]), key, cert)
    (tmp_path / "signed.xml").write_bytes(data)
    subprocess.run(
        ["xmllint", "--noout", "--nonet", "--schema", str(SCHEMA), str(tmp_path / "signed.xml")],
        check=True,
        capture_output=True,
        timeout=30,
    )


def test_foreign_signatures_are_said_and_never_verified_without_a_pin(read_alerts):
    """No certificate of theirs is ours, so none verifies; none of the alerts is refused for it."""
    states = Counter(verify(one.raw, [], at=one.sent).state for _, one in read_alerts if one.signed)
    assert states.total() >= 19
    assert {"unverifiable", "wrong"} >= set(states)


def test_no_reading_takes_longer_than_a_second():
    """Also the largest: 1.7 MB, 93,000 corners."""
    for path in ALERTS:
        data = path.read_bytes()
        start = time.process_time()
        read(data)
        assert time.process_time() - start < SECONDS, path.name


@pytest.mark.parametrize(
    ("start", "source", "tier", "ending", "nothing"),
    [
        ("be-wmo-im", "MeteoAlarm", "held", False, True),  # green: nothing to warn of, though its severity is Moderate
        ("il-kde", "MeteoAlarm", "yellow", False, False),  # though its severity is Severe
        ("de-kde-mow", "MoWaS", "blue", True, False),  # an all-clear sent as Extreme and Immediate
        ("ph-sahana-TropicalCyclone20150806", "default", "blue", False, False),
        ("us-google-wcatwc", "NWS/IPAWS", "red", False, False),
        ("us-alphagov", "NWS/IPAWS", "blue", True, False),  # a cancellation sent as Update
        ("mx-kelvinn-mexico-044c3c", "Mexico", "orange", False, False),  # its three codes are Unknown
        ("mx-kelvinn-mexico-0bef6f", "Mexico", "held", False, False),  # and no traffic light
        ("tw-tasi788-fifows_heat", "Taiwan", "orange", False, False),
        ("tw-tasi788-dgpa", "Taiwan", "blue", False, False),  # schools closed, sent as Extreme and Immediate
        ("gb-alphagov-sample_cap_xml_documents-c95db0", "UK floods", "red", False, False),
        ("se-kelvinn-sweden-bd4a79", "default", "held", False, False),
    ],
)
def test_meanings_of_known_alerts(start, source, tier, ending, nothing):
    """What a source's own level, an all-clear, a notice and Unknown come to, in alerts that were sent."""
    (path,) = [path for path in ALERTS if path.name.startswith(start)]
    sense = meaning(read(path.read_bytes()).alerts[0])
    word = sense.tier.word if sense.tier else "held"
    assert (source, tier, ending, nothing) == (sense.source, word, sense.ending, sense.nothing_to_warn)


@pytest.mark.parametrize(
    ("start", "kind"), [("us-kde-thunderstorm", "duplicate"), ("us-kelvinn-NOAA_MultiplePolygons", "reused")]
)
def test_the_same_message_from_two_places(start, kind):
    """The same words in another order of elements are a duplicate; an onset ten seconds later is another content."""
    first, second = (read(path.read_bytes()).alerts[0] for path in ALERTS if path.name.startswith(start))
    assert (first.key, True) == (second.key, first.sha256 != second.sha256)
    assert kind == place(KnownMessage.of(second, second.sent), [KnownMessage.of(first, first.sent)]).kind
