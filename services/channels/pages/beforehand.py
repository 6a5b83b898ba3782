"""Lets whoever writes a warning hear what a call will say, and see the films there are, before anything of it is handed in."""

from __future__ import annotations

from pathlib import Path

from services.channels.messages.announcement import Recordings, can_speak
from services.channels.pages.aloud import Aloud, SpokenWords
from services.channels.pages.sign_videos import Clip, SignVideos
from services.shared.hazards.instructions import shown_at
from services.shared.tiers import Tier


class Beforehand:
    """Sounds of texts in this system's own voice, and the films of a folder."""

    def __init__(self, sign_videos: Path | None) -> None:
        self._films = SignVideos(sign_videos)
        self._aloud = Aloud(Recordings({}))

    @property
    def speaks(self) -> bool:
        """Whether there is a voice at all."""
        return can_speak()

    async def wav(self, text: str, language: str) -> bytes:
        """NotFound where no voice speaks that language."""
        return await self._aloud.wav(SpokenWords("", language, text, "", "", as_recorded=False))

    def films(self, hazard: str, tier: Tier, instruction: str) -> list[Clip]:
        """Those that would be shown, by sign language."""
        return self._films.of(hazard, shown_at(tier, instruction))
