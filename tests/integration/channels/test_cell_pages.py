"""Pages of a cell broadcast, read by somebody else's decoder; and which identifier a warning gets, by a country's table."""

from __future__ import annotations

import asyncio
import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.channels.messages.cap_document import CapDocument, DocumentArea, DocumentInfo
from services.channels.messages.cell_broadcast_identifiers import Profile, identifier, is_of_a_drill, serial_number
from services.channels.messages.cell_broadcast_pages import GSM7, UCS2, Coded, code
from tools.peers.table import Told

PEERS = Path(__file__).parents[3] / "tools" / "peers"
ZH = "清水县应急局:山洪红色。南岭镇河东、下湾。现在离家,步行往高处到南岭学校,不要过水。"
EN = "Qingshui County: flash flood. Leave now, uphill to Nanling School. Do not cross water. {1} [2] €5. "
TEXTS = [
    EN.strip(),
    EN * 9,
    "a" * 93,
    "a" * 94,
    "€" * 46 + "a",
    "a" * 92 + "€",
    "@",
    ZH,
    ZH * 4,
    "水" * 41,
    "水" * 42,
    "Ünïcode ő",
]


def their_reading(all_coded: list[Coded]) -> list[str]:
    """What node-pdu makes of the pages, with the filling taken off."""
    said = [{"scheme": one.scheme, "pages": [p.hex() for p in one.pages]} for one in all_coded]
    done = subprocess.run(
        ["node", str(PEERS / "cbs.js")], input=json.dumps(said), capture_output=True, text=True, timeout=30, check=True
    )
    return ["".join(page.rstrip("\r") for page in pages) for pages in json.loads(done.stdout)]


async def test_somebody_elses_decoder_reads_what_was_written(peer: Told) -> None:
    """GSM-7 with escapes at a page's edge, UCS-2: the text, and nothing but the text."""
    coded = [code(text) for text in TEXTS]
    assert [one.text for one in coded] == await asyncio.to_thread(their_reading, coded)
    assert [" ".join(t.split()) for t in TEXTS] == [one.text for one in coded]
    assert [2, 11, 1, 2, 1, 2, 1, 2, 5, 1, 2, 1] == [len(one.pages) for one in coded]
    assert {"gsm": GSM7, "ucs": UCS2} == {"gsm": coded[0].scheme, "ucs": coded[7].scheme}
    peer("cell_broadcast", "npm node-pdu 2.1.1", f"{len(TEXTS)} texts in pages of GSM-7 and UCS-2")


@given(st.text(max_size=1600))
def test_whatever_the_text_it_is_at_most_fifteen_pages_of_82_octets(text: str) -> None:
    """And only signs a phone of 1995 has; a short text is kept whole."""
    found = code(text)
    assert len(found.pages) <= 15
    assert all(len(page) == 82 for page in found.pages)
    assert all(ord(c) < 0x10000 for c in found.text)
    assert found.scheme in (GSM7, UCS2)


def test_a_long_text_ends_with_a_whole_sentence_and_signs_beyond_the_bmp_are_left_out() -> None:
    """Sixteen pages of sentences become fifteen; one endless sentence is cut."""
    found = code(EN * 20)
    assert (15, True) == (len(found.pages), found.text.endswith("."))
    assert found.text == (EN * 20)[: len(found.text)]
    assert 15 == len(code("水" * 700).pages)
    assert "Leave now" == code("Leave \U0001f30a now").text


def info(severity: str = "Extreme", urgency: str = "Immediate", certainty: str = "Observed") -> DocumentInfo:
    return DocumentInfo("en", urgency, severity, certainty)


def document(tier: str = "orange", status: str = "Actual", msg_type: str = "Alert") -> CapDocument:
    block = replace(info(), parameters={"tocsin:tier": tier})
    return CapDocument("A-1", "s", datetime(2026, 1, 1, tzinfo=UTC), status, msg_type, (block,), DocumentArea())


TABLE = [
    # tier, severity, urgency, certainty > wea, eu_alert, uk
    ("red", "Extreme", "Immediate", "Observed", 4371, 4370, 4370),
    ("orange", "Extreme", "Immediate", "Observed", 4371, 4371, 4378),
    ("orange", "Extreme", "Immediate", "Likely", 4372, 4372, 4378),
    ("red", "Extreme", "Expected", "Observed", 4373, 4373, 4378),
    ("red", "Extreme", "Expected", "Likely", 4374, 4374, 4378),
    ("red", "Severe", "Immediate", "Observed", 4375, 4375, 4378),
    ("orange", "Severe", "Immediate", "Likely", 4376, 4376, 4378),
    ("orange", "Severe", "Expected", "Observed", 4377, 4377, 4378),
    ("orange", "Severe", "Expected", "Likely", 4378, 4378, 4378),
    ("red", "Unknown", "Unknown", "Unknown", 4374, 4374, 4378),
    ("orange", "Severe", "Unknown", "Unknown", 4378, 4378, 4378),
    ("orange", "Severe", "Future", "Possible", 4378, 4378, 4378),
    ("yellow", "Severe", "Future", "Likely", 4396, 4396, 4378),
    ("red", "Extreme", "Past", "Observed", 4396, 4396, 4378),
]


@pytest.mark.parametrize(("tier", "severity", "urgency", "certainty", "wea", "eu", "uk"), TABLE)
def test_the_identifier_follows_all_three_codes_and_the_tier(
    tier: str, severity: str, urgency: str, certainty: str, wea: int, eu: int, uk: int
) -> None:
    """By each country's table; another language is thirteen further (a public safety message one)."""
    of, block = document(tier), info(severity, urgency, certainty)
    for profile, expected in (("wea", wea), ("eu_alert", eu), ("uk", uk)):
        chosen: Profile = profile  # type: ignore[assignment]
        assert expected == identifier(chosen, of, block, first=True)
        other = identifier(chosen, of, block, first=False)
        assert (expected + 1 if expected == 4396 else expected + 13) == other


@pytest.mark.parametrize(
    ("profile", "status", "first", "other"),
    [
        ("wea", "Exercise", 4381, 4394), ("wea", "Test", 4380, 4393), ("eu_alert", "Exercise", 4381, 4394),
        ("eu_alert", "Test", 4380, 4393), ("uk", "Exercise", 4380, 4393), ("uk", "Test", 4380, 4393),
    ],
)  # fmt: skip
def test_a_drill_has_the_identifiers_of_drills_alone(profile: Profile, status: str, first: int, other: int) -> None:
    """Whatever its codes and tier; and nothing that is Actual ever has one of them."""
    for tier, severity, urgency, certainty, *_ in TABLE:
        block = info(severity, urgency, certainty)
        assert first == identifier(profile, document(tier, status), block, first=True)
        assert other == identifier(profile, document(tier, status), block, first=False)
        for kind in ("Alert", "Update", "Cancel"):
            for at in (True, False):
                assert not is_of_a_drill(identifier(profile, document(tier, "Actual", kind), block, first=at))
    assert all(map(is_of_a_drill, (first, other)))


def test_a_serial_number_is_the_documents_and_the_languages() -> None:
    """The same on every route and every try, another for another language; PLMN wide, update number 0."""
    found = [serial_number(name, place) for name in ("tocsin-1", "tocsin-2") for place in (0, 1)]
    assert found == [serial_number(name, place) for name in ("tocsin-1", "tocsin-2") for place in (0, 1)]
    assert 4 == len(set(found))
    assert {(1, 0)} == {(number >> 14, number & 15) for number in found}
