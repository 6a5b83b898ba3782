"""Texts: the segments a provider cuts, the order of a message, what is never cut, and what a reply means."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.channels.messages.phrases import LINES
from services.channels.messages.prepare import Preparer, reference
from services.channels.messages.render import MessageFacts, choose_language, render, segments
from services.channels.model.driver import Channel
from services.channels.providers.country_limits import CountryLimits
from services.channels.replies.matching import Candidate, choose
from services.channels.replies.meaning import read_reply
from services.shared.clock import LinearClock
from services.shared.crypto.signing import Signer
from services.shared.ledger.evidence import Answer
from services.shared.ledger.kinds import DeliveryKind
from services.shared.tiers import Tier
from tests.kit.examples import drawn

PARTS = {
    "languages": ["en-US", "zh-CN"],
    "utc_offset_min": 480,
    "instruction": "leave",
    "en-US": {
        "source": "Qingshui County Emergency Office", "tier": "Red: go now", "hazard": "Flash flood",
        "place": "Nanling: Hedong and Xiawan", "time": "Sent Wed 02:10, until Wed 18:00.", "description": "",
        "action": "Leave now, on foot, uphill to Nanling School. Do not walk or drive through water. "
        "Take medicine and your phone. Help your neighbours if you can do so without danger.",
    },
    "zh-CN": {
        "source": "清水县应急局", "tier": "红色(马上走)", "hazard": "山洪", "place": "南岭镇河东、下湾", "time": "10日02:10发。",
        "description": "", "action": "现在离家,步行往高处到南岭学校。不要过水,不要开车过水。带上药品和手机。",
    },
}  # fmt: skip


def facts(**more: object) -> MessageFacts:
    base: dict[str, object] = {
        "kind": DeliveryKind.WARNING, "addressee": "person", "form": "plain", "tier": Tier.RED, "parts": PARTS,
        "number": "4721", "ref": "1234", "hotline": "12345", "sms": True,
    }  # fmt: skip
    return MessageFacts(**{**base, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "encoding", "count"),
    [
        ("a" * 160, "gsm-7", 1),
        ("a" * 161, "gsm-7", 2),
        ("a" * 306, "gsm-7", 2),
        ("a" * 307, "gsm-7", 3),
        ("€" * 80, "gsm-7", 1),
        ("€" * 81, "gsm-7", 2),
        ("水" * 70, "ucs-2", 1),
        ("水" * 71, "ucs-2", 2),
        ("水" * 134, "ucs-2", 2),
        ("水" * 135, "ucs-2", 3),
        ("a" * 69 + "–", "ucs-2", 1),
        ("a" * 70 + "–", "ucs-2", 2),
        ("😀" * 35, "ucs-2", 1),
        ("😀" * 36, "ucs-2", 2),
        ("", "gsm-7", 1),
    ],
)
def test_segments(text: str, encoding: str, count: int) -> None:
    """160/153 septets, 70/67 code units; one character outside the alphabet turns the whole."""
    assert (encoding, count) == (segments(text).encoding, segments(text).count)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("form", "limit"), [("plain", 2), ("short_plain", 2), ("easy_read", 2), ("spoken", 2)])
def test_an_sms_keeps_to_its_segments_and_says_who_what_where_number(language: str, form: str, limit: int) -> None:
    """The action is cut at a sentence's end; source, place, time, number and the answers are never cut."""
    done = render(facts(form=form), language)
    assert segments(done.text).count <= limit
    part = PARTS["zh-CN" if language == "zh" else "en-US"]
    for kept in (part["source"], part["hazard"], part["place"], part["time"], "4721", "2"):  # type: ignore[index]
        assert kept in done.text
    assert done.text.index(part["source"]) < done.text.index("4721")  # type: ignore[index]
    assert LINES[language].menus["leave"][Tier.RED] in done.text


@settings(max_examples=drawn(200), deadline=None)
@given(st.text(max_size=900), st.text(min_size=1, max_size=200), st.sampled_from(Tier))
def test_any_text_of_an_authority_renders(action: str, place: str, tier: Tier) -> None:
    """However long or odd: at most ten segments, and the number in it."""
    parts = {**PARTS, "languages": ["en-US"], "en-US": {**PARTS["en-US"], "action": action, "place": place}}  # type: ignore[dict-item]
    done = render(facts(parts=parts, tier=tier), "en")
    assert "4721" in done.text
    assert segments(done.text).count <= 10


def test_a_call_says_no_link_and_who_speaks() -> None:
    """The spoken form begins with who we are; a helper's call has no address in it."""
    assert render(facts(sms=False), "en").spoken.startswith("This is Qingshui County Emergency Office")
    helper = render(facts(addressee="supporter", about="Mr W", link="https://warn.example/a/x"), "en")
    assert "https" not in helper.spoken
    assert "Mr W" in helper.text
    assert "1234" in helper.text


@pytest.mark.parametrize(("language", "end"), [("en", "call 1 2 3 4 5."), ("zh", "查证请打 1 2 3 4 5.")])
def test_a_loudspeaker_says_whom_to_call_digit_by_digit(language: str, end: str) -> None:
    """The same number as on every channel; in a call there are keys instead."""
    assert render(facts(sms=False, addressee="area"), language).spoken.endswith(end)
    assert "1 2 3" not in render(facts(sms=False), language).spoken


@pytest.mark.parametrize("ending", ["danger_lower_stay_away", "may_return", "sent_by_mistake", "checking", "not_ours"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_endings_name_the_message_they_end(ending: str, language: str) -> None:
    """Danger lower is never "you may go home"."""
    text = render(facts(kind=DeliveryKind.ENDING, ending=ending), language).text
    assert "4721" in text
    if ending == "danger_lower_stay_away":
        assert {"en": "Do not go home yet", "zh": "还不能回家"}[language] in text
        assert {"en": "houses, roads and power", "zh": "路"}[language] in text, "streets, and no channel of ours"


@pytest.mark.parametrize(
    ("wanted", "found"), [("zh", "zh-CN"), ("zh-TW", "zh-CN"), ("en_GB", "en-US"), ("fr", "en-US"), ("", "en-US")]
)
def test_the_nearest_language(wanted: str, found: str) -> None:
    """Exact, same base, the place's, the warning's first."""
    assert found == choose_language(wanted, ["zh-CN", "en-US"], "en")


def test_nobody_gets_english_because_it_is_english() -> None:
    """A Tibetan reader in a Chinese county reads Chinese; a warning's first language where nothing is known of the place."""
    assert "zh-CN" == choose_language("bo", ["zh-CN", "en-US"], "bo;zh")
    assert "zh-CN" == choose_language("bo", ["zh-CN", "en-US"])
    assert "fr" == choose_language("bo", ["fr", "en"])
    assert "zh-CN" == choose_language("ug;zh", ["en-US", "zh-CN"], "en")
    parts = {**PARTS, "of_place": "zh"}
    assert "清水县应急局" in render(facts(parts=parts), "bo").text


@pytest.mark.parametrize(
    ("text", "answer", "ref", "count"),
    [
        ("1", Answer.LEAVING, "", 0),
        (" 2. ", Answer.HELP, "", 0),
        ("3", Answer.NOT_THERE, "", 0),
        ("4 1234", Answer.SPOKE, "1234", 0),
        ("5-9876", Answer.CANNOT_REACH, "9876", 0),
        ("9", None, "", 0),
        ("12", None, "", 0),
        ("HELP", Answer.HELP, "", 0),
        ("要帮助", Answer.HELP, "", 0),
        ("我在哪里", None, "", 0),
        ("N3", None, "", 3),
        ("n 12", None, "", 12),
        ("I am safe!", Answer.SAFE, "", 0),
        ("", None, "", 0),
    ],
)
def test_what_a_reply_means(text: str, answer: Answer | None, ref: str, count: int) -> None:
    """One digit table; words in two languages; everything else is free text for a person."""
    reply = read_reply(text)
    assert (answer, ref, count) == (reply.answer, reply.ref, reply.count)


def row(delivery_id: str, addressee: str, person: str, warning: str = "w1") -> Candidate:
    return Candidate(
        delivery_id, warning, DeliveryKind.WARNING, 4, person, person, addressee, "sms", "", None, 1, "accepted", "", 1, "",
        warning, over=False,
    )  # fmt: skip


ME, HER, HIM = (
    row("0" * 31 + "1", "person", "me"),
    row("1" * 32, "supporter", "her"),
    row("2" * 32, "supporter", "him"),
)


@pytest.mark.parametrize(
    ("rows", "text", "meant"),
    [
        ([ME], "1", ME),
        ([ME, HER], "1", ME),
        ([ME, HER], "2", ME),
        ([ME, HER], "4", HER),
        ([HER, HIM], "4", None),
        ([HER, HIM], f"4 {reference(HIM.delivery_id)}", HIM),
        ([ME, HER, HIM], "3", ME),
        ([HER], "2", HER),
        ([ME, row("3" * 32, "person", "child")], "1", None),
        ([ME, row("3" * 32, "person", "child", "w0")], "1", ME),
        ([ME], "4 0000", ME),  # no number of a message of theirs: a person reads it
        ([], "1", None),
    ],
)
def test_whose_reply_it_is(rows: list[Candidate], text: str, meant: Candidate | None) -> None:
    """1, 2 and 3 are about the sender, 4 and 5 about whom they help; only between two of those they are asked."""
    assert meant is choose(rows, read_reply(text, {reference(row.delivery_id) for row in rows}))


async def test_a_text_asks_for_no_reply_and_brings_no_link_where_its_channel_has_none() -> None:
    """What a channel lacks is the driver's to say, and is heeded when the text is made."""
    row: Any = SimpleNamespace(
        kind="warning", addressee_kind="person", addressee_id="p", delivery_id="0" * 32, warning_id="w", form="plain",
        language="en", channel="sms", params=None, dossier=None, person_id="p",
    )  # fmt: skip
    parts = {
        "languages": ["en"],
        "en": {
            "source": "County Office", "tier": "Red", "hazard": "Flash flood", "place": "Hedong",
            "action": "Leave now.", "time": "Until 03:00.",
        },
    }  # fmt: skip
    warning: Any = SimpleNamespace(ending="", kind="alert", tier=4, parts=parts, number="4721", cap_xml=b"")
    preparer = Preparer(
        cast(Any, None),
        LinearClock(),
        cast(Any, None),
        Signer(b"k" * 32),
        "https://warn.example.org",
        "12345",
        False,
        cast(Any, None),
        CountryLimits({}),
        {},
        {},
        {},
    )
    both = []
    for two_way in (True, False):
        channel = Channel("sms", ("sms",), two_way=two_way, links=False)
        both.append((await preparer._render(row, warning, channel, "")).text)
    assert "reply" in both[0].lower()
    assert "reply" not in both[1].lower()
    assert "12345" in both[1]
