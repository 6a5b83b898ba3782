"""All of a person's languages are tried in order before they get English."""

from __future__ import annotations

import pytest

from services.channels.messages.phrases import LINES
from services.channels.messages.render import choose_language, lines_for
from services.registry.model.given import PersonIn
from services.registry.model.needs import groups, profile
from services.shared.people import languages


@pytest.mark.parametrize(
    ("spoken", "brought", "gets"),
    [
        ("ug;zh", ["en", "zh-CN"], "zh-CN"),
        ("ug;zh", ["en", "zh", "ug"], "ug"),
        ("yue", ["en", "zh"], "zh"),  # what is spoken so is written in Chinese
        ("zh-HK;en", ["zh-CN", "zh-HK"], "zh-HK"),
        ("zh_CN", ["en", "zh-CN"], "zh-CN"),
        ("bo;mn", ["zh", "en"], "zh"),
        ("bo", ["zh"], "zh"),
        ("", ["zh", "en"], "zh"),
        ("ug;zh", [], "en"),
    ],
)
def test_the_first_of_theirs_that_the_warning_brings(spoken: str, brought: list[str], gets: str) -> None:
    assert gets == choose_language(spoken, brought)


def test_our_own_sentences_come_in_hers_too() -> None:
    assert LINES["zh"] is lines_for("ug-Arab;zh")
    assert LINES["en"] is lines_for("bo")


def test_all_of_them_travel_with_her_profile() -> None:
    """As many as the ledger holds; who understands ours is in no group for another language, who does not is."""
    base = {"person_id": "a" * 32, "lat": 30.05, "lon": 103.05, "languages": ("ug", "zh", "en")}
    one = PersonIn.model_validate(base)
    assert "ug;zh;en" == profile(one, 2026).language
    assert "other_language" not in groups(one, 2026)
    assert "other_language" in groups(PersonIn.model_validate(base | {"languages": ("ug", "bo")}), 2026)
    assert "other_language" not in groups(PersonIn.model_validate(base | {"languages": ("yue",)}), 2026)
    many = languages.together(["zh-Hans-CN", "ug-Arab", "bo", "mn"])
    assert "zh-Hans-CN;ug-Arab" == many
    assert len(many) <= languages.LONGEST


@pytest.mark.parametrize("word", ['en"/><Dial>+88213123456</Dial><Say language="en', "中文", "x", "zh;en", "e n"])
def test_a_language_is_a_tag_and_nothing_else(word: str) -> None:
    """It stands in a call's document and in a page's markup."""
    with pytest.raises(ValueError, match="languages"):
        PersonIn.model_validate({"person_id": "a" * 32, "lat": 30.05, "lon": 103.05, "languages": (word,)})
