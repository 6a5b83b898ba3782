"""Whoever is told what to do is told when the danger comes, where the warning says it: by text, by call and by mail."""

from __future__ import annotations

from typing import Any

import pytest

from services.channels.messages.render import MessageFacts, render, segments
from services.shared.ledger.kinds import DeliveryKind
from services.shared.tiers import Tier

ENGLISH = {
    "source": "Qingshui County", "tier": "Red: go now", "hazard": "Flash flood", "event": "Flash flood", "place": "Nanling",
    "action": "Leave now, on foot, uphill.", "description": "The gauge stands at 4 m. Water may come by 23:50.", "to": {},
    "impact": "23:50", "next": "12:30", "time": "Sent Wed 12:00, until Thu 06:00.", "sent": "Sent Wed 12:00.",
}  # fmt: skip
CHINESE = ENGLISH | {
    "source": "清水县", "hazard": "山洪", "event": "山洪", "place": "南岭镇", "action": "现在离家,步行往高处走。",
    "description": "水位4米。23:50前可能来水。",
}  # fmt: skip


def said(part: dict[str, Any], language: str = "en", **how: Any) -> tuple[str, str]:
    """(Text, what is heard) of a person's message."""
    parts = {"languages": [language], "set": "", "instruction": "leave", "of_place": "", "whole": False, language: part}
    facts = MessageFacts(
        kind=DeliveryKind.WARNING, addressee="person", form="plain", tier=Tier.RED, parts=parts, number="1234", ref="",
        hotline="12345", drill=False, **how,
    )  # fmt: skip
    made = render(facts, language)
    return made.text, made.spoken


@pytest.mark.parametrize(
    ("part", "language", "due", "joined"),
    [
        (ENGLISH, "en", "Water may come by 23:50.", "uphill. Water may come by 23:50. Sent Wed"),
        (CHINESE, "zh-Hans", "23:50前可能来水。", "往高处走。23:50前可能来水。"),
    ],
)
def test_what_to_do_goes_with_when_it_comes(part: dict[str, Any], language: str, due: str, joined: str) -> None:
    """The one sentence of the danger that names the time, and no other of it."""
    text, _ = said(part, language, sms=True)
    assert joined in text
    assert segments(text).count <= 2
    mail, spoken = said(part, language, link="...")
    assert due in mail
    assert due in spoken
    for one in (text, mail, spoken):
        assert 1 == one.count("23:50"), one
        assert "4 m" not in one
        assert "4米" not in one


@pytest.mark.parametrize(
    "changed",
    [
        {"impact": ""},
        {"description": "The gauge stands at 4 m."},
        {"description": "Leave the bank before 23:50."},  # an order stands where the authority put it
        {"action": "Leave before 23:50, on foot, uphill."},
    ],
)
def test_nothing_is_added_that_is_no_time_or_is_said_already(changed: dict[str, str]) -> None:
    with_it, without = (said(ENGLISH | changed | more, sms=True)[0] for more in ({}, {"description": ""}))
    assert with_it == without


def test_what_does_not_fit_is_the_time_and_never_the_order() -> None:
    """A long order stays whole."""
    long = "Leave now, on foot, uphill, away from the river and from every stream that leads to it, by the road to the school. "
    text, _ = said(ENGLISH | {"action": long * 2}, sms=True)
    assert "Leave now, on foot" in text
    assert "23:50" not in text
