"""Whatever the channel: an authority's sentences go out whole or not at all, its signs as it wrote them, the action first."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from services.channels.drivers.smpp.sms import SmsSmpp
from services.channels.drivers.twilio.voice import VoiceTwilio
from services.channels.drivers.web_push.encryption import MOST_BYTES
from services.channels.drivers.web_push.web_push import payload
from services.channels.messages import sms_encoding
from services.channels.messages.cell_broadcast_pages import code
from services.channels.messages.render import MessageFacts, Rendered, render, segments
from services.channels.model.driver import Outcome
from services.shared.hazards.instructions import told_in
from services.shared.ledger.kinds import DeliveryKind
from services.shared.tiers import Tier
from tests.kit.driving import driving, message
from tests.kit.examples import drawn

# What a sentence may hold, as it is written and as GSM-7 shows it.
CLAUSES = [
    ("water may rise by 1.5 m at St. Mary's hall", ""),
    ("see https://maps.example/r?area=12&region=5&copy=3&not=1 for the map", ""),
    ("the map is at www.example.org/flood", ""),
    ("move before 21.30 and stay until 5 p.m. at the latest", ""),
    ("if the gauge reads <2 m stay upstairs; if it reads >3 m leave at once", ""),
    ("it is 26 °C on the roof", "it is 26 C on the roof"),
    ("say “yes” – or wait…", 'say "yes" - or wait...'),
    ("call 112, not No. 7", ""),
    ("take 0.5 l of water for each of you (e.g. 3 people)", ""),
]
CLAUSES_ZH = [
    ("水深不到1.5米", ""),
    ("21.30前到圣玛丽.堂", ""),
    ("看https://maps.example/r?a=1&b=2", ""),
    ("水位<2米留在楼上;>3米马上走", ""),
]
FORMS = ("plain", "short_plain", "easy_read", "large_print_card", "crawl")


def sentence(n: int, clause: tuple[str, str], chinese: bool) -> tuple[str, str]:
    """With a first and a last word that no other sentence has."""
    made = [f"甲{n}甲{c}乙{n}乙。" if chinese else f"Begin{n}x {c} end{n}x." for c in clause if c]
    return made[0], made[-1]


def warning(sentences: list[tuple[str, str]], places: int, chinese: bool, **more: Any) -> dict[str, Any]:
    language = "zh-CN" if chinese else "en-GB"
    where = ("、" if chinese else ", ").join(f"村{n}" if chinese else f"Low Lane {n}" for n in range(places))
    part = {
        "source": "清水县应急局" if chinese else "Testshire", "tier": "红色" if chinese else "Red", "place": where,
        "hazard": "洪水" if chinese else "River flood", "event": "洪水" if chinese else "Flood", "description": "",
        "time": "10日02:10发。" if chinese else "Sent Wed 02:10, until Mon 7 Dec 18:00.",
        "action": ("" if chinese else " ").join(written for written, _ in sentences),
    }  # fmt: skip
    return {"languages": [language], language: part, **more}


def rendered(parts: dict[str, Any], form: str, **more: Any) -> Rendered:
    given: dict[str, Any] = {"sms": True} | more
    facts = MessageFacts(DeliveryKind.WARNING, "person", form, Tier.RED, parts, "4721", "1234", "12345", **given)
    return render(facts, parts["languages"][0])


def whole(text: str, sentences: list[tuple[str, str]], chinese: bool) -> int:
    """How many sentences are in the text, each whole and in order; AssertionError where a part of one is.

    They are the first ones, or the first ones among those that tell people what to do.
    """
    there = []
    for n, forms in enumerate(sentences):
        begun = (f"甲{n}甲" if chinese else f"Begin{n}x") in text
        ended = (f"乙{n}乙" if chinese else f"end{n}x") in text
        assert begun == ended == any(form in text for form in forms), (forms, text)
        there.append(begun)
    count = sum(there)
    orders = [bool(t.anybody) for f in sentences if (t := told_in(f[0], "zh" if chinese else "en")) is not None]
    of_orders = [kept for kept, order in zip(there, orders, strict=True) if order]
    of_others = [kept for kept, order in zip(there, orders, strict=True) if not order]
    first = there == [True] * count + [False] * (len(there) - count)
    assert first or (not any(of_others) and of_orders == sorted(of_orders, reverse=True)), text
    return count


@settings(max_examples=drawn(40), deadline=None)
@given(
    chosen=st.lists(st.integers(0, 100), min_size=1, max_size=30), places=st.sampled_from([1, 2, 5, 150]),
    chinese=st.booleans(),
)  # fmt: skip
def test_every_channel_says_whole_sentences(chosen: list[int], places: int, chinese: bool) -> None:
    """SMS by its parts, call, mail, card, push, cell broadcast: a whole number of sentences, and the first is among them."""
    clauses = CLAUSES_ZH if chinese else CLAUSES
    sentences = [sentence(n, clauses[one % len(clauses)], chinese) for n, one in enumerate(chosen)]
    parts = warning(sentences, places, chinese)
    part = parts[parts["languages"][0]]
    for form in FORMS:
        text = rendered(parts, form).text
        assert segments(text).count <= 10 or form == "crawl"
        decoded = "".join(sms_encoding.read(p.octets, p.data_coding, p.esm_class) for p in sms_encoding.split(text, 7))
        assert decoded == text
        if form != "crawl":
            for kept in (part["source"], part["time"], "4721", part["place"][:4], "2"):
                assert kept in text
            assert places < 100 or "150" in text or "more" in text
        assert whole(text, sentences, chinese) >= 1
    mail = rendered(parts, "plain", sms=False, link="https://warn.example/a/x")
    assert len(sentences) == whole(mail.text, sentences, chinese)
    assert len(mail.subject) <= 150
    assert len(sentences) == whole(rendered(parts, "large_print", sms=False).text, sentences, chinese)
    spoken = rendered(parts, "plain", sms=False).spoken
    assert whole(spoken, sentences, chinese) >= 1
    pushed = payload(message(text=mail.text * 1, subject=mail.subject))
    assert len(pushed) <= MOST_BYTES
    whole(json.loads(pushed)["body"], sentences, chinese)
    coded = code(part["action"])
    assert len(coded.pages) <= 15
    assert whole(coded.text, sentences, chinese) >= 1


def test_a_text_that_needs_ucs_2_loses_no_action_place_or_time() -> None:
    """Portuguese, Welsh: letters that GSM-7 has not; as many segments as two of GSM-7 hold, and more for the first sentence."""
    action = "Saia já para o ginásio. " + "Não atravesse a água em nenhum ponto do caminho. " * 3
    parts = warning([], 2, False)
    parts["en-GB"] |= {"action": action.strip(), "place": "Vila Nova, São João"}
    text = rendered(parts, "plain").text
    assert "ucs-2" == segments(text).encoding
    assert segments(text).count <= 5
    for kept in ("Saia já para o ginásio.", "Vila Nova, São João", "until Mon 7 Dec 18:00", "4721"):
        assert kept in text


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("26 °C, feels like 31°C", "26 C, feels like 31 C"), ("a slope of 35°", "a slope of 35 deg"),
        ("«Restez» chez vous", '"Restez" chez vous'), ("„Bleiben“ Sie", '"Bleiben" Sie'), ("• Go • Wait", "- Go - Wait"),
        ("5′ 6″", "5' 6\""), ("20 m², 3 m³", "20 m2, 3 m3"), ("1½ m, ½ l", "1 1/2 m, 1/2 l"), ("Alert™ → go", "Alert(TM) -> go"),
        ("non\u2011stop soft\u00adware zero\u200bwidth", "non-stop software zerowidth"),
        ("thin\u2009space\u202fhere", "thin space here"),
        ("≤ 5 m", "<= 5 m"), ("ŷ ŵ", "ŷ ŵ"), ("ŵ 26 °C “x”\u200b \u26a0\ufe0f", "ŵ 26 °C “x”\u200b \u26a0\ufe0f"),
    ],
)  # fmt: skip
def test_a_costly_sign_is_said_by_a_cheap_one(written: str, sent: str) -> None:
    """Where the meaning stays, and only where the whole text then costs less."""
    parts = warning([], 1, False)
    parts["en-GB"]["action"] = f"{written}."
    text = rendered(parts, "plain").text
    assert f"{sent}." in text
    assert ("gsm-7" if sent != written else "ucs-2") == segments(text).encoding


def test_a_sentence_that_no_message_holds_is_not_cut() -> None:
    """Whom to call for it stands there instead; the mail has all of it."""
    parts = warning([], 1, False)
    parts["en-GB"]["action"] = "Do not leave " + "the upper floor and " * 120 + "the house."
    text = rendered(parts, "plain").text
    assert "Do not leave" not in text
    assert "too long for this message: call 12345" in text
    assert parts["en-GB"]["action"] in rendered(parts, "plain", sms=False, link="https://w.example/a/x").text


def test_where_no_link_goes_through_its_sentence_stays_out() -> None:
    """Whole, and never the link out of its middle; where it is all there is, it goes without the link."""
    parts = warning([], 1, False)
    parts["en-GB"]["action"] = "Go up. See https://maps.example/r?a=1. Stay there."
    for more in ({"sms": True}, {"sms": False}):
        done = rendered(parts, "plain", links=False, **more)
        assert "See" not in done.text + done.spoken
        assert "Go up. Stay there." in " ".join(done.text.split())
    parts["en-GB"]["action"] = "Where to go: https://maps.example/r?a=1"
    assert "Where to go:" in rendered(parts, "plain", links=False).text
    assert "http" not in rendered(parts, "plain", links=False).text


def test_a_list_stays_a_list() -> None:
    """Two lines without stops are not made one order; lines broken at their width are one sentence."""
    parts = warning([], 1, False)
    parts["en-GB"]["action"] = (
        "- Stay in\n- Do not drive\nClose windows.\nWater comes fast and may reach the upper road by\nnoon."
    )
    text = rendered(parts, "plain").text
    assert "- Stay in\n- Do not drive\nClose windows. Water comes fast and may reach the upper road by noon." in text


async def test_a_call_keeps_to_what_twilio_takes() -> None:
    """Two minutes of names come after nothing: 150 places are a few and their count; 4,000 characters, of whatever signs."""
    parts = warning([sentence(n, CLAUSES[4], False) for n in range(30)], 150, False)
    parts["en-GB"]["hazard"] = "Flood & storm " * 40
    spoken = rendered(parts, "plain", sms=False).spoken
    assert "more" in spoken
    async with driving(VoiceTwilio) as driver:
        for said in (spoken, spoken * 2, "<&>. " * 700, "水深。" * 1500):
            document = driver.twiml(message(spoken=said, language="en"))
            assert len(document) <= 4000
            assert "Press 2" in document
            heard = [node.text or "" for node in etree.fromstring(document.encode()).iter("Say")]
            assert re.sub(r"\s", "", said).startswith(re.sub(r"\s", "", heard[0]))
        whole(etree.fromstring(driver.twiml(message(spoken=spoken, language="en")).encode()).findtext(".//Say") or "", [
            sentence(n, CLAUSES[4], False) for n in range(30)
        ], False)  # fmt: skip


@pytest.mark.parametrize(
    ("languages", "wanted", "found"),
    [
        (["si", "en"], "si", "en"), (["fa", "zh-CN"], "fa", "zh-CN"), (["fr-CA", "en"], "fr", "fr-CA"),
        (["si", "ta"], "si", ""), (["zh-TW"], "zh", "zh-TW"),
    ],
)  # fmt: skip
async def test_a_voice_is_asked_only_for_a_language_it_speaks(languages: list[str], wanted: str, found: str) -> None:
    """Else another of the alert's; where it speaks none the call is refused at once, and another channel is taken."""
    part = warning([], 1, False)["en-GB"]
    parts = {"languages": languages, **{one: {**part, "action": f"Go {one}."} for one in languages}}
    async with driving(VoiceTwilio) as driver:
        speaks = next(channel.speaks for channel in driver.channels if channel.name == "voice_mobile")
        facts = MessageFacts(
            DeliveryKind.WARNING, "person", "plain", Tier.RED, parts, "4721", "1", "112", speaks=speaks, links=False
        )
        done = render(facts, wanted)
        if found:
            assert (found, True) == (done.language, f"Go {found}" in done.spoken)
            assert f'language="{found[:2]}' in driver.twiml(message(spoken=done.spoken, language=done.language))
        else:
            result = await driver.send(message(spoken=done.spoken, language=done.language, to="+447700900001"))
            assert (Outcome.PERMANENT, "no voice for si") == (result.outcome, result.code)


def test_one_message_is_in_one_language() -> None:
    """No English word around French, Thai or Arabic; traditional characters around traditional ones."""
    ours = re.compile(r"\b(Reply|No\.|Sent|until|This is|need help|Red|To check)\b")
    for language, action in (("fr", "Montez au premier étage."), ("th", "ขึ้นที่สูง"), ("ar", "اصعدوا إلى الأعلى.")):
        part = {"source": "Préfecture", "tier": "", "hazard": "Crue", "event": "Crue", "place": "Villeneuve", "action": action,
                "description": "", "time": "10.6. 02:10 - 10.6. 18:00."}  # fmt: skip
        parts = {"languages": [language], language: part}
        for more in ({}, {"sms": False}, {"sms": False, "link": "https://w.example/a/x"}):
            done = rendered(parts, "plain", **more)
            assert action in done.text
            assert not ours.search(done.text + done.spoken + done.subject), done
            assert "4721" in done.text
    hant = {"languages": ["zh-TW"], "zh-TW": {**warning([], 1, True)["zh-CN"], "action": "請遠離河床。",
            "source": "清水縣", "tier": "紅色", "time": "10日02:10發。"}}  # fmt: skip
    text = rendered(hant, "plain").text
    assert "請遠離河床。" in text
    assert "回1能照做,回2要幫助" in text
    assert not set("这编号动帮现请们还发给会电说区马应") & set(text)


async def test_smpp_refuses_what_no_message_holds() -> None:
    """It is told, and raises nothing."""
    async with driving(SmsSmpp) as driver:
        result = driver._parts(message(text="a" * 153 * 256))
        assert (Outcome.PERMANENT, "too long") == (result.outcome, result.code)
