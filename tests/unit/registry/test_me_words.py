"""The sentences of residents' pages."""

from __future__ import annotations

from services.registry.model import answer_words
from services.registry.model.given import ANSWERS, QUESTIONS
from services.shared.i18n import speaking


def test_every_answer_can_be_named_and_asked() -> None:
    """What is stored of a person has words; what they may change has a question."""
    not_asked = {"own_channels", "asked_for", "facility_kind"}  # chosen on the page of channels; their house's
    assert set(ANSWERS) == set(QUESTIONS) | not_asked
    for name, question in QUESTIONS.items():
        assert set(question.values) <= answer_words.VALUES.keys(), name
    assert "A lot of difficulty" == answer_words.value_of("see", 3)
    with speaking("zh-Hans"):
        assert "很困难" == answer_words.value_of("see", 3)
