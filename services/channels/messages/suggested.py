"""Offers words for a warning that somebody writes: of a hazard, tier and instruction, by language, out of the texts phones get.

Whoever writes a warning begins with them and changes what does not hold. They are the same texts that stand for an authority's
words in short forms, so that what was suggested and what is then said agree. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from services.channels.messages import hazard_texts
from services.channels.messages.forms import FormText, every_channel
from services.channels.messages.segments import outside
from services.shared import draft_languages, i18n
from services.shared.tiers import Tier


class Suggested(NamedTuple):
    """Words in one language: `event` is the hazard's name, `due` says when the danger comes (empty where nobody can know an
    hour, or none was given), `draft` that no reader of the language has checked them."""

    event: str
    headline: str
    due: str
    action: str
    draft: bool


class OwnTexts:
    """What we have words for, and those words."""

    def cells(self) -> list[tuple[str, Tier, str]]:
        """Every hazard, tier and instruction there is an English text of."""
        found = []
        for hazard, words in hazard_texts.shipped().items():
            if "en" in words.languages:
                found += [(hazard, tier, instruction) for tier, instruction in words.languages["en"].cells()]
        return found

    def languages(self) -> list[str]:
        """Tags of the languages people may be told our texts in; English first."""
        usable = [tag for tag in i18n.in_each_language(hazard_texts.FILE) if self._usable(tag)]
        return sorted(usable, key=lambda tag: (tag != "en", tag))

    def _usable(self, tag: str) -> bool:
        base = hazard_texts.language_of(tag)
        return any(base in words.languages and words.usable(base) for words in hazard_texts.shipped().values())

    def suggest(
        self, hazard: str, tier: Tier, instruction: str, tag: str, *, impact: str = "", place_to: str = ""
    ) -> Suggested | None:
        """The words in a language; None where we have none. `impact` is a local time as it is said; `place_to` a place that
        somebody confirmed open, empty for none: then people are told to go away from the danger."""
        words, base = hazard_texts.shipped().get(hazard), hazard_texts.language_of(tag)
        if words is None or base not in words.languages or not words.usable(base):
            return None
        texts = words.languages[base]
        said = texts.of(tier, instruction)
        if said is None:
            return None
        due = ""
        if impact and tier > Tier.BLUE and texts.due is not None:
            due = (texts.due.by if tier == Tier.RED else texts.due.start).format(impact=impact)
        parts = hazard_texts.Parts("", "", "", "", place_to=place_to, place_open=bool(place_to))
        return Suggested(
            said.name or texts.name,
            said.headline[:1].upper() + said.headline[1:],
            due,
            hazard_texts.action_of(words, base, tier, instruction, "plain", parts),
            draft_languages.to_be_marked(base, texts.state),
        )

    def every_channel(
        self, parts: Mapping[str, object], tier: Tier | None, number: str, hotline: str, *, drill: bool
    ) -> Sequence[FormText]:
        """Every text that would go out."""
        return every_channel(parts, tier, number, hotline, drill=drill)

    def outside(self, text: str) -> str:
        """The characters that turn a short message to UCS-2, each once."""
        return outside(text)
