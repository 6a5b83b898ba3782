"""Plays a warning on the page it is answered on: the operator's recording where there is one, else a synthetic voice.

What is played is what a call says, once, in the language of the page. It is made when it is first asked for and kept: the same
words are the same sound for everybody. Where no voice speaks the language the page has no sound, and says nothing of it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from services.channels.messages.announcement import Recordings, Sound, can_speak, speak, write_wav
from services.shared.errors import NotFound
from services.shared.tiers import Tier

KEPT = 40  # sounds of half a minute: 50 MB at most


@dataclass(frozen=True)
class SpokenWords:
    """What is to be heard: a warning's spoken text, and by what a recording of it is found."""

    warning_id: str
    language: str
    spoken: str
    hazard: str
    word: str  # its tier, or how it ended
    as_recorded: bool


@dataclass
class Aloud:
    """The sounds of one process."""

    recordings: Recordings
    _made: dict[SpokenWords, bytes] = field(default_factory=dict)
    _making: asyncio.Lock = field(default_factory=asyncio.Lock)

    def may(self, words: SpokenWords) -> bool:
        """Whether there may be a sound of it; the page offers none else."""
        return bool(words.spoken) and (can_speak() or self._recorded(words) is not None)

    async def wav(self, words: SpokenWords) -> bytes:
        """The sound; NotFound where no voice speaks that language. One is made at a time: a voice takes a core."""
        async with self._making:
            if (found := self._made.get(words)) is not None:
                return found
            sound = self._recorded(words) or await speak(words.spoken, words.language)
            if sound is None:
                raise NotFound(
                    "no voice here speaks this language: read the text, or call the hotline", field="language"
                )
            if len(self._made) >= KEPT:
                self._made.pop(next(iter(self._made)))
            self._made[words] = made = await asyncio.to_thread(write_wav, [sound])
            return made

    def _recorded(self, words: SpokenWords) -> Sound | None:
        return self.recordings.of(words.hazard, words.word, words.language) if words.as_recorded else None


def word_of(tier: int, ending: str) -> str:
    """By what a recording is named: how it ended, else its tier."""
    return ending or Tier(tier).word
