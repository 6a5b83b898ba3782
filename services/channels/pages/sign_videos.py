"""Plays clips in sign language: a folder of an operator's own films, by hazard, instruction and sign language.

A file is named HAZARD.INSTRUCTION.LANGUAGE.mp4 (or .webm): `flash_flood.leave.csl.mp4`. The language is the ISO 639-3 code of a
sign language (csl, ase, bfi). Films say what is always true of that hazard and instruction; place and time stand beside them as
text. Where there is none the page says so: nothing else stands for a film.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

from services.shared.errors import NotFound
from services.shared.hazards import known
from services.shared.hazards.instructions import INSTRUCTIONS

_NAME = re.compile(r"(?P<hazard>\w+)\.(?P<instruction>\w+)\.(?P<language>[a-z]{3})\.(?P<kind>mp4|webm)")


class Clip(NamedTuple):
    """A film, where it is fetched, and in which sign language it is."""

    language: str
    address: str


class SignVideos:
    """The films of one folder; without a folder there are none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return (web.get("/a/signs/{file}", self.film),)

    def of(self, hazard: str, instruction: str) -> list[Clip]:
        """The films for a hazard and what it tells people to do, by sign language."""
        if self._folder is None or not instruction:
            return []
        return [
            Clip(match["language"], f"/a/signs/{file.name}")
            for file in sorted(self._folder.glob(f"{hazard}.{instruction}.*"))
            if (match := _NAME.fullmatch(file.name)) is not None
        ]

    async def film(self, request: web.Request) -> web.StreamResponse:
        """One film, in pieces where a player asks for them."""
        name = request.match_info["file"]
        match = _NAME.fullmatch(name)
        file = self._folder / name if self._folder is not None and match is not None else None
        if file is None or not file.is_file():
            raise NotFound("there is no such film", field="file", given=name[:80])
        return web.FileResponse(file, headers={"Cache-Control": "max-age=3600"})


def findings(folder: Path) -> list[str]:
    """What is wrong with the names of the files in a folder of films; a film that nothing finds is no film."""
    found = []
    for file in sorted(folder.iterdir()):
        match = _NAME.fullmatch(file.name)
        if match is None:
            found.append(f"{file.name}: name it HAZARD.INSTRUCTION.LANGUAGE.mp4, like flash_flood.leave.csl.mp4")
        elif match["hazard"] not in known():
            found.append(f"{file.name}: {match['hazard']} is no hazard: use one of {', '.join(known())}")
        elif match["instruction"] not in INSTRUCTIONS:
            found.append(f"{file.name}: {match['instruction']} is no instruction: use one of {', '.join(INSTRUCTIONS)}")
    return found
