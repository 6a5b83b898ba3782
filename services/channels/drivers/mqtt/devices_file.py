"""Reads the loudspeakers of TOCSIN_DEVICES_LIST and selects those in a warned area. Pure.

    speakers:
      - id: nanling-school        # as in its topic: letters, digits, - and _
        name: Nanling School, roof
        lat: 30.0102              # without both it is used for every area
        lon: 103.0201
        kind: both                # siren, voice, both
        languages: [zh, en]       # empty: all that a warning brings
        zone: "511825103"         # a geocode value it also answers to
        heard_m: 500              # how far it is heard

An entry with a fault is left out and told by line and rule; it silences no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import pydantic

from services.channels.messages.cap_document import DocumentArea
from services.shared.errors import Refused
from services.shared.input.files import Entry, open_file

Kind = Literal["siren", "voice", "both"]
ID = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$"
MOST = 20_000


class Speaker(Entry):
    """One loudspeaker or siren."""

    id: str = pydantic.Field(pattern=ID)
    name: str = pydantic.Field("", max_length=80)
    lat: float | None = pydantic.Field(None, ge=-90, le=90, allow_inf_nan=False)
    lon: float | None = pydantic.Field(None, ge=-180, le=180, allow_inf_nan=False)
    kind: Kind = "both"
    languages: tuple[str, ...] = ()
    zone: str = pydantic.Field("", max_length=80)
    heard_m: float = pydantic.Field(500, ge=0, le=20_000)

    @pydantic.model_validator(mode="after")
    def _both(self) -> Speaker:
        if (self.lat is None) != (self.lon is None):
            raise ValueError("give lat and lon, or neither")
        return self

    @property
    def sirens(self) -> bool:
        return self.kind != "voice"

    @property
    def speaks(self) -> bool:
        return self.kind != "siren"


class List(Entry):
    """The file: its entries are judged one by one."""

    speakers: list[object] = pydantic.Field(max_length=MOST)


def inside(speakers: Sequence[Speaker], area: DocumentArea) -> tuple[Speaker, ...]:
    """Those that somebody in the area may hear; where that cannot be told they are used: it reaches more.

    With a polygon or circle: by place and by zone. With codes alone: by zone, and all if no speaker's zone is among them.
    """

    def hears(one: Speaker) -> bool:
        if one.zone and one.zone in area.geocodes:
            return True
        if one.lat is None or one.lon is None or not area.has_shape:
            return not one.zone or not area.geocodes
        return area.within(one.lat, one.lon, one.heard_m)

    by_codes = not area.has_shape
    if by_codes and not any(one.zone in area.geocodes for one in speakers if one.zone):
        return tuple(speakers)
    return tuple(one for one in speakers if hears(one))


def read_speakers(path: Path | None) -> tuple[tuple[Speaker, ...], tuple[str, ...]]:
    """The speakers, and a sentence for each entry that was left out. Refused where the file itself cannot be read."""
    if path is None:
        return (), ()
    document = open_file("TOCSIN_DEVICES_LIST", path)
    entries = document.read(List).speakers
    found: dict[str, Speaker] = {}
    faults: list[str] = []
    for n in range(len(entries)):
        try:
            one = document.read(Speaker, ("speakers", n))
        except Refused as fault:
            faults.append(fault.message)
        else:
            if one.id in found:
                said = f"{one.id} stands further up too; give each its own"
                faults.append(document.fault(("speakers", n, "id"), "unique", said).message)
            else:
                found[one.id] = one
    return tuple(found.values()), tuple(faults)


@runtime_checkable
class Listed(Protocol):
    """A driver whose devices stand in a list, and can be tried one by one."""

    @property
    def listed(self) -> tuple[Speaker, ...]:
        """Those that can be used."""
        ...

    @property
    def left_out(self) -> tuple[str, ...]:
        """A sentence for each entry that could not."""
        ...

    @property
    def fault(self) -> str:
        """Why nothing reaches them now, or empty."""
        ...

    @property
    def silent_s(self) -> float:
        """A device not heard for so long is silent."""
        ...

    async def test(self, device: str, test_id: str) -> None:
        """One short tone."""
        ...
