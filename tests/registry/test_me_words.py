"""The sentences of residents' pages."""

from __future__ import annotations

import re

from services.registry.model import answer_words
from services.registry.model.given import ANSWERS, QUESTIONS
from services.registry.resident import words


def test_every_sentence_is_there_in_both_languages() -> None:
    """And takes the same values in both."""
    fields = re.compile(r"\{(\w+)\}")
    for key, (en, zh) in words.WORDS.items():
        assert en, key
        assert zh, key
        assert set(fields.findall(en)) == set(fields.findall(zh)), key


def test_every_answer_can_be_named_and_asked() -> None:
    """What is stored of a person has words; what she may change has a question."""
    not_asked = {"own_channels", "asked_for"}  # chosen on the page of channels
    assert set(ANSWERS) == set(QUESTIONS) | not_asked
    for name, question in QUESTIONS.items():
        assert set(question.values) <= answer_words.VALUES.keys(), name
    assert ("A lot of difficulty", "很困难") == tuple(answer_words.value_of("see", 3, lang) for lang in ("en", "zh"))
