"""A line for a braille display: what to do stands first, and nothing is read by finger that says nothing."""

from __future__ import annotations

import pytest

from services.channels.messages.hazard_texts import MODEL, WordSet, compose, shipped
from services.channels.messages.render import MessageFacts, render
from services.channels.messages.segments import segments
from services.shared.hazards.instructions import told_in
from services.shared.ledger.kinds import DeliveryKind
from services.shared.tiers import Tier

ORNAMENT = set("【】()[]<>|*#·—–_~«»“”\n")
EVERY = [
    (words, language, tier, instruction)
    for words in shipped().values()
    for language in sorted(words.languages.keys() & MODEL.keys())
    for tier in Tier
    for instruction in words.languages[language].texts.get(tier.word, {})
]


@pytest.mark.parametrize(
    ("words", "language", "tier", "instruction"),
    EVERY,
    ids=[f"{words.hazard}-{language}-{tier.word}-{instruction}" for words, language, tier, instruction in EVERY],
)
def test_the_first_cells_say_what_to_do(words: WordSet, language: str, tier: Tier, instruction: str) -> None:
    """As the short text tells it, without an ornament, and as many messages as it takes at most."""
    line = compose(words, language, tier, instruction, "braille", MODEL[language])
    short = compose(words, language, tier, instruction, "short", MODEL[language])
    action = words.languages[language].texts[tier.word][instruction].short.split("{")[0]
    assert line.startswith(action), (line, action)
    assert not ORNAMENT & set(line), line
    assert told_in(line, language) == told_in(short, language)
    assert segments(line).count <= 2
    assert MODEL[language].number in line


def test_the_authoritys_own_words_stand_where_no_text_of_ours_fits() -> None:
    parts = {
        "languages": ["en"], "set": "flash_flood", "instruction": "go_up",
        "en": {"source": "County", "tier": "Red: go up now", "hazard": "Strange water", "place": "Hedong", "time": "",
               "description": "", "action": "Go up to the roof. Take a light."},
    }  # fmt: skip
    facts = MessageFacts(DeliveryKind.WARNING, "person", "braille_line", Tier.RED, parts, "4721", "", "12345", sms=True)
    made = render(facts, "en")
    assert "Go up to the roof." in made.text
    assert segments(made.text).encoding == "gsm-7"
