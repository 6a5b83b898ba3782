"""The reader: where alerts are found, how bytes become text, what is kept as it was, what a bad neighbour changes."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone
from html import escape
from pathlib import Path

import pytest

from services.gateway.cap import FEED, Reference, read
from tests.kit.cap_build import NS, alert, bare, info

HERE = Path(__file__).parents[2] / "kit" / "cap"


def identifiers(data: bytes) -> list[str]:
    return [found.identifier for found in read(data).alerts]


def test_reads_every_field_of_a_whole_alert():
    """A Chinese and an English block, codes, parameters, a resource, a polygon, a circle and a geocode."""
    reading = read((HERE / "flood-zh-en.xml").read_bytes(), strict=True)
    assert ("accept", 1) == (reading.verdict, len(reading.alerts))
    one = reading.alerts[0]
    assert ("QS-2026-4721-2", "duty@qingshui.example", "Update") == (one.identifier, one.sender, one.msg_type)
    assert datetime(2026, 7, 9, 22, 40, tzinfo=timezone(timedelta(hours=8))) == one.sent
    assert (Reference("duty@qingshui.example", "QS-2026-4721-1", datetime(2026, 7, 9, 10, 0, tzinfo=UTC)),) == (
        one.references
    )
    assert ("Nanling 2026",) == one.incidents
    zh, en = one.infos
    assert ("zh-CN", "山洪", "en-GB", "Flash flood") == (zh.language, zh.event, en.language, en.event)
    assert (("SAME", "FFW"), ("example:hazard", "flash-flood")) == en.event_code
    assert (("river", "Qingshui"), ("river", "Donghe")) == en.parameter
    assert ("Met", "Safety") == en.category
    assert ("Evacuate", "Prepare") == en.response_type
    resource = en.resources[0]
    assert ("map", "image/png", 3, "https://qingshui.example/4721.png") == (
        resource.desc,
        resource.mime_type,
        resource.size,
        resource.uri,
    )
    area = en.areas[0]
    assert (((30.1, 110.1), (30.1, 110.2), (30.2, 110.2), (30.1, 110.1)),) == area.polygons
    assert ((30.15, 110.3, 1.5),) == area.circles
    assert (("CPEAS", "420000000000"),) == area.geocodes
    assert (300.0, 900.0) == (area.altitude, area.ceiling)


def test_keeps_the_bytes_and_their_hash():
    """`raw` of an alert that is the whole file is the file, byte for byte, and the hash is of it."""
    data = b"\xef\xbb\xbf" + alert()
    one = read(data).alerts[0]
    assert data == one.raw
    assert hashlib.sha256(data).hexdigest() == one.sha256


@pytest.mark.parametrize(
    ("envelope", "expected"),
    [
        ("<feed xmlns='http://www.w3.org/2005/Atom'><entry><content type='text/xml'>{0}</content></entry></feed>", 1),
        ("<feed xmlns='http://www.w3.org/2005/Atom'><entry><content type='html'>{1}</content></entry></feed>", 1),
        ("<rss><channel><item>{0}</item><item>{2}</item></channel></rss>", 2),
        ("<rss><channel><item><description><![CDATA[{0}]]></description></item><item>{2}</item></channel></rss>", 2),
        (
            (
                "<EDXLDistribution xmlns='urn:oasis:names:tc:emergency:EDXL:DE:1.0'><contentObject><xmlContent>"
                "<embeddedXMLContent>{0}</embeddedXMLContent></xmlContent></contentObject></EDXLDistribution>"
            ),
            1,
        ),
        ("<alerts>{0}{2}</alerts>", 2),
        ("<x:any xmlns:x='urn:example'><x:deep><x:er>{0}</x:er></x:deep></x:any>", 1),
    ],
)
def test_finds_alerts_inside_envelopes(envelope, expected):
    """Atom, RSS, EDXL-DE, lists and unknown wrappers, as elements or written out as text; in their order."""
    first, second = bare(alert()), bare(alert(identifier="TEST-2"))
    data = envelope.format(first, escape(first), second).encode()
    assert ["TEST-1", "TEST-2"][:expected] == identifiers(data)


def test_an_alert_in_an_envelope_has_raw_bytes_of_its_own():
    """They parse alone and read the same."""
    one = read(f"<alerts>{bare(alert())}</alerts>".encode()).alerts[0]
    again = read(one.raw).alerts[0]
    assert (one.identifier, one.infos) == (again.identifier, again.infos)


def test_any_prefix_reads_the_same():
    """`cap:alert` and a default namespace are one thing."""
    text = bare(alert())
    for tag in ("alert", "info", "area", "areaDesc", "polygon", *[k for k in text.split("<") if k[:1].isalpha()]):
        name = tag.split(">")[0].split()[0]
        text = text.replace(f"<{name}>", f"<cap:{name}>").replace(f"</{name}>", f"</cap:{name}>")
    text = text.replace(f'<alert xmlns="{NS}">', f'<cap:alert xmlns:cap="{NS}">')
    assert "<cap:severity>" in text
    assert read(alert()).alerts[0].infos == read(text.encode()).alerts[0].infos


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030", "big5", "iso-8859-1", "windows-1251"])
def test_declared_encodings(encoding):
    """The declared encoding is used; UTF-16 by its byte order mark."""
    word = {"iso-8859-1": "Überschwemmung", "windows-1251": "Наводнение"}.get(encoding, "山洪")
    text = alert(info(event=word)).decode().replace("UTF-8", encoding)
    reading = read(text.encode(encoding))
    assert ("accept", word) == (reading.verdict, reading.alerts[0].infos[0].event)


def test_bytes_that_do_not_fit_are_read_as_well_as_possible():
    """Undeclared Latin-1 is read as that; a few broken bytes in Chinese leave the rest Chinese."""
    western = read(alert(info(senderName="Zürich")).decode().encode("latin-1")).alerts[0]
    assert "Zürich" == western.infos[0].sender_name
    chinese = alert(info(event="山洪暴发请马上转移")).replace("暴".encode(), "暴".encode()[:2])
    assert read(chinese).alerts[0].infos[0].event.startswith("山洪")


def test_a_declaration_of_another_programs_encoding_is_seen_through():
    """A file that says UTF-16 and is not."""
    reading = read(alert().replace(b"UTF-8", b"UTF-16"))
    assert ("repair", "TEST-1") == (reading.verdict, reading.alerts[0].identifier)


def test_text_of_nested_markup_and_comments():
    """Words within elements within a text are kept; comments are not words."""
    reading = read(alert(info(description="<t><a>Wind</a><b>30 m/s</b></t>", event="Flash <!-- old -->flood")))
    block = reading.alerts[0].infos[0]
    assert ("Wind\n30 m/s", "Flash flood") == (block.description, block.event)


def test_a_bad_neighbour_stops_nobody():
    """Of three alerts one is refused: the others are read, each with its own verdict."""
    texts = (bare(alert()), bare(alert(identifier="BAD", sent="soon")), bare(alert(info(expires=None), identifier="C")))
    reading = read(f"<alerts>{''.join(texts)}</alerts>".encode())
    assert ["TEST-1", "C"] == [one.identifier for one in reading.alerts]
    assert "reject" == reading.verdict
    assert ["accept", "repair"] == [reading.verdict_on(one) for one in reading.alerts]
    assert {0: "enveloped", 2: "expires_missing"}[2] in {f.code for f in reading.findings_of(reading.alerts[1])}


def test_a_wrapped_copy_is_not_taken_for_the_alert():
    """Signature wrapping: an alert inside a signature object is never read, and a person is told."""
    inner = bare(alert(identifier="EVIL"))
    data = alert(more=f'<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><Object>{inner}</Object></Signature>')
    reading = read(data)
    assert (["TEST-1"], "quarantine") == ([one.identifier for one in reading.alerts], reading.verdict)


def test_elements_of_other_namespaces_are_not_ours():
    """A foreign `severity` is left out, not read."""
    data = alert(info(more='<severity xmlns="urn:other">Extreme</severity>'))
    assert "Severe" == read(data).alerts[0].infos[0].severity


def test_addresses_and_incidents_with_spaces():
    """Quoted items are one item."""
    one = read(alert(more='<addresses>a@x "Castelo Branco" b@x</addresses><incidents>"Lushan 7.0" k2</incidents>'))
    assert (("a@x", "Castelo Branco", "b@x"), ("Lushan 7.0", "k2")) == (
        one.alerts[0].addresses,
        one.alerts[0].incidents,
    )


def test_references_in_every_way_they_are_written():
    """Several, with line breaks, with spaces inside an identifier, without a time, as an identifier alone."""
    more = (
        "<references>a@x,ID-1,2026-07-09T14:00:00+08:00\n\t b@x,ID 2,2026-07-09T06:30:00-00:00 "
        "c@x,ID-3,yesterday lone-4</references>"
    )
    one = read(alert(more=more, msgType="Update")).alerts[0]
    assert [
        ("a@x", "ID-1", datetime(2026, 7, 9, 6, 0, tzinfo=UTC)),
        ("b@x", "ID_2", datetime(2026, 7, 9, 6, 30, tzinfo=UTC)),
        ("c@x", "ID-3", None),
        ("", "lone-4", None),
    ] == [(ref.sender, ref.identifier, ref.sent) for ref in one.references]


def test_strict_takes_one_alert_within_narrow_limits():
    """What is pushed: 256 KiB and one alert; a feed may be larger and hold many."""
    big = alert(info(description="water " * 60_000))
    assert ("reject", "too_big") == (read(big, strict=True).verdict, read(big, strict=True).findings[0].code)
    two = f"<alerts>{bare(alert())}{bare(alert(identifier='B'))}</alerts>".encode()
    assert "reject" == read(two, strict=True).verdict
    assert "reject" == read(big, strict=True, limits=FEED).verdict
    assert 2 == len(read(two).alerts)


def test_an_offset_may_be_given_for_a_source_that_writes_none():
    """The caller who knows the source says its offset."""
    reading = read(alert(sent="2026-07-09T15:00:00"), assume=timedelta(hours=9))
    assert datetime(2026, 7, 9, 6, 0, tzinfo=UTC) == reading.alerts[0].sent
    assert "repair" == reading.verdict
