"""Hostile and broken bytes: every one has an answer of ours, in time, and nothing is fetched or opened for it."""

from __future__ import annotations

import random
import socket
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.gateway.cap import FEED, PUSH, Reading, geometry, meaning, read, verify, write
from services.gateway.cap.model import Alert
from services.shared.errors import Refused
from tests.kit.cap_build import NS, alert, bare, info
from tests.unit.cap.test_rules import CASES

WHOLE = (Path(__file__).parents[2] / "kit" / "cap" / "flood-zh-en.xml").read_bytes()
SEEDS = [WHOLE, alert(), f"<feed><entry>{bare(alert())}</entry></feed>".encode(), *(data[:4000] for _, data in CASES)]
SECONDS = 1.0


def take(data: bytes, *, strict: bool = False) -> Reading:
    """All we do with a file, within the time it may take; only our own results and refusals come out."""
    start = time.process_time()
    reading = read(data, strict=strict)
    assert time.process_time() - start < SECONDS
    assert isinstance(reading, Reading)
    assert reading.findings or "accept" == reading.verdict
    for one in reading.alerts:
        _use(one)
    assert time.process_time() - start < 4 * SECONDS
    return reading


def _use(one: Alert) -> None:
    assert one.sent.tzinfo is not None
    sense = meaning(one)
    assert sense.expires.tzinfo is not None
    shape = geometry(one)
    assert shape.geom is None or shape.geom.is_valid
    verify(one.raw, [], at=one.sent)
    # What cannot be written is refused in so many words; what can be is read again.
    with suppress(Refused):
        assert 1 == len(read(write(one)).alerts)


def doctyped(inside: str, event: str = "x") -> bytes:
    return f'<?xml version="1.0"?>\n<!DOCTYPE alert {inside}>\n{bare(alert(info(event=event)))}'.encode()


BOMBS = {
    "billion laughs": doctyped(
        '[<!ENTITY a "ha">' + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in ("ab", "bc", "cd", "de")) + "]",
        "&e;",
    ),
    "quadratic blow-up": doctyped(f'[<!ENTITY a "{"a" * 50_000}">]', "&a;" * 1000),
    "external entity": doctyped('[<!ENTITY x SYSTEM "file:///etc/hostname">]', "&x;"),
    "external subset": doctyped('SYSTEM "http://127.0.0.1:9/x.dtd"'),
    "parameter entity": doctyped('[<!ENTITY % x SYSTEM "http://127.0.0.1:9/x">%x;]'),
    "doctype behind a comment": b"<!-- a --><?p i?>\n<!-- b -->" + doctyped("[]").split(b"\n", 1)[1],
    "doctype in UTF-16": doctyped("[]").decode().replace("?>", ' encoding="UTF-16"?>', 1).encode("utf-16"),
    "deep": b"<a>" * 200_000,
    "deep and closed": b"<a>" * 30_000 + b"</a>" * 30_000,
    "wide": b"<alert>" + b"<x/>" * 400_000 + b"</alert>",
    "attributes": b"<alert " + b" ".join(b'a%d=""' % n for n in range(150_000)) + b"/>",
    "namespaces": b"<alert " + b" ".join(b'xmlns:a%d="b"' % n for n in range(90_000)) + b"/>",
    "one long text": alert(info(description="a" * 1_900_000)),
    "many escapes": alert(info(description="&amp;amp;" * 200_000)),
    "many unclosed tags": alert(info(description="&lt;a href=" * 100_000)),
    "many comments in text": alert(info(description="&lt;!--" * 200_000)),
    "nested tags in text": alert(info(description="&lt;b" * 60_000 + "&gt;" * 60_000)),
    "many blanks": alert(info(description=" " * 1_900_000)),
    "many references": alert(msgType="Update", more=f"<references>{'a,b,c ' * 300_000}</references>"),
    "commas for references": alert(msgType="Update", more=f"<references>{',' * 1_900_000}</references>"),
    "many codes": alert(more="<code>x</code>" * 50_000),
    "many parameters": alert(info(more="<parameter><valueName>a</valueName><value>b</value></parameter>" * 19_000)),
    "many areas": alert(info("</area><area>".join(["<areaDesc>x</areaDesc><circle>1,1 1</circle>"] * 15_000))),
    "many infos": alert(info() * 2000),
    "many alerts": f"<alerts>{bare(alert()) * 2000}</alerts>".encode(),
    "alerts in alerts": f"<alert xmlns='{NS}'>".encode() * 5000,
    "text in text in text": b"<feed><content>" + b"&lt;feed&gt;&lt;content&gt;" * 30_000 + b"</content></feed>",
    "quotes": alert(more=f"<addresses>{chr(34) * 1_900_000}</addresses>"),
    "digits": alert(sent="2" * 1_900_000),
    "a polygon of digits": alert(info(f"<areaDesc>x</areaDesc><polygon>{'1' * 1_900_000}</polygon>")),
    "a polygon of commas": alert(info(f"<areaDesc>x</areaDesc><polygon>{',' * 1_900_000}</polygon>")),
    "a polygon of dots": alert(info(f"<areaDesc>x</areaDesc><polygon>{'1. ' * 600_000}</polygon>")),
    "huge numbers": alert(info("<areaDesc>x</areaDesc><polygon>1e308,1e308 -1e308,0 0,1e308 1e308,1e308</polygon>")),
    "entities that are none": alert(info(description="&foo;" * 300_000)),
    "processing instructions": b"<?x y?>" * 250_000 + alert().split(b"\n", 1)[1],
    "unclosed comment": b"<!--" * 400_000,
    "nulls": b"\x00" * 1_000_000,
    "BOM and nothing": b"\xff\xfe",
    "half a UTF-16 character": b"\xff\xfe<\x00a",
    "surrogates": '<?xml version="1.0" encoding="UTF-16"?><alert>'.encode("utf-16") + b"\x00\xd8" * 1000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_answered_in_time(name):
    """Within a second of CPU, by either reader; those with a document type declaration before they are parsed."""
    data = BOMBS[name]
    for strict in (False, True):
        reading = take(data, strict=strict)
        if b"DOCTYPE" in data or name == "doctype in UTF-16":
            assert ["doctype"] == [finding.code for finding in reading.findings]


def test_within_the_limits_of_a_push_a_bomb_is_smaller_still():
    """Every bomb beyond 256 KiB is refused by its size alone."""
    for data in BOMBS.values():
        if len(data) > PUSH.bytes:
            assert "too_big" == read(data, strict=True).findings[0].code


def test_nothing_is_fetched():
    """No address in an alert, a schema, a style sheet or a document type is opened: a listening socket stays alone."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        style = f'<?xml-stylesheet href="{url}"?>'
        include = f'<i xmlns="http://www.w3.org/2001/XInclude" href="{url}"/>'
        file = f"<resource><resourceDesc>a</resourceDesc><mimeType>a/b</mimeType><uri>{url}</uri></resource>"
        text = bare(alert(info(more=f"<web>{url}</web>{file}"), more=include))
        text = text.replace(
            "<alert ",
            f'<alert xmlns:s="http://www.w3.org/2001/XMLSchema-instance" s:schemaLocation="{NS} {url}" ',
        )
        for data in (style + text, f'<!DOCTYPE alert SYSTEM "{url}">{text}'):
            take(data.encode())
        with pytest.raises(TimeoutError):
            server.accept()


def test_no_file_is_opened():
    """An external entity never brings a file's words into an alert."""
    name = Path("/etc/hostname").read_text(encoding="utf-8").strip() if Path("/etc/hostname").exists() else "localhost"
    reading = take(BOMBS["external entity"])
    assert () == reading.alerts
    assert not any(name in finding.message for finding in reading.findings)


def test_findings_are_fit_to_show():
    """One line, short, without control characters, whatever stood in the file."""
    for data in BOMBS.values():
        for finding in read(data).findings:
            assert len(finding.value) <= 120
            assert finding.value.isprintable()


def _broken(seed: bytes, dice: random.Random) -> bytes:
    """The seed with a few bytes or pieces changed, moved, doubled or lost."""
    data = bytearray(seed)
    for _ in range(dice.randint(1, 6)):
        at = dice.randrange(len(data) + 1)
        to = min(len(data), at + dice.choice((1, 1, 2, 8, 60)))
        match dice.randrange(6):
            case 0:
                data[at:to] = dice.randbytes(to - at)
            case 1:
                del data[at:to]
            case 2:
                data[at:at] = data[at:to] * dice.choice((1, 2, 40))
            case 3:
                data[at:at] = dice.choice(
                    (b"<", b"&", b"&#0;", b"<!--", b"]]>", b"\x00", b"\xff", b"<alert>", b"\xe2\x80\xae")
                )
            case 4:
                piece = data[at:to]
                del data[at:to]
                back = dice.randrange(len(data) + 1)
                data[back:back] = piece
            case _:
                data[at:to] = dice.choice((b"NaN", b"1e999", b"-", b",", b"9" * 40, b"\xef\xbf\xbe", "山".encode()))
    return bytes(data)


def test_two_thousand_broken_files_are_all_answered():
    """From a fixed seed: sound and faulty alerts with bytes changed. Nothing but our own results, none slow."""
    dice = random.Random(4721)
    seen: dict[str, int] = {}
    for n in range(2000):
        verdict = take(_broken(dice.choice(SEEDS), dice), strict=n % 4 == 0).verdict
        seen[verdict] = seen.get(verdict, 0) + 1
    assert {"accept", "repair", "quarantine", "reject"} == set(seen)


@given(st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
@settings(max_examples=300, derandomize=True, deadline=None)
def test_any_bytes_are_answered(data):
    """Also those that were never XML."""
    assert take(data).verdict in ("accept", "reject")


_tags = ("info", "area", "polygon", "circle", "geocode", "valueName", "value", "event", "expires", "references", "code")
_tree = st.recursive(
    st.text(alphabet="ab 1,.-<>&山:TZ+", max_size=20).map(lambda t: t.replace("&", "&amp;").replace("<", "&lt;")),
    lambda inner: st.lists(
        st.tuples(st.sampled_from(_tags), inner).map(lambda p: f"<{p[0]}>{p[1]}</{p[0]}>"), max_size=4
    ).map("".join),
    max_leaves=12,
)


@given(_tree, _tree)
@settings(max_examples=400, derandomize=True, deadline=None)
@pytest.mark.long
def test_any_tree_of_cap_elements_is_answered(header, inside):
    """Elements in places where they have no business."""
    take(alert(f"<info>{inside}</info>{header}"))


def test_a_full_alert_at_the_limits_is_read_in_time():
    """The largest a feed may be: 2 MiB of polygons that do not touch."""
    rings = []
    for n in range(900):
        lat, lon = -60 + (n // 30) * 4, -170 + (n % 30) * 11
        rings.append(" ".join(f"{lat + k % 9 / 3:.2f},{lon + k // 9 * 0.2:.2f}" for k in (*range(0, 60, 9), 8, 0)))
    inner = "".join(f"<polygon>{ring}</polygon>" for ring in rings)
    reading = take(alert(info(f"<areaDesc>x</areaDesc>{inner}")))
    assert reading.verdict in ("accept", "repair")
    assert len(reading.alerts[0].raw) < FEED.bytes
