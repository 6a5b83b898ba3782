"""What every text is made of: where people are to go, and when it comes, as a warning given as JSON says them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from services.channels.render import Facts, render
from services.gateway.incoming import WarningIn, from_json
from services.gateway.parts import parts_of
from services.shared.tier import Tier

WORDS = {"source": "Qingshui County", "hazard": "Flash flood", "place": "Hedong", "action": "Leave now, go uphill."}
PLACE = {"en": "Nanling School", "zh-CN": "南岭学校"}
WORDS_ZH = {"source": "清水县应急局", "hazard": "山洪", "place": "河东", "action": "马上离开,往高处走。"}


def parts(**more: Any) -> dict[str, Any]:
    """Parts of a red flash flood warning with these fields beside the usual ones."""
    given = {
        "identifier": "1", "sender": "office", "sent": "2026-06-09T22:10:00+08:00", "expires": "2026-06-10T10:00:00+08:00",
        "tier": "red", "hazard": "flash_flood", "respond": "evacuate", "texts": {"en": WORDS, "zh-CN": WORDS_ZH},
        "geocodes": [["code", "1"]],
    }  # fmt: skip
    one = from_json(WarningIn.model_validate(given | more), b"{}")
    sense: dict[str, Any] = {
        "tier_reason": one.tier_reason, "notes": [], "hazard": one.hazard, "respond": one.respond, "impact": one.impact,
        "go_to": one.go_to, "asked": one.asked,
    }  # fmt: skip
    row = SimpleNamespace(texts=one.texts, sense=sense, sent=one.sent, state_expires_at=one.expires)
    return parts_of(row, Tier.RED, lambda _: 480, "County")


def short(found: dict[str, Any], language: str) -> str:
    """The short plain text as an SMS."""
    facts = Facts("warning", "person", "alert", "short_plain", Tier.RED, found, "4721", "1234", "12345", sms=True)
    return render(facts, language).text


def test_people_are_told_of_the_place_that_is_confirmed_open() -> None:
    """By name, in each language; and when the water comes, with the day where it is the next one."""
    found = parts(go_to={"name": PLACE, "open": True}, onset="2026-06-10T03:00:00+08:00")
    assert ("Wed 03:00", "10日03:00") == (found["en"]["impact"], found["zh-CN"]["impact"])
    assert "Nanling School" in short(found, "en")
    assert "Wed 03:00" in short(found, "en")
    assert "南岭学校" in short(found, "zh-CN")
    assert "10日03:00" in short(found, "zh-CN")


def test_without_one_nobody_is_told_to_go_to_any() -> None:
    """High ground, or away; an hour of the same day stands without its day."""
    found = parts(onset="2026-06-09T23:30:00+08:00")
    assert {} == found["en"]["to"]
    assert ("23:30", "23:30") == (found["en"]["impact"], found["zh-CN"]["impact"])
    assert "School" not in short(found, "en")
    assert "high" in short(found, "en").lower()


def test_a_place_that_is_not_open_is_refused() -> None:
    """It is named to nobody, and the answer says what to do."""
    with pytest.raises(ValueError, match="nobody is sent to a place that is not confirmed open"):
        parts(go_to={"name": PLACE, "open": False})
    with pytest.raises(ValueError, match="name in zh-CN too"):
        parts(go_to={"name": {"en": "Nanling School"}, "open": True})
